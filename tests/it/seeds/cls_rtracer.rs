//! cls-rtracer: one id for each request, from a header or generated, available in all code of the request.

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};
use futures_util::future::join_all;
use http::{HeaderName, Response, StatusCode, Version};
use hyper::body::Incoming;
use tokio::{sync::Barrier, task::yield_now};
use tower_request_context::{RequestContext, RequestId, RequestIdPolicy, Store};

use crate::{
    request_ids::{id, ids, is_new},
    support::{client, in_time, request, serve, text},
};

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");

/// Creates an application that responds with the id, in a successful response or an error.
fn app(policy: RequestIdPolicy) -> Router {
    let failing = async || (StatusCode::INTERNAL_SERVER_ERROR, id());
    let app = Router::new().route("/", get(async || id())).route("/error", get(failing));
    app.route("/post", post(async || id())).layer(ids(policy))
}

/// Sends a request with an id in a header.
async fn ask(app: Router, path: &str, header: HeaderName, id: &'static str) -> Response<Incoming> {
    let mut request = request(serve(app).await, path, None);
    request.headers_mut().insert(header, id.parse().unwrap());
    in_time(client(Version::HTTP_11).request(request)).await.expect("the server responds")
}

async fn ask_for_text(policy: RequestIdPolicy, header: &'static str, id: &'static str) -> String {
    text(ask(app(policy), "/", HeaderName::from_static(header), id).await).await
}

// C01
#[test]
fn outside_a_request_there_is_no_id() {
    assert_eq!(RequestContext::id(), None);
}

// C02
#[tokio::test]
async fn id_is_the_same_before_and_after_an_await() {
    let handler = async || {
        let before = id();
        yield_now().await;
        assert_eq!(id(), before);
        before
    };
    let app = Router::new().fallback(handler).layer(ids(RequestIdPolicy::new()));
    let id = text(ask(app, "/", CORRELATION, "of-no-interest").await).await;
    assert!(is_new(&id), "{id}");
}

// C05
#[tokio::test]
async fn generator_sees_the_request() {
    let ids = RequestIdPolicy::new().generate(|request| {
        let known = request.headers[CORRELATION].to_str().unwrap();
        format!("{}:{}:{known}", request.method, request.uri.path()).parse().unwrap()
    });
    assert_eq!(ask_for_text(ids, "x-correlation-id", "7").await, "GET:/:7");
}

// C06
#[tokio::test]
async fn inbound_header_is_ignored_by_default() {
    let id = ask_for_text(RequestIdPolicy::new(), "x-request-id", "theirs").await;
    assert!(is_new(&id), "{id}");
}

// C07
#[tokio::test]
async fn inbound_header_is_used_with_accept_inbound() {
    assert_eq!(ask_for_text(RequestIdPolicy::new().accept_inbound(), "x-request-id", "theirs").await, "theirs");
}

// C08
#[tokio::test]
async fn header_name_is_configurable() {
    let ids = RequestIdPolicy::new().header(CORRELATION).accept_inbound();
    assert_eq!(ask_for_text(ids.clone(), "x-correlation-id", "theirs").await, "theirs");
    let id = ask_for_text(ids, "x-request-id", "theirs").await;
    assert!(is_new(&id), "{id}");
}

// C09
#[tokio::test]
async fn empty_header_is_treated_as_absent() {
    let id = ask_for_text(RequestIdPolicy::new().accept_inbound(), "x-request-id", "").await;
    assert!(is_new(&id), "{id}");
}

// C12
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn overlapping_requests_have_different_ids() {
    let all_have_ids = Arc::new(Barrier::new(20));
    let app = Router::new().fallback(async move || {
        let before = id();
        all_have_ids.wait().await;
        assert_eq!(id(), before);
        before
    });
    let address = serve(app.layer(ids(RequestIdPolicy::new()))).await;
    let client = client(Version::HTTP_11);
    let ask = async |_| text(client.request(request(address, "/", None)).await.unwrap()).await;
    let mut ids = in_time(join_all((0..20).map(ask))).await;
    assert!(ids.iter().all(|id| is_new(id)), "{ids:?}");
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 20);
}

// C13
#[tokio::test]
async fn echo_can_be_disabled() {
    let ids = RequestIdPolicy::new().accept_inbound().echo(false);
    let response = ask(app(ids), "/", HeaderName::from_static("x-request-id"), "theirs").await;
    assert!(!response.headers().contains_key("x-request-id"));
    assert_eq!(text(response).await, "theirs");
}

// C14
#[tokio::test]
async fn response_carries_the_id() {
    let response = ask(app(RequestIdPolicy::new()), "/", CORRELATION, "of-no-interest").await;
    let echoed = response.headers()["x-request-id"].clone();
    assert_eq!(text(response).await, echoed);
}

// C15
#[tokio::test]
async fn response_carries_the_id_under_the_configured_name() {
    let response = ask(app(RequestIdPolicy::new().header(CORRELATION)), "/", CORRELATION, "theirs").await;
    assert!(!response.headers().contains_key("x-request-id"));
    let echoed = response.headers()[CORRELATION].clone();
    assert_ne!(echoed, "theirs");
    assert_eq!(text(response).await, echoed);
}

// C16
#[tokio::test]
async fn error_response_carries_the_id() {
    let responses = [
        ("/error", StatusCode::INTERNAL_SERVER_ERROR),
        ("/nowhere", StatusCode::NOT_FOUND),
        ("/post", StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (path, status) in responses {
        let ids = RequestIdPolicy::new().accept_inbound();
        let response = ask(app(ids), path, HeaderName::from_static("x-request-id"), "theirs").await;
        assert_eq!(response.status(), status);
        assert_eq!(response.headers()["x-request-id"], "theirs");
    }
}

// C19
#[tokio::test]
async fn work_without_http_has_a_given_id() {
    let job = async || {
        let before = id();
        yield_now().await;
        [before, id(), RequestContext::spawn(async { id() }).await.unwrap()]
    };
    let given = RequestId::try_from("job-7").unwrap();
    assert_eq!(Store::new().with_value(given).run(job()).await, ["job-7"; 3]);
    assert_eq!(Store::new().run(job()).await, ["none"; 3]);
}
