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
//!
//! # Tenants
//!
//! The tenant is a value like any other, and so is what belongs to it: its pool, its limits. Code below asks for the pool
//! and cannot take another tenant's. Where there is none, that is an error, and never a default: a task that has lost its
//! context must not write to the wrong database. An unknown tenant is refused before anything runs. The host is what the
//! client asked for, and no proof that its user belongs there: that is checked like any other right (see
//! [`trust`](super::trust)). Here `ContextError` is an answer, which takes the feature `axum`.
//!
//! ```
//! # use axum::{Router, body::Body, response::IntoResponse, routing::get};
//! # use http::{Request, StatusCode, header::HOST, request::Parts, uri::Authority};
//! # use std::collections::HashMap;
//! # use tower::ServiceExt;
//! # use tower_request_context::{ContextError, RequestContext, RequestContextLayer};
//! #[derive(Clone)]
//! struct Pool(&'static str); // a handle, so that a clone is cheap
//!
//! async fn cats() -> Result<String, ContextError> {
//!     let Pool(database) = RequestContext::try_get()?; // not `unwrap_or`
//!     Ok(format!("the cats in {database}"))
//! }
//!
//! fn host(request: &Parts) -> Option<Authority> {
//!     if let Some(authority) = request.uri.authority() {
//!         return Some(authority.clone()); // HTTP/2
//!     }
//!     let mut lines = request.headers.get_all(HOST).iter();
//!     let line = lines.next().filter(|_| lines.next().is_none())?;
//!     Authority::try_from(line.as_bytes()).ok()
//! }
//!
//! let pools = HashMap::from([("paris.example", Pool("paris")), ("rome.example", Pool("rome"))]);
//! let tenants = RequestContextLayer::new(move |store, request| {
//!     let pool = host(request).and_then(|host| pools.get(host.host()).cloned());
//!     let pool = pool.ok_or_else(|| StatusCode::NOT_FOUND.into_response())?;
//!     store.insert(pool);
//!     Ok(())
//! });
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router, host: &str) -> (StatusCode, String) {
//! #     let request = match host.strip_prefix("http2 ") {
//! #         Some(host) => Request::get(format!("http://{host}/")),
//! #         None => host.split(", ").fold(Request::get("/"), |request, host| request.header(HOST, host)),
//! #     };
//! #     let request = request.body(Body::empty()).unwrap();
//! #     let response = app.oneshot(request).await.unwrap();
//! #     let status = response.status();
//! #     let text = http_body_util::BodyExt::collect(response).await.unwrap().to_bytes();
//! #     (status, String::from_utf8(text.into()).unwrap())
//! # }
//! # let bare: Router = Router::new().route("/", get(cats));
//! # let app = bare.clone().layer(tenants);
//! # assert_eq!(ask(app.clone(), "rome.example"), (StatusCode::OK, "the cats in rome".into()));
//! # assert_eq!(ask(app.clone(), "paris.example:3000"), (StatusCode::OK, "the cats in paris".into()));
//! # assert_eq!(ask(app.clone(), "http2 paris.example:3000"), (StatusCode::OK, "the cats in paris".into()));
//! # assert_eq!(ask(app.clone(), "rome.example, paris.example").0, StatusCode::NOT_FOUND);
//! # assert_eq!(ask(app, "oslo.example").0, StatusCode::NOT_FOUND);
//! # assert_eq!(ask(bare, "rome.example").0, StatusCode::INTERNAL_SERVER_ERROR);
//! ```
//!
//! # Deadlines
//!
//! A request has one deadline, however many calls it makes: each is given what is left of it. So the setup stores a
//! point in time and not a duration. Without a deadline, as in a job, the call takes as long as it takes; nothing is
//! made up. What goes out to another service can say in a header what is left.
//!
//! ```
//! # use std::time::Duration;
//! # use tokio::time::{Instant, error::Elapsed, timeout_at};
//! # use tower_request_context::{RequestContext, RequestContextLayer, Store};
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! #[derive(Clone, Copy)]
//! struct Deadline(Instant);
//!
//! let layer = RequestContextLayer::new(|store, _| {
//!     store.insert(Deadline(Instant::now() + Duration::from_secs(2)));
//! });
//!
//! async fn in_time<F: Future>(call: F) -> Result<F::Output, Elapsed> {
//!     match RequestContext::get() {
//!         Some(Deadline(at)) => timeout_at(at, call).await,
//!         None => Ok(call.await),
//!     }
//! }
//! # use {http::{Request, Response}, tower::{Layer, ServiceExt, service_fn}, std::future::{pending, ready}};
//! # let service = layer.layer(service_fn(async |_: Request<()>| {
//! #     assert!(RequestContext::contains::<Deadline>());
//! #     Ok::<_, Elapsed>(Response::new(in_time(ready(String::from("a cat"))).await?))
//! # }));
//! # let answer = http_body_util::BodyExt::collect(service.oneshot(Request::new(())).await.unwrap());
//! # assert_eq!(answer.await.unwrap().to_bytes(), "a cat");
//! # let over = RequestContext::new(Store::new().with_value(Deadline(Instant::now())));
//! # assert!(over.scope(in_time(pending::<()>())).await.is_err());
//! # assert_eq!(in_time(ready(7)).await, Ok(7));
//! # }
//! ```
//!
//! # The whole head of the request
//!
//! The head is not in the store unless you put it there, and mostly a few fields of it do. All of it costs a clone in each
//! request (the maps of headers and extensions are copied, the bytes of headers are shared), and stays as long as the
//! context does: so does the buffer that the server read the headers into, which a task that carries the context then keeps
//! alive. It is what the client sent, passwords and cookies included; what middleware inside changes of the request, it
//! does not show. Read it in place with [`with`](crate::RequestContext::with), and not with `get`, which would copy it
//! again.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{Request, header::ACCEPT_LANGUAGE, request::Parts};
//! # use tower::ServiceExt;
//! # use tower_request_context::{RequestContext, RequestContextLayer};
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
//! # async fn ask(app: Router) -> axum::body::Bytes {
//! #     let request = Request::get("/").header(ACCEPT_LANGUAGE, "fr,en").body(Body::empty()).unwrap();
//! #     http_body_util::BodyExt::collect(app.oneshot(request).await.unwrap()).await.unwrap().to_bytes()
//! # }
//! # let app: Router = Router::new().route("/", get(async || language().unwrap_or_default()));
//! # assert_eq!(ask(app.layer(layer)), "fr");
//! # assert_eq!(language(), None);
//! ```
