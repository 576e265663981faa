//! The place of the layer in the stack, authentication, extensions, retries, and values that outer layers read.
//!
//! # Where in the stack
//!
//! A layer outside the context's layer runs in no context. Its own responses do not pass through the context's layer.
//! This matters for timeout and catch-panic layers. If such a layer is only outside, its response (such as 504 or 500)
//! has no request id, and its panic handler cannot read one. Put one inside as well. Keep the outer catch-panic layer
//! for panics in the setup closure.
//!
//! In axum, `Router::layer` covers the routes that exist when it is called. A route that is added after `.layer` has no
//! context. Add the layer after all routes.
//!
//! # Authentication (JWT, session, 401)
//!
//! The setup closure is synchronous: it can verify a JWT, but cannot await a look-up. Look up a session in middleware
//! below the layer, and [`set`](crate::RequestContext::set) the user. All code that runs after it sees the value. In
//! axum:
//!
//! ```
//! # use axum::{body::Body, routing::get};
//! # use http::{HeaderMap, header::AUTHORIZATION};
//! # use tower::ServiceExt;
//! use axum::{Router, extract::Request, middleware::{Next, from_fn}};
//! use axum::response::{IntoResponse, Response};
//! use http::StatusCode;
//! use tower_request_context::{ContextError, RequestContext, RequestContextLayer};
//!
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! # async fn user_of(headers: &HeaderMap) -> Option<User> {
//! #     tokio::task::yield_now().await;
//! #     (headers.get(AUTHORIZATION)? == "Bearer a").then_some(User("Ada"))
//! # }
//! async fn authenticate(request: Request, next: Next) -> Result<Response, ContextError> {
//!     let Some(user) = user_of(request.headers()).await else {
//!         return Ok(StatusCode::UNAUTHORIZED.into_response());
//!     };
//!     // Responds with 500 if this runs outside the layer, and logs why (feature `tracing`).
//!     RequestContext::set(user)?;
//!     Ok(next.run(request).await)
//! }
//!
//! # let handler = async || RequestContext::get().map_or("no user", |User(name)| name);
//! let app = Router::new()
//!     .route("/", get(handler))
//!     .layer(from_fn(authenticate))
//!     .layer(RequestContextLayer::default());
//! # let app: Router = app;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router, token: &str) -> Response {
//! #     app.oneshot(Request::get("/").header(AUTHORIZATION, token).body(Body::empty()).unwrap()).await.unwrap()
//! # }
//! # assert_eq!(visit(app.clone(), "Bearer a").status(), StatusCode::OK);
//! # assert_eq!(visit(app, "Bearer b").status(), StatusCode::UNAUTHORIZED);
//! ```
//!
//! In other stacks, use `tower_http::auth::AsyncRequireAuthorizationLayer`. Its closure returns the request, or the
//! response that rejects it:
//!
//! ```
//! # use http::{HeaderMap, header::AUTHORIZATION};
//! # use tower::{ServiceExt, service_fn};
//! use http::{Request, Response, StatusCode};
//! use tower::ServiceBuilder;
//! use tower_http::auth::AsyncRequireAuthorizationLayer;
//! use tower_request_context::{RequestContext, RequestContextLayer};
//!
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! # async fn user_of(headers: &HeaderMap) -> Option<User> {
//! #     tokio::task::yield_now().await;
//! #     (headers.get(AUTHORIZATION)? == "Bearer a").then_some(User("Ada"))
//! # }
//! # fn respond(status: StatusCode) -> Response<String> {
//! #     let mut response = Response::new(String::new());
//! #     *response.status_mut() = status;
//! #     response
//! # }
//! async fn authenticate(request: Request<String>) -> Result<Request<String>, Response<String>> {
//!     let user = user_of(request.headers()).await;
//!     let user = user.ok_or_else(|| respond(StatusCode::UNAUTHORIZED))?;
//!     RequestContext::set(user).map_err(|error| respond(error.into()))?;
//!     Ok(request)
//! }
//!
//! # let inner = service_fn(async |_| Ok::<_, ()>(Response::new(RequestContext::expect::<User>().0.to_owned())));
//! let service = ServiceBuilder::new()
//!     .layer(RequestContextLayer::default())
//!     .layer(AsyncRequireAuthorizationLayer::new(authenticate))
//!     .service(inner);
//! # let request = Request::builder().header(AUTHORIZATION, "Bearer a").body(String::new()).unwrap();
//! # let response = tokio_test::block_on(service.oneshot(request)).unwrap();
//! # assert_eq!(response.status(), StatusCode::OK);
//! ```
//!
//! # Move from extensions
//!
//! You can migrate gradually. Code that reads [`http::Extensions`] stays as it is, and the setup closure copies values
//! that an outer layer has inserted there. Code that has no request at hand reads the context.
//!
//! ```
//! # use axum::{Extension, Router, body::Body, routing::get};
//! # use http::Request;
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! let context = RequestContextLayer::new(|store, request| {
//!     if let Some(user) = request.extensions.get::<User>() {
//!         store.insert(user.clone());
//!     }
//! });
//!
//! async fn old(Extension(user): Extension<User>) -> String {
//!     format!("{}: {}", user.0, deep().await)
//! }
//!
//! async fn deep() -> &'static str {
//!     RequestContext::expect::<User>().0
//! }
//! # let app: Router = Router::new().route("/", get(old)).layer(context).layer(Extension(User("Ada")));
//! # tokio_test::block_on(async {
//! # let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # assert_eq!(axum::body::to_bytes(response.into_body(), 99).await.unwrap(), "Ada: Ada");
//! # });
//! ```
//!
//! # Read inner values in an outer layer
//!
//! No context is current in a layer outside the context's layer. Copy the value to the extensions of the response in
//! `on_response`. Do the same with nested `RequestContextLayer`s: the outer one does not see values that are set in the
//! inner context.
//!
//! ```
//! # use axum::{body::Body, routing::get};
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use axum::{Router, extract::Request, middleware::{Next, from_fn}, response::Response};
//! use http::{HeaderValue, header::CACHE_CONTROL};
//!
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! let context = RequestContextLayer::new(|store, _| {
//!     store.on_response(|parts| {
//!         if let Some(user) = RequestContext::get::<User>() {
//!             parts.extensions.insert(user);
//!         }
//!     });
//! });
//!
//! async fn cache_headers(request: Request, next: Next) -> Response {
//!     let mut response = next.run(request).await;
//!     if response.extensions().get::<User>().is_some() {
//!         response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("private"));
//!     }
//!     response
//! }
//! # let handler = async || RequestContext::set(User("Ada"));
//! // The last layer is outermost.
//! let app = Router::new().route("/", get(handler)).layer(context).layer(from_fn(cache_headers));
//! # let app: Router = app;
//! # let response = tower::ServiceExt::oneshot(app, Request::new(Body::empty()));
//! # assert_eq!(tokio_test::block_on(response).unwrap().headers()[CACHE_CONTROL], "private");
//! ```
//!
//! There is no response, and so no value, after an error of the inner service or a panic.
//!
//! # Retry
//!
//! A retry below the layer repeats a part of one request, in one context. Values that a failed attempt has set stay.
//! Callbacks that a failed attempt registered also stay. `on_response` callbacks run once, for the final response, and
//! `on_end` callbacks once, at the end of the request. If each attempt should start without them, give it a context of
//! its own. Put a layer that inherits below the retry:
//!
//! ```
//! # use http::{HeaderValue, Request, Response, StatusCode};
//! # use std::{convert::Infallible, future::{Ready, ready}, sync::atomic::{AtomicU8, Ordering}};
//! # use tower::{ServiceBuilder, ServiceExt, retry::Policy, service_fn};
//! # use tower_request_context::RequestContext;
//! use tower_request_context::{Nesting, RequestContextLayer};
//!
//! # #[derive(Clone)]
//! # struct Attempts(u8);
//! # impl<B, E> Policy<Request<()>, Response<B>, E> for Attempts {
//! #     type Future = Ready<()>;
//! #     fn retry(&mut self, _: &mut Request<()>, result: &mut Result<Response<B>, E>) -> Option<Ready<()>> {
//! #         self.0 -= 1;
//! #         (self.0 > 0 && result.as_ref().ok()?.status().is_server_error()).then(|| ready(()))
//! #     }
//! #     fn clone_request(&mut self, request: &Request<()>) -> Option<Request<()>> { Some(request.clone()) }
//! # }
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! # let inner = service_fn(async |_: Request<()>| {
//! #     static ATTEMPTS: AtomicU8 = AtomicU8::new(0);
//! #     let attempt = ATTEMPTS.fetch_add(1, Ordering::Relaxed);
//! #     let is_afresh = RequestContext::set_if_absent(attempt).unwrap();
//! #     RequestContext::on_response(|parts| {
//! #         parts.headers.append("x-attempt", HeaderValue::from_static(""));
//! #     }).unwrap();
//! #     let mut response = Response::new(format!("{} {is_afresh}", RequestContext::expect::<User>().0));
//! #     if attempt % 2 == 0 { *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE; }
//! #     Ok::<_, Infallible>(response)
//! # });
//! let service = ServiceBuilder::new()
//!     .layer(RequestContextLayer::new(|store, _| {
//!         store.insert(User("Ada"));
//!     }))
//!     .retry(Attempts(3))
//!     .layer(RequestContextLayer::default().nesting(Nesting::Inherit)) // one context per attempt
//!     .service(inner);
//! # let shared = ServiceBuilder::new()
//! #     .layer(RequestContextLayer::new(|store, _| drop(store.insert(User("Ada")))))
//! #     .retry(Attempts(3))
//! #     .service(inner);
//! # async fn text(response: Response<impl http_body::Body<Error: std::fmt::Debug>>) -> Vec<u8> {
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes().into()
//! # }
//! # tokio_test::block_on(async {
//! #     let response = service.oneshot(Request::new(())).await.unwrap();
//! #     assert_eq!((response.status(), response.headers().get_all("x-attempt").iter().count()), (StatusCode::OK, 1));
//! #     assert_eq!(text(response).await, b"Ada true");
//! #     let response = shared.oneshot(Request::new(())).await.unwrap();
//! #     assert_eq!((response.status(), response.headers().get_all("x-attempt").iter().count()), (StatusCode::OK, 2));
//! #     assert_eq!(text(response).await, b"Ada false");
//! # });
//! ```
//!
//! With such a layer, neither the retry nor the outer context's `on_end` sees the values that an attempt sets.
