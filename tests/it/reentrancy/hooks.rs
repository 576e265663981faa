//! A value that does what a test tells it to, and a witness of whose name it was dropped in.

use std::cell::{Cell, RefCell};

use tower_request_context::{RequestContext, Store};

use crate::support::User;

thread_local! {
    /// What the next `Clone`, `Drop` or closure of a `Meddler` does.
    pub(super) static ACT: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    pub(super) static ACTED: Cell<u32> = const { Cell::new(0) };
    pub(super) static SEEN_BY_DROPS: RefCell<Vec<Option<User>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn current() -> Option<User> {
    RequestContext::get()
}

pub(super) fn act() {
    let act = ACT.with(RefCell::take);
    if let Some(act) = act {
        ACTED.set(ACTED.get() + 1);
        act();
    }
}

pub(super) struct Meddler;

impl Clone for Meddler {
    fn clone(&self) -> Self {
        act();
        Self
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        act();
    }
}

/// Says whose it is when it is dropped.
pub(super) struct Witness;

impl Drop for Witness {
    fn drop(&mut self) {
        SEEN_BY_DROPS.with_borrow_mut(|seen| seen.push(current()));
    }
}

pub(super) fn context(user: User) -> RequestContext {
    RequestContext::new(Store::new().with_value(user).with_value(0_u32))
}

pub(super) fn future_of(user: User) -> impl Future<Output = ()> {
    let witness = Witness;
    context(user).scope(async move {
        let _witness = witness;
        std::future::pending::<()>().await;
    })
}

/// Whose the witnesses were that were dropped since it was last asked.
pub(super) fn dropped_as() -> Vec<Option<User>> {
    SEEN_BY_DROPS.take()
}
