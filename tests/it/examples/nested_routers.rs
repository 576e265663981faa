//! Nested routers: some routes have no context, and the inner application uses the connection of the outer one.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/nested_routers.rs"]
mod example;

use std::{collections::HashSet, net::SocketAddr};

use axum::Router;
use futures_util::future::join_all;
use http::Version;
use tower_request_context::RequestContextLayer;

use crate::{
    interleaving::interleave,
    support::{client, in_time, request, serve, text},
};

// H1
#[tokio::test]
async fn a_route_outside_of_the_api_has_no_context() {
    assert_eq!(in_time(get(serve(example::app()).await, "/about")).await, "in a context: false");
}

// H2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_request_uses_the_connection_that_the_site_opened() {
    assert_own_connections(example::app(), "/api/cats", "the site").await;
}

// H3
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_opens_a_connection_where_the_site_opened_none() {
    assert_own_connections(example::app(), "/alone/cats", "the API").await;
    assert_own_connections(example::api(), "/cats", "the API").await;
    assert_own_connections(example::api().layer(RequestContextLayer::default()), "/cats", "the API").await;
}

/// Sends four concurrent requests. Each makes two queries, on a connection that no other request has.
async fn assert_own_connections(app: Router, path: &str, opened_by: &str) {
    let address = serve(interleave(app, 4)).await;
    let responses = in_time(join_all([(); 4].map(async |()| get(address, path).await))).await;
    let numbers = responses.iter().map(|response| {
        let number = response.strip_suffix(&format!(", opened by {opened_by}: 2 queries"));
        number.and_then(|number| number.strip_prefix("connection ")).unwrap_or_else(|| panic!("{response}"))
    });
    assert_eq!(numbers.collect::<HashSet<_>>().len(), 4, "{responses:?}");
}

async fn get(address: SocketAddr, path: &str) -> String {
    text(client(Version::HTTP_11).request(request(address, path, None)).await.unwrap()).await
}
