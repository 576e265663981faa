//! A log of the events of each user, and of the user that was current at each event.

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
    static INITIAL_VALUES: RefCell<Vec<Weak<DropRecorder>>> = const { RefCell::new(Vec::new()) };
    static LIVE_RECORDERS: Cell<usize> = const { Cell::new(0) };
    static LAST_USER: Cell<u32> = const { Cell::new(SIBLING.0) };
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum EventKind {
    /// A value that code in the context owned was dropped.
    Dropped,
    Response,
    End(End),
    /// A value of the context was dropped.
    Value,
}

#[derive(Debug)]
struct Event {
    user: User,
    kind: EventKind,
    current: Option<User>,
}

/// Records its drop.
pub(super) struct DropRecorder {
    user: User,
    kind: EventKind,
}

/// Returns a user that was not used before.
pub(super) fn new_user() -> User {
    LAST_USER.set(LAST_USER.get() + 1);
    User(LAST_USER.get())
}

pub(super) fn record(user: User, kind: EventKind) {
    EVENTS.with_borrow_mut(|events| events.push(Event { user, kind, current: RequestContext::get() }));
}

/// Creates a recorder for a value that is owned by code in the context of that user.
pub(super) fn drop_recorder(user: User) -> DropRecorder {
    DropRecorder::new(user, EventKind::Dropped)
}

/// Returns the store of a user, with one recorder as an initial value and one that is set later.
pub(super) fn store(user: User) -> Store {
    let initial = Arc::new(DropRecorder::new(user, EventKind::Value));
    INITIAL_VALUES.with_borrow_mut(|values| values.push(Arc::downgrade(&initial)));
    let store = Store::new().with_value(user).with_value(initial);
    store.set(DropRecorder::new(user, EventKind::Value));
    store
}

impl DropRecorder {
    fn new(user: User, kind: EventKind) -> Self {
        LIVE_RECORDERS.set(LIVE_RECORDERS.get() + 1);
        Self { user, kind }
    }
}

impl Drop for DropRecorder {
    fn drop(&mut self) {
        LIVE_RECORDERS.set(LIVE_RECORDERS.get() - 1);
        record(self.user, self.kind);
    }
}

/// The events of one case.
pub(super) struct Log {
    case: String,
    events: Vec<Event>,
}

impl Log {
    /// Takes the events of a finished case, and asserts that it left nothing behind.
    pub(super) fn take(case: String) -> Self {
        assert!(!RequestContext::is_active(), "a context is still current: {case}");
        assert_eq!(LIVE_RECORDERS.get(), 0, "still alive: {case}");
        assert!(
            INITIAL_VALUES.take().iter().all(|initial| initial.upgrade().is_none()),
            "an initial value is still alive: {case}"
        );
        Self { case, events: EVENTS.take() }
    }

    /// Asserts the events of a user's context. First the values that its code owned are dropped in the context. Then
    /// `on_end` is called in the context. Then the values of the context are dropped, outside any context.
    pub(super) fn assert_context(&self, user: User, responses: usize, end: Option<End>) {
        let case = format!("user {}, {}: {:#?}", user.0, self.case, self.events);
        let of_user = |event: &&Event| event.user == user;
        let own: Vec<_> = self.events.iter().filter(of_user).map(|event| event.kind).collect();
        let last_events = [end.map(EventKind::End), Some(EventKind::Value), Some(EventKind::Value)]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>();
        let Some(earlier) = own.strip_suffix(&last_events[..]) else {
            panic!("other ends than {last_events:?}: {case}")
        };
        assert!(
            earlier.iter().all(|kind| matches!(kind, EventKind::Dropped | EventKind::Response)),
            "more than one end: {case}"
        );
        assert_eq!(earlier.iter().filter(|kind| **kind == EventKind::Response).count(), responses, "responses: {case}");
        for event in &self.events {
            let expected = if event.kind == EventKind::Value { None } else { Some(event.user) };
            assert_eq!(event.current, expected, "{event:?}: {case}");
        }
    }
}
