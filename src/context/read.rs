//! Reading values of the current context.

use std::any::type_name;

use super::{RequestContext, missing, scope};
use crate::ContextError;

/// # Reading values
///
/// Except for `expect`, each function here does what the method of [`Store`](crate::Store) with the same name does, on
/// the current context.
impl RequestContext {
    /// Returns a clone of the value of type `T`, or `None` if there is no such value or no context is current.
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

    /// Returns a clone of the value of type `T`, or an error whose message lists possible causes.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext, Store};
    /// assert_eq!(RequestContext::try_get::<u8>(), Err(ContextError::NoContext));
    /// let missing = RequestContext::new(Store::new()).sync_scope(RequestContext::try_get::<u8>);
    /// assert!(matches!(missing, Err(ContextError::Missing { .. })));
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`] if no context is current, or [`ContextError::Missing`] if it has no such
    /// value.
    #[inline]
    pub fn try_get<T>() -> Result<T, ContextError>
    where
        T: Clone + Send + Sync + 'static,
    {
        scope::with_current(|context| context.ok_or(ContextError::NoContext)?.try_get())
    }

    /// Returns a clone of the value of type `T`. Panics if there is none.
    ///
    /// ```should_panic
    /// # use tower_request_context::RequestContext;
    /// RequestContext::expect::<u8>(); // cannot read `u8`: no request context is current; …
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if no context is current, or if it holds no value of type `T`. The message names the type, and lists
    /// possible causes and their fixes. It lists up to 16 types that the context holds, and points out similar ones,
    /// such as an `Option` or `Arc` of the missing type. It contains no values.
    #[must_use]
    #[track_caller]
    pub fn expect<T>() -> T
    where
        T: Clone + Send + Sync + 'static,
    {
        match Self::try_get() {
            Ok(value) => value,
            Err(error) => missing::panic(error, type_name::<T>()),
        }
    }

    /// Calls `f` with a reference to the value of type `T`, which need not be `Clone`. Returns `None` if there is no
    /// such value or no context is current.
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

    /// Returns whether a context is current and has a value of type `T`.
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
}
