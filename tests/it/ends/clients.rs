//! What the client of a row does, and what it expects.

use axum::body::Body;
use http::{
    HeaderValue, Method, Request, Version,
    header::{CONNECTION, CONTENT_ENCODING, UPGRADE},
};
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::session::Session;
use crate::support::{in_time, text};

/// Expects status 200 and this body.
pub(crate) fn gets_body(body: &str) -> impl AsyncFn(&mut Session) {
    gets(200, body)
}

pub(crate) fn gets(status: u16, body: &str) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let response = session.get().await.unwrap();
        assert_eq!(response.status(), status, "{:?}", session.stack);
        assert_eq!(in_time(text(response)).await, body, "{:?}", session.stack);
    }
}

/// Sends an HTTP/1.0 request and expects this body.
pub(crate) fn gets_body_over_http_10(body: &str) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let mut request = session.request(Method::GET);
        *request.version_mut() = Version::HTTP_10;
        let response = session.send(request).await.unwrap();
        assert_eq!(in_time(text(response)).await, body, "{:?}", session.stack);
    }
}

/// Expects this status and does not read the body. Over HTTP/2, hyper sends a body even where none is allowed.
pub(crate) fn gets_response_parts(method: Method, status: u16) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let response = session.send(session.request(method.clone())).await.unwrap();
        assert_eq!(response.status(), status, "{:?}", session.stack);
    }
}

pub(crate) async fn gets_gzip(session: &mut Session) {
    let response = session.get().await.unwrap();
    assert_eq!(response.headers()[CONTENT_ENCODING], "gzip", "{:?}", session.stack);
    assert!(!in_time(response.collect()).await.unwrap().to_bytes().is_empty(), "{:?}", session.stack);
}

pub(crate) async fn gets_trailers(session: &mut Session) {
    let response = in_time(session.get().await.unwrap().collect()).await.unwrap();
    assert_eq!(response.trailers().unwrap()["x-trailer"], "three", "{:?}", session.stack);
    assert_eq!(response.to_bytes(), "one two", "{:?}", session.stack);
}

pub(crate) async fn switches_protocols(session: &mut Session) {
    let mut request = session.request(Method::GET);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("upgrade"));
    request.headers_mut().insert(UPGRADE, HeaderValue::from_static("echo"));
    echoes_after_the_end(session, request, 101).await;
}

pub(crate) async fn opens_a_tunnel(session: &mut Session) {
    echoes_after_the_end(session, session.request(Method::CONNECT), 200).await;
}

async fn echoes_after_the_end(session: &mut Session, request: Request<Body>, status: u16) {
    let response = session.send(request).await.unwrap();
    assert_eq!(response.status(), status, "{:?}", session.stack);
    let mut socket = TokioIo::new(in_time(hyper::upgrade::on(response)).await.unwrap());
    session.wait_for_end().await;

    let mut echoed = [0; 5];
    socket.write_all(b"hello").await.unwrap();
    in_time(socket.read_exact(&mut echoed)).await.unwrap();
    assert_eq!(&echoed, b"hello", "{:?}", session.stack);
}

/// Expects the response of the layer that catches panics.
pub(crate) async fn gets_catch_panic_response(session: &mut Session) {
    gets(500, "Service panicked")(session).await;
}

/// Expects an error in place of a response.
pub(crate) async fn gets_no_response(session: &mut Session) {
    assert!(session.get().await.is_err(), "{:?}", session.stack);
}

/// Expects status and headers, then an error in the body.
pub(crate) async fn gets_incomplete_body(session: &mut Session) {
    let response = session.get().await.unwrap();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", session.stack);
}

/// Expects an error before the body is complete, with or without status and headers.
pub(crate) async fn gets_an_error(session: &mut Session) {
    if let Ok(response) = session.get().await {
        assert!(in_time(response.collect()).await.is_err(), "{:?}", session.stack);
    }
}

/// Expects this many bytes of a body, then an error.
pub(crate) fn gets_bytes(bytes: usize) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let mut response = session.get().await.unwrap();
        let mut got = 0;
        while let Ok(frame) = in_time(response.frame()).await.expect("the body is incomplete") {
            got += frame.into_data().unwrap().len();
        }
        assert_eq!(got, bytes, "{:?}", session.stack);
    }
}

pub(crate) async fn disconnects_before_the_response(session: &mut Session) {
    session.send_and_disconnect().await;
}

pub(crate) async fn disconnects_after_the_headers(session: &mut Session) {
    let response = session.get().await.unwrap();
    session.disconnect();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", session.stack);
}

pub(crate) async fn disconnects_in_the_body(session: &mut Session) {
    let mut response = session.get().await.unwrap();
    assert!(in_time(response.frame()).await.unwrap().is_ok(), "{:?}", session.stack);
    session.disconnect();
    assert!(in_time(response.collect()).await.is_err(), "{:?}", session.stack);
}

pub(crate) async fn resets_before_the_response(session: &mut Session) {
    session.send_and_cancel().await;
    session.wait_for_end().await;
    assert!(session.is_connected().await);
}

pub(crate) async fn resets_in_the_body(session: &mut Session) {
    let mut response = session.get().await.unwrap();
    assert!(in_time(response.frame()).await.unwrap().is_ok());
    drop(response);
    session.wait_for_end().await;
    assert!(session.is_connected().await);
}
