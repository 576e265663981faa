//! Spawned tasks, threads, and what happens to them when the request is cancelled.
//!
//! # Spawned tasks
//!
//! Work on another task or thread has no context unless you propagate it. Use [`spawn`] for tokio's tasks and [`carry`]
//! for futures that something else spawns. Both also work where no context is current.
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! use tokio::task::JoinSet;
//!
//! fn price(cat: u64) -> u64 {
//!     RequestContext::with(|UserId(id)| id * cat).unwrap_or(0)
//! }
//!
//! async fn prices() -> [u64; 3] {
//!     let task = RequestContext::spawn(async { price(1) });
//!     let blocking = RequestContext::spawn_blocking(|| price(2));
//!
//!     let mut tasks = JoinSet::new();
//!     tasks.spawn(RequestContext::carry(async { price(3) }));
//!
//!     [task.await.unwrap(), blocking.await.unwrap(), tasks.join_all().await[0]]
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let context = RequestContext::new(Store::new().with_value(UserId(7)));
//! # assert_eq!(context.scope(prices()).await, [7, 14, 21]);
//! # assert_eq!(prices().await, [0; 3]);
//! # assert_eq!(context.scope(async { tokio::spawn(async { price(1) }).await }).await.unwrap(), 0);
//! # }
//! ```
//!
//! # Thread pools (rayon)
//!
//! In a thread pool, enter the context in each job. One `sync_scope` around `par_iter` is not enough, since the items
//! run on the pool's own threads.
//!
//! ```
//! # use tower_request_context::Store;
//! use rayon::prelude::*;
//! use tower_request_context::{ContextError, RequestContext};
//!
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! # fn price(cat: u64) -> u64 { RequestContext::with(|UserId(id)| id * cat).unwrap_or(0) }
//! fn total(cats: &[u64]) -> Result<u64, ContextError> {
//!     let context = RequestContext::try_current()?;
//!     Ok(cats.par_iter().map(|cat| context.sync_scope(|| price(*cat))).sum())
//! }
//! # let context = RequestContext::new(Store::new().with_value(UserId(7)));
//! # assert_eq!(context.sync_scope(|| total(&[1, 2])), Ok(21));
//! # assert_eq!(context.sync_scope(|| [1, 2].par_iter().map(|cat| price(*cat)).sum::<u64>()), 0);
//! # assert_eq!(total(&[1, 2]), Err(ContextError::NoContext));
//! ```
//!
//! A rayon thread that waits in `join` runs other jobs meanwhile, perhaps of another request. If it waits inside a
//! `sync_scope`, those jobs run in that context. Follow both of these rules:
//!
//! * Code of a job that reads the context runs in a [`sync_scope`](crate::RequestContext::sync_scope) of its own, or in
//!   [`sync_exit`](crate::RequestContext::sync_exit) if it belongs to no request. Then the context of the thread
//!   does not matter to it.
//! * A job does not wait for the pool inside a `sync_scope`: no `rayon::join`, `rayon::scope`, `install`, `yield_now`
//!   or parallel iterator. It leaves the scope before it waits. So code that does not follow the first rule runs in no
//!   context rather than in a wrong one. Code outside the pool, such as a handler, may wait in a scope. Its thread
//!   blocks, and runs no other job.
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! # fn price(cat: u64) -> u64 { RequestContext::with(|UserId(id)| id * cat).unwrap_or(0) }
//! fn sum(context: &RequestContext, cats: &[u64]) -> u64 {
//!     match cats {
//!         [] => 0,
//!         [cat] => context.sync_scope(|| price(*cat)),
//!         _ => {
//!             let (left, right) = cats.split_at(cats.len() / 2);
//!             // No `sync_scope` here, because `join` waits.
//!             let (left, right) = rayon::join(|| sum(context, left), || sum(context, right));
//!             left + right
//!         }
//!     }
//! }
//! # let user = |id| RequestContext::new(Store::new().with_value(UserId(id)));
//! # let (one, two) = rayon::join(|| sum(&user(1), &[1, 2, 3]), || sum(&user(2), &[1, 2, 3]));
//! # assert_eq!((one, two, sum(&user(1), &[])), (6, 12, 0));
//! # assert!(!rayon::join(RequestContext::is_active, || ()).0);
//! ```
//!
//! # Request cancelled: stop spawned work
//!
//! If the client disconnects, the handler's future is dropped, but spawned tasks go on. Give them a `CancellationToken`
//! of `tokio-util` that `on_end` cancels. In `spawn_blocking`, check `is_cancelled` from time to time.
//!
//! ```
//! # use tower_request_context::{End, RequestContext, RequestContextLayer};
//! # async fn report() -> &'static str { std::future::pending().await }
//! use tokio_util::sync::CancellationToken;
//!
//! let layer = RequestContextLayer::new(|store, _| {
//!     let token = CancellationToken::new();
//!     store.insert(token.clone());
//!     store.on_end(move |end| if end != End::Completed { token.cancel() });
//! });
//!
//! async fn cancellable<F: Future>(work: F) -> Option<F::Output> {
//!     let token: CancellationToken = RequestContext::expect();
//!     token.run_until_cancelled(work).await // `None` if the request did not complete
//! }
//! # use {axum::{Router, body::Body, routing::get}, http::Request, tower::ServiceExt, futures_util::FutureExt};
//! # use tokio::{sync::mpsc::{UnboundedReceiver, unbounded_channel}, task::JoinHandle};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router, mut tasks: UnboundedReceiver<JoinHandle<Option<&str>>>) {
//! #     assert!(app.oneshot(Request::new(Body::empty())).now_or_never().is_none());
//! #     assert_eq!(tasks.recv().await.unwrap().await.unwrap(), None);
//! # }
//! # let (sender, tasks) = unbounded_channel();
//! # let handler = async move || {
//! #     sender.send(RequestContext::spawn(cancellable(report()))).unwrap();
//! #     std::future::pending::<()>().await
//! # };
//! # visit(Router::new().route("/", get(handler)).layer(layer), tasks);
//! ```
//!
//! # Finish although the client has disconnected
//!
//! For work that must not stop half-way, spawn it and await the task. If the client disconnects, only the waiting
//! stops. The task goes on in the request's context. The request then ends as `Cancelled`, and the task can no longer
//! register callbacks.
//!
//! ```
//! # use http::StatusCode;
//! # use tower_request_context::{RequestContext, Store};
//! # use futures_util::FutureExt;
//! # async fn charge() { tokio::task::yield_now().await; }
//! # async fn record() {
//! #     let sender: tokio::sync::mpsc::UnboundedSender<u8> = RequestContext::expect();
//! #     sender.send(RequestContext::expect()).unwrap();
//! # }
//! async fn pay() -> Result<&'static str, StatusCode> {
//!     let payment = RequestContext::spawn(async {
//!         charge().await;
//!         record().await;
//!     });
//!     payment.await.map_err(|_panic| StatusCode::INTERNAL_SERVER_ERROR)?;
//!     Ok("paid")
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let (sender, mut recorded) = tokio::sync::mpsc::unbounded_channel::<u8>();
//! # let context = RequestContext::new(Store::new().with_value(sender).with_value(7_u8));
//! # assert!(context.scope(pay()).now_or_never().is_none()); // dropped while it waits
//! # assert_eq!(recorded.recv().await, Some(7));
//! # assert_eq!(context.scope(pay()).await, Ok("paid"));
//! # }
//! ```
//!
//! See [`shutdown`](super::shutdown) for a server that waits for such tasks before it exits.
//!
//! [`carry`]: crate::RequestContext::carry
//! [`spawn`]: crate::RequestContext::spawn
