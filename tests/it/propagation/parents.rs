//! Propagation from nested contexts.

use std::{cell::RefCell, convert::Infallible};

use http::{HeaderMap, Request, Response};
use tokio_test::block_on;
use tower::{ServiceBuilder, ServiceExt, service_fn};
use tower_request_context::{HeaderPropagator, Nesting, RequestContext, RequestContextLayer, Store};

use super::{Lines, OTHER_TRACEPARENT, TRACEPARENT, extracted, injected, lines, listing};

const OUTSIDE: Lines<'_> = &[("x-tenant", "cats"), ("x-tenant", "dogs"), ("x-zone", "eu")];
const INSIDE: Lines<'_> = &[("x-tenant", "mice")];

/// Returns the headers propagated below two layers. Between the two, the request's headers are replaced.
fn below_two_layers(nesting: Nesting, inner_extracts: bool) -> HeaderMap {
    let propagator = listing(["x-tenant", "x-zone"]);
    let seen = RefCell::new(HeaderMap::new());
    let innermost = service_fn(async |_: Request<()>| {
        propagator.inject(&mut seen.borrow_mut());
        Ok::<_, Infallible>(Response::new(String::new()))
    });
    let inner = RequestContextLayer::new(|store, request| {
        if inner_extracts {
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

fn child_of(parent: &RequestContext, propagator: &HeaderPropagator, inbound: Lines<'_>) -> RequestContext {
    parent.child(extracted(propagator, lines(inbound)))
}

#[test]
fn child_propagates_headers_of_its_parents() {
    let propagator = listing(["x-tenant", "x-zone"]);
    let root = RequestContext::new(extracted(&propagator, lines(OUTSIDE)));
    let child = root.child(Store::new()).child(Store::new().with_value(7_u8));
    assert_eq!(injected(&propagator, &child), lines(OUTSIDE));
    let inherited = root.sync_scope(|| RequestContext::inherit(Store::new()));
    assert_eq!(injected(&propagator, &inherited), lines(OUTSIDE));
}

#[test]
fn nearest_context_with_a_header_wins() {
    let propagator = listing(["x-tenant", "x-zone", "x-user"]);
    let root =
        RequestContext::new(extracted(&propagator, lines(&[("x-tenant", "a"), ("x-zone", "a"), ("x-user", "a")])));
    let middle = child_of(&root, &propagator, &[("x-tenant", "b"), ("x-tenant", "c"), ("x-zone", "b")]);
    let leaf = child_of(&middle, &propagator, &[("x-tenant", "d")]);
    let nearest = [("x-tenant", "d"), ("x-zone", "b"), ("x-user", "a")];
    assert_eq!(injected(&propagator, &leaf), lines(&nearest));
    let nearest = [("x-tenant", "b"), ("x-tenant", "c"), ("x-zone", "b"), ("x-user", "a")];
    assert_eq!(injected(&propagator, &middle), lines(&nearest));
}

#[test]
fn trace_headers_of_different_contexts_are_not_mixed() {
    let trace = HeaderPropagator::trace_context();
    let state = [("traceparent", TRACEPARENT), ("tracestate", "cats=1")];
    let root = RequestContext::new(extracted(&trace, lines(&state)));
    let stateless = child_of(&root, &trace, &[("traceparent", OTHER_TRACEPARENT)]);
    assert_eq!(injected(&trace, &stateless), lines(&[("traceparent", OTHER_TRACEPARENT)]));
    let traceless = child_of(&root, &trace, &[("tracestate", "dogs=1")]);
    assert_eq!(injected(&trace, &traceless), lines(&state));
    assert_eq!(injected(&trace, &root.child(Store::new())), lines(&state));
}

#[test]
fn inheriting_layer_propagates_the_outer_headers() {
    assert_eq!(below_two_layers(Nesting::Inherit, false), lines(OUTSIDE));
}

#[test]
fn headers_extracted_by_an_inheriting_layer_win() {
    assert_eq!(below_two_layers(Nesting::Inherit, true), lines(&[("x-tenant", "mice"), ("x-zone", "eu")]));
}

#[test]
fn reusing_layer_propagates_the_outer_headers() {
    assert_eq!(below_two_layers(Nesting::Reuse, true), lines(OUTSIDE));
}

#[test]
fn overriding_layer_propagates_no_outer_headers() {
    assert_eq!(below_two_layers(Nesting::Override, false), HeaderMap::new());
    assert_eq!(below_two_layers(Nesting::Override, true), lines(INSIDE));
}

// F20
#[test]
fn long_chain_of_children_is_searched_to_the_root() {
    let propagator = listing(["x-tenant"]);
    let mut context = RequestContext::new(extracted(&propagator, lines(INSIDE)));
    for _ in 0..100_000 {
        context = context.child(Store::new());
    }
    assert_eq!(injected(&propagator, &context), lines(INSIDE));
}
