//! What a capture takes from a request, and what it leaves there.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use http::{HeaderMap, HeaderName, HeaderValue, Request};
use hyper::body::Bytes;
use tower_request_context::{HeaderPropagator, RequestContext, RequestIdPolicy, Store};

use super::{OTHER_TRACEPARENT, TRACEPARENT, captured, head, headers, injected, lines, listing, sent_on};

/// What a server says of the other end of a connection.
#[derive(Clone)]
struct Peer(SocketAddr);

impl Peer {
    fn at(address: [u8; 4]) -> Self {
        Self((Ipv4Addr::from(address), 80).into())
    }
}

fn from_loopback(propagator: HeaderPropagator) -> HeaderPropagator {
    propagator.trust_if(|head| head.extensions.get().is_some_and(|Peer(peer)| peer.ip().is_loopback()))
}

#[test]
fn a_second_capture_adds_to_the_first() {
    let (tenant, zone) = (listing(["x-tenant"]), listing(["x-zone"]));
    let came_in = lines(&[("x-tenant", "cats"), ("x-zone", "eu")]);
    let mut store = captured(&tenant, came_in.clone());
    zone.extract(&mut store, &head(came_in.clone()));
    assert_eq!(injected(&listing(["x-zone", "x-tenant"]), &RequestContext::new(store)), came_in);
}

#[test]
fn the_last_capture_has_the_last_word_on_a_header_that_both_found() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let mut store = captured(&propagator, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu")]));
    propagator.extract(&mut store, &head(lines(&[("x-tenant", "mice"), ("x-tenant", "owls")])));
    let both = lines(&[("x-tenant", "mice"), ("x-tenant", "owls"), ("x-zone", "eu")]);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), both);
}

#[test]
fn a_capture_that_finds_nothing_takes_nothing_away() {
    let propagator = listing(["x-tenant"]);
    let mut store = captured(&propagator, lines(&[("x-tenant", "cats")]));
    propagator.extract(&mut store, &head(HeaderMap::new()));
    propagator.clone().trust_if(|_| false).extract(&mut store, &head(lines(&[("x-tenant", "dogs")])));
    assert_eq!(injected(&propagator, &RequestContext::new(store)), lines(&[("x-tenant", "cats")]));
}

#[test]
fn another_trace_that_is_captured_later_does_not_take_over_the_state_of_the_first() {
    let propagator = HeaderPropagator::trace_context();
    let mut store = captured(&propagator, lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]));
    propagator.extract(&mut store, &head(lines(&[("traceparent", OTHER_TRACEPARENT)])));
    let other = lines(&[("traceparent", OTHER_TRACEPARENT)]);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), other);
}

#[test]
fn a_trace_that_is_captured_twice_keeps_its_state() {
    let came_in = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1"), ("x-tenant", "cats")]);
    let mut store = captured(&HeaderPropagator::trace_context(), came_in.clone());
    listing(["x-tenant", "traceparent"]).extract(&mut store, &head(came_in.clone()));
    let all = HeaderPropagator::trace_context().header("x-tenant");
    assert_eq!(injected(&all, &RequestContext::new(store)), came_in);
}

#[test]
fn a_state_does_not_travel_without_its_trace() {
    let trace = HeaderPropagator::trace_context();
    let state = ("tracestate", "cats=1");
    assert_eq!(sent_on(&trace, lines(&[state])), HeaderMap::new());
    let too_long = "0".repeat(8193);
    assert_eq!(sent_on(&trace, lines(&[("traceparent", &too_long), state])), HeaderMap::new());
    assert_eq!(sent_on(&listing(["tracestate"]), lines(&[("traceparent", TRACEPARENT), state])), HeaderMap::new());
}

#[test]
fn a_state_that_is_captured_without_its_trace_does_not_join_the_one_before() {
    let propagator = HeaderPropagator::trace_context();
    let first = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]);
    let too_long = "0".repeat(8193);
    for second in [&[("tracestate", "dogs=1")][..], &[("traceparent", &too_long), ("tracestate", "dogs=1")]] {
        let mut store = captured(&propagator, first.clone());
        propagator.extract(&mut store, &head(lines(second)));
        assert_eq!(injected(&propagator, &RequestContext::new(store)), first);
    }
}

#[test]
fn an_id_travels_for_a_stranger_whose_trace_does_not() {
    let ids = RequestIdPolicy::new();
    let id = listing(["x-request-id"]);
    let trace = HeaderPropagator::trace_context();
    let all = trace.clone().header("x-request-id");
    for (peer, trusted) in [([10, 0, 0, 1], false), ([127, 0, 0, 1], true)] {
        let (mut store, mut head) = (Store::new(), head(lines(&[("traceparent", TRACEPARENT)])));
        head.extensions.insert(Peer::at(peer));
        let given = ids.apply(&mut store, &mut head);
        id.extract(&mut store, &head);
        from_loopback(trace.clone()).extract(&mut store, &head);
        let sent = injected(&all, &RequestContext::new(store));
        assert_eq!(sent["x-request-id"], given.as_str());
        assert_eq!(sent.contains_key("traceparent"), trusted);
    }
}

