//! A request context for [tower], axum, hyper and tonic: typed values for each request that any function can read.
//!
//! A [`RequestContextLayer`] runs a setup closure on each [`http::Request`]. The closure inserts values into a typed
//! [`Store`]: a user id, a tenant, a request id. The store becomes the context of the request. A context is *current*
//! on a thread while code of its request runs there. The layer keeps it current while the inner service is called, its
//! future is polled, its response body is streamed, and that future and body are dropped. Code at any depth reads a
//! value with [`RequestContext::get`], without an argument.
//!
//! # Example
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use tokio::net::TcpListener;
//! use tower_request_context::{RequestContext, RequestContextLayer};
//!
//! #[derive(Clone)]
//! struct UserId(String);
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:3000").await?;
//!     axum::serve(listener, app()).await
//! }
//!
//! fn app() -> Router {
//!     let context = RequestContextLayer::new(|store, request| {
//!         // Only for this demo: any client can send this header.
//!         if let Some(Ok(id)) = request.headers.get("x-user-id").map(|id| id.to_str()) {
//!             store.insert(UserId(id.to_owned()));
//!         }
//!     });
//!     Router::new().route("/", get(hello)).layer(context)
//! }
//!
//! async fn hello() -> String {
//!     greeting()
//! }
//!
//! fn greeting() -> String {
//!     match RequestContext::get::<UserId>() {
//!         Some(UserId(id)) => format!("hello, user {id}\n"), // no extractor, no argument
//!         None => String::from("hello, stranger\n"),
//!     }
//! }
//! ```
//!
//! A value is found by its type, which must be `Send + Sync + 'static`. Use one newtype per value.
//! [`get`](RequestContext::get) clones the value, and [`with`](RequestContext::with) reads it by reference.
//!
//! # Where the context is available
//!
//! | Code                                                          | Context available? |
//! |---------------------------------------------------------------|--------------------|
//! | the inner service's `call`                                    | yes                |
//! | each poll of its future: handlers, extractors, inner middleware | yes              |
//! | each frame of the response body, and trailers                 | yes                |
//! | the `Drop` of that future and body: after completion, cancellation, a panic, or without any poll | yes |
//! | the body of a response with which the setup rejected the request | yes             |
//! | [`on_response`](RequestContext::on_response) and [`on_end`](RequestContext::on_end) callbacks | yes |
//! | tasks, threads and closures that propagate the context: see [Spawned tasks](#spawned-tasks) | yes |
//! | `tokio::spawn`, `spawn_blocking` and threads otherwise        | no                 |
//! | the `call` of services that middleware calls on another task, such as `tower::buffer` | no: see [`insert_extension`](RequestContextLayer::insert_extension) |
//! | the setup closure                                             | not yet: it uses its `store` argument |
//! | outer layers, and the error responses that they generate      | no                 |
//! | `poll_ready`                                                  | no: there is no request yet |
//! | a body's `size_hint` and `is_end_stream`                      | no                 |
//! | the `Drop` of the values in the store                         | no                 |
//!
//! Put the layer outside every layer that reads the context, and inside the layers that must still handle its
//! rejections and panics, such as compression and a catch-panic layer. To have the request id on a response that a
//! timeout or a panic causes, put a timeout and a catch-panic layer inside. Keep a catch-panic layer outside for panics
//! in the setup closure:
//!
//! ```text
//! request ─▶ CompressionLayer      ┐ no context
//!            CatchPanicLayer       ┘
//!            RequestContextLayer
//!            CatchPanicLayer       ┐
//!            TimeoutLayer          │
//!            TraceLayer            │ context available
//!            authentication        │
//!            routes                ┘
//! ```
//!
//! In axum, the last `Router::layer` is outermost. A route that is added after the layer has no context. See
//! [`recipes::middleware`].
//!
//! # Writing values, and async look-ups
//!
//! The setup closure is synchronous. It inserts values, or rejects the request by returning `Err(response)`. For async
//! work, such as a session look-up, add async middleware *inside* the layer: `axum::middleware::from_fn`, or
//! tower-http's `AsyncRequireAuthorizationLayer`. It runs in the context, and writes what it found with
//! [`set`](RequestContext::set) for all code that runs later.
//!
//! An expensive value that not every request needs can be lazy. [`get_or_init`](RequestContext::get_or_init) awaits an
//! initializer on first use, while concurrent callers wait for its value. See [`recipes::caching`].
//!
//! # Spawned tasks
//!
//! `tokio::spawn` does not propagate the context. [`RequestContext::current`] returns a handle to it. A handle
//! dereferences to its [`Store`], so `handle.get` reads from the context of the handle. How you start a task, a thread,
//! a future or a closure decides in which context it runs:
//!
//! | For                                                      | In the current context | In a context that you hold | In no context |
//! |----------------------------------------------------------|------------------------|----------------------------|---------------|
//! | a new task                                               | [`spawn`](RequestContext::spawn) | `tokio::spawn(context.scope(…))` | `tokio::spawn` |
//! | blocking work                                            | [`spawn_blocking`](RequestContext::spawn_blocking) | `spawn_blocking(move \|\| context.sync_scope(f))` | `tokio::task::spawn_blocking` |
//! | a future (such as one for a `JoinSet`), body or stream   | [`carry`](RequestContext::carry) | [`scope`](RequestContext::scope) | [`exit`](RequestContext::exit) |
//! | a closure for a thread or a thread pool                  | [`bind`](RequestContext::bind) | `move \|\| context.sync_scope(f)` | the closure itself |
//! | a closure that is called here                            | `f()` | [`sync_scope`](RequestContext::sync_scope) | [`sync_exit`](RequestContext::sync_exit) |
//!
//! Use [`exit`](RequestContext::exit) for work that several requests share, such as filling a cache, opening a pooled
//! connection or polling a `Shared` future. Otherwise it runs in the context of whichever request polls it. An executor
//! that a request drives, such as a `LocalSet` or `block_on`, also runs its tasks in the context of that request,
//! unless they have their own.
//!
//! A task that propagates a context keeps its values alive. Hold a [`WeakRequestContext`] in what may outlive the
//! request, such as a cache entry or a timer.
//!
//! # Completion
//!
//! A request ends when its response body completes, fails or is dropped. Without a response, it ends when the setup
//! closure or the service's `call` panics, when the service returns an error, or when the service's future is dropped.
//! If that future panics, the request ends when the future is dropped. At the end, the callbacks of
//! [`on_end`](RequestContext::on_end) run exactly once, in the context, with an [`End`] that says how the request
//! ended. The callbacks of [`on_response`](RequestContext::on_response) may change the status and headers of the
//! response before they are sent. See [`recipes::lifecycle`].
//!
//! [`Store::run`] gives background jobs a completion too, without a response. A job that is awaited inside a request
//! inherits from that request. A job that is passed to `tokio::spawn` has no parent.
//!
//! # Logging and other ambient contexts
//!
//! With [`Store::on_enter`], a `tracing` span, an OpenTelemetry `Context` or a Sentry `Hub` is current wherever the
//! request context is. Without a span, a log formatter can read the context for each event. See [`recipes::logging`]
//! and [`recipes::spans`].
//!
//! # Request ids and outgoing requests
//!
//! A [`RequestIdPolicy`] gives each request an id, which [`RequestContext::id`] returns, and sets it on the request and
//! on the response. A [`HeaderPropagator`] adds the id, the trace and the other headers that you list to outgoing
//! requests. See [`recipes::propagation`].
//!
//! # Nesting
//!
//! **Every request starts from its own store.** Unlike a job, a request that is made within another one, in the same
//! process or even on the same task, inherits nothing by default ([`Nesting::Override`]). For a layer inside a layer,
//! [`Nesting`] can change that. With `Inherit`, reads fall through to the outer context, and writes stay in the inner
//! one. With `Reuse`, the inner layer keeps the outer context. [`RequestContext::child`] and
//! [`RequestContext::inherit`] create a context that inherits, for a part of the work.
//!
//! # Security
//!
//! The context does not authenticate anyone: it returns what your setup closure stored. A header is whatever the client
//! sent. Take an identity from a header only if a proxy that you control sets it, and clients cannot bypass that proxy.
//! Otherwise verify a token or look up a session. The examples here read `x-user-id` for brevity. See
//! [`recipes::security`].
//!
//! A missing value is `None` or an error, never a default user. `Debug` prints the names of types and headers, and no
//! values. The exception is [`RequestId`], which is made for logs.
//!
//! # Compared with
//!
//! * **Arguments, `State` and extractors** are clearer where they are practical, since a signature says what a function
//!   needs. The context is for values that many functions would pass on and few read: identity, tenant, ids, a
//!   transaction.
//! * **[`http::Extensions`]** stop at the first function that does not receive the request.
//! * **`tokio::task_local!`** covers a future only. The response body is polled after the future completed.
//! * **Spans** of `tracing` are written, not read. Make one current with [`Store::on_enter`]. Insert
//!   it into the store to record fields on it later.
//!
//! # Feature flags
//!
//! | Feature         | Default | What it adds                                                                      |
//! |-----------------|---------|-----------------------------------------------------------------------------------|
//! | `axum`          | no      | [`ContextValue`] and [`RequestContext`] as extractors, errors as responses        |
//! | `fast-rng`      | no      | new ids without a system call for each: see [`RequestId`](RequestId#random-bits); implies `request-id` |
//! | `request-id`    | yes     | [`RequestIdPolicy`] and new [`RequestId`]s, made with the crate `uuid`            |
//! | `rt`            | yes     | [`RequestContext::spawn`] and [`spawn_blocking`](RequestContext::spawn_blocking), on tokio's runtime |
//! | `stream`        | no      | [`Scoped<S>`](Scoped) is a `Stream` if `S` is one                                 |
//! | `tower-http-06` | no      | the id as the `RequestId` of tower-http 0.6, and ids from its `MakeRequestId`; implies `request-id` |
//! | `tower-http-07` | no      | the same for tower-http 0.7                                                       |
//! | `tracing`       | no      | logs context errors that become responses: see [`ContextError`](ContextError#as-a-response) |
//!
//! A library that only reads the context depends on this crate with `default-features = false`. It can still read the
//! values and the [`RequestContext::id`] of the application, and needs no more of tokio than the feature `sync`.
//!
//! [tower]: https://docs.rs/tower

#![cfg_attr(docsrs, feature(doc_cfg))]

// rustdoc lists methods in the order of these modules. The blank lines keep rustfmt from sorting the modules.
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
