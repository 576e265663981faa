//! The layer, which holds the setup closure and the options.

use std::fmt;

use http::request::Parts;
use tower_layer::Layer;

use super::{Nesting, RequestContextService, prepare::LayerConfig};
use crate::Store;

/// Layer that runs each request in a context of its own, with initial values from a setup closure.
///
/// ```
/// # use std::convert::Infallible;
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use http::{Request, Response};
/// use tower::{Layer, ServiceExt, service_fn};
/// use tower_request_context::{RequestContext, RequestContextLayer};
///
/// #[derive(Clone)]
/// struct UserId(String);
///
/// let layer = RequestContextLayer::new(|store, request| {
///     if let Some(Ok(user)) = request.headers.get("x-user-id").map(|id| id.to_str()) {
///         store.insert(UserId(user.to_owned()));
///     }
/// });
/// let service = layer.layer(service_fn(async |_: Request<()>| {
///     let user = RequestContext::get::<UserId>(); // no extractor, no argument
///     Ok::<_, Infallible>(Response::new(user.map_or_else(String::new, |user| user.0)))
/// }));
///
/// let request = Request::builder().header("x-user-id", "7").body(()).unwrap();
/// let response = service.oneshot(request).await.unwrap();
/// assert_eq!(http_body_util::BodyExt::collect(response).await.unwrap().to_bytes(), "7");
/// # }
/// ```
///
/// # The setup closure
///
/// The closure is called once per request, before the inner service. It gets the new [`Store`] and the request parts.
/// It returns `()`, or a `Result<(), http::Response<_>>`, whose `Err` rejects the request with that response. The inner
/// service is not called for a rejected request. See [`SetupOutcome`](crate::SetupOutcome).
///
/// * Insert values with `store`, not with `RequestContext::set`. The new context is not current yet: the closure runs
///   in the context that was current before, or with [`Nesting::Inherit`] in the outer context.
/// * The closure is not async. To await something, such as a session look-up, use async middleware below this layer and
///   set the result with [`RequestContext::set`](crate::RequestContext::set).
/// * The closure is `Fn`, because services are cloned. State in an `FnMut` would be separate in each clone. Share state
///   through an `Arc`.
/// * A panic in the closure unwinds to the caller of the service. The [`on_end`](Store::on_end) callbacks that the
///   closure registered are run with [`End::Panicked`](crate::End::Panicked), and the values are dropped.
///
/// # Response types in axum and tower
///
/// The service responds with a [`ResponseBody`](crate::ResponseBody), which `Router::layer` accepts. These need another
/// response type, and fail to compile:
///
/// * `axum::serve` with `layer.layer(router)` needs axum's own `Response`.
/// * `tower::util::option_layer` needs the response of the inner service.
/// * `BoxCloneSyncService` needs the response that its type names.
///
/// The error is "type mismatch resolving `<RequestContextService<…> as Service<Request<Body>>>::Response ==
/// Response<Body>`". Convert the response in a layer outside this one. The conversion boxes the body, which is one
/// allocation per request.
///
/// ```
/// # use axum::{Router, ServiceExt, body::Body, extract::Request, response::IntoResponse, routing::get};
/// # use tower::{Layer, util::MapResponseLayer};
/// # use tower_request_context::{RequestContext, RequestContextLayer};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let router: Router = Router::new().route("/", get(async || RequestContext::expect::<&str>()));
/// let layer = RequestContextLayer::new(|store, _| {
///     store.insert("a value");
/// });
/// // The first is outermost.
/// let app = (MapResponseLayer::new(IntoResponse::into_response), layer).layer(router);
/// # let response = tower::ServiceExt::oneshot(app.clone(), Request::new(Body::empty())).await.unwrap();
/// # assert_eq!(axum::body::to_bytes(response.into_body(), 99).await.unwrap(), "a value");
/// # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
/// let server = axum::serve(listener, ServiceExt::<Request>::into_make_service(app));
/// # drop(server);
/// # }
/// ```
#[derive(Clone, Copy)]
#[must_use = "a layer does nothing until it wraps a service"]
pub struct RequestContextLayer<F> {
    config: LayerConfig<F>,
}

