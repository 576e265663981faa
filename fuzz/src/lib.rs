//! Properties that hold for any input. Each target has a module, whose `check` panics if its property does not hold.
//!
//! The targets in `fuzz_targets` search for inputs that break a property. The tests of the crate check the inputs in
//! `seeds`. An input is text as far as possible, so that a seed can be read and a finding can be edited by hand.

#![forbid(unsafe_code)]

pub mod ids;
pub mod inbound;
mod message;
pub mod propagation;
pub mod trace;
pub mod trusted;
