//! Your own middleware crate on top of the context.
//!
//! # A library with a layer
//!
//! Depend on this crate with `default-features = false`. Key your value with a private type, so that no other crate can
//! read, replace or remove it. Let your layer inherit: values that the application has inserted in an outer context are
//! then visible below your layer. Without an outer context, your layer makes one.
//!
//! The disadvantage: values that are set below your layer stay in its context. The application's middleware outside and
//! its `on_end` do not see them.
//!
//! ```
//! # use http::{Request, Response};
//! # use tower::{ServiceBuilder, ServiceExt, service_fn};
//! use http::{HeaderValue, header::ACCEPT_LANGUAGE, request::Parts};
//! use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};
//!
//! struct Language(HeaderValue);
//!
//! pub fn language_layer() -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Copy> {
//!     let layer = RequestContextLayer::new(|store, request| {
//!         let language = request.headers.get(ACCEPT_LANGUAGE).cloned();
//!         store.insert(Language(language.unwrap_or(HeaderValue::from_static("en"))));
//!     });
//!     layer.nesting(Nesting::Inherit)
//! }
//!
//! /// Returns a greeting in the language of the request, or in English outside a request.
//! pub fn greeting() -> &'static str {
//!     match RequestContext::with(|language: &Language| language.0 == "de") {
//!         Some(true) => "Hallo",
//!         _ => "Hello",
//!     }
//! }
//! # let context = RequestContextLayer::new(|store, _| { store.insert(7_u8); });
//! # let handler = service_fn(async |_: Request<()>| {
//! #     Ok::<_, ()>(Response::new(format!("{} {}", greeting(), RequestContext::expect::<u8>())))
//! # });
//! # let service = ServiceBuilder::new().layer(context).layer(language_layer()).service(handler);
//! # let request = Request::builder().header(ACCEPT_LANGUAGE, "de").body(()).unwrap();
//! # let response = tokio_test::block_on(service.oneshot(request)).unwrap();
//! # let body = tokio_test::block_on(http_body_util::BodyExt::collect(response)).unwrap();
//! # assert_eq!((&*body.to_bytes(), greeting()), (&b"Hallo 7"[..], "Hello"));
//! ```
//!
//! A library that only reads a value of the application needs no layer. Document the type that the application has to
//! insert.
//!
//! # Below a `tower::buffer`
//!
//! The worker of a buffer calls the inner service on its own task, where no context is current. There, an inheriting
//! layer finds the application's context only if the application's layer has [`insert_extension`]. Say so in your
//! documentation. Without that option your context has no parent, and code below your layer does not find the
//! application's values. This includes the future and the body: the caller polls them in the application's context, but
//! your layer then enters its own.
//!
//! # A context without a layer
//!
//! [`inherit`] uses the current context only. That is enough in an `async` block, for example in axum's `from_fn`: the
//! future is polled in the application's context. This also holds below a buffer: the worker only calls the service,
//! and the caller polls the future. In a `Service::call` below a buffer, `inherit` is not enough, because the worker
//! makes the call and no context is current. If your middleware makes a context there, look in the request's
//! extensions. Then replace the handle in the extensions for the layers below:
//!
//! ```
//! # use {http::Response, std::task::{Context, Poll}};
//! # use tower::{ServiceBuilder, ServiceExt, buffer::BufferLayer, layer::layer_fn, service_fn};
//! # use tower_request_context::{Nesting, RequestContextLayer};
//! use {http::Request, tower::Service};
//! use tower_request_context::{RequestContext, Scoped, Store, WeakRequestContext};
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
//!
//! # #[derive(Clone)]
//! struct Deadlines<S>(S);
//!
//! impl<S: Service<Request<B>>, B> Service<Request<B>> for Deadlines<S> {
//! #   type Response = S::Response;
//! #   type Error = S::Error;
//! #   fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> { self.0.poll_ready(cx) }
//!     // `Response`, `Error` and `poll_ready` are those of the inner service.
//!     type Future = Scoped<S::Future>;
//!
//!     fn call(&mut self, mut request: Request<B>) -> Scoped<S::Future> {
//!         let context = child(&mut request, Store::new().with_value(Deadline(250)));
//!         let future = context.sync_scope(|| self.0.call(request));
//!         context.scope(future)
//!     }
//! }
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
//! #     let service = ServiceBuilder::new().layer(application).service(below.clone());
//! #     assert!(service.oneshot(Request::new(())).await.is_ok());
//! #     let buffered = ServiceBuilder::new().layer(application).layer(BufferLayer::new(1)).service(below);
//! #     assert!(buffered.oneshot(Request::new(())).await.is_ok());
//! #     let between = ServiceBuilder::new().layer(layer_fn(Deadlines)).layer(BufferLayer::new(1)).layer(library);
//! #     let between = ServiceBuilder::new().layer(application).service(between.service(handler));
//! #     assert!(between.oneshot(Request::new(())).await.is_ok());
//! # });
//! ```
//!
//! If your values are read while the response body is streamed, wrap the body in that context too, with
//! [`scope`](crate::RequestContext::scope).
//!
//! [`inherit`]: crate::RequestContext::inherit
//! [`insert_extension`]: crate::RequestContextLayer::insert_extension
