//! Bodies that match or do not match the announced length, which is a `Content-Length` or an exact `size_hint`.

use std::convert::Infallible;

use axum::{
    body::{Body, Bytes},
    response::{AppendHeaders, IntoResponse, Sse, sse::Event},
};
use futures_util::{StreamExt, stream};
use http::{
    HeaderMap, HeaderValue, Method, StatusCode, Version,
    header::{CONTENT_LENGTH, ETAG},
};
use http_body::SizeHint;
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tower_request_context::End;

use super::{
    clients::{
        disconnects_after_the_headers, disconnects_in_the_body, gets, gets_an_error, gets_body, gets_body_over_http_10,
        gets_bytes, gets_gzip, gets_incomplete_body, gets_no_response, gets_response_parts, resets_in_the_body,
        switches_protocols,
    },
    layers::compression,
    responses::{Hinted, chunked, fixed, sized, switched, unending, with_total_size},
    row::{handled_by, rejecting, responding_with},
    rows,
};

const HTTP_11: &[Version] = &[Version::HTTP_11];
const HTTP_2: &[Version] = &[Version::HTTP_2];

rows! {
    a_body_with_a_constant_total_is_completed: responding_with(with_total_size), gets_body("one two") => Completed;
    a_total_with_a_length_is_completed:
        responding_with(|| with_length("7", with_total_size())), gets_body("one two") => Completed;
    head_with_a_total_is_completed:
        responding_with(with_total_size), gets_response_parts(Method::HEAD, 200) => Completed;
    a_total_in_a_rejection_is_completed:
        rejecting(|| with_total_size().into_response()), gets_body("one two") => Completed;
    trailers_after_the_length_are_completed:
        responding_with(|| with_length("7", trailing())), gets_body("one two") => Completed;
    a_body_compressed_outside_is_completed:
        responding_with(|| all_of(480_000)).outside(compression), gets_gzip => Completed;
    a_body_compressed_inside_is_completed:
        responding_with(|| all_of(480_000)).inside(compression), gets_gzip => Completed;

    a_total_over_http_10_is_completed:
        responding_with(with_total_size).only_on(HTTP_11), gets_body_over_http_10("one two") => Completed;
    a_fixed_body_over_http_10_is_completed:
        responding_with(fixed).only_on(HTTP_11), gets_body_over_http_10("one two") => Completed;
    an_unsized_body_over_http_10_is_completed:
        responding_with(chunked).only_on(HTTP_11), gets_body_over_http_10("one two") => Completed;

    head_with_a_length_is_completed:
        responding_with(|| with_length("10", empty())), gets_response_parts(Method::HEAD, 200) => Completed;
    status_204_with_a_length_is_completed:
        responding_with(|| (StatusCode::NO_CONTENT, with_length("10", unending()))),
        gets_response_parts(Method::GET, 204) => Completed;
    status_304_with_a_length_is_completed:
        responding_with(|| (StatusCode::NOT_MODIFIED, with_length("10", unending()))),
        gets_response_parts(Method::GET, 304) => Completed;
    status_101_with_a_length_is_completed:
        handled_by(async |request| Ok(with_length("10", switched(request).await?).into_response())).only_on(HTTP_11),
        switches_protocols => Completed;

    a_disconnect_before_a_total_is_cancelled:
        responding_with(stalling_with_total), disconnects_in_the_body => Cancelled;
    a_reset_before_a_total_is_cancelled:
        responding_with(stalling_with_total).only_on(HTTP_2), resets_in_the_body => Cancelled;
    a_disconnect_before_a_length_is_cancelled:
        responding_with(|| with_length("7", unending())), disconnects_in_the_body => Cancelled;
    a_disconnect_in_an_idle_event_stream_is_cancelled:
        responding_with(idle_events), disconnects_after_the_headers => Cancelled;

    a_body_of_0_of_10_bytes_is_failed: responding_with(|| with_length("10", empty())), gets_bytes(0) => Failed;
    a_rejection_of_0_of_10_bytes_is_failed:
        rejecting(|| with_length("10", empty()).into_response()), gets_bytes(0) => Failed;
    a_body_of_480_000_of_600_000_bytes_is_failed:
        responding_with(|| with_length("600000", frames_of(480_000))), gets_bytes(480_000) => Failed;
    a_body_of_480_000_bytes_of_a_total_is_failed:
        responding_with(|| total_of_600_000(frames_of(480_000))), gets_bytes(480_000) => Failed;
    trailers_before_the_length_are_failed: responding_with(|| with_length("10", trailing())), gets_an_error => Failed;
    is_end_stream_before_the_length_is_failed:
        responding_with(|| with_length("600000", ending_at_480_000())), gets_incomplete_body => Failed;

    an_empty_body_with_a_length_is_failed:
        responding_with(|| with_length("10", Body::empty())).only_on(HTTP_2), gets_no_response => Failed;
    // Over HTTP/1.1, hyper sends `Content-Length: 0`.
    an_empty_body_with_a_corrected_length_is_failed:
        responding_with(|| with_length("10", Body::empty())).only_on(HTTP_11), gets_body("") => Failed;

    a_frame_beyond_the_length_is_failed:
        responding_with(|| with_length("6", chunked())).only_on(HTTP_2), gets_bytes(4) => Failed;
    // Over HTTP/1.1, hyper truncates the frame.
    a_frame_truncated_at_the_length_is_failed:
        responding_with(|| with_length("6", chunked())).only_on(HTTP_11), gets_body("one tw") => Failed;
    a_frame_after_the_length_is_failed:
        responding_with(|| with_length("4", chunked())).only_on(HTTP_2), gets_bytes(4) => Failed;
    // Over HTTP/1.1, hyper drops the body at the last byte of the length.
    a_body_dropped_at_its_length_is_completed:
        responding_with(|| with_length("4", chunked())).only_on(HTTP_11), gets_body("one ") => Completed;

    // Over HTTP/1.1, hyper's debug build panics if the two differ.
    a_length_that_differs_from_the_size_is_completed:
        responding_with(|| with_length("7", total_of_600_000(chunked()))).only_on(HTTP_2),
        gets_body("one two") => Completed;
    a_length_that_differs_from_the_size_is_failed:
        responding_with(|| with_length("10", fixed())).only_on(HTTP_2), gets_incomplete_body => Failed;

    equal_lengths_are_completed:
        responding_with(|| (lengths(["7", "7"]), chunked())), gets_body("one two") => Completed;
    equal_lengths_with_a_size_are_completed:
        responding_with(|| (lengths(["7", "7"]), sized())), gets_body("one two") => Completed;
    lengths_that_differ_are_failed: responding_with(|| (lengths(["7", "8"]), chunked())), gets_no_response => Failed;
    a_signed_length_with_a_size_is_failed: responding_with(|| with_length("+7", fixed())), gets_no_response => Failed;
    a_listed_length_with_a_size_is_failed:
        responding_with(|| with_length("7, 7", fixed())).only_on(HTTP_2), gets_no_response => Failed;
    // hyper's client accepts a list of equal numbers. RFC 9110 allows a client to reject it.
    a_listed_length_accepted_by_the_client_is_failed:
        responding_with(|| with_length("7, 7", fixed())).only_on(HTTP_11), gets_body("one two") => Failed;
    status_204_with_an_invalid_length_is_completed:
        responding_with(|| (StatusCode::NO_CONTENT, with_length("+7", Body::empty()))).only_on(HTTP_11),
        gets(204, "") => Completed;
}

