//! Writing values to the current context.

use super::{RequestContext, scope};
use crate::ContextError;

/// # Writing values
///
/// Each function here calls the method of [`Store`](crate::Store) with the same name on the current context. Values of
/// its parents do not change.
impl RequestContext {
    /// Sets a value in the current context. It replaces the context's value of that type and hides those of its
    /// parents.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::set(7_u8)), Ok(()));
    /// assert_eq!(context.get::<u8>(), Some(7));
    /// assert_eq!(RequestContext::set(7_u8), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`] if no context is current. The value is dropped in that case.
    pub fn set<T>(value: T) -> Result<(), ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| {
            context.ok_or(ContextError::NoContext)?.0.set(value);
            Ok(())
        })
    }

    /// Sets a value in the current context unless a read finds one, there or in a parent. Returns whether it was set.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::set_if_absent(1_u8)), Ok(true));
    /// assert_eq!(context.sync_scope(|| RequestContext::set_if_absent(2_u8)), Ok(false));
    /// assert_eq!(RequestContext::set_if_absent(1_u8), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`] if no context is current. The value is dropped in that case.
    pub fn set_if_absent<T>(value: T) -> Result<bool, ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| Ok(context.ok_or(ContextError::NoContext)?.0.set_if_absent(value)))
    }

    /// Changes a value of the current context in one atomic step and returns what `f` returned.
    ///
    /// `f` changes a clone, and runs again if another thread writes the value at the same time. See
    /// [`Store::update`](crate::Store::update).
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
    /// Returns [`ContextError::NoContext`] if no context is current, or [`ContextError::Missing`] if it has no such
    /// value.
    pub fn update<T, R>(f: impl FnMut(&mut T) -> R) -> Result<R, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| {
            let context = context.ok_or(ContextError::NoContext)?;
            context.0.update(f).ok_or_else(ContextError::missing::<T>)
        })
    }

    /// Removes a value from the current context. Returns whether there was one.
    ///
    /// A value that a parent holds is hidden in this context and stays in the parent.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// assert_eq!(context.sync_scope(RequestContext::remove::<u8>), Ok(true));
    /// assert_eq!(context.sync_scope(RequestContext::remove::<u8>), Ok(false));
    /// assert_eq!(RequestContext::remove::<u8>(), Err(ContextError::NoContext));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`] if no context is current.
    pub fn remove<T>() -> Result<bool, ContextError>
    where
        T: Send + Sync + 'static,
    {
        scope::with_current(|context| Ok(context.ok_or(ContextError::NoContext)?.0.remove::<T>()))
    }

    /// Returns a clone of the value of type `T`. If there is none, sets the one that `f` returns.
    ///
    /// Concurrent callers may each run their `f`. The first to set its value wins, and all of them return that value.
    /// To run only one at a time, use [`get_or_init`](Self::get_or_init).
    ///
    /// If no context is current, this returns what `f` returns.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new());
    /// assert_eq!(context.sync_scope(|| RequestContext::get_or_insert_with(|| 1_u8)), 1);
    /// assert_eq!(context.sync_scope(|| RequestContext::get_or_insert_with(|| 2_u8)), 1);
    /// assert_eq!(RequestContext::get_or_insert_with(|| 2_u8), 2);
    /// ```
    pub fn get_or_insert_with<T>(f: impl FnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| match context {
            Some(context) => context.0.get_or_insert_with(f),
            None => f(),
        })
    }
}

/// # Lazy values
impl RequestContext {
    /// Returns a clone of the value of type `T`. If there is none, awaits `f`, and sets in the current context the
    /// value that `f` returns.
    ///
    /// One caller at a time runs its `f`. After one has completed, the others return its value, until it is removed.
    ///
    /// If no context is current, this returns what `f` returns. See [`Store::get_or_init`](crate::Store::get_or_init).
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
    /// Panics if `f` waits for its own value: see [`Store::get_or_init`](crate::Store::get_or_init).
    pub async fn get_or_init<T>(f: impl AsyncFnOnce() -> T) -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_init(f).await,
            None => f().await,
        }
    }

    /// Does the same as [`get_or_init`](Self::get_or_init) with an `f` that may fail. After an error, another caller
    /// runs its own `f`.
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
    /// Returns the error that `f` returns. It is not kept.
    ///
    /// # Panics
    ///
    /// Panics if `f` waits for its own value: see [`Store::get_or_init`](crate::Store::get_or_init).
    pub async fn get_or_try_init<T, E>(f: impl AsyncFnOnce() -> Result<T, E>) -> Result<T, E>
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::current() {
            Some(context) => context.0.get_or_try_init(f).await,
            None => f().await,
        }
    }
}
