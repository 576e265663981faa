//! The promises of the crate, a module for each.

mod layer;
mod nesting;
mod reentrancy;
mod scope;
mod store;
mod support;
mod ui;
