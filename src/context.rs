//! A shared pointer to a store, and the one that is current.

use std::{
    fmt,
    ops::Deref,
    sync::{Arc, Weak},
};

use tokio::task::JoinHandle;

use http::response::Parts;

use crate::{CallbackError, ContextError, End, Scoped, Store, end::Role, scope, store::fmt_types};

/// A shared pointer to the [`Store`] of a request, and the way to the one that is current.
///
/// What works on *this* context is a method, most of them [`Store`]'s: `context.get::<UserId>()`. What works on the
/// *current* context is an associated function: `RequestContext::get::<UserId>()`.
///
/// Cloning it is one atomic increment. A handle that outlives its request still reads, since it owns the values; what
/// should not keep them alive (a cache, a timer, an extension, a value of the store itself) holds a
/// [`WeakRequestContext`]: a handle that is stored in its own context is never freed.
///
/// ```
/// use tower_request_context::{RequestContext, Store};
///
/// #[derive(Clone, Debug, PartialEq)]
/// struct UserId(u64);
///
/// let context = RequestContext::new(Store::new().with_value(UserId(7)));
/// assert_eq!(context.get(), Some(UserId(7)));
/// assert_eq!(RequestContext::get::<UserId>(), None);
/// context.sync_scope(|| assert_eq!(RequestContext::get(), Some(UserId(7))));
/// ```
#[derive(Clone)]
pub struct RequestContext(Arc<Store>);

/// # Handles
impl RequestContext {
    /// Makes a context that inherits from none.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// assert_eq!(context.get::<u8>(), Some(7));
    /// ```
    #[must_use]
    pub fn new(store: Store) -> Self {
        store.into_context(Role::Scoped, None)
    }

    /// Makes a child of the current context, or a context that inherits from none where none is current.
    ///
    /// The child reads what the current context holds, at the time of each read. What it writes stays in it.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let outer = RequestContext::new(Store::new().with_value(7_u8));
    /// let inner = outer.sync_scope(|| RequestContext::inherit(Store::new().with_value("inner")));
    /// assert_eq!((inner.get::<u8>(), inner.get::<&str>()), (Some(7), Some("inner")));
    /// assert_eq!(outer.get::<&str>(), None);
    /// ```
    #[must_use]
    pub fn inherit(store: Store) -> Self {
        store.into_context(Role::Scoped, Self::current())
    }

    /// Makes a child of this context.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let parent = RequestContext::new(Store::new().with_value(1_u8));
    /// let child = parent.child(Store::new());
    /// child.set(2_u8);
    /// assert_eq!((parent.get::<u8>(), child.get::<u8>()), (Some(1), Some(2)));
    /// ```
    #[must_use]
    pub fn child(&self, store: Store) -> Self {
        store.into_context(Role::Scoped, Some(self.clone()))
    }

    /// Returns the current context.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let current = context.sync_scope(RequestContext::current);
    /// assert_eq!(current.unwrap().get::<u8>(), Some(7));
    /// assert!(RequestContext::current().is_none());
    /// ```
    #[must_use]
    pub fn current() -> Option<Self> {
        scope::with_current(|context| Some(context?.clone()))
    }

    /// Returns the current context, or an error that says why there may be none.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext};
    /// assert_eq!(RequestContext::try_current().unwrap_err(), ContextError::Inactive);
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Inactive`] where no context is current.
    pub fn try_current() -> Result<Self, ContextError> {
        Self::current().ok_or(ContextError::Inactive)
    }

    /// Returns a handle that does not keep the values alive.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// let weak = context.downgrade();
    /// drop(context);
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakRequestContext {
        WeakRequestContext(Arc::downgrade(&self.0))
    }

    /// Puts a future or a body into this context: it is polled and dropped there.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let task = tokio::spawn(context.scope(async { RequestContext::get::<u8>() }));
    /// assert_eq!(task.await.unwrap(), Some(7));
    /// # }
    /// ```
    pub fn scope<T>(&self, inner: T) -> Scoped<T> {
        Scoped::new(Some(self.clone()), inner)
    }

