//! The promises of the crate, a module for each.

#![allow(clippy::unwrap_used, reason = "a test, and what helps it, may panic")]

mod layer;
mod nesting;
mod reach;
mod reentrancy;
mod scope;
mod seeds;
mod store;
mod support;
mod ui;
