//! What axum's handlers take as arguments and answer with.

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

/// An extractor of a value from the request context.
///
/// It looks in the current context, or where none is current, in the one that
/// [`insert_extension`](crate::RequestContextLayer::insert_extension) left in the request's extensions.
///
/// A request whose value is missing is rejected with a [`ContextError`]: the client gets status 500 and an empty body, and
/// the error [is logged](ContextError#as-a-response) with the feature `tracing`. `Option<ContextValue<T>>` extracts `None`
/// instead, and `Result<ContextValue<T>, ContextError>` passes the error to the handler; neither is logged.
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
/// let app: Router = Router::new().route("/cats", get(cats)).layer(RequestContextLayer::new(|store, _| {
///     store.insert(UserId(7));
/// }));
/// # let response = app.oneshot(Request::get("/cats").body(Body::empty()).unwrap()).await.unwrap();
/// # assert_eq!(axum::body::to_bytes(response.into_body(), 99).await.unwrap(), "the cats of user 7");
/// # }
/// ```
///
/// `Debug` names the type of the value, and does not show it.
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

/// Extracts the current context, or where none is current, the one in the request's extensions.
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
    let carried = || request.extensions.get().and_then(WeakRequestContext::upgrade);
    RequestContext::try_current().or_else(|error| carried().ok_or(error))
}

/// Responds with 500 and an empty body. The error is in the response's extensions, for middleware, and is logged with the
/// feature `tracing`.
impl IntoResponse for ContextError {
    fn into_response(self) -> Response {
        failure(self)
    }
}

/// Responds with 500 and an empty body. The error is in the response's extensions, for middleware, and is logged with the
/// feature `tracing`.
impl IntoResponse for CallbackError {
    fn into_response(self) -> Response {
        failure(self)
    }
}

fn failure<E>(error: E) -> Response
where
    E: Clone + Send + Sync + 'static,
    StatusCode: From<E>,
{
    let mut response = StatusCode::from(error.clone()).into_response(); // which logs the error
    response.extensions_mut().insert(error);
    response
}
