//! Run with `cargo run --release [PART OF A NAME]` in this folder; needs valgrind.
//!
//! Counts the instructions that each row takes for one time, which is the slope between two numbers of times, and sets
//! them beside those of the first row of its group. What the machine is doing meanwhile makes no difference.

use std::{
    env,
    error::Error,
    process::{Command, ExitCode},
};

use tower_request_context_peers::{Row, rows};

const TIMES: [u64; 2] = [500, 1500];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let done = match &*arguments {
        [row, times] => run(row, times),
        [part] => compare(part),
        [] => compare(""),
        _ => Err("give a part of a row's name or of its group's, or nothing".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What valgrind is given: one row, so many times.
fn run(row: &str, times: &str) -> Result<(), Box<dyn Error>> {
    let row = rows().get(row.parse::<usize>()?).copied().ok_or("there is no such row")?;
    (row.run)(times.parse()?);
    Ok(())
}

fn compare(part: &str) -> Result<(), Box<dyn Error>> {
    let mut group = ("", 0);
    for (number, row) in rows().into_iter().enumerate() {
        let Row { group: of, name, .. } = row;
        if !(of.contains(part) || name.contains(part)) {
            continue;
        }
        let [few, many] = [count(number, TIMES[0])?, count(number, TIMES[1])?];
        let each = many.saturating_sub(few) / (TIMES[1] - TIMES[0]);
        if of != group.0 {
            group = (of, each.max(1));
            println!("\n{of}");
        }
        #[allow(clippy::cast_precision_loss, reason = "the counts are small")]
        let ratio = each as f64 / group.1 as f64;
        println!("{each:>8}  {ratio:>6.2} ×  {name}");
    }
    Ok(())
}

/// All instructions of the program, which callgrind says last.
fn count(row: usize, times: u64) -> Result<u64, Box<dyn Error>> {
    let callgrind = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(env::current_exe()?)
        .args([row.to_string(), times.to_string()])
        .output()
        .map_err(|error| format!("valgrind does not start: {error}"))?;
    let said = String::from_utf8(callgrind.stderr)?;
    let total = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    Ok(total.ok_or_else(|| format!("callgrind counted nothing: {said}"))?)
}
