//! Identity from a header: only from the proxy, only once, and only under its exact name.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/identity.rs"]
mod example;

use std::net::SocketAddr;

use axum::{Extension, extract::ConnectInfo};
use http::{Request, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{in_time, serve};

#[tokio::test]
async fn the_proxy_chooses_the_user_or_none() {
    assert_eq!(ask(PROXY, "x-user-id: 7\r\n").await, (StatusCode::OK, "hello, user 7".into()));
    assert_eq!(ask(PROXY, "").await, (StatusCode::OK, "hello, stranger".into()));
}

#[tokio::test]
async fn other_peers_cannot_choose_the_user() {
    assert_eq!(ask(OTHER_PEER, "x-user-id: 7\r\n").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(OTHER_PEER, "").await, (StatusCode::OK, "hello, stranger".into()));
}

#[tokio::test]
async fn two_identities_are_rejected_even_if_they_are_equal() {
    for headers in ["x-user-id: 7\r\nx-user-id: 1\r\n", "x-user-id: 7\r\nX-User-Id: 7\r\n", "x-user-id: 7, 1\r\n"] {
        assert_eq!(ask(PROXY, headers).await.0, StatusCode::BAD_REQUEST, "{headers}");
    }
}

#[tokio::test]
async fn a_malformed_identity_is_rejected() {
    for value in
        ["", "-7", "+7", "7 7", "7\u{e9}", "0x7", "007", "00000000000000000007", "18446744073709551616", "${jndi:x}"]
    {
        assert_eq!(ask(PROXY, &format!("x-user-id: {value}\r\n")).await.0, StatusCode::BAD_REQUEST, "{value}");
    }
}

#[test]
fn debug_does_not_print_the_identity() {
    let proxy = ConnectInfo(SocketAddr::from((PROXY, 443)));
    let (mut request, ()) =
        Request::builder().header("x-user-id", "1234567").extension(proxy).body(()).unwrap().into_parts();
    assert!(matches!(example::user_of(&mut request), Ok(Some(_))));
    let printed = format!("{request:?}");
    assert!(printed.contains("x-user-id") && !printed.contains("1234567"), "{printed}");
}

pub(crate) const PROXY: [u8; 4] = [127, 0, 0, 1];
const OTHER_PEER: [u8; 4] = [203, 0, 113, 9];

/// Sends these header lines unchanged, from a peer with this address.
pub(crate) async fn ask(peer: [u8; 4], headers: &str) -> (StatusCode, String) {
    let address = serve(example::app().layer(Extension(ConnectInfo(SocketAddr::from((peer, 443)))))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: cats\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    in_time(stream.read_to_string(&mut response)).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
