//! A stand-in for a library that uses thread-local guards. Each context has two of them, through `Store::on_enter`.

use std::{
    cell::{Cell, RefCell},
    mem,
};

use tower_request_context::Store;

use super::probe::unwind;
use crate::support::User;

thread_local! {
    /// The entries of all guards, outermost first.
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    static ENTER_PANICS: Cell<bool> = const { Cell::new(false) };
}

/// The user of a context, and the position of the guard among those of the context.
pub(super) type Entry = (User, usize);

pub(super) fn entered() -> Vec<Entry> {
    ENTERED.with_borrow(Clone::clone)
}

/// The entries that a context of this user adds.
pub(super) fn entries_of(user: User) -> [Entry; 2] {
    [(user, 1), (user, 2)]
}

/// Restores the entries from before it was entered, so guards dropped in the wrong order leave an entry.
pub(super) struct Guard {
    outer: Vec<Entry>,
}

impl Guard {
    pub(super) fn enter(entry: Entry) -> Self {
        let outer = entered();
        ENTERED.with_borrow_mut(|entered| entered.push(entry));
        Self { outer }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        ENTERED.set(mem::take(&mut self.outer));
    }
}

/// Registers both guards, and between them a closure that panics while [`EnterPanics`] enables it.
pub(super) fn register(store: &mut Store, user: User) {
    let [first, second] = entries_of(user);
    store.on_enter(move || Guard::enter(first));
    store.on_enter(panic_if_enabled);
    store.on_enter(move || Guard::enter(second));
}

/// A store with this user and both guards.
pub(super) fn store(user: User) -> Store {
    let mut store = Store::new().with_value(user);
    register(&mut store, user);
    store
}

/// Calls `f` with both guards entered, without a context.
pub(super) fn enter_by_hand<R>(user: User, f: impl FnOnce() -> R) -> R {
    let [first, second] = entries_of(user);
    let _first = Guard::enter(first);
    panic_if_enabled();
    let _second = Guard::enter(second);
    f()
}

/// The second of the three `on_enter` closures.
pub(super) fn panic_if_enabled() {
    if ENTER_PANICS.get() {
        unwind();
    }
}

/// Enables or disables the panic of the second closure until it is dropped. The layers in `broken` cannot catch that
/// panic, so they disable it in their destructors.
pub(super) struct EnterPanics(bool);

impl EnterPanics {
    pub(super) fn set(panics: bool) -> Self {
        Self(ENTER_PANICS.replace(panics))
    }
}

impl Drop for EnterPanics {
    fn drop(&mut self) {
        ENTER_PANICS.set(self.0);
    }
}
