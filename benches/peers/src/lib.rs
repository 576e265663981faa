//! What is measured: rows in groups, each a function that does one thing `n` times.
//!
//! `src/instructions.rs` counts the instructions of each, `benches/time.rs` takes their time.

#![forbid(unsafe_code)]

mod rows;

pub use rows::rows;

/// One thing that is measured.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What is compared. The first row of a group is the one that the others are measured by.
    pub group: &'static str,
    pub name: &'static str,
    /// Does it so many times. What it costs to get there is the same for any number.
    pub run: fn(u64),
}
