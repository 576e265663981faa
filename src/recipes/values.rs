//! What to keep in the context, and in which form.
//!
//! # Look-ups once a request
//!
//! A list of orders that loads the cat of each asks the database a hundred times for the same three cats. The context
//! remembers them for the time of the request: one cell a key, so that those who ask at once wait for one look-up.
//!
//! ```
//! # use std::{collections::HashMap, sync::{Arc, Mutex, atomic::{AtomicU32, Ordering}}};
//! use tokio::sync::OnceCell;
//! use tower_request_context::{RequestContext, Store};
//!
//! # type Cat = String;
//! # static QUERIES: AtomicU32 = AtomicU32::new(0);
//! # async fn load_cat(id: u32) -> Cat { QUERIES.fetch_add(1, Ordering::Relaxed); tokio::task::yield_now().await; format!("cat {id}") }
//! #[derive(Clone, Default)]
//! struct Cats(Arc<Mutex<HashMap<u32, Arc<OnceCell<Cat>>>>>);
//!
//! async fn cat(id: u32) -> Cat {
//!     let cats = RequestContext::get_or_init(async || Cats::default()).await;
//!     let cell = Arc::clone(cats.0.lock().expect("nobody panics with it").entry(id).or_default());
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
//! A single value, such as the account behind a session, needs no map:
//! [`get_or_init`](crate::RequestContext::get_or_init) with its type is enough. Outside of a request nothing is remembered,
//! and the code works as before.
