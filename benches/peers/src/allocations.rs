//! Run with `cargo run --release --bin allocations [PART OF A NAME] [--markdown]` in this folder.
//!
//! Counts the allocations of each row for one time. Groups that make none are left out, unless they are asked for.

use std::{env, process::ExitCode};

use allocation_counter::measure;
use tower_request_context_peers::table::{Unit, Wanted, print};

const TIMES: [u32; 2] = [512, 1536];

fn main() -> ExitCode {
    let counted = print(Unit::Allocations, &Wanted::new(env::args().skip(1)), |_, row| {
        (row.run)(1); // what a row makes for the thread is made by now
        let [few, many] = TIMES.map(|times| measure(|| (row.run)(times.into())).count_total);
        #[allow(clippy::cast_precision_loss, reason = "the counts are small")]
        Ok((many - few) as f64 / f64::from(TIMES[1] - TIMES[0]))
    });
    match counted {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
