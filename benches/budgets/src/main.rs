//! Run with `cargo run --release` in this folder; needs valgrind. Fails where a row takes more instructions than its budget
//! in `budgets.toml` allows.
//!
//! `cargo run --release -- --record` writes the figures of this run there, and a budget for each: the figure and 5 % or 40
//! instructions, whichever is more. `--markdown` prints the table as Markdown.

mod callgrind;

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, process::ExitCode};

use tower_request_context_budgets::{ROWS, Row};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budgets.toml");

/// Of each row its `budget`, and the `figure` that was recorded with it.
type Budgets = BTreeMap<String, BTreeMap<String, u64>>;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let done = match *arguments {
        [] => check(false),
        ["--markdown"] => check(true),
        ["--record"] => record(),
        [row, part, times] => run(row, part, times),
        _ => Err("give `--record`, `--markdown` or nothing".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind is given: a row or what it is over, so many times.
fn run(row: &str, part: &str, times: &str) -> Result<(), Box<dyn Error>> {
    let &(_, row, over) = ROWS.get(row.parse::<usize>()?).ok_or("there is no such row")?;
    let run = if part == "over" { over.ok_or("the row is over nothing")? } else { row };
    run(times.parse()?);
    Ok(())
}

/// Checks all rows, and then fails if one is past its budget.
fn check(markdown: bool) -> Result<(), Box<dyn Error>> {
    let budgets: Budgets = toml::from_str(&fs::read_to_string(FILE).map_err(|error| format!("{FILE}: {error}"))?)?;
    println!("{}", if markdown { "\n| | instructions | budget | |\n|---|--:|--:|---|" } else { " figure  budget" });
    let mut past = 0;
    for (number, row) in ROWS.iter().enumerate() {
        let budget = budgets.get(row.0).and_then(|of_row| of_row.get("budget"));
        let budget = *budget.ok_or_else(|| format!("budgets.toml has no budget for `{}`: --record sets one", row.0))?;
        let figure = measure(number, *row)?;
        let met = figure <= budget;
        past += u32::from(!met);
        if markdown {
            println!("| {} | {figure} | {budget} | {} |", row.0, if met { "met" } else { "**past it**" });
        } else {
            println!("{figure:>7}  {budget:>6}  {}{}", row.0, if met { "" } else { ": PAST ITS BUDGET" });
        }
    }
    match past {
        0 => Ok(()),
        _ => Err(format!("{past} past the budget: make them cheaper or, where it is worth that, --record the figures")
            .into()),
    }
}

fn record() -> Result<(), Box<dyn Error>> {
    let mut file =
        String::from("# Instructions, of the run that `--record` made. A budget is the figure and some slack.\n");
    for (number, row) in ROWS.iter().enumerate() {
        let figure = measure(number, *row)?;
        let budget = figure + (figure / 20).max(40);
        println!("{figure:>7}  {budget:>6}  {}", row.0);
        write!(file, "\n[\"{}\"]\nbudget = {budget}\nfigure = {figure}\n", row.0)?;
    }
    Ok(fs::write(FILE, file)?)
}

/// The instructions of a row, less those of what it is over.
fn measure(number: usize, (_, _, over): Row) -> Result<u64, Box<dyn Error>> {
    let part = |part: &str| callgrind::instructions(&[number.to_string(), part.to_owned()], None);
    let figure = part("row")? - if over.is_some() { part("over")? } else { 0.0 };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is a count")]
    Ok(figure.round().max(0.0) as u64)
}
