//! The current context and handles to contexts.
//!
//! A context is a shared [`Store`], and a store holds the context of its parent. So this module and
//! [`store`](crate::store) use each other.

// rustdoc lists methods in the order of these modules. The blank lines keep rustfmt from sorting the modules.
mod read;

mod write;

mod handles;

mod spawn;

mod enter;

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
/// Associated functions use the *current* context: `RequestContext::get::<UserId>()`. Methods use *this* context, and
/// most of them are methods of [`Store`]: `context.get::<UserId>()`.
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
///
/// Cloning a handle takes one atomic increment. A handle keeps the values alive, and can read them after the request
/// has ended. Use a [`WeakRequestContext`] in caches, timers and extensions. Use one also in a value of the store
/// itself: a store that holds a handle to itself is never freed.
#[derive(Clone)]
pub struct RequestContext(Arc<Store>);

impl RequestContext {
    #[inline]
    pub(crate) fn share(store: Store) -> Self {
        Self(Arc::new(store))
    }

    /// Makes this context a child of another one. `self` must be the only handle to this context.
    pub(crate) fn set_parent(&mut self, parent: Option<Self>) {
        let store = Arc::get_mut(&mut self.0).expect("a context that was not entered yet has one handle");
        store.set_parent(parent);
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Returns the store if this is the last handle to it.
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
