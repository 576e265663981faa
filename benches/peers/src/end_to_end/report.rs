//! Prints the tables, and whether the targets are met.

use tower_request_context_peers::{
    ratios::Median,
    ways::{ID, IDENTITY, THREE, TOWER_HTTP, Way},
};

use crate::{
    arguments::Arguments,
    load::{Load, Measurement},
};

/// The measurements of each way under one load, one for each round.
pub(crate) struct Results<'a> {
    pub(crate) load: &'a Load,
    pub(crate) of_ways: Vec<Vec<Measurement>>,
}

/// A limit for the ratio of the requests per second of a way and its partner.
struct Target {
    way: Way,
    partner: Way,
    /// The median is at least this.
    median: Option<f64>,
    /// The whole interval is above this.
    interval: f64,
}

const TARGETS: [Target; 2] = [
    Target { way: THREE, partner: IDENTITY, median: None, interval: 0.97 },
    Target { way: ID, partner: TOWER_HTTP, median: Some(1.03), interval: 1.0 },
];

pub(crate) fn print(arguments: &Arguments, results: &[Results<'_>]) {
    let Arguments { rounds, seconds, .. } = arguments;
    println!("\nMedians of {rounds} rounds, {seconds} s for each way in a round. Brackets hold their 95 % intervals.");
    for results in results {
        results.print(arguments);
    }
    let targets: Vec<_> = results.iter().flat_map(|results| results.check(arguments)).collect();
    if targets.is_empty() {
        return;
    }
    if arguments.markdown {
        println!("\n| target | measured | result |\n|---|---|---|");
    } else {
        println!("\ntargets");
    }
    for (target, ratio, met) in targets {
        match (arguments.markdown, met) {
            (true, true) => println!("| {target} | {ratio} | met |"),
            (true, false) => println!("| {target} | {ratio} | **missed** |"),
            (false, met) => println!("{ratio}  {:<6}  {target}", if met { "met" } else { "missed" }),
        }
    }
}

impl Results<'_> {
    fn print(&self, arguments: &Arguments) {
        let Load { protocol, program, .. } = self.load;
        if arguments.markdown {
            println!(
                "\n| {protocol}, {program} | requests per second | relative to the baseline | CPU time per request | over \
                 the baseline |\n|---|--:|---|--:|---|"
            );
        } else {
            println!(
                "\n{protocol}, {program}: requests per second, their ratio, CPU time per request, over the baseline"
            );
        }
        for (number, (way, measurements)) in arguments.ways.iter().zip(&self.of_ways).enumerate() {
            let rate = median(measurements, |measurement| measurement.requests_per_second);
            let cpu = median(measurements, |measurement| measurement.cpu_micros);
            let (ratio, over) = if number == 0 {
                (String::new(), String::new())
            } else {
                let Median { median, low, high, .. } = self.paired(number, 0, |a, b| a.cpu_micros - b.cpu_micros);
                let over = format!("{median:+.2} µs [{low:+.2}, {high:+.2}]");
                (self.ratio(number, 0).to_string(), over)
            };
            let name = way.name;
            if arguments.markdown {
                println!("| {name} | {rate:.0} | {ratio} | {cpu:.2} µs | {over} |");
            } else {
                println!("{rate:>7.0}  {ratio:<22}  {cpu:>6.2} µs  {over:<25}  {name}");
            }
        }
    }

    /// Checks the targets whose ways were both measured.
    fn check(&self, arguments: &Arguments) -> Vec<(String, Median, bool)> {
        let place = |of: Way| arguments.ways.iter().position(|way| way.key == of.key);
        let check = |Target { way, partner, median, interval }: &Target| {
            let ratio = self.ratio(place(*way)?, place(*partner)?);
            let at_least = median.map(|median| format!("≥ {median:.2} ×, ")).unwrap_or_default();
            let ways = format!("{}, relative to {}", way.name, partner.name);
            let met = ratio.low > *interval && median.is_none_or(|median| ratio.median >= median);
            let target = format!("{}: {ways}: {at_least}interval above {interval:.2} ×", self.load.protocol);
            Some((target, ratio, met))
        };
        TARGETS.iter().filter_map(check).collect()
    }

    fn ratio(&self, way: usize, partner: usize) -> Median {
        self.paired(way, partner, |a, b| a.requests_per_second / b.requests_per_second)
    }

    /// Compares two ways in each round.
    fn paired(&self, way: usize, partner: usize, compare: impl Fn(&Measurement, &Measurement) -> f64) -> Median {
        let pairs = self.of_ways[way].iter().zip(&self.of_ways[partner]);
        Median::of(pairs.map(|(way, partner)| compare(way, partner)).collect())
    }
}

fn median(measurements: &[Measurement], figure: impl Fn(&Measurement) -> f64) -> f64 {
    Median::of(measurements.iter().map(figure).collect()).median
}
