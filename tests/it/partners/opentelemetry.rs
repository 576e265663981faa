//! OpenTelemetry: trace id and span id of the current `Context`.

use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use tower_request_context::Store;

use super::{Partner, Protocol, requests::serve_all};

#[derive(Clone)]
struct OpenTelemetry;

impl Partner for OpenTelemetry {
    fn register(&self, store: &mut Store, request: u32) {
        let (trace, span) = (TraceId::from(u128::from(request)), SpanId::from(u64::from(request)));
        let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
        let cx = Context::new().with_remote_span_context(span);
        store.on_enter(move || cx.clone().attach());
    }

    fn current(&self, _: Option<u32>) -> Option<u32> {
        let cx = Context::current();
        let span = cx.span().span_context().clone();
        let trace = u128::from_be_bytes(span.trace_id().to_bytes());
        let id = u64::from_be_bytes(span.span_id().to_bytes());
        assert_eq!(trace, u128::from(id));
        span.is_valid().then(|| id.try_into().unwrap())
    }
}

#[test]
fn opentelemetry_context_is_current_with_the_request() {
    for protocol in Protocol::ALL {
        serve_all(&OpenTelemetry, protocol);
    }
}
