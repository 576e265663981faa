//! The request's id, route and user on each log line, spans, and one event per request.
//!
//! # Logging
//!
//! A line that is logged for a request should say which request it was. There are two ways, and both cover all places
//! where the context is current: the handler and all that it calls, spawned tasks, the streamed body, the `Drop` of what a
//! leaving client cancels, and `on_end`. The example `logging` has both, with JSON.
//!
//! | | a span | fields from the context |
//! |---|---|---|
//! | Use it for | traces, timings, filters by span | fields on log lines |
//! | Works with | every subscriber of `tracing` | a formatter that you can extend, of `tracing` or `log` |
//! | A value that is set later | has to be declared with the span, and recorded | is on the next line |
//! | Costs | entering the span in each poll | reading the context on each line |
//!
//! ## A span
//!
//! [`Store::on_enter`] keeps the span entered wherever the context is current. A span that is entered around the handler's
//! future only is missing in drops, in spawned tasks and in the body.
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
//!     RequestContext::get().unwrap_or_else(Span::none).record("user", 7); // usually in middleware that authenticates
//!     RequestContext::spawn(async { info!("fed") }).await.unwrap();
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: axum::Router) -> axum::response::Response {
//! #     tower::ServiceExt::oneshot(app, http::Request::new(axum::body::Body::empty())).await.unwrap()
//! # }
//! # let response = ask(axum::Router::new().route("/", axum::routing::get(handler)).layer(layer));
//! # let id = response.headers()["x-request-id"].to_str().unwrap();
//! # let line = String::from_utf8(LINES.lock().unwrap().clone()).unwrap();
//! # assert!(line.contains(&format!("request{{id={id} user=7}}")) && line.ends_with("fed\n"), "{line}");
//! ```
//!
//! Record on the span that the context holds, not on `Span::current()`: a function with `#[instrument]` has a span of its
//! own.
//!
//! ## Fields from the context
//!
//! The formatter runs on the thread that logs, while the event is logged, so it can read the context. With
//! `tracing-subscriber`, put a `FormatEvent` around the one that you use:
//!
//! ```
//! # use std::fmt;
//! # use tower_request_context::{RequestContext, Store};
//! # use tracing::{Event, Subscriber, info};
//! # use tracing_subscriber::{fmt::{FmtContext, FormatEvent, FormatFields, format::{self, Writer}}, registry::LookupSpan};
//! # static LINES: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
//! # struct Lines;
//! # impl std::io::Write for Lines {
//! #     fn write(&mut self, line: &[u8]) -> std::io::Result<usize> { LINES.lock().unwrap().write(line) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! struct WithUser<F>(F);
//!
//! impl<S, N, F> FormatEvent<S, N> for WithUser<F>
//! where
//!     S: Subscriber + for<'a> LookupSpan<'a>,
//!     N: for<'a> FormatFields<'a> + 'static,
//!     F: FormatEvent<S, N>,
//! {
//!     fn format_event(&self, cx: &FmtContext<'_, S, N>, mut line: Writer<'_>, event: &Event<'_>) -> fmt::Result {
//!         if let Some(UserId(user)) = RequestContext::get() {
//!             write!(line, "user={user} ")?;
//!         }
//!         self.0.format_event(cx, line, event)
//!     }
//! }
//!
//! let format = WithUser(format::format());
//! # let format = WithUser(format::format().without_time().with_ansi(false).with_target(false));
//! let subscriber = tracing_subscriber::fmt().event_format(format);
//! # let subscriber = subscriber.with_writer(|| Lines);
//! # let _default = tracing::subscriber::set_default(subscriber.finish());
//! # RequestContext::new(Store::new()).sync_scope(|| {
//! info!("before");
//! RequestContext::set(UserId(7))?;
//! info!("after"); // user=7
//! # Ok::<_, tower_request_context::ContextError>(()) })?;
//! # assert_eq!(str::from_utf8(&LINES.lock().unwrap()).unwrap(), " INFO before\nuser=7  INFO after\n");
//! # Ok::<_, tower_request_context::ContextError>(())
//! ```
//!
//! For JSON, `json-subscriber` has fields that are read for each event:
//!
//! ```
//! # use tower_request_context::{RequestContext, RequestId, Store};
//! # use tracing_subscriber::layer::SubscriberExt;
//! # static LINES: std::sync::Mutex<Vec<u8>> = std::sync::Mutex::new(Vec::new());
//! # struct Lines;
//! # impl std::io::Write for Lines {
//! #     fn write(&mut self, line: &[u8]) -> std::io::Result<usize> { LINES.lock().unwrap().write(line) }
//! #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
//! # }
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! let mut layer = json_subscriber::layer();
//! # let mut layer = layer.with_writer(|| Lines);
//! let fields = layer.inner_layer_mut();
//! fields.add_dynamic_field("request_id", |_, _| Some(RequestContext::id()?.to_string()));
//! fields.add_dynamic_field("user", |_, _| RequestContext::with(|UserId(user)| *user));
//! let subscriber = tracing_subscriber::registry().with(layer);
//! # let _default = tracing::subscriber::set_default(subscriber);
//! # let store = Store::new().with_value(UserId(7)).with_value("id-1".parse::<RequestId>().unwrap());
//! # RequestContext::new(store).sync_scope(|| tracing::info!("fed"));
//! # let line: serde_json::Value = serde_json::from_slice(&LINES.lock().unwrap()).unwrap();
//! # assert_eq!((&line["request_id"], &line["user"]), (&"id-1".into(), &7.into()));
//! ```
//!
//! ## The crate `log`
//!
//! A logger's format closure runs on the thread that logs too, and reads the context in the same way. That closure is
//! `env_logger::Builder::format`, `fern::Dispatch::format`, or a logger of your own:
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! # #[derive(Clone)]
//! # struct UserId(u64);
//! # static LINES: std::sync::Mutex<Vec<String>> = std::sync::Mutex::new(Vec::new());
//! struct Logger;
//!
//! impl log::Log for Logger {
//! #   fn flush(&self) {}
//!     fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
//!         metadata.level() <= log::Level::Info
//!     }
//!
//!     fn log(&self, record: &log::Record<'_>) {
//!         let user = RequestContext::with(|UserId(user)| user.to_string()).unwrap_or_else(|| "-".into());
//!         let line = format!("{} user={user} {}", record.level(), record.args());
//! #       LINES.lock().unwrap().push(line); return;
//! #       #[allow(unreachable_code)]
//!         eprintln!("{line}");
//!     }
//! }
//! # log::set_logger(&Logger).unwrap();
//! # log::set_max_level(log::LevelFilter::Info);
//! # RequestContext::new(Store::new().with_value(UserId(7))).sync_scope(|| log::info!("fed"));
//! # log::info!("started");
//! # assert_eq!(*LINES.lock().unwrap(), ["INFO user=7 fed", "INFO user=- started"]);
//! ```
//!
//! * Your program logs with `tracing` and a library with `log`: `tracing-subscriber` turns records of `log` into events
//!   when it is initialised (its feature `tracing-log`, which is on by default). They have the span and the fields like all others.
//! * Your program logs with `log` and a library with `tracing`: enable the feature `log` of `tracing`. Its events become
//!   records, but without the fields of the spans around them. Let the logger read the context.
//!
//! ## One event per request
//!
//! Many systems want one wide event per request, also called a canonical log line, instead of ten narrow ones. Collect its
//! fields in the context and log it in `on_end`, when the status, the duration and the [`End`] are known.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{Request, StatusCode};
//! # use serde_json::{Map, Value, json};
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # let (log, logged) = std::sync::mpsc::channel();
//! use std::{sync::{Arc, Mutex}, time::Instant};
//!
//! #[derive(Clone, Default)]
//! struct CanonicalLine(Arc<Mutex<Map<String, Value>>>);
//!
//! fn add(name: &str, value: impl Into<Value>) {
//!     RequestContext::with(|CanonicalLine(fields)| fields.lock().unwrap().insert(name.into(), value.into()));
//! }
//!
//! let layer = RequestContextLayer::new(move |store, request| {
//!     let (path, start) = (request.uri.path().to_owned(), Instant::now());
//! #   let log = log.clone();
//!     store.insert(CanonicalLine::default());
//!     store.on_response(|head| add("status", head.status.as_u16()));
//!     store.on_end(move |end| {
//!         add("path", path);
//!         add("milliseconds", start.elapsed().as_millis() as u64);
//!         add("end", format!("{end:?}"));
//!         let line = RequestContext::with(|CanonicalLine(fields)| json!(*fields.lock().unwrap()).to_string());
//! #       log.send(line.clone()).unwrap();
//!         println!("{}", line.unwrap_or_default());
//!     });
//! });
//!
//! async fn handler() {
//!     add("cats", 3); // at any depth, and in spawned tasks
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router) {
//! #     tower::ServiceExt::oneshot(app, Request::new(Body::empty())).await.unwrap();
//! # }
//! # ask(Router::new().route("/", get(handler)).layer(layer));
//! # let mut line: Value = serde_json::from_str(&logged.recv().unwrap().unwrap()).unwrap();
//! # assert!(line.as_object_mut().unwrap().remove("milliseconds").is_some());
//! # assert_eq!(line, json!({ "cats": 3, "status": 200, "path": "/", "end": "Completed" }));
//! ```
//!
//! ## Not covered
//!
//! * **The `Drop` of the values in the store** runs in no context, so its lines have no fields. Log in
//!   [`on_end`](crate::RequestContext::on_end) instead: it runs before the values are dropped.
//! * **A formatter on a worker thread.** Some loggers send the record to a thread that formats it (`slog-async`, for one).
//!   The context is not current there. `tracing_appender::non_blocking` is fine: it formats on the thread that logs, and
//!   only writes on its own.
//! * **A bare `tokio::spawn`, `spawn_blocking` or thread.** Use [`spawn`](crate::RequestContext::spawn),
//!   [`spawn_blocking`](crate::RequestContext::spawn_blocking), [`carry`](crate::RequestContext::carry) or
//!   [`bind`](crate::RequestContext::bind).
//! * **Layers outside of the context's layer**, and the server itself.
//!
//! # Spans, OpenTelemetry, Sentry
//!
//! Each of these libraries keeps something current on a thread: `tracing` a span, OpenTelemetry a `Context`, Sentry a
//! `Hub`. The integrations enter it around the handler's future, and lose it in drops and in spawned tasks, some in the
//! body too. A closure that is registered with [`Store::on_enter`] returns the library's own guard, and so it is current
//! wherever the request's context is. Each takes three lines in the setup closure.
//!
//! ## Spans
//!
//! ```
//! # use tower_request_context::RequestContextLayer;
//! # use tracing::{Span, info_span};
//! # let _default = tracing::subscriber::set_default(tracing_subscriber::registry());
//! # let layer =
//! RequestContextLayer::new(|store, request| {
//!     let span = info_span!("request", method = %request.method, path = request.uri.path());
//!     store.insert(span.clone()); // to record fields later
//!     store.on_enter(move || span.clone().entered());
//! })
//! # ;
//! # use {axum::{Router, routing::get}, tower::ServiceExt, tower_request_context::RequestContext};
//! # async fn handler() -> &'static str {
//! #     RequestContext::spawn(async { Span::current().metadata().unwrap().name() }).await.unwrap()
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn ask(app: Router) -> axum::body::Bytes {
//! #     let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes()
//! # }
//! # assert_eq!(ask(Router::new().route("/", get(handler)).layer(layer)), "request");
//! ```
//!
//! The span is closed when the last handle is dropped: with the context, after `on_end`.
//!
//! `TraceLayer` has a span of its own, which it enters in `call`, in polls and in body frames, but not in drops, and which
//! no spawned task has. Beside `on_enter` it is still useful for its events: status and latency of each response,
//! failures, the end of the body. Put it below the context's layer and let it open no second span; its events are logged
//! in the request's:
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
//! ## OpenTelemetry
//!
//! ```
//! # use opentelemetry::{Context, global, trace::{TraceContextExt, Tracer}};
//! # use tower_request_context::RequestContextLayer;
//! # #[derive(Debug, PartialEq)]
//! # struct Cat(&'static str);
//! # let layer =
//! RequestContextLayer::new(|store, _request| {
//!     let span = global::tracer("app").start("request"); // `start_with_context`, if a propagator has extracted a parent
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
//! # async fn ask(app: Router) -> axum::body::Bytes {
//! #     let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes()
//! # }
//! # assert_eq!(ask(Router::new().route("/", get(handler)).layer(layer)), "Tom");
//! # assert_eq!(Context::current().get::<Cat>(), None);
//! ```
//!
//! With `tracing-opentelemetry`, register the span of `tracing` instead, which has an OpenTelemetry span of its own.
//!
//! ## Sentry
//!
//! ```
//! # use std::sync::Arc;
//! # use sentry_core::{Hub, HubSwitchGuard};
//! # use tower_request_context::RequestContextLayer;
//! # let layer =
//! RequestContextLayer::new(|store, request| {
//!     let hub = Arc::new(Hub::new_from_top(Hub::main())); // one per request, so that its tags are its own
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
//! # async fn ask(app: Router) -> axum::body::Bytes {
//! #     let response = app.oneshot(http::Request::new(axum::body::Body::empty())).await.unwrap();
//! #     http_body_util::BodyExt::collect(response).await.unwrap().to_bytes()
//! # }
//! # assert_eq!(ask(Router::new().route("/", get(handler)).layer(layer)), "true");
//! ```
//!
//! This replaces `NewSentryLayer`, of `sentry-tower`, which binds its hub to the future of the response only.
//!
//! ## Several of them, and `exit`
//!
//! Guards are entered in the order of registration and dropped in reverse. [`child`](crate::RequestContext::child) contexts, and
//! layers that inherit, enter those of their parents first.
//!
//! [`exit`](crate::RequestContext::exit) leaves the request context only. The span, the OpenTelemetry context and the hub that
//! are current stay so, because the guards are not dropped. If shared work must not be part of a request's trace either,
//! leave those by their own means, such as a root span (`.instrument(info_span!(parent: None, "refresh"))`), OpenTelemetry's
//! `.with_context(Context::new())` and Sentry's `.bind_hub(Hub::main())`.
//!
//! [`End`]: crate::End
//! [`Store::on_enter`]: crate::Store::on_enter
