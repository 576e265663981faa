//! A storm: waves of requests, 10,000 of them parked at the same moment, each of which reads who it is wherever it runs.
//!
//! `cargo test` sends 50,000. The full run, which prints what it counted:
//!
//! ```text
//! STRESS_REQUESTS=1000000 cargo test --release --test it stress:: -- --nocapture --skip transaction
//! ```
//!
//! Its seed is drawn and printed; with `STRESS_SEED` set to it, each request does the same again.

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
    counters::{Counts, Tally},
    plan::Script,
    request::send,
    storages::{Carrier, GLOBAL, LAYER, PER_THREAD},
};
use crate::support::{User, from_env, in_time};

#[derive(Clone, Copy)]
struct Storm {
    requests: u32,
    /// How many have to be in flight before any of them goes on.
    at_once: u32,
    seed: u64,
    carrier: Carrier,
}

/// Those requests that wait for one another, first in the handler and then in the body.
struct Wave {
    storm: Storm,
    tally: Tally,
    handlers: Barrier,
    bodies: Barrier,
    /// Each store has a clone of it.
    alive: Arc<()>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_ten_thousand_requests_at_once_each_reads_its_own_user_and_ends_once_as_it_should() {
    let requests = from_env("STRESS_REQUESTS").unwrap_or(50_000);
    let storm = Storm { requests, at_once: requests.min(10_000), ..Storm::small(LAYER) };
    let begun = Instant::now();
    let (seen, due) = storm.rages().await;
    let of_the_machine = format!("seed {}, {:.1} s", storm.seed, begun.elapsed().as_secs_f64());
    println!("{requests} requests, {seen}, {of_the_machine}");
    assert_eq!(seen, due, "seed {}", storm.seed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_storm_finds_the_mix_ups_of_a_global_and_of_a_thread_local_that_is_set_once() {
    for carrier in [GLOBAL, PER_THREAD] {
        let storm = Storm::small(carrier);
        let (seen, due) = storm.rages().await;
        assert!(seen.mix_ups > u64::from(storm.requests), "{seen}, seed {}", storm.seed);
        assert_eq!(Counts { mix_ups: 0, first: None, ..seen }, due, "seed {}", storm.seed);
    }
}

impl Storm {
    fn small(carrier: Carrier) -> Self {
        let seed = from_env("STRESS_SEED").unwrap_or_else(|| RandomState::new().hash_one("storm"));
        Self { requests: 1000, at_once: 250, seed, carrier }
    }

    /// Returns what was counted, and what it should be.
    async fn rages(self) -> (Counts, Counts) {
        let (mut seen, mut due) = (Counts::default(), Counts::default());
        for first in (0..self.requests).step_by(self.at_once as usize) {
            let users = first..self.requests.min(first + self.at_once);
            seen += in_time(Wave::of(self, users.clone().map(User)).breaks(users.clone().map(User))).await;
            due += self.due(users.map(User));
        }
        (seen, due)
    }

    fn script(self, user: User) -> Script {
        Script::draw(self.seed, user)
    }

    fn due(self, users: impl ExactSizeIterator<Item = User>) -> Counts {
        let in_flight = users.len() as u64;
        let reads = users.map(|user| self.script(user).reads()).sum();
        Counts { in_flight, reads, ends: in_flight, ..Counts::default() }
    }
}

impl Wave {
    fn of(storm: Storm, users: impl ExactSizeIterator<Item = User>) -> Arc<Self> {
        let handlers = Barrier::new(users.len());
        let bodies = Barrier::new(users.filter(|user| storm.script(*user).has_body()).count());
        Arc::new(Self { storm, tally: Tally::default(), handlers, bodies, alive: Arc::default() })
    }

    async fn breaks(self: Arc<Self>, users: impl Iterator<Item = User>) -> Counts {
        for (user, task) in send(&self, users) {
            match (task.await, self.storm.script(user).panics()) {
                (Err(error), false) => resume_unwind(error.into_panic()),
                (outcome, panics) => assert_eq!(outcome.is_err(), panics, "{user:?}"),
            }
        }
        self.tally.counts(Arc::strong_count(&self.alive) - 1)
    }
}
