//! Headers that the `Connection` header nominates belong to one connection and are not propagated.

use http::{HeaderMap, HeaderValue, Version, header::CONNECTION};
use tower_request_context::{HeaderPropagator, RequestContext, RequestIdPolicy, Store};

use super::{TRACEPARENT, extracted, head, injected, lines, listing, relay::Relay, sent_on};

/// Returns which of two headers are propagated if the request has these `Connection` headers.
fn sent_with(connection: &[&[u8]]) -> HeaderMap {
    let mut inbound = lines(&[("x-tenant", "cats"), ("x-zone", "eu")]);
    for line in connection {
        inbound.append(CONNECTION, HeaderValue::from_bytes(line).unwrap());
    }
    sent_on(&listing(["x-tenant", "x-zone"]), inbound)
}

#[test]
fn nominated_headers_are_not_extracted() {
    let without_tenant = lines(&[("x-zone", "eu")]);
    let lines_with_tenant: [&[&[u8]]; 12] = [
        &[b"x-tenant"],
        &[b"X-Tenant"],
        &[b"close, x-tenant"],
        &[b"x-tenant,close"],
        &[b" \tx-tenant \t"],
        &[b"keep-alive ,\tX-TENANT\t, upgrade"],
        &[b",,x-tenant,,"],
        &[b"close", b"x-tenant"],
        &[b"x-tenant", b"close"],
        &[b"", b"x-tenant, x-tenant"],
        &[b"\xff\x80, x-tenant"],
        &[b"\"close, x-tenant"],
    ];
    for connection in lines_with_tenant {
        assert_eq!(sent_with(connection), without_tenant, "{connection:?}");
    }
    assert_eq!(sent_with(&[b"x-tenant", b"X-ZONE"]), HeaderMap::new());
}

#[test]
fn other_connection_options_have_no_effect() {
    let both = lines(&[("x-tenant", "cats"), ("x-zone", "eu")]);
    let options: [&[&[u8]]; 8] = [
        &[],
        &[b"close"],
        &[b"keep-alive, Upgrade, HTTP2-Settings"],
        &[b"x-tenants, x-tenan, -tenant, x_tenant, x tenant"],
        &[b"\"x-tenant\""],
        &[b"x-tenant=1; x-zone"],
        &[b"x-tenant\xff, \x80x-zone"],
        &[b"", b",", b" , \t"],
    ];
    for connection in options {
        assert_eq!(sent_with(connection), both, "{connection:?}");
    }
}

#[test]
fn nominated_headers_do_not_count_towards_limits() {
    let inbound = lines(&[("connection", "x-tenant"), ("x-tenant", "123"), ("x-zone", "12345678")]);
    assert_eq!(
        sent_on(&listing(["x-tenant", "x-zone"]).max_header_bytes(8).max_total_bytes(8), inbound),
        lines(&[("x-zone", "12345678")])
    );
}

#[test]
fn nominated_header_does_not_replace_an_earlier_one() {
    let propagator = listing(["x-tenant"]);
    let mut store = extracted(&propagator, lines(&[("x-tenant", "cats")]));
    propagator.extract(&mut store, &head(lines(&[("connection", "x-tenant"), ("x-tenant", "dogs")])));
    assert_eq!(injected(&propagator, &RequestContext::new(store)), lines(&[("x-tenant", "cats")]));
}

#[test]
fn nominated_traceparent_also_drops_tracestate() {
    let trace = HeaderPropagator::trace_context();
    let with = |nominated| lines(&[("connection", nominated), ("traceparent", TRACEPARENT), ("tracestate", "cats=1")]);
    assert_eq!(sent_on(&trace, with("traceparent")), HeaderMap::new());
    assert_eq!(sent_on(&trace, with("tracestate")), lines(&[("traceparent", TRACEPARENT)]));
}

#[test]
fn nominating_the_request_id_does_not_suppress_it() {
    let propagator = listing(["x-request-id"]);
    let (mut store, mut head) =
        (Store::new(), head(lines(&[("connection", "x-request-id"), ("x-request-id", "forged")])));
    let id = RequestIdPolicy::new().apply(&mut store, &mut head);
    propagator.extract(&mut store, &head);
    let sent = injected(&propagator, &RequestContext::new(store));
    assert_eq!(sent["x-request-id"], id.as_str());
}

#[tokio::test]
async fn nominated_header_is_not_relayed_over_a_socket() {
    let mut relay = Relay::new(listing(["x-tenant", "x-zone"]), Version::HTTP_11).await;
    let arrived = relay.write("x-tenant: cats\r\nConnection: Keep-Alive, X-Tenant\r\nx-zone: eu\r\n").await;
    assert_eq!(arrived, lines(&[("x-zone", "eu")]));
}
