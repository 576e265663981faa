//! tower-http's layers outside and inside this one, in one `ServiceBuilder`, over real sockets.

use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode, header::CONTENT_ENCODING};
use http_body_util::BodyExt;
use tower::ServiceBuilder;
use tower_http::{
    catch_panic::{CatchPanicLayer, ResponseForPanic},
    compression::CompressionLayer,
    timeout::TimeoutLayer,
};

use self::{
    app::{Served, app, panic_in_call},
    trace::trace,
};
use crate::{
    recorder::{Reports, recorder},
    support::{User, in_time, layer},
};

mod app;
mod authorization;
mod nested;
mod trace;

/// Responds to a panic with the user that is current when it is caught.
fn catch_panic() -> CatchPanicLayer<impl ResponseForPanic<ResponseBody = Body>> {
    CatchPanicLayer::custom(|_| {
        let mut response = Response::new(Body::from(User::name()));
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}

/// Times out handlers that wait forever. A second is enough for everything else in the stack, even on a busy machine.
fn timeout() -> TimeoutLayer {
    TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(1))
}

const STREAMED: [&str; 4] = ["frame: user 7", "frame: user 7", "frame: user 7", "body dropped: user 7"];

#[tokio::test]
async fn outermost_layer_is_seen_by_all_others() {
    let ((handlers, mut reports), (callbacks, traced)) = (recorder(), recorder());
    let stack = ServiceBuilder::new()
        .layer(layer())
        .layer(trace(&callbacks))
        .layer(CompressionLayer::new())
        .layer(catch_panic())
        .layer(timeout())
        .map_request(panic_in_call);
    let served = Served::start(app(handlers).layer(stack)).await;
    assert_traced(&served, traced, "user 7").await;
    assert_compressed(&served, &mut reports).await;
    assert_panics_caught(&served, &mut reports, "user 7").await;
    assert_times_out(&served, &mut reports).await;
}

#[tokio::test]
async fn middle_layer_is_seen_by_inner_layers() {
    let ((handlers, mut reports), (callbacks, traced)) = (recorder(), recorder());
    let stack = ServiceBuilder::new()
        .layer(trace(&callbacks))
        .layer(CompressionLayer::new())
        .layer(timeout())
        .layer(layer())
        .layer(catch_panic())
        .map_request(panic_in_call);
    let served = Served::start(app(handlers).layer(stack)).await;
    assert_traced(&served, traced, "nobody").await;
    assert_compressed(&served, &mut reports).await;
    assert_panics_caught(&served, &mut reports, "user 7").await;
    assert_times_out(&served, &mut reports).await;
}

#[tokio::test]
async fn innermost_layer_is_seen_by_the_handler_and_its_drops() {
    let ((handlers, mut reports), (callbacks, traced)) = (recorder(), recorder());
    let stack = ServiceBuilder::new()
        .layer(trace(&callbacks))
        .layer(CompressionLayer::new())
        .layer(catch_panic())
        .layer(timeout())
        .layer(layer())
        .map_request(panic_in_call);
    let served = Served::start(app(handlers).layer(stack)).await;
    assert_traced(&served, traced, "nobody").await;
    assert_compressed(&served, &mut reports).await;
    assert_panics_caught(&served, &mut reports, "nobody").await;
    assert_times_out(&served, &mut reports).await;
}

async fn assert_traced(served: &Served, mut traced: Reports, who: &str) {
    assert_eq!(served.text("/user", Some(User(7))).await, "user 7");
    let callbacks = ["make_span", "on_request", "on_response", "on_body_chunk", "on_eos"];
    assert_eq!(traced.until("on_eos").await, callbacks.map(|callback| format!("{callback}: {who}")));
}

/// Each frame is created in the context, whether the encoder that polls for it runs outside or inside.
async fn assert_compressed(served: &Served, reports: &mut Reports) {
    let response = served.get("/stream", Some(User(7))).await;
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
    let bytes = in_time(response.collect()).await.unwrap().to_bytes();
    assert!(bytes.starts_with(&[0x1f, 0x8b]), "not gzip: {bytes:?}");
    assert_eq!(reports.until("body dropped").await, STREAMED);
}

async fn assert_panics_caught(served: &Served, reports: &mut Reports, caught_as: &str) {
    for path in ["/panic", "/panic-in-call"] {
        let response = served.get(path, Some(User(7))).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(in_time(response.collect()).await.unwrap().to_bytes(), caught_as);
        assert_eq!(served.text("/user", None).await, "nobody", "after {path}");
        assert_eq!(served.text("/outside", None).await, "false", "after {path}");
    }
    assert_eq!(reports.next().await, "future dropped: user 7");
}

async fn assert_times_out(served: &Served, reports: &mut Reports) {
    assert_eq!(served.get("/hold", Some(User(7))).await.status(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!(reports.until("future dropped").await, ["holding: user 7", "future dropped: user 7"]);
    assert_eq!(served.text("/user", None).await, "nobody");
}
