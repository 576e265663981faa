//! Run with `cargo run --release [PART OF A NAME] [--markdown]` in this folder; needs valgrind.
//!
//! Counts the instructions that each row takes for one time, and sets them beside those of its group.

mod stages;

#[path = "../../../budgets/src/callgrind.rs"]
mod callgrind;

use std::{env, error::Error, process::ExitCode};

use tower_request_context_peers::{
    groups,
    stages::SERVICES,
    table::{Unit, Wanted, print},
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match &*arguments {
        [rows, row, times] => run(rows, row, times),
        arguments => compare(&Wanted::new(arguments.to_vec())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind is given: a row, so many times.
fn run(rows: &str, row: &str, times: &str) -> Result<(), Box<dyn Error>> {
    let rows = match rows {
        "stages" => SERVICES.to_vec(),
        _ => groups().into_iter().flat_map(|group| group.rows).copied().collect(),
    };
    let row = rows.get(row.parse::<usize>()?).ok_or("there is no such row")?;
    (row.run)(times.parse()?);
    Ok(())
}

fn compare(wanted: &Wanted) -> Result<(), Box<dyn Error>> {
    stages::print(wanted)?;
    print(Unit::Instructions, wanted, |row, _| callgrind::instructions(&["rows".into(), row.to_string()], None))
}
