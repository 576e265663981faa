//! Extractors for axum, and errors as responses.

use std::{
    any::type_name,
    convert::Infallible,
    fmt,
    ops::{Deref, DerefMut},
};

use axum_core::{
    extract::{FromRequestParts, OptionalFromRequestParts},
    response::{IntoResponse, Response},
};
use http::{StatusCode, request::Parts};

use crate::{CallbackError, ContextError, RequestContext, WeakRequestContext};

/// Extractor that clones a value from the request context.
///
/// ```
/// # use axum::{Router, body::Body, routing::get};
/// # use http::Request;
/// # use tower::ServiceExt;
/// use tower_request_context::{ContextValue, RequestContextLayer};
///
/// #[derive(Clone)]
/// struct UserId(u64);
///
/// async fn cats(ContextValue(UserId(id)): ContextValue<UserId>) -> String {
///     format!("the cats of user {id}")
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let layer = RequestContextLayer::new(|store, _| {
///     store.insert(UserId(7));
/// });
/// let app: Router = Router::new().route("/cats", get(cats)).layer(layer);
/// # let response = app.oneshot(Request::get("/cats").body(Body::empty()).unwrap()).await.unwrap();
/// # assert_eq!(axum::body::to_bytes(response.into_body(), 99).await.unwrap(), "the cats of user 7");
/// # }
/// ```
///
/// The value comes from the current context, as with [`RequestContext::get`]. If no context is current, it comes from
/// the context in the request's extensions, where [`insert_extension`](crate::RequestContextLayer::insert_extension)
/// puts it. That context is ignored once its request has ended. If middleware runs the handler in a task that may
/// outlive the request, it should wrap the future with [`RequestContext::carry`], so that the context is current.
///
/// If there is no value, the request is rejected with a [`ContextError`]. The client gets status 500 and an empty body,
/// and with the feature `tracing` the error [is logged](ContextError#as-a-response). To handle a missing value
/// yourself, extract `Option<ContextValue<T>>`, which is `None`, or `Result<ContextValue<T>, ContextError>`. These are
/// not logged.
///
/// `Debug` shows the name of the type, and not the value.
#[derive(Clone, Copy)]
#[must_use]
pub struct ContextValue<T>(pub T);

impl<T> Deref for ContextValue<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for ContextValue<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T> fmt::Debug for ContextValue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContextValue<{}>", type_name::<T>())
    }
}

impl<T, S> FromRequestParts<S> for ContextValue<T>
where
    T: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = ContextError;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, ContextError> {
        context_of(request)?.try_get().map(Self)
    }
}

impl<T, S> OptionalFromRequestParts<S> for ContextValue<T>
where
    T: Clone + Send + Sync + 'static,
    S: Sync,
{
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(context_of(request).ok().and_then(|context| context.get()).map(Self))
    }
}

/// Extracts the current context. If no context is current, extracts the one in the request's extensions, unless it has
/// ended.
impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = ContextError;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Self, ContextError> {
        context_of(request)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(request: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(context_of(request).ok())
    }
}

fn context_of(request: &Parts) -> Result<RequestContext, ContextError> {
    RequestContext::try_current().or_else(|error| WeakRequestContext::live_context_in(&request.extensions).ok_or(error))
}

/// Returns a response with status 500 and an empty body. Its extensions hold the error, for middleware. With the
/// feature `tracing` the error is logged.
impl IntoResponse for ContextError {
    fn into_response(self) -> Response {
        error_response(self)
    }
}

/// Returns a response with status 500 and an empty body. Its extensions hold the error, for middleware. With the
/// feature `tracing` the error is logged.
impl IntoResponse for CallbackError {
    fn into_response(self) -> Response {
        error_response(self)
    }
}

fn error_response<E>(error: E) -> Response
where
    E: Clone + Send + Sync + 'static,
    StatusCode: From<E>,
{
    let mut response = StatusCode::from(error.clone()).into_response(); // the conversion logs the error
    response.extensions_mut().insert(error);
    response
}
