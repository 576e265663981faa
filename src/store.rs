//! The values of one request, by type.

mod callbacks;
mod late;
mod names;
mod on_enter;
mod once;
mod rare;
mod read;
mod seeds;
mod single_flight;
mod type_key;
mod write;

use std::{
    iter,
    mem::{ManuallyDrop, needs_drop},
    panic::{RefUnwindSafe, UnwindSafe},
    ptr,
    sync::Arc,
};

use self::{
    late::{Lookup, Written},
    on_enter::EnterHooks,
    rare::Rare,
    seeds::Seeds,
};
pub(crate) use self::{
    names::fmt_types,
    on_enter::{Guard, has_hooks},
};
use crate::{
    RequestContext,
    end::{Callbacks, Phase, Role},
    headers::IdHeader,
    scope,
    sync::const_fn,
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
    const_fn! {
        /// Makes an empty store.
        ///
        /// ```
        /// # use tower_request_context::Store;
        /// assert!(!Store::new().contains::<u8>());
        /// ```
        #[must_use]
        pub const fn new() -> Self {
            Self {
                seeds: Seeds::new(),
                written: Written::new(),
                rare: Rare::new(),
                callbacks: Callbacks::new(),
                phase: Phase::new(),
                role: Role::Loose,
                needs_drop: false,
                id_header: IdHeader::Unset,
                parent: ManuallyDrop::new(None),
                on_enter: ManuallyDrop::new(None),
            }
        }
    }

    /// Seeds a value and returns the one of that type that this store held, whether seeded or set late.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let mut store = Store::new();
    /// assert_eq!(store.insert(1_u8), None);
    /// assert_eq!(store.insert(2_u8), Some(1));
    /// ```
    pub fn insert<T>(&mut self, value: T) -> Option<T>
    where
        T: Send + Sync + 'static,
    {
        self.needs_drop |= needs_drop::<T>();
        let seeded = match self.seeds.insert(value) {
            Ok(seeded) => seeded,
            Err(value) => self.rare.make_mut().seeds.insert(value),
        };
        if !self.written.has::<T>() {
            return seeded;
        }
        match self.rare.get_mut().map_or(Lookup::Unwritten, |rare| rare.late.forget()) {
            Lookup::Unwritten => seeded,
            Lookup::Removed => None,
            // An earlier writer's `Arc` is shared only while an `update` runs, which `&mut self` rules out.
            Lookup::Value(late) => Arc::into_inner(late),
        }
    }

    /// Seeds a value, as [`insert`](Self::insert) does, in the style of a builder.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8).with_value("seven");
    /// assert_eq!((store.get::<u8>(), store.get::<&str>()), (Some(7), Some("seven")));
    /// ```
    #[must_use]
    pub fn with_value<T>(mut self, value: T) -> Self
    where
        T: Send + Sync + 'static,
    {
        self.insert(value);
        self
    }

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
