//! Middleware around the context and below it: asynchronous set-up, extensions, and layers of libraries.
//!
//! # Authentication
//!
//! A setup closure cannot wait. What has to be looked up is looked up by middleware below the layer, which runs in the
//! context and sets what it found for all that runs after it. In axum:
//!
//! ```
//! # use axum::{Router, body::Body, extract::Request, middleware::{Next, from_fn}, routing::get};
//! # use axum::response::{IntoResponse, Response};
//! # use http::{HeaderMap, StatusCode, header::AUTHORIZATION};
//! # use tower::ServiceExt;
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
//!     RequestContext::set(user)?; // responds with 500 if this runs outside the layer, and logs why (feature `tracing`)
//!     Ok(next.run(request).await)
//! }
//!
//! # let who = async || RequestContext::get().map_or("nobody", |User(name)| name);
//! let app = Router::new().route("/", get(who)).layer(from_fn(authenticate)).layer(RequestContextLayer::default());
//! # let app: Router = app;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router, token: &str) -> Response {
//! #     app.oneshot(Request::get("/").header(AUTHORIZATION, token).body(Body::empty()).unwrap()).await.unwrap()
//! # }
//! # assert_eq!(ask(app.clone(), "Bearer a").status(), StatusCode::OK);
//! # assert_eq!(ask(app, "Bearer b").status(), StatusCode::UNAUTHORIZED);
//! ```
//!
//! In any other stack `tower_http::auth::AsyncRequireAuthorizationLayer` does it, with a closure that returns the request or
//! the response that refuses it:
//!
//! ```
//! # use http::{HeaderMap, Request, Response, StatusCode, header::AUTHORIZATION};
//! # use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_http::auth::AsyncRequireAuthorizationLayer;
//! use tower_request_context::{RequestContext, RequestContextLayer};
//!
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! # async fn user_of(headers: &HeaderMap) -> Option<User> {
//! #     tokio::task::yield_now().await;
//! #     (headers.get(AUTHORIZATION)? == "Bearer a").then_some(User("Ada"))
//! # }
//! # fn refusal(status: StatusCode) -> Response<String> {
//! #     let mut response = Response::new(String::new());
//! #     *response.status_mut() = status;
//! #     response
//! # }
//! async fn authenticate(request: Request<String>) -> Result<Request<String>, Response<String>> {
//!     let user = user_of(request.headers()).await.ok_or_else(|| refusal(StatusCode::UNAUTHORIZED))?;
//!     RequestContext::set(user).map_err(|error| refusal(error.into()))?;
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
//! # Coming from extensions
//!
//! Code that reads [`http::Extensions`] can stay as it is while code that the request does not reach begins to read the
//! context: the setup copies what an outer layer left in the extensions, and is the one place that knows both.
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
//! # In a library
//!
//! A library that keeps something of its own in the context takes no features (`default-features = false`), and a type that
//! is private, so that nobody else can read, replace or remove the value. Its layer inherits: what the application put
//! into the context outside of it is still there inside, and where there is none the layer makes one. The price: what is
//! set inside stays inside, out of sight of the application's middleware outside and of its `on_end`.
//!
//! ```
//! # use http::{HeaderValue, Request, Response, header::ACCEPT_LANGUAGE, request::Parts};
//! # use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};
//!
//! struct Language(HeaderValue);
//!
//! pub fn language_layer() -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Copy> {
//!     let layer = RequestContextLayer::new(|store, request| {
//!         store.insert(Language(request.headers.get(ACCEPT_LANGUAGE).cloned().unwrap_or(HeaderValue::from_static("en"))));
//!     });
//!     layer.nesting(Nesting::Inherit)
//! }
//!
//! /// Says how to greet whoever asks; in English where nobody does.
//! pub fn greeting() -> &'static str {
//!     match RequestContext::with(|language: &Language| language.0 == "de") {
//!         Some(true) => "Hallo",
//!         _ => "Hello",
//!     }
//! }
//! # let context = RequestContextLayer::new(|store, _| { store.insert(7_u8); });
//! # let service = ServiceBuilder::new().layer(context).layer(language_layer()).service(service_fn(async |_: Request<()>| {
//! #     Ok::<_, ()>(Response::new(format!("{} {}", greeting(), RequestContext::expect::<u8>())))
//! # }));
//! # let request = Request::builder().header(ACCEPT_LANGUAGE, "de").body(()).unwrap();
//! # let response = tokio_test::block_on(service.oneshot(request)).unwrap();
//! # let body = tokio_test::block_on(http_body_util::BodyExt::collect(response)).unwrap();
//! # assert_eq!((&*body.to_bytes(), greeting()), (&b"Hallo 7"[..], "Hello"));
//! ```
//!
//! Below a `tower::buffer`, an inheriting layer finds the application's context only if the application's layer has
//! [`insert_extension`]: the buffer's worker calls the inner service on its own task, where no context is current. Say so
//! in your documentation. Without that option the library's context has no parent, and hides the application's context in
//! the handler's future and in the body.
//!
//! [`inherit`] looks at the current context only. In an `async` block, in axum's `from_fn` for example, that is enough: the
//! future is polled in the application's context, also below a buffer. In `Service::call` it is not enough. If your
//! middleware makes a context there, look in the request's extensions where no context is current. Then replace the handle
//! in the extensions, for the layers below:
//!
//! ```
//! # use {http::{Request, Response}, std::task::{Context, Poll}, tower::Service};
//! # use tower::{ServiceBuilder, ServiceExt, buffer::BufferLayer, layer::layer_fn, service_fn};
//! # use tower_request_context::{Nesting, RequestContextLayer, Scoped};
//! use tower_request_context::{RequestContext, Store, WeakRequestContext};
//!
//! fn child<B>(request: &mut Request<B>, store: Store) -> RequestContext {
//!     let handle = || request.extensions().get::<WeakRequestContext>();
//!     let in_extensions = || handle()?.upgrade().filter(|outer| !outer.is_ended());
//!     let child = match RequestContext::current().or_else(in_extensions) {
//!         Some(outer) => outer.child(store),
//!         None => RequestContext::new(store),
//!     };
//!     request.extensions_mut().insert(child.downgrade());
//!     child
//! }
//! # #[derive(Clone)]
//! # struct Deadline(u64);
//! # #[derive(Clone)]
//! # struct Deadlines<S>(S);
//! # impl<S: Service<Request<B>>, B> Service<Request<B>> for Deadlines<S> {
//! #     type Response = S::Response;
//! #     type Error = S::Error;
//! #     type Future = Scoped<S::Future>;
//! #     fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> { self.0.poll_ready(cx) }
//!
//! fn call(&mut self, mut request: Request<B>) -> Scoped<S::Future> {
//!     let context = child(&mut request, Store::new().with_value(Deadline(250)));
//!     let future = context.sync_scope(|| self.0.call(request));
//!     context.scope(future)
//! }
//! # }
//! # #[derive(Clone, Debug, PartialEq)]
//! # struct User(u64);
//! # let seen = || (RequestContext::get::<User>(), RequestContext::with(|Deadline(left)| *left));
//! # let handler = service_fn(move |_: Request<()>| {
//! #     let in_call = seen();
//! #     async move {
//! #         tokio::task::yield_now().await;
//! #         assert_eq!([in_call, seen()], [(); 2].map(|()| (Some(User(7)), Some(250))));
//! #         Ok::<_, std::convert::Infallible>(Response::new(String::new()))
//! #     }
//! # });
//! # let application = RequestContextLayer::new(|store, _| { store.insert(User(7)); }).insert_extension();
//! # let library = RequestContextLayer::default().nesting(Nesting::Inherit);
//! # tokio_test::block_on(async {
//! #     let below = ServiceBuilder::new().layer(layer_fn(Deadlines)).layer(library).service(handler);
//! #     assert!(ServiceBuilder::new().layer(application).service(below.clone()).oneshot(Request::new(())).await.is_ok());
//! #     let buffered = ServiceBuilder::new().layer(application).layer(BufferLayer::new(1)).service(below);
//! #     assert!(buffered.oneshot(Request::new(())).await.is_ok());
//! #     let between = ServiceBuilder::new().layer(layer_fn(Deadlines)).layer(BufferLayer::new(1)).layer(library);
//! #     let between = ServiceBuilder::new().layer(application).service(between.service(handler));
//! #     assert!(between.oneshot(Request::new(())).await.is_ok());
//! # });
//! ```
//!
//! If your values are read while the response body is streamed, put the body into that context too, with
//! [`scope`](crate::RequestContext::scope).
//!
//! A library that only reads what an application may have set needs no layer, and says in its documentation which type
//! that is.
//!
//! [`inherit`]: crate::RequestContext::inherit
//! [`insert_extension`]: crate::RequestContextLayer::insert_extension