impl<F> RequestContextLayer<F> {
    /// Creates a layer that runs `setup` on each request.
    ///
    /// ```
    /// # use axum::{Router, body::{Body, to_bytes}, routing::get};
    /// # use tower::ServiceExt;
    /// # use tower_request_context::{RequestContext, RequestContextLayer};
    /// # async fn get_text(app: Router, path: &str) -> String {
    /// #     let response = app.oneshot(http::Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
    /// #     String::from_utf8(to_bytes(response.into_body(), 99).await.unwrap().into()).unwrap()
    /// # }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let app = Router::new().route("/cats", get(|| async { RequestContext::expect::<String>() }));
    /// let app = app.layer(RequestContextLayer::new(|store, request| {
    ///     store.insert(request.uri.path().to_owned());
    /// }));
    /// assert_eq!(get_text(app, "/cats").await, "/cats");
    /// # }
    /// ```
    ///
    /// Rejecting a request with a response:
    ///
    /// ```
    /// # use axum::{Router, body::Body, response::IntoResponse};
    /// # use http::{Request, StatusCode};
    /// # use tower::ServiceExt;
    /// # use tower_request_context::RequestContextLayer;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let app: Router = Router::new().layer(RequestContextLayer::new(|store, request| {
    ///     let key = request.headers.get("x-api-key");
    ///     store.insert(key.ok_or_else(|| StatusCode::UNAUTHORIZED.into_response())?.clone());
    ///     Ok(())
    /// }));
    /// let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
    /// assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    /// # }
    /// ```
    pub const fn new<R>(setup: F) -> Self
    where
        F: Fn(&mut Store, &mut Parts) -> R,
    {
        Self { config: LayerConfig::new(setup) }
    }

    /// Sets how the layer's context relates to an outer context. The default is [`Nesting::Override`].
    ///
    /// ```
    /// # use tower_request_context::{Nesting, RequestContextLayer};
    /// let layer = RequestContextLayer::default().nesting(Nesting::Inherit);
    /// assert!(format!("{layer:?}").contains("Inherit"));
    /// ```
    pub fn nesting(mut self, nesting: Nesting) -> Self {
        self.config.nesting = nesting;
        self
    }

    /// Also inserts a [`WeakRequestContext`](crate::WeakRequestContext) into the request's extensions.
    ///
    /// Use it if middleware calls the inner service on another task, where the context is not current. `tower::buffer`
    /// does so. There, the extractors of the feature `axum` find the context through the handle. So does a layer with
    /// [`Nesting::Inherit`] or [`Nesting::Reuse`]. Other code can upgrade the handle and enter the context.
    ///
    /// ```
    /// # use tower_request_context::RequestContextLayer;
    /// let layer = RequestContextLayer::default().insert_extension();
    /// assert!(format!("{layer:?}").contains("insert_extension: true"));
    /// ```
    ///
    /// A layer replaces the handle of an outer layer, with or without this option. Middleware that enters a context of
    /// its own should replace the handle too (see the [recipe](crate::recipes::libraries#a-context-without-a-layer)).
    /// Middleware that calls the inner service outside the context, with [`exit`](crate::RequestContext::exit), should
    /// remove it.
    pub fn insert_extension(mut self) -> Self {
        self.config.insert_extension = true;
        self
    }
}

/// Creates a layer whose setup inserts no values. Code inside the context sets them later.
impl Default for RequestContextLayer<fn(&mut Store, &mut Parts)> {
    fn default() -> Self {
        Self::new(|_, _| {})
    }
}

impl<S, F: Clone> Layer<S> for RequestContextLayer<F> {
    type Service = RequestContextService<S, F>;

    fn layer(&self, inner: S) -> Self::Service {
        RequestContextService::from_config(inner, self.config.clone())
    }
}

impl<F> fmt::Debug for RequestContextLayer<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.config.fmt(f)
    }
}
