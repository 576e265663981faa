//! Deadlines and timeouts: one per request, also from and to `grpc-timeout`.
//!
//! # One deadline per request
//!
//! A request has one deadline, however many queries and outgoing requests it makes. Each of them gets the time that is
//! left. So store a point in time, and not a duration. Without a deadline, as in a job, the work is not limited. The
//! other examples below use the same `Deadline`, with tokio's `Instant`.
//!
//! ```
//! use std::time::Duration;
//! use tokio::time::{Instant, error::Elapsed, timeout_at};
//! # use tower_request_context::{RequestContext, RequestContextLayer, Store};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! #[derive(Clone, Copy)]
//! struct Deadline(Instant);
//!
//! let layer = RequestContextLayer::new(|store, _| {
//!     store.insert(Deadline(Instant::now() + Duration::from_secs(2)));
//! });
//!
//! async fn in_time<F: Future>(work: F) -> Result<F::Output, Elapsed> {
//!     match RequestContext::get() {
//!         Some(Deadline(at)) => timeout_at(at, work).await,
//!         None => Ok(work.await),
//!     }
//! }
//! # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::future::{pending, ready}};
//! # let service = layer.layer(service_fn(async |_: Request<()>| {
//! #     assert!(RequestContext::contains::<Deadline>());
//! #     Ok::<_, Elapsed>(Response::new(in_time(ready(String::from("a cat"))).await?))
//! # }));
//! # let response = http_body_util::BodyExt::collect(service.oneshot(Request::new(())).await.unwrap());
//! # assert_eq!(response.await.unwrap().to_bytes(), "a cat");
//! # let expired = RequestContext::new(Store::new().with_value(Deadline(Instant::now())));
//! # assert!(expired.scope(in_time(pending::<()>())).await.is_err());
//! # assert_eq!(in_time(ready(7)).await, Ok(7));
//! # }
//! ```
//!
//! # The smaller of the parent's deadline and your own
//!
//! A part of the work may have a shorter limit. It must not extend the deadline of the request. Work that it starts,
//! such as an outgoing request, reads the smaller one from a child context:
//!
//! ```
//! # use std::time::Duration;
//! use tokio::time::{Instant, error::Elapsed, timeout_at};
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone, Copy)]
//! # struct Deadline(Instant);
//!
//! async fn within<F: Future>(limit: Duration, work: F) -> Result<F::Output, Elapsed> {
//!     let own = Instant::now() + limit;
//!     let at = RequestContext::get().map_or(own, |Deadline(parent)| own.min(parent));
//!     let context = RequestContext::inherit(Store::new().with_value(Deadline(at)));
//!     timeout_at(at, context.scope(work)).await
//! }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! # let (start, second) = (Instant::now(), Duration::from_secs(1));
//! # let left = async || RequestContext::get().map(|Deadline(at)| at - start);
//! # let request = RequestContext::new(Store::new().with_value(Deadline(start + 2 * second)));
//! # assert_eq!(request.scope(within(second, left())).await, Ok(Some(second)));
//! # assert_eq!(request.scope(within(9 * second, left())).await, Ok(Some(2 * second)));
//! # assert_eq!(within(9 * second, left()).await, Ok(Some(9 * second)));
//! # assert!(request.scope(within(9 * second, std::future::pending::<()>())).await.is_err());
//! # assert_eq!(start.elapsed(), 2 * second);
//! # }
//! ```
//!
//! # grpc-timeout
//!
//! The header `grpc-timeout` says how long a gRPC client will wait. It has at most 8 digits and a unit. tonic's server
//! enforces it, but your handler cannot see what is left of it. Read the header in the setup closure. Limit it, since a
//! client may send any value.
//!
//! ```
//! # use std::time::Duration;
//! # use http::HeaderMap;
//! # use tokio::time::Instant;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # #[derive(Clone, Copy)]
//! # struct Deadline(Instant);
//! const MAX: Duration = Duration::from_secs(30);
//!
//! fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
//!     let value = headers.get("grpc-timeout")?.to_str().ok()?;
//!     let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
//!     let n = digits.parse().ok().filter(|_| digits.len() <= 8 && !digits.starts_with('+'))?;
//!     Some(match unit {
//!         "H" => Duration::from_secs(3600 * n),
//!         "M" => Duration::from_secs(60 * n),
//!         "S" => Duration::from_secs(n),
//!         "m" => Duration::from_millis(n),
//!         "u" => Duration::from_micros(n),
//!         "n" => Duration::from_nanos(n),
//!         _ => return None,
//!     })
//! }
//!
//! let layer = RequestContextLayer::new(|store, request| {
//!     let limit = grpc_timeout(&request.headers).unwrap_or(MAX).min(MAX);
//!     store.insert(Deadline(Instant::now() + limit));
//! });
//! # let timeout = |value: &str| {
//! #     grpc_timeout(&HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), value.parse().unwrap())]))
//! # };
//! # assert_eq!(["1H", "1M", "1S", "1m", "1u", "1n"].map(timeout).map(Option::unwrap), [
//! #     Duration::from_secs(3600), Duration::from_secs(60), Duration::from_secs(1),
//! #     Duration::from_millis(1), Duration::from_micros(1), Duration::from_nanos(1),
//! # ]);
//! # assert_eq!(timeout("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
//! # assert_eq!(["", "S", "1", "1s", "+1S", "-1S", "1.5S", "100000000S", "1 S"].map(timeout), [None; 9]);
//! # let mut request = tonic::Request::new(());
//! # request.set_timeout(Duration::from_millis(1500));
//! # assert_eq!(grpc_timeout(request.metadata().as_ref()), Some(Duration::from_millis(1500)));
//! # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}};
//! # let service = layer.layer(service_fn(async |_: Request<()>| {
//! #     let left = RequestContext::get().map(|Deadline(at)| at - Instant::now()).unwrap();
//! #     Ok::<_, ()>(Response::new(left.as_secs_f64().round().to_string()))
//! # }));
//! # for (value, left) in [("5S", "5"), ("1H", "30"), ("nonsense", "30")] {
//! #     let request = Request::builder().header("grpc-timeout", value).body(()).unwrap();
//! #     let response = tokio_test::block_on(service.clone().oneshot(request)).unwrap();
//! #     assert_eq!(tokio_test::block_on(http_body_util::BodyExt::collect(response)).unwrap().to_bytes(), left);
//! # }
//! ```
//!
//! # Remaining time on outgoing requests
//!
//! Send the remaining time with each outgoing request, so that the next service does not work for a client that no
//! longer waits. With tonic, use this function in a `MapRequestLayer` around the channel, as in
//! [`propagation`](super::propagation#tonic).
//!
//! ```
//! # use std::time::Duration;
//! # use tower_request_context::{RequestContext, Store};
//! use http::{HeaderValue, Request};
//! use tokio::time::Instant;
//!
//! # #[derive(Clone, Copy)]
//! # struct Deadline(Instant);
//! fn inject_timeout<B>(mut request: Request<B>) -> Request<B> {
//!     if let Some(Deadline(at)) = RequestContext::get() {
//!         // At most 8 digits, and not 0.
//!         let left = at.saturating_duration_since(Instant::now());
//!         let left = format!("{}m", left.as_millis().clamp(1, 99_999_999));
//!         let left = HeaderValue::try_from(left).expect("digits and a unit are valid");
//!         request.headers_mut().insert("grpc-timeout", left);
//!     }
//!     request
//! }
//! # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
//! # let context = RequestContext::new(Store::new().with_value(Deadline(Instant::now() + Duration::from_secs(2))));
//! # let sent = || context.sync_scope(|| inject_timeout(Request::new(()))).headers()["grpc-timeout"].clone();
//! # assert_eq!(sent(), "2000m");
//! # tokio::time::advance(Duration::from_millis(700)).await;
//! # assert_eq!(sent(), "1300m");
//! # tokio::time::advance(Duration::from_secs(9)).await;
//! # assert_eq!(sent(), "1m");
//! # assert!(inject_timeout(Request::new(())).headers().is_empty());
//! # }
//! ```
