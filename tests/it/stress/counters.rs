//! Counters of a stress run.

use std::{
    fmt,
    ops::AddAssign,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Barrier;

use crate::support::User;

#[derive(Default)]
pub(super) struct Counters {
    reads: AtomicU64,
    mix_ups: AtomicU64,
    first: OnceLock<String>,
    ends: AtomicU64,
    wrong_ends: AtomicU64,
    waiting: AtomicU64,
    in_flight: AtomicU64,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// The largest number of requests in one batch that waited at the same moment.
    pub(super) in_flight: u64,
    pub(super) reads: u64,
    pub(super) mix_ups: u64,
    /// The first mix-up.
    pub(super) first: Option<String>,
    pub(super) ends: u64,
    pub(super) wrong_ends: u64,
    /// Stores that outlived their batch.
    pub(super) alive: usize,
}

impl Counters {
    pub(super) fn read(&self, place: &str, user: User, seen: Option<User>) {
        self.reads.fetch_add(1, Relaxed);
        if seen != Some(user) {
            self.mix_ups.fetch_add(1, Relaxed);
            self.first.get_or_init(|| format!("{user:?} saw {seen:?} in {place}"));
        }
    }

    pub(super) fn end(&self, is_right: bool) {
        self.ends.fetch_add(1, Relaxed);
        self.wrong_ends.fetch_add(u64::from(!is_right), Relaxed);
    }

    /// Waits for all other requests, and counts those that wait at the same moment.
    pub(super) async fn wait(&self, barrier: &Barrier) {
        self.in_flight.fetch_max(1 + self.waiting.fetch_add(1, Relaxed), Relaxed);
        barrier.wait().await;
        self.waiting.fetch_sub(1, Relaxed);
    }

    pub(super) fn counts(&self, alive: usize) -> Counts {
        let [in_flight, reads, mix_ups, ends, wrong_ends] =
            [&self.in_flight, &self.reads, &self.mix_ups, &self.ends, &self.wrong_ends]
                .map(|count| count.load(Relaxed));
        Counts { in_flight, reads, mix_ups, first: self.first.get().cloned(), ends, wrong_ends, alive }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, batch: Self) {
        self.in_flight = self.in_flight.max(batch.in_flight);
        self.reads += batch.reads;
        self.mix_ups += batch.mix_ups;
        self.first = self.first.take().or(batch.first);
        self.ends += batch.ends;
        self.wrong_ends += batch.wrong_ends;
        self.alive += batch.alive;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { in_flight, reads, mix_ups, first, ends, wrong_ends, alive } = self;
        write!(f, "{in_flight} in flight, {reads} reads, {mix_ups} mix-ups")?;
        if let Some(first) = first {
            write!(f, " (first: {first})")?;
        }
        write!(f, ", {ends} ends reported, {wrong_ends} wrong, {alive} stores left alive")
    }
}
