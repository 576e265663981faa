//! Puts each way to pass values to a handler in axum under load on loopback, and compares the requests per second and the
//! CPU time per request.
//!
//! In each round every way is measured once, in a process of its own. The order of the ways changes from round to round.
//! Ratios and differences compare two measurements of the same round. The result is their median over all rounds.
//!
//! Run with `cargo run --release --bin end_to_end [--rounds N] [--seconds N] [--markdown] [WAY…]` in this folder, on a
//! machine that is otherwise idle. Needs Linux, wrk and h2load. The first way is the baseline. Without names, all ways are
//! measured. `end_to_end --rounds 60 identity three` compares two. A way named twice shows the noise of the machine.

mod arguments;
mod load;
mod report;
mod server;

use std::{env, error::Error, process::ExitCode};

use self::{arguments::Arguments, load::PROTOCOLS, report::Results, server::Server};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match &*arguments {
        [serve, key] if serve == "serve" => server::serve(key),
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

fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let mut results = Vec::new();
    for load in &PROTOCOLS {
        let mut of_ways = vec![Vec::new(); arguments.ways.len()];
        for round in 0..arguments.rounds {
            eprintln!("{}: round {} of {}", load.protocol, round + 1, arguments.rounds);
            for way in order(arguments.ways.len(), round) {
                let server = Server::start(arguments.ways[way].key)?;
                of_ways[way].push(load.measure(&server, arguments.seconds)?);
            }
        }
        results.push(Results { load, of_ways });
    }
    report::print(arguments, &results);
    Ok(())
}

/// Returns the order of the ways in a round. Every second round reverses the order of the round before, so that each of two
/// ways comes first equally often. The first way changes every two rounds.
fn order(ways: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..ways).collect();
    order.rotate_left(round / 2 % ways);
    if round % 2 == 1 {
        order.reverse();
    }
    order
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn order_rotates_every_two_rounds_and_reverses() {
        let orders: Vec<_> = (0..4).map(|round| order(3, round)).collect();
        assert_eq!(orders, [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]]);
    }
}
