//! Compares the requests per second of two servers on loopback: one with `RequestContextLayer`, three values and three
//! reads, one with a layer that does nothing. The load alternates between them: A B, B A, … The result is the median of the
//! ratios of all rounds.
//!
//! Run with `cargo run --release --bin end_to_end [--rounds N] [--seconds N] [--markdown]` in this folder, on a machine that
//! is otherwise idle. Needs wrk and h2load.

mod load;
mod server;

use std::{env, error::Error, process::ExitCode};

use tower_request_context_peers::ratios::Median;

use self::{
    load::{Load, PROTOCOLS},
    server::Server,
};

/// The target: the whole interval lies above this ratio.
const AT_LEAST: f64 = 0.97;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match &*arguments {
        [serve, app] if serve == "serve" => server::serve(app),
        arguments => Arguments::new(arguments).and_then(|arguments| compare(&arguments)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    rounds: usize,
    seconds: u32,
    markdown: bool,
}

impl Arguments {
    fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut parsed = Self { rounds: 20, seconds: 3, markdown: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().ok_or_else(|| format!("{argument} needs a number"));
            match &**argument {
                "--rounds" => parsed.rounds = number()?.parse()?,
                "--seconds" => parsed.seconds = number()?.parse()?,
                "--markdown" => parsed.markdown = true,
                _ => return Err("usage: end_to_end [--rounds N] [--seconds N] [--markdown]".into()),
            }
        }
        if parsed.rounds < 6 {
            return Err("an interval of 95 % needs at least six rounds".into());
        }
        Ok(parsed)
    }
}

fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let [without, with] = [Server::start("without")?, Server::start("context")?];
    if arguments.markdown {
        println!(
            "\n| requests per second, relative to the baseline | ratio | baseline | above {AT_LEAST} |\n|---|---|--:|---|"
        );
    }
    for load in PROTOCOLS {
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for server in [&without, &with] {
            load.requests_per_second(server, 1)?; // warms both up
        }
        for round in 0..arguments.rounds {
            let [a, b] = if round % 2 == 0 { [&without, &with] } else { [&with, &without] };
            let [a, b] =
                [load.requests_per_second(a, arguments.seconds)?, load.requests_per_second(b, arguments.seconds)?];
            let [without, with] = if round % 2 == 0 { [a, b] } else { [b, a] };
            ratios.push(with / without);
            rates.push(without);
        }
        print(arguments, &load, Median::of(ratios), Median::of(rates).median);
    }
    Ok(())
}

fn print(arguments: &Arguments, load: &Load, ratio: Median, without: f64) {
    let met = if ratio.low > AT_LEAST { "met" } else { "missed" };
    if arguments.markdown {
        let met = if met == "met" { met } else { "**missed**" };
        println!("| {}, {} | {ratio} | {without:.0} | {met} |", load.protocol, load.program);
    } else {
        println!("{}: {ratio}; baseline {without:.0} per second; above {AT_LEAST}: {met}", load.protocol);
    }
}
