//! Identity from a header: only from the proxy, only once, only under its one name.

#[allow(dead_code, reason = "`main` is for those who run it")]
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
async fn the_proxy_says_who_the_user_is_or_that_there_is_none() {
    assert_eq!(ask(PROXY, "x-user-id: 7\r\n").await, (StatusCode::OK, "hello, user 7".into()));
    assert_eq!(ask(PROXY, "").await, (StatusCode::OK, "hello, stranger".into()));
}

#[tokio::test]
async fn nobody_else_says_who_the_user_is() {
    assert_eq!(ask(STRANGER, "x-user-id: 7\r\n").await.0, StatusCode::FORBIDDEN);
    assert_eq!(ask(STRANGER, "").await, (StatusCode::OK, "hello, stranger".into()));
}

#[tokio::test]
async fn two_identities_are_refused_though_they_were_equal_or_in_one_line() {
    for headers in ["x-user-id: 7\r\nx-user-id: 1\r\n", "x-user-id: 7\r\nX-User-Id: 7\r\n", "x-user-id: 7, 1\r\n"] {
        assert_eq!(ask(PROXY, headers).await.0, StatusCode::BAD_REQUEST, "{headers}");
    }
}

#[tokio::test]
async fn what_is_no_identity_is_refused_and_not_repaired() {
    for value in
        ["", "-7", "+7", "7 7", "7\u{e9}", "0x7", "007", "00000000000000000007", "18446744073709551616", "${jndi:x}"]
    {
        assert_eq!(ask(PROXY, &format!("x-user-id: {value}\r\n")).await.0, StatusCode::BAD_REQUEST, "{value}");
    }
}

#[test]
fn the_identity_that_a_request_came_with_is_not_printed() {
    let proxy = ConnectInfo(SocketAddr::from((PROXY, 443)));
    let (mut request, ()) =
        Request::builder().header("x-user-id", "1234567").extension(proxy).body(()).unwrap().into_parts();
    assert!(matches!(example::user_of(&mut request), Ok(Some(_))));
    let printed = format!("{request:?}");
    assert!(printed.contains("x-user-id") && !printed.contains("1234567"), "{printed}");
}

pub(crate) const PROXY: [u8; 4] = [127, 0, 0, 1];
const STRANGER: [u8; 4] = [203, 0, 113, 9];

/// Sends these header lines as they are, from a peer of this address.
pub(crate) async fn ask(peer: [u8; 4], headers: &str) -> (StatusCode, String) {
    let address = serve(example::app().layer(Extension(ConnectInfo(SocketAddr::from((peer, 443)))))).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET / HTTP/1.1\r\nhost: cats\r\nconnection: close\r\n{headers}\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    in_time(stream.read_to_string(&mut answer)).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}
