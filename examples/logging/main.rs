//! Run with `cargo run --example logging`.
//!
//! Structured logs in which each JSON line of a request has the fields `request_id`, `route` and `user`. These lines
//! come from the handler, from a function three calls below it, from a spawned task, from the streamed body, from a
//! `Drop` in a handler whose client has disconnected, from a `Drop` in the body, and from `on_end`. There are two ways,
//! and the handlers are the same for both:
//!
//! * **A span** (`span.rs`), which `Store::on_enter` keeps entered wherever the request's context is current. Use it if
//!   you also want spans for traces, timings or filters. It works with every subscriber. A field that is set later must
//!   be declared with the span, and recorded.
//! * **Fields from the context** (`fields.rs`), which the formatter reads for each event, without any span. Use it if
//!   you only want the lines. A value that is set later is on the next line, and you neither enter nor record anything.
//!   It needs a formatter that you can extend: `json-subscriber` has dynamic fields, and `tracing-subscriber` accepts
//!   your own `FormatEvent`.
//!
//! `LOGS` chooses the way: `span`, `json-subscriber` or `format-event`. The lines go to standard error: `2> log.jsonl`
//! separates them from the responses.

mod fields;
#[path = "../shared/mod.rs"]
mod shared;
mod span;

use std::{collections::HashMap, convert::Infallible, env, future::pending, io::stderr, sync::Arc, time::Duration};

use axum::{
    BoxError, Router,
    body::Body,
    extract::{MatchedPath, Path, Request, State},
    http::header::AUTHORIZATION,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{StreamExt, stream};
use tokio::{task::yield_now, time::timeout};
use tower::ServiceBuilder;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestIdPolicy};
use tracing::{Level, Span, Subscriber, info, subscriber::set_global_default};
use tracing_subscriber::fmt::MakeWriter;

use self::shared::{Demo, single_header};

/// The source of the fields that each line of a request has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Span,
    JsonSubscriber,
    FormatEvent,
}

#[derive(Clone)]
pub(crate) struct Route(pub(crate) String);

#[derive(Clone, Copy)]
pub(crate) struct UserId(pub(crate) u64);

/// The users, by their bearer tokens.
pub(crate) type Sessions = Arc<HashMap<String, UserId>>;

pub(crate) fn logged(source: Source, routes: Router, sessions: Sessions) -> Router {
    let ids = RequestIdPolicy::new();
    let context = RequestContextLayer::new(move |store, request| {
        let id = ids.apply(store, request);
        let route = request.extensions.get().map_or("none", MatchedPath::as_str);
        store.insert(Route(route.to_owned()));
        if source == Source::Span {
            span::enter(store, &id, route);
        }
        store.on_end(|end| info!(?end, "ended"));
    });
    // Logs the status and the latency of each response. It needs no span of its own: its events are logged in the
    // context, and so in the request's span. It logs nothing when a client disconnects; `on_end` does.
    let trace = TraceLayer::new_for_http()
        .make_span_with(|_: &Request| Span::none())
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    routes.layer(ServiceBuilder::new().layer(context).layer(trace).layer(from_fn_with_state(sessions, authenticate)))
}

async fn authenticate(sessions: State<Sessions>, request: Request, next: Next) -> Result<Response, ContextError> {
    let header = single_header(request.headers(), AUTHORIZATION);
    yield_now().await; // stands for a database
    if let Some(user) = header.and_then(|line| sessions.get(line.strip_prefix("Bearer ")?)) {
        RequestContext::set(*user)?; // in the next log line, if the formatter reads the context
        span::record(*user);
    }
    Ok(next.run(request).await)
}

pub(crate) fn routes() -> Router {
    Router::new().route("/cats/{name}", get(cat)).route("/cats/{name}/call", get(call))
}

async fn cat(Path(cat): Path<String>) -> Body {
    info!(cat, "requested");
    let diary = diary(&cat).await;
    RequestContext::spawn(feed(cat.clone())); // a bare `tokio::spawn` would log without the fields
    let held = LogOnDrop { cat: cat.clone(), place: "body" };
    let frames = stream::iter(diary).inspect(move |_| info!(cat = held.cat, "streamed"));
    Body::from_stream(frames.map(Ok::<_, Infallible>))
}

async fn diary(cat: &str) -> Vec<String> {
    let entries = entries(cat).await;
    entries.into_iter().map(|entry| format!("{cat} {entry}\n")).collect()
}

async fn entries(cat: &str) -> Vec<&'static str> {
    select(cat).await
}

async fn select(cat: &str) -> Vec<&'static str> {
    info!(cat, "selected");
    yield_now().await;
    vec!["slept", if RequestContext::contains::<UserId>() { "dreamt" } else { "slept on" }]
}

async fn feed(cat: String) {
    yield_now().await;
    let food = if RequestContext::contains::<UserId>() { "tuna" } else { "kibble" };
    info!(cat, food, "fed");
}

/// Waits until the client disconnects.
async fn call(Path(cat): Path<String>) {
    info!(cat, "called");
    let _held = LogOnDrop { cat, place: "handler" };
    pending::<()>().await;
}

/// Logs a line when the body or the handler is dropped.
struct LogOnDrop {
    cat: String,
    place: &'static str,
}

impl Drop for LogOnDrop {
    fn drop(&mut self) {
        info!(cat = self.cat, place = self.place, "dropped");
    }
}

/// Writes each event as one JSON object on a line.
pub(crate) fn subscriber<W>(source: Source, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    match source {
        Source::Span => Box::new(span::subscriber(writer)),
        Source::JsonSubscriber => Box::new(fields::json_subscriber(writer)),
        Source::FormatEvent => Box::new(fields::format_event(writer)),
    }
}

fn source() -> Result<Source, BoxError> {
    match env::var_os("LOGS") {
        None => Ok(Source::Span),
        Some(name) if name == "span" => Ok(Source::Span),
        Some(name) if name == "json-subscriber" => Ok(Source::JsonSubscriber),
        Some(name) if name == "format-event" => Ok(Source::FormatEvent),
        Some(name) => {
            Err(format!("LOGS must be span, json-subscriber or format-event, not {:?}", name.to_string_lossy()).into())
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let source = source()?;
    let (listener, demo) = Demo::listen().await?;
    set_global_default(subscriber(source, stderr)).expect("no other subscriber was set before");
    let sessions = Arc::new(HashMap::from([("ada-s-token".to_owned(), UserId(7))]));
    let server =
        axum::serve(listener, logged(source, routes(), sessions)).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        let ada = [("authorization", "Bearer ada-s-token")];
        client.get("/cats/tom", &ada).await?;
        client.get("/cats/tom", &[]).await?;
        client.get("/dogs", &[]).await?;
        // Cancels a request after a tenth of a second.
        let cancelled = timeout(Duration::from_millis(100), client.get("/cats/tom/call", &ada));
        drop(cancelled.await);
        client.suggest("/cats/tom", &ada);
        client.suggest("/cats/tom/call", &ada);
        Ok(())
    })
    .await
}
