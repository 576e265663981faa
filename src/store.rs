//! The values of one request, by type.

mod late;
mod seeds;
mod type_key;

use std::{
    any::TypeId,
    collections::HashSet,
    fmt, mem,
    panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::Arc,
};

use self::{
    late::{Late, Lookup},
    seeds::Seeds,
};
use crate::{ContextError, RequestContext, scope};

/// Holds the values of one request, at most one of each type.
///
/// A store is filled in two ways. Whoever owns it alone, as a setup closure does, *seeds* it with
/// [`insert`](Self::insert); reading a seed takes no lock and allocates nothing. Once it is shared as a
/// [`RequestContext`], code of the request writes with [`set`](Self::set) and its relatives, from anywhere and through
/// `&self`; such late values stand behind a lock that only readers of the same types can meet.
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
    late: Late,
    parent: Option<RequestContext>,
}

// Values are never left half written: a seed is written by its only owner, a late value by one pointer under a lock
// that recovers. What a value does with its own interior is between it and its user.
impl UnwindSafe for Store {}
impl RefUnwindSafe for Store {}

impl Store {
    /// Makes an empty store.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// assert!(!Store::new().contains::<u8>());
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        Self { seeds: Seeds::new(), late: Late::new(), parent: None }
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
        let seeded = self.seeds.insert(value);
        match self.late.forget() {
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

    /// Returns a clone of the value of a type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8);
    /// assert_eq!(store.get::<u8>(), Some(7));
    /// assert_eq!(store.get::<u16>(), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn get<T>(&self) -> Option<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.with(T::clone)
    }

