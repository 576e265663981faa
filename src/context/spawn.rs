//! Propagating the current context to tasks and threads.

#[cfg(feature = "rt")]
use tokio::task::JoinHandle;

use super::{RequestContext, Scoped};

/// # Spawned tasks and threads
impl RequestContext {
    /// Spawns a future on tokio's runtime, in the context that is current now.
    ///
    /// This is `tokio::spawn(RequestContext::carry(future))`. A bare `tokio::spawn` does not propagate the context.
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
    /// Panics if called outside a tokio runtime, as [`tokio::spawn`] does.
    #[cfg(feature = "rt")]
    #[track_caller]
    pub fn spawn<T>(future: T) -> JoinHandle<T::Output>
    where
        T: Future + Send + 'static,
        T::Output: Send + 'static,
    {
        tokio::spawn(Self::carry(future))
    }

    /// Runs a closure on tokio's blocking thread pool, in the context that is current now.
    ///
    /// This is `tokio::task::spawn_blocking(RequestContext::bind(f))`.
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
    /// Panics if called outside a tokio runtime, as [`tokio::task::spawn_blocking`] does.
    #[cfg(feature = "rt")]
    #[track_caller]
    pub fn spawn_blocking<F, R>(f: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        tokio::task::spawn_blocking(Self::bind(f))
    }

    /// Wraps a future, a stream or a body so that it is polled and dropped in the context that is current now.
    ///
    /// Use it where [`spawn`](Self::spawn) does not fit: with a `JoinSet`, a `TaskTracker` or `spawn_local`.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let mut tasks = tokio::task::JoinSet::new();
    /// context.sync_scope(|| {
    ///     tasks.spawn(RequestContext::carry(async { RequestContext::get::<u8>() }))
    /// });
    /// assert_eq!(tasks.join_all().await, [Some(7)]);
    /// # }
    /// ```
    ///
    /// Call it while the context is current. If no context is current, none is current inside either, as with
    /// [`exit`](Self::exit). Some libraries run callbacks on a task of their own, such as axum for a WebSocket. No
    /// context is current there: move a handle from [`current`](Self::current) into the callback, and use
    /// [`scope`](Self::scope).
    pub fn carry<T>(inner: T) -> Scoped<T> {
        Scoped::new(Self::current(), inner)
    }

    /// Wraps a closure so that it is called and dropped in the context that is current now, on any thread.
    ///
    /// Use it for work that is not a future: a job of a thread pool, a new thread, `JoinSet::spawn_blocking`.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// let work = context.sync_scope(|| RequestContext::bind(RequestContext::get::<u8>));
    /// assert_eq!(std::thread::spawn(work).join().unwrap(), Some(7));
    /// ```
    ///
    /// If the closure is never called, its captured values are dropped in the context too. If no context is current
    /// now, none is current inside either, whichever context is current on the thread that calls it.
    #[must_use = "the closure does nothing until it is called"]
    pub fn bind<F, R>(f: F) -> impl FnOnce() -> R
    where
        F: FnOnce() -> R,
    {
        let scoped = Self::carry(f);
        || scoped.call()
    }
}
