//! The request id, route and user on each log line, and one event per request.
//!
//! # Request id, route and user on each log line
//!
//! Each line that is logged for a request should name the request. There are two ways. Both work wherever the context
//! is current: in the handler and the code below it, in spawned tasks, in the streamed body, in drops after the client
//! has disconnected, and in `on_end`. The example `logging` shows both, with JSON.
//!
//! | | A span: [`spans`](super::spans) | Fields from the context |
//! |---|---|---|
//! | Use it for | traces, timings, filters by span | fields on log lines |
//! | Works with | every subscriber of `tracing` | a formatter that you can extend, of `tracing` or `log` |
//! | A value that is set later | has to be declared with the span, and recorded | is on the next line |
//! | Cost | entering the span in each poll | reading the context on each line |
//!
//! # Fields from the context
//!
//! The formatter runs on the thread that logs, while the event is logged. So it can read the context. With
//! `tracing-subscriber`, wrap the `FormatEvent` that you use:
//!
//! ```
//! # use tower_request_context::{RequestContext, Store};
//! use std::fmt;
//! use tracing::{Event, Subscriber, info};
//! use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, format::{self, Writer}};
//! use tracing_subscriber::registry::LookupSpan;
//!
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
//!     fn format_event(
//!         &self,
//!         cx: &FmtContext<'_, S, N>,
//!         mut line: Writer<'_>,
//!         event: &Event<'_>,
//!     ) -> fmt::Result {
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
//! ## JSON
//!
//! `json-subscriber` has fields that are read for each event:
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
//! ## The crate `log`, `env_logger`
//!
//! The format closure of a logger also runs on the thread that logs, and reads the context in the same way. That is
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
//!         let user = RequestContext::with(|UserId(user)| user.to_string());
//!         let user = user.unwrap_or_else(|| "-".into());
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
//! * If your program logs with `tracing` and a library with `log`, `tracing-subscriber` turns records of `log` into
//!   events. It does so once its `init()` was called, with its feature `tracing-log`, which is on by default. These
//!   events have the span and the fields as well.
//! * If your program logs with `log` and a library with `tracing`, enable the feature `log` of `tracing`. Its events
//!   become records, but without the fields of the spans around them. Let the logger read the context.
//!
//! # One event per request
//!
//! Many systems want one wide event per request, also called a canonical log line. Collect its fields in the context
//! and log it in `on_end`, when the status, the duration and the [`End`] are known.
//!
//! ```
//! # use axum::{Router, body::Body, routing::get};
//! # use http::{Request, StatusCode};
//! # use tower_request_context::{RequestContext, RequestContextLayer};
//! # let (log, logged) = std::sync::mpsc::channel();
//! use serde_json::{Map, Value, json};
//! use std::{sync::{Arc, Mutex}, time::Instant};
//!
//! #[derive(Clone, Default)]
//! struct CanonicalLine(Arc<Mutex<Map<String, Value>>>);
//!
//! fn add(name: &str, value: impl Into<Value>) {
//!     RequestContext::with(|CanonicalLine(fields)| {
//!         fields.lock().unwrap().insert(name.into(), value.into())
//!     });
//! }
//!
//! let layer = RequestContextLayer::new(move |store, request| {
//!     let (path, start) = (request.uri.path().to_owned(), Instant::now());
//! #   let log = log.clone();
//!     store.insert(CanonicalLine::default());
//!     store.on_response(|parts| add("status", parts.status.as_u16()));
//!     store.on_end(move |end| {
//!         add("path", path);
//!         add("milliseconds", start.elapsed().as_millis() as u64);
//!         add("end", format!("{end:?}"));
//!         let line = RequestContext::with(|CanonicalLine(fields)| {
//!             json!(*fields.lock().unwrap()).to_string()
//!         });
//! #       log.send(line.clone()).unwrap();
//!         println!("{}", line.unwrap_or_default());
//!     });
//! });
//!
//! async fn handler() {
//!     add("cats", 3); // at any depth, and in spawned tasks
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn visit(app: Router) {
//! #     tower::ServiceExt::oneshot(app, Request::new(Body::empty())).await.unwrap();
//! # }
//! # visit(Router::new().route("/", get(handler)).layer(layer));
//! # let mut line: Value = serde_json::from_str(&logged.recv().unwrap().unwrap()).unwrap();
//! # assert!(line.as_object_mut().unwrap().remove("milliseconds").is_some());
//! # assert_eq!(line, json!({ "cats": 3, "status": 200, "path": "/", "end": "Completed" }));
//! ```
//!
//! # Where log lines have no context
//!
//! * **The `Drop` of the values in the store.** No context is current there. Log in
//!   [`on_end`](crate::RequestContext::on_end) instead, which runs before the values are dropped.
//! * **A formatter on a worker thread.** Some loggers send the record to a thread that formats it, `slog-async` for
//!   example. The context is not current there. `tracing_appender::non_blocking` works: it formats on the thread that
//!   logs, and only writes on its own thread.
//! * **A bare `tokio::spawn`, `spawn_blocking` or thread.** Use [`spawn`](crate::RequestContext::spawn),
//!   [`spawn_blocking`](crate::RequestContext::spawn_blocking), [`carry`](crate::RequestContext::carry) or
//!   [`bind`](crate::RequestContext::bind).
//! * **Layers outside the context's layer**, and the server itself.
//!
//! [`End`]: crate::End
