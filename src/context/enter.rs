//! Entering and leaving a context, for one call or for a future.

use super::{RequestContext, Scoped, scope};

/// # Entering and leaving a context
impl RequestContext {
    /// Wraps a future, a stream or a body so that it is polled and dropped in this context.
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
    /// `f` should not wait for the thread pool that it runs on. While a thread of a rayon pool waits (in `join`,
    /// `scope`, `install`, `yield_now` or a parallel iterator), it runs other jobs of the pool. A job of another
    /// request then runs in this context. See the [recipe](crate::recipes::tasks#thread-pools-rayon).
    pub fn sync_scope<R>(&self, f: impl FnOnce() -> R) -> R {
        scope::sync_scope(Some(self.clone()), f)
    }

    /// Wraps a future, a stream or a body so that no context is current while it is polled and dropped.
    ///
    /// Use it for work that several requests share: filling a cache, opening a pooled connection, a `Shared` future.
    /// Otherwise that work runs in the context of the request that happens to poll it.
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

    /// Calls `f` while no context is current, and returns what it returned.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert!(!context.sync_scope(|| RequestContext::sync_exit(RequestContext::is_active)));
    /// ```
    pub fn sync_exit<R>(f: impl FnOnce() -> R) -> R {
        scope::sync_scope(None, f)
    }
}