#[test]
fn nothing_is_captured_from_a_peer_that_is_not_trusted() {
    let trusting = from_loopback(HeaderPropagator::trace_context());
    let came_in = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]);
    let mut head = head(came_in.clone());
    for (peer, expected) in [
        (None, HeaderMap::new()),
        (Some(Peer::at([10, 0, 0, 1])), HeaderMap::new()),
        (Some(Peer::at([127, 0, 0, 1])), came_in),
    ] {
        if let Some(peer) = peer {
            head.extensions.insert(peer);
        }
        let mut store = Store::new();
        trusting.extract(&mut store, &head);
        // Whether to trust is asked on the way in and not again on the way out.
        assert_eq!(injected(&trusting, &RequestContext::new(store)), expected);
    }
}

#[test]
fn trust_is_asked_once_a_capture_and_shown_the_whole_head() {
    let asked = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&asked);
    let propagator = listing(["x-tenant", "x-zone"]).trust_if(move |head| {
        counter.fetch_add(1, Ordering::Relaxed);
        head.uri.path() == "/inside" && head.headers["x-proof"] == "signed"
    });
    let came_in = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu"), ("x-proof", "signed")];
    let mut head = Request::get("/inside").body(()).unwrap().into_parts().0;
    head.headers = lines(&came_in);
    let mut store = Store::new();
    propagator.extract(&mut store, &head);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), lines(&came_in[..3]));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn the_lines_of_a_header_keep_their_number_their_order_and_their_bytes() {
    let every_byte: Vec<u8> = (0x20..=0xff).filter(|byte| *byte != 0x7f).chain([b'\t']).collect();
    let values: [&[u8]; 7] = [b"b", b"", b" a ", b"b", &every_byte, b"", b"a,b;c=\"d\""];
    let came_in = headers(values.map(|value| ("x-tenant", value)));
    let went_out = sent_on(&listing(["x-tenant"]), came_in);
    assert!(went_out.get_all("x-tenant").iter().map(HeaderValue::as_bytes).eq(values));
}

#[test]
fn what_was_captured_does_not_keep_the_buffer_of_the_request_alive() {
    let propagator = listing(["x-tenant"]);
    let buffer = Bytes::from(b"GET / HTTP/1.1\r\nx-tenant: the cats of ada\r\n\r\n".to_vec());
    let value = HeaderValue::from_maybe_shared(buffer.slice(26..41)).unwrap();
    let head = head([(HeaderName::from_static("x-tenant"), value)].into_iter().collect());
    let mut store = Store::new();
    propagator.extract(&mut store, &head);
    assert!(!buffer.is_unique());
    drop(head);
    assert!(buffer.is_unique());
    let went_out = injected(&propagator, &RequestContext::new(store));
    assert_eq!(went_out, lines(&[("x-tenant", "the cats of ada")]));
    assert!(buffer.is_unique());
}

#[test]
fn all_values_are_sensitive_but_those_of_the_trace_and_the_request_id() {
    let names = ["traceparent", "tracestate", "x-request-id", "x-tenant", "baggage", "x-b3-traceid"];
    let went_out = sent_on(&listing(names), lines(&names.map(|name| (name, "7"))));
    assert_eq!(names.map(|name| went_out[name].is_sensitive()), [false, false, false, true, true, true]);
    assert_eq!(format!("{:?}", went_out["x-tenant"]), "Sensitive");
}

#[test]
fn a_value_that_is_sensitive_stays_so() {
    let names = ["traceparent", "tracestate", "x-request-id", "x-tenant"];
    let mut came_in = lines(&names.map(|name| (name, "7")));
    came_in.values_mut().for_each(|value| value.set_sensitive(true));
    assert!(sent_on(&listing(names), came_in).values().all(HeaderValue::is_sensitive));
}

#[test]
fn the_id_that_a_policy_gave_the_request_travels() {
    let propagator = listing(["x-request-id"]);
    let mut head = head(lines(&[("x-request-id", "a stranger's")]));
    let mut store = Store::new();
    let id = RequestIdPolicy::new().apply(&mut store, &mut head);
    propagator.extract(&mut store, &head);
    let went_out = injected(&propagator, &RequestContext::new(store));
    assert_eq!(went_out, headers([("x-request-id", id.as_str())]));
}

// The rule of W3C's test suite, `test_traceparent_duplicated`: each reader starts a trace of its own.
#[test]
fn a_trace_with_several_traceparents_is_not_captured() {
    let trace = HeaderPropagator::trace_context().header("x-tenant");
    let rest = [("tracestate", "cats=1"), ("x-tenant", "cats")];
    for second in [OTHER_TRACEPARENT, TRACEPARENT, "", "nonsense"] {
        for repeated in [[TRACEPARENT, second], [second, TRACEPARENT]] {
            let came_in = headers(repeated.map(|line| ("traceparent", line)).into_iter().chain(rest));
            assert_eq!(sent_on(&trace, came_in.clone()), lines(&rest[1..]));

            let first = lines(&[("traceparent", TRACEPARENT), ("tracestate", "dogs=1")]);
            let mut store = captured(&trace, first.clone());
            trace.extract(&mut store, &head(came_in));
            let mut sent = injected(&trace, &RequestContext::new(store));
            assert_eq!(sent.remove("x-tenant").unwrap(), "cats");
            assert_eq!(sent, first, "what was captured before stays");
        }
    }
}
