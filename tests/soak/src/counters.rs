//! Counts requests, ends, reads and stores.

use std::{
    collections::BTreeMap,
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use tokio::time::sleep;
use tower_request_context::End;

use crate::number::Number;

pub(crate) static COUNTERS: LazyLock<Counters> = LazyLock::new(Counters::default);

#[derive(Default)]
pub(crate) struct Counters {
    /// Requests that have started and not ended, with their expected ends.
    open: Mutex<BTreeMap<Number, End>>,
    stores: AtomicU64,
    reads: AtomicU64,
    begun: AtomicU64,
    completed: AtomicU64,
    failed: AtomicU64,
    cancelled: AtomicU64,
    panicked: AtomicU64,
    mixed_up: AtomicU64,
    ended_twice: AtomicU64,
    ended_otherwise: AtomicU64,
}

/// The counts at one point in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counts {
    pub(crate) requests: u64,
    pub(crate) open: u64,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) panicked: u64,
    pub(crate) reads: u64,
    pub(crate) mixed_up: u64,
}

impl Counters {
    pub(crate) fn begin(&self, number: Number, expected: End) {
        self.begun.fetch_add(1, Relaxed);
        self.with_open(|open| open.insert(number, expected));
    }

    pub(crate) fn end(&self, number: Number, end: End) {
        let count = match end {
            End::Completed => &self.completed,
            End::Failed => &self.failed,
            End::Cancelled => &self.cancelled,
            _ => &self.panicked,
        };
        count.fetch_add(1, Relaxed);
        match self.with_open(|open| open.remove(&number)) {
            Some(expected) if expected == end => {}
            Some(expected) => {
                eprintln!("{number:?} ended as {end:?} instead of {expected:?}");
                self.ended_otherwise.fetch_add(1, Relaxed);
            }
            None => {
                eprintln!("{number:?} ended twice");
                self.ended_twice.fetch_add(1, Relaxed);
            }
        }
    }

    /// Records the number that was found in a place, and the expected one.
    pub(crate) fn record_read(&self, place: &'static str, expected: Option<Number>, found: Option<Number>) {
        self.reads.fetch_add(1, Relaxed);
        if found != expected && self.mixed_up.fetch_add(1, Relaxed) < 10 {
            eprintln!("found {found:?} instead of {expected:?} in {place}");
        }
    }

    pub(crate) fn store_created(&self) {
        self.stores.fetch_add(1, Relaxed);
    }

    pub(crate) fn store_dropped(&self) {
        self.stores.fetch_sub(1, Relaxed);
    }

    /// Waits until all requests have ended, for as long as a server may need to detect a disconnect.
    pub(crate) async fn settled(&self) {
        let start = Instant::now();
        while self.counts().open + self.stores.load(Relaxed) > 0 && start.elapsed() < Duration::from_secs(20) {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            requests: self.begun.load(Relaxed),
            open: self.with_open(|open| open.len() as u64),
            completed: self.completed.load(Relaxed),
            failed: self.failed.load(Relaxed),
            cancelled: self.cancelled.load(Relaxed),
            panicked: self.panicked.load(Relaxed),
            reads: self.reads.load(Relaxed),
            mixed_up: self.mixed_up.load(Relaxed),
        }
    }

    /// Returns what went wrong. Call it once all requests have ended.
    pub(crate) fn failures(&self) -> Vec<String> {
        let counts = [
            (self.counts().mixed_up, "reads found another request, or none"),
            (self.counts().open, "requests did not report their end"),
            (self.ended_twice.load(Relaxed), "requests reported their end twice"),
            (self.ended_otherwise.load(Relaxed), "requests reported another end"),
            (self.stores.load(Relaxed), "stores are still alive"),
        ];
        counts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }

    fn with_open<R>(&self, f: impl FnOnce(&mut BTreeMap<Number, End>) -> R) -> R {
        f(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
