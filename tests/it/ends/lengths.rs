//! Bodies and the length that their response announces, as `Content-Length` or as an exact `size_hint`.

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
    answers::{Hinted, chunked, fixed, sized, switched, telling_its_total, unending},
    clients::{
        gets, gets_only, hangs_up_after_the_head, hangs_up_in_the_body, loses_it, loses_the_body, loses_the_response,
        needs_the_head, reads, reads_gzip, reads_over_http_10, resets_in_the_body, switches_protocols,
    },
    layers::compression,
    row::{answering, handling, refusing},
    rows,
};

const HTTP_11: &[Version] = &[Version::HTTP_11];
const HTTP_2: &[Version] = &[Version::HTTP_2];

rows! {
    a_body_that_tells_its_total_is_completed: answering(telling_its_total), reads("one two") => Completed;
    a_total_with_a_length_is_completed: answering(|| claiming("7", telling_its_total())), reads("one two") => Completed;
    head_with_a_total_is_completed: answering(telling_its_total), needs_the_head(Method::HEAD, 200) => Completed;
    a_total_in_a_rejection_is_completed: refusing(|| telling_its_total().into_response()), reads("one two") => Completed;
    trailers_after_the_length_are_completed: answering(|| claiming("7", trailing())), reads("one two") => Completed;
    a_body_compressed_outside_is_completed: answering(|| all_of(480_000)).outside(compression), reads_gzip => Completed;
    a_body_compressed_inside_is_completed: answering(|| all_of(480_000)).inside(compression), reads_gzip => Completed;

    a_total_over_http_10_is_completed:
        answering(telling_its_total).only_on(HTTP_11), reads_over_http_10("one two") => Completed;
    a_fixed_body_over_http_10_is_completed: answering(fixed).only_on(HTTP_11), reads_over_http_10("one two") => Completed;
    an_unsized_body_over_http_10_is_completed:
        answering(chunked).only_on(HTTP_11), reads_over_http_10("one two") => Completed;

    head_with_a_length_is_completed: answering(|| claiming("10", empty())), needs_the_head(Method::HEAD, 200) => Completed;
    status_204_with_a_length_is_completed:
        answering(|| (StatusCode::NO_CONTENT, claiming("10", unending()))), needs_the_head(Method::GET, 204) => Completed;
    status_304_with_a_length_is_completed:
        answering(|| (StatusCode::NOT_MODIFIED, claiming("10", unending()))), needs_the_head(Method::GET, 304) => Completed;
    status_101_with_a_length_is_completed:
        handling(async |request| Ok(claiming("10", switched(request).await?).into_response())).only_on(HTTP_11),
        switches_protocols => Completed;

    a_hang_up_before_a_total_is_cancelled: answering(pausing), hangs_up_in_the_body => Cancelled;
    a_reset_before_a_total_is_cancelled: answering(pausing).only_on(HTTP_2), resets_in_the_body => Cancelled;
    a_hang_up_before_a_length_is_cancelled: answering(|| claiming("7", unending())), hangs_up_in_the_body => Cancelled;
    a_hang_up_in_an_idle_event_stream_is_cancelled: answering(idle_events), hangs_up_after_the_head => Cancelled;

    a_body_of_0_of_10_bytes_is_failed: answering(|| claiming("10", empty())), gets_only(0) => Failed;
    a_rejection_of_0_of_10_bytes_is_failed:
        refusing(|| claiming("10", empty()).into_response()), gets_only(0) => Failed;
    a_body_of_480_000_of_600_000_bytes_is_failed: answering(|| claiming("600000", parts(480_000))), gets_only(480_000) => Failed;
    a_body_of_480_000_bytes_of_a_total_is_failed: answering(|| total_of_600_000(parts(480_000))), gets_only(480_000) => Failed;
    trailers_before_the_length_are_failed: answering(|| claiming("10", trailing())), loses_it => Failed;
    is_end_stream_before_the_length_is_failed: answering(|| claiming("600000", ending_at_480_000())), loses_the_body => Failed;

    an_empty_body_with_a_length_is_failed:
        answering(|| claiming("10", Body::empty())).only_on(HTTP_2), loses_the_response => Failed;
    // hyper announces 0 bytes over HTTP/1.1.
    an_empty_body_with_a_corrected_length_is_failed:
        answering(|| claiming("10", Body::empty())).only_on(HTTP_11), reads("") => Failed;

    a_frame_beyond_the_length_is_failed: answering(|| claiming("6", chunked())).only_on(HTTP_2), gets_only(4) => Failed;
    // hyper cuts the frame over HTTP/1.1.
    a_frame_that_is_cut_at_the_length_is_failed:
        answering(|| claiming("6", chunked())).only_on(HTTP_11), reads("one tw") => Failed;
    a_frame_after_the_length_is_failed: answering(|| claiming("4", chunked())).only_on(HTTP_2), gets_only(4) => Failed;
    // hyper drops the body when it has the last byte of the length.
    a_body_that_is_dropped_at_its_length_is_completed:
        answering(|| claiming("4", chunked())).only_on(HTTP_11), reads("one ") => Completed;

    // Over HTTP/1.1, hyper's debug build panics where the two differ.
    a_length_that_differs_from_the_size_is_completed:
        answering(|| claiming("7", total_of_600_000(chunked()))).only_on(HTTP_2), reads("one two") => Completed;
    a_length_that_differs_from_the_size_is_failed:
        answering(|| claiming("10", fixed())).only_on(HTTP_2), loses_the_body => Failed;

    equal_lengths_are_completed: answering(|| (lengths(["7", "7"]), chunked())), reads("one two") => Completed;
    equal_lengths_with_a_size_are_completed: answering(|| (lengths(["7", "7"]), sized())), reads("one two") => Completed;
    lengths_that_differ_are_failed: answering(|| (lengths(["7", "8"]), chunked())), loses_the_response => Failed;
    a_signed_length_with_a_size_is_failed: answering(|| claiming("+7", fixed())), loses_the_response => Failed;
    a_listed_length_with_a_size_is_failed:
        answering(|| claiming("7, 7", fixed())).only_on(HTTP_2), loses_the_response => Failed;
    // hyper's client accepts a list of equal numbers. RFC 9110 allows a client to reject it.
    a_listed_length_that_the_client_accepts_is_failed:
        answering(|| claiming("7, 7", fixed())).only_on(HTTP_11), reads("one two") => Failed;
    status_204_with_an_invalid_length_is_completed:
        answering(|| (StatusCode::NO_CONTENT, claiming("+7", Body::empty()))).only_on(HTTP_11), gets(204, "") => Completed;
}

