//! @fastify/request-context's defaults: overwritten for one request, and seen so by every accessor.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/fastify.rs"]
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
async fn the_defaults_see_the_request_and_are_there_anew_after_another_has_overwritten_them() {
    let address = serve(example::app()).await;
    for (path, user) in [("/?page=2", "system"), ("/hello/User", "helloUser"), ("/", "system")] {
        assert_eq!(in_time(ask(address, path)).await, all_accessors(path, user));
    }
}

// F01, F03
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_overwrite_the_default_at_once_are_each_shown_their_own_by_every_accessor() {
    let users = [("/hello/Ann", "helloAnn"), ("/", "system"), ("/hello/Bob", "helloBob")];
    let address = serve(interleave(example::app(), users.len())).await;
    let answers = in_time(join_all(users.map(async |(path, _)| ask(address, path).await))).await;
    assert_eq!(answers, users.map(|(path, user)| all_accessors(path, user)));
}

#[tokio::test]
async fn each_version_shows_the_path_without_scheme_and_authority() {
    let address = serve(example::app()).await;
    for version in VERSIONS {
        let answer = in_time(client(version).request(request(address, "/hello/Ann?page=2", None))).await.unwrap();
        assert_eq!(text(answer).await, all_accessors("/hello/Ann?page=2", "helloAnn"), "{version:?}");
    }

    // As a client asks a proxy over HTTP/1.1, which a server has to understand too.
    let mut connection = Connection::open(address, Version::HTTP_11).await;
    let answer = connection.send(request(address, "/hello/Ann", None)).await.unwrap();
    assert_eq!(in_time(text(answer)).await, all_accessors("/hello/Ann", "helloAnn"));
}

fn all_accessors(path: &str, user: &str) -> String {
    format!("{path}: global {user}, app {user}, request {user}")
}

async fn ask(address: SocketAddr, path: &str) -> String {
    text(client(Version::HTTP_11).request(request(address, path, None)).await.unwrap()).await
}
