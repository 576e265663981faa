//! Work after the response, and a graceful shutdown that waits for it.
//!
//! # A function `after()` for work after the response
//!
//! Some work should start when the response has been sent: e-mails, statistics, cache updates. Register it with
//! `on_end`, and track it with a `TaskTracker` of `tokio-util`, so that a shutdown can wait for it.
//!
//! ```
//! # use std::sync::LazyLock;
//! # use tower_request_context::{CallbackError, RequestContext};
//! use tokio_util::task::TaskTracker;
//!
//! static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);
//!
//! fn after(work: impl Future<Output = ()> + Send + 'static) -> Result<(), CallbackError> {
//!     let work = TASKS.track_future(work); // tracked from now on, not only when it is spawned
//!     RequestContext::on_end(move |_| drop(RequestContext::spawn(work)))
//! }
//! # use tower_request_context::Store;
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let (sender, mut done) = tokio::sync::mpsc::unbounded_channel();
//! # let handler = async || {
//! #     after(async move { sender.send(RequestContext::get::<u8>()).unwrap() }).unwrap();
//! #     tokio::task::yield_now().await;
//! #     assert_eq!(TASKS.len(), 1);
//! # };
//! # Store::new().with_value(7_u8).run(handler()).await;
//! # assert!(done.try_recv().is_err());
//! # TASKS.close();
//! # TASKS.wait().await;
//! # assert_eq!(done.try_recv(), Ok(Some(7)));
//! # assert_eq!(after(async {}), Err(CallbackError::NoContext));
//! # assert!(TASKS.is_empty());
//! # }
//! ```
//!
//! The work runs in the request's context, and keeps its values alive. It also runs after a request that failed or was
//! cancelled. If it should not, check the [`End`](crate::End) that `on_end` passes. A task may also start while the
//! request still runs. To track such a task, spawn `TASKS.track_future(work)`.
//!
//! # Graceful shutdown
//!
//! First let the server finish its requests, then wait for the tracked work:
//!
//! ```
//! # use std::{sync::LazyLock, time::Duration};
//! # use axum::Router;
//! # use tokio::time::timeout;
//! # use tokio_util::task::TaskTracker;
//! # static TASKS: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);
//! async fn ctrl_c() {
//!     tokio::signal::ctrl_c().await.expect("the handler for Ctrl-C can be installed");
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let app = Router::new();
//! # TASKS.spawn(tokio::task::yield_now());
//! # let ctrl_c = async || ();
//! // in `main`
//! axum::serve(listener, app).with_graceful_shutdown(ctrl_c()).await?;
//! TASKS.close();
//! let is_done = timeout(Duration::from_secs(30), TASKS.wait()).await.is_ok();
//! # assert!(is_done && TASKS.is_empty());
//! # Ok(())
//! # }
//! ```
//!
//! When the runtime is dropped, for example because `main` returns:
//!
//! * Tasks are dropped at their next `.await`, in their context. Tasks that have not started never run.
//! * Requests that are still in flight end as `Cancelled`. Work that their `on_end` spawns is dropped without running.
//! * A closure of `spawn_blocking` that has started runs to its end. Others may never start.
//!
//! Work that must not be lost belongs in a queue or a database before the response is sent.
