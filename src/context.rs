//! A shared pointer to a store, and the one that is current.

mod carry;
mod current;
mod missing;
mod weak;

use std::{fmt, ops::Deref, sync::Arc};

pub use self::weak::WeakRequestContext;
use crate::{ContextError, Store, end::Role, scope, store::fmt_types};

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
    /// Below a `tower::buffer` no context is current in `Service::call`, since the buffer's worker makes that call on its
    /// own task. A context that is made there has no parent. Where it is entered, it hides the request's context, also in
    /// the future and in the body. Instead, call `inherit` in the future, or make a [`child`](Self::child) of the context
    /// in the request's extensions, as this [recipe](crate::recipes::middleware#in-a-library) shows. A layer with
    /// [`Nesting::Inherit`](crate::Nesting::Inherit) looks there itself.
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
    /// assert_eq!(RequestContext::try_current().unwrap_err(), ContextError::NoContext);
    /// ```
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`] where no context is current.
    pub fn try_current() -> Result<Self, ContextError> {
        Self::current().ok_or(ContextError::NoContext)
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

    #[inline]
    pub(crate) fn share(store: Store) -> Self {
        Self(Arc::new(store))
    }

    /// Makes this context a child of another. It must not have been cloned yet: then it has no readers either.
    pub(crate) fn set_parent(&mut self, parent: Option<Self>) {
        let store = Arc::get_mut(&mut self.0).expect("a context that was never entered has one handle");
        store.set_parent(parent);
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    pub(crate) fn into_store(self) -> Option<Store> {
        Arc::into_inner(self.0)
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
