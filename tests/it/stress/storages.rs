//! Places that hold a request's user: this crate's context, and two that have to be detected as wrong.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

use tower_request_context::{RequestContext, Store};

use crate::support::User;

#[derive(Clone, Copy)]
pub(super) struct Storage {
    /// Called in the setup closure.
    pub(super) insert: fn(&mut Store, User),
    pub(super) current: fn() -> Option<User>,
}

pub(super) const LAYER: Storage = Storage {
    insert: |store, user| {
        store.insert(user);
    },
    current: RequestContext::get,
};

static GLOBAL_USER: Mutex<Option<User>> = Mutex::new(None);

pub(super) const GLOBAL: Storage = Storage {
    insert: |_, user| *GLOBAL_USER.lock().unwrap_or_else(PoisonError::into_inner) = Some(user),
    current: || *GLOBAL_USER.lock().unwrap_or_else(PoisonError::into_inner),
};

thread_local! {
    static THREAD_USER: Cell<Option<User>> = const { Cell::new(None) };
}

pub(super) const PER_THREAD: Storage =
    Storage { insert: |_, user| THREAD_USER.set(Some(user)), current: || THREAD_USER.get() };
