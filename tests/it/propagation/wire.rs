//! Propagation byte for byte, from a hand-written request to the bytes of the outgoing one.

use http::{StatusCode, Version};
use tower_request_context::HeaderPropagator;

use super::{
    TRACEPARENT, listing,
    relay::{gateway, recorder, write},
};
use crate::support::in_time;

/// Returns the header lines of the gateway's outgoing request, without those that its client adds.
async fn relayed(propagator: HeaderPropagator, lines: &[u8]) -> Vec<u8> {
    let (address, head) = recorder().await;
    let gateway = gateway(propagator, address, Version::HTTP_11, |_| {}).await;
    assert_eq!(write(gateway, lines).await, StatusCode::NO_CONTENT);
    let head = in_time(head).await.unwrap();
    let own = format!("GET / HTTP/1.1\r\nhost: {address}\r\n");
    let lines = head.strip_prefix(b"GET / HTTP/1.1\r\n").and_then(|lines| lines.strip_suffix(b"\r\n")).unwrap();
    let mut lines: Vec<_> = lines.split_inclusive(|byte| *byte == b'\n').collect();
    lines.retain(|line| !own.as_bytes().ends_with(line));
    lines.concat()
}

#[tokio::test]
async fn traceparent_is_relayed_byte_for_byte() {
    for traceparent in [
        TRACEPARENT,
        // A future version, with a field that it may append.
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like.",
        // Invalid values are propagated unchanged.
        "00-0AF7651916CD43DD8448EB211C80319C-B7AD6B7169203331-01",
        "ff-00000000000000000000000000000000-0000000000000000-00",
        "00 - 0af7651916cd43dd8448eb211c80319c\t-b7ad6b7169203331  -01",
        "nonsense, and more of it",
        "",
    ] {
        let lines = format!("traceparent: {traceparent}\r\n");
        let relayed = relayed(HeaderPropagator::trace_context(), lines.as_bytes()).await;
        assert_eq!(relayed.escape_ascii().to_string(), lines.as_bytes().escape_ascii().to_string());
    }
}

#[tokio::test]
async fn non_utf8_bytes_are_relayed_unchanged() {
    let lines = b"x-tenant: \xe2\x98\x83 \xff\x80\xa0\r\n";
    let relayed = relayed(listing(["x-tenant"]), lines).await;
    assert_eq!(relayed.escape_ascii().to_string(), lines.escape_ascii().to_string());
}

#[tokio::test]
async fn repeated_headers_keep_their_order_and_are_not_joined() {
    let lines = "tracestate: dogs=2,cats=1\r\ntracestate: \r\ntracestate: owls=3\r\ntracestate: dogs=2,cats=1\r\n";
    let trace = format!("{lines}traceparent: {TRACEPARENT}\r\n");
    let relayed = String::from_utf8(relayed(HeaderPropagator::trace_context(), trace.as_bytes()).await).unwrap();
    assert_eq!(relayed, format!("traceparent: {TRACEPARENT}\r\n{lines}"));
}

#[tokio::test]
async fn names_match_in_any_case_and_values_are_unchanged() {
    let propagator = HeaderPropagator::trace_context().header("x-tenant");
    let relayed = relayed(propagator, b"X-TENANT: Cats\r\nTraceParent:\tAb-Cd \r\nCookie: private\r\n").await;
    assert_eq!(relayed.escape_ascii().to_string(), r"traceparent: Ab-Cd\r\nx-tenant: Cats\r\n");
}
