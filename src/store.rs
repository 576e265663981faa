//! The values of one request, by type.

mod late;
mod once;
mod seeds;
mod type_key;

use std::{
    any::TypeId,
    collections::HashSet,
    convert::Infallible,
    fmt,
    panic::{RefUnwindSafe, UnwindSafe},
    sync::Arc,
};

use http::{Response, response::Parts};

use self::{
    late::{Late, Lookup},
    once::Turns,
    seeds::Seeds,
};
use crate::{
    CallbackError, ContextError, End, RequestContext, Run,
    end::{Callbacks, Role},
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
    late: Late,
    turns: Turns,
    callbacks: Callbacks,
    role: Role,
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
        Self {
            seeds: Seeds::new(),
            late: Late::new(),
            turns: Turns::new(),
            callbacks: Callbacks::new(),
            role: Role::Loose,
            parent: None,
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
    /// The value replaced is dropped before this returns, unless it is being read or updated just then.
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

    /// Returns a clone of the value of a type, which is made by `f` if there is none, and made once.
    ///
    /// Callers that come while it is being made wait for it. If `f` is cancelled or panics, one of them makes the value
    /// with its own. A value that is [`set`](Self::set) meanwhile wins. The value goes into this store; one that a parent
    /// holds is returned as it is.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = Store::new();
    /// assert_eq!(store.get_or_init(async || 1_u8).await, 1);
    /// assert_eq!(store.get_or_init(async || 2_u8).await, 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When `f` waits for the value that it is to make, directly or through the making of others. Where it waits for a
    /// task that waits for the value, it hangs: that cannot be seen from here.
    pub async fn get_or_init<T>(&self, f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        let made = self.get_or_try_init(async || Ok::<T, Infallible>(f().await)).await;
        made.unwrap_or_else(|never| match never {})
    }

    /// As [`get_or_init`](Self::get_or_init), with an `f` that may fail; after an error another caller tries.
    ///
    /// ```
    /// # use tower_request_context::Store;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = Store::new();
    /// assert_eq!(store.get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
    /// assert_eq!(store.get_or_try_init::<u8, &str>(async || Ok(1)).await, Ok(1));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init) does.
    pub async fn get_or_try_init<T, E>(&self, f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
    {
        if let Some(value) = self.get() {
            return Ok(value);
        }
        let turn = loop {
            let turn = self.turns.take::<T>().await;
            if let Some(value) = self.get() {
                return Ok(value);
            }
            if let Some(turn) = turn {
                break turn;
            }
        };
        let made = turn.run(f()).await?;
        Ok(self.get_or_insert_with(|| made))
    }

    /// Calls `f` with the head of the response when it is ready, before its body is sent; says whether it will.
    ///
    /// Callbacks run in the order of their registration, once, in the context, also for the response of a setup that
    /// refuses. They may change the head. It is too late when the head has been sent, and in vain on a context that has
    /// no response, such as one that is only [scoped](RequestContext::scope): `f` is dropped uncalled then. In a child it
    /// is the response of the nearest parent that has one; and what waits for a response that never comes is dropped
    /// uncalled at the end. After a panic in one callback the others still run; then the request fails with it.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// fn deep_inside() {
    ///     RequestContext::current().unwrap().on_response(|head| {
    ///         head.headers.insert("x-cache", http::HeaderValue::from_static("hit"));
    ///     });
    /// }
    /// # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::convert::Infallible};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let service = service_fn(async |_: Request<()>| { deep_inside(); Ok::<_, Infallible>(Response::new(String::new())) });
    /// # let service = tower_request_context::RequestContextLayer::default().layer(service);
    /// # assert_eq!(service.oneshot(Request::new(())).await.unwrap().headers()["x-cache"], "hit");
    /// # }
    /// ```
    pub fn on_response(&self, f: impl FnOnce(&mut Parts) + Send + 'static) -> bool {
        self.try_on_response(f).is_ok()
    }

    /// Calls `f` when the request is over, with how it came to that; says whether it will.
    ///
    /// Callbacks run in the order of their registration, once, in the context, after the response body was dropped and
    /// before the values are; see [`End`] for when that is. They are synchronous and run while the server waits, so they
    /// should be quick: spawn what is not. A panic in one is reported by the panic hook and goes no further.
    ///
    /// It is too late when the request is over, and in vain on a context without an end: `f` is dropped uncalled then. In
    /// a child it is the end of the nearest parent that has one.
    ///
    /// ```
    /// # use tower_request_context::{End, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let store = Store::new();
    /// assert!(store.on_end(|end| assert_eq!(end, End::Cancelled)));
    /// drop(store.run(std::future::pending::<()>()));
    /// # }
    /// ```
    pub fn on_end(&self, f: impl FnOnce(End) + Send + 'static) -> bool {
        self.try_on_end(f).is_ok()
    }

    /// Tells whether the request, or the [`Run`], that this store belongs to is over; never where there is no end.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = Store::new().run(async { RequestContext::current().unwrap() }).await;
    /// assert!(context.is_ended());
    /// # }
    /// ```
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.nearest(Role::has_end).is_some_and(|store| store.callbacks.is_ended())
    }

    /// Runs a future as a unit of work that is no HTTP request: a job, a message of a queue, a test.
    ///
    /// It gets this store as a context of its own, which inherits from the current one, if any, and ends with the future:
    /// `Completed` when that is ready, whatever its output, else `Cancelled` or `Panicked`. The end of a request around it
    /// is not touched.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().with_value(7_u8).run(async { RequestContext::get::<u8>() });
    /// assert_eq!(job.await, Some(7));
    /// # }
    /// ```
    pub fn run<T>(self, future: T) -> Run<T>
    where
        T: Future,
    {
        Run::new(self.into_context(Role::Run, RequestContext::current()), future)
    }

    pub(crate) fn try_on_response(&self, f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest(Role::has_response).ok_or(CallbackError::NoRequest)?;
        store.callbacks.on_response(Box::new(f))
    }

    pub(crate) fn try_on_end(&self, f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        let store = self.nearest(Role::has_end).ok_or(CallbackError::NoRequest)?;
        store.callbacks.on_end(Box::new(f))
    }

    pub(crate) fn respond<B>(&self, response: Response<B>) -> Response<B> {
        self.callbacks.respond(response)
    }

    pub(crate) fn end(&self, how: End) {
        self.callbacks.end(how);
    }

    pub(crate) fn has_callbacks(&mut self) -> bool {
        self.callbacks.are_waiting()
    }

    /// Shares the store. From now on it has a role, and perhaps a parent; both stay as they are.
    pub(crate) fn into_context(mut self, role: Role, parent: Option<RequestContext>) -> RequestContext {
        self.role = role;
        self.parent = parent;
        RequestContext::share(self)
    }

    fn nearest(&self, is_it: impl Fn(Role) -> bool) -> Option<&Self> {
        let mut store = self;
        while !is_it(store.role) {
            store = store.parent.as_ref()?;
        }
        Some(store)
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
        if !self.seeds.is_empty() || self.late.is_written() || self.callbacks.are_waiting() {
            // Nobody can hold this context any more, and whichever is current here is another request's: the values'
            // destructors run in none. Late values may lean on seeds.
            scope::sync_scope(None, || {
                self.callbacks.forget();
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
