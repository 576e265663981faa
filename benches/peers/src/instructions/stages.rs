//! The table of the cost of each stage of a request.

use std::error::Error;

use tower_request_context_peers::{
    stages::{SERVICES, STAGES},
    table::Arguments,
};

use crate::callgrind;

const NAME: &str = "an empty layer, stage by stage";

pub(crate) fn print(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    if !arguments.select(NAME) {
        return Ok(());
    }
    let names: Vec<_> = SERVICES.iter().map(|service| service.name).collect();
    if arguments.markdown {
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
        print_line(arguments, stage, &figures);
    }
    print_line(arguments, "sum", &sums);
    Ok(())
}

/// Prints the baseline, and what each of the other services adds to it.
fn print_line(arguments: &Arguments, stage: &str, figures: &[f64]) {
    let baseline = figures[0];
    let over = figures[1..].iter().map(|figure| figure - baseline);
    if arguments.markdown {
        let over: Vec<_> = over.map(|over| format!("{over:+.0}")).collect();
        println!("| {stage} | {baseline:.0} | {} |", over.join(" | "));
    } else {
        let over: Vec<_> = over.map(|over| format!("{over:>+7.0}")).collect();
        println!("{baseline:>8.0}  {}   {stage}", over.join("  "));
    }
}
