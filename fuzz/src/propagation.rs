//! Propagated headers are listed, complete and within the limits. They never replace those of the outgoing request.

use http::{HeaderMap, HeaderName, Request};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::message::{agree, block, end_to_end, headers, length, members, number, split};

/// Maximum number of listed headers.
const NAMES: usize = 8;

/// Checks the propagation of headers. Returns whether all listed headers of the request were propagated.
///
/// The input is a line of rules (the limits for each header and for all, then names), the headers of a request, an
/// empty line, and the headers of an outgoing request.
pub fn check(input: &[u8]) -> bool {
    let (rules, message) = split(input, b'\n').unwrap_or((input, b""));
    let rules = Rules::read(rules);
    let (inbound, rest) = block(message);
    let own = headers(rest.unwrap_or_default());

    let context = extracted(&rules.propagator, &inbound);
    let outbound = injected(&rules.propagator, &context, &HeaderMap::new());
    rules.check_outbound(&end_to_end(&inbound), &outbound);
    check_added(&outbound, &own, &injected(&rules.propagator, &context, &own));

    let mut outside = own.clone();
    rules.propagator.inject(&mut outside);
    assert_eq!(outside, own);
    rules.names.iter().all(|name| inbound.contains_key(name) == outbound.contains_key(name))
}

pub(super) struct Rules {
    pub(super) per_header: usize,
    total: usize,
    pub(super) names: Vec<HeaderName>,
    pub(super) propagator: HeaderPropagator,
}

impl Rules {
    pub(super) fn read(line: &[u8]) -> Self {
        let mut words = line.split(|byte| *byte == b' ');
        let mut limit = || words.next().and_then(number);
        let (per_header, total) = (limit().unwrap_or(8192), limit().unwrap_or(16384));
        let names = words.filter_map(|word| HeaderName::from_bytes(word).ok()).filter(may_be_listed);
        let names: Vec<_> = names.take(NAMES).collect();
        let propagator = HeaderPropagator::new(names.clone()).max_header_bytes(per_header).max_total_bytes(total);
        Self { per_header, total, names, propagator }
    }

    /// Checks that each propagated header is allowed, and that each other header had to be dropped.
    pub(super) fn check_outbound(&self, inbound: &HeaderMap, outbound: &HeaderMap) {
        for name in outbound.keys() {
            assert!(self.names.contains(name), "{name} is not listed");
            assert!(agree(inbound, outbound, name), "{name} differs from the inbound one");
            assert!(self.fits(inbound, name), "{name} is too long");
            let is_public = ["traceparent", "tracestate", "x-request-id"].contains(&name.as_str());
            assert!(outbound.get_all(name).iter().all(|line| line.is_sensitive() != is_public), "{name}");
        }
        let sum: usize = outbound.keys().map(|name| length(outbound, name)).sum();
        assert!(sum <= self.total, "{sum} bytes");
        assert!(
            !outbound.contains_key("tracestate") || outbound.contains_key("traceparent"),
            "a tracestate without a traceparent"
        );

        let dropped = self.names.iter().filter(|name| inbound.contains_key(*name) && !outbound.contains_key(*name));
        let longest = outbound.keys().map(|name| length(outbound, name)).max().unwrap_or_default();
        for name in dropped.filter(|name| self.fits(inbound, name) && *name != "tracestate") {
            let length = length(inbound, name);
            assert!(length >= longest, "{name} was dropped in favor of a longer one");
            assert!(sum + self.state(inbound, outbound) + length > self.total, "{name} was dropped although it fits");
        }
    }

    /// Returns the bytes of a `tracestate` that counted towards the total, and was then dropped with its `traceparent`.
    fn state(&self, inbound: &HeaderMap, outbound: &HeaderMap) -> usize {
        let state = HeaderName::from_static("tracestate");
        let counted = self.names.contains(&state) && self.fits(inbound, &state);
        if counted && !outbound.contains_key(&state) { length(inbound, &state) } else { 0 }
    }

    fn fits(&self, inbound: &HeaderMap, name: &HeaderName) -> bool {
        let is_within_w3c_limits = name != "baggage" || length(inbound, name) <= 8192 && members(inbound, name) <= 64;
        let is_one_trace = name != "traceparent" || inbound.get_all(name).iter().count() < 2;
        is_within_w3c_limits && is_one_trace && length(inbound, name) <= self.per_header
    }
}

/// Checks that an outgoing request keeps its own headers, and gets only the others.
fn check_added(outbound: &HeaderMap, own: &HeaderMap, sent: &HeaderMap) {
    let mut expected = outbound.clone();
    if own.contains_key("traceparent") {
        expected.remove("tracestate");
    }
    for name in own.keys() {
        expected.remove(name);
    }
    expected.extend(own.clone());
    assert_eq!(*sent, expected);
}

/// Returns a context with the headers extracted from a request.
pub(super) fn extracted(propagator: &HeaderPropagator, headers: &HeaderMap) -> RequestContext {
    let (mut store, mut request) = (Store::new(), Request::new(()).into_parts().0);
    request.headers = headers.clone();
    propagator.extract(&mut store, &request);
    assert_eq!(request.headers, *headers);
    store.into()
}

/// Returns the headers of an outgoing request after an injection.
pub(super) fn injected(propagator: &HeaderPropagator, context: &RequestContext, own: &HeaderMap) -> HeaderMap {
    let mut sent = own.clone();
    context.sync_scope(|| propagator.inject(&mut sent));
    sent
}

/// Returns whether a list may have this name. With other names, the constructor panics as documented.
fn may_be_listed(name: &HeaderName) -> bool {
    let of_one_message = ["connection", "content-length", "host", "keep-alive", "proxy-connection"];
    let of_one_connection = ["te", "trailer", "transfer-encoding", "upgrade"];
    !of_one_message.iter().chain(&of_one_connection).any(|kept| name == kept)
}
