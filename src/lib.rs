//! A request context for [tower], axum, hyper and tonic: typed values that are there wherever a request's code runs.
//!
//! A [`RequestContextLayer`] runs a setup closure on each [`http::Request`], which seeds a [`Store`] with a user id, a
//! tenant, whatever the code below wants to know. It keeps that store current while the inner service is called, its
//! future polled, its response body streamed, and all of it dropped. Code at any depth asks [`RequestContext::get`] by
//! type; nothing is passed.
//!
//! # Example
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! use axum::{Router, routing::get};
//! use tower_request_context::{RequestContext, RequestContextLayer};
//!
//! #[derive(Clone)]
//! struct UserId(String);
//!
//! async fn cat() -> String {
//!     favourite_cat().await
//! }
//!
//! async fn favourite_cat() -> String {
//!     match RequestContext::get() {
//!         Some(UserId(id)) => format!("the cat of {id}"),
//!         None => String::from("a stray cat"),
//!     }
//! }
//!
//! let app: Router = Router::new().route("/cat", get(cat)).layer(RequestContextLayer::new(|store, request| {
//!     if let Some(Ok(id)) = request.headers.get("x-user-id").map(|id| id.to_str()) {
//!         store.insert(UserId(id.to_owned())); // for real identities see "Identity and trust"
//!     }
//! }));
//! # use tower::ServiceExt;
//! # let request = http::Request::builder().uri("/cat").header("x-user-id", "ada").body(axum::body::Body::empty());
//! # let response = app.oneshot(request.unwrap()).await.unwrap();
//! # let text = http_body_util::BodyExt::collect(response).await.unwrap().to_bytes();
//! # assert_eq!(text, "the cat of ada");
//! # }
//! ```
//!
//! A setup may also refuse a request, by returning `Err(response)`. What it cannot do is wait. To await something, such
//! as a session look-up, put async middleware *below* the layer (`axum::middleware::from_fn`, or tower-http's
//! `AsyncRequireAuthorizationLayer` in any stack) and let it [`set`](RequestContext::set) what it found: it runs inside
//! the context, and all that runs after it sees the value.
//!
//! # Where it reaches
//!
//! | place                                                  | in the request's context |
//! |--------------------------------------------------------|--------------------------|
//! | the synchronous part of the inner service's `call`     | yes                      |
//! | each poll of its future                                | yes                      |
//! | each frame of the response body, trailers too          | yes                      |
//! | the `Drop` of that future and body: finished, cancelled, never polled, unwinding | yes |
//! | the body of a rejection                                  | yes                      |
//! | the setup closure                                      | it makes the context: it reads and writes its `store` |
//! | the `Drop` of the values in the store                  | no: in none, whoever drops the last handle |
//! | `poll_ready`                                           | no: there is no request yet |
//! | a body's `size_hint` and `is_end_stream`               | no                       |
//! | layers outside of this one, and the errors they answer with | no                  |
//! | a `call` that a layer in between makes on a task of its own, as `tower::buffer` does | no, see [`insert_extension`](RequestContextLayer::insert_extension) |
//! | a bare `tokio::spawn`, `spawn_blocking` or thread      | no, see below            |
//!
//! So the layer belongs outside of everything that wants to read the context (authentication, tracing of your own, the
//! handlers), and inside of what should still work when it refuses or panics (compression, a catch-panic layer):
//!
//! ```text
//! request ─▶ CatchPanic ─▶ Timeout ─▶ Compression ─▶ RequestContextLayer ─▶ Trace ─▶ Authentication ─▶ routes
//!            └───────────── no context ─────────────┘                       └──────── its context ────────┘
//! ```
//!
//! # Spawned tasks
//!
//! A task is not part of the request unless you say so. [`RequestContext::spawn`] and
//! [`spawn_blocking`](RequestContext::spawn_blocking) are tokio's with the context carried along;
//! [`carry`](RequestContext::carry) does it for any future that something else will poll (`JoinSet`, `TaskTracker`,
//! `spawn_local`); [`scope`](RequestContext::scope) and [`sync_scope`](RequestContext::sync_scope) enter a context that
//! you hold. [`exit`](RequestContext::exit) is the opposite, for what several requests share: filling a cache, opening a
//! pooled connection, a `Shared` future, which would otherwise run as whoever polls it. The same goes for an executor that
//! is driven inside of a request, a `LocalSet` or a `block_on`: what it polls runs as that request, unless it carries a
//! context of its own.
//!
//! A task that carries a context keeps its values alive. What may outlive the request by far (a cache entry, a timer)
//! should hold a [`WeakRequestContext`].
//!
//! # The end of a request
//!
//! A request is over when its response body has been streamed, has failed or was dropped, which is long after the
//! handler has returned. [`on_end`](RequestContext::on_end) callbacks are called then, once and in its context, and
//! [`End`] says which it was; [`on_response`](RequestContext::on_response) callbacks may change the head of the response
//! from any depth before. Work without HTTP has an end too, with [`Store::run`]. The [recipes](recipes::lifecycle) say what
//! exactly is promised, and build on it: commit or roll back, an access log, a count of queries, a header from deep code.
//!
//! # Made once a request
//!
//! What is dear and perhaps not needed (the account behind a session, the flags of a tenant) need not be seeded:
//! [`get_or_init`](RequestContext::get_or_init) makes it for the first who asks, while all others of the request wait
//! for that one initialiser. Initialisers may await each other's values in any order, and one that awaits its own panics
//! with a text that says so. If one fails, is cancelled or panics, nothing is kept, and the next caller tries.
//!
//! # Layers inside layers
//!
//! **Every request starts from its own store.** A request that is made within another one, in the same process or even
//! on the same task, is anonymous unless it says who it is. A layer inside a layer can do otherwise when it is told so,
//! by [`Nesting`]: `Inherit` lets reads fall through to the outer context and keeps writes inside; `Reuse` keeps the
//! outer context as it is. Both also work below a `Buffer`, if the outer layer has the option
//! [`insert_extension`](RequestContextLayer::insert_extension). In code, [`RequestContext::child`] and
//! [`inherit`](RequestContext::inherit) make such a context for a part of the work.
//!
//! # The next service
//!
//! A [`RequestIdPolicy`] gives each request an id, in the store, on its header and on the response;
//! [`RequestContext::id`] returns it. [`HeaderPropagator`] carries it on to the services that are called, with the trace and
//! whatever other headers you name.
//!
//! # Logging
//!
//! Every line that is logged for a request can have its id, its route and its user, also in spawned tasks, bodies and
//! drops. Either a `tracing` span is current wherever the context is, with [`Store::on_enter`], or the formatter reads the
//! context for each event. [`recipes::logging`] has both, the crate `log`, OpenTelemetry and Sentry.
//!
//! # Identity and trust
//!
//! The context holds what your setup puts there, and hands it to everyone below. A header is whatever a client sent: take an
//! identity from one only if a proxy that you control sets it, and is the only way in; otherwise verify a token or look up a
//! session. The examples here read `x-user-id` because they are examples; [`recipes::security`] says how to do it.
//!
//! Absence is `None` or an error, never a default user. Nothing in this crate prints a value, except for the id that is
//! made for logs: `Debug` shows the names of types and headers.
//!
//! # Compared with
//!
//! * **Arguments, `State`, extractors, [`http::Extensions`]**: clearer, where they reach; a signature that says what it
//!   needs is worth more than one that does not. Extensions stop at the first function that is not handed the request.
//!   The context is for what crosses every layer and concerns few of them: identity, tenant, ids, a transaction. Do not
//!   let it become the object that everything lives in.
//! * **`tokio::task_local!`**: what this crate does for a future, for a future only. The body is polled after it, `call`
//!   runs before it; and a value whose `Clone` enters a scope makes it panic.
//! * **Spans** (`tracing`): made to be written, not read. Keep a span *in* the context, if you like, to record on it later.
//!
//! # Feature flags
//!
//! | feature         | default | what it adds                                                                      |
//! |-----------------|---------|-----------------------------------------------------------------------------------|
//! | `axum`          | no      | [`ContextValue`] and [`RequestContext`] as extractors, errors as responses        |
//! | `request-id`    | yes     | [`RequestIdPolicy`], and new [`RequestId`]s, made with the crate `uuid`           |
//! | `rt`            | yes     | [`RequestContext::spawn`] and [`spawn_blocking`](RequestContext::spawn_blocking), on tokio's runtime |
//! | `stream`        | no      | [`Scoped`] streams                                                                |
//! | `tower-http-06` | no      | the id as tower-http 0.6's `RequestId`, and its id generators; implies `request-id` |
//! | `tower-http-07` | no      | the same for tower-http 0.7                                                       |
//! | `tracing`       | no      | logs context errors that become responses: see [`ContextError`](ContextError#as-a-response) |
//!
//! A library that only reads the context depends on this crate with `default-features = false`: it reads the application's
//! values, and its [`RequestContext::id`], with tokio's `sync` as the only part of tokio.
//!
//! [tower]: https://docs.rs/tower

#![cfg_attr(docsrs, feature(doc_cfg))]

// rustdoc lists the methods of `Store` and `RequestContext` in the order of these modules.
mod middleware;

mod store;

mod context;

mod headers;

#[cfg(feature = "axum")]
mod axum;
mod error;
mod lifecycle;
pub mod recipes;
mod sync;
mod unwind;

#[cfg(feature = "axum")]
pub use self::axum::ContextValue;
#[cfg(feature = "request-id")]
pub use self::headers::RequestIdPolicy;
pub use self::{
    context::{RequestContext, Run, Scoped, WeakRequestContext},
    error::{CallbackError, ContextError},
    headers::{HeaderPropagator, RequestId, RequestIdError},
    lifecycle::End,
    middleware::{Nesting, RequestContextLayer, RequestContextService, ResponseBody, SetupOutcome, future},
    store::Store,
};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
