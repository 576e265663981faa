//! What an injection puts on a call, and what it leaves alone.

use http::HeaderMap;
use tower_request_context::{HeaderPropagator, RequestContext, Store};

use super::{Lines, OTHER_TRACEPARENT, TRACEPARENT, captured, head, injected, lines, listing};
use crate::support::map_with_room_for;

const TRACE: Lines<'_> = &[("traceparent", TRACEPARENT), ("tracestate", "cats=1")];

/// What a call has after an injection in the context of a request that came with these headers.
fn call(propagator: &HeaderPropagator, came_in: Lines<'_>, own: Lines<'_>) -> HeaderMap {
    let mut headers = lines(own);
    let context = RequestContext::new(captured(propagator, lines(came_in)));
    context.sync_scope(|| propagator.inject(&mut headers));
    headers
}

#[test]
fn a_call_outside_any_context_is_left_as_it_is() {
    let propagator = listing(["x-tenant"]);
    let context = RequestContext::new(captured(&propagator, lines(&[("x-tenant", "cats")])));
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
fn a_call_in_a_context_that_captured_nothing_is_left_as_it_is() {
    let mut headers = lines(&[("accept", "*/*")]);
    RequestContext::new(Store::new()).sync_scope(|| listing(["x-tenant"]).inject(&mut headers));
    assert_eq!(headers, lines(&[("accept", "*/*")]));
}

#[test]
fn a_header_that_the_caller_set_wins_with_all_its_lines() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let came_in = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-tenant", "owls"), ("x-zone", "eu")];
    let own = [("x-tenant", "mice"), ("x-tenant", "rats")];
    let both = [("x-tenant", "mice"), ("x-tenant", "rats"), ("x-zone", "eu")];
    assert_eq!(call(&propagator, &came_in, &own), lines(&both));
    assert_eq!(call(&propagator, &came_in, &[("x-tenant", "")]), lines(&[("x-tenant", ""), ("x-zone", "eu")]));
}

#[test]
fn a_second_injection_changes_nothing() {
    let propagator = listing(["x-tenant"]);
    let context = RequestContext::new(captured(&propagator, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs")])));
    let mut headers = injected(&propagator, &context);
    context.sync_scope(|| propagator.inject(&mut headers));
    assert_eq!(headers, lines(&[("x-tenant", "cats"), ("x-tenant", "dogs")]));
}

#[test]
fn the_trace_of_the_caller_keeps_our_trace_state_off() {
    let trace = HeaderPropagator::trace_context();
    let own = [("traceparent", OTHER_TRACEPARENT)];
    assert_eq!(call(&trace, TRACE, &own), lines(&own));
    let own = [("traceparent", OTHER_TRACEPARENT), ("tracestate", "dogs=1")];
    assert_eq!(call(&trace, TRACE, &own), lines(&own));
    // The list need not name the one for the other to stay off.
    assert_eq!(call(&listing(["tracestate"]), TRACE, &own[..1]), lines(&own[..1]));
}

#[test]
fn a_trace_state_that_the_caller_set_wins() {
    let own = [("tracestate", "dogs=1")];
    let both = [("traceparent", TRACEPARENT), ("tracestate", "dogs=1")];
    assert_eq!(call(&HeaderPropagator::trace_context(), TRACE, &own), lines(&both));
}

#[test]
fn a_header_that_the_caller_set_takes_no_room_from_the_others() {
    let propagator = listing(["x-tenant", "x-zone"]).max_header_bytes(8).max_total_bytes(8);
    let mut store = captured(&propagator, lines(&[("x-tenant", "1234")]));
    propagator.extract(&mut store, &head(lines(&[("x-zone", "12345678")])));
    let context = RequestContext::new(store);
    assert_eq!(injected(&propagator, &context), lines(&[("x-tenant", "1234")]));
    let mut headers = lines(&[("x-tenant", "the caller's own")]);
    context.sync_scope(|| propagator.inject(&mut headers));
    assert_eq!(headers, lines(&[("x-tenant", "the caller's own"), ("x-zone", "12345678")]));
}

#[test]
fn a_call_takes_only_what_its_own_list_names() {
    let came_in = lines(&[("x-tenant", "cats"), ("x-zone", "eu"), ("x-user", "ada")]);
    let context = RequestContext::new(captured(&listing(["x-tenant", "x-zone", "x-user"]), came_in));
    let went_out = injected(&listing(["x-zone", "x-other", "x-tenant"]), &context);
    assert_eq!(went_out, lines(&[("x-zone", "eu"), ("x-tenant", "cats")]));
    assert_eq!(injected(&listing([]), &context), HeaderMap::new());
}

#[test]
fn a_call_takes_only_what_its_own_limits_admit() {
    let propagator = listing(["x-tenant", "x-zone", "x-user"]);
    let came_in = [("x-tenant", "cats"), ("x-zone", "eu"), ("x-user", "ada")];
    let context = RequestContext::new(captured(&propagator, lines(&came_in)));
    for (limits, expected) in [((4, 9), &came_in[..]), ((3, 9), &came_in[1..]), ((4, 8), &came_in[1..])] {
        let short = propagator.clone().max_header_bytes(limits.0).max_total_bytes(limits.1);
        assert_eq!(injected(&short, &context), lines(expected));
    }
}

#[test]
fn what_two_captures_found_is_held_to_the_limits_of_one_call() {
    let (tenant, zone) = (
        listing(["x-tenant"]).max_header_bytes(8).max_total_bytes(8),
        listing(["x-zone"]).max_header_bytes(8).max_total_bytes(8),
    );
    let mut store = captured(&tenant, lines(&[("x-tenant", "12345678")]));
    zone.extract(&mut store, &head(lines(&[("x-zone", "1234567")])));
    let both = listing(["x-tenant", "x-zone"]);
    let context = RequestContext::new(store);
    assert_eq!(injected(&both.clone().max_header_bytes(8).max_total_bytes(15), &context).len(), 2);
    assert_eq!(injected(&both.max_header_bytes(8).max_total_bytes(14), &context), lines(&[("x-zone", "1234567")]));
}

#[test]
fn a_map_that_is_full_takes_no_header_and_panics_not() {
    let mut full = map_with_room_for(0);
    let before = full.clone();
    inject_two_lines_each(&mut full);
    assert_eq!(full, before);
}

#[test]
fn a_map_that_is_almost_full_takes_all_lines_of_a_header_or_none() {
    for room in 1..4 {
        let mut headers = map_with_room_for(room);
        inject_two_lines_each(&mut headers);
        let taken = |name| headers.get_all(name).iter().count();
        let (tenant, zone) = (taken("x-tenant"), taken("x-zone"));
        assert!(matches!((tenant, zone), (0 | 2, 0) | (2, 2)), "room for {room}: {tenant} and {zone} lines");
        assert!(room < 3 || zone == 2, "there was room for both");
    }
}

fn inject_two_lines_each(headers: &mut HeaderMap) {
    let propagator = listing(["x-tenant", "x-zone"]);
    let came_in = [("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu"), ("x-zone", "us")];
    RequestContext::new(captured(&propagator, lines(&came_in))).sync_scope(|| propagator.inject(headers));
}
