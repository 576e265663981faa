//! The examples, driven over sockets as their readers would.

#![allow(clippy::duplicate_mod, reason = "every example brings what it shares with the others")]

mod auth;
mod cats;
mod fastify;
mod grpc;
mod hyper;
pub(crate) mod identity;
#[cfg(unix)] // it sends a signal
mod interrupted;
mod jobs;
#[cfg(target_os = "linux")] // it reads `/proc`
mod load;
mod logging;
mod mixed_routes;
mod programs;
mod sse_and_websocket;
mod transaction;
