//! Spans of `tracing`, OpenTelemetry and Sentry that are current wherever the request's context is.
//!
//! Each of these libraries keeps something current on a thread: `tracing` a span, OpenTelemetry a `Context`, Sentry a
//! `Hub`. Their own middleware enters it around the handler's future. In drops and in spawned tasks it is not current.
//! The middleware of some of these libraries does not cover the response body either. A closure that is registered with
//! [`Store::on_enter`] returns the library's own guard. The guard is then held wherever the context is current. Each
//! library takes three to five lines in the setup closure.
//!
//! # Spans (`tracing`)
//!
//! ```
//! # use tower_request_context::{RequestContext, RequestContextLayer, RequestIdPolicy};
//! # static LINES: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
//! # struct Lines;
//! # impl std::io::Write for Lines {
//! #     fn write(&mut self, line: &[u8]) -> std::io::Result<usize> { LINES.lock().unwrap().write(line) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # let subscriber = tracing_subscriber::fmt().without_time().with_ansi(false).with_writer(|| Lines).finish();
//! # let _default = tracing::subscriber::set_default(subscriber);
//! use tracing::{Span, field, info, info_span};
//!
//! let ids = RequestIdPolicy::new();
//! let layer = RequestContextLayer::new(move |store, request| {
//!     let span = info_span!("request", id = %ids.apply(store, request), user = field::Empty);
//!     store.insert(span.clone()); // to record fields later
//!     store.on_enter(move || span.clone().entered());
//! });
//!
//! async fn handler() {
//!     // Usually in middleware that authenticates.
//!     RequestContext::get().unwrap_or_else(Span::none).record("user", 7);
//!     RequestContext::spawn(async { info!("fed") }).await.unwrap();
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: axum::Router) -> axum::response::Response {
//! #     tower::ServiceExt::oneshot(app, http::Request::new(axum::body::Body::empty())).await.unwrap()
//! # }
//! # let response = visit(axum::Router::new().route("/", axum::routing::get(handler)).layer(layer));
//! # let id = response.headers()["x-request-id"].to_str().unwrap();
//! # let line = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
//! # assert!(line.contains(&format!("request{{id={id} user=7}}")) && line.ends_with("fed\n"), "{line}");
//! ```
//!
//! Record fields on the span that the context holds, and not on `Span::current()`: a function with `#[instrument]` has
//! a span of its own. The context holds the last handle of its span, so the span closes when the context is dropped,
//! after `on_end`.
//!
//! **Use a global default subscriber** (`tracing_subscriber::fmt().init()`, `set_global_default`). The `Registry` of
//! `tracing-subscriber` holds references to open spans, and releases them through the default subscriber of the current
//! thread. It releases a reference when a child span is closed. Before tracing-subscriber 0.3.22, it also does so at
//! each exit of a span. A request is polled and dropped on many threads. On a thread with another default, or with
//! none, the reference is not released, and the span is never closed.
//!
//! ## `TraceLayer`
//!
//! `TraceLayer` enters a span of its own in `call`, in polls and in body frames, but not in drops, and no spawned task
//! has it. Its events are useful next to `on_enter`: the status and latency of each response, failures, the end of the
//! body. Put it below the context's layer, and give it `Span::none()`, so that there is only one span. Its events are
//! then logged in the request's span:
//!
//! ```
//! # use tower_http::trace::TraceLayer;
//! # use tracing::Span;
//! # type Request = http::Request<axum::body::Body>;
//! # let layer =
//! TraceLayer::new_for_http().make_span_with(|_: &Request| Span::none())
//! # ;
//! # axum::Router::<()>::new().layer(layer);
//! ```
//!
//! # OpenTelemetry
//!
//! ```
//! use opentelemetry::{Context, global, trace::{TraceContextExt, Tracer}};
//!
//! # use tower_request_context::RequestContextLayer;
//! # #[derive(Debug, PartialEq)]
//! # struct Cat(&'static str);
//! # let layer =
//! RequestContextLayer::new(|store, _request| {
//!     // Use `start_with_context` if a propagator has extracted a parent.
//!     let span = global::tracer("app").start("request");
//!     let cx = Context::current_with_span(span);
//! #   let cx = cx.with_value(Cat("Tom"));
//!     let ending = cx.clone();
//!     store.on_enter(move || cx.clone().attach());
//!     store.on_end(move |_| ending.span().end());
//! })
//! # ;
//! # use {axum::{Router, routing::get}, tower::ServiceExt, tower_request_context::RequestContext};
//! # async fn handler() -> &'static str {
//! #     RequestContext::spawn(async { Context::current().get().map_or("none", |Cat(name)| name) }).await.unwrap()
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router) -> axum::body::Bytes {
//! #     let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes()
//! # }
//! # assert_eq!(visit(Router::new().route("/", get(handler)).layer(layer)), "Tom");
//! # assert_eq!(Context::current().get::<Cat>(), None);
//! ```
//!
//! With `tracing-opentelemetry`, register the span of `tracing` instead: it has an OpenTelemetry span of its own.
//!
//! # Sentry
//!
//! ```
//! use {sentry_core::{Hub, HubSwitchGuard}, std::sync::Arc};
//!
//! # use tower_request_context::RequestContextLayer;
//! # let layer =
//! RequestContextLayer::new(|store, request| {
//!     // One per request, so that its tags are its own.
//!     let hub = Arc::new(Hub::new_from_top(Hub::main()));
//!     hub.configure_scope(|scope| scope.set_tag("path", request.uri.path()));
//! #   store.insert(Arc::as_ptr(&hub) as usize);
//!     store.on_enter(move || HubSwitchGuard::new(hub.clone()));
//! })
//! # ;
//! # use {axum::{Router, routing::get}, tower::ServiceExt, tower_request_context::RequestContext};
//! # async fn handler() -> String {
//! #     let is_current = || RequestContext::get::<usize>() == Some(Arc::as_ptr(&Hub::current()) as usize);
//! #     RequestContext::spawn(async move { is_current().to_string() }).await.unwrap()
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router) -> axum::body::Bytes {
//! #     let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes()
//! # }
//! # assert_eq!(visit(Router::new().route("/", get(handler)).layer(layer)), "true");
//! ```
//!
//! This replaces `NewSentryLayer` of `sentry-tower`, which binds its hub to the future of the response only.
//!
//! # Several guards, and `exit`
//!
//! Guards are entered in the order of registration and dropped in reverse. [`child`](crate::RequestContext::child)
//! contexts, and layers that inherit, enter those of their parents first.
//!
//! [`exit`](crate::RequestContext::exit) leaves the request context only. The span, the OpenTelemetry context and the
//! hub stay current, because their guards are not dropped. If shared work must not be part of a request's trace either,
//! use what each library has for that: a root span (`.instrument(info_span!(parent: None, "refresh"))`),
//! OpenTelemetry's `.with_context(Context::new())`, and Sentry's `.bind_hub(Hub::main())`.
//!
//! [`Store::on_enter`]: crate::Store::on_enter
