//! What clients do.

use axum::body::Body;
use http::{
    HeaderValue, Method, Request, Version,
    header::{CONNECTION, CONTENT_ENCODING, UPGRADE},
};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::visit::Visit;
use crate::support::{in_time, text};

/// Reads the whole response.
pub(crate) fn reads(body: &str) -> impl AsyncFn(&mut Visit) {
    gets(200, body)
}

pub(crate) fn gets(status: u16, body: &str) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let response = visit.get().await.unwrap();
        assert_eq!(response.status(), status, "{:?}", visit.stack);
        assert_eq!(in_time(text(response)).await, body, "{:?}", visit.stack);
    }
}

/// Reads the whole response to a request of HTTP/1.0.
pub(crate) fn reads_over_http_10(body: &str) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let mut request = visit.request(Method::GET);
        *request.version_mut() = Version::HTTP_10;
        let response = visit.send(request).await.unwrap();
        assert_eq!(in_time(text(response)).await, body, "{:?}", visit.stack);
    }
}

/// Has all with the head, and gives up whatever comes then: over HTTP/2 hyper sends a body that must not be.
pub(crate) fn needs_the_head(method: Method, status: u16) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let response = visit.send(visit.request(method.clone())).await.unwrap();
        assert_eq!(response.status(), status, "{:?}", visit.stack);
    }
}

pub(crate) async fn reads_gzip(visit: &mut Visit) {
    let response = visit.get().await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip", "{:?}", visit.stack);
    assert!(!in_time(response.collect()).await.unwrap().to_bytes().is_empty(), "{:?}", visit.stack);
}

pub(crate) async fn reads_trailers(visit: &mut Visit) {
    let response = in_time(visit.get().await.unwrap().collect()).await.unwrap();
    assert_eq!(response.trailers().unwrap()["x-trailer"], "three", "{:?}", visit.stack);
    assert_eq!(response.to_bytes(), "one two", "{:?}", visit.stack);
}

pub(crate) async fn switches_protocols(visit: &mut Visit) {
    let mut request = visit.request(Method::GET);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
    talks_when_it_is_over(visit, request, 101).await;
}

pub(crate) async fn opens_a_tunnel(visit: &mut Visit) {
    talks_when_it_is_over(visit, visit.request(Method::CONNECT), 200).await;
}

async fn talks_when_it_is_over(visit: &mut Visit, request: Request<Body>, status: u16) {
    let response = visit.send(request).await.unwrap();
    assert_eq!(response.status(), status, "{:?}", visit.stack);
    let mut socket = TokioIo::new(in_time(hyper::upgrade::on(response)).await.unwrap());
    visit.until_over().await;

    let mut echoed = [0; 5];
    socket.write_all(b"hello").await.unwrap();
    in_time(socket.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(&echoed, b"hello", "{:?}", visit.stack);
}

/// Gets the answer of the layer that catches panics.
pub(crate) async fn gets_what_caught_it(visit: &mut Visit) {
    gets(500, "Service panicked")(visit).await;
}

/// Gets no head.
pub(crate) async fn loses_the_response(visit: &mut Visit) {
    assert!(visit.get().await.is_err(), "{:?}", visit.stack);
}

/// Gets a head, and no whole body.
pub(crate) async fn loses_the_body(visit: &mut Visit) {
    let response = visit.get().await.unwrap();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", visit.stack);
}

/// Gets an error before the body is complete, with or without status and headers.
pub(crate) async fn loses_it(visit: &mut Visit) {
    if let Ok(response) = visit.get().await {
        assert!(in_time(response.collect()).await.is_err(), "{:?}", visit.stack);
    }
}

/// Gets this many bytes of a body, then an error.
pub(crate) fn gets_only(bytes: usize) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let mut response = visit.get().await.unwrap();
        let mut got = 0;
        while let Ok(frame) = in_time(response.frame()).await.expect("the body is not whole") {
            got += frame.into_data().unwrap().len();
        }
        assert_eq!(got, bytes, "{:?}", visit.stack);
    }
}

pub(crate) async fn hangs_up_before_the_head(visit: &mut Visit) {
    visit.get_and_hang_up().await;
}

pub(crate) async fn hangs_up_after_the_head(visit: &mut Visit) {
    let response = visit.get().await.unwrap();
    visit.hang_up();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", visit.stack);
}

pub(crate) async fn hangs_up_in_the_body(visit: &mut Visit) {
    let mut response = visit.get().await.unwrap();
    assert!(in_time(response.frame()).await.unwrap().is_ok(), "{:?}", visit.stack);
    visit.hang_up();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", visit.stack);
}

pub(crate) async fn resets_before_the_head(visit: &mut Visit) {
    visit.get_and_give_up().await;
    visit.until_over().await;
    assert!(visit.is_connected().await);
}

pub(crate) async fn resets_in_the_body(visit: &mut Visit) {
    let mut response = visit.get().await.unwrap();
    assert!(in_time(response.frame()).await.unwrap().is_ok());
    drop(response);
    visit.until_over().await;
    assert!(visit.is_connected().await);
}
