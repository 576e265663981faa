//! Propagation combined with other layers of a client: retries, clones, a buffer.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{BoxError, Router};
use futures_util::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{
    Layer, Service, ServiceBuilder, ServiceExt,
    buffer::BufferLayer,
    retry::{Policy, RetryLayer},
    util::{BoxCloneService, MapRequestLayer},
};

use super::{clients, context, headers, lines, propagated_lines, propagator};
use crate::support::{in_time, serve, text};

type ClientRequest = Request<Empty<Bytes>>;
type BoxedClient = BoxCloneService<ClientRequest, Response<Incoming>, BoxError>;

fn plain_client() -> Client<HttpConnector, Empty<Bytes>> {
    Client::builder(TokioExecutor::new()).build_http()
}

fn inject_layer() -> MapRequestLayer<impl Fn(ClientRequest) -> ClientRequest + Clone> {
    MapRequestLayer::new(clients::inject(Some(&propagator())))
}

fn client_request(address: SocketAddr) -> ClientRequest {
    Request::get(format!("http://{address}/")).body(Empty::new()).unwrap()
}

fn boxed<S>(service: S) -> BoxedClient
where
    S: Service<ClientRequest, Response = Response<Incoming>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + 'static,
{
    service.map_err(Into::into).boxed_clone()
}

/// Retries while the status is 503. Each retry starts in a later poll.
#[derive(Clone)]
struct RetryWhileUnavailable;

impl<E> Policy<ClientRequest, Response<Incoming>, E> for RetryWhileUnavailable {
    type Future = BoxFuture<'static, ()>;

    fn retry(&mut self, _: &mut ClientRequest, result: &mut Result<Response<Incoming>, E>) -> Option<Self::Future> {
        let response = result.as_ref().ok()?;
        (response.status() == StatusCode::SERVICE_UNAVAILABLE).then(|| tokio::task::yield_now().boxed())
    }

    fn clone_request(&mut self, client_request: &ClientRequest) -> Option<ClientRequest> {
        Some(client_request.clone())
    }
}

/// Serves 503 for the first two requests, and records the headers of each.
async fn unavailable_twice() -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let arrived = Arc::<Mutex<Vec<_>>>::default();
    let log = Arc::clone(&arrived);
    let respond = async move |headers: HeaderMap| {
        let mut log = log.lock().unwrap();
        log.push(lines(&headers));
        if log.len() < 3 { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }
    };
    (serve(Router::new().fallback(respond)).await, arrived)
}

/// Serves the headers of each request as its response.
async fn echo_server() -> SocketAddr {
    serve(Router::new().fallback(async |headers: HeaderMap| lines(&headers))).await
}

/// The injecting layer is inside the retry, outside of it, or both.
#[tokio::test]
async fn each_retry_has_the_headers_once() {
    let retry = || RetryLayer::new(RetryWhileUnavailable);
    let stacks = [
        ("inside", boxed(ServiceBuilder::new().layer(retry()).layer(inject_layer()).service(plain_client()))),
        ("outside", boxed(ServiceBuilder::new().layer(inject_layer()).layer(retry()).service(plain_client()))),
        (
            "both",
            boxed(
                ServiceBuilder::new()
                    .layer(inject_layer())
                    .layer(retry())
                    .layer(inject_layer())
                    .service(plain_client()),
            ),
        ),
    ];
    for (place, client) in stacks {
        let (address, arrived) = unavailable_twice().await;
        let response = in_time(context(7).scope(client.oneshot(client_request(address)))).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{place}");
        let arrived: Vec<_> = arrived.lock().unwrap().iter().map(|lines| propagated_lines(lines)).collect();
        assert_eq!(arrived, vec![lines(&headers(7)); 3], "{place}");
    }
}

#[tokio::test]
async fn cloned_client_sends_the_headers_of_the_current_request() {
    let address = echo_server().await;
    let client = context(1).sync_scope(|| inject_layer().layer(plain_client()));
    let clone = context(2).sync_scope(|| client.clone());
    for (request, client) in [(3, &clone), (4, &client), (5, &clone)] {
        let response = in_time(context(request).scope(client.clone().oneshot(client_request(address)))).await.unwrap();
        assert_eq!(propagated_lines(&text(response).await), lines(&headers(request)));
    }
    let response = in_time(clone.oneshot(client_request(address))).await.unwrap();
    assert_eq!(propagated_lines(&text(response).await), "");
}

/// The worker task of the buffer runs outside the context.
#[tokio::test]
async fn headers_are_injected_outside_a_buffer_only() {
    let buffer = || BufferLayer::new(1);
    let outside = boxed(ServiceBuilder::new().layer(inject_layer()).layer(buffer()).service(plain_client()));
    let worker = boxed(ServiceBuilder::new().layer(buffer()).layer(inject_layer()).service(plain_client()));
    let address = echo_server().await;
    for (client, expected) in [(outside, lines(&headers(7))), (worker, String::new())] {
        let response = in_time(context(7).scope(client.oneshot(client_request(address)))).await.unwrap();
        assert_eq!(propagated_lines(&text(response).await), expected);
    }
}