/// hyper's server rejects these over HTTP/1.1, and its client does over HTTP/2.
#[tokio::test]
async fn a_length_that_is_not_a_number_is_failed() {
    for length in ["seven", "+7", "-7", "7, 7", "7 ", "0x7", "7.0", "18446744073709551616"] {
        println!("{length:?}");
        answering(move || claiming(length, chunked())).ends(loses_the_response, End::Failed).await;
    }
}

fn claiming(length: &'static str, body: impl IntoResponse) -> impl IntoResponse {
    ([(CONTENT_LENGTH, length)], body)
}

fn lengths(lengths: [&'static str; 2]) -> impl axum::response::IntoResponseParts {
    AppendHeaders(lengths.map(|length| (CONTENT_LENGTH, length)))
}

/// Ends when it is polled; its `is_end_stream` is false.
fn empty() -> Body {
    parts(0)
}

/// This many bytes in frames of 60,000. It ends after the server has sent them.
fn parts(bytes: usize) -> Body {
    let part = Bytes::from(vec![b'a'; 60_000]);
    let flushed = stream::once(yield_now()).filter_map(async |()| None);
    Body::from_stream(stream::iter(vec![part; bytes / 60_000]).chain(flushed).map(Ok::<_, Infallible>))
}

fn all_of(bytes: usize) -> impl IntoResponse {
    ([(CONTENT_LENGTH, bytes)], parts(bytes))
}

fn total_of_600_000(body: Body) -> Body {
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(600_000), ..Hinted::new(body) })
}

fn ending_at_480_000() -> Body {
    Body::new(Hinted { is_end_stream: |given| given == 480_000, ..Hinted::new(parts(480_000)) })
}

fn trailing() -> Body {
    Body::new(
        chunked().with_trailers(async { Some(Ok(HeaderMap::from_iter([(ETAG, HeaderValue::from_static("x"))]))) }),
    )
}

/// Keeps its total as its size, gives a part of it, and stays pending.
fn pausing() -> Body {
    Body::new(Hinted { size_hint: |_| SizeHint::with_exact(7), ..Hinted::new(unending()) })
}

fn idle_events() -> impl IntoResponse {
    Sse::new(stream::pending::<Result<Event, Infallible>>())
}
