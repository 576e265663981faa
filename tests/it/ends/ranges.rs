//! Range requests with the crate `axum-range`. The `size_hint` of its bodies always returns the total size.

use std::io::Cursor;

use axum::{body::Body, response::IntoResponse};
use axum_range::{KnownSize, Ranged};
use headers::{HeaderMapExt, Range};
use http::{HeaderValue, Method, Request, Version, header::RANGE};
use http_body_util::BodyExt;

use super::{
    clients::{disconnects_in_the_body, gets_an_error, gets_body_over_http_10, gets_response_parts},
    row::{HandlerResult, handled_by},
    rows,
    session::Session,
};
use crate::support::in_time;

const FILE: &str = include_str!("../ends.rs");

/// More than one frame of `axum-range`.
const SIZE: usize = 150_000;

/// More than the socket buffers hold.
const LARGE: usize = 64 << 20;

rows! {
    by_a_whole_file: handled_by(small), requests_range(None, 200, 0..SIZE) => Completed;
    by_a_range: handled_by(small), requests_range(Some("bytes=10-99999"), 206, 10..100_000) => Completed;
    by_a_range_of_one_byte: handled_by(small), requests_range(Some("bytes=7-7"), 206, 7..8) => Completed;
    by_a_suffix_range: handled_by(small), requests_range(Some("bytes=-70000"), 206, SIZE - 70_000..SIZE) => Completed;
    by_an_unsatisfiable_range: handled_by(small), requests_range(Some("bytes=150000-"), 416, 0..0) => Completed;
    by_head_of_a_file: handled_by(small), gets_response_parts(Method::HEAD, 200) => Completed;
    by_a_file_over_http_10: handled_by(text).only_on(&[Version::HTTP_11]), gets_body_over_http_10(FILE) => Completed;
    by_a_truncated_file: handled_by(truncated), gets_an_error => Failed;
    by_a_disconnect_in_a_file: handled_by(large), disconnects_in_the_body => Cancelled;
}

async fn small(request: Request<Body>) -> HandlerResult {
    Ok(ranged(&request, bytes(), SIZE))
}

async fn text(request: Request<Body>) -> HandlerResult {
    Ok(ranged(&request, FILE.into(), FILE.len()))
}

async fn truncated(request: Request<Body>) -> HandlerResult {
    Ok(ranged(&request, bytes(), SIZE + 1))
}

async fn large(request: Request<Body>) -> HandlerResult {
    Ok(ranged(&request, vec![0; LARGE], LARGE))
}

fn ranged(request: &Request<Body>, bytes: Vec<u8>, size: usize) -> axum::response::Response {
    let file = KnownSize::sized(Cursor::new(bytes), size as u64);
    Ranged::new(request.headers().typed_get::<Range>(), file).into_response()
}

fn bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(SIZE).collect()
}

fn requests_range(range: Option<&str>, status: u16, expected: std::ops::Range<usize>) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let mut request = session.request(Method::GET);
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, HeaderValue::from_str(range).unwrap());
        }
        let response = session.send(request).await.unwrap();
        assert_eq!(response.status(), status, "{:?}", session.stack);
        let got = in_time(response.collect()).await.unwrap().to_bytes();
        assert!(got == bytes()[expected.clone()], "{} bytes, {:?}", got.len(), session.stack);
    }
}
