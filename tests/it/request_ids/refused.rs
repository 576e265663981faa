//! Inbound ids that no policy accepts. No part of them is kept, and none is repaired.

use std::net::SocketAddr;

use http::{HeaderValue, Response, Version, request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::Layer;
use tower_request_context::{RequestContext, RequestId, RequestIdPolicy, Store};

use super::{app, consistent_id, ids, is_new, lines_of, send};
use crate::support::{VERSIONS, in_time, serve};

const HEADER: &str = "x-request-id";

/// Accepts inbound ids. Its generator returns `shown` if it can see the rejected id.
fn accepting() -> RequestIdPolicy {
    RequestIdPolicy::new().accept_inbound().generate(|request| {
        let is_shown = request.headers.contains_key(HEADER);
        if is_shown { RequestId::try_from("shown").unwrap() } else { RequestId::new_v4() }
    })
}

/// Sends these values to a server that accepts ids, and asserts that it uses a new one in all places.
pub(crate) async fn is_replaced(lines: &[&[u8]]) {
    for version in VERSIONS {
        let response = send(app(accepting()), version, HEADER, lines).await;
        let id = consistent_id(&response);
        assert!(is_new(id.as_str()), "{id} on {version:?} for {lines:?}");
    }
}

#[tokio::test]
async fn an_id_of_129_bytes_is_replaced_and_one_of_128_is_not() {
    is_replaced(&[&[b'a'; 129]]).await;
    is_replaced(&[&[b'a'; 8000]]).await;
    for version in VERSIONS {
        let response = send(app(accepting()), version, HEADER, &[&[b'a'; 128]]).await;
        assert_eq!(consistent_id(&response).as_str(), "a".repeat(128));
    }
}

#[tokio::test]
async fn an_empty_id_is_replaced() {
    is_replaced(&[b""]).await;
}

#[tokio::test]
async fn several_ids_are_replaced_even_if_equal() {
    is_replaced(&[b"one", b"two"]).await;
    is_replaced(&[b"same", b"same"]).await;
    is_replaced(&[b"one", b""]).await;
    is_replaced(&[b"", b"two"]).await;
    is_replaced(&[b"one", b"${two}"]).await;
    is_replaced(&[b"one,two"]).await;
    is_replaced(&[b"one, two"]).await;
    is_replaced(&[&[b"another".as_slice(); 80], [b"last".as_slice()].as_slice()].concat()).await;
}

#[tokio::test]
async fn non_ascii_ids_are_replaced_and_not_decoded() {
    is_replaced(&[b"caf\xc3\xa9"]).await;
    is_replaced(&[b"caf\xe9"]).await;
    is_replaced(&[b"\x80"]).await;
    is_replaced(&[b"\xff\xfe7"]).await;
    is_replaced(&["\u{ff11}\u{ff12}".as_bytes()]).await;
}

#[tokio::test]
async fn ids_with_white_space_or_quotes_are_replaced() {
    for id in ["two words", "a\ttab", r#""quoted""#, "'quoted'", "`ticked`", "7'; --", r"back\slash", "<b>7</b>", "{7}"]
    {
        is_replaced(&[id.as_bytes()]).await;
    }
    // In HTTP/1.1, white space around a value is not part of the value.
    for id in [" before", "after ", "\ttab"] {
        let response = send(app(accepting()), Version::HTTP_2, HEADER, &[id.as_bytes()]).await;
        assert!(is_new(consistent_id(&response).as_str()), "{id:?}");
    }
}

#[tokio::test]
async fn header_names_of_any_case_count_as_the_same_header() {
    let address = serve(app(accepting())).await;
    assert_eq!(consistent_id(&raw_response(address, "X-REQUEST-ID: one\r\n").await).as_str(), "one");
    for lines in [
        "x-request-id: one\r\nX-Request-Id: two\r\n",
        "X-Request-ID: same\r\nx-request-id: same\r\n",
        "X-Request-ID:\r\n",
        "X-Request-ID: \t \r\n",
    ] {
        let id = consistent_id(&raw_response(address, lines).await);
        assert!(is_new(id.as_str()), "{id} for {lines:?}");
    }
}

#[test]
fn debug_does_not_show_rejected_ids() {
    let policy = accepting();
    let layer = ids(policy.clone());
    let (mut store, mut head) = (Store::new(), head_with(&[b"forged", b"forged"]));
    let id = policy.apply(&mut store, &mut head);
    let service = layer.layer(());
    let printed = format!("{policy:?} {layer:?} {service:?} {store:?} {:?} {head:?} {id:?}", RequestContext::current());
    assert!(!printed.contains("forged"), "{printed}");
    assert!(!format!("{:?}", RequestContext::new(store)).contains(id.as_str()));
}

#[test]
fn all_previous_values_of_the_header_are_removed() {
    for lines in [&[b"one".as_slice()][..], &[b"one", b"two"], &[b"\xff", b"", b"three"]] {
        let mut head = head_with(lines);
        let id = RequestIdPolicy::new().apply(&mut Store::new(), &mut head);
        let left: Vec<_> = head.headers.get_all(HEADER).iter().collect();
        assert_eq!(left, [&HeaderValue::from(id)]);
    }
}

fn head_with(lines: &[&[u8]]) -> request::Parts {
    let (mut head, ()) = http::Request::new(()).into_parts();
    head.headers = lines_of(HEADER, lines);
    head
}

/// Sends these header lines as they are, and parses the response.
async fn raw_response(address: SocketAddr, lines: &str) -> Response<()> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\n{lines}connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    let head = response.split_once("\r\n\r\n").expect("the response has headers").0;
    let mut lines = head.split("\r\n");
    assert_eq!(lines.next(), Some("HTTP/1.1 200 OK"));
    let add = |response: http::response::Builder, line: &str| match line.split_once(": ") {
        Some((name, value)) => response.header(name, value),
        None => panic!("not a header: {line}"),
    };
    lines.fold(Response::builder(), add).body(()).unwrap()
}

#[tokio::test]
async fn id_nominated_by_the_connection_header_is_replaced() {
    let address = serve(app(accepting())).await;
    for connection in ["x-request-id", "X-Request-ID", "keep-alive, \tx-REQUEST-id ,", "\u{ff},x-request-id"] {
        let lines = format!("x-request-id: one\r\nConnection: {connection}\r\n");
        let id = consistent_id(&raw_response(address, &lines).await);
        assert!(is_new(id.as_str()), "{id} for {connection:?}");
    }
    for connection in ["keep-alive", "x-request-ids, request-id", "\"x-request-id\"", "\u{ff}x-request-id", ""] {
        let lines = format!("x-request-id: one\r\nConnection: {connection}\r\n");
        assert_eq!(consistent_id(&raw_response(address, &lines).await).as_str(), "one", "{connection:?}");
    }
}
