//! A handle to a context that does not keep its values alive.

use std::{fmt, sync::Weak};

use http::Extensions;

use super::RequestContext;
use crate::{Store, store::fmt_types};

/// A handle to a [`RequestContext`] that does not keep its values alive.
///
/// [`RequestContext::downgrade`] returns one. A layer with the option
/// [`insert_extension`](crate::RequestContextLayer::insert_extension) inserts one into the request's extensions.
///
/// ```
/// # use tower_request_context::{RequestContext, Store};
/// let context = RequestContext::new(Store::new().with_value(7_u8));
/// let weak = context.downgrade();
/// assert_eq!(weak.upgrade().unwrap().get::<u8>(), Some(7));
/// ```
#[derive(Clone)]
pub struct WeakRequestContext(pub(super) Weak<Store>);

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

    /// Returns the context whose handle is in the extensions of a request, unless it has ended.
    pub(crate) fn live_context_in(extensions: &Extensions) -> Option<RequestContext> {
        extensions.get().and_then(Self::upgrade).filter(|context| !context.is_ended())
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
