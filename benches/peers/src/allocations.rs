//! Counts the allocations of each row, for one repetition. Omits groups that allocate nothing, unless the command line names
//! them.
//!
//! Run with `cargo run --release --bin allocations [PART OF A NAME] [--markdown]` in this folder.

use std::{env, process::ExitCode};

use allocation_counter::measure;
use tower_request_context_peers::table::{Arguments, Unit, print};

const REPETITIONS: [u32; 2] = [512, 1536];

fn main() -> ExitCode {
    let result = print(Unit::Allocations, &Arguments::new(env::args().skip(1)), |_, row| {
        (row.run)(1); // makes the allocations that a row makes once per thread or process
        let [few, many] = REPETITIONS.map(|n| measure(|| (row.run)(n.into())).count_total);
        #[allow(clippy::cast_precision_loss, reason = "the counts are small")]
        Ok((many - few) as f64 / f64::from(REPETITIONS[1] - REPETITIONS[0]))
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
