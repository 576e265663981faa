//! In nested requests, a `tracestate` is propagated only with its own `traceparent`, and baggage within its limits.

use http::{HeaderMap, HeaderName, Request};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{
    message::{agree, block, end_to_end, headers, length, members},
    propagation::injected,
};

const TRACE: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// Maximum depth of nested requests.
const DEPTH: usize = 4;

/// Checks the propagation of trace headers. Returns whether a `tracestate` was propagated.
///
/// The input is the headers of some requests, and last those of an outgoing request. An empty line ends each. Each
/// request is nested in the one before. After a line with `+`, it is extracted into the same context instead.
pub fn check(input: &[u8]) -> bool {
    let propagator = HeaderPropagator::trace_context().header(BAGGAGE);
    let (mut requests, mut rest) = (Vec::new(), input);
    let (mut outer, mut store) = (None, Store::new());
    while let (inbound, Some(after)) = block(rest)
        && requests.len() < DEPTH
    {
        if !(requests.is_empty() || rest.starts_with(b"+")) {
            outer = Some(nested(outer, std::mem::take(&mut store)));
        }
        let mut request = Request::new(()).into_parts().0;
        request.headers = inbound;
        propagator.extract(&mut store, &request);
        requests.push(end_to_end(&request.headers));
        rest = after;
    }
    let (context, own) = (nested(outer, store), headers(rest));

    let mut outbound = injected(&propagator, &context, &own);
    for name in own.keys() {
        assert!(agree(&own, &outbound, name), "{name} of the outgoing request was changed");
        outbound.remove(name);
    }
    check_outbound(&requests, &outbound);
    outbound.contains_key(STATE)
}

fn check_outbound(requests: &[HeaderMap], outbound: &HeaderMap) {
    let arrived_together =
        |names: &[&HeaderName]| requests.iter().any(|request| names.iter().all(|name| agree(request, outbound, name)));
    for name in outbound.keys() {
        assert!([TRACE, STATE, BAGGAGE].contains(name), "{name} is not listed");
        assert!(arrived_together(&[name]), "{name} differs from the inbound one");
        assert!(length(outbound, name) <= 8192, "{name} is too long");
    }
    assert!(
        !outbound.contains_key(STATE) || arrived_together(&[&TRACE, &STATE]),
        "the tracestate of another traceparent"
    );
    assert!(outbound.get_all(TRACE).iter().count() < 2, "several traceparents");
    assert!(members(outbound, &BAGGAGE) <= 64, "too many members");
    assert!(outbound.keys().map(|name| length(outbound, name)).sum::<usize>() <= 16384, "too many bytes");
}

fn nested(outer: Option<RequestContext>, store: Store) -> RequestContext {
    match outer {
        Some(outer) => outer.child(store),
        None => store.into(),
    }
}
