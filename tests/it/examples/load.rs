//! Every example, under 64 clients that cancel requests at any point.
//!
//! Each request has a connection of its own and is sent in parts. Most clients stop after some number of polls: while
//! they connect, within the headers or the body of the request, before the response or within its body. Some responses
//! are complete before that. `cargo test` sends some hundred requests to each example. The full run takes ten seconds
//! for each and prints a line:
//!
//! ```text
//! EXAMPLES_SECONDS=10 cargo test examples::load -- --nocapture
//! ```

mod client;
mod process;
mod requests;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use http::Version;
use tokio::time::timeout;

use self::{
    client::send,
    process::Process,
    requests::{TestRequest, requests_to},
};
use super::transaction::bank::poll_at_most;
use crate::{
    example::{Example, demos},
    support::{PATIENCE, from_env, in_time},
};

const CLIENTS: usize = 64;

/// The number of requests that each client sends in a half of the short run.
const REQUESTS_PER_CLIENT: usize = 2;

/// The time after which a client cancels a request that it has not polled often enough: an event stream may have no more
/// events.
const CANCEL_AFTER: Duration = Duration::from_millis(100);

/// More files than an example opens for itself under load, such as a database, and fewer than there are clients.
const OWN_FILES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_survives_clients_that_cancel_at_any_point() {
    for name in demos() {
        let mut serving = Example(&name).serve();
        let address = serving.address().await;
        let (sent, completed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let load = Arc::new(Load { requests: requests_to(&name), name: name.clone(), address, sent, completed });

        let process = Process::find(serving.process_id());
        let open_files = process.as_ref().map_or(0, Process::open_files);
        let mut resident = Vec::new();
        for _half in 0..2 {
            load.run_half().await;
            if let Some(process) = &process {
                in_time(process.wait_for_open_files(open_files + OWN_FILES)).await;
                resident.push(process.resident_kib());
            }
        }
        let (sent, completed) = (load.sent.load(Relaxed), load.completed.load(Relaxed));
        println!("{name}: {sent} requests, {completed} completed, resident KiB after each half: {resident:?}");
        if let [first, second] = resident[..] {
            assert!(second < first + first / 4 + 4096, "{name} grows from {first} to {second} KiB");
        }

        load.assert_all_complete().await;
        let (status, [stdout, stderr]) = in_time(serving.interrupt_and_read()).await;
        assert_eq!(status.code(), Some(0), "{name}");
        let panics: Vec<_> = stdout.iter().filter(|line| line.contains("panicked")).collect();
        let errors: Vec<_> = stderr.iter().filter(|line| !line.starts_with('{')).collect(); // `logging` writes JSON
        assert!(panics.is_empty() && errors.is_empty(), "{name}: {panics:?} {errors:?}");
    }
}

/// The load on one example. Errors are messages that name the example and the request.
struct Load {
    name: String,
    address: SocketAddr,
    requests: &'static [TestRequest],
    sent: AtomicUsize,
    completed: AtomicUsize,
}

impl Load {
    async fn run_half(self: &Arc<Self>) {
        let seconds: Option<f64> = from_env("EXAMPLES_SECONDS");
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds / 2.0));
        let clients = (0..CLIENTS).map(|_| tokio::spawn(Arc::clone(self).run_client(until)));
        let results = try_join_all(clients).await.unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let errors: Vec<_> = results.into_iter().filter_map(Result::err).collect();
        assert!(errors.is_empty(), "{} clients failed:\n{}", errors.len(), errors.join("\n"));
    }

    async fn run_client(self: Arc<Self>, until: Option<Instant>) -> Result<(), String> {
        let mut sent = 0;
        while until.map_or(sent < REQUESTS_PER_CLIENT, |until| Instant::now() < until) {
            sent += 1;
            self.send_next().await?;
        }
        Ok(())
    }

    /// Sends the next combination of a request, a version of HTTP and a number of polls after which it is cancelled.
    async fn send_next(&self) -> Result<(), String> {
        let number = self.sent.fetch_add(1, Relaxed);
        let request = &self.requests[number % self.requests.len()];
        let number = number / self.requests.len();
        let version = request.versions[number % request.versions.len()];
        let response = match number / request.versions.len() % 12 {
            10.. if !request.is_endless => Some(self.complete(request, version).await?),
            polls => {
                let polled = poll_at_most(polls + 1, send(self.address, request, version));
                let response = timeout(CANCEL_AFTER, polled).await.unwrap_or_default().transpose();
                response.map_err(|error| self.message(request, version, &error.to_string()))?
            }
        };
        if let Some(status) = response {
            self.check(request, version, status)?;
            self.completed.fetch_add(1, Relaxed);
        }
        Ok(())
    }

    async fn assert_all_complete(&self) {
        for request in self.requests.iter().filter(|request| !request.is_endless) {
            for &version in request.versions {
                let status = self.complete(request, version).await;
                status
                    .and_then(|status| self.check(request, version, status))
                    .unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }

    async fn complete(&self, request: &TestRequest, version: Version) -> Result<u16, String> {
        let response = timeout(PATIENCE, send(self.address, request, version)).await;
        let response = response.map_err(|_| self.message(request, version, "no complete response in time"))?;
        response.map_err(|error| self.message(request, version, &error.to_string()))
    }

    fn check(&self, request: &TestRequest, version: Version, status: u16) -> Result<(), String> {
        if request.statuses.contains(&status) {
            return Ok(());
        }
        Err(self.message(request, version, &format!("unexpected status {status}")))
    }

    fn message(&self, request: &TestRequest, version: Version, error: &str) -> String {
        format!("{}: {} {} over {version:?}: {error}", self.name, request.method, request.path)
    }
}
