//! Through nested requests, a state goes on with its own trace or not at all, and baggage within its limits.

use http::{HeaderMap, HeaderName, Request};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{
    message::{agree, block, end_to_end, headers, length, members},
    propagation::injected,
};

const TRACE: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");
const BAGGAGE: HeaderName = HeaderName::from_static("baggage");

/// How deep requests are nested at most.
const DEPTH: usize = 4;

/// The input is the headers of some requests, each within the one before or, after a line with `+`, captured on top of it;
/// and last, those of a call. An empty line ends each. Returns whether a state went on.
pub fn check(input: &[u8]) -> bool {
    let propagator = HeaderPropagator::trace_context().header(BAGGAGE);
    let (mut requests, mut rest) = (Vec::new(), input);
    let (mut outer, mut store) = (None, Store::new());
    while let (came_in, Some(after)) = block(rest)
        && requests.len() < DEPTH
    {
        if !(requests.is_empty() || rest.starts_with(b"+")) {
            outer = Some(nested(outer, std::mem::take(&mut store)));
        }
        let mut request = Request::new(()).into_parts().0;
        request.headers = came_in;
        propagator.extract(&mut store, &request);
        requests.push(end_to_end(&request.headers));
        rest = after;
    }
    let (context, own) = (nested(outer, store), headers(rest));

    let mut went_out = injected(&propagator, &context, &own);
    for name in own.keys() {
        assert!(agree(&own, &went_out, name), "{name} of the call was changed");
        went_out.remove(name);
    }
    hold(&requests, &went_out);
    went_out.contains_key(STATE)
}

fn hold(requests: &[HeaderMap], went_out: &HeaderMap) {
    let came_like_that =
        |names: &[&HeaderName]| requests.iter().any(|request| names.iter().all(|name| agree(request, went_out, name)));
    for name in went_out.keys() {
        assert!([TRACE, STATE, BAGGAGE].contains(name), "{name} is not listed");
        assert!(came_like_that(&[name]), "{name} did not come like that");
        assert!(length(went_out, name) <= 8192, "{name} is too long");
    }
    assert!(!went_out.contains_key(STATE) || came_like_that(&[&TRACE, &STATE]), "the state of another trace");
    assert!(went_out.get_all(TRACE).iter().count() < 2, "several traces");
    assert!(members(went_out, &BAGGAGE) <= 64, "too many members");
    assert!(went_out.keys().map(|name| length(went_out, name)).sum::<usize>() <= 16384, "too much");
}

fn nested(outer: Option<RequestContext>, store: Store) -> RequestContext {
    match outer {
        Some(outer) => outer.child(store),
        None => store.into(),
    }
}
