//! The behavior of the examples, over sockets.

#![allow(clippy::duplicate_mod, reason = "every example includes the module `shared`")]

mod auth;
mod cats;
mod defaults;
mod grpc;
mod hello;
mod hyper;
pub(crate) mod identity;
#[cfg(unix)] // it sends a signal
mod interrupted;
mod jobs;
#[cfg(target_os = "linux")] // it reads `/proc`
mod load;
mod logging;
mod nested_routers;
mod programs;
mod sse_and_websocket;
mod transaction;
