//! The end of a request, and what to build on it.
//!
//! # When that is
//!
//! A handler returns long before its request is over: the body is still to be streamed, and the client may leave at any
//! time. A callback left with [`on_end`](crate::Store::on_end) is called when it *is* over: once, in the request's
//! context, after the response body was dropped and before the values are. [`End`] says how it came to that, over
//! HTTP/1.1 and HTTP/2 alike:
//!
//! | what happened                                                                                    | [`End`]     |
//! |--------------------------------------------------------------------------------------------------|-------------|
//! | the body was streamed to its end, or up to its trailers                                          | `Completed` |
//! | it was dropped before, but nothing was left to send: it is empty, has handed on all the bytes of its [length](#the-length-of-a-body), or answers `HEAD` or with 204 or 304 | `Completed` |
//! | the setup refused the request, and that answer was sent                                          | `Completed` |
//! | the connection became something else (101, `CONNECT`): the socket lives on, the request is over  | `Completed` |
//! | a 500, a gRPC error status, what a timeout or catch-panic layer *inside* answered                | `Completed` |
//! | the inner service or the body returned an error                                                  | `Failed`    |
//! | the body ended before its [length](#the-length-of-a-body), handed on more, or that length is invalid | `Failed` |
//! | the client left, before the head or in the body: connection closed, stream reset, call cancelled | `Cancelled` |
//! | a timeout layer *outside* gave up, or an outer layer put another body in place                   | `Cancelled` |
//! | a panic in the setup, the inner service's `call` or future, the body (a frame, `is_end_stream`, `size_hint`, its drop) or an `on_response` callback, caught outside or not | `Panicked` |
//!
//! ## The length of a body
//!
//! The length is the `Content-Length` of the response or, without one, the exact `size_hint` of its body. It is read once,
//! when the status and headers are ready, and the data of each frame is subtracted from it. So a body may keep returning
//! its total size from `size_hint`.
//!
//! * **A body that is shorter** is `Failed`: it returns `None`, sends trailers, or is dropped when its `is_end_stream` is
//!   true, with bytes missing. Clients get an error from hyper, except over HTTP/1.1 when `is_end_stream` is true from the
//!   start: hyper then announces 0 bytes.
//! * **A body that is longer** is `Failed`. Over HTTP/1.1, hyper cuts the frame that exceeds the length. It drops the body
//!   there, so a frame after the last byte of the length is never polled. Over HTTP/2, hyper sends the excess, and clients
//!   reject the response.
//! * **Where the two differ**, the `Content-Length` counts, since hyper sends it unchanged and clients check it. Over
//!   HTTP/2, hyper compares neither with the body. Over HTTP/1.1, it sends as many bytes as `size_hint` says, and panics in
//!   debug builds.
//! * **Trailers that a client did not wait for** are not missed: a body that is dropped after its last byte is `Completed`.
//! * **An invalid `Content-Length`** is `Failed`: anything but one number in digits (`+5`, `5, 5`), or several lines that
//!   differ. Over HTTP/1.1, hyper sends no such response unless `size_hint` is exact; clients reject it. Several lines with
//!   the same number count as one.
//!
//! Responses without content have no length, whatever their headers say: those to `HEAD`, 101, 204, 304 and a successful
//! `CONNECT`.
//!
//! ## What it does not say
//!
//! * **The outcome.** It speaks of the transport: a 500 that went out whole is `Completed`. Whoever wants the status
//!   records it, as the [access log](#access-log) does.
//! * **The receipt.** `Completed` means handed to the server. The last bytes may not be flushed yet, and what arrived
//!   nobody knows.
//! * **Anything at all**, when the future or body was leaked ([`std::mem::forget`]), or the process aborts or is killed.
//!   What must not be lost belongs in a database before the handler returns.
//!
//! ## Where to register, and who calls
//!
//! The setup registers through its `store`, all code below through [`RequestContext::on_end`] and
//! [`on_response`](crate::RequestContext::on_response): the latter until the head of the response is ready, the former until
//! the request is over, from the body and from tasks that [carry](crate::RequestContext::carry) the context too. Who comes too
//! late is told by a [`CallbackError`], or `false` from the methods of [`Store`], and the closure is dropped uncalled.
//!
//! The end belongs to the layer that made the context, and so do the callbacks: one that is registered in a
//! [child](crate::RequestContext::child) goes to the nearest parent that has an end. A layer with [`Nesting::Reuse`] calls
//! nobody, since the context is not its own. [`Store::run`] gives work without a request an end, but no response; a
//! context that is only [scoped](crate::RequestContext::scope) has neither, and refuses.
//!
//! ## What a callback may do
//!
//! Callbacks are synchronous, and run where the server polls or drops the body, often before its last flush. So they
//! must be quick: no lock that others hold for long, no file, no query. What takes longer they
//! [spawn](crate::RequestContext::spawn). A panic in one is reported by the panic hook and stops neither the other callbacks
//! nor the server.
//!
//! # Commit or roll back
//!
//! The commit is awaited, and its failure changes the answer: it belongs in the middleware. The rollback is for all
//! that can happen otherwise (an error, a panic, a client that left while the handler waited), so `on_end` does it,
//! unless it is done. To roll back is to give the connection back as unusable, or to spawn what cleans it.
//!
//! ```
//! # use axum::{Router, extract::{Request, State}, middleware::{Next, from_fn_with_state}, routing::get};
//! # use axum::response::{self, Response};
//! # use futures_util::FutureExt;
//! # use http::StatusCode;
//! # use std::{mem, sync::{Arc, Mutex}};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # #[derive(Clone, Default)]
//! # struct Database(Arc<Mutex<Vec<&'static str>>>);
//! # #[derive(Clone)]
//! # struct Transaction(Database, Arc<Mutex<bool>>);
//! # impl Database {
//! #     async fn begin(&self) -> Transaction { Transaction(self.clone(), Arc::new(Mutex::new(true))) }
//! # }
//! # impl Transaction {
//! #     async fn commit(&self) -> Result<(), StatusCode> { self.finish("commit"); Ok(()) }
//! #     fn roll_back(&self) { self.finish("roll back") }
//! #     fn finish(&self, how: &'static str) {
//! #         if mem::take(&mut *self.1.lock().unwrap()) { self.0.0.lock().unwrap().push(how); }
//! #     }
//! # }
//! async fn transaction(State(db): State<Database>, request: Request, next: Next) -> response::Result<Response> {
//!     let transaction = db.begin().await;
//!     let open = transaction.clone();
//!     RequestContext::on_end(move |_| open.roll_back())?; // does nothing after a commit
//!     RequestContext::set(transaction.clone())?; // for the repositories below
//!     let response = next.run(request).await;
//!     if !(response.status().is_client_error() || response.status().is_server_error()) {
//!         transaction.commit().await?;
//!     }
//!     Ok(response)
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let db = Database::default();
//! # let app: Router = Router::new()
//! #     .route("/good", get(async || assert!(RequestContext::contains::<Transaction>())))
//! #     .route("/bad", get(async || StatusCode::CONFLICT))
//! #     .route("/slow", get(std::future::pending::<()>))
//! #     .layer(from_fn_with_state(db.clone(), transaction))
//! #     .layer(RequestContextLayer::default());
//! # let ask = |path| app.clone().oneshot(Request::get(path).body(axum::body::Body::empty()).unwrap());
//! # assert_eq!(ask("/good").await.unwrap().status(), StatusCode::OK);
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["commit"]);
//! # assert_eq!(ask("/bad").await.unwrap().status(), StatusCode::CONFLICT);
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["roll back"]);
//! # assert!(ask("/slow").now_or_never().is_none());
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["roll back"]);
//! # }
//! ```
//!
//! # Access log
//!
//! The line is written when all has been sent, or not; the status is recorded when it is known.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{Request, StatusCode};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # let (log, lines) = std::sync::mpsc::channel();
//! let access_log = RequestContextLayer::new(move |store, request| {
//!     let (log, line) = (log.clone(), format!("{} {}", request.method, request.uri.path()));
//!     store.on_response(|head| RequestContext::set(head.status).expect("callbacks run in the context"));
//!     store.on_end(move |end| {
//!         let status = RequestContext::get().map_or(0, |status: StatusCode| status.as_u16());
//!         log.send(format!("{line} {status} {end:?}")).ok();
//!     });
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router, path: &str) {
//! #     let response = app.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
//! #     if path != "/left" { http_body_util::BodyExt::collect(response).await.unwrap(); }
//! # }
//! # let app: Router = Router::new().route("/cats", get(async || "Tom")).route("/left", get(async || "Tom"));
//! # let app = app.layer(access_log);
//! # ask(app.clone(), "/cats");
//! assert_eq!(lines.recv().unwrap(), "GET /cats 200 Completed");
//! # ask(app.clone(), "/dogs");
//! assert_eq!(lines.recv().unwrap(), "GET /dogs 404 Completed");
//! # ask(app, "/left");
//! # assert_eq!(lines.recv().unwrap(), "GET /left 200 Cancelled");
//! ```
//!
//! # Count queries
//!
//! An `Arc` of an atomic is one counter for the whole request, also where a child or a task counts.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use std::sync::{Arc, atomic::{AtomicU32, Ordering}, mpsc::channel};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! #[derive(Clone, Default)]
//! struct Queries(Arc<AtomicU32>);
//!
//! async fn query(sql: &str) {
//!     RequestContext::with(|queries: &Queries| queries.0.fetch_add(1, Ordering::Relaxed));
//!     // …
//! # let _ = sql;
//! }
//!
//! # let (reports, reported) = channel();
//! let count = RequestContextLayer::new(move |store, _| {
//!     let (queries, reports) = (Queries::default(), reports.clone());
//!     store.insert(queries.clone());
//!     store.on_end(move |_| reports.send(queries.0.load(Ordering::Relaxed)).expect("somebody reads the reports"));
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router) {
//! #     app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # }
//! # let app: Router = Router::new().route("/", get(async || {
//! #     query("select 1").await;
//! #     RequestContext::spawn(query("select 2")).await.unwrap();
//! # }));
//! # ask(app.layer(count));
//! # assert_eq!(reported.recv(), Ok(2));
//! ```
//!
//! # Header from deep code
//!
//! Three calls below the handler somebody knows what the answer should say. The error means that there is no answer to
//! say it in: the code runs in a job, or the head is out. Here it does not matter.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{HeaderValue, Request, header::CACHE_CONTROL};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! async fn handler() -> String {
//!     cat_of("Ada").await
//! }
//!
//! async fn cat_of(user: &str) -> String {
//!     load("cats", user).await
//! }
//!
//! async fn load(table: &str, key: &str) -> String {
//!     let volatile = HeaderValue::from_static("no-store");
//!     let _ = RequestContext::on_response(|head| drop(head.headers.insert(CACHE_CONTROL, volatile)));
//!     format!("{table}: {key}")
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let app: Router = Router::new().route("/", get(handler)).layer(RequestContextLayer::default());
//! # let response = app.oneshot(Request::new(Body::empty())).await.unwrap();
//! # assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
//! # assert_eq!(handler().await, "cats: Ada");
//! # }
//! ```
//!
//! [`CallbackError`]: crate::CallbackError
//! [`End`]: crate::End
//! [`Nesting::Reuse`]: crate::Nesting::Reuse
//! [`RequestContext::on_end`]: crate::RequestContext::on_end
//! [`Store`]: crate::Store
//! [`Store::run`]: crate::Store::run
