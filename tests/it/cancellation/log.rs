//! What happened to whom, and who was current then.

use std::{
    cell::{Cell, RefCell},
    sync::{Arc, Weak},
};

use tower_request_context::{End, RequestContext, Store};

use crate::support::User;

pub(super) const OUTER: User = User(1);
pub(super) const SIBLING: User = User(2);

thread_local! {
    static EVENTS: RefCell<Vec<Event>> = const { RefCell::new(Vec::new()) };
    static SEEDS: RefCell<Vec<Weak<Held>>> = const { RefCell::new(Vec::new()) };
    static ALIVE: Cell<usize> = const { Cell::new(0) };
    static USERS: Cell<u32> = const { Cell::new(SIBLING.0) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    /// A destructor of what ran in the context.
    Dropped,
    Head,
    End(End),
    /// The destructor of a value of the context.
    Value,
}

#[derive(Debug)]
struct Event {
    whose: User,
    what: What,
    current: Option<User>,
}

/// Tells of its drop.
pub(super) struct Held {
    whose: User,
    what: What,
}

/// One that was never there before.
pub(super) fn new_user() -> User {
    USERS.set(USERS.get() + 1);
    User(USERS.get())
}

pub(super) fn tell(whose: User, what: What) {
    EVENTS.with_borrow_mut(|events| events.push(Event { whose, what, current: RequestContext::get() }));
}

/// A recorder that lives in the context of that user.
pub(super) fn held(whose: User) -> Held {
    Held::new(whose, What::Dropped)
}

/// The store of a user, with a recorder among the seeds and one among the late values.
pub(super) fn store(whose: User) -> Store {
    let seed = Arc::new(Held::new(whose, What::Value));
    SEEDS.with_borrow_mut(|seeds| seeds.push(Arc::downgrade(&seed)));
    let store = Store::new().with_value(whose).with_value(seed);
    store.set(Held::new(whose, What::Value));
    store
}

impl Held {
    fn new(whose: User, what: What) -> Self {
        ALIVE.set(ALIVE.get() + 1);
        Self { whose, what }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        ALIVE.set(ALIVE.get() - 1);
        tell(self.whose, self.what);
    }
}

/// All that happened in one case.
pub(super) struct Log {
    case: String,
    events: Vec<Event>,
}

impl Log {
    /// Of what is over: nothing of it may have stayed.
    pub(super) fn take(case: String) -> Self {
        assert!(!RequestContext::is_active(), "somebody is still current: {case}");
        assert_eq!(ALIVE.get(), 0, "still alive: {case}");
        assert!(SEEDS.take().iter().all(|seed| seed.upgrade().is_none()), "a seed is still alive: {case}");
        Self { case, events: EVENTS.take() }
    }

    /// What ran in the context of a user was dropped there, before the end, which was told there; the values thereafter,
    /// in none.
    pub(super) fn assert_context(&self, whose: User, heads: usize, end: Option<End>) {
        let case = format!("user {}, {}: {:#?}", whose.0, self.case, self.events);
        let of_user = |event: &&Event| event.whose == whose;
        let told: Vec<_> = self.events.iter().filter(of_user).map(|event| event.what).collect();
        let after =
            [end.map(What::End), Some(What::Value), Some(What::Value)].into_iter().flatten().collect::<Vec<_>>();
        let Some(before) = told.strip_suffix(&after[..]) else { panic!("other ends than {after:?}: {case}") };
        assert!(before.iter().all(|what| matches!(what, What::Dropped | What::Head)), "an end too many: {case}");
        assert_eq!(before.iter().filter(|what| **what == What::Head).count(), heads, "heads: {case}");
        for event in &self.events {
            let expected = if event.what == What::Value { None } else { Some(event.whose) };
            assert_eq!(event.current, expected, "{event:?}: {case}");
        }
    }
}
