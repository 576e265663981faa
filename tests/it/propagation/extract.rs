//! Extracting headers from requests.

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

use super::{OTHER_TRACEPARENT, TRACEPARENT, extracted, head, headers, injected, lines, listing, sent_on};

/// The peer's address, as a server puts it into the request's extensions.
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
fn second_extraction_adds_to_the_first() {
    let (tenant, zone) = (listing(["x-tenant"]), listing(["x-zone"]));
    let inbound = lines(&[("x-tenant", "cats"), ("x-zone", "eu")]);
    let mut store = extracted(&tenant, inbound.clone());
    zone.extract(&mut store, &head(inbound.clone()));
    assert_eq!(injected(&listing(["x-zone", "x-tenant"]), &RequestContext::new(store)), inbound);
}

#[test]
fn last_extraction_of_a_header_wins() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let mut store = extracted(&propagator, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu")]));
    propagator.extract(&mut store, &head(lines(&[("x-tenant", "mice"), ("x-tenant", "owls")])));
    let both = lines(&[("x-tenant", "mice"), ("x-tenant", "owls"), ("x-zone", "eu")]);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), both);
}

#[test]
fn extraction_without_headers_removes_nothing() {
    let propagator = listing(["x-tenant"]);
    let mut store = extracted(&propagator, lines(&[("x-tenant", "cats")]));
    propagator.extract(&mut store, &head(HeaderMap::new()));
    propagator.clone().trust_if(|_| false).extract(&mut store, &head(lines(&[("x-tenant", "dogs")])));
    assert_eq!(injected(&propagator, &RequestContext::new(store)), lines(&[("x-tenant", "cats")]));
}

#[test]
fn later_traceparent_does_not_keep_the_first_tracestate() {
    let propagator = HeaderPropagator::trace_context();
    let mut store = extracted(&propagator, lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]));
    propagator.extract(&mut store, &head(lines(&[("traceparent", OTHER_TRACEPARENT)])));
    let other = lines(&[("traceparent", OTHER_TRACEPARENT)]);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), other);
}

#[test]
fn traceparent_extracted_twice_keeps_its_tracestate() {
    let inbound = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1"), ("x-tenant", "cats")]);
    let mut store = extracted(&HeaderPropagator::trace_context(), inbound.clone());
    listing(["x-tenant", "traceparent"]).extract(&mut store, &head(inbound.clone()));
    let all = HeaderPropagator::trace_context().header("x-tenant");
    assert_eq!(injected(&all, &RequestContext::new(store)), inbound);
}

#[test]
fn tracestate_is_not_propagated_without_traceparent() {
    let trace = HeaderPropagator::trace_context();
    let state = ("tracestate", "cats=1");
    assert_eq!(sent_on(&trace, lines(&[state])), HeaderMap::new());
    let too_long = "0".repeat(8193);
    assert_eq!(sent_on(&trace, lines(&[("traceparent", &too_long), state])), HeaderMap::new());
    assert_eq!(sent_on(&listing(["tracestate"]), lines(&[("traceparent", TRACEPARENT), state])), HeaderMap::new());
}

#[test]
fn lone_tracestate_does_not_replace_an_earlier_one() {
    let propagator = HeaderPropagator::trace_context();
    let first = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]);
    let too_long = "0".repeat(8193);
    for second in [&[("tracestate", "dogs=1")][..], &[("traceparent", &too_long), ("tracestate", "dogs=1")]] {
        let mut store = extracted(&propagator, first.clone());
        propagator.extract(&mut store, &head(lines(second)));
        assert_eq!(injected(&propagator, &RequestContext::new(store)), first);
    }
}

