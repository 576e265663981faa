//! Which headers may be listed, and a propagator's `Debug` and `Clone`.

use allocation_counter::measure;
use http::{HeaderMap, HeaderName};
use tower_request_context::HeaderPropagator;

use super::{TRACEPARENT, headers, lines, listing, sent_on};
use crate::support::{NOT_FORWARDABLE, panic_text};

#[test]
fn only_listed_headers_are_propagated() {
    let inbound = [
        ("x-tenant", "cats"),
        ("x-tenants", "dogs"),
        ("x_tenant", "mice"),
        ("cookie", "private"),
        ("authorization", "secret"),
        ("traceparent", TRACEPARENT),
        ("baggage", "user=ada"),
    ];
    assert_eq!(sent_on(&listing(["x-tenant"]), lines(&inbound)), lines(&[("x-tenant", "cats")]));
    assert_eq!(sent_on(&listing([]), lines(&inbound)), HeaderMap::new());
}

#[test]
fn absent_headers_are_not_propagated() {
    assert_eq!(sent_on(&listing(["x-tenant", "x-zone"]), lines(&[("x-zone", "")])), lines(&[("x-zone", "")]));
}

#[test]
fn trace_context_excludes_baggage() {
    let trace = [("traceparent", TRACEPARENT), ("tracestate", "cats=1")];
    let inbound = headers(trace.into_iter().chain([("baggage", "user=ada"), ("x-request-id", "7")]));
    assert_eq!(sent_on(&HeaderPropagator::trace_context(), inbound), lines(&trace));
}

#[test]
fn header_adds_a_name_in_any_case() {
    let inbound = [("x-tenant", "cats"), ("traceparent", TRACEPARENT), ("x-zone", "eu")];
    let propagator = HeaderPropagator::trace_context().header(HeaderName::from_bytes(b"X-Tenant").unwrap());
    assert_eq!(sent_on(&propagator, lines(&inbound)), lines(&inbound[..2]));
}

#[test]
fn header_listed_twice_is_propagated_once() {
    let inbound = [("x-tenant", "cats"), ("x-tenant", "dogs")];
    let twice = listing(["x-tenant", "x-tenant"]).header("x-tenant");
    assert_eq!(sent_on(&twice, lines(&inbound)), lines(&inbound));
    // It also counts once towards the limits.
    assert_eq!(sent_on(&twice.max_header_bytes(9).max_total_bytes(9), lines(&inbound)), lines(&inbound));
}

#[test]
fn framing_and_connection_headers_cannot_be_listed() {
    for name in NOT_FORWARDABLE {
        let upper = HeaderName::from_bytes(name.to_uppercase().as_bytes()).unwrap();
        let message = format!(
            "the header `{name}` frames one message or belongs to one connection, so it cannot be propagated or carry a \
             request id: leave it to the server and the client, and name a header that describes the request"
        );
        assert_eq!(panic_text(|| HeaderPropagator::new([HeaderName::from_static("x-tenant"), upper])), message);
        assert_eq!(panic_text(|| HeaderPropagator::trace_context().header(HeaderName::from_static(name))), message);
    }
}

#[test]
fn debug_shows_names_and_limits() {
    let propagator = listing(["x-tenant"]).header("x-zone");
    let text = r#"HeaderPropagator { names: ["x-tenant", "x-zone"], trust_if: false, max_header_bytes: 8192, max_total_bytes: 16384 }"#;
    assert_eq!(format!("{propagator:?}"), text);
    let text = r#"HeaderPropagator { names: ["x-tenant", "x-zone"], trust_if: true, max_header_bytes: 1, max_total_bytes: 2 }"#;
    assert_eq!(format!("{:?}", propagator.trust_if(|_| true).max_header_bytes(1).max_total_bytes(2)), text);
}

#[test]
fn a_clone_allocates_nothing() {
    let propagator = HeaderPropagator::trace_context().trust_if(|_| true);
    let mut clone = None;
    assert_eq!(measure(|| clone = Some(propagator.clone())).count_total, 0);
    assert_eq!(format!("{:?}", clone.unwrap()), format!("{propagator:?}"));
}

#[test]
fn changing_a_clone_keeps_the_original() {
    let trace = HeaderPropagator::trace_context();
    let before = format!("{trace:?}");
    let changed = trace.clone().header("x-tenant").max_header_bytes(1).max_total_bytes(1).trust_if(|_| false);
    assert_eq!(format!("{trace:?}"), before);
    assert_ne!(format!("{changed:?}"), before);
    let inbound = [("traceparent", TRACEPARENT)];
    assert_eq!(sent_on(&trace, lines(&inbound)), lines(&inbound));
}
