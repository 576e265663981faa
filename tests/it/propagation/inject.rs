//! Injecting headers into outgoing requests.

use http::HeaderMap;
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{Lines, OTHER_TRACEPARENT, TRACEPARENT, extracted, head, injected, lines, listing};
use crate::support::map_with_room_for;

const TRACE: Lines<'_> = &[("traceparent", TRACEPARENT), ("tracestate", "cats=1")];

/// Returns the headers of an outgoing request after an injection. `own` are the headers that the caller has set.
fn outgoing(propagator: &HeaderPropagator, inbound: Lines<'_>, own: Lines<'_>) -> HeaderMap {
    let mut headers = lines(own);
    let context = RequestContext::new(extracted(propagator, lines(inbound)));
    context.sync_scope(|| propagator.inject(&mut headers));
    headers
}

#[test]
fn inject_outside_a_context_changes_nothing() {
    let propagator = listing(["x-tenant"]);
    let context = RequestContext::new(extracted(&propagator, lines(&[("x-tenant", "cats")])));
    let own = lines(&[("accept", "*/*"), ("x-zone", "eu")]);
    let mut headers = own.clone();
    propagator.inject(&mut headers);
    assert_eq!(headers, own);
    context.sync_scope(|| RequestContext::sync_exit(|| propagator.inject(&mut headers)));
    assert_eq!(headers, own);
    context.sync_scope(|| propagator.inject(&mut headers));
    assert_eq!(headers, lines(&[("accept", "*/*"), ("x-zone", "eu"), ("x-tenant", "cats")]));
}

#[test]
fn inject_without_extracted_headers_changes_nothing() {
    let mut headers = lines(&[("accept", "*/*")]);
    RequestContext::new(Store::new()).sync_scope(|| listing(["x-tenant"]).inject(&mut headers));
    assert_eq!(headers, lines(&[("accept", "*/*")]));
}

#[test]
fn headers_set_by_the_caller_win() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let inbound = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-tenant", "owls"), ("x-zone", "eu")];
    let own = [("x-tenant", "mice"), ("x-tenant", "rats")];
    let both = [("x-tenant", "mice"), ("x-tenant", "rats"), ("x-zone", "eu")];
    assert_eq!(outgoing(&propagator, &inbound, &own), lines(&both));
    assert_eq!(outgoing(&propagator, &inbound, &[("x-tenant", "")]), lines(&[("x-tenant", ""), ("x-zone", "eu")]));
}

