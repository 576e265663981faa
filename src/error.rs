//! Error types.

use std::{error::Error, fmt};

use http::StatusCode;

/// The error returned when no [`RequestContext`](crate::RequestContext) is current, or when it holds no value of a
/// type.
///
/// ```
/// use tower_request_context::{ContextError, RequestContext, Store};
///
/// let context = RequestContext::new(Store::new());
/// assert!(matches!(RequestContext::try_get::<u8>(), Err(ContextError::NoContext)));
/// assert!(matches!(context.try_get::<u8>(), Err(ContextError::Missing { type_name: "u8", .. })));
/// ```
///
/// The message lists possible causes and their fixes, and if a value is missing, names its type. It is meant for logs.
/// Do not send it to clients.
///
/// # As a response
///
/// The error converts into [`StatusCode`] 500, so `?` works in a function whose error type is `StatusCode`. With the
/// feature `axum` it also implements `IntoResponse`: status 500, an empty body, and the error in the response's
/// extensions. Return `ContextError` from handlers rather than `StatusCode`, so that middleware finds the error in the
/// extensions.
///
/// With the feature `tracing`, each of these conversions logs the message once, at level `ERROR` with the target
/// `tower_request_context`. Such an error is a bug in the server, and the client sees only the status. An error that
/// you handle yourself is not logged. This includes the `None` of an `Option<ContextValue<T>>` and the `Err` of a
/// `Result<ContextValue<T>, ContextError>`.
///
/// ```
/// # use axum::response::IntoResponse;
/// # use tower_request_context::{ContextError, RequestContext};
/// #[derive(Clone)]
/// struct UserId(u64);
///
/// /// A handler for axum. Without a `UserId`, the client gets status 500.
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
    /// No context is current where the function was called.
    NoContext,
    /// The context holds no value of the type.
    #[non_exhaustive]
    Missing {
        /// The name of the type, as [`std::any::type_name`] returns it.
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
                "no request context is current; possible causes: this code runs on a route without \
                 `RequestContextLayer` (put the layer around the route), in middleware outside the layer (add the \
                 layer outside it: axum's last `.layer` and `ServiceBuilder`'s first are outermost), in a bare \
                 `tokio::spawn` or thread (use `RequestContext::spawn` or `RequestContext::carry`), in a call that \
                 `tower::buffer` or a framework adapter makes on another task (use \
                 `RequestContextLayer::insert_extension`), outside any request (use `Store::run`), in the setup \
                 closure (use its `store`), or with a second, incompatible version of tower-request-context (see \
                 `cargo tree -d`)",
            ),
            Self::Missing { type_name } => write!(
                f,
                "no `{type_name}` in the request context; possible causes: the setup of `RequestContextLayer` did not \
                 insert it and nothing has set it since (insert it in the setup, or set it before it is read); or it \
                 was inserted as another type, such as an `Option` or `Arc` of it (read that type); or it was removed; \
                 or an inner layer started from its own store (use `Nesting::Inherit`)",
            ),
        }
    }
}

impl Error for ContextError {}

/// Returns status 500. With the feature `tracing` the error is logged.
impl From<ContextError> for StatusCode {
    fn from(error: ContextError) -> Self {
        internal_server_error(&error)
    }
}

/// The error returned when a callback cannot be registered. The callback is dropped and never called.
///
/// ```
/// use tower_request_context::{CallbackError, RequestContext};
///
/// assert_eq!(RequestContext::on_end(|_| {}), Err(CallbackError::NoContext));
/// ```
///
/// The message lists possible causes and their fixes. It is meant for logs. Do not send it to clients. The error
/// converts into a response, and is logged, as a [`ContextError`](ContextError#as-a-response) is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallbackError {
    /// No context is current where the function was called.
    NoContext,
    /// The status and headers of the response are final: the layer has returned the response, or its `on_response`
    /// callbacks are running.
    HeadersSent,
    /// The request, or the [`Run`](crate::Run), has already ended.
    Ended,
    /// The context has no response (`on_response`), or no end (`on_end`).
    NoLifecycle,
}

impl fmt::Display for CallbackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoContext => ContextError::NoContext.fmt(f),
            Self::HeadersSent => f.write_str(
                "the status and headers of the response are final: the callback comes from the response body, from a \
                 spawned task or from an `on_response` callback; register it before the handler returns",
            ),
            Self::Ended => f.write_str(
                "the request has ended: the callback comes from a task that outlived the request, or from an `on_end` \
                 callback; register an `on_end` callback while the response body is still being sent, and an \
                 `on_response` callback before the handler returns",
            ),
            Self::NoLifecycle => f.write_str(
                "the request context has no end to wait for, or no response: a context that is only scoped has neither \
                 (run the work with `Store::run` instead), and a `Store::run` outside any request has no response \
                 (register the callback below a `RequestContextLayer`)",
            ),
        }
    }
}

impl Error for CallbackError {}

/// Returns status 500. With the feature `tracing` the error is logged.
impl From<CallbackError> for StatusCode {
    fn from(error: CallbackError) -> Self {
        internal_server_error(&error)
    }
}

/// Logs an error. Each conversion into a response calls this once.
fn internal_server_error(error: &dyn Error) -> StatusCode {
    #[cfg(feature = "tracing")]
    tracing::error!(target: "tower_request_context", "{error}");
    #[cfg(not(feature = "tracing"))]
    let _ = error;
    StatusCode::INTERNAL_SERVER_ERROR
}
