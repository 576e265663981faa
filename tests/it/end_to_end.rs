//! What travels on the way out, over real sockets: with hyper-util's client, with tonic's `Channel`, with an interceptor.

mod clients;
mod network;
mod unary;
mod ways;

use std::{convert::Infallible, future::Future};

use axum::{Router, body::Body, response::IntoResponse, routing::get};
use futures_util::stream;
use http::{HeaderMap, HeaderName, Request, Version, request::Parts};
use tower_request_context::{HeaderPropagator, RequestContext, RequestContextLayer, RequestIdPolicy, Store};

use self::ways::{Mirror, Way};
use crate::support::{client, in_time, request, serve, text};

const NAMES: [&str; 4] = ["traceparent", "tracestate", "x-request-id", "x-tenant"];

fn propagator() -> HeaderPropagator {
    HeaderPropagator::new(NAMES.map(HeaderName::from_static))
}

/// What a request brings along; no two have a value in common.
fn headers(request: u32) -> HeaderMap {
    let values = [
        format!("00-{:032x}-00f067aa0ba902b7-01", request + 1),
        format!("shop={request}"),
        format!("request-{request}"),
        format!("tenant-{request}"),
    ];
    NAMES.map(HeaderName::from_static).into_iter().zip(values.map(|value| value.parse().unwrap())).collect()
}

/// What a caller puts on a call itself.
fn own() -> HeaderMap {
    [(HeaderName::from_static("x-tenant"), "own".parse().unwrap())].into_iter().collect()
}

/// All headers, a line each.
fn lines(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
    lines.sort_unstable();
    lines.concat()
}

/// Those that may travel, of such lines.
fn travelled(lines: &str) -> String {
    let travels = |line: &&str| NAMES.iter().any(|name| line.starts_with(name));
    lines.split_inclusive('\n').filter(travels).collect()
}

/// The way in, inside of a network: its ids are trusted.
fn inside() -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    way_in(RequestIdPolicy::new().accept_inbound())
}

fn way_in(ids: RequestIdPolicy) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    let propagator = propagator();
    RequestContextLayer::new(move |store, head| {
        ids.apply(store, head);
        propagator.extract(store, head);
    })
}

/// A context as a layer makes it for such a request.
fn context(request: u32) -> RequestContext {
    let (mut store, (mut head, ())) = (Store::new(), Request::new(()).into_parts());
    head.headers = headers(request);
    propagator().extract(&mut store, &head);
    RequestContext::new(store)
}

/// What arrives, on each way, at the other end of the call that a handler makes while it serves request 7.
async fn arriving<F>(handler: impl Fn(Way) -> F + Clone + Send + Sync + 'static) -> Vec<(Way, String)>
where
    F: Future<Output: IntoResponse> + Send + 'static,
{
    let mut arrived = Vec::new();
    for way in Mirror::open().await.ways(Some(&propagator())) {
        let (handler, out) = (handler.clone(), way.clone());
        let app = Router::new().route("/", get(move || handler(out))).layer(inside());
        let mut request = request(serve(app).await, "/", None);
        request.headers_mut().extend(headers(7));
        let response = in_time(client(Version::HTTP_11).request(request)).await.unwrap();
        arrived.push((way, in_time(text(response)).await));
    }
    arrived
}

#[tokio::test]
async fn a_call_from_a_task_that_carries_the_context_takes_the_headers_along() {
    let spawned = |way: Way| async move { RequestContext::spawn(way.call()).await.unwrap() };
    for (way, arrived) in arriving(spawned).await {
        assert_eq!(travelled(&arrived), lines(&headers(7)), "{way:?}");
    }
}

#[tokio::test]
async fn a_call_from_a_bare_task_takes_none_along() {
    let spawned = |way: Way| async move { tokio::spawn(way.call_with(own())).await.unwrap() };
    for (way, arrived) in arriving(spawned).await {
        assert_eq!(travelled(&arrived), lines(&own()), "{way:?}");
    }
}

#[tokio::test]
async fn a_call_that_several_requests_share_takes_none_along() {
    let shared = |way: Way| async move { RequestContext::exit(way.call_with(own())).await };
    for (way, arrived) in arriving(shared).await {
        assert_eq!(travelled(&arrived), lines(&own()), "{way:?}");
    }
}

#[tokio::test]
async fn a_call_from_a_streamed_body_takes_the_headers_along() {
    let streamed = |way: Way| async move {
        let line = async move { Ok::<_, Infallible>(way.call().await) };
        Body::from_stream(stream::once(line))
    };
    for (way, arrived) in arriving(streamed).await {
        assert_eq!(travelled(&arrived), lines(&headers(7)), "{way:?}");
    }
}

#[tokio::test]
async fn a_call_from_an_initialiser_takes_the_headers_along() {
    #[derive(Clone)]
    struct Fetched(String);

    let fetch = |way: Way| async move {
        let Fetched(arrived) = RequestContext::get_or_init(async move || Fetched(way.call().await)).await;
        arrived
    };
    for (way, arrived) in arriving(fetch).await {
        assert_eq!(travelled(&arrived), lines(&headers(7)), "{way:?}");
    }
}

#[tokio::test]
async fn a_header_that_the_caller_has_set_wins() {
    let mut expected = headers(7);
    expected.extend(own());
    for (way, arrived) in arriving(|way: Way| way.call_with(own())).await {
        assert_eq!(travelled(&arrived), lines(&expected), "{way:?}");
    }
}

#[tokio::test]
async fn a_call_outside_of_any_context_is_unchanged() {
    let mirror = Mirror::open().await;
    for (way, plain) in mirror.ways(Some(&propagator())).into_iter().zip(mirror.ways(None)) {
        let arrived = in_time(way.call_with(own())).await;
        assert_eq!(arrived, in_time(plain.call_with(own())).await, "{way:?}");
        assert_eq!(travelled(&arrived), lines(&own()), "{way:?}");
    }
}

#[tokio::test]
async fn a_client_keeps_nothing_of_the_request_that_opened_its_connection() {
    for way in Mirror::open().await.ways(Some(&propagator())) {
        for request in 1..=3 {
            let arrived = in_time(context(request).scope(way.call())).await;
            assert_eq!(travelled(&arrived), lines(&headers(request)), "{way:?}");
        }
        let arrived = in_time(RequestContext::new(Store::new()).scope(way.call())).await;
        assert_eq!(travelled(&arrived), "", "{way:?}");
    }
}
