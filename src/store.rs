//! The store: the values of one request, by type.
//!
//! A store holds the context of its parent, and a context is a shared store. So this module and
//! [`context`](crate::context) use each other.

// rustdoc lists methods in the order of these modules.
mod insert;

mod read;

mod write;

mod get_or_init;

mod callbacks;

mod on_enter;

mod debug;
mod id_header;
mod initial;
mod lazy_parts;
mod shared;
mod single_flight;
mod type_key;

use std::{
    iter,
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
};

pub(crate) use self::{
    debug::fmt_types,
    id_header::IdHeader,
    on_enter::{Guard, has_hooks},
};
use self::{initial::InitialValues, lazy_parts::LazyBox, on_enter::EnterHooks, shared::WriteFilter};
use crate::{
    RequestContext,
    context::scope,
    lifecycle::{Callbacks, ContextKind, RequestState},
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
/// it is method; writes stay here. So a counter that nested layers share is an `Arc` of an atomic.
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
/// What is method for is checked by the compiler:
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
    initial: InitialValues,
    written: WriteFilter,
    lazy: LazyBox,
    callbacks: Callbacks,
    state: RequestState,
    kind: ContextKind,
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
    /// Shares the store. From now on it has a kind, and perhaps a parent; both stay as they are.
    #[inline]
    pub(crate) fn into_context(mut self, kind: ContextKind, parent: Option<RequestContext>) -> RequestContext {
        self.kind = kind;
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

    fn nearest_ancestor(&self, predicate: impl Fn(ContextKind) -> bool) -> Option<&Self> {
        let mut store = self;
        while !predicate(store.kind) {
            store = store.parent.as_ref()?;
        }
        Some(store)
    }
}

impl Drop for Store {
    #[inline]
    fn drop(&mut self) {
        if self.needs_drop || self.lazy.get().is_some() || self.state.has_callbacks() || self.on_enter.is_some() {
            self.drop_values();
        } else {
            self.initial.free();
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
        // destructors run in none. Values set after sharing may refer to initial values.
        scope::sync_scope(None, || {
            self.callbacks.clear();
            self.drop_enter_hooks();
            let more = self.lazy.take().map(|parts| {
                drop_each(parts.shared.take());
                parts.overflow
            });
            drop_each(self.initial.take());
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
