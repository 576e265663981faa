//! The current context and handles to contexts.
//!
//! A context is a shared [`Store`], and a store holds the context of its parent. So this module and [`store`](crate::store)
//! use each other.

// rustdoc lists methods in the order of these modules.
mod read;

mod write;

mod handles;

mod spawn;

mod callbacks;

mod call_guard;
mod end_reporter;
mod missing;
mod run;
pub(crate) mod scope;
mod scoped;
mod weak;

use std::{fmt, ops::Deref, sync::Arc};

pub(crate) use self::{call_guard::CallGuard, end_reporter::EndReporter};
pub use self::{run::Run, scoped::Scoped, weak::WeakRequestContext};
use crate::{Store, store::fmt_types};

/// A handle to the [`Store`] of a request, and access to the current one.
///
/// Associated functions work on the *current* context: `RequestContext::get::<UserId>()`. Methods work on *this* context,
/// and most of them are those of [`Store`]: `context.get::<UserId>()`.
///
/// A clone takes one atomic increment. A handle keeps the values alive, and can read them after the request has ended.
/// Use a [`WeakRequestContext`] in a cache, a timer, an extension, and in a value of the store itself: a handle that is
/// stored in its own context is never freed.
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

impl RequestContext {
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
