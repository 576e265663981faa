//! Header propagation from inbound requests to outgoing ones over real sockets: with hyper-util's client, with tonic's
//! `Channel`, and with an interceptor.

mod client_layers;
mod clients;
mod network;
mod unary;

use std::{convert::Infallible, future::Future};

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use futures_util::stream;
use http::{HeaderMap, HeaderName, Request, Version, request::Parts};
use tower_request_context::{HeaderPropagator, RequestContext, RequestContextLayer, RequestIdPolicy, Store};

use self::clients::{EchoServers, TestClient};
use crate::support::{client, in_time, request, serve, text};

const NAMES: [&str; 4] = ["traceparent", "tracestate", "x-request-id", "x-tenant"];

fn propagator() -> HeaderPropagator {
    HeaderPropagator::new(NAMES.map(HeaderName::from_static))
}

/// Returns the headers of a request. The values differ between requests.
fn headers(request: u32) -> HeaderMap {
    let values = [
        format!("00-{:032x}-00f067aa0ba902b7-01", request + 1),
        format!("shop={request}"),
        format!("request-{request}"),
        format!("tenant-{request}"),
    ];
    NAMES.map(HeaderName::from_static).into_iter().zip(values.map(|value| value.parse().unwrap())).collect()
}

/// Returns a header that the caller sets on the outgoing request itself.
fn caller_headers() -> HeaderMap {
    [(HeaderName::from_static("x-tenant"), "own".parse().unwrap())].into_iter().collect()
}

/// Returns all headers as sorted lines.
fn lines(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    lines.sort_unstable();
    lines.concat()
}

/// Returns only the lines of headers that may be propagated.
fn propagated_lines(lines: &str) -> String {
    let is_propagated = |line: &&str| NAMES.iter().any(|name| line.starts_with(name));
    lines.split_inclusive('\n').filter(is_propagated).collect()
}

/// The layer of an internal service, which accepts inbound ids.
fn internal_layer() -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    layer_with_ids(RequestIdPolicy::new().accept_inbound())
}

fn layer_with_ids(ids: RequestIdPolicy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    let propagator = propagator();
    RequestContextLayer::new(move |store, head| {
        ids.apply(store, head);
        propagator.extract(store, head);
    })
}

/// Creates a context as a layer does for a request with these headers.
fn context(request: u32) -> RequestContext {
    let (mut store, (mut head, ())) = (Store::new(), Request::new(()).into_parts());
    head.headers = headers(request);
    propagator().extract(&mut store, &head);
    RequestContext::new(store)
}

/// Runs the handler for request 7 with each client. Returns the headers that the outgoing request arrived with.
async fn arriving_headers<F>(
    handler: impl Fn(TestClient) -> F + Clone + Send + Sync + 'static,
) -> Vec<(TestClient, String)>
where
    F: Future<Output: IntoResponse> + Send + 'static,
{
    let mut arrived = Vec::new();
    for test_client in EchoServers::open().await.clients(Some(&propagator())) {
        let (handler, for_handler) = (handler.clone(), test_client.clone());
        let app = Router::new().route("/", get(move || handler(for_handler))).layer(internal_layer());
        let mut request = request(serve(app).await, "/", None);
        request.headers_mut().extend(headers(7));
        let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
        arrived.push((test_client, in_time(text(response)).await));
    }
    arrived
}

#[tokio::test]
async fn request_from_a_spawned_task_has_the_headers() {
    let spawned = |client: TestClient| async move { RequestContext::spawn(client.call()).await.unwrap() };
    for (client, arrived) in arriving_headers(spawned).await {
        assert_eq!(propagated_lines(&arrived), lines(&headers(7)), "{client:?}");
    }
}

#[tokio::test]
async fn request_from_a_bare_task_has_no_propagated_headers() {
    let spawned = |client: TestClient| async move { tokio::spawn(client.call_with(caller_headers())).await.unwrap() };
    for (client, arrived) in arriving_headers(spawned).await {
        assert_eq!(propagated_lines(&arrived), lines(&caller_headers()), "{client:?}");
    }
}

#[tokio::test]
async fn request_outside_the_context_has_no_propagated_headers() {
    let shared = |client: TestClient| async move { RequestContext::exit(client.call_with(caller_headers())).await };
    for (client, arrived) in arriving_headers(shared).await {
        assert_eq!(propagated_lines(&arrived), lines(&caller_headers()), "{client:?}");
    }
}

#[tokio::test]
async fn request_from_a_streamed_body_has_the_headers() {
    let streamed = |client: TestClient| async move {
        let line = async move { Ok::<_, Infallible>(client.call().await) };
        Body::from_stream(stream::once(line))
    };
    for (client, arrived) in arriving_headers(streamed).await {
        assert_eq!(propagated_lines(&arrived), lines(&headers(7)), "{client:?}");
    }
}

#[tokio::test]
async fn request_from_an_initializer_has_the_headers() {
    #[derive(Clone)]
    struct Fetched(String);

    let fetch = |client: TestClient| async move {
        let Fetched(arrived) = RequestContext::get_or_init(async move || Fetched(client.call().await)).await;
        arrived
    };
    for (client, arrived) in arriving_headers(fetch).await {
        assert_eq!(propagated_lines(&arrived), lines(&headers(7)), "{client:?}");
    }
}

#[tokio::test]
async fn header_set_by_the_caller_is_kept() {
    let mut expected = headers(7);
    expected.extend(caller_headers());
    for (client, arrived) in arriving_headers(|client: TestClient| client.call_with(caller_headers())).await {
        assert_eq!(propagated_lines(&arrived), lines(&expected), "{client:?}");
    }
}

#[tokio::test]
async fn request_without_a_context_is_unchanged() {
    let servers = EchoServers::open().await;
    for (client, plain) in servers.clients(Some(&propagator())).into_iter().zip(servers.clients(None)) {
        let arrived = in_time(client.call_with(caller_headers())).await;
        assert_eq!(arrived, in_time(plain.call_with(caller_headers())).await, "{client:?}");
        assert_eq!(propagated_lines(&arrived), lines(&caller_headers()), "{client:?}");
    }
}

#[tokio::test]
async fn reused_connection_has_the_headers_of_each_request() {
    for client in EchoServers::open().await.clients(Some(&propagator())) {
        for request in 1..=3 {
            let arrived = in_time(context(request).scope(client.call())).await;
            assert_eq!(propagated_lines(&arrived), lines(&headers(request)), "{client:?}");
        }
        let arrived = in_time(RequestContext::new(Store::new()).scope(client.call())).await;
        assert_eq!(propagated_lines(&arrived), "", "{client:?}");
    }
}
