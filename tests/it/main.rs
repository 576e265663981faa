//! The promises of the crate, a module for each.

#![cfg(test)] // lets clippy see that helpers, too, may `unwrap`

mod allocations;
mod auto_traits;
mod bind;
mod callbacks;
mod cancellation;
mod capture;
mod cve;
mod ends;
mod example;
mod examples;
mod expect;
mod features;
mod fuzz;
mod hops;
mod layer;
mod lockstep;
mod memoisation;
mod memory;
mod model;
mod nesting;
mod on_enter;
mod partners;
mod propagation;
mod quickstart;
mod reach;
mod readme;
mod reentrancy;
mod request_ids;
mod run;
mod scope;
mod seeds;
mod sockets;
mod store;
mod storm;
mod streams;
mod support;
mod two_services;
mod with_axum;
mod with_buffer;
mod with_hyper;
mod with_tonic;
mod with_tower_http;
mod witness;
