//! Every example, under 64 clients that leave when they like.
//!
//! A visit is a connection, a request that is sent in parts, and its response. Most clients drop it after some number of
//! polls: while they connect, within the head or the body of the request, before the response or within its body.
//! `cargo test` makes some hundred visits to each example. The full run takes ten seconds for each and prints a line:
//!
//! ```text
//! EXAMPLES_SECONDS=10 cargo test examples::load -- --nocapture
//! ```

mod asks;
mod process;
mod visit;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use tokio::time::timeout;

use self::{
    asks::{Ask, asks_of},
    process::Process,
    visit::visit,
};
use super::transaction::bank::polled;
use crate::{
    example::{Example, examples},
    support::{from_env, in_time},
};

const CLIENTS: usize = 64;

/// How many visits each client makes in a half of the short run.
const VISITS: usize = 2;

/// A client that leaves after a number of polls leaves by then at the latest. An event stream may have no more events.
const PATIENCE: Duration = Duration::from_millis(100);

/// More files than an example opens for itself under load, such as a database, and fewer than there are clients.
const FILES: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_example_survives_clients_that_leave_when_they_like() {
    for name in examples().into_keys() {
        let mut serving = Example(&name).serve();
        let (visits, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let load = Arc::new(Load { address: serving.address().await, asks: asks_of(&name), visits, answered });

        let process = Process::find(serving.process_id());
        let open_files = process.as_ref().map_or(0, Process::open_files);
        let mut resident = Vec::new();
        for _half in 0..2 {
            load.half().await;
            if let Some(process) = &process {
                in_time(process.closes_all_but(open_files + FILES)).await;
                resident.push(process.resident_kib());
            }
        }
        let (visits, answered) = (load.visits.load(Relaxed), load.answered.load(Relaxed));
        println!("{name}: {visits} visits, {answered} to the end, resident KiB after each half: {resident:?}");
        if let [first, second] = resident[..] {
            assert!(second < first + first / 4 + 4096, "{name} grows from {first} to {second} KiB");
        }

        load.is_answered().await;
        let (status, [stdout, stderr]) = in_time(serving.interrupt_and_read()).await;
        assert_eq!(status.code(), Some(0), "{name}");
        let panics: Vec<_> = stdout.iter().filter(|line| line.contains("panicked")).collect();
        let complaints: Vec<_> = stderr.iter().filter(|line| !line.starts_with('{')).collect(); // `logging` writes JSON
        assert!(panics.is_empty() && complaints.is_empty(), "{name}: {panics:?} {complaints:?}");
    }
}

struct Load {
    address: SocketAddr,
    asks: &'static [Ask],
    visits: AtomicUsize,
    answered: AtomicUsize,
}

impl Load {
    async fn half(self: &Arc<Self>) {
        let seconds: Option<f64> = from_env("EXAMPLES_SECONDS");
        let until = seconds.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds / 2.0));
        let clients = (0..CLIENTS).map(|_| tokio::spawn(Arc::clone(self).client(until)));
        try_join_all(clients).await.unwrap();
    }

    async fn client(self: Arc<Self>, until: Option<Instant>) {
        let mut visits = 0;
        while until.map_or(visits < VISITS, |until| Instant::now() < until) {
            visits += 1;
            self.next_visit().await;
        }
    }

    /// Each visit takes the next combination of what is asked for, a version of HTTP and a moment to leave.
    async fn next_visit(&self) {
        let number = self.visits.fetch_add(1, Relaxed);
        let ask = &self.asks[number % self.asks.len()];
        let number = number / self.asks.len();
        let version = ask.versions[number % ask.versions.len()];
        let visit = visit(self.address, ask, version);
        let status = match number / ask.versions.len() % 12 {
            10.. if !ask.is_endless() => Some(in_time(visit).await),
            polls => timeout(PATIENCE, polled(polls + 1, visit)).await.unwrap_or_default(),
        };
        if let Some(status) = status {
            ask.check(status);
            self.answered.fetch_add(1, Relaxed);
        }
    }

    async fn is_answered(&self) {
        for ask in self.asks.iter().filter(|ask| !ask.is_endless()) {
            for version in ask.versions {
                ask.check(in_time(visit(self.address, ask, *version)).await);
            }
        }
    }
}
