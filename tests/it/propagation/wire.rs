//! What travels byte for byte: a request written by hand goes in, the bytes of the call are read at the other end.

use http::{StatusCode, Version};
use tower_request_context::HeaderPropagator;

use super::{
    TRACEPARENT, listing,
    relay::{gateway, recorder, write},
};
use crate::support::in_time;

/// The header lines of the call that a gateway makes for a request with these, without those of the client itself.
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
async fn a_traceparent_that_was_written_by_hand_passes_byte_for_byte() {
    for traceparent in [
        TRACEPARENT,
        // A version of the future, and what it may append.
        "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-will-be-like.",
        // What no reader accepts is no less the sender's.
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
async fn bytes_that_are_no_text_pass_as_they_are() {
    let lines = b"x-tenant: \xe2\x98\x83 \xff\x80\xa0\r\n";
    let relayed = relayed(listing(["x-tenant"]), lines).await;
    assert_eq!(relayed.escape_ascii().to_string(), lines.escape_ascii().to_string());
}

#[tokio::test]
async fn several_lines_pass_in_their_order_and_are_not_joined() {
    let lines = "tracestate: dogs=2,cats=1\r\ntracestate: \r\ntracestate: owls=3\r\ntracestate: dogs=2,cats=1\r\n";
    let trace = format!("{lines}traceparent: {TRACEPARENT}\r\n");
    let relayed = String::from_utf8(relayed(HeaderPropagator::trace_context(), trace.as_bytes()).await).unwrap();
    assert_eq!(relayed, format!("traceparent: {TRACEPARENT}\r\n{lines}"));
}

#[tokio::test]
async fn a_name_is_known_in_any_case_and_its_value_is_not_changed() {
    let propagator = HeaderPropagator::trace_context().header("x-tenant");
    let relayed = relayed(propagator, b"X-TENANT: Cats\r\nTraceParent:\tAb-Cd \r\nCookie: private\r\n").await;
    assert_eq!(relayed.escape_ascii().to_string(), r"traceparent: Ab-Cd\r\nx-tenant: Cats\r\n");
}
