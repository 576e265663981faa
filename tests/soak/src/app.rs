//! The axum server.

use std::{convert::Infallible, future::pending, panic::resume_unwind};

use axum::{
    Router,
    body::Body,
    extract::FromRequestParts,
    http::{Request, StatusCode, request::Parts},
    routing::get,
};
use futures_util::stream;
use tokio::task::yield_now;
use tower::ServiceExt;
use tower_http::catch_panic::CatchPanicLayer;
use tower_request_context::{Nesting, RequestContext, RequestContextLayer};

use crate::{
    counters::COUNTERS,
    number::{Number, layer},
};

/// Inserted by an inner layer.
#[derive(Clone, Copy)]
struct Inner(Number);

/// Set by a handler.
#[derive(Clone, Copy)]
struct SetLater(Number);

/// Created by the first caller of `get_or_init`.
#[derive(Clone, Copy)]
struct Initialized(Option<Number>);

pub(crate) fn app() -> Router {
    let inner = RequestContextLayer::new(|store, head| {
        store.insert(Inner(Number::of(&head.headers).expect("each request has a number")));
    });
    Router::new()
        .route("/nested", get(nested).layer(inner.nesting(Nesting::Inherit)))
        .route("/reused", get(work).layer(layer().nesting(Nesting::Reuse)))
        .route("/work", get(work))
        .route("/stream", get(async |number: Number| frames(number, number.0 % 20)))
        .route("/endless", get(async |number: Number| frames(number, u64::MAX)))
        .route("/hang", get(hang))
        .route("/panic/handler", get(panic))
        .route("/panic/body", get(panic_in_body))
        .layer(layer())
        .layer(CatchPanicLayer::new())
}

async fn work(number: Number) -> String {
    let _dropped = number.check_on_drop("the drop of a handler");
    number.check("a handler");
    RequestContext::set(SetLater(number)).expect("a context is current");
    let task = || {
        RequestContext::spawn(async move {
            yield_now().await;
            number.check("a task");
            let init = async || {
                yield_now().await;
                Initialized(RequestContext::get())
            };
            let Initialized(found) = RequestContext::get_or_init(init).await;
            COUNTERS.record_read("an initialized value", Some(number), found);
        })
    };
    let (one, two) = (task(), task());
    let blocking = RequestContext::spawn_blocking(move || number.check("a blocking thread"));
    for task in [one, two, blocking] {
        task.await.expect("no task panics");
        number.check("a handler after an await");
    }
    COUNTERS.record_read("a value set later", Some(number), RequestContext::get().map(|SetLater(number)| number));
    number.text()
}

/// Serves work in a nested layer, and sends a nested request.
async fn nested(number: Number) -> String {
    yield_now().await;
    COUNTERS.record_read("an inner layer", Some(number), RequestContext::get().map(|Inner(number)| number));
    let anonymous =
        Router::new().fallback(async || COUNTERS.record_read("an anonymous request", None, RequestContext::get()));
    let response = anonymous.layer(layer()).oneshot(Request::new(Body::empty())).await.expect("a router is infallible");
    drop(response);
    RequestContext::exit(async { COUNTERS.record_read("an exit", None, RequestContext::get()) }).await;
    work(number).await
}

/// Returns a body with this number of frames, each of which repeats the request's number.
fn frames(number: Number, count: u64) -> Body {
    let dropped = number.check_on_drop("the drop of a body");
    Body::from_stream(stream::unfold((0, dropped), move |(frame, dropped)| async move {
        yield_now().await;
        number.check("a frame");
        let text = number.text().repeat(1 + frame as usize % 7 * 3);
        (frame < count).then(|| (Ok::<_, Infallible>(text), (frame + 1, dropped)))
    }))
}

async fn hang(number: Number) {
    let _dropped = number.check_on_drop("the drop of a handler that was cancelled");
    yield_now().await;
    number.check("a handler that will be cancelled");
    pending().await
}

async fn panic(number: Number) {
    let _dropped = number.check_on_drop("the drop of a handler that panics");
    if number.0.is_multiple_of(2) {
        yield_now().await;
    }
    unwind();
}

async fn panic_in_body(number: Number) -> Body {
    let dropped = number.check_on_drop("the drop of a body that panics");
    Body::from_stream(stream::unfold((0, dropped), move |(frame, dropped)| async move {
        yield_now().await;
        if frame == 3 {
            unwind();
        }
        Some((Ok::<_, Infallible>(number.text()), (frame + 1, dropped)))
    }))
}

/// Panics without a message on stderr.
fn unwind() {
    resume_unwind(Box::new("expected panic"));
}

impl<S: Sync> FromRequestParts<S> for Number {
    type Rejection = StatusCode;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Self::of(&head.headers).ok_or(StatusCode::BAD_REQUEST)
    }
}
