//! Unit tests of code that reads the context, and tests of handlers.
//!
//! # Unit tests
//!
//! Code that reads the context can be tested without a server. Put the values in a store and run the code in its
//! context: with [`sync_scope`] for functions, [`scope`] for futures, and [`Store::run`] for code that registers
//! `on_end`. No teardown is needed, and tests do not affect each other. Also test the case in which the value is
//! missing.
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! fn greeting() -> String {
//!     match RequestContext::get() {
//!         Some(UserId(id)) => format!("hello, user {id}"),
//!         None => "hello, stranger".into(),
//!     }
//! }
//!
//! # async fn load_greeting() -> String { tokio::task::yield_now().await; greeting() }
//! // #[tokio::test] (uncomment this line in your test)
//! async fn the_user_is_greeted_by_id() {
//!     let context = RequestContext::new(Store::new().with_value(UserId(7)));
//!     assert_eq!(context.sync_scope(greeting), "hello, user 7");
//!     assert_eq!(context.scope(load_greeting()).await, "hello, user 7");
//!     assert_eq!(greeting(), "hello, stranger");
//! }
//! # #[tokio::main(flavor = "current_thread")] async fn main() { the_user_is_greeted_by_id().await }
//! ```
//!
//! # Callbacks
//!
//! Send the [`End`](crate::End) to a channel, and drop the future to test a cancellation:
//!
//! ```
//! # use tower_request_context::{CallbackError, End, RequestContext, Store};
//! # use futures_util::FutureExt;
//! use std::sync::mpsc::{Sender, channel};
//!
//! async fn work(sender: Sender<End>) -> Result<(), CallbackError> {
//!     RequestContext::on_end(move |end| sender.send(end).unwrap())?;
//!     tokio::task::yield_now().await;
//!     Ok(())
//! }
//!
//! let (sender, receiver) = channel();
//! // Polled once, then dropped.
//! assert_eq!(Store::new().run(work(sender.clone())).now_or_never(), None);
//! assert_eq!(receiver.recv(), Ok(End::Cancelled));
//!
//! # tokio_test::block_on(async {
//! Store::new().run(work(sender)).await?;
//! assert_eq!(receiver.recv(), Ok(End::Completed));
//! # Ok::<_, CallbackError>(())
//! # }).unwrap();
//! ```
//!
//! # Handlers
//!
//! A router is a service. `oneshot` sends it a request without a socket. Read the body to its end: the request ends
//! with it.
//!
//! ```
//! # use axum::{Router, body::{Body, to_bytes}, routing::get};
//! # use http::Request;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use tower::ServiceExt;
//!
//! # fn app() -> Router {
//! #     let layer = RequestContextLayer::new(|store, _| { store.insert(String::from("Tom")); });
//! #     Router::new().route("/cats", get(async || RequestContext::expect::<String>())).layer(layer)
//! # }
//! // #[tokio::test] (uncomment this line in your test)
//! async fn cats_are_listed() {
//!     let request = Request::get("/cats").body(Body::empty()).unwrap();
//!     let response = app().oneshot(request).await.unwrap();
//!     assert_eq!(to_bytes(response.into_body(), 1024).await.unwrap(), "Tom");
//! }
//! # tokio_test::block_on(cats_are_listed());
//! ```
//!
//! [`Store::run`]: crate::Store::run
//! [`scope`]: crate::RequestContext::scope
//! [`sync_scope`]: crate::RequestContext::sync_scope
