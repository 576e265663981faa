//! Range requests to the crate `axum-range`, whose bodies keep telling their total size.

use std::io::Cursor;

use axum::{body::Body, response::IntoResponse};
use axum_range::{KnownSize, Ranged};
use headers::{HeaderMapExt, Range};
use http::{HeaderValue, Method, Request, Version, header::RANGE};
use http_body_util::BodyExt;

use super::{
    clients::{hangs_up_in_the_body, loses_it, needs_the_head, reads_over_http_10},
    row::{Answer, handling},
    rows,
    visit::Visit,
};
use crate::support::in_time;

const FILE: &str = include_str!("../ends.rs");

/// More than one frame of `axum-range`.
const SIZE: usize = 150_000;

/// More than the sockets buffer.
const LARGE: usize = 64 << 20;

rows! {
    by_a_whole_file: handling(small), asks_for(None, 200, 0..SIZE) => Completed;
    by_a_range: handling(small), asks_for(Some("bytes=10-99999"), 206, 10..100_000) => Completed;
    by_a_range_of_one_byte: handling(small), asks_for(Some("bytes=7-7"), 206, 7..8) => Completed;
    by_a_suffix_range: handling(small), asks_for(Some("bytes=-70000"), 206, SIZE - 70_000..SIZE) => Completed;
    by_an_unsatisfiable_range: handling(small), asks_for(Some("bytes=150000-"), 416, 0..0) => Completed;
    by_the_head_of_a_file: handling(small), needs_the_head(Method::HEAD, 200) => Completed;
    by_a_file_over_http_10: handling(text).only_on(&[Version::HTTP_11]), reads_over_http_10(FILE) => Completed;
    by_a_file_that_was_truncated: handling(truncated), loses_it => Failed;
    by_a_client_that_hangs_up_in_a_file: handling(large), hangs_up_in_the_body => Cancelled;
}

async fn small(request: Request<Body>) -> Answer {
    Ok(ranged(&request, bytes(), SIZE))
}

async fn text(request: Request<Body>) -> Answer {
    Ok(ranged(&request, FILE.into(), FILE.len()))
}

async fn truncated(request: Request<Body>) -> Answer {
    Ok(ranged(&request, bytes(), SIZE + 1))
}

async fn large(request: Request<Body>) -> Answer {
    Ok(ranged(&request, vec![0; LARGE], LARGE))
}

fn ranged(request: &Request<Body>, bytes: Vec<u8>, size: usize) -> axum::response::Response {
    let file = KnownSize::sized(Cursor::new(bytes), size as u64);
    Ranged::new(request.headers().typed_get::<Range>(), file).into_response()
}

fn bytes() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(SIZE).collect()
}

fn asks_for(range: Option<&str>, status: u16, expected: std::ops::Range<usize>) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let mut request = visit.request(Method::GET);
        if let Some(range) = range {
            request.headers_mut().insert(RANGE, HeaderValue::from_str(range).unwrap());
        }
        let response = visit.send(request).await.unwrap();
        assert_eq!(response.status(), status, "{:?}", visit.stack);
        let got = in_time(response.collect()).await.unwrap().to_bytes();
        assert!(got == bytes()[expected.clone()], "{} bytes, {:?}", got.len(), visit.stack);
    }
}
