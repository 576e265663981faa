//! Counts the instructions of each row, and fails if one exceeds its budget in `budgets.toml`.
//!
//! Run with `cargo run --release` in this folder. Needs valgrind. `--record` writes the figures of this run to
//! `budgets.toml`, each with a new budget: the figure plus 5 % or 40 instructions, whichever is more. `--markdown` prints the
//! table as Markdown.

mod callgrind;

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, process::ExitCode};

use tower_request_context_budgets::{ROWS, Row};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.toml");

/// The `budget` of each row, and the `figure` from which it was computed.
type Budgets = BTreeMap<String, BTreeMap<String, u64>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let result = match *arguments {
        [] => check(false),
        ["--markdown"] => check(true),
        ["--record"] => record(),
        [row, part, n] => run(row, part, n),
        _ => Err("usage: budgets [--record | --markdown]".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Repeats a row or its baseline `n` times. The parent process runs this under callgrind.
fn run(row: &str, part: &str, n: &str) -> Result<(), Box<dyn Error>> {
    let &(_, row, baseline) = ROWS.get(row.parse::<usize>()?).ok_or("no row has this number")?;
    let run = if part == "baseline" { baseline.ok_or("the row has no baseline")? } else { row };
    run(n.parse()?);
    Ok(())
}

/// Checks all rows, then fails if one exceeds its budget.
fn check(markdown: bool) -> Result<(), Box<dyn Error>> {
    let budgets: Budgets = toml::from_str(&fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?)?;
    println!(
        "{}",
        if markdown {
            "\n| operation | instructions | budget | result |\n|---|--:|--:|---|"
        } else {
            " figure  budget"
        }
    );
    let mut exceeded = 0;
    for (number, row) in ROWS.iter().enumerate() {
        let budget = budgets.get(row.0).and_then(|of_row| of_row.get("budget"));
        let budget =
            *budget.ok_or_else(|| format!("budgets.toml has no budget for `{}`: record one with --record", row.0))?;
        let figure = measure(number, *row)?;
        let met = figure <= budget;
        exceeded += u32::from(!met);
        if markdown {
            println!("| {} | {figure} | {budget} | {} |", row.0, if met { "met" } else { "**exceeded**" });
        } else {
            println!("{figure:>7}  {budget:>6}  {}{}", row.0, if met { "" } else { ": BUDGET EXCEEDED" });
        }
    }
    match exceeded {
        0 => Ok(()),
        _ => Err(format!("{exceeded} rows exceed their budget: reduce the cost, or accept it with --record").into()),
    }
}

fn record() -> Result<(), Box<dyn Error>> {
    let mut file =
        String::from("# Instructions per repetition, written by `--record`. A budget is the figure plus some slack.\n");
    for (number, row) in ROWS.iter().enumerate() {
        let figure = measure(number, *row)?;
        let budget = figure + (figure / 20).max(40);
        println!("{figure:>7}  {budget:>6}  {}", row.0);
        write!(file, "\n[\"{}\"]\nbudget = {budget}\nfigure = {figure}\n", row.0)?;
    }
    Ok(fs::write(FILE, file)?)
}

/// Returns the instructions of a row, less those of its baseline.
fn measure(number: usize, (_, _, baseline): Row) -> Result<u64, Box<dyn Error>> {
    let part = |part: &str| callgrind::instructions(&[number.to_string(), part.to_owned()], None);
    let figure = part("row")? - if baseline.is_some() { part("baseline")? } else { 0.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the figure is a count")]
    Ok(figure.round().max(0.0) as u64)
}
