//! A gateway (axum), a backend (tonic), and a second hop back to the gateway.

use std::{collections::HashSet, net::SocketAddr, sync::Arc};

use axum::{Router, routing::get};
use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
};
use http::{HeaderMap, Version};
use tokio::sync::Barrier;
use tonic::transport::{Channel, Server, server::TcpIncoming};
use tower_request_context::RequestIdPolicy;

use super::{headers, inside, lines, travelled, travelling, unary::Unary, way_in, ways::Way};
use crate::support::{client, in_time, request, serve, text};

const REQUESTS: u32 = 1000;

/// Returns the gateway's address, where so many requests have to be at each hop for one to go on.
async fn network(version: Version, at_once: usize) -> SocketAddr {
    let gate = || Arc::new(Barrier::new(at_once));
    let incoming = TcpIncoming::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let channel = Channel::from_shared(format!("http://{}", incoming.local_addr().unwrap())).unwrap().connect_lazy();

    let to_backend = Way::channel(channel, Some(&travelling()));
    let public = Router::new().route("/", get(hop(gate(), Some(to_backend)))).layer(way_in(RequestIdPolicy::new()));
    let second = Router::new().route("/second", get(hop(gate(), None))).layer(inside());
    let address = serve(public.merge(second)).await;

    let to_second_hop = Way::http(address, "/second", version, Some(&travelling()));
    let backend = Unary(hop(gate(), Some(to_second_hop)));
    tokio::spawn(Server::builder().layer(inside()).add_service(backend).serve_with_incoming(incoming));
    address
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

// A request takes four file descriptors over HTTP/1.1, and many systems give a process 256.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_requests_fifty_or_a_hundred_at_once_none_is_mixed_up_at_any_of_three_hops() {
    for (version, at_once) in [(Version::HTTP_11, 50), (Version::HTTP_2, 100)] {
        let address = network(version, at_once).await;
        let client = client(version);
        let mut ids = HashSet::new();
        let requests: Vec<_> = (0..REQUESTS).collect();
        for batch in requests.chunks(at_once) {
            let asked = batch.iter().map(async |&number| {
                // One in ten brings nothing, and must not be given what another brought.
                let mut headers = if number % 10 == 0 { HeaderMap::new() } else { headers(number) };
                let mut request = request(address, "/", None);
                request.headers_mut().extend(headers.clone());
                let response = client.request(request).await.unwrap();
                // The edge chooses the id.
                headers.insert("x-request-id", response.headers()["x-request-id"].clone());
                (headers, text(response).await)
            });
            for (headers, answer) in in_time(join_all(asked)).await {
                assert_eq!(answer, format!("hop\n{}", lines(&headers)).repeat(3), "{version:?}");
                ids.insert(headers["x-request-id"].clone());
            }
        }
        assert_eq!(ids.len(), REQUESTS as usize, "{version:?}");
    }
}
