//! Requests over real sockets to hyper-util's server, from clients that share connections, disconnect or do not read.
//!
//! A tracker knows how each request should end. When a test ends, each request has reported that end once and as its
//! user, and no store is alive, although the server still runs. `cargo test` sends 4,000 requests. In the full run,
//! each test prints its share:
//!
//! ```text
//! SOCKETS_REQUESTS=100000 cargo test --release --test it sockets:: -- --nocapture --skip websockets
//! ```

mod keep_alive;
mod leaving;
mod server;
mod slow;
mod streams;
mod tracker;

use crate::support::from_env;

/// Returns this percentage of the number of requests.
fn share(percent: u32) -> u32 {
    let all = from_env("SOCKETS_REQUESTS").unwrap_or(4000);
    assert_eq!(all % 1000, 0, "the number of requests must be a multiple of 1000");
    all / 100 * percent
}
