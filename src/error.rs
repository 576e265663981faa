//! Why a value could not be had from the current context.

use std::{error::Error, fmt};

use http::StatusCode;

/// Says why [`RequestContext`](crate::RequestContext) could not give or take a value.
///
/// Its text names the type, the likely causes and the cure. It is written for logs: do not send it to clients.
/// Where a handler answers with a [`StatusCode`], `?` turns this error into 500.
///
/// ```
/// use tower_request_context::{ContextError, RequestContext, Store};
///
/// let context = RequestContext::new(Store::new());
/// assert!(matches!(RequestContext::try_get::<u8>(), Err(ContextError::Inactive)));
/// assert!(matches!(context.try_get::<u8>(), Err(ContextError::Missing { type_name: "u8", .. })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextError {
    /// No context is current where the call was made.
    Inactive,
    /// The context holds no value of the type.
    #[non_exhaustive]
    Missing {
        /// The name of the type, as [`std::any::type_name`] spells it.
        type_name: &'static str,
    },
}

impl ContextError {
    pub(crate) fn missing<T>() -> Self {
        Self::Missing { type_name: std::any::type_name::<T>() }
    }
}

impl fmt::Display for ContextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inactive => f.write_str(
                "no request context is current: this code runs outside a request, on a route without \
                 `RequestContextLayer`, in a task that was spawned without its context, or beside a second, \
                 incompatible version of tower-request-context; put the layer around the route, spawn with \
                 `RequestContext::spawn` or `RequestContext::carry`, or look for two versions with `cargo tree -d`",
            ),
            Self::Missing { type_name } => write!(
                f,
                "no `{type_name}` in the request context: the setup of `RequestContextLayer` did not insert it and \
                 nothing has set it since, it was removed, or an inner layer started from its own store; insert it in \
                 the setup, or let the inner layer inherit with `Nesting::Inherit`",
            ),
        }
    }
}

impl Error for ContextError {}

impl From<ContextError> for StatusCode {
    fn from(_: ContextError) -> Self {
        Self::INTERNAL_SERVER_ERROR
    }
}