#[test]
fn a_second_injection_changes_nothing() {
    let propagator = listing(["x-tenant"]);
    let context = RequestContext::new(extracted(&propagator, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs")])));
    let mut headers = injected(&propagator, &context);
    context.sync_scope(|| propagator.inject(&mut headers));
    assert_eq!(headers, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs")]));
}

#[test]
fn tracestate_is_not_added_to_the_callers_traceparent() {
    let trace = HeaderPropagator::trace_context();
    let own = [("traceparent", OTHER_TRACEPARENT)];
    assert_eq!(outgoing(&trace, TRACE, &own), lines(&own));
    let own = [("traceparent", OTHER_TRACEPARENT), ("tracestate", "dogs=1")];
    assert_eq!(outgoing(&trace, TRACE, &own), lines(&own));
    // The same holds if the list names only `tracestate`.
    assert_eq!(outgoing(&listing(["tracestate"]), TRACE, &own[..1]), lines(&own[..1]));
}

#[test]
fn tracestate_set_by_the_caller_wins() {
    let own = [("tracestate", "dogs=1")];
    let both = [("traceparent", TRACEPARENT), ("tracestate", "dogs=1")];
    assert_eq!(outgoing(&HeaderPropagator::trace_context(), TRACE, &own), lines(&both));
}

#[test]
fn headers_set_by_the_caller_do_not_count_towards_limits() {
    let propagator = listing(["x-tenant", "x-zone"]).max_header_bytes(8).max_total_bytes(8);
    let mut store = extracted(&propagator, lines(&[("x-tenant", "1234")]));
    propagator.extract(&mut store, &head(lines(&[("x-zone", "12345678")])));
    let context = RequestContext::new(store);
    assert_eq!(injected(&propagator, &context), lines(&[("x-tenant", "1234")]));
    let mut headers = lines(&[("x-tenant", "the caller's own")]);
    context.sync_scope(|| propagator.inject(&mut headers));
    assert_eq!(headers, lines(&[("x-tenant", "the caller's own"), ("x-zone", "12345678")]));
}

#[test]
fn inject_adds_only_listed_headers() {
    let inbound = lines(&[("x-tenant", "cats"), ("x-zone", "eu"), ("x-user", "ada")]);
    let context = RequestContext::new(extracted(&listing(["x-tenant", "x-zone", "x-user"]), inbound));
    let outbound = injected(&listing(["x-zone", "x-other", "x-tenant"]), &context);
    assert_eq!(outbound, lines(&[("x-zone", "eu"), ("x-tenant", "cats")]));
    assert_eq!(injected(&listing([]), &context), HeaderMap::new());
}

#[test]
fn inject_applies_its_own_limits() {
    let propagator = listing(["x-tenant", "x-zone", "x-user"]);
    let inbound = [("x-tenant", "cats"), ("x-zone", "eu"), ("x-user", "ada")];
    let context = RequestContext::new(extracted(&propagator, lines(&inbound)));
    for (limits, expected) in [((4, 9), &inbound[..]), ((3, 9), &inbound[1..]), ((4, 8), &inbound[1..])] {
        let short = propagator.clone().max_header_bytes(limits.0).max_total_bytes(limits.1);
        assert_eq!(injected(&short, &context), lines(expected));
    }
}

#[test]
fn limits_apply_to_headers_of_several_extractions() {
    let (tenant, zone) = (
        listing(["x-tenant"]).max_header_bytes(8).max_total_bytes(8),
        listing(["x-zone"]).max_header_bytes(8).max_total_bytes(8),
    );
    let mut store = extracted(&tenant, lines(&[("x-tenant", "12345678")]));
    zone.extract(&mut store, &head(lines(&[("x-zone", "1234567")])));
    let both = listing(["x-tenant", "x-zone"]);
    let context = RequestContext::new(store);
    assert_eq!(injected(&both.clone().max_header_bytes(8).max_total_bytes(15), &context).len(), 2);
    assert_eq!(injected(&both.max_header_bytes(8).max_total_bytes(14), &context), lines(&[("x-zone", "1234567")]));
}

#[test]
fn inject_into_a_full_map_changes_nothing() {
    let mut full = map_with_room_for(0);
    let before = full.clone();
    inject_two_lines_each(&mut full);
    assert_eq!(full, before);
}

#[test]
fn inject_into_an_almost_full_map_adds_whole_headers() {
    for room in 1..4 {
        let mut headers = map_with_room_for(room);
        inject_two_lines_each(&mut headers);
        let added = |name| headers.get_all(name).iter().count();
        let (tenant, zone) = (added("x-tenant"), added("x-zone"));
        assert!(matches!((tenant, zone), (0 | 2, 0) | (2, 2)), "room for {room}: {tenant} and {zone} lines");
        assert!(room < 3 || zone == 2, "both headers fit");
    }
}

#[test]
fn a_full_map_gets_no_tracestate_without_its_traceparent() {
    for names in [["traceparent", "tracestate"], ["tracestate", "traceparent"]] {
        let propagator = listing(names);
        let context = RequestContext::new(extracted(&propagator, lines(TRACE)));
        for (room, expected) in [(0, [false, false]), (1, [true, false]), (2, [true, true])] {
            let mut headers = map_with_room_for(room);
            context.sync_scope(|| propagator.inject(&mut headers));
            let is_injected = ["traceparent", "tracestate"].map(|name| headers.contains_key(name));
            assert_eq!(is_injected, expected, "{names:?}, room for {room}");
        }
    }
}

fn inject_two_lines_each(headers: &mut HeaderMap) {
    let propagator = listing(["x-tenant", "x-zone"]);
    let inbound = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu"), ("x-zone", "us")];
    RequestContext::new(extracted(&propagator, lines(&inbound))).sync_scope(|| propagator.inject(headers));
}
