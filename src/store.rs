//! The store: the values of one request, keyed by type.
//!
//! A store holds the context of its parent, and a context is a shared store. So this module and
//! [`context`](crate::context) use each other.

// rustdoc lists methods in the order of these modules. The blank lines keep rustfmt from sorting the modules.
mod new;

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
    mem::ManuallyDrop,
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
};

pub(crate) use self::{
    debug::fmt_types,
    id_header::IdHeader,
    on_enter::{Guard, has_hooks},
};
use self::{initial::InitialValues, lazy_parts::LazyBox, on_enter::HookList, shared::WriteFilter};
use crate::{
    RequestContext,
    context::scope,
    lifecycle::{Callbacks, ContextKind, RequestState},
    unwind::drop_each,
};

/// A type map with the values of one request.
///
/// In the setup closure, [`insert`](Self::insert) adds *initial values* through `&mut Store`. Reading an initial value
/// allocates nothing, and takes no lock unless values were set later. After the setup, the store is shared as a
/// [`RequestContext`]. Code of the request then uses [`set`](Self::set) and the methods next to it, through `&self` and
/// from any thread.
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
/// A store holds at most one value of each type. To keep two values of one type, wrap them in two newtypes. There are
/// no string keys, and values cannot be enumerated. The compiler checks the type of each read:
///
/// ```compile_fail,E0308
/// # use tower_request_context::Store;
/// let name: Option<String> = Store::new().with_value(7_u64).get::<u64>();
/// ```
///
/// Values set after sharing are behind an internal lock. Reads of types that were never set rarely take it. None of
/// your code (`Clone`, `Drop`, a closure) runs under the lock.
///
/// In a [child](RequestContext::child), each read that finds no value looks at the parents. Writes change the child
/// only. To share a counter between nested layers, insert an `Arc` of an atomic.
///
/// Values that are still in the store are dropped with its last handle, while no context is current. Values set after
/// sharing are dropped before initial values. If the `Drop` of a value needs the user or the request id, keep a copy in
/// the value itself, or do the work in [`on_end`](Self::on_end).
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
    // A value is in one of three places: this list, which takes the fewest instructions to read; a map in `lazy`, since
    // a long list would be slow; or a vector in `lazy`, for values set after sharing, which need a lock.
    initial: InitialValues,
    /// Which types may have been set after sharing.
    written: WriteFilter,
    lazy: LazyBox,
    callbacks: Callbacks,
    state: RequestState,
    kind: ContextKind,
    /// Whether any initial value had a destructor.
    needs_drop: bool,
    /// Which header carries the id on outgoing requests.
    pub(crate) id_header: IdHeader,
    // The drop of the store empties these fields in an order of its own. `ManuallyDrop` keeps the compiler from
    // adding drop code that would find them empty, here as in `InitialValues`, `LazyBox` and `Callbacks`.
    parent: ManuallyDrop<Option<RequestContext>>,
    on_enter: ManuallyDrop<HookList>,
}

// A panic leaves no value half written: initial values are written through `&mut self`, and values set after sharing
// are moved under a lock that recovers from poisoning. The interior mutability of a value is up to its type.
impl UnwindSafe for Store {}
impl RefUnwindSafe for Store {}

impl Store {
    /// Shares the store as a context of this kind, with or without a parent.
    #[inline]
    pub(crate) fn into_context(mut self, kind: ContextKind, parent: Option<RequestContext>) -> RequestContext {
        self.kind = kind;
        self.set_parent(parent);
        RequestContext::share(self)
    }

    #[inline]
    pub(crate) fn set_parent(&mut self, parent: Option<RequestContext>) {
        if let Some(parent) = &parent {
            self.inherit_hooks(parent);
        }
        self.parent = ManuallyDrop::new(parent);
    }

    /// Returns whether `outer` is this store or one of its parents.
    pub(crate) fn is_within(&self, outer: &Self) -> bool {
        self.ancestors().any(|store| ptr::eq(store, outer))
    }

    /// Returns the nearest of this store and its parents whose kind matches.
    fn nearest_ancestor(&self, predicate: impl Fn(ContextKind) -> bool) -> Option<&Self> {
        self.ancestors().find(|store| predicate(store.kind))
    }
}

impl Drop for Store {
    #[inline]
    fn drop(&mut self) {
        if self.needs_drop || self.lazy.get().is_some() || self.state.has_callbacks() || self.on_enter.is_some() {
            self.drop_values();
        } else {
            // Nothing here runs code when it is dropped, so no context has to be left first.
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
        // No handle to this store is left, so a context that is current here is another one. The destructors of
        // the values run outside it. Values set after sharing may refer to initial values, so they are dropped first.
        scope::sync_scope(None, || {
            self.callbacks.clear();
            self.drop_hooks();
            let overflow = self.lazy.take().map(|parts| {
                drop_each(parts.shared.take());
                parts.overflow
            });
            drop_each(self.initial.take());
            if let Some(overflow) = overflow {
                drop_each(overflow.take());
            }
        });
    }
}

/// Drops a parent, and the further parents to which no other handle exists, in a loop: a long chain would overflow the
/// stack by recursion.
fn drop_chain(parent: RequestContext) {
    let mut next = Some(parent);
    while let Some(mut store) = next.and_then(RequestContext::into_store) {
        next = store.parent.take();
    }
}
