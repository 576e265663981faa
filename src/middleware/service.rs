//! The service, which prepares each request and calls the inner service in its context.

use std::{
    any::type_name,
    fmt,
    task::{Context, Poll},
};

use http::{Request, Response, request::Parts};
use http_body::Body;
use tower_service::Service;

use super::{
    ResponseBody, SetupOutcome,
    future::ResponseFuture,
    prepare::{LayerConfig, Prepared},
    remaining_bytes::MethodInfo,
};
use crate::{Store, context::CallGuard};

/// Middleware that runs each request in a context of its own. Created by
/// [`RequestContextLayer`](crate::RequestContextLayer).
///
/// ```
/// use http::{Request, Response};
/// use tower::{ServiceExt, service_fn};
/// use tower_request_context::{RequestContext, RequestContextService};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let inner = service_fn(async |_: Request<()>| {
///     Ok::<_, ()>(Response::new(RequestContext::expect::<String>()))
/// });
/// let service = RequestContextService::new(inner, |store, request| {
///     store.insert(request.uri.path().to_owned());
/// });
/// assert!(service.oneshot(Request::new(())).await.is_ok());
/// # }
/// ```
///
/// The context is current while the inner service's `call` runs, at each poll of its future, at each frame of the
/// response body, and while the future and the body are dropped. It is not current in `poll_ready`, since there is no
/// request yet.
#[derive(Clone)]
pub struct RequestContextService<S, F> {
    inner: S,
    config: LayerConfig<F>,
}

impl<S, F> RequestContextService<S, F> {
    /// Wraps a service. A [`RequestContextLayer`](crate::RequestContextLayer) with this setup closure does the same.
    ///
    /// ```
    /// # use tower_request_context::RequestContextService;
    /// let service = RequestContextService::new("the inner service", |_, _| {});
    /// assert_eq!(service.into_inner(), "the inner service");
    /// ```
    pub const fn new<R>(inner: S, setup: F) -> Self
    where
        F: Fn(&mut Store, &mut Parts) -> R,
    {
        Self::from_config(inner, LayerConfig::new(setup))
    }

    /// Returns a reference to the inner service.
    ///
    /// ```
    /// # use tower_request_context::RequestContextService;
    /// let service = RequestContextService::new(7, |_, _| {});
    /// assert_eq!(*service.get_ref(), 7);
    /// ```
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// Returns a mutable reference to the inner service.
    ///
    /// ```
    /// # use tower_request_context::RequestContextService;
    /// let mut service = RequestContextService::new(7, |_, _| {});
    /// *service.get_mut() += 1;
    /// assert_eq!(*service.get_ref(), 8);
    /// ```
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// Returns the inner service, and drops the middleware.
    ///
    /// ```
    /// # use tower_request_context::RequestContextService;
    /// let service = RequestContextService::new(7, |_, _| {});
    /// assert_eq!(service.into_inner(), 7);
    /// ```
    pub fn into_inner(self) -> S {
        self.inner
    }

    pub(super) const fn from_config(inner: S, config: LayerConfig<F>) -> Self {
        Self { inner, config }
    }
}

impl<S, F, R, ReqBody, ResBody> Service<Request<ReqBody>> for RequestContextService<S, F>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    F: Fn(&mut Store, &mut Parts) -> R,
    R: SetupOutcome<ResBody>,
    ResBody: Body,
{
    type Response = Response<ResponseBody<ResBody, R::Body>>;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, R::Rejection>;

    #[inline]
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (mut parts, body) = request.into_parts();
        // Read before the setup, which may change the method. The server uses the original one when it decides whether
        // a response has content.
        let method = MethodInfo::from_method(&parts.method);
        let Prepared { context, is_new, rejection } = self.config.prepare(&mut parts);
        if let Some(rejection) = rejection {
            return ResponseFuture::rejected(context, method, rejection);
        }
        let mut context = Some(context);
        let guard = CallGuard::enter(&mut context, is_new);
        let future = self.inner.call(Request::from_parts(parts, body));
        guard.leave();
        ResponseFuture::running(context, is_new, method, future)
    }
}

impl<S, F> fmt::Debug for RequestContextService<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestContextService")
            .field("inner", &format_args!("{}", type_name::<S>()))
            .field("layer", &self.config)
            .finish()
    }
}
