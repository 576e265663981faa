//! Into a context and out of it: closures, futures, bodies, tasks and threads.

#[cfg(feature = "rt")]
use tokio::task::JoinHandle;

use crate::{RequestContext, Scoped, scope};

/// # Carrying it along
impl RequestContext {
    /// Puts a future, a stream or a body into this context: it is polled and dropped there.
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
    ///
    /// `f` should not wait for a thread pool that it runs on. While a thread of a rayon pool waits (in `join`, `scope`,
    /// `install`, `yield_now` or a parallel iterator), it runs other jobs of the pool, and a job of another request then
    /// runs in this context. See the [recipe](crate::recipes::tasks#tasks-and-threads).
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        scope::sync_scope(Some(self.clone()), f)
    }

    /// Puts a future, a stream or a body into the context that is current now, wherever it will be polled and dropped.
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

    /// Binds a closure to the context that is current now: it is called and dropped in that context, on any thread.
    ///
    /// Use it for work that is not a future: a job of a thread pool, a new thread, `JoinSet::spawn_blocking`. If the closure
    /// is never called, its captured values are dropped in the context too. Where no context is current now, none is
    /// current inside, whatever is current on the thread that calls it.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let work = context.sync_scope(|| RequestContext::bind(RequestContext::get::<u8>));
    /// assert_eq!(std::thread::spawn(work).join().unwrap(), Some(7));
    /// ```
    #[must_use = "the closure does nothing until it is called"]
    pub fn bind<F, R>(f: F) -> impl FnOnce() -> R
    where
        F: FnOnce() -> R,
    {
        let carried = Self::carry(f);
        || carried.call()
    }

    /// Puts a future, a stream or a body outside of any context.
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
    #[cfg(feature = "rt")]
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
    #[cfg(feature = "rt")]
    #[track_caller]
    pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        tokio::task::spawn_blocking(Self::bind(f))
    }
}