    /// Returns a clone of the value of a type, or an error that names the type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let error = Store::new().try_get::<u8>().unwrap_err();
    /// assert!(error.to_string().starts_with("no `u8` in the request context"));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Missing`] if there is no such value.
    #[inline]
    pub fn try_get<T>(&self) -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        self.get().ok_or_else(ContextError::missing::<T>)
    }

    /// Calls `f` with the value of a type, which need not be `Clone`; `None` if there is no such value.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(String::from("a long text"));
    /// assert_eq!(store.with(|text: &String| text.len()), Some(11));
    /// ```
    #[inline]
    pub fn with<T, R>(&self, f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        let mut store = self;
        loop {
            match store.late.get::<T>() {
                Lookup::Unwritten => {}
                Lookup::Removed => return None,
                Lookup::Value(value) => return Some(f(&value)),
            }
            if let Some(value) = store.seeds.get() {
                return Some(f(value));
            }
            store = store.parent.as_ref()?;
        }
    }

    /// Tells whether there is a value of a type.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(false);
    /// assert!(store.contains::<bool>());
    /// ```
    #[inline]
    #[must_use]
    pub fn contains<T>(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        self.with(|_: &T| ()).is_some()
    }

    /// Sets a value at any time and from anywhere, in place of what this store or its parents hold.
    ///
    /// The value replaced is dropped before this returns, unless a reader or writer on another thread still uses it.
    /// A seed that is replaced stays in memory, unseen, until the store is dropped.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(1_u8);
    /// store.set(2_u8);
    /// assert_eq!(store.get::<u8>(), Some(2));
    /// ```
    pub fn set<T>(&self, value: T)
    where
        T: Send + Sync + 'static,
    {
        self.late.set(Arc::new(value));
    }

    /// Sets a value unless there is one, here or in a parent; says whether it did.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new();
    /// assert!(store.set_if_absent(1_u8));
    /// assert!(!store.set_if_absent(2_u8));
    /// assert_eq!(store.get::<u8>(), Some(1));
    /// ```
    pub fn set_if_absent<T>(&self, value: T) -> bool
    where
        T: Send + Sync + 'static,
    {
        !self.contains::<T>() && self.late.set_if_absent(Arc::new(value)).is_ok()
    }

    /// Changes a value in one atomic step and returns what `f` returned; `None` if there is no such value.
    ///
    /// `f` works on a clone and without a lock. If another writer of the type was quicker, `f` runs again on a fresh
    /// clone: it should do nothing but change the value. An inherited value is copied into this store; the parent's
    /// stays as it is.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(1_u8);
    /// let before = store.update(|n: &mut u8| std::mem::replace(n, 5));
    /// assert_eq!((before, store.get::<u8>()), (Some(1), Some(5)));
    /// ```
    pub fn update<T, R>(&self, mut f: impl FnMut(&mut T) -> R) -> Option<R>
    where
        T: Clone + Send + Sync + 'static,
    {
        loop {
            let seen = self.late.get::<T>();
            let mut value = match &seen {
                Lookup::Value(value) => T::clone(value),
                Lookup::Removed => return None,
                Lookup::Unwritten => match self.seeds.get::<T>() {
                    Some(value) => value.clone(),
                    None => self.parent.as_ref()?.get()?,
                },
            };
            let result = f(&mut value);
            if self.late.replace(&seen, Arc::new(value)).is_ok() {
                return Some(result);
            }
        }
    }

    /// Removes a value and says whether there was one; an inherited one is hidden here and stays in the parent.
    ///
    /// A seed that is removed stays in memory, unseen, until the store is dropped.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new().with_value(7_u8);
    /// assert!(store.remove::<u8>());
    /// assert!(!store.remove::<u8>());
    /// assert_eq!(store.get::<u8>(), None);
    /// ```
    pub fn remove<T>(&self) -> bool
    where
        T: Send + Sync + 'static,
    {
        self.contains::<T>() && !matches!(self.late.remove::<T>(), Lookup::Removed)
    }

    /// Returns a clone of the value of a type, which is made by `f` if there is none.
    ///
    /// Of several callers at once each may run its `f`; the first to insert wins, and all return its value.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// let store = Store::new();
    /// assert_eq!(store.get_or_insert_with(|| 1_u8), 1);
    /// assert_eq!(store.get_or_insert_with(|| 2_u8), 1);
    /// ```
    pub fn get_or_insert_with<T>(&self, f: impl FnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.get() {
            return value;
        }
        let made = Arc::new(f());
        match self.late.set_if_absent(Arc::clone(&made)) {
            Ok(()) => T::clone(&made),
            Err(winner) => T::clone(&winner),
        }
    }

    /// Makes the store a child; called once, on the way into a `RequestContext`.
    pub(crate) fn link(&mut self, parent: RequestContext) {
        self.parent = Some(parent);
    }

    /// The names of the types that `get` finds, sorted.
    pub(crate) fn type_names(&self) -> Vec<&'static str> {
        let mut decided = HashSet::<TypeId>::new();
        let mut names = Vec::new();
        let mut next = Some(self);
        while let Some(store) = next {
            let seeds = store.seeds.types().map(|(id, name)| (id, Some(name)));
            for (id, name) in store.late.types().into_iter().chain(seeds) {
                if decided.insert(id) {
                    names.extend(name);
                }
            }
            next = store.parent.as_deref();
        }
        names.sort_unstable();
        names
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_types(f, "Store", self)
    }
}

/// Prints the names of a store's types under the name of what holds it.
pub(crate) fn fmt_types(f: &mut fmt::Formatter<'_>, holder: &str, store: &Store) -> fmt::Result {
    struct Names(Vec<&'static str>);

    impl fmt::Debug for Names {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            let mut set = f.debug_set();
            for name in &self.0 {
                set.entry(&format_args!("{name}"));
            }
            set.finish()
        }
    }

    f.debug_struct(holder).field("values", &Names(store.type_names())).finish()
}

impl Drop for Store {
    fn drop(&mut self) {
        if !self.seeds.is_empty() || self.late.is_written() {
            // Nobody can hold this context any more, and whichever is current here is another request's: the values'
            // destructors run in none. Late values may lean on seeds, and later seeds on earlier ones.
            scope::sync_scope(None, || {
                drop_each(self.late.take());
                drop_each(self.seeds.take());
            });
        }
        // A chain of parents that only this store kept alive is taken apart here, link by link and not by recursion.
        let mut parent = self.parent.take();
        while let Some(mut store) = parent.and_then(RequestContext::into_store) {
            parent = store.parent.take();
        }
    }
}

/// Drops values one by one; a panic in one, which the panic hook has reported, stops neither the others nor the caller.
fn drop_each(mut values: impl Iterator) {
    while let Err(payload) = catch_unwind(AssertUnwindSafe(|| values.by_ref().for_each(drop))) {
        // The payload is a value of the panicking code, with a `Drop` that may panic too.
        mem::forget(payload);
    }
}
