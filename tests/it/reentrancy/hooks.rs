//! A value whose `Clone` and `Drop` run a hook, and a probe that records the current user when it is dropped.

use std::cell::{Cell, RefCell};

use tower_request_context::{RequestContext, Store};

use crate::support::User;

thread_local! {
    /// Runs once, in the next `Clone`, `Drop` or closure that calls [`run_hook`].
    pub(super) static HOOK: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
    pub(super) static HOOK_RUNS: Cell<u32> = const { Cell::new(0) };
    pub(super) static USERS_AT_DROP: RefCell<Vec<Option<User>>> = const { RefCell::new(Vec::new()) };
}

pub(super) fn current() -> Option<User> {
    RequestContext::get()
}

pub(super) fn run_hook() {
    let hook = HOOK.with(RefCell::take);
    if let Some(hook) = hook {
        HOOK_RUNS.set(HOOK_RUNS.get() + 1);
        hook();
    }
}

pub(super) struct Hooked;

impl Clone for Hooked {
    fn clone(&self) -> Self {
        run_hook();
        Self
    }
}

impl Drop for Hooked {
    fn drop(&mut self) {
        run_hook();
    }
}

/// Records the current user in its drop.
pub(super) struct DropProbe;

impl Drop for DropProbe {
    fn drop(&mut self) {
        USERS_AT_DROP.with_borrow_mut(|seen| seen.push(current()));
    }
}

pub(super) fn context(user: User) -> RequestContext {
    RequestContext::new(Store::new().with_value(user).with_value(0_u32))
}

pub(super) fn pending_future(user: User) -> impl Future<Output = ()> {
    let probe = DropProbe;
    context(user).scope(async move {
        let _probe = probe;
        std::future::pending::<()>().await;
    })
}

/// Returns the users that were current in the drops of probes since the last call.
pub(super) fn users_at_drop() -> Vec<Option<User>> {
    USERS_AT_DROP.take()
}