#[test]
fn request_id_is_propagated_for_untrusted_peers() {
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
fn nothing_is_extracted_from_untrusted_peers() {
    let trusting = from_loopback(HeaderPropagator::trace_context());
    let inbound = lines(&[("traceparent", TRACEPARENT), ("tracestate", "cats=1")]);
    let mut head = head(inbound.clone());
    for (peer, expected) in [
        (None, HeaderMap::new()),
        (Some(Peer::at([10, 0, 0, 1])), HeaderMap::new()),
        (Some(Peer::at([127, 0, 0, 1])), inbound),
    ] {
        if let Some(peer) = peer {
            head.extensions.insert(peer);
        }
        let mut store = Store::new();
        trusting.extract(&mut store, &head);
        // Trust is checked when headers are extracted, and not again when they are injected.
        assert_eq!(injected(&trusting, &RequestContext::new(store)), expected);
    }
}

#[test]
fn trust_if_runs_once_per_extraction_with_all_parts() {
    let runs = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&runs);
    let propagator = listing(["x-tenant", "x-zone"]).trust_if(move |head| {
        counter.fetch_add(1, Ordering::Relaxed);
        head.uri.path() == "/inside" && head.headers["x-proof"] == "signed"
    });
    let inbound = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu"), ("x-proof", "signed")];
    let mut head = Request::get("/inside").body(()).unwrap().into_parts().0;
    head.headers = lines(&inbound);
    let mut store = Store::new();
    propagator.extract(&mut store, &head);
    assert_eq!(injected(&propagator, &RequestContext::new(store)), lines(&inbound[..3]));
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[test]
fn header_values_keep_their_count_order_and_bytes() {
    let every_byte: Vec<u8> = (0x20..=0xff).filter(|byte| *byte != 0x7f).chain([b'\t']).collect();
    let values: [&[u8]; 7] = [b"b", b"", b" a ", b"b", &every_byte, b"", b"a,b;c=\"d\""];
    let inbound = headers(values.map(|value| ("x-tenant", value)));
    let outbound = sent_on(&listing(["x-tenant"]), inbound);
    assert!(outbound.get_all("x-tenant").iter().map(HeaderValue::as_bytes).eq(values));
}

#[test]
fn extracted_headers_do_not_retain_the_request_buffer() {
    let propagator = listing(["x-tenant"]);
    let buffer = Bytes::from(b"GET / HTTP/1.1\r\nx-tenant: the cats of ada\r\n\r\n".to_vec());
    let value = HeaderValue::from_maybe_shared(buffer.slice(26..41)).unwrap();
    let head = head([(HeaderName::from_static("x-tenant"), value)].into_iter().collect());
    let mut store = Store::new();
    propagator.extract(&mut store, &head);
    assert!(!buffer.is_unique());
    drop(head);
    assert!(buffer.is_unique());
    let outbound = injected(&propagator, &RequestContext::new(store));
    assert_eq!(outbound, lines(&[("x-tenant", "the cats of ada")]));
    assert!(buffer.is_unique());
}

#[test]
fn only_trace_and_id_values_are_not_sensitive() {
    let names = ["traceparent", "tracestate", "x-request-id", "x-tenant", "baggage", "x-b3-traceid"];
    let outbound = sent_on(&listing(names), lines(&names.map(|name| (name, "7"))));
    assert_eq!(names.map(|name| outbound[name].is_sensitive()), [false, false, false, true, true, true]);
    assert_eq!(format!("{:?}", outbound["x-tenant"]), "Sensitive");
}

#[test]
fn sensitive_values_stay_sensitive() {
    let names = ["traceparent", "tracestate", "x-request-id", "x-tenant"];
    let mut inbound = lines(&names.map(|name| (name, "7")));
    inbound.values_mut().for_each(|value| value.set_sensitive(true));
    assert!(sent_on(&listing(names), inbound).values().all(HeaderValue::is_sensitive));
}

#[test]
fn id_set_by_a_policy_is_propagated() {
    let propagator = listing(["x-request-id"]);
    let mut head = head(lines(&[("x-request-id", "a stranger's")]));
    let mut store = Store::new();
    let id = RequestIdPolicy::new().apply(&mut store, &mut head);
    propagator.extract(&mut store, &head);
    let outbound = injected(&propagator, &RequestContext::new(store));
    assert_eq!(outbound, headers([("x-request-id", id.as_str())]));
}

// W3C's test suite, `test_traceparent_duplicated`: a service that receives two traceparents starts a new trace.
#[test]
fn duplicate_traceparents_are_not_extracted() {
    let trace = HeaderPropagator::trace_context().header("x-tenant");
    let rest = [("tracestate", "cats=1"), ("x-tenant", "cats")];
    for second in [OTHER_TRACEPARENT, TRACEPARENT, "", "nonsense"] {
        for repeated in [[TRACEPARENT, second], [second, TRACEPARENT]] {
            let inbound = headers(repeated.map(|line| ("traceparent", line)).into_iter().chain(rest));
            assert_eq!(sent_on(&trace, inbound.clone()), lines(&rest[1..]));

            let first = lines(&[("traceparent", TRACEPARENT), ("tracestate", "dogs=1")]);
            let mut store = extracted(&trace, first.clone());
            trace.extract(&mut store, &head(inbound));
            let mut sent = injected(&trace, &RequestContext::new(store));
            assert_eq!(sent.remove("x-tenant").unwrap(), "cats");
            assert_eq!(sent, first, "headers extracted before are kept");
        }
    }
}
