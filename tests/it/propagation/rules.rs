//! Which headers may be listed, and what a list shows of itself.

use allocation_counter::measure;
use http::{HeaderMap, HeaderName};
use tower_request_context::HeaderPropagator;

use super::{TRACEPARENT, headers, lines, listing, sent_on};
use crate::support::{OF_ONE_MESSAGE, panic_text};

#[test]
fn only_headers_in_the_list_travel() {
    let came_in = [
        ("x-tenant", "cats"),
        ("x-tenants", "dogs"),
        ("x_tenant", "mice"),
        ("cookie", "private"),
        ("authorization", "secret"),
        ("traceparent", TRACEPARENT),
        ("baggage", "user=ada"),
    ];
    assert_eq!(sent_on(&listing(["x-tenant"]), lines(&came_in)), lines(&[("x-tenant", "cats")]));
    assert_eq!(sent_on(&listing([]), lines(&came_in)), HeaderMap::new());
}

#[test]
fn a_listed_header_that_did_not_come_does_not_go() {
    assert_eq!(sent_on(&listing(["x-tenant", "x-zone"]), lines(&[("x-zone", "")])), lines(&[("x-zone", "")]));
}

#[test]
fn trace_context_is_traceparent_and_tracestate_and_not_baggage() {
    let trace = [("traceparent", TRACEPARENT), ("tracestate", "cats=1")];
    let came_in = headers(trace.into_iter().chain([("baggage", "user=ada"), ("x-request-id", "7")]));
    assert_eq!(sent_on(&HeaderPropagator::trace_context(), came_in), lines(&trace));
}

#[test]
fn and_adds_a_header_to_the_list_in_whatever_case_it_is_written() {
    let came_in = [("x-tenant", "cats"), ("traceparent", TRACEPARENT), ("x-zone", "eu")];
    let propagator = HeaderPropagator::trace_context().header(HeaderName::from_bytes(b"X-Tenant").unwrap());
    assert_eq!(sent_on(&propagator, lines(&came_in)), lines(&came_in[..2]));
}

#[test]
fn a_header_that_is_listed_twice_travels_once() {
    let came_in = [("x-tenant", "cats"), ("x-tenant", "dogs")];
    let twice = listing(["x-tenant", "x-tenant"]).header("x-tenant");
    assert_eq!(sent_on(&twice, lines(&came_in)), lines(&came_in));
    // It would count twice, too.
    assert_eq!(sent_on(&twice.max_header_bytes(9).max_total_bytes(9), lines(&came_in)), lines(&came_in));
}

#[test]
fn a_header_of_one_message_or_connection_cannot_be_listed() {
    for name in OF_ONE_MESSAGE {
        let upper = HeaderName::from_bytes(name.to_uppercase().as_bytes()).unwrap();
        let teaching = format!(
            "the header `{name}` frames one message or belongs to one connection, and cannot travel to another or carry \
             an id: leave it to server and client, and name a header that describes the request"
        );
        assert_eq!(panic_text(|| HeaderPropagator::new([HeaderName::from_static("x-tenant"), upper])), teaching);
        assert_eq!(panic_text(|| HeaderPropagator::trace_context().header(HeaderName::from_static(name))), teaching);
    }
}

#[test]
fn debug_shows_the_names_and_the_limits_and_no_closure() {
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
fn a_clone_that_is_changed_leaves_the_original_as_it_was() {
    let trace = HeaderPropagator::trace_context();
    let before = format!("{trace:?}");
    let changed = trace.clone().header("x-tenant").max_header_bytes(1).max_total_bytes(1).trust_if(|_| false);
    assert_eq!(format!("{trace:?}"), before);
    assert_ne!(format!("{changed:?}"), before);
    let came_in = [("traceparent", TRACEPARENT)];
    assert_eq!(sent_on(&trace, lines(&came_in)), lines(&came_in));
}
