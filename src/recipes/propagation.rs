//! On the way out: the headers that a request came with, on the calls that it makes.
//!
//! Headers are put on a call where it is made: as the outermost layer of a client, outside of a `Buffer`, whose worker runs
//! in no context. On which side of a retry it stands does not matter. What the caller has set itself is left as it is, and
//! so is a call outside of any context. A bare `tokio::spawn` takes nothing along, [`RequestContext::spawn`] takes all.
//!
//! The ways out below share one list of names, which the setup of the layer has extracted (see [`trust`](super::trust) for
//! whether to). The example `two_services` shows a request at each of its hops.
//!
//! # hyper-util's client
//!
//! A client is a service, so a layer can stand around it. The closure runs in `call`, and that in the caller's context.
//!
//! ```
//! # use axum::body::Body;
//! # use http::{HeaderName, Request};
//! # use hyper_util::{client::legacy::Client, rt::TokioExecutor};
//! # use std::sync::LazyLock;
//! # use tower::{Layer, ServiceExt, util::MapRequestLayer};
//! # use tower_request_context::HeaderPropagator;
//! static PROPAGATOR: LazyLock<HeaderPropagator> = LazyLock::new(|| {
//!     HeaderPropagator::trace_context().header("x-request-id")
//! });
//!
//! fn inject<B>(mut call: Request<B>) -> Request<B> {
//!     PROPAGATOR.inject(call.headers_mut());
//!     call
//! }
//!
//! # async fn ask() -> Result<(), axum::BoxError> {
//! let client = MapRequestLayer::new(inject).layer(Client::builder(TokioExecutor::new()).build_http::<Body>());
//! let answer = client.clone().oneshot(Request::get("http://stock.internal/cats").body(Body::empty())?).await?;
//! # drop(answer); Ok(())
//! # }
//! # assert_eq!(inject(Request::new(())).headers().len(), 0);
//! ```
//!
//! # tonic's channel
//!
//! The same function; clients that tonic generates take any such service. It stands outside of the `Channel`, which is a
//! buffer inside.
//!
//! ```
//! # use http::Request;
//! # use tonic::{body::Body, transport::Channel};
//! # use tower::{Layer, util::{MapRequest, MapRequestLayer}};
//! # fn inject<B>(call: Request<B>) -> Request<B> { call }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let channel = Channel::from_static("http://stock.internal:50051").connect_lazy();
//! let channel = MapRequestLayer::new(inject as fn(_) -> _).layer(channel);
//! let channel: MapRequest<Channel, fn(Request<Body>) -> Request<Body>> = channel; // its type, where it is kept
//! // let mut stock = StockClient::new(channel);
//! # drop(channel);
//! # }
//! ```
//!
//! # A tonic interceptor
//!
//! For code that has one already. Metadata is a map of headers inside, which is taken out and put back without a copy.
//!
//! ```
//! # use tonic::{Request, Status, metadata::MetadataMap};
//! # use tower_request_context::HeaderPropagator;
//! # static PROPAGATOR: std::sync::LazyLock<HeaderPropagator> = std::sync::LazyLock::new(HeaderPropagator::trace_context);
//! fn intercept(mut call: Request<()>) -> Result<Request<()>, Status> {
//!     let mut headers = std::mem::take(call.metadata_mut()).into_headers();
//!     PROPAGATOR.inject(&mut headers);
//!     *call.metadata_mut() = MetadataMap::from_headers(headers);
//!     Ok(call)
//! }
//! // let mut stock = StockClient::with_interceptor(channel, intercept);
//! # assert!(intercept(Request::new(())).unwrap().metadata().is_empty());
//! ```
//!
//! # Other clients
//!
//! What gives out a `&mut HeaderMap` before it sends will do. For reqwest that is a middleware of `reqwest-middleware`,
//! which calls `PROPAGATOR.inject(request.headers_mut())` and passes the request on.
//!
//! [`RequestContext::spawn`]: crate::RequestContext::spawn
