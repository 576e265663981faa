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
    counters::LEDGER,
    number::{Number, layer},
};

/// Seeded by an inner layer.
#[derive(Clone, Copy)]
struct Inner(Number);

/// Written by a handler.
#[derive(Clone, Copy)]
struct Late(Number);

/// Made for the first who asks.
#[derive(Clone, Copy)]
struct Made(Option<Number>);

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
    let _dropped = number.look_in_drop("the drop of a handler");
    number.look("a handler");
    RequestContext::set(Late(number)).expect("a context is current");
    let task = || {
        RequestContext::spawn(async move {
            yield_now().await;
            number.look("a task");
            let made = async || {
                yield_now().await;
                Made(RequestContext::get())
            };
            let Made(found) = RequestContext::get_or_init(made).await;
            LEDGER.read("a made value", Some(number), found);
        })
    };
    let (one, two) = (task(), task());
    let blocking = RequestContext::spawn_blocking(move || number.look("a blocking thread"));
    for task in [one, two, blocking] {
        task.await.expect("no task panics");
        number.look("a handler after it has waited");
    }
    LEDGER.read("a late value", Some(number), RequestContext::get().map(|Late(number)| number));
    number.text()
}

/// A layer inside a layer, and a request inside a request.
async fn nested(number: Number) -> String {
    yield_now().await;
    LEDGER.read("an inner layer", Some(number), RequestContext::get().map(|Inner(number)| number));
    let anonymous = Router::new().fallback(async || LEDGER.read("an anonymous request", None, RequestContext::get()));
    let response = anonymous.layer(layer()).oneshot(Request::new(Body::empty())).await.expect("a router does not fail");
    drop(response);
    RequestContext::exit(async { LEDGER.read("an exit", None, RequestContext::get()) }).await;
    work(number).await
}

/// A body of so many frames, each of which repeats the number.
fn frames(number: Number, count: u64) -> Body {
    let dropped = number.look_in_drop("the drop of a body");
    Body::from_stream(stream::unfold((0, dropped), move |(frame, dropped)| async move {
        yield_now().await;
        number.look("a frame");
        let text = number.text().repeat(1 + frame as usize % 7 * 3);
        (frame < count).then(|| (Ok::<_, Infallible>(text), (frame + 1, dropped)))
    }))
}

async fn hang(number: Number) {
    let _dropped = number.look_in_drop("the drop of a handler that was cancelled");
    yield_now().await;
    number.look("a handler that will be cancelled");
    pending().await
}

async fn panic(number: Number) {
    let _dropped = number.look_in_drop("the drop of a handler that panics");
    if number.0.is_multiple_of(2) {
        yield_now().await;
    }
    unwind();
}

async fn panic_in_body(number: Number) -> Body {
    let dropped = number.look_in_drop("the drop of a body that panics");
    Body::from_stream(stream::unfold((0, dropped), move |(frame, dropped)| async move {
        yield_now().await;
        if frame == 3 {
            unwind();
        }
        Some((Ok::<_, Infallible>(number.text()), (frame + 1, dropped)))
    }))
}

/// A panic without a line on stderr.
fn unwind() {
    resume_unwind(Box::new("as it should"));
}

impl<S: Sync> FromRequestParts<S> for Number {
    type Rejection = StatusCode;

    async fn from_request_parts(head: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        Self::of(&head.headers).ok_or(StatusCode::BAD_REQUEST)
    }
}
