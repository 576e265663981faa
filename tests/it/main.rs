//! Tests of the crate's promises through its public API, with one module per promise.
//!
//! A comment with a letter and a number says where a test comes from. `F` is a kind of fault that other systems had, and
//! `E` a case in which such a fault appears. The other letters are those of `seeds`. There, and in
//! `examples/defaults.rs`, `F` is @fastify/request-context instead.

#![cfg(test)] // so that clippy allows `unwrap` in helper functions too

mod allocations;
mod auto_traits;
mod availability;
mod bind;
mod callbacks;
mod cancellation;
mod capture;
mod current;
mod cve;
mod docs;
mod end_to_end;
mod ends;
mod example;
mod examples;
mod expect;
mod features;
mod fuzz;
mod header_names;
mod interleaving;
mod layer;
mod memoization;
mod memory;
mod model;
mod nesting;
mod on_enter;
mod partners;
mod picture;
mod propagation;
mod quickstart;
mod readme;
mod recipes;
mod recorder;
mod reentrancy;
mod request_ids;
mod run;
mod scope;
mod seeds;
mod sockets;
mod stack;
mod store;
mod streams;
mod stress;
mod support;
mod two_services;
mod with_axum;
mod with_buffer;
mod with_hyper;
mod with_tonic;
mod with_tower_http;
