//! When a request ends, and commit or rollback.
//!
//! # Completion
//!
//! A handler returns before its request has ended: the body is still to be streamed, and the client may disconnect at
//! any time. A callback that is registered with [`on_end`](crate::Store::on_end) runs once, when the request ends. It
//! runs in the request's context, after the response body was dropped and before the values are dropped. Its argument
//! [`End`] tells how the request ended, over HTTP/1.1 and HTTP/2 alike:
//!
//! | What happened                                                                                    | [`End`]     |
//! |--------------------------------------------------------------------------------------------------|-------------|
//! | The body returned `None` or its trailers, and its [length](#body-length) matched or is unknown.  | `Completed` |
//! | The body was dropped early, and nothing was left to send: the body is empty, or all the bytes of its [length](#body-length) were handed to the server, or its length is unknown and its `is_end_stream` is true, or the request is a `HEAD`, or the status is 204 or 304. | `Completed` |
//! | The setup closure rejected the request, and its response was sent.                               | `Completed` |
//! | The connection was upgraded (101, `CONNECT`). The socket may live on after the request has ended. | `Completed` |
//! | The response is a 500, has a gRPC error status, or comes from a timeout or catch-panic layer *inside* the context's layer. | `Completed` |
//! | The inner service or the body returned an error.                                                 | `Failed`    |
//! | The body ended before its [length](#body-length) or exceeded it, or that length is invalid.      | `Failed`    |
//! | The client disconnected before the headers or during the body: connection closed, stream reset, gRPC call cancelled. | `Cancelled` |
//! | A timeout layer *outside* expired, or an outer layer replaced the body.                          | `Cancelled` |
//! | The setup closure or an `on_response` callback panicked.                                         | `Panicked`  |
//! | An `on_enter` closure panicked when the layer entered the context. (If it was entered for a drop or for `on_end` callbacks, that panic does not change the end.) | `Panicked` |
//! | The inner service panicked: its `call`, or its future when it was polled or dropped.             | `Panicked`  |
//! | The body panicked: in a frame, `is_end_stream`, `size_hint` or its drop.                         | `Panicked`  |
//!
//! `Panicked` does not depend on whether a layer outside catches the panic.
//!
//! ## Body length
//!
//! The length is the `Content-Length` of the response or, without one, the exact `size_hint` of its body. It is read
//! once, when the status and headers are ready. The data of each frame is subtracted from it. So a body may keep
//! returning its total size from `size_hint`.
//!
//! * **A body that is shorter** is `Failed` if it returns `None` or sends trailers too early. An early drop is `Failed`
//!   if the body's `is_end_stream` is true, and else `Cancelled`. Over HTTP/1.1, hyper breaks off the response. Over
//!   HTTP/2, it ends the stream normally, and the client finds that bytes are missing. In one case clients see no
//!   error: over HTTP/1.1, if `is_end_stream` is true from the start, hyper sends `Content-Length: 0`. The request is
//!   still `Failed`.
//! * **A body that is longer** is `Failed` if a frame with excess bytes is polled. Over HTTP/1.1, hyper truncates the
//!   frame that exceeds the length. If a frame ends exactly at the length, hyper polls no further frame, and the
//!   request is `Completed`. Over HTTP/2, hyper sends the excess, and clients reject the response.
//! * **If `Content-Length` and `size_hint` differ**, the `Content-Length` counts, since hyper sends it unchanged,
//!   except in the case above, and clients check it. Over HTTP/2, hyper compares neither with the body. Over HTTP/1.1,
//!   it sends as many bytes as `size_hint` says, and panics in debug builds.
//! * **Trailers** do not count. A body that is dropped after its last byte is `Completed`, even if its trailers were
//!   not polled. Over HTTP/2, if the response has a length, this includes a client that disconnects between the last
//!   byte and the trailers.
//! * **An invalid `Content-Length`** is `Failed`: a value that is not one number in digits, such as `+5` or `5, 5`, or
//!   several lines that differ. Over HTTP/1.1, hyper sends such a response only if `size_hint` is exact. Clients reject
//!   most such responses, but hyper's HTTP/1.1 client accepts a list of equal numbers. Several lines with the same
//!   number count as one.
//!
//! Some responses have no content, and so no length, whatever their headers say. These are responses to `HEAD` or to a
//! successful `CONNECT`, and those with the status 101, 204 or 304.
//!
//! ## Limits of `End`
//!
//! * **The result.** `End` describes the transport: a 500 that was sent completely is `Completed`. If you need the
//!   status, record it in `on_response`, as the [access log](super::metrics#access-log) does.
//! * **Delivery.** `Completed` means that the body was handed to the server. The last bytes may not be flushed yet, and
//!   the client may not receive them.
//! * **Leaks and crashes.** `on_end` does not run if the future or body is leaked ([`std::mem::forget`]), or if the
//!   process aborts or is killed. Data that must not be lost belongs in a database before the handler returns.
//!
//! ## Where to register
//!
//! The setup closure registers callbacks through its `store`. All code below the layer uses [`RequestContext::on_end`]
//! and [`RequestContext::on_response`]. Register `on_response` before the headers are ready, and `on_end` before the
//! request has ended. `on_end` also works from the body and from [spawned tasks](super::tasks#spawned-tasks).
//! Registering too late returns a [`CallbackError`], and the closure is dropped without being called.
//!
//! The layer that created the context runs the callbacks. A layer that reuses an outer context runs none, since the
//! context is not its own. A callback that is registered in a [child](crate::RequestContext::child) goes to the nearest
//! ancestor that a layer created. For `on_end`, this may also be an ancestor that [`Store::run`] created.
//!
//! `Store::run` gives work without HTTP a completion, but no response. A context that is only
//! [scoped](crate::RequestContext::scope), outside any request, has neither a completion nor a response. Registration
//! then returns [`CallbackError::NoLifecycle`].
//!
//! ## What a callback may do
//!
//! Callbacks are synchronous. `on_response` callbacks run when the inner future is ready, and `on_end` callbacks where
//! the server polls or drops the body, often before its last flush. So they must be fast: avoid contended locks, file
//! I/O and queries. [Spawn](crate::RequestContext::spawn) a task for longer work. A panic in an `on_end` callback is
//! only reported by the panic hook. A panic in an `on_response` callback ends the request as `Panicked`. In both cases
//! the other callbacks still run.
//!
//! # Commit or rollback
//!
//! Commit in middleware, where you can await it and where its failure can change the response. Roll back in `on_end`,
//! which also covers errors, panics and clients that disconnect while the handler waits. Register the rollback *before*
//! `BEGIN`: if the registration fails, no transaction is open.
//!
//! `on_end` cannot await a `ROLLBACK`. Close the connection instead of returning it to its pool, or spawn a task for
//! the statement. With sqlx, drop the transaction: see [`databases`](super::databases).
//!
//! In this example, `Transaction` stands for a handle of your own that can be cloned. Its `roll_back` does nothing
//! before `BEGIN` and after a commit. With the feature `axum`, `?` turns the errors of this crate into responses.
//!
//! ```
//! # use axum::{Router, middleware::from_fn_with_state, routing::get};
//! use axum::{extract::{Request, State}, middleware::Next, response::{self, Response}};
//!
//! # use futures_util::FutureExt;
//! # use http::StatusCode;
//! # use std::{mem, sync::{Arc, Mutex}};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # #[derive(Clone, Default)]
//! # struct Database(Arc<Mutex<Vec<&'static str>>>);
//! # #[derive(Clone)]
//! # struct Transaction(Database, Arc<Mutex<bool>>);
//! # impl Transaction {
//! #     fn new(db: Database) -> Self { Self(db, Arc::default()) }
//! #     async fn begin(&self) -> Result<(), StatusCode> { *self.1.lock().unwrap() = true; Ok(()) }
//! #     async fn commit(&self) -> Result<(), StatusCode> { self.finish("commit"); Ok(()) }
//! #     fn roll_back(&self) { self.finish("rollback") }
//! #     fn finish(&self, how: &'static str) {
//! #         if mem::take(&mut *self.1.lock().unwrap()) { self.0.0.lock().unwrap().push(how); }
//! #     }
//! # }
//! async fn transaction(
//!     State(db): State<Database>,
//!     request: Request,
//!     next: Next,
//! ) -> response::Result<Response> {
//!     let transaction = Transaction::new(db);
//!     let open = transaction.clone();
//!     RequestContext::on_end(move |_| open.roll_back())?;
//!     RequestContext::set(transaction.clone())?; // for the repositories below
//!     transaction.begin().await?;
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
//! # let visit = |path| app.clone().oneshot(Request::get(path).body(axum::body::Body::empty()).unwrap());
//! # assert_eq!(visit("/good").await.unwrap().status(), StatusCode::OK);
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["commit"]);
//! # assert_eq!(visit("/bad").await.unwrap().status(), StatusCode::CONFLICT);
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["rollback"]);
//! # assert!(visit("/slow").now_or_never().is_none());
//! # assert_eq!(mem::take(&mut *db.0.lock().unwrap()), ["rollback"]);
//! # }
//! ```
//!
//! [`CallbackError`]: crate::CallbackError
//! [`CallbackError::NoLifecycle`]: crate::CallbackError::NoLifecycle
//! [`End`]: crate::End
//! [`RequestContext::on_end`]: crate::RequestContext::on_end
//! [`RequestContext::on_response`]: crate::RequestContext::on_response
//! [`Store::run`]: crate::Store::run
