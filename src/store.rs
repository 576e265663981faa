//! The values of one request, by type.

// rustdoc lists methods in the order of these modules.
mod insert;

mod read;

mod write;

mod once;

mod callbacks;

mod on_enter;

mod run;

mod late;
mod names;
mod rare;
mod seeds;
mod single_flight;
mod type_key;

use std::{
    iter,
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
};

use self::{late::Written, on_enter::EnterHooks, rare::Rare, seeds::Seeds};
pub(crate) use self::{
    names::fmt_types,
    on_enter::{Guard, has_hooks},
};
use crate::{
    RequestContext,
    end::{Callbacks, Phase, Role},
    headers::IdHeader,
    scope,
    unwind::drop_each,
};

/// Holds the values of one request, at most one of each type.
///
/// A store is filled in two ways. Whoever owns it alone, as a setup closure does, *seeds* it with
/// [`insert`](Self::insert); reading a seed takes no lock and allocates nothing. Once it is shared as a
/// [`RequestContext`], code of the request writes with [`set`](Self::set) and its relatives, from anywhere and through
/// `&self`; such late values stand behind a lock that readers of other types hardly ever meet.
///
/// The key is the type: two values of one type need two newtypes. There are no strings to collide and no way to
/// enumerate values. None of your code (`Clone`, `Drop`, a closure) runs under the lock.
///
/// In a [child](RequestContext::child) each reader falls through to the parents for what is not found here, each time
/// it is asked; writes stay here. So a counter that nested layers share is an `Arc` of an atomic.
///
/// ```
/// use tower_request_context::Store;
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct UserId(u64);
///
/// let mut store = Store::new();
/// store.insert(UserId(7));
/// assert_eq!(store.get(), Some(UserId(7)));
/// ```
///
/// The values are dropped with the last handle, in nobody's name: in no context, the late ones before the seeds. What has
/// to know whose it is at its end should hold it, or be told by [`on_end`](Self::on_end).
///
/// What is asked for is checked by the compiler:
///
/// ```compile_fail,E0308
/// # use tower_request_context::Store;
/// let name: Option<String> = Store::new().with_value(7_u64).get::<u64>();
/// ```
///
/// `Debug` prints the names of the types, never a value:
///
/// ```
/// # use tower_request_context::Store;
/// let store = Store::new().with_value("secret").with_value(7_u8);
/// assert_eq!(format!("{store:?}"), "Store { values: {&str, u8} }");
/// ```
#[derive(Default)]
pub struct Store {
    seeds: Seeds,
    written: Written,
    rare: Rare,
    callbacks: Callbacks,
    phase: Phase,
    role: Role,
    /// Whether a seed in the list runs code when it is dropped.
    needs_drop: bool,
    /// Which header carries the id, for requests that go out.
    pub(crate) id_header: IdHeader,
    // The drop of a store takes apart what it holds in an order of its own; then nothing is left to be dropped, which
    // `ManuallyDrop` says to the compiler, here as in the parts.
    parent: ManuallyDrop<Option<RequestContext>>,
    on_enter: ManuallyDrop<EnterHooks>,
}

// Values are never left half written: a seed is written by its only owner, a late value by a move under a lock
// that recovers. What a value does with its own interior is between it and its user.
impl UnwindSafe for Store {}
impl RefUnwindSafe for Store {}

impl Store {
    /// Shares the store. From now on it has a role, and perhaps a parent; both stay as they are.
    #[inline]
    pub(crate) fn into_context(mut self, role: Role, parent: Option<RequestContext>) -> RequestContext {
        self.role = role;
        self.set_parent(parent);
        RequestContext::share(self)
    }

    #[inline]
    pub(crate) fn set_parent(&mut self, parent: Option<RequestContext>) {
        if let Some(parent) = &parent {
            self.inherit_enter_hooks(parent);
        }
        self.parent = ManuallyDrop::new(parent);
    }

    /// Returns whether `outer` is this store or one of its parents.
    pub(crate) fn is_within(&self, outer: &Self) -> bool {
        iter::successors(Some(self), |store| store.parent.as_deref()).any(|store| ptr::eq(store, outer))
    }

    fn nearest(&self, is_it: impl Fn(Role) -> bool) -> Option<&Self> {
        let mut store = self;
        while !is_it(store.role) {
            store = store.parent.as_ref()?;
        }
        Some(store)
    }
}

impl Drop for Store {
    #[inline]
    fn drop(&mut self) {
        if self.needs_drop || self.rare.get().is_some() || self.phase.is_awaited() || self.on_enter.is_some() {
            self.drop_values();
        } else {
            self.seeds.free();
        }
        if let Some(parent) = self.parent.take() {
            drop_chain(parent);
        }
    }
}

impl Store {
    #[inline(never)]
    fn drop_values(&mut self) {
        // Nobody can hold this context any more, and whichever is current here is another request's: the values'
        // destructors run in none. Late values may lean on seeds.
        scope::sync_scope(None, || {
            self.callbacks.forget();
            self.drop_enter_hooks();
            let more = self.rare.take().map(|rare| {
                drop_each(rare.late.take());
                rare.seeds
            });
            drop_each(self.seeds.take());
            if let Some(more) = more {
                drop_each(more.take());
            }
        });
    }
}

/// Takes a chain of parents that only the last of their children kept alive apart, link by link and not by recursion.
fn drop_chain(parent: RequestContext) {
    let mut next = Some(parent);
    while let Some(mut store) = next.and_then(RequestContext::into_store) {
        next = store.parent.take();
    }
}
