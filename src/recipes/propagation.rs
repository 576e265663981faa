//! Outgoing requests: propagate headers and the context, with hyper, tonic, reqwest and other clients.
//!
//! Inject headers in a layer of the client. Put it outside any `Buffer`, because the worker of a buffer has no context.
//! Put it inside a layer that [follows redirects](#redirects-and-injected-credentials). The order relative to a retry
//! does not matter. Headers that the caller has set are not replaced, and without a current context nothing is
//! injected. A bare `tokio::spawn` loses the context: use [`RequestContext::spawn`].
//!
//! The clients below share one list of names, `PROPAGATION`. The server's setup closure extracts these headers with the
//! same propagator, from requests that you [trust](super::security). The example `two_services` shows a request at each
//! of its hops.
//!
//! # hyper-util
//!
//! A client is a service, so a layer can wrap it. The closure runs in `call`, and so in the caller's context.
//!
//! ```
//! # use axum::body::Body;
//! # use http::Request;
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! # use std::sync::LazyLock;
//! use tower::{Layer, ServiceExt, util::MapRequestLayer};
//! # use tower_request_context::HeaderPropagator;
//!
//! static PROPAGATION: LazyLock<HeaderPropagator> = LazyLock::new(|| {
//!     HeaderPropagator::trace_context().header("x-request-id")
//! });
//!
//! fn inject<B>(mut request: Request<B>) -> Request<B> {
//!     PROPAGATION.inject(request.headers_mut());
//!     request
//! }
//!
//! # async fn send() -> Result<(), axum::BoxError> {
//! let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
//! let client = MapRequestLayer::new(inject).layer(client);
//! let request = Request::get("http://stock.internal/cats").body(Body::empty())?;
//! let response = client.clone().oneshot(request).await?;
//! # drop(response); Ok(())
//! # }
//! # use tower_request_context::{RequestContext, RequestId, Store};
//! # assert_eq!(inject(Request::new(())).headers().len(), 0);
//! # let context = RequestContext::new(Store::new().with_value("id-7".parse::<RequestId>().unwrap()));
//! # assert_eq!(context.sync_scope(|| inject(Request::new(()))).headers()["x-request-id"], "id-7");
//! ```
//!
//! # reqwest
//!
//! `RequestBuilder::headers` takes the header map:
//!
//! ```
//! # mod reqwest { // a stand-in with the same signatures
//! #     pub struct Client;
//! #     pub struct RequestBuilder(http::HeaderMap);
//! #     impl Client { pub fn get(&self, _: &str) -> RequestBuilder { RequestBuilder(http::HeaderMap::new()) } }
//! #     impl RequestBuilder {
//! #         pub fn headers(mut self, headers: http::HeaderMap) -> Self { self.0.extend(headers); self }
//! #         pub async fn send(self) -> Result<http::HeaderMap, std::convert::Infallible> { Ok(self.0) }
//! #     }
//! # }
//! # use http::HeaderMap;
//! # use std::sync::LazyLock;
//! # use tower_request_context::{HeaderPropagator, RequestContext, RequestId, Store};
//! # static PROPAGATION: LazyLock<HeaderPropagator> = LazyLock::new(|| HeaderPropagator::new(["x-request-id"]));
//! # let client = reqwest::Client;
//! # let context = RequestContext::new(Store::new().with_value("id-7".parse::<RequestId>().unwrap()));
//! # let response = tokio_test::block_on(context.scope(async {
//! let mut headers = HeaderMap::new();
//! PROPAGATION.inject(&mut headers);
//! // reqwest's `headers` replaces headers of the same name that were set before.
//! let response = client.get("http://stock.internal/cats").headers(headers).send().await?;
//! # Ok::<_, std::convert::Infallible>(response)
//! # })).unwrap();
//! # assert_eq!(response["x-request-id"], "id-7");
//! ```
//!
//! For all requests of a client, use a middleware of `reqwest-middleware` that calls
//! `PROPAGATION.inject(request.headers_mut())`. Other clients work in the same way, if they expose a `HeaderMap` of the
//! crate `http`.
//!
//! # tonic
//!
//! Wrap the channel with the same function. Generated clients take any such service. The layer is outside the
//! `Channel`, which contains a buffer.
//!
//! ```
//! use http::Request;
//! use tonic::{body::Body, transport::Channel};
//! use tower::{Layer, util::{MapRequest, MapRequestLayer}};
//!
//! # fn inject<B>(request: Request<B>) -> Request<B> { request }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let channel = Channel::from_static("http://stock.internal:50051").connect_lazy();
//! let channel = MapRequestLayer::new(inject as fn(_) -> _).layer(channel);
//! // Its type, for a struct field:
//! let channel: MapRequest<Channel, fn(Request<Body>) -> Request<Body>> = channel;
//! // let mut stock = StockClient::new(channel);
//! # drop(channel);
//! # }
//! ```
//!
//! In an interceptor, take the metadata as a header map and put it back. Nothing is copied.
//!
//! ```
//! use tonic::{Request, Status, metadata::MetadataMap};
//! # use tower_request_context::{HeaderPropagator, RequestContext, RequestId, Store};
//! # static PROPAGATION: std::sync::LazyLock<HeaderPropagator> =
//! #     std::sync::LazyLock::new(|| HeaderPropagator::new(["x-request-id"]));
//!
//! fn intercept(mut request: Request<()>) -> Result<Request<()>, Status> {
//!     let mut headers = std::mem::take(request.metadata_mut()).into_headers();
//!     PROPAGATION.inject(&mut headers);
//!     *request.metadata_mut() = MetadataMap::from_headers(headers);
//!     Ok(request)
//! }
//! // let mut stock = StockClient::with_interceptor(channel, intercept);
//! # let context = RequestContext::new(Store::new().with_value("id-7".parse::<RequestId>().unwrap()));
//! # let sent = context.sync_scope(|| intercept(Request::new(()))).unwrap();
//! # assert_eq!(sent.metadata().get("x-request-id").unwrap(), "id-7");
//! # assert!(intercept(Request::new(())).unwrap().metadata().is_empty());
//! ```
//!
//! # The body of an outgoing request
//!
//! A client polls the body of a request on the task of its connection, where no context is current. Wrap a body that
//! reads the context in [`carry`]. With the feature `stream`, do the same with a stream of messages for tonic.
//!
//! ```
//! # use axum::body::Body;
//! # use futures_util::{StreamExt, stream};
//! # use http::Request;
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct User(&'static str);
//! fn upload() -> Request<Body> {
//!     let lines = stream::iter(["Tom", "Mia"]).map(|cat| {
//!         let user = RequestContext::get().map_or("no user", |User(name)| name);
//!         Ok::<_, axum::Error>(format!("{user}: {cat}\n"))
//!     });
//!     let body = RequestContext::carry(Body::from_stream(lines));
//!     let request = Request::post("http://stock.internal/cats");
//!     request.body(Body::new(body)).expect("the URI is valid")
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let request = RequestContext::new(Store::new().with_value(User("Ada"))).sync_scope(upload);
//! # let connection = tokio::spawn(axum::body::to_bytes(request.into_body(), 99));
//! # assert_eq!(connection.await.unwrap().unwrap(), "Ada: Tom\nAda: Mia\n");
//! # }
//! ```
//!
//! # The layer around a client
//!
//! A `RequestContextLayer` around a client gives each outgoing request a context of its own, for example to log its
//! duration. Let it inherit, so that the caller's values stay visible. Its [`End`] is often `Cancelled`: many callers
//! read the status and drop the body before its end. That is not an error.
//!
//! ```
//! # use http::{Request, Response};
//! # use std::convert::Infallible;
//! # use tower::{ServiceExt, service_fn};
//! # use tower_request_context::{End, RequestContext, Store};
//! # let (log, logged) = std::sync::mpsc::channel();
//! # let client = service_fn(async |_: Request<()>| Ok::<_, Infallible>(Response::new(String::from("Tom"))));
//! use {std::time::Instant, tower::Layer};
//! use tower_request_context::{Nesting, RequestContextLayer};
//!
//! let layer = RequestContextLayer::new(move |store, request| {
//!     let (uri, start) = (request.uri.clone(), Instant::now());
//! #   let log = log.clone();
//!     store.on_end(move |end| {
//!         println!("{uri} {end:?} {} ms", start.elapsed().as_millis());
//! #       log.send((end, RequestContext::get::<u8>())).unwrap();
//!     });
//! });
//! let client = layer.nesting(Nesting::Inherit).layer(client);
//! # let context = RequestContext::new(Store::new().with_value(7_u8));
//! # let response = tokio_test::block_on(context.scope(client.clone().oneshot(Request::new(())))).unwrap();
//! # drop(response);
//! # assert_eq!(logged.recv(), Ok((End::Cancelled, Some(7))));
//! # let response = tokio_test::block_on(context.scope(client.oneshot(Request::new(())))).unwrap();
//! # tokio_test::block_on(http_body_util::BodyExt::collect(response)).unwrap();
//! # assert_eq!(logged.recv(), Ok((End::Completed, Some(7))));
//! ```
//!
//! # Redirects and injected credentials
//!
//! A client that follows redirects sends your headers to the host that the response names. tower-http's
//! `FollowRedirect` and reqwest remove `Authorization` and `Cookie` when the host changes, but not your own headers,
//! such as `x-tenant`. Inject *below* the layer that follows redirects, and only for hosts that may see the headers:
//!
//! ```
//! # use http::Request;
//! # use std::sync::LazyLock;
//! # use tower_request_context::{HeaderPropagator, RequestContextLayer};
//! # static PROPAGATION: LazyLock<HeaderPropagator> = LazyLock::new(|| HeaderPropagator::new(["x-tenant"]));
//! fn inject<B>(mut request: Request<B>) -> Request<B> {
//!     if request.uri().host().is_some_and(|host| host.ends_with(".internal")) {
//!         PROPAGATION.inject(request.headers_mut());
//!     }
//!     request
//! }
//! # use tower::{Layer, ServiceExt, service_fn};
//! # let layer = RequestContextLayer::new(|store, request| PROPAGATION.extract(store, request));
//! # let service = layer.layer(service_fn(async |_: Request<()>| {
//! #     let is_sent = |uri| inject(Request::builder().uri(uri).body(()).unwrap()).headers().contains_key("x-tenant");
//! #     assert!(is_sent("http://stock.internal/"));
//! #     assert!(!["http://stock.example/", "http://internal/", "/"].into_iter().any(is_sent));
//! #     Ok::<_, ()>(http::Response::new(String::new()))
//! # }));
//! # let request = Request::builder().header("x-tenant", "7").body(()).unwrap();
//! # tokio_test::block_on(service.oneshot(request)).unwrap();
//! ```
//!
//! reqwest follows redirects below your code. Use a client with `redirect::Policy::none()` for requests with such
//! headers.
//!
//! [`End`]: crate::End
//! [`RequestContext::spawn`]: crate::RequestContext::spawn
//! [`carry`]: crate::RequestContext::carry
