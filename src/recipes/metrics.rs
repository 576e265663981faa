//! Access logs, gRPC status, and metrics of requests.
//!
//! # Access log
//!
//! Record the status in `on_response` and write the line in `on_end`. `on_end` also runs when the client disconnects.
//! Its argument tells how the request [ended](super::lifecycle#completion).
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # let (log, lines) = std::sync::mpsc::channel();
//! use http::StatusCode;
//! use std::time::Instant;
//!
//! let access_log = RequestContextLayer::new(move |store, request| {
//!     let (line, start) = (format!("{} {}", request.method, request.uri.path()), Instant::now());
//! #   let log = log.clone();
//!     store.on_response(|parts| {
//!         RequestContext::set(parts.status).expect("callbacks run in the context");
//!     });
//!     store.on_end(move |end| {
//!         let status = RequestContext::get().map_or(0, |status: StatusCode| status.as_u16());
//!         println!("{line} {status} {end:?} {} ms", start.elapsed().as_millis());
//! #       log.send(format!("{line} {status} {end:?}")).unwrap();
//!     });
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router, path: &str) {
//! #     let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
//! #     if path != "/left" { http_body_util::BodyExt::collect(response).await.unwrap(); }
//! # }
//! # let app: Router = Router::new().route("/cats", get(async || "Tom")).route("/left", get(async || "Tom"));
//! # let app = app.layer(access_log);
//! # visit(app.clone(), "/cats");
//! # assert_eq!(lines.recv().unwrap(), "GET /cats 200 Completed"); // GET /cats 200 Completed 3 ms
//! # visit(app.clone(), "/dogs");
//! # assert_eq!(lines.recv().unwrap(), "GET /dogs 404 Completed");
//! # visit(app, "/left");
//! # assert_eq!(lines.recv().unwrap(), "GET /left 200 Cancelled");
//! ```
//!
//! For a log line with fields from all over the code, see [one event per
//! request](super::logging#one-event-per-request).
//!
//! # 499 (client closed request)
//!
//! nginx logs status 499 when the client disconnects before the response. That is a request that was cancelled and has
//! no status. Nothing is sent: 499 exists in logs only.
//!
//! ```
//! use http::StatusCode;
//! use tower_request_context::{End, RequestContext};
//!
//! fn status(end: End) -> u16 {
//!     match (RequestContext::get::<StatusCode>(), end) { // recorded in `on_response`, as above
//!         (Some(status), _) => status.as_u16(),
//!         (None, End::Cancelled) => 499,
//!         (None, _) => 500, // an error of the inner service, or a panic
//!     }
//! }
//! # use tower_request_context::Store;
//! # let context = RequestContext::new(Store::new());
//! # assert_eq!(context.sync_scope(|| status(End::Cancelled)), 499);
//! # assert_eq!(context.sync_scope(|| status(End::Panicked)), 500);
//! # context.set(StatusCode::OK);
//! # assert_eq!(context.sync_scope(|| status(End::Cancelled)), 200);
//! ```
//!
//! A timeout layer *outside* the context's layer also cancels the request. Put the timeout inside if your log should
//! tell the two apart.
//!
//! # Gauge of requests in flight
//!
//! A request is in flight until its body was sent or dropped. So increment the gauge in the setup closure, and
//! decrement it in `on_end`. Register that callback right after the increment, so that no code between the two can
//! panic. With the crate `metrics`, use `gauge!("in_flight").increment(1.0)` and `decrement(1.0)`.
//!
//! ```
//! use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
//! # use tower_request_context::RequestContextLayer;
//!
//! static IN_FLIGHT: AtomicUsize = AtomicUsize::new(0);
//!
//! let layer = RequestContextLayer::new(|store, _| {
//!     IN_FLIGHT.fetch_add(1, Relaxed);
//!     store.on_end(|_| {
//!         IN_FLIGHT.fetch_sub(1, Relaxed);
//!     });
//! });
//! # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}};
//! # let service = layer.layer(service_fn(async |_: Request<()>| Ok::<_, ()>(Response::new(String::from("Tom")))));
//! # let response = tokio_test::block_on(service.oneshot(Request::new(())));
//! # assert_eq!(IN_FLIGHT.load(Relaxed), 1);
//! # drop(response);
//! # assert_eq!(IN_FLIGHT.load(Relaxed), 0);
//! ```
//!
//! # gRPC status
//!
//! The HTTP status of a gRPC response is nearly always 200. Its own status is in the trailers, or in the headers if
//! there is no message. `TraceLayer` passes the trailers to `on_eos`. *Below* the context's layer, `on_eos` runs in the
//! context, and before `on_end`:
//!
//! ```
//! # use std::{convert::Infallible, time::Duration};
//! # use http::{HeaderMap, HeaderValue, Request, Response};
//! # use tower::{ServiceBuilder, ServiceExt, service_fn};
//! # use tower_http::trace::TraceLayer;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # use tracing::Span;
//! # let (log, lines) = std::sync::mpsc::channel();
//! #[derive(Clone)]
//! struct GrpcStatus(HeaderValue);
//!
//! fn record(headers: &HeaderMap) {
//!     if let Some(status) = headers.get("grpc-status") {
//!         RequestContext::set(GrpcStatus(status.clone()))
//!             .expect("`TraceLayer` is below the context's layer");
//!     }
//! }
//!
//! let layers = ServiceBuilder::new()
//!     .layer(RequestContextLayer::new(move |store, request| {
//!         let path = request.uri.path().to_owned();
//! #       let log = log.clone();
//!         store.on_response(|parts| record(&parts.headers));
//!         store.on_end(move |end| {
//!             let status = RequestContext::with(|GrpcStatus(status)| status.clone());
//!             println!("{path} {status:?} {end:?}");
//! #           let status = status.map(|status| status.to_str().unwrap().to_owned());
//! #           log.send(format!("{path} {status:?} {end:?}")).unwrap();
//!         });
//!     }))
//!     .layer(TraceLayer::new_for_grpc().on_eos(
//!         |trailers: Option<&HeaderMap>, _: Duration, _: &Span| {
//!             trailers.into_iter().for_each(record);
//!         },
//!     ));
//! # use http_body_util::{BodyExt, Full};
//! # let service = layers.service(service_fn(async |request: Request<String>| {
//! #     let mut trailers = HeaderMap::new();
//! #     trailers.insert("grpc-status", 5.into());
//! #     let headers = if request.uri() == "/headers" { trailers.clone() } else { HeaderMap::new() };
//! #     let trailers = async { Some(Ok::<_, Infallible>(trailers)) }.boxed();
//! #     let mut response = Response::new(Full::<axum::body::Bytes>::from("Tom").with_trailers(trailers));
//! #     *response.headers_mut() = headers;
//! #     Ok::<_, Infallible>(response)
//! # }));
//! # use futures_util::FutureExt;
//! # for path in ["/headers", "/trailers"] {
//! #     let request = Request::builder().uri(path).body(String::new()).unwrap();
//! #     let response = tokio_test::block_on(service.clone().oneshot(request)).unwrap();
//! #     tokio_test::block_on(response.into_body().collect()).ok().unwrap();
//! #     assert_eq!(lines.recv().unwrap(), format!("{path} Some(\"5\") Completed"));
//! # }
//! ```
//!
//! # Counter of queries
//!
//! An `Arc` of an atomic is one counter for the whole request, also for its child contexts and tasks.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use std::sync::mpsc::channel;
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use std::sync::{Arc, atomic::{AtomicU32, Ordering}};
//!
//! #[derive(Clone, Default)]
//! struct Queries(Arc<AtomicU32>);
//!
//! async fn query(sql: &str) {
//!     RequestContext::with(|queries: &Queries| queries.0.fetch_add(1, Ordering::Relaxed));
//!     // …
//! # let _ = sql;
//! }
//!
//! # let (sender, receiver) = channel();
//! let layer = RequestContextLayer::new(move |store, _| {
//!     let queries = Queries::default();
//!     store.insert(queries.clone());
//! #   let sender = sender.clone();
//!     store.on_end(move |_| {
//!         println!("{} queries", queries.0.load(Ordering::Relaxed));
//! #       sender.send(queries.0.load(Ordering::Relaxed)).unwrap();
//!     });
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router) {
//! #     app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # }
//! # let app: Router = Router::new().route("/", get(async || {
//! #     query("select 1").await;
//! #     RequestContext::spawn(query("select 2")).await.unwrap();
//! # }));
//! # visit(app.layer(layer));
//! # assert_eq!(receiver.recv(), Ok(2));
//! ```
