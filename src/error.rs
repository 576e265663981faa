//! Why a value could not be had from a context, or a callback not be left with it.

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

/// Says why a callback was not registered: it will not be called, and was dropped.
///
/// Its text names the likely cause and the cure. It is written for logs: do not send it to clients.
///
/// ```
/// use tower_request_context::{CallbackError, RequestContext};
///
/// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::Inactive));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// No context is current where the call was made.
    Inactive,
    /// The head of the response has been sent already.
    ResponseSent,
    /// The request is over already.
    Ended,
    /// The context belongs to no request, and to no run that would end.
    NoRequest,
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inactive => ContextError::Inactive.fmt(f),
            Self::ResponseSent => f.write_str(
                "the head of the response has been sent: a response callback came from the response body or from a task \
                 that was spawned; register it before the handler returns",
            ),
            Self::Ended => f.write_str(
                "the request is over: a callback came from a task that outlived it, or from another end callback; \
                 register it while the response body is still being sent",
            ),
            Self::NoRequest => f.write_str(
                "the request context has no end to wait for, or no response: it was made by hand and is only scoped, or \
                 is that of a `Store::run` outside of any request; enter it with `Store::run`, or register the callback \
                 below a `RequestContextLayer`",
            ),
        }
    }
}

impl Error for CallbackError {}

impl From<CallbackError> for StatusCode {
    fn from(_: CallbackError) -> Self {
        Self::INTERNAL_SERVER_ERROR
    }
}
