//! Batches of up to 10,000 concurrent requests, each of which reads its user wherever its code runs.
//!
//! `cargo test` sends 50,000 requests. The full run, which prints its counts:
//!
//! ```text
//! STRESS_REQUESTS=1000000 cargo test --release --test it stress:: -- --nocapture --skip transaction
//! ```
//!
//! The seed is random, and is printed. With `STRESS_SEED` set to it, each request does the same again.

mod counters;
mod plan;
mod request;
mod storages;

use std::{
    hash::{BuildHasher, RandomState},
    panic::resume_unwind,
    sync::Arc,
    time::Instant,
};

use tokio::sync::Barrier;

use self::{
    counters::{Counters, Counts},
    plan::Plan,
    request::send,
    storages::{GLOBAL, LAYER, PER_THREAD, Storage},
};
use crate::support::{User, from_env, in_time};

#[derive(Clone, Copy)]
struct StressRun {
    requests: u32,
    /// The number of requests that wait for each other.
    at_once: u32,
    seed: u64,
    storage: Storage,
}

/// The requests that wait for each other, first in their handlers and then in their bodies.
struct Batch {
    run: StressRun,
    counters: Counters,
    handlers: Barrier,
    bodies: Barrier,
    /// Each store holds a clone.
    alive: Arc<()>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_requests_read_their_own_user_and_end_once() {
    let requests = from_env("STRESS_REQUESTS").unwrap_or(50_000);
    let run = StressRun { requests, at_once: requests.min(10_000), ..StressRun::small(LAYER) };
    let started = Instant::now();
    let (seen, expected) = run.execute().await;
    let details = format!("seed {}, {:.1} s", run.seed, started.elapsed().as_secs_f64());
    println!("{requests} requests, {seen}, {details}");
    assert_eq!(seen, expected, "seed {}", run.seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn detects_mix_ups_of_a_global_and_a_thread_local() {
    for storage in [GLOBAL, PER_THREAD] {
        let run = StressRun::small(storage);
        let (seen, expected) = run.execute().await;
        assert!(seen.mix_ups > u64::from(run.requests), "{seen}, seed {}", run.seed);
        assert_eq!(Counts { mix_ups: 0, first: None, ..seen }, expected, "seed {}", run.seed);
    }
}

impl StressRun {
    fn small(storage: Storage) -> Self {
        let seed = from_env("STRESS_SEED").unwrap_or_else(|| RandomState::new().hash_one("stress"));
        Self { requests: 1000, at_once: 250, seed, storage }
    }

    /// Returns the counts, and the expected counts.
    async fn execute(self) -> (Counts, Counts) {
        let (mut seen, mut expected) = (Counts::default(), Counts::default());
        for first in (0..self.requests).step_by(self.at_once as usize) {
            let users = first..self.requests.min(first + self.at_once);
            seen += in_time(Batch::of(self, users.clone().map(User)).execute(users.clone().map(User))).await;
            expected += self.expected(users.map(User));
        }
        (seen, expected)
    }

    fn plan(self, user: User) -> Plan {
        Plan::draw(self.seed, user)
    }

    fn expected(self, users: impl ExactSizeIterator<Item = User>) -> Counts {
        let in_flight = users.len() as u64;
        let reads = users.map(|user| self.plan(user).reads()).sum();
        Counts { in_flight, reads, ends: in_flight, ..Counts::default() }
    }
}

impl Batch {
    fn of(run: StressRun, users: impl ExactSizeIterator<Item = User>) -> Arc<Self> {
        let handlers = Barrier::new(users.len());
        let bodies = Barrier::new(users.filter(|user| run.plan(*user).has_body()).count());
        Arc::new(Self { run, counters: Counters::default(), handlers, bodies, alive: Arc::default() })
    }

    async fn execute(self: Arc<Self>, users: impl Iterator<Item = User>) -> Counts {
        for (user, task) in send(&self, users) {
            match (task.await, self.run.plan(user).panics()) {
                (Err(error), false) => resume_unwind(error.into_panic()),
                (outcome, panics) => assert_eq!(outcome.is_err(), panics, "{user:?}"),
            }
        }
        self.counters.counts(Arc::strong_count(&self.alive) - 1)
    }
}
