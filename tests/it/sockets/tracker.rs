//! What each request is to come to, and what it came to.

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
pub(super) struct Ledger(Arc<watch::Sender<Page>>);

pub(super) struct Page {
    opened: Instant,
    due: BTreeMap<u32, End>,
    told: BTreeMap<u32, Vec<End>>,
    /// How many stores are.
    alive: usize,
    reads: u64,
    mix_ups: Vec<String>,
    /// How many frames the body of each request that has begun has given.
    pub(super) given: BTreeMap<u32, usize>,
    /// The clients that a server could not send on to.
    pub(super) blocked: HashSet<SocketAddr>,
}

/// A request as its code knows it: by a number on its way, and perhaps a user.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) number: u32,
    pub(super) user: Option<User>,
    ledger: Ledger,
}

/// Reads in its drop.
pub(super) struct Held(Entry, &'static str);

/// A store that is alive.
struct Alive(Ledger);

impl Ledger {
    pub(super) fn open() -> Self {
        Self(Arc::new(watch::Sender::new(Page {
            opened: Instant::now(),
            due: BTreeMap::new(),
            told: BTreeMap::new(),
            alive: 0,
            reads: 0,
            mix_ups: Vec::new(),
            given: BTreeMap::new(),
            blocked: HashSet::new(),
        })))
    }

    /// Enters a request that is to end so, and returns its number.
    pub(super) fn enter(&self, end: End) -> u32 {
        self.enter_as(|_| end)
    }

    pub(super) fn enter_as(&self, end: impl FnOnce(u32) -> End) -> u32 {
        self.write(|page| {
            let number = u32::try_from(page.due.len()).expect("there are fewer");
            page.due.insert(number, end(number));
            number
        })
    }

    /// The entry of a request that is made to `/number`.
    pub(super) fn entry(&self, head: &Parts) -> Entry {
        let number = head.uri.path()[1..].parse().expect("each has a number");
        Entry { number, user: User::of(head), ledger: self.clone() }
    }

    pub(super) fn write<R>(&self, f: impl FnOnce(&mut Page) -> R) -> R {
        let mut result = None;
        self.0.send_modify(|page| result = Some(f(page)));
        result.expect("it was called")
    }

    pub(super) async fn until(&self, is_so: impl FnMut(&Page) -> bool) {
        in_time(self.0.subscribe().wait_for(is_so)).await.expect("the sender is here");
    }

    /// Waits for what is still to come, and compares all that came with what was due.
    pub(super) async fn close(&self, what: &str, requests: u32) {
        // What did not come in time is what is printed.
        let _ = timeout(PATIENCE, self.0.subscribe().wait_for(Page::is_settled)).await;
        let page = self.0.borrow();
        println!("{what}: {}, {:.1} s", *page, page.opened.elapsed().as_secs_f64());
        let others = page.due.iter().map(|(number, end)| (number, end, page.told.get(number)));
        let others: Vec<_> = others.filter(|(_, end, told)| told.is_none_or(|told| *told != [**end])).collect();
        assert!(others.is_empty() && page.told.len() == page.due.len(), "number, due, told: {others:?}");
        assert_eq!((page.due.len(), page.alive), (requests as usize, 0));
        assert!(page.mix_ups.is_empty(), "{:?}", page.mix_ups);
    }
}

impl Page {
    pub(super) fn is_over(&self, number: u32) -> bool {
        self.told.contains_key(&number)
    }

    fn is_settled(&self) -> bool {
        self.told.len() == self.due.len() && self.alive == 0
    }
}

impl Entry {
    pub(super) fn begin(self, store: &mut Store) {
        if let Some(user) = self.user {
            store.insert(user);
        }
        self.ledger.write(|page| {
            page.alive += 1;
            page.given.insert(self.number, 0);
        });
        store.insert(Alive(self.ledger.clone()));
        store.on_end(move |end| {
            self.read("the end");
            self.ledger.write(|page| page.told.entry(self.number).or_default().push(end));
        });
    }

    pub(super) fn read(&self, place: &str) {
        let seen = RequestContext::get::<User>();
        self.ledger.write(|page| {
            page.reads += 1;
            if seen != self.user {
                page.mix_ups.push(format!("{:?} saw {seen:?} in {place}", self.user));
            }
        });
    }

    pub(super) fn hold(&self, place: &'static str) -> Held {
        Held(self.clone(), place)
    }
}

impl Held {
    /// Notes that its body gives one more frame.
    pub(super) fn give(&self) {
        self.0.read("a frame");
        self.0.ledger.write(|page| *page.given.entry(self.0.number).or_default() += 1);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.read(self.1);
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.write(|page| page.alive -= 1);
    }
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut ends = BTreeMap::<String, usize>::new();
        for end in self.told.values().flatten() {
            *ends.entry(format!("{end:?}")).or_default() += 1;
        }
        let (requests, reads, mix_ups) = (self.due.len(), self.reads, self.mix_ups.len());
        write!(f, "{requests} requests, {reads} reads, {mix_ups} mix-ups, ends {ends:?}, {} stores alive", self.alive)
    }
}
