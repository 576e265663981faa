//! Tables of a figure for each row, and what became of the targets.

use std::error::Error;

use crate::{Group, Limit, Row, Target, groups};

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    Instructions,
    Allocations,
}

/// What is to be printed, as the command line has it: `[PART OF A NAME] [--markdown]`.
#[derive(Debug, Default)]
pub struct Wanted {
    part: String,
    pub markdown: bool,
}

impl Wanted {
    #[must_use]
    pub fn new(arguments: impl IntoIterator<Item = String>) -> Self {
        let mut wanted = Self::default();
        for argument in arguments {
            if argument == "--markdown" { wanted.markdown = true } else { wanted.part = argument }
        }
        wanted
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        name.contains(&self.part)
    }
}

/// Measures the rows that are wanted and prints a table for each group, then the targets.
///
/// # Errors
///
/// Whatever `measure` says, which is given the number of a row among all.
pub fn print(
    unit: Unit,
    wanted: &Wanted,
    mut measure: impl FnMut(usize, Row) -> Result<f64, Box<dyn Error>>,
) -> Result<(), Box<dyn Error>> {
    let (mut number, mut verdicts) = (0, Vec::new());
    for group in groups() {
        let mut figures = Vec::new();
        for &row in group.rows {
            if wanted.has(group.name) || wanted.has(row.name) || (group.floor && figures.is_empty()) {
                figures.push((row.name, measure(number, row)?));
            }
            number += 1;
        }
        if figures.len() > usize::from(group.floor) {
            print_group(unit, wanted, &group, &figures);
            verdicts.extend(group.targets.iter().filter_map(|target| verdict(unit, &group, *target, &figures)));
        }
    }
    print_verdicts(wanted, &verdicts);
    Ok(())
}

fn print_group(unit: Unit, wanted: &Wanted, group: &Group, figures: &[(&str, f64)]) {
    // Rows that allocate nothing, and were not asked for, say nothing.
    if unit == Unit::Allocations && wanted.part.is_empty() && figures.iter().all(|(_, figure)| *figure == 0.0) {
        return;
    }
    let floor = if group.floor { figures[0].1 } else { 0.0 };
    let reference = figures[usize::from(group.floor)].1 - floor;
    let kind = match unit {
        Unit::Instructions => "instructions",
        Unit::Allocations => "allocations",
    };
    if wanted.markdown {
        println!("\n| {} | {kind} | over the floor | × |\n|---|--:|--:|--:|", group.name);
    } else {
        println!("\n{:>12}  {:>8}  {:>6}   {}", kind, "over", "×", group.name);
    }
    for (place, (name, figure)) in figures.iter().enumerate() {
        let over = figure - floor;
        let (over, times) = match (group.floor, place) {
            (true, 0) => (String::new(), String::new()),
            (floored, _) => (
                if floored { format!("{over:.0}") } else { String::new() },
                if reference > 0.0 { format!("{:.2}", over / reference) } else { String::new() },
            ),
        };
        if wanted.markdown {
            println!("| {name} | {figure:.0} | {over} | {times} |");
        } else {
            println!("{figure:>12.0}  {over:>8}  {times:>6}   {name}");
        }
    }
}

/// A target, what became of it, and whether it was met.
type Verdict = (String, String, bool);

fn verdict(unit: Unit, group: &Group, target: Target, figures: &[(&str, f64)]) -> Option<Verdict> {
    let floor = if group.floor { figures[0].1 } else { 0.0 };
    let over = |name| Some(figures.iter().find(|(of, _)| *of == name)?.1 - floor);
    let row = over(target.row)?;
    let (figure, limit, wish) = match (unit, target.at_most) {
        (Unit::Instructions, Limit::Times(limit, of)) => {
            let times = row / over(of)?;
            (format!("{times:.2} ×"), times - limit, format!("≤ {limit:.2} × {of}"))
        }
        (Unit::Instructions, Limit::Instructions(limit)) | (Unit::Allocations, Limit::Allocations(limit)) => {
            (format!("{row:.0}"), row - limit, format!("≤ {limit:.0}"))
        }
        _ => return None,
    };
    let over = if group.floor { format!(" over {}", group.rows[0].name) } else { String::new() };
    // What two digits do not show is no miss.
    Some((format!("{}: {}{over} {wish}", group.name, target.row), figure, limit < 0.005))
}

fn print_verdicts(wanted: &Wanted, verdicts: &[Verdict]) {
    if wanted.markdown {
        println!("\n| target | | |\n|---|--:|---|");
    } else if !verdicts.is_empty() {
        println!("\ntargets");
    }
    for (target, figure, met) in verdicts {
        let met = if *met { "met" } else { "missed" };
        if wanted.markdown {
            let met = if met == "met" { met } else { "**missed**" };
            println!("| {target} | {figure} | {met} |");
        } else {
            println!("{figure:>12}  {met:<6}  {target}");
        }
    }
}
