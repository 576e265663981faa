//! Defaults that are overwritten for one request, and read by every accessor.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/defaults.rs"]
mod example;

use std::net::SocketAddr;

use futures_util::future::join_all;
use http::Version;

use crate::{
    interleaving::interleave,
    support::{Connection, VERSIONS, client, in_time, request, serve, text},
};

// F10
#[tokio::test]
async fn each_request_starts_from_the_defaults() {
    let address = serve(example::app()).await;
    for (path, user) in [("/?page=2", "system"), ("/hello/User", "helloUser"), ("/", "system")] {
        assert_eq!(in_time(get(address, path)).await, all_accessors(path, user));
    }
}

// F01, F03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_overwrite_only_their_own_default() {
    let users = [("/hello/Ann", "helloAnn"), ("/", "system"), ("/hello/Bob", "helloBob")];
    let address = serve(interleave(example::app(), users.len())).await;
    let responses = in_time(join_all(users.map(async |(path, _)| get(address, path).await))).await;
    assert_eq!(responses, users.map(|(path, user)| all_accessors(path, user)));
}

#[tokio::test]
async fn each_version_shows_the_path_without_scheme_and_authority() {
    let address = serve(example::app()).await;
    for version in VERSIONS {
        let response = in_time(client(version).request(request(address, "/hello/Ann?page=2", None))).await.unwrap();
        assert_eq!(text(response).await, all_accessors("/hello/Ann?page=2", "helloAnn"), "{version:?}");
    }

    // An absolute URI over HTTP/1.1, which clients send to proxies and servers must accept.
    let mut connection = Connection::open(address, Version::HTTP_11).await;
    let response = connection.send(request(address, "/hello/Ann", None)).await.unwrap();
    assert_eq!(in_time(text(response)).await, all_accessors("/hello/Ann", "helloAnn"));
}

fn all_accessors(path: &str, user: &str) -> String {
    format!("{path}: global {user}, app {user}, request {user}")
}

async fn get(address: SocketAddr, path: &str) -> String {
    text(client(Version::HTTP_11).request(request(address, path, None)).await.unwrap()).await
}
