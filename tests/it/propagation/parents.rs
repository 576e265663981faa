//! Whose headers a call takes where contexts stand in contexts.

use std::{cell::RefCell, convert::Infallible};

use http::{HeaderMap, Request, Response};
use tokio_test::block_on;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_request_context::{HeaderPropagator, Nesting, RequestContext, RequestContextLayer, Store};

use super::{Lines, OTHER_TRACEPARENT, TRACEPARENT, captured, injected, lines, listing};

const OUTSIDE: Lines<'_> = &[("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu")];
const INSIDE: Lines<'_> = &[("x-tenant", "mice")];

/// What a call gets below two layers; the headers of the request are others at the inner one.
fn below_two_layers(nesting: Nesting, inner_captures: bool) -> HeaderMap {
    let propagator = listing(["x-tenant", "x-zone"]);
    let seen = RefCell::new(HeaderMap::new());
    let innermost = service_fn(async |_: Request<()>| {
        propagator.inject(&mut seen.borrow_mut());
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let inner = RequestContextLayer::new(|store, request| {
        if inner_captures {
            propagator.extract(store, request);
        }
    });
    let stack = ServiceBuilder::new()
        .layer(RequestContextLayer::new(|store, request| propagator.extract(store, request)))
        .map_request(|mut request: Request<()>| {
            *request.headers_mut() = lines(INSIDE);
            request
        })
        .layer(inner.nesting(nesting))
        .service(innermost);
    let mut request = Request::new(());
    *request.headers_mut() = lines(OUTSIDE);
    block_on(stack.oneshot(request)).unwrap();
    seen.into_inner()
}

fn child_of(parent: &RequestContext, propagator: &HeaderPropagator, came_in: Lines<'_>) -> RequestContext {
    parent.child(captured(propagator, lines(came_in)))
}

#[test]
fn a_child_takes_what_its_parents_captured() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let root = RequestContext::new(captured(&propagator, lines(OUTSIDE)));
    let child = root.child(Store::new()).child(Store::new().with_value(7_u8));
    assert_eq!(injected(&propagator, &child), lines(OUTSIDE));
    let inherited = root.sync_scope(|| RequestContext::inherit(Store::new()));
    assert_eq!(injected(&propagator, &inherited), lines(OUTSIDE));
}

#[test]
fn of_each_header_the_nearest_that_was_captured_goes() {
    let propagator = listing(["x-tenant", "x-zone", "x-user"]);
    let root =
        RequestContext::new(captured(&propagator, lines(&[("x-tenant", "a"), ("x-zone", "a"), ("x-user", "a")])));
    let middle = child_of(&root, &propagator, &[("x-tenant", "b"), ("x-tenant", "c"), ("x-zone", "b")]);
    let leaf = child_of(&middle, &propagator, &[("x-tenant", "d")]);
    let nearest = [("x-tenant", "d"), ("x-zone", "b"), ("x-user", "a")];
    assert_eq!(injected(&propagator, &leaf), lines(&nearest));
    let nearest = [("x-tenant", "b"), ("x-tenant", "c"), ("x-zone", "b"), ("x-user", "a")];
    assert_eq!(injected(&propagator, &middle), lines(&nearest));
}

#[test]
fn a_trace_does_not_go_with_the_state_of_another_context_s_trace() {
    let trace = HeaderPropagator::trace_context();
    let state = [("traceparent", TRACEPARENT), ("tracestate", "cats=1")];
    let root = RequestContext::new(captured(&trace, lines(&state)));
    let stateless = child_of(&root, &trace, &[("traceparent", OTHER_TRACEPARENT)]);
    assert_eq!(injected(&trace, &stateless), lines(&[("traceparent", OTHER_TRACEPARENT)]));
    let traceless = child_of(&root, &trace, &[("tracestate", "dogs=1")]);
    assert_eq!(injected(&trace, &traceless), lines(&state));
    assert_eq!(injected(&trace, &root.child(Store::new())), lines(&state));
}

#[test]
fn a_layer_that_inherits_takes_the_headers_of_the_outer_one() {
    assert_eq!(below_two_layers(Nesting::Inherit, false), lines(OUTSIDE));
}

#[test]
fn a_layer_that_inherits_and_captures_has_the_last_word() {
    assert_eq!(below_two_layers(Nesting::Inherit, true), lines(&[("x-tenant", "mice"), ("x-zone", "eu")]));
}

#[test]
fn a_layer_that_reuses_keeps_the_headers_of_the_outer_one() {
    assert_eq!(below_two_layers(Nesting::Reuse, true), lines(OUTSIDE));
}

#[test]
fn a_sub_request_with_a_store_of_its_own_has_none_of_the_outer_headers() {
    assert_eq!(below_two_layers(Nesting::Override, false), HeaderMap::new());
    assert_eq!(below_two_layers(Nesting::Override, true), lines(INSIDE));
}

// F20
#[test]
fn a_chain_of_a_hundred_thousand_children_is_read_to_its_root() {
    let propagator = listing(["x-tenant"]);
    let mut context = RequestContext::new(captured(&propagator, lines(INSIDE)));
    for _ in 0..100_000 {
        context = context.child(Store::new());
    }
    assert_eq!(injected(&propagator, &context), lines(INSIDE));
}
