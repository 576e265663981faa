//! What keeps the user of a request: this crate, and what must be found out.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

use tower_request_context::{RequestContext, Store};

use crate::support::User;

#[derive(Clone, Copy)]
pub(super) struct Carrier {
    /// Called in the setup.
    pub(super) seed: fn(&mut Store, User),
    pub(super) current: fn() -> Option<User>,
}

pub(super) const LAYER: Carrier = Carrier {
    seed: |store, user| {
        store.insert(user);
    },
    current: RequestContext::get,
};

static GLOBALLY: Mutex<Option<User>> = Mutex::new(None);

pub(super) const GLOBAL: Carrier = Carrier {
    seed: |_, user| *GLOBALLY.lock().unwrap_or_else(PoisonError::into_inner) = Some(user),
    current: || *GLOBALLY.lock().unwrap_or_else(PoisonError::into_inner),
};

thread_local! {
    static OF_THE_THREAD: Cell<Option<User>> = const { Cell::new(None) };
}

pub(super) const PER_THREAD: Carrier =
    Carrier { seed: |_, user| OF_THE_THREAD.set(Some(user)), current: || OF_THE_THREAD.get() };
