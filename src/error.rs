//! Why a value could not be had from a context, or a callback not be left with it.

use std::{error::Error, fmt};

use http::StatusCode;

/// The error returned when no [`RequestContext`](crate::RequestContext) is current, or it holds no value of a type.
///
/// The message names the type, the likely causes and their fixes. It is written for logs: do not send it to clients.
///
/// ```
/// use tower_request_context::{ContextError, RequestContext, Store};
///
/// let context = RequestContext::new(Store::new());
/// assert!(matches!(RequestContext::try_get::<u8>(), Err(ContextError::NoContext)));
/// assert!(matches!(context.try_get::<u8>(), Err(ContextError::Missing { type_name: "u8", .. })));
/// ```
///
/// # As a response
///
/// The error converts into the [`StatusCode`] 500, so `?` works in a function that returns a `StatusCode` as its error.
/// With the feature `axum` it also implements `IntoResponse`: status 500, an empty body, and the error in the response's
/// extensions. Return `ContextError` from handlers rather than `StatusCode`, so that middleware finds it there.
///
/// With the feature `tracing`, each of these conversions logs the message once, at level `ERROR` with the target
/// `tower_request_context`: the server has a bug, and the client sees only the status. An error that you handle yourself
/// is not logged. That includes the `None` of `Option<ContextValue<T>>` and the `Err` of
/// `Result<ContextValue<T>, ContextError>`.
///
/// ```
/// # use axum::response::IntoResponse;
/// # use tower_request_context::{ContextError, RequestContext};
/// #[derive(Clone)]
/// struct UserId(u64);
///
/// /// A handler of axum. Without a `UserId`, the client gets status 500.
/// async fn user() -> Result<String, ContextError> {
///     let UserId(id) = RequestContext::try_get()?;
///     Ok(format!("user {id}"))
/// }
/// # let response = futures_util::FutureExt::now_or_never(user()).unwrap().into_response();
/// # assert_eq!(response.status(), http::StatusCode::INTERNAL_SERVER_ERROR);
/// # assert_eq!(response.extensions().get(), Some(&ContextError::NoContext));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ContextError {
    /// No context is current where the call was made.
    NoContext,
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
            Self::NoContext => f.write_str(
                "no request context is current: this code runs on a route without `RequestContextLayer` (put the layer \
                 around the route), in middleware outside the layer (add the layer outside it: axum's last `.layer` \
                 and `ServiceBuilder`'s first are outermost), in a bare `tokio::spawn` or thread (use `RequestContext::spawn` or \
                 `RequestContext::carry`), in a call that `tower::buffer` or a framework adapter makes on another task \
                 (use `RequestContextLayer::insert_extension`), outside any request (use `Store::run`), or with a second, \
                 incompatible version of tower-request-context (see `cargo tree -d`)",
            ),
            Self::Missing { type_name } => write!(
                f,
                "no `{type_name}` in the request context: the setup of `RequestContextLayer` did not insert it and \
                 nothing has set it since (insert it in the setup, or set it before it is read), it was inserted as another \
                 type, such as an `Option` or `Arc` of it (read that type), it was removed, or an inner layer started \
                 from its own store (use `Nesting::Inherit`)",
            ),
        }
    }
}

impl Error for ContextError {}

/// Returns 500, and logs the error with the feature `tracing`.
impl From<ContextError> for StatusCode {
    fn from(error: ContextError) -> Self {
        internal_server_error(&error)
    }
}

/// The error returned when a callback is not registered. The callback is dropped and never called.
///
/// The message names the likely cause and its fix. It is written for logs: do not send it to clients. The error becomes a
/// response, and is logged, like a [`ContextError`](ContextError#as-a-response).
///
/// ```
/// use tower_request_context::{CallbackError, RequestContext};
///
/// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::NoContext));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// No context is current where the call was made.
    NoContext,
    /// The head of the response has been sent already.
    HeadersSent,
    /// The request is over already.
    Ended,
    /// The context belongs to no request, and to no run that would end.
    NoLifecycle,
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoContext => ContextError::NoContext.fmt(f),
            Self::HeadersSent => f.write_str(
                "the head of the response has been sent: a response callback came from the response body or from a task \
                 that was spawned; register it before the handler returns",
            ),
            Self::Ended => f.write_str(
                "the request is over: a callback came from a task that outlived it, or from another end callback; \
                 register it while the response body is still being sent",
            ),
            Self::NoLifecycle => f.write_str(
                "the request context has no end to wait for, or no response: it was made by hand and is only scoped, or \
                 is that of a `Store::run` outside of any request; enter it with `Store::run`, or register the callback \
                 below a `RequestContextLayer`",
            ),
        }
    }
}

impl Error for CallbackError {}

/// Returns 500, and logs the error with the feature `tracing`.
impl From<CallbackError> for StatusCode {
    fn from(error: CallbackError) -> Self {
        internal_server_error(&error)
    }
}

/// Every conversion into a response goes through here once, so that each error is logged once.
fn internal_server_error(error: &dyn Error) -> StatusCode {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "tower_request_context", "{error}");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
    StatusCode::INTERNAL_SERVER_ERROR
}
