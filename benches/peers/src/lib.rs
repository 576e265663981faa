//! The operations to measure: groups of rows. Each row is a function that repeats one operation `n` times.
//!
//! `src/instructions` counts the instructions of each row, `src/allocations.rs` its allocations, and `benches/time.rs`
//! measures its time. Other kinds of measurement have a binary each: `src/readers.rs`, `src/memory.rs`, `src/end_to_end`.

#![forbid(unsafe_code)]

pub mod ratios;
mod rows;
pub mod table;

pub use rows::{groups, stages, ways};

/// Rows to compare with each other.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub name: &'static str,
    /// Whether the first row is a baseline, which is subtracted from the others.
    pub baseline: bool,
    /// The first row, or the first after the baseline, is the reference of the ratios.
    pub rows: &'static [Row],
    pub targets: &'static [Target],
}

/// One operation to measure.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub name: &'static str,
    /// Repeats the operation `n` times. The cost of its preparation does not depend on `n`.
    pub run: fn(u64),
}

impl Row {
    const fn new(name: &'static str, run: fn(u64)) -> Self {
        Self { name, run }
    }
}

/// A limit for the figure of a row, less the baseline.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub row: &'static str,
    pub limit: Limit,
}

#[derive(Clone, Copy, Debug)]
pub enum Limit {
    Instructions(f64),
    Allocations(f64),
    /// A multiple of the instructions of another row.
    Times(f64, &'static str),
}

impl Target {
    const fn instructions(row: &'static str, limit: f64) -> Self {
        Self { row, limit: Limit::Instructions(limit) }
    }

    const fn allocations(row: &'static str, limit: f64) -> Self {
        Self { row, limit: Limit::Allocations(limit) }
    }

    const fn times(row: &'static str, limit: f64, of: &'static str) -> Self {
        Self { row, limit: Limit::Times(limit, of) }
    }
}