/// Over HTTP/1.1 hyper's server rejects these, over HTTP/2 its client.
#[tokio::test]
async fn a_length_that_is_not_a_number_is_failed() {
    for length in ["seven", "+7", "-7", "7, 7", "7 ", "0x7", "7.0", "18446744073709551616"] {
        println!("{length:?}");
        responding_with(move || with_length(length, chunked())).ends(gets_no_response, End::Failed).await;
    }
}

fn with_length(length: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    ([(CONTENT_LENGTH, length)], body)
}

fn lengths(lengths: [&'static str; 2]) -> impl axum::response::IntoResponseParts {
    AppendHeaders(lengths.map(|length| (CONTENT_LENGTH, length)))
}

/// An empty body whose `is_end_stream` is false. It ends when it is polled.
fn empty() -> Body {
    frames_of(0)
}

/// A body of this many bytes in frames of 60,000 bytes. It ends after the server has sent them.
fn frames_of(bytes: usize) -> Body {
    let frame = Bytes::from(vec![b'a'; 60_000]);
    let flushed = stream::once(yield_now()).filter_map(async |()| None);
    Body::from_stream(stream::iter(vec![frame; bytes / 60_000]).chain(flushed).map(Ok::<_, Infallible>))
}

fn all_of(bytes: usize) -> impl IntoResponse {
    ([(CONTENT_LENGTH, bytes)], frames_of(bytes))
}

fn total_of_600_000(body: Body) -> Body {
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(600_000), ..Hinted::new(body) })
}

fn ending_at_480_000() -> Body {
    Body::new(Hinted { is_end_stream: |given| given == 480_000, ..Hinted::new(frames_of(480_000)) })
}

fn trailing() -> Body {
    Body::new(
        chunked().with_trailers(async { Some(Ok(HeaderMap::from_iter([(ETAG, HeaderValue::from_static("x"))]))) }),
    )
}

/// A body whose `size_hint` stays the total. It is pending forever after its first frame.
fn stalling_with_total() -> Body {
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(7), ..Hinted::new(unending()) })
}

fn idle_events() -> impl IntoResponse {
    Sse::new(stream::pending::<Result<Event, Infallible>>())
}
