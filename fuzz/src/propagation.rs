//! What goes on is listed, whole and within the limits, and leaves alone what the call has already.

use http::{HeaderMap, HeaderName, Request};
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::message::{agree, block, end_to_end, headers, length, members, number, split};

/// So many headers are listed at most.
const NAMES: usize = 8;

/// The input is a line of rules (the limits for each header and for all, then names), the headers of a request, an empty
/// line, and the headers of a call. Returns whether all that came in and was listed went on.
pub fn check(input: &[u8]) -> bool {
    let (rules, message) = split(input, b'\n').unwrap_or((input, b""));
    let rules = Rules::read(rules);
    let (came_in, rest) = block(message);
    let own = headers(rest.unwrap_or_default());

    let context = extracted(&rules.propagator, &came_in);
    let went_out = injected(&rules.propagator, &context, &HeaderMap::new());
    rules.hold(&end_to_end(&came_in), &went_out);
    adds(&went_out, &own, &injected(&rules.propagator, &context, &own));

    let mut outside = own.clone();
    rules.propagator.inject(&mut outside);
    assert_eq!(outside, own);
    rules.names.iter().all(|name| came_in.contains_key(name) == went_out.contains_key(name))
}

struct Rules {
    per_header: usize,
    total: usize,
    names: Vec<HeaderName>,
    propagator: HeaderPropagator,
}

impl Rules {
    fn read(line: &[u8]) -> Self {
        let mut words = line.split(|byte| *byte == b' ');
        let mut limit = || words.next().and_then(number);
        let (per_header, total) = (limit().unwrap_or(8192), limit().unwrap_or(16384));
        let names = words.filter_map(|word| HeaderName::from_bytes(word).ok()).filter(may_travel);
        let names: Vec<_> = names.take(NAMES).collect();
        let propagator = HeaderPropagator::new(names.clone()).max_header_bytes(per_header).max_total_bytes(total);
        Self { per_header, total, names, propagator }
    }

    /// What a call without headers got is allowed, and what stayed had to stay.
    fn hold(&self, came_in: &HeaderMap, went_out: &HeaderMap) {
        for name in went_out.keys() {
            assert!(self.names.contains(name), "{name} is not listed");
            assert!(agree(came_in, went_out, name), "{name} did not come like that");
            assert!(self.fits(came_in, name), "{name} is too long");
            let is_public = ["traceparent", "tracestate", "x-request-id"].contains(&name.as_str());
            assert!(went_out.get_all(name).iter().all(|line| line.is_sensitive() != is_public), "{name}");
        }
        let sum: usize = went_out.keys().map(|name| length(went_out, name)).sum();
        assert!(sum <= self.total, "{sum} bytes");
        assert!(
            !went_out.contains_key("tracestate") || went_out.contains_key("traceparent"),
            "a state without a trace"
        );

        let stayed = self.names.iter().filter(|name| came_in.contains_key(*name) && !went_out.contains_key(*name));
        let longest = went_out.keys().map(|name| length(went_out, name)).max().unwrap_or_default();
        for name in stayed.filter(|name| self.fits(came_in, name) && *name != "tracestate") {
            let length = length(came_in, name);
            assert!(length >= longest, "{name} stayed for one that is longer");
            assert!(sum + self.state(came_in, went_out) + length > self.total, "{name} stayed though there was room");
        }
    }

    /// The bytes of a state that took part in the total, and then stayed because its trace did.
    fn state(&self, came_in: &HeaderMap, went_out: &HeaderMap) -> usize {
        let state = HeaderName::from_static("tracestate");
        let took_part = self.names.contains(&state) && self.fits(came_in, &state);
        if took_part && !went_out.contains_key(&state) { length(came_in, &state) } else { 0 }
    }

    fn fits(&self, came_in: &HeaderMap, name: &HeaderName) -> bool {
        let of_w3c = name != "baggage" || length(came_in, name) <= 8192 && members(came_in, name) <= 64;
        let of_one_trace = name != "traceparent" || came_in.get_all(name).iter().count() < 2;
        of_w3c && of_one_trace && length(came_in, name) <= self.per_header
    }
}

/// A call that has headers keeps them, and gets of the rest what one without headers gets.
fn adds(went_out: &HeaderMap, own: &HeaderMap, sent: &HeaderMap) {
    let mut expected = went_out.clone();
    if own.contains_key("traceparent") {
        expected.remove("tracestate");
    }
    for name in own.keys() {
        expected.remove(name);
    }
    expected.extend(own.clone());
    assert_eq!(*sent, expected);
}

/// A context that extracted from a request with these headers.
fn extracted(propagator: &HeaderPropagator, headers: &HeaderMap) -> RequestContext {
    let (mut store, mut request) = (Store::new(), Request::new(()).into_parts().0);
    request.headers = headers.clone();
    propagator.extract(&mut store, &request);
    assert_eq!(request.headers, *headers);
    store.into()
}

/// The headers of a call, after those that travel were put on it.
pub(super) fn injected(propagator: &HeaderPropagator, context: &RequestContext, own: &HeaderMap) -> HeaderMap {
    let mut sent = own.clone();
    context.sync_scope(|| propagator.inject(&mut sent));
    sent
}

/// A list with another name panics, as its documentation says.
fn may_travel(name: &HeaderName) -> bool {
    let of_one_message = ["connection", "content-length", "host", "keep-alive", "proxy-connection"];
    let of_one_connection = ["te", "trailer", "transfer-encoding", "upgrade"];
    !of_one_message.iter().chain(&of_one_connection).any(|kept| name == kept)
}
