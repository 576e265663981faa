//! What holds for any bytes that a stranger sends: a module for each target, whose `check` panics where it does not.
//!
//! The targets in `fuzz_targets` look for such bytes, and the tests of the crate hold the same for those in `seeds`. An
//! input is text, as far as it can be, so that a seed can be read and a finding mended by hand.

#![forbid(unsafe_code)]

pub mod ids;
pub mod inbound;
mod message;
pub mod propagation;
pub mod trace;
