//! Handles: to the current context, to new contexts and to children.

use std::sync::Arc;

use super::{RequestContext, WeakRequestContext, scope};
use crate::{ContextError, Store, lifecycle::ContextKind};

/// # The current context, and handles
impl RequestContext {
    /// Returns the current context, or `None` if no context is current.
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

    /// Returns the current context, or an error whose message lists possible causes.
    ///
    /// ```
    /// # use tower_request_context::{ContextError, RequestContext};
    /// assert_eq!(RequestContext::try_current().unwrap_err(), ContextError::NoContext);
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`] if no context is current.
    pub fn try_current() -> Result<Self, ContextError> {
        Self::current().ok_or(ContextError::NoContext)
    }

    /// Returns whether a context is current.
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

    /// Creates a context without a parent.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let context = RequestContext::new(Store::new().with_value(7_u8));
    /// assert_eq!(context.get::<u8>(), Some(7));
    /// ```
    #[must_use]
    pub fn new(store: Store) -> Self {
        store.into_context(ContextKind::Plain, None)
    }

    /// Creates a child of this context.
    ///
    /// A read in the child that finds no value looks at the parent. Writes change the child only.
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
        store.into_context(ContextKind::Plain, Some(self.clone()))
    }

    /// Creates a child of the current context. If no context is current, creates a context without a parent.
    ///
    /// ```
    /// # use tower_request_context::{RequestContext, Store};
    /// let outer = RequestContext::new(Store::new().with_value(7_u8));
    /// let inner = outer.sync_scope(|| RequestContext::inherit(Store::new().with_value("inner")));
    /// assert_eq!((inner.get::<u8>(), inner.get::<&str>()), (Some(7), Some("inner")));
    /// assert_eq!(outer.get::<&str>(), None);
    /// ```
    ///
    /// Below a `tower::buffer`, no context is current in `Service::call`, since the buffer's worker makes that call on
    /// its own task. A context that is created there has no parent. It hides the request's context wherever it is
    /// entered, also in the future and in the body. Do one of these instead:
    ///
    /// * Call `inherit` in the future, which the buffer's caller polls in the request's context.
    /// * In `Service::call`, create a [`child`](Self::child) of the context in the request's extensions. See the
    ///   [recipe](crate::recipes::libraries#a-context-without-a-layer).
    ///
    /// A layer with [`Nesting::Inherit`](crate::Nesting::Inherit) looks at the extensions itself.
    #[must_use]
    pub fn inherit(store: Store) -> Self {
        store.into_context(ContextKind::Plain, Self::current())
    }

    /// Returns a weak handle, which does not keep the values alive.
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
}
