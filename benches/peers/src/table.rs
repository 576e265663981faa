//! Prints tables with a figure for each row, and whether the targets are met.

use std::error::Error;

use crate::{Group, Limit, Row, Target, groups};

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    Instructions,
    Allocations,
}

/// The arguments of the command line: `[PART OF A NAME] [--markdown]`.
#[derive(Debug, Default)]
pub struct Arguments {
    part: String,
    pub markdown: bool,
}

impl Arguments {
    #[must_use]
    pub fn new(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut parsed = Self::default();
        for argument in arguments {
            if argument == "--markdown" { parsed.markdown = true } else { parsed.part = argument }
        }
        parsed
    }

    /// Returns whether a group or row of this name is to be printed.
    #[must_use]
    pub fn select(&self, name: &str) -> bool {
        name.contains(&self.part)
    }
}

/// Measures the selected rows, and prints a table for each group, then the targets.
///
/// Calls `measure` with the number of the row among all rows.
///
/// # Errors
///
/// Returns the error of `measure`.
pub fn print(
    unit: Unit,
    arguments: &Arguments,
    mut measure: impl FnMut(usize, Row) -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (mut number, mut results) = (0, Vec::new());
    for group in groups() {
        let mut figures = Vec::new();
        for &row in group.rows {
            if arguments.select(group.name) || arguments.select(row.name) || (group.baseline && figures.is_empty()) {
                figures.push((row.name, measure(number, row)?));
            }
            number += 1;
        }
        if figures.len() > usize::from(group.baseline) {
            print_group(unit, arguments, &group, &figures);
            results.extend(group.targets.iter().filter_map(|target| check(unit, &group, *target, &figures)));
        }
    }
    print_targets(arguments, &results);
    Ok(())
}

fn print_group(unit: Unit, arguments: &Arguments, group: &Group, figures: &[(&str, f64)]) {
    // Omitted unless the command line names it: no row of the group allocates.
    if unit == Unit::Allocations && arguments.part.is_empty() && figures.iter().all(|(_, figure)| *figure == 0.0) {
        return;
    }
    let baseline = if group.baseline { figures[0].1 } else { 0.0 };
    let reference = figures[usize::from(group.baseline)].1 - baseline;
    let kind = match unit {
        Unit::Instructions => "instructions",
        Unit::Allocations => "allocations",
    };
    if arguments.markdown {
        println!("\n| {} | {kind} | over the baseline | × |\n|---|--:|--:|--:|", group.name);
    } else {
        println!("\n{:>12}  {:>8}  {:>6}   {}", kind, "over", "×", group.name);
    }
    for (place, (name, figure)) in figures.iter().enumerate() {
        let over = figure - baseline;
        let (over, times) = match (group.baseline, place) {
            (true, 0) => (String::new(), String::new()),
            (has_baseline, _) => (
                if has_baseline { format!("{over:.0}") } else { String::new() },
                if reference > 0.0 { format!("{:.2}", over / reference) } else { String::new() },
            ),
        };
        if arguments.markdown {
            println!("| {name} | {figure:.0} | {over} | {times} |");
        } else {
            println!("{figure:>12.0}  {over:>8}  {times:>6}   {name}");
        }
    }
}

/// A target, the figure, and whether it meets the target.
type TargetResult = (String, String, bool);

fn check(unit: Unit, group: &Group, target: Target, figures: &[(&str, f64)]) -> Option<TargetResult> {
    let baseline = if group.baseline { figures[0].1 } else { 0.0 };
    let over = |name| Some(figures.iter().find(|(of, _)| *of == name)?.1 - baseline);
    let row = over(target.row)?;
    let (figure, excess, limit) = match (unit, target.limit) {
        (Unit::Instructions, Limit::Times(limit, of)) => {
            let times = row / over(of)?;
            (format!("{times:.2} ×"), times - limit, format!("≤ {limit:.2} × {of}"))
        }
        (Unit::Instructions, Limit::Instructions(limit)) | (Unit::Allocations, Limit::Allocations(limit)) => {
            (format!("{row:.0}"), row - limit, format!("≤ {limit:.0}"))
        }
        _ => return None,
    };
    // A difference that two digits do not show counts as met.
    Some((format!("{}: {} {limit}", group.name, target.row), figure, excess < 0.005))
}

fn print_targets(arguments: &Arguments, results: &[TargetResult]) {
    if results.is_empty() {
        return;
    }
    if arguments.markdown {
        println!("\n| target | measured | result |\n|---|--:|---|");
    } else {
        println!("\ntargets");
    }
    for (target, figure, met) in results {
        let met = if *met { "met" } else { "missed" };
        if arguments.markdown {
            let met = if met == "met" { met } else { "**missed**" };
            println!("| {target} | {figure} | {met} |");
        } else {
            println!("{figure:>12}  {met:<6}  {target}");
        }
    }
}
