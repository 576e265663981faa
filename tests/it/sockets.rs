//! Requests over real sockets, to hyper-util's server, from clients that share connections, leave early or do not read.
//!
//! Each is entered in a ledger with the end that it is to have. When all is over, each was told that end, once and as its
//! user, and no store is alive; nothing was shut down for it. `cargo test` sends 4,000. The full run, each test of which
//! prints its share:
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

/// So much of all requests.
fn share(percent: u32) -> u32 {
    let all = from_env("SOCKETS_REQUESTS").unwrap_or(4000);
    assert_eq!(all % 1000, 0, "only thousands can be shared out");
    all / 100 * percent
}
