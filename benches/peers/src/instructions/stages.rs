//! The table of what each stage of a request takes.

use std::error::Error;

use tower_request_context_peers::{
    stages::{SERVICES, STAGES},
    table::Wanted,
};

use crate::callgrind;

const NAME: &str = "an empty layer, stage by stage";

pub(crate) fn print(wanted: &Wanted) -> Result<(), Box<dyn Error>> {
    if !wanted.has(NAME) {
        return Ok(());
    }
    let names: Vec<_> = SERVICES.iter().map(|service| service.name).collect();
    if wanted.markdown {
        println!("\n| {NAME} | {} |\n|---|{}", names.join(" | "), "--:|".repeat(names.len()));
    } else {
        println!("\n{NAME}: {}", names.join(" | "));
    }
    let mut sums = vec![0.0; SERVICES.len()];
    for (stage, function) in STAGES {
        let mut figures = Vec::new();
        for (service, sum) in sums.iter_mut().enumerate() {
            let figure = callgrind::instructions(&["stages".into(), service.to_string()], Some(function))?;
            *sum += figure;
            figures.push(figure);
        }
        print_line(wanted, stage, &figures);
    }
    print_line(wanted, "all of them", &sums);
    Ok(())
}

/// The floor, and what the others take more.
fn print_line(wanted: &Wanted, stage: &str, figures: &[f64]) {
    let floor = figures[0];
    let over = figures[1..].iter().map(|figure| figure - floor);
    if wanted.markdown {
        let over: Vec<_> = over.map(|over| format!("{over:+.0}")).collect();
        println!("| {stage} | {floor:.0} | {} |", over.join(" | "));
    } else {
        let over: Vec<_> = over.map(|over| format!("{over:>+7.0}")).collect();
        println!("{floor:>8.0}  {}   {stage}", over.join("  "));
    }
}