    /// Calls `f` in this context and returns what it returned.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// assert_eq!(context.sync_scope(RequestContext::get::<u8>), Some(7));
    /// ```
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        scope::sync_scope(Some(self.clone()), f)
    }

    /// Puts a future or a body into the context that is current now, wherever it will be polled and dropped.
    ///
    /// This is for what [`spawn`](Self::spawn) does not spawn: a `JoinSet`, a `TaskTracker`, `spawn_local`. Call it where
    /// the context is: a callback that some library runs in a task of its own, as axum does with that of a WebSocket, has
    /// nothing to carry, so give it a handle from [`current`](Self::current) to [`scope`](Self::scope) with. Where no
    /// context is current now, none will be inside, as with [`exit`](Self::exit).
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let mut tasks = tokio::task::JoinSet::new();
    /// context.sync_scope(|| tasks.spawn(RequestContext::carry(async { RequestContext::get::<u8>() })));
    /// assert_eq!(tasks.join_all().await, [Some(7)]);
    /// # }
    /// ```
    pub fn carry<T>(inner: T) -> Scoped<T> {
        Scoped::new(Self::current(), inner)
    }

    /// Puts a future or a body outside of any context.
    ///
    /// What several requests share should run so: a cache that is being filled, a pooled connection, a `Shared` future.
    /// Otherwise it runs as whichever request happens to poll it.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new());
    /// let shared = RequestContext::exit(async { RequestContext::is_active() });
    /// assert!(!context.scope(shared).await);
    /// # }
    /// ```
    pub fn exit<T>(inner: T) -> Scoped<T> {
        Scoped::new(None, inner)
    }

    /// Calls `f` outside of any context and returns what it returned.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert!(!context.sync_scope(|| RequestContext::sync_exit(RequestContext::is_active)));
    /// ```
    pub fn sync_exit<R>(f: impl FnOnce() -> R) -> R {
        scope::sync_scope(None, f)
    }

    /// Spawns a future on tokio's runtime, in the context that is current now: `tokio::spawn(carry(future))`.
    ///
    /// A bare `tokio::spawn` carries nothing.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let task = context.sync_scope(|| RequestContext::spawn(async { RequestContext::get::<u8>() }));
    /// assert_eq!(task.await.unwrap(), Some(7));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::spawn`] does.
    #[track_caller]
    pub fn spawn<T>(future: T) -> JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        tokio::spawn(Self::carry(future))
    }

    /// Runs a closure on a thread of tokio's that may block, in the context that is current now.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let task = context.sync_scope(|| RequestContext::spawn_blocking(RequestContext::get::<u8>));
    /// assert_eq!(task.await.unwrap(), Some(7));
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as [`tokio::task::spawn_blocking`] does.
    #[track_caller]
    pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let carried = Self::carry(f);
        tokio::task::spawn_blocking(|| carried.call())
    }

    pub(crate) fn share(store: Store) -> Self {
        Self(Arc::new(store))
    }

    pub(crate) fn into_store(self) -> Option<Store> {
        Arc::into_inner(self.0)
    }
}

/// # The current context
///
/// Each reader and writer here is the method of [`Store`] with the same name, called on the context that is current.
impl RequestContext {
    /// Tells whether a context is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// assert!(!RequestContext::is_active());
    /// assert!(RequestContext::new(Store::new()).sync_scope(RequestContext::is_active));
    /// ```
    #[must_use]
    pub fn is_active() -> bool {
        scope::with_current(|context| context.is_some())
    }

    /// Returns a clone of the value of a type; `None` if there is no such value or no context is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// context.sync_scope(|| assert_eq!(RequestContext::get::<u8>(), Some(7)));
    /// assert_eq!(RequestContext::get::<u8>(), None);
    /// ```
    #[inline]
    #[must_use]
    pub fn get<T>() -> Option<T>
    where
        T: Clone + Send + Sync + 'static,
    {
        Self::with(T::clone)
    }

