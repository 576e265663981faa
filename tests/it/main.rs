//! The promises of the crate, a module for each.

mod store;
mod support;
