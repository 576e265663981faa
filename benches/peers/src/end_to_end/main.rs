//! Run with `cargo run --release --bin end_to_end [--rounds N] [--seconds N] [--markdown]` in this folder, on a machine that
//! does nothing else; needs wrk and h2load.
//!
//! Two servers on loopback, one with `RequestContextLayer`, three values and three reads, one with a layer that does nothing,
//! are asked in turns: A B, B A, … The figure is the median, over the rounds, of the ratio of their requests a second.

mod load;
mod server;

use std::{env, error::Error, process::ExitCode};

use tower_request_context_peers::ratios::Median;

use self::{
    load::{Load, PROTOCOLS},
    server::Server,
};

/// The whole interval should be above.
const AT_LEAST: f64 = 0.97;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match &*arguments {
        [serve, app] if serve == "serve" => server::serve(app),
        arguments => Wanted::new(arguments).and_then(|wanted| compare(&wanted)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

struct Wanted {
    rounds: usize,
    seconds: u32,
    markdown: bool,
}

impl Wanted {
    fn new(arguments: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut wanted = Self { rounds: 20, seconds: 3, markdown: false };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().ok_or_else(|| format!("{argument} takes a number"));
            match &**argument {
                "--rounds" => wanted.rounds = number()?.parse()?,
                "--seconds" => wanted.seconds = number()?.parse()?,
                "--markdown" => wanted.markdown = true,
                _ => return Err("give --rounds N, --seconds N, --markdown or nothing".into()),
            }
        }
        if wanted.rounds < 6 {
            return Err("an interval of 95 % takes six rounds or more".into());
        }
        Ok(wanted)
    }
}

fn compare(wanted: &Wanted) -> Result<(), Box<dyn Error>> {
    let [without, with] = [Server::start("without")?, Server::start("context")?];
    if wanted.markdown {
        println!("\n| requests a second, with the context over without | | | above {AT_LEAST} |\n|---|---|--:|---|");
    }
    for load in PROTOCOLS {
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for server in [&without, &with] {
            load.requests_a_second(server, 1)?; // until both are warm
        }
        for round in 0..wanted.rounds {
            let [a, b] = if round % 2 == 0 { [&without, &with] } else { [&with, &without] };
            let [a, b] = [load.requests_a_second(a, wanted.seconds)?, load.requests_a_second(b, wanted.seconds)?];
            let [without, with] = if round % 2 == 0 { [a, b] } else { [b, a] };
            ratios.push(with / without);
            rates.push(without);
        }
        print(wanted, &load, Median::of(ratios), Median::of(rates).median);
    }
    Ok(())
}

fn print(wanted: &Wanted, load: &Load, ratio: Median, without: f64) {
    let met = if ratio.low > AT_LEAST { "met" } else { "missed" };
    if wanted.markdown {
        let met = if met == "met" { met } else { "**missed**" };
        println!("| {}, by {} | {ratio} | {without:.0} without | {met} |", load.protocol, load.program);
    } else {
        println!("{}: {ratio}; {without:.0} a second without; above {AT_LEAST}: {met}", load.protocol);
    }
}