    /// Returns a clone of the value of a type, or an error that says what is missing and why that may be.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// assert_eq!(RequestContext::try_get::<u8>(), Err(ContextError::Inactive));
    /// let missing = RequestContext::new(Store::new()).sync_scope(RequestContext::try_get::<u8>);
    /// assert!(matches!(missing, Err(ContextError::Missing { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Inactive`] where no context is current, [`ContextError::Missing`] if it has no such value.
    #[inline]
    pub fn try_get<T>() -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| context.ok_or(ContextError::Inactive)?.try_get())
    }

    /// Returns a clone of the value of a type where its absence is a bug.
    ///
    /// ```should_panic
    /// # use tower_request_context::RequestContext;
    /// RequestContext::expect::<u8>(); // no request context is current: …
    /// ```
    ///
    /// # Panics
    ///
    /// With the text of the [`ContextError`] where [`try_get`](Self::try_get) would return one.
    #[must_use]
    #[track_caller]
    pub fn expect<T>() -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::try_get() {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// Calls `f` with the value of a type, which need not be `Clone`; `None` if there is no such value or no context
    /// is current.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(String::from("a long text")));
    /// let length = context.sync_scope(|| RequestContext::with(|text: &String| text.len()));
    /// assert_eq!(length, Some(11));
    /// ```
    #[inline]
    pub fn with<T, R>(f: impl FnOnce(&T) -> R) -> Option<R>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| context?.0.with(f))
    }

    /// Tells whether a context is current and has a value of a type.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(false));
    /// assert!(context.sync_scope(RequestContext::contains::<bool>));
    /// assert!(!RequestContext::contains::<bool>());
    /// ```
    #[must_use]
    pub fn contains<T>() -> bool
    where
        T: Send + Sync + 'static,
    {
        Self::with(|_: &T| ()).is_some()
    }

    /// Sets a value in the current context, in place of what it or its parents hold.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::set(7_u8)), Ok(()));
    /// assert_eq!(context.get::<u8>(), Some(7));
    /// assert_eq!(RequestContext::set(7_u8), Err(ContextError::Inactive));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Inactive`] where no context is current; the value is dropped then.
    pub fn set<T>(value: T) -> Result<(), ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| {
            context.ok_or(ContextError::Inactive)?.0.set(value);
            Ok(())
        })
    }

    /// Changes a value of the current context in one atomic step and returns what `f` returned.
    ///
    /// `f` works on a clone and may run again if another writer was quicker; see [`Store::update`].
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(1_u8));
    /// assert_eq!(context.sync_scope(|| RequestContext::update(|n: &mut u8| *n += 1)), Ok(()));
    /// assert_eq!(context.get::<u8>(), Some(2));
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::Inactive`] where no context is current, [`ContextError::Missing`] if it has no such value.
    pub fn update<T, R>(f: impl FnMut(&mut T) -> R) -> Result<R, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| {
            let context = context.ok_or(ContextError::Inactive)?;
            context.0.update(f).ok_or_else(ContextError::missing::<T>)
        })
    }

    /// Returns a clone of the value of a type, which is made by `f` if there is none, and made once a request.
    ///
    /// Outside of a context it just calls `f`. See [`Store::get_or_init`].
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    /// assert_eq!(context.scope(RequestContext::get_or_init(async || 2_u8)).await, 1);
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// When `f` waits for the value that it is to make.
    pub async fn get_or_init<T>(f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_init(f).await,
            None => f().await,
        }
    }

    /// As [`get_or_init`](Self::get_or_init), with an `f` that may fail; after an error another caller tries.
    ///
    /// ```
    /// # use tower_request_context::RequestContext;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// assert_eq!(RequestContext::get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of `f`.
    ///
    /// # Panics
    ///
    /// When `f` waits for the value that it is to make.
    pub async fn get_or_try_init<T, E>(f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_try_init(f).await,
            None => f().await,
        }
    }

    /// Calls `f` with the head of the current request's response when it is ready. See [`Store::on_response`].
    ///
    /// ```
    /// # use tower_request_context::{CallbackError, RequestContext, Store};
    /// let in_vain = RequestContext::new(Store::new()).sync_scope(|| RequestContext::on_response(|_| {}));
    /// assert_eq!(in_vain, Err(CallbackError::NoRequest));
    /// ```
    ///
    /// # Errors
    ///
    /// A [`CallbackError`] that says why `f` will not be called; it is dropped then.
    pub fn on_response(f: impl FnOnce(&mut Parts) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::Inactive)?.0.try_on_response(f))
    }

    /// Calls `f` when the current request is over, with how it came to that. See [`Store::on_end`].
    ///
    /// ```
    /// # use tower_request_context::{CallbackError, End, RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let job = Store::new().run(async { RequestContext::on_end(|end| assert_eq!(end, End::Completed)) });
    /// assert_eq!(job.await, Ok(()));
    /// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::Inactive));
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A [`CallbackError`] that says why `f` will not be called; it is dropped then.
    pub fn on_end(f: impl FnOnce(End) + Send + 'static) -> Result<(), CallbackError> {
        scope::with_current(|context| context.ok_or(CallbackError::Inactive)?.0.try_on_end(f))
    }
}

impl Deref for RequestContext {
    type Target = Store;

    #[inline]
    fn deref(&self) -> &Store {
        &self.0
    }
}

impl From<Store> for RequestContext {
    fn from(store: Store) -> Self {
        Self::new(store)
    }
}

impl fmt::Debug for RequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt_types(f, "RequestContext", self)
    }
}

/// A handle to a [`RequestContext`] that does not keep its values alive.
///
/// Made by [`RequestContext::downgrade`]; a layer puts one into the request's extensions when it is told to
/// [`insert_extension`](crate::RequestContextLayer::insert_extension).
///
/// ```
/// # use tower_request_context::{RequestContext, Store};
/// let context = RequestContext::new(Store::new().with_value(7_u8));
/// let weak = context.downgrade();
/// assert_eq!(weak.upgrade().unwrap().get::<u8>(), Some(7));
/// ```
#[derive(Clone)]
pub struct WeakRequestContext(Weak<Store>);

impl WeakRequestContext {
    /// Returns the context if its values are still alive.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let weak = RequestContext::new(Store::new()).downgrade();
    /// assert!(weak.upgrade().is_none());
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<RequestContext> {
        self.0.upgrade().map(RequestContext)
    }
}

impl fmt::Debug for WeakRequestContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.upgrade() {
            Some(context) => fmt_types(f, "WeakRequestContext", &context),
            None => f.write_str("WeakRequestContext { dropped }"),
        }
    }
}
