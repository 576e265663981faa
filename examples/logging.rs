//! Run with `cargo run --example logging`.
//!
//! Each line that is logged for a request says which: its id, its route and its user, from the handler, from three calls
//! below, from the streamed body, from a spawned task and from the end. Elsewhere that takes a logger which looks the
//! request up (MDC, nestjs-pino, a Winston format); here the span says it, and the context keeps the span.
//!
//! The lines are JSON on stderr: `2> log.jsonl` parts them from the answers.

mod shared;

use std::{collections::HashMap, convert::Infallible, io::stderr, process::ExitCode, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{MatchedPath, Path, Request, State},
    http::header::AUTHORIZATION,
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::{StreamExt, stream};
use tokio::task::yield_now;
use tower::ServiceBuilder;
use tower_http::trace::{DefaultOnResponse, TraceLayer};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestIdPolicy};
use tracing::{Instrument, Level, Span, Subscriber, field, info, info_span};
use tracing_subscriber::{fmt::MakeWriter, util::SubscriberInitExt};

use self::shared::single_header;

#[derive(Clone, Copy)]
pub(crate) struct UserId(pub(crate) u64);

/// Whose a bearer token is.
pub(crate) type Sessions = Arc<HashMap<String, UserId>>;

/// The span of the current request, for what records on it or logs where it is not entered.
fn request_span() -> Span {
    RequestContext::get().unwrap_or_else(Span::none)
}

pub(crate) fn logged(routes: Router, sessions: Sessions) -> Router {
    let ids = RequestIdPolicy::new();
    let context = RequestContextLayer::new(move |store, request| {
        let id = ids.apply(store, request);
        let route = request.extensions.get().map_or("none", MatchedPath::as_str);
        // Only what is declared here can be recorded later.
        store.insert(info_span!("request", %id, route, user = field::Empty));
        // Here, as in the `Drop` of what is cancelled, the context is current and the span is not entered.
        store.on_end(|end| request_span().in_scope(|| info!(?end, "over")));
    });
    // Enters the span in each call and poll below, the body's too, and logs the response. That a client has left, it does
    // not say; the callback above does.
    let trace = TraceLayer::new_for_http()
        .make_span_with(|_: &Request| request_span())
        .on_response(DefaultOnResponse::new().level(Level::INFO));
    routes.layer(ServiceBuilder::new().layer(context).layer(trace).layer(from_fn_with_state(sessions, authenticate)))
}

async fn authenticate(sessions: State<Sessions>, request: Request, next: Next) -> Result<Response, ContextError> {
    let header = single_header(request.headers(), AUTHORIZATION);
    yield_now().await; // as if the sessions were in a database
    let user = header.and_then(|line| sessions.get(line.strip_prefix("Bearer ")?)).copied();
    if let Some(user) = user {
        RequestContext::set(user)?;
    }
    request_span().record("user", user.map_or_else(|| "nobody".to_owned(), |UserId(id)| id.to_string()));
    Ok(next.run(request).await)
}

async fn cat(Path(cat): Path<String>) -> Body {
    info!(cat, "asked");
    let diary = diary(&cat).await;
    // A task is in neither the context nor the span, unless it is told so.
    RequestContext::spawn(feed(cat.clone()).instrument(request_span()));
    let frames = stream::iter(diary).inspect(move |_| info!(cat, "streamed"));
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

pub(crate) fn routes() -> Router {
    Router::new().route("/cats/{name}", get(cat))
}

/// One JSON object a line, with all spans around it: the innermost alone need not be the request's.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_writer(writer).finish()
}

#[tokio::main]
async fn main() -> ExitCode {
    subscriber(stderr).init();
    let sessions = Arc::new(HashMap::from([("ada-s-token".to_owned(), UserId(7))]));
    shared::serve(logged(routes(), sessions), async |visitor| {
        visitor.get("/cats/tom", &[("authorization", "Bearer ada-s-token")]).await?;
        visitor.get("/cats/tom", &[]).await?;
        visitor.get("/dogs", &[]).await?;
        visitor.invite("/cats/tom", &[("authorization", "Bearer ada-s-token")]);
        Ok(())
    })
    .await
}
