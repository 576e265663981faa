//! Caching: N+1 queries, memoized look-ups, data loaders, shared futures.
//!
//! # N+1 queries: memoize per request
//!
//! A page that needs the same row in many places should query it once. Keep a map in the context with one `OnceCell`
//! per key. Then concurrent callers of a key share one look-up.
//!
//! ```
//! # use std::sync::atomic::{AtomicU32, Ordering};
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//! use tokio::sync::OnceCell;
//! use tower_request_context::{RequestContext, Store};
//!
//! # type Cat = String;
//! # static QUERIES: AtomicU32 = AtomicU32::new(0);
//! # async fn load_cat(id: u32) -> Cat {
//! #     QUERIES.fetch_add(1, Ordering::Relaxed);
//! #     tokio::task::yield_now().await;
//! #     format!("cat {id}")
//! # }
//! #[derive(Clone, Default)]
//! struct Cats(Arc<Mutex<HashMap<u32, Arc<OnceCell<Cat>>>>>);
//!
//! async fn cat(id: u32) -> Cat {
//!     let cats = RequestContext::get_or_insert_with(Cats::default);
//!     let cell = Arc::clone(cats.0.lock().unwrap().entry(id).or_default());
//!     cell.get_or_init(|| load_cat(id)).await.clone()
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let request = Store::new().run(async { futures_util::join!(cat(1), cat(2), cat(1)) });
//! assert_eq!(request.await, ("cat 1".into(), "cat 2".into(), "cat 1".into()));
//! # assert_eq!(QUERIES.load(Ordering::Relaxed), 2);
//! # }
//! ```
//!
//! For a single value, such as the account of a session, no map is needed:
//! [`get_or_init`](crate::RequestContext::get_or_init) does the same for one value. Without a current context nothing
//! is cached, and each call loads.
//!
//! # Data loaders
//!
//! A data loader collects the keys that are requested at about the same time, and loads them with one query. Its
//! constructor takes the function that spawns the query, for example in async-graphql 7. This function decides whether
//! the query runs in a request's context. In this example, `DataLoader` stands for your library's type. `load_cats` and
//! `load_prices` load the values for a list of keys.
//!
//! ```
//! # use std::{collections::HashMap, mem, sync::{Arc, LazyLock, Mutex}};
//! # use futures_util::{FutureExt, future::BoxFuture};
//! # use tokio::sync::oneshot;
//! # use tower_request_context::{RequestContext, Store};
//! # type Waiting<K> = Arc<Mutex<Vec<(K, oneshot::Sender<String>)>>>;
//! # struct DataLoader<K> {
//! #     waiting: Waiting<K>,
//! #     spawn: Box<dyn Fn(Waiting<K>) + Send + Sync>,
//! # }
//! # impl<K: Send + 'static> DataLoader<K> {
//! #     fn new<F, R>(load: fn(Vec<K>) -> F, spawn: impl Fn(BoxFuture<'static, ()>) -> R + Send + Sync + 'static)
//! #     -> Self where F: Future<Output = Vec<String>> + Send + 'static {
//! #         let spawn = move |waiting: Waiting<K>| drop(spawn(async move {
//! #             tokio::task::yield_now().await;
//! #             let (keys, senders): (Vec<_>, Vec<_>) = mem::take(&mut *waiting.lock().unwrap()).into_iter().unzip();
//! #             for (sender, value) in senders.into_iter().zip(load(keys).await) { sender.send(value).unwrap(); }
//! #         }.boxed()));
//! #         Self { waiting: Waiting::default(), spawn: Box::new(spawn) }
//! #     }
//! #     async fn load_one(&self, key: K) -> String {
//! #         let (sender, receiver) = oneshot::channel();
//! #         let waiting = {
//! #             let mut waiting = self.waiting.lock().unwrap();
//! #             waiting.push((key, sender));
//! #             waiting.len()
//! #         };
//! #         if waiting == 1 { (self.spawn)(Arc::clone(&self.waiting)); }
//! #         receiver.await.unwrap()
//! #     }
//! # }
//! # #[derive(Clone, Copy)]
//! # struct Tenant(&'static str);
//! # async fn load_cats(ids: Vec<u32>) -> Vec<String> {
//! #     let (Tenant(tenant), n) = (RequestContext::expect(), ids.len());
//! #     ids.into_iter().map(|id| format!("{tenant} {id}, 1 of {n}")).collect()
//! # }
//! # async fn load_prices(keys: Vec<(&'static str, u32)>) -> Vec<String> {
//! #     assert!(!RequestContext::is_active());
//! #     let n = keys.len();
//! #     keys.into_iter().map(|(tenant, id)| format!("{tenant} {id}, 1 of {n}")).collect()
//! # }
//! // Per request: the batches run in its context, and see its tenant.
//! async fn cat(id: u32) -> String {
//!     let new = || Arc::new(DataLoader::new(load_cats, RequestContext::spawn));
//!     RequestContext::get_or_insert_with(new).load_one(id).await
//! }
//!
//! // Shared: a batch has keys of several requests, and runs in no context.
//! // The tenant is a part of the key.
//! static PRICES: LazyLock<DataLoader<(&str, u32)>> =
//!     LazyLock::new(|| DataLoader::new(load_prices, tokio::spawn));
//!
//! async fn price(id: u32) -> String {
//!     let Tenant(tenant) = RequestContext::expect();
//!     PRICES.load_one((tenant, id)).await
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! # let [paris, rome] = ["paris", "rome"].map(|name| RequestContext::new(Store::new().with_value(Tenant(name))));
//! # let both = paris.scope(async { futures_util::join!(cat(1), cat(2)) });
//! # let (one, two) = futures_util::join!(both, rome.scope(cat(1)));
//! # assert_eq!(one, ("paris 1, 1 of 2".into(), "paris 2, 1 of 2".into()));
//! # assert_eq!(two, "rome 1, 1 of 1");
//! # let (one, two) = futures_util::join!(paris.scope(price(1)), rome.scope(price(1)));
//! # assert_eq!((&*one, &*two), ("paris 1, 1 of 2", "rome 1, 1 of 2"));
//! # }
//! ```
//!
//! Without a current context, each call of `cat` makes a loader of its own.
//!
//! # Caches and shared futures
//!
//! Work that several requests share must not run in the context of one of them. A [`Shared`] future is polled by each
//! request that waits for it. A cache that loads in a context would store values that only the first user may see. Wrap
//! the load in [`exit`](crate::RequestContext::exit), so that no context is current. Pass everything that it needs as a
//! part of the key.
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
//! [`Shared`]: https://docs.rs/futures/latest/futures/future/struct.Shared.html
