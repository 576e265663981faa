//! What is measured: groups of rows, each a function that does one thing `n` times.
//!
//! `src/instructions` counts the instructions of each, `src/allocations.rs` their allocations, `benches/time.rs` takes their
//! time. What is not one thing done `n` times has a binary of its own: `src/readers.rs`, `src/memory.rs`, `src/end_to_end`.

#![forbid(unsafe_code)]

pub mod ratios;
mod rows;
pub mod table;

pub use rows::{app_with_context, app_without, groups, stages};

/// What is compared.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub name: &'static str,
    /// Whether the first row is what there would be anyway, and is taken off the others.
    pub floor: bool,
    /// The first of them, or the first above the floor, is the one that the others are divided by.
    pub rows: &'static [Row],
    pub targets: &'static [Target],
}

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// Does it so many times. What it costs to get there is the same for any number.
    pub run: fn(u64),
}

impl Row {
    const fn new(name: &'static str, run: fn(u64)) -> Self {
        Self { name, run }
    }
}

/// What a row should come to, less the floor.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub row: &'static str,
    pub at_most: Limit,
}

#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Instructions(f64),
    Allocations(f64),
    /// So many times the instructions of another row.
    Times(f64, &'static str),
}

impl Target {
    const fn instructions(row: &'static str, at_most: f64) -> Self {
        Self { row, at_most: Limit::Instructions(at_most) }
    }

    const fn allocations(row: &'static str, at_most: f64) -> Self {
        Self { row, at_most: Limit::Allocations(at_most) }
    }

    const fn times(row: &'static str, at_most: f64, of: &'static str) -> Self {
        Self { row, at_most: Limit::Times(at_most, of) }
    }
}
