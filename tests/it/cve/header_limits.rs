//! Malicious headers: those beyond the limits are neither truncated nor copied nor propagated, and do not affect
//! others.

use std::iter;

use allocation_counter::measure;
use http::{HeaderMap, Version};
use tower_request_context::{HeaderPropagator, Store};

use crate::{
    propagation::{head, headers, lines, listing, relay::Relay, sent_on},
    support::VERSIONS,
};

fn propagator() -> HeaderPropagator {
    listing(["baggage", "x-tenant"])
}

/// Returns this many baggage lines, each with one member of this length, and a tenant.
fn baggage(count: usize, length: usize) -> HeaderMap {
    let mut headers = headers((0..count).map(|n| ("baggage", format!("{:v<length$}", format!("k{n}=")))));
    headers.append("x-tenant", "cats".parse().unwrap());
    headers
}

fn tenant() -> HeaderMap {
    lines(&[("x-tenant", "cats")])
}

/// Returns the number of allocations of `extract`, and their bytes.
fn cost(propagator: &HeaderPropagator, came_in: HeaderMap) -> (u64, u64) {
    let (head, mut store) = (head(came_in), Store::new());
    let info = measure(|| propagator.extract(&mut store, &head));
    (info.count_total, info.bytes_total)
}

// F17: a limit per line did not limit the sum of the lines.
#[test]
fn cve_2026_29181_limit_is_the_sum_over_header_lines() {
    assert_eq!(sent_on(&propagator(), baggage(80, 6)), tenant());
    assert_eq!(sent_on(&propagator(), baggage(80, 200)), tenant());
    assert_eq!(sent_on(&propagator(), baggage(64, 128)), tenant());
    assert_eq!(sent_on(&propagator(), baggage(64, 127)), baggage(64, 127));
}

#[tokio::test]
async fn cve_2026_29181_limit_is_the_sum_over_lines_from_a_client() {
    for version in VERSIONS {
        let mut relay = Relay::new(propagator(), version).await;
        assert_eq!(relay.send(baggage(80, 6)).await, tenant());
        assert_eq!(relay.send(baggage(64, 128)).await, tenant());
        assert_eq!(relay.send(baggage(64, 127)).await, baggage(64, 127));
    }
}

#[tokio::test]
async fn cve_2026_29181_limit_is_the_sum_over_lines_in_any_case() {
    let mut relay = Relay::new(propagator(), Version::HTTP_11).await;
    let tenant_too = |baggage: Vec<String>| baggage.concat() + "X-Tenant: cats\r\n";
    // Header names are case-insensitive.
    let small = (0..40).map(|n| format!("baggage: k{n}=v\r\nBAGGAGE:w{n}=v\r\n")).collect();
    assert_eq!(relay.write(&tenant_too(small)).await, tenant());
    let large = (0..80).map(|n| format!("Baggage: k{n}={}\r\n", "v".repeat(200))).collect();
    assert_eq!(relay.write(&tenant_too(large)).await, tenant());
    let empty = vec![String::from("baggage:\r\n"); 65];
    assert_eq!(relay.write(&tenant_too(empty)).await, tenant());
}

// F17: a header was split before its length was checked, so that the cost grew with the number of separators.
#[test]
fn cve_2026_40894_a_header_full_of_separators_allocates_nothing() {
    let alone = listing(["baggage"]);
    for separators in [",", ";", "=", "k=v;p,", "%2C"] {
        for length in [8000, 8193, 1_000_000] {
            let came_in = headers([("baggage", separators.repeat(length / separators.len() + 1))]);
            let admitted = length == 8000 && !separators.contains(',');
            assert_eq!(sent_on(&alone, came_in.clone()).len(), usize::from(admitted));
            if !admitted {
                assert_eq!(cost(&alone, came_in), (0, 0), "{separators} for {length} bytes");
            }
        }
    }
}

#[tokio::test]
async fn cve_2026_40894_a_header_full_of_separators_is_not_propagated() {
    let mut relay = Relay::new(propagator(), Version::HTTP_11).await;
    let lines = format!("baggage: {}\r\nx-tenant: cats\r\n", ",".repeat(8000));
    assert_eq!(relay.write(&lines).await, tenant());
}

// F17: lines were joined one by one, so that the cost was quadratic in their number.
#[test]
fn cve_2025_14550_cost_of_header_lines_is_linear() {
    let many = |count| headers(iter::repeat_n(("x-tenant", "v"), count));
    let unlimited = propagator().max_header_bytes(usize::MAX).max_total_bytes(usize::MAX);
    let [(one_count, one), (two_count, two)] = [5_000, 10_000].map(|count| cost(&unlimited, many(count)));
    assert!(one_count > 5_000 && two_count < 3 * one_count, "{one_count} allocations, {two_count} for the double");
    assert!(two < 3 * one, "{one} bytes, {two} for the double");
    assert_eq!(sent_on(&unlimited, many(10_000)), many(10_000));
}

#[test]
fn cve_2025_14550_more_lines_than_the_limit_allocate_nothing() {
    let alone = listing(["x-tenant"]);
    for line in ["", "v"] {
        assert_eq!(cost(&alone, headers(iter::repeat_n(("x-tenant", line), 50_000))), (0, 0));
    }
}

#[tokio::test]
async fn cve_2025_14550_lines_that_a_server_accepts_are_propagated() {
    let mut relay = Relay::new(propagator(), Version::HTTP_11).await;
    let arrived = relay.write(&"X-Tenant: cats\r\n".repeat(90)).await;
    assert_eq!(arrived, headers(iter::repeat_n(("x-tenant", "cats"), 90)));
    let lines = format!("{}baggage: k=v\r\n", "x-tenant:\r\n".repeat(90));
    assert_eq!(relay.write(&lines).await.len(), 91);
}
