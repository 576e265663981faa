//! Three hops: a gateway (axum), a backend (tonic), and the gateway again.

use std::{collections::HashSet, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use http::{HeaderMap, Version};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Barrier};
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tower_request_context::RequestIdPolicy;

use super::{
    clients::TestClient, headers, internal_layer, layer_with_ids, lines, propagated_lines, propagator, unary::Unary,
};
use crate::support::{client, in_time, request, text};

const REQUESTS: u32 = 1000;

/// Starts the network and returns the gateway's address. Each hop waits until `at_once` requests have arrived there.
async fn network(version: Version, at_once: u32) -> SocketAddr {
    let gate = || Arc::new(Barrier::new(at_once as usize));
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let channel = Channel::from_shared(format!("http://{}", incoming.local_addr().unwrap())).unwrap().connect_lazy();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();

    let to_backend = TestClient::channel(channel, Some(&propagator()));
    let public =
        Router::new().route("/", get(hop(gate(), Some(to_backend)))).layer(layer_with_ids(RequestIdPolicy::new()));
    let second = Router::new().route("/second", get(hop(gate(), None))).layer(internal_layer());
    tokio::spawn(serve(listener, public.merge(second), at_once));

    let to_second_hop = TestClient::http(address, "/second", version, Some(&propagator()));
    let backend = Unary(hop(gate(), Some(to_second_hop)));
    tokio::spawn(Server::builder().layer(internal_layer()).add_service(backend).serve_with_incoming(incoming));
    address
}

/// Serves like `axum::serve`, but allows more concurrent streams per connection than the default of 200.
async fn serve(listener: TcpListener, app: Router, at_once: u32) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(at_once);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (server, service) = (server.clone(), TowerToHyperService::new(app.clone()));
        tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).await });
    }
}

/// Responds with the headers that arrived at this hop and at the next ones.
fn hop(gate: Arc<Barrier>, next: Option<TestClient>) -> impl Fn(HeaderMap) -> BoxFuture<'static, String> + Clone {
    move |headers| {
        let (gate, next) = (Arc::clone(&gate), next.clone());
        async move {
            gate.wait().await;
            let from_next_hop = match next {
                Some(next) => next.call().await,
                None => String::new(),
            };
            format!("hop\n{}{from_next_hop}", propagated_lines(&lines(&headers)))
        }
        .boxed()
    }
}

/// Sends the requests, `at_once` of them at a time, and asserts which headers each hop received.
async fn assert_not_mixed_up(version: Version, at_once: u32) {
    let (address, client) = (network(version, at_once).await, client(version));
    let send = async |number: u32| {
        // Every tenth request has no headers, and must not get those of another one.
        let mut headers = if number % 10 == 0 { HeaderMap::new() } else { headers(number) };
        let mut request = request(address, "/", None);
        request.headers_mut().extend(headers.clone());
        let response = client.request(request).await.unwrap();
        // The gateway generates the id.
        headers.insert("x-request-id", response.headers()["x-request-id"].clone());
        (headers, text(response).await)
    };
    let mut ids = HashSet::new();
    for first in (0..REQUESTS).step_by(at_once as usize) {
        for (headers, response) in in_time(join_all((first..first + at_once).map(send))).await {
            assert_eq!(response, format!("hop\n{}", lines(&headers)).repeat(3));
            ids.insert(headers["x-request-id"].clone());
        }
    }
    assert_eq!(ids.len(), REQUESTS as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_concurrent_http2_requests_are_not_mixed_up() {
    assert_not_mixed_up(Version::HTTP_2, REQUESTS).await;
}

// A request needs four file descriptors here, and many systems limit a process to 256. So only 50 are concurrent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousand_http1_requests_in_batches_are_not_mixed_up() {
    assert_not_mixed_up(Version::HTTP_11, 50).await;
}
