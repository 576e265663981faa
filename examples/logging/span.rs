//! A span for each request, entered wherever the request's context is current.

use tower_request_context::{RequestContext, RequestId, Store};
use tracing::{Span, Subscriber, info_span};
use tracing_subscriber::fmt::MakeWriter;

use super::UserId;

/// Creates the span of a request. Only fields that are declared here can be recorded later.
pub(crate) fn enter(store: &mut Store, id: &RequestId, route: &str) {
    let span = info_span!("request", request_id = %id, route, user = "anonymous");
    store.insert(span.clone()); // for `record`
    store.on_enter(move || span.clone().entered());
}

/// Records the user on the request's span. The current span may be another one, that of a function. The JSON format
/// replaces the value `anonymous`. Other formats print both values, so declare the field with `field::Empty` for those.
pub(crate) fn record(UserId(user): UserId) {
    if let Some(span) = RequestContext::get::<Span>() {
        span.record("user", user.to_string());
    }
}

/// Returns a subscriber that writes all spans of an event. The current span alone is not enough: it may be one inside
/// the request's span, and does not have the fields of that span.
pub(crate) fn subscriber<W>(writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    tracing_subscriber::fmt().json().flatten_event(true).with_current_span(false).with_writer(writer).finish()
}
