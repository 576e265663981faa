//! The expected and the reported ends of requests.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::Instant,
};

use http::request::Parts;
use tokio::{sync::watch, time::timeout};
use tower_request_context::{End, RequestContext, Store};

use crate::support::{PATIENCE, User, in_time};

#[derive(Clone)]
pub(super) struct Tracker(Arc<watch::Sender<State>>);

pub(super) struct State {
    started: Instant,
    expected: BTreeMap<u32, End>,
    reported: BTreeMap<u32, Vec<End>>,
    /// Number of live stores.
    live_stores: usize,
    reads: u64,
    mix_ups: Vec<String>,
    /// Number of frames that the body of each request has sent.
    pub(super) frames_sent: BTreeMap<u32, usize>,
    /// The clients that do not read, so that a server cannot send any more.
    pub(super) blocked: HashSet<SocketAddr>,
}

/// A request and its response, as their code knows them: a number in the path, and perhaps a user.
#[derive(Clone)]
pub(super) struct Exchange {
    pub(super) number: u32,
    pub(super) user: Option<User>,
    tracker: Tracker,
}

/// Reads the current user in its drop.
pub(super) struct ReadOnDrop(Exchange, &'static str);

/// Counts a store while it is alive.
struct LiveStore(Tracker);

impl Tracker {
    pub(super) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(State {
            started: Instant::now(),
            expected: BTreeMap::new(),
            reported: BTreeMap::new(),
            live_stores: 0,
            reads: 0,
            mix_ups: Vec::new(),
            frames_sent: BTreeMap::new(),
            blocked: HashSet::new(),
        })))
    }

    /// Registers a request with its expected end, and returns its number.
    pub(super) fn register(&self, end: End) -> u32 {
        self.register_with(|_| end)
    }

    pub(super) fn register_with(&self, end: impl FnOnce(u32) -> End) -> u32 {
        self.write(|state| {
            let number = u32::try_from(state.expected.len()).expect("the number fits into `u32`");
            state.expected.insert(number, end(number));
            number
        })
    }

    /// Returns the exchange of a request to `/number`.
    pub(super) fn exchange(&self, head: &Parts) -> Exchange {
        let number = head.uri.path()[1..].parse().expect("each path is a number");
        Exchange { number, user: User::of(head), tracker: self.clone() }
    }

    pub(super) fn write<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut result = None;
        self.0.send_modify(|state| result = Some(f(state)));
        result.expect("`send_modify` calls the closure")
    }

    pub(super) async fn until(&self, is_so: impl FnMut(&State) -> bool) {
        in_time(self.0.subscribe().wait_for(is_so)).await.expect("the sender is alive");
    }

    /// Waits until all requests have ended, and compares the reported ends with the expected ones.
    pub(super) async fn assert_all_ended(&self, what: &str, requests: u32) {
        // After a timeout, the assertions show which ends are missing.
        let _ = timeout(PATIENCE, self.0.subscribe().wait_for(State::is_complete)).await;
        let state = self.0.borrow();
        println!("{what}: {}, {:.1} s", *state, state.started.elapsed().as_secs_f64());
        let wrong = state.expected.iter().map(|(number, end)| (number, end, state.reported.get(number)));
        let wrong: Vec<_> =
            wrong.filter(|(_, end, reported)| reported.is_none_or(|reported| *reported != [**end])).collect();
        assert!(
            wrong.is_empty() && state.reported.len() == state.expected.len(),
            "number, expected, reported: {wrong:?}"
        );
        assert_eq!((state.expected.len(), state.live_stores), (requests as usize, 0));
        assert!(state.mix_ups.is_empty(), "{:?}", state.mix_ups);
    }
}

impl State {
    pub(super) fn has_ended(&self, number: u32) -> bool {
        self.reported.contains_key(&number)
    }

    fn is_complete(&self) -> bool {
        self.reported.len() == self.expected.len() && self.live_stores == 0
    }
}

impl Exchange {
    pub(super) fn set_up(self, store: &mut Store) {
        if let Some(user) = self.user {
            store.insert(user);
        }
        self.tracker.write(|state| {
            state.live_stores += 1;
            state.frames_sent.insert(self.number, 0);
        });
        store.insert(LiveStore(self.tracker.clone()));
        store.on_end(move |end| {
            self.read("the end");
            self.tracker.write(|state| state.reported.entry(self.number).or_default().push(end));
        });
    }

    pub(super) fn read(&self, place: &str) {
        let seen = RequestContext::get::<User>();
        self.tracker.write(|state| {
            state.reads += 1;
            if seen != self.user {
                state.mix_ups.push(format!("{:?} saw {seen:?} in {place}", self.user));
            }
        });
    }

    pub(super) fn read_on_drop(&self, place: &'static str) -> ReadOnDrop {
        ReadOnDrop(self.clone(), place)
    }
}

impl ReadOnDrop {
    /// Counts one more frame of the body.
    pub(super) fn count_frame(&self) {
        self.0.read("a frame");
        self.0.tracker.write(|state| *state.frames_sent.entry(self.0.number).or_default() += 1);
    }
}

impl Drop for ReadOnDrop {
    fn drop(&mut self) {
        self.0.read(self.1);
    }
}

impl Drop for LiveStore {
    fn drop(&mut self) {
        self.0.write(|state| state.live_stores -= 1);
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends = BTreeMap::<String, usize>::new();
        for end in self.reported.values().flatten() {
            *ends.entry(format!("{end:?}")).or_default() += 1;
        }
        let (requests, reads, mix_ups) = (self.expected.len(), self.reads, self.mix_ups.len());
        write!(
            f,
            "{requests} requests, {reads} reads, {mix_ups} mix-ups, ends {ends:?}, {} stores alive",
            self.live_stores
        )
    }
}
