//! Work beside the request: tasks, threads, caches, and tests.
//!
//! # Tasks and threads
//!
//! What runs elsewhere carries the context along, or has none. [`spawn`](crate::RequestContext::spawn) is for tokio's tasks,
//! [`carry`](crate::RequestContext::carry) for futures that something else spawns. In a pool of threads such as rayon's,
//! each job enters the context by a handle. One `sync_scope` around `par_iter` would not do, since the items run on the
//! pool's own threads.
//!
//! ```
//! # use rayon::prelude::*;
//! # use tokio::task::JoinSet;
//! # use tower_request_context::{ContextError, RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! fn price(cat: u64) -> u64 {
//!     RequestContext::with(|UserId(id)| id * cat).unwrap_or(0)
//! }
//!
//! async fn prices() -> Result<[u64; 3], ContextError> {
//!     let task = RequestContext::spawn(async { price(1) });
//!
//!     let mut tasks = JoinSet::new();
//!     tasks.spawn(RequestContext::carry(async { price(2) }));
//!
//!     let context = RequestContext::try_current()?;
//!     let sum = [1, 2].into_par_iter().map(|cat| context.sync_scope(|| price(cat))).sum();
//! #   let bare: u64 = [1, 2].into_par_iter().map(price).sum();
//! #   assert_eq!(bare, 0);
//!
//!     Ok([task.await.expect("it does not panic"), tasks.join_all().await[0], sum])
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let context = RequestContext::new(Store::new().with_value(UserId(7)));
//! # assert_eq!(context.scope(prices()).await, Ok([7, 14, 21]));
//! # assert_eq!(prices().await, Err(ContextError::NoContext));
//! # }
//! ```
//!
//! A thread of such a pool does not block while it waits for the pool: it takes another job, perhaps that of another
//! request, and runs it on top of the one that waits. If that one waits inside a `sync_scope`, the other job runs in its
//! context. Two rules prevent that:
//!
//! * Each job begins with [`sync_scope`](crate::RequestContext::sync_scope), or with
//!   [`sync_exit`](crate::RequestContext::sync_exit) if it belongs to no request. It is then independent of the thread
//!   that takes it.
//! * A job does not wait for the pool inside a scope: no `join`, `scope`, `install`, `yield_now` or parallel iterator. It
//!   leaves the scope before it waits. Code that runs outside of the pool, such as a handler, may wait: its thread blocks.
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
//!             let (left, right) = rayon::join(|| sum(context, left), || sum(context, right)); // in no scope
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
//! # Caches and shared futures
//!
//! What one request begins and others wait for belongs to none of them. A [`Shared`] future is polled by whoever comes,
//! so it would begin as one user and go on as another; a cache that loads through it would store what the first one may
//! see. [`exit`](crate::RequestContext::exit) takes the context away inside. What the load needs to know is a part of its
//! key, and is passed.
//!
//! ```
//! # use futures_util::{FutureExt, future::{BoxFuture, Shared}};
//! # use std::{collections::HashMap, sync::Mutex};
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! #[derive(Default)]
//! struct Cache(Mutex<HashMap<String, Shared<BoxFuture<'static, String>>>>);
//!
//! impl Cache {
//!     async fn cat(&self, name: &str) -> String {
//!         let load = || RequestContext::exit(load(name.to_owned())).boxed().shared();
//!         let cat = self.0.lock().unwrap().entry(name.to_owned()).or_insert_with(load).clone();
//!         cat.await
//!     }
//! }
//!
//! async fn load(name: String) -> String {
//!     assert!(!RequestContext::is_active());
//! #   tokio::task::yield_now().await;
//! #   assert!(!RequestContext::is_active());
//!     format!("{name}, a cat for all")
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let cache = Cache::default();
//! # let [one, two] = [1, 2].map(|id| RequestContext::new(Store::new().with_value(UserId(id))));
//! # let (one, two) = tokio::join!(one.scope(cache.cat("Tom")), two.scope(cache.cat("Tom")));
//! # assert_eq!((&*one, &*two), ("Tom, a cat for all", "Tom, a cat for all"));
//! # assert_eq!(cache.0.lock().unwrap().len(), 1);
//! # }
//! ```
//!
//! # Unit tests
//!
//! Code that reads the context needs no server to be tested: a store with the values that the test wants, and the code
//! within. [`sync_scope`](crate::RequestContext::sync_scope) is for functions, [`scope`](crate::RequestContext::scope) for
//! futures, and [`Store::run`] for what registers `on_end`. Nothing has to be taken down, and tests do not disturb each
//! other, in whatever threads they run. Do not forget the test without a value.
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! fn greeting() -> String {
//!     RequestContext::get().map_or_else(|| "who are you?".into(), |UserId(id)| format!("hello, user {id}"))
//! }
//!
//! # async fn load_greeting() -> String { tokio::task::yield_now().await; greeting() }
//! // #[tokio::test]
//! async fn the_user_is_greeted_by_id() {
//!     let context = RequestContext::new(Store::new().with_value(UserId(7)));
//!     assert_eq!(context.sync_scope(greeting), "hello, user 7");
//!     assert_eq!(context.scope(load_greeting()).await, "hello, user 7");
//!     assert_eq!(greeting(), "who are you?");
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() { the_user_is_greeted_by_id().await }
//! ```
//!
//! [`Shared`]: https://docs.rs/futures/latest/futures/future/struct.Shared.html
//! [`Store::run`]: crate::Store::run
