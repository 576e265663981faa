//! Contexts of other libraries, registered with `Store::on_enter`, are current wherever the request's context is.
//!
//! Tested with real sockets, HTTP/1.1, HTTP/2 and gRPC, and 200 overlapping requests.

mod opentelemetry;
mod requests;
mod sentry;
mod tracing;

use std::{collections::BTreeMap, sync::Mutex};

use http::Version;
use tower_request_context::Store;

/// A library that keeps a context current on a thread.
trait Partner: Clone + Send + Sync + 'static {
    /// Registers the context of a request with this library.
    fn register(&self, store: &mut Store, request: u32);

    /// Returns the request whose context is current in this library. This should be `expected`.
    fn current(&self, expected: Option<u32>) -> Option<u32>;

    /// Prepares a thread of the server or the client.
    fn start_thread(&self) {}
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Http(Version),
    Grpc,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Http(Version::HTTP_11), Self::Http(Version::HTTP_2), Self::Grpc];
}

/// Counts the places where code ran, and records where the wrong context was current.
#[derive(Default)]
struct Observations {
    /// How often code ran in each place.
    counts: Mutex<BTreeMap<String, usize>>,
    /// The places where the wrong context was current.
    mismatches: Mutex<Vec<String>>,
}

impl Observations {
    fn record(&self, place: &str, expected: Option<u32>, current: Option<u32>) {
        *self.counts.lock().unwrap().entry(String::from(place)).or_default() += 1;
        if current != expected {
            self.mismatches.lock().unwrap().push(format!("{place}: {current:?} instead of {expected:?}"));
        }
    }
}
