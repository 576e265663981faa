//! A gateway (axum), a backend (tonic), and a second hop back to the gateway.

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

use super::{headers, inside, lines, propagator, travelled, unary::Unary, way_in, ways::Way};
use crate::support::{client, in_time, request, text};

const REQUESTS: u32 = 1000;

/// Returns the gateway's address, where so many requests have to be at each hop for one to go on.
async fn network(version: Version, at_once: u32) -> SocketAddr {
    let gate = || Arc::new(Barrier::new(at_once as usize));
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let channel = Channel::from_shared(format!("http://{}", incoming.local_addr().unwrap())).unwrap().connect_lazy();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();

    let to_backend = Way::channel(channel, Some(&propagator()));
    let public = Router::new().route("/", get(hop(gate(), Some(to_backend)))).layer(way_in(RequestIdPolicy::new()));
    let second = Router::new().route("/second", get(hop(gate(), None))).layer(inside());
    tokio::spawn(serve(listener, public.merge(second), at_once));

    let to_second_hop = Way::http(address, "/second", version, Some(&propagator()));
    let backend = Unary(hop(gate(), Some(to_second_hop)));
    tokio::spawn(Server::builder().layer(inside()).add_service(backend).serve_with_incoming(incoming));
    address
}

/// Serves as `axum::serve` does, except that a connection may have more requests at once than the usual 200.
async fn serve(listener: TcpListener, app: Router, at_once: u32) {
    let mut server = auto::Builder::new(TokioExecutor::new());
    server.http2().max_concurrent_streams(at_once);
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (server, service) = (server.clone(), TowerToHyperService::new(app.clone()));
        tokio::spawn(async move { server.serve_connection(TokioIo::new(stream), service).await });
    }
}

/// Answers with what arrived here and farther on.
fn hop(gate: Arc<Barrier>, next: Option<Way>) -> impl Fn(HeaderMap) -> BoxFuture<'static, String> + Clone {
    move |headers| {
        let (gate, next) = (Arc::clone(&gate), next.clone());
        async move {
            gate.wait().await;
            let farther_on = match next {
                Some(next) => next.call().await,
                None => String::new(),
            };
            format!("hop\n{}{farther_on}", travelled(&lines(&headers)))
        }
        .boxed()
    }
}

/// Sends the requests, so many at a time, and compares what each hop saw of each.
async fn none_is_mixed_up(version: Version, at_once: u32) {
    let (address, client) = (network(version, at_once).await, client(version));
    let ask = async |number: u32| {
        // One in ten brings nothing, and must not be given what another brought.
        let mut headers = if number % 10 == 0 { HeaderMap::new() } else { headers(number) };
        let mut request = request(address, "/", None);
        request.headers_mut().extend(headers.clone());
        let response = client.request(request).await.unwrap();
        // The edge chooses the id.
        headers.insert("x-request-id", response.headers()["x-request-id"].clone());
        (headers, text(response).await)
    };
    let mut ids = HashSet::new();
    for first in (0..REQUESTS).step_by(at_once as usize) {
        for (headers, answer) in in_time(join_all((first..first + at_once).map(ask))).await {
            assert_eq!(answer, format!("hop\n{}", lines(&headers)).repeat(3));
            ids.insert(headers["x-request-id"].clone());
        }
    }
    assert_eq!(ids.len(), REQUESTS as usize);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_requests_at_once_over_http2_none_is_mixed_up_at_any_of_three_hops() {
    none_is_mixed_up(Version::HTTP_2, REQUESTS).await;
}

// A request that is under way takes four file descriptors here, and many systems give a process 256.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_requests_fifty_at_once_over_http1_none_is_mixed_up_at_any_of_three_hops() {
    none_is_mixed_up(Version::HTTP_11, 50).await;
}
