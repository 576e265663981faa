//! Counts the instructions of each row, for one repetition, and compares the rows of each group.
//!
//! Run with `cargo run --release [PART OF A NAME] [--markdown]` in this folder. Needs valgrind.

mod stages;

#[path = "../../../budgets/src/callgrind.rs"]
mod callgrind;

use std::{env, error::Error, process::ExitCode};

use tower_request_context_peers::{
    groups,
    stages::SERVICES,
    table::{Arguments, Unit, print},
};

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let result = match &*arguments {
        [rows, row, n] => run(rows, row, n),
        arguments => compare(&Arguments::new(arguments.to_vec())),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Repeats a row `n` times. The parent process runs this under callgrind.
fn run(rows: &str, row: &str, n: &str) -> Result<(), Box<dyn Error>> {
    let rows = match rows {
        "stages" => SERVICES.to_vec(),
        _ => groups().into_iter().flat_map(|group| group.rows).copied().collect(),
    };
    let row = rows.get(row.parse::<usize>()?).ok_or("no row has this number")?;
    (row.run)(n.parse()?);
    Ok(())
}

fn compare(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    stages::print(arguments)?;
    print(Unit::Instructions, arguments, |row, _| callgrind::instructions(&["rows".into(), row.to_string()], None))
}
