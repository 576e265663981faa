//! Turns errors of the context into responses, and fails if any of them is logged.

use std::{
    pin::pin,
    sync::atomic::{AtomicUsize, Ordering},
    task::{Context, Poll, Waker},
};

use axum_core::{extract::FromRequestParts, response::IntoResponse};
use http::{Request, StatusCode};
use tower_request_context::{CallbackError, ContextError, ContextValue, RequestContext};
use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

static EVENTS: AtomicUsize = AtomicUsize::new(0);

fn main() {
    set_global_default(Counter).expect("no other subscriber is set");
    tracing::error!("logged by the program itself");
    assert_eq!(EVENTS.load(Ordering::Relaxed), 1, "the subscriber counts");

    assert_eq!(StatusCode::from(ContextError::NoContext), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(StatusCode::from(CallbackError::Ended), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(ContextError::NoContext.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(CallbackError::Ended.into_response().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(rejection::<ContextValue<u8>>(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(rejection::<RequestContext>(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(EVENTS.load(Ordering::Relaxed), 1, "an error was logged without the feature");
}

/// Returns the status that axum responds with if an extractor fails.
fn rejection<E: FromRequestParts<()>>() -> StatusCode {
    let mut parts = Request::new(()).into_parts().0;
    let extraction = pin!(E::from_request_parts(&mut parts, &()));
    match extraction.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Err(rejection)) => rejection.into_response().status(),
        _ => panic!("the request was not rejected"),
    }
}

/// Counts the events of all levels and targets.
struct Counter;

impl Subscriber for Counter {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        EVENTS.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
