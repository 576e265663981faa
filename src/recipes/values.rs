//! Which values to store: types, maps, handles, and the whole request.
//!
//! # `get` returns `None`: types that are nearly the same
//!
//! A value is found by its exact type. These are different types, and the compiler cannot tell which one you meant:
//!
//! ```
//! # use std::sync::Arc;
//! # use tower_request_context::{RequestContext, Store};
//! #[derive(Clone, Debug, PartialEq)]
//! struct User(String);
//!
//! let mut store = Store::new();
//! store.insert(Some(User("Ada".into()))); // an `Option<User>`
//! store.insert(Arc::new(User("Ada".into()))); // an `Arc<User>`
//! store.insert("Ada"); // a `&'static str`
//! store.insert(7); // an `i32`
//!
//! let context = RequestContext::new(store);
//! assert_eq!(context.get::<User>(), None);
//! assert_eq!(context.get::<String>(), None);
//! assert_eq!(context.get::<u64>(), None);
//! # assert!(context.get::<Option<User>>().is_some() && context.get::<Arc<User>>().is_some());
//! # assert!(context.get::<&str>().is_some() && context.get::<i32>().is_some());
//! # let panic = std::panic::catch_unwind(|| context.sync_scope(|| RequestContext::expect::<User>())).unwrap_err();
//! # assert!(panic.downcast_ref::<String>().unwrap().contains("::User>` is there"));
//! ```
//!
//! * Use a newtype per value. Two values of the same type replace each other, and a `type` alias is the same type.
//! * The message of [`expect`](crate::RequestContext::expect) lists the types that are there, and points out the ones
//!   that are nearly the same.
//! * Two versions of a crate have different types with the same name. Run `cargo tree -d`.
//!
//! # Maps with keys that are known at run time only
//!
//! Store one map. [`update`](crate::RequestContext::update) clones the value for each change, and so the whole map.
//! With an `Arc<Mutex<_>>`, nothing is cloned, and child contexts and tasks share the map:
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! use std::{collections::HashMap, sync::{Arc, Mutex}};
//!
//! #[derive(Clone, Default)]
//! struct Tags(Arc<Mutex<HashMap<String, String>>>);
//!
//! fn tag(key: &str, value: &str) {
//!     RequestContext::with(|Tags(tags)| tags.lock().unwrap().insert(key.into(), value.into()));
//! }
//! # let context = RequestContext::new(Store::new().with_value(Tags::default()));
//! # context.sync_scope(|| tag("cat", "Tom"));
//! # context.child(Store::new()).sync_scope(|| tag("dog", "Rex"));
//! # assert_eq!(context.get::<Tags>().unwrap().0.lock().unwrap().len(), 2);
//! # struct Cloned(Arc<()>);
//! # impl Clone for Cloned { fn clone(&self) -> Self { Self(Arc::new(())) } }
//! # let value = Arc::new(());
//! # let context = RequestContext::new(Store::new().with_value(Cloned(Arc::clone(&value))));
//! # context.sync_scope(|| RequestContext::update(|_: &mut Cloned| ())).unwrap();
//! # assert!(context.with(|Cloned(now)| !Arc::ptr_eq(now, &value)).unwrap());
//! ```
//!
//! Do not hold the lock across an `.await`.
//!
//! # Memory leak: a handle in its own store
//!
//! A [`RequestContext`] that is stored in its own context is a reference cycle, and its values are never freed. The
//! same holds for a value that contains such a handle, for example a future of
//! [`carry`](crate::RequestContext::carry). Store a [`WeakRequestContext`] instead:
//!
//! ```
//! # use std::sync::Arc;
//! # use tower_request_context::{RequestContext, Store, WeakRequestContext};
//! struct Repository {
//!     context: WeakRequestContext, // not `RequestContext`
//! }
//! # struct Leaking(#[expect(dead_code)] RequestContext);
//!
//! let value = Arc::new("freed with the context");
//! let context = RequestContext::new(Store::new().with_value(Arc::clone(&value)));
//! context.set(Repository { context: context.downgrade() });
//! # assert!(context.with(|repository: &Repository| repository.context.upgrade().is_some()).unwrap());
//! drop(context);
//! assert_eq!(Arc::strong_count(&value), 1);
//! # let context = RequestContext::new(Store::new().with_value(Arc::clone(&value)));
//! # context.set(Leaking(context.clone()));
//! # drop(context);
//! # assert_eq!(Arc::strong_count(&value), 2);
//! ```
//!
//! # The whole request (URI, headers)
//!
//! The request parts are not stored automatically. Usually a few fields are enough. If you store all of them:
//!
//! * Each request pays a clone: the maps of headers and extensions are copied, the bytes of headers are shared.
//! * They stay as long as the context, with the buffer that the server read the headers into. A task that carries the
//!   context keeps that buffer alive.
//! * They contain passwords and cookies of the client.
//! * They are a snapshot. Changes by inner middleware are not visible.
//! * Read them with [`with`](crate::RequestContext::with). `get` would copy them again.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::Request;
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! use http::{header::ACCEPT_LANGUAGE, request::Parts};
//!
//! fn language() -> Option<String> {
//!     RequestContext::with(|request: &Parts| {
//!         let first = request.headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?.split(',').next()?;
//!         Some(first.to_owned())
//!     })?
//! }
//!
//! let layer = RequestContextLayer::new(|store, request| {
//!     store.insert(request.clone());
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router) -> axum::body::Bytes {
//! #     let request = Request::get("/").header(ACCEPT_LANGUAGE, "fr,en").body(Body::empty()).unwrap();
//! #     http_body_util::BodyExt::collect(app.oneshot(request).await.unwrap()).await.unwrap().to_bytes()
//! # }
//! # let app: Router = Router::new().route("/", get(async || language().unwrap_or_default()));
//! # assert_eq!(visit(app.layer(layer)), "fr");
//! # assert_eq!(language(), None);
//! ```
//!
//! [`RequestContext`]: crate::RequestContext
//! [`WeakRequestContext`]: crate::WeakRequestContext
