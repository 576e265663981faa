//! The response was handed on whole, or needs no body.

use std::future::pending;

use axum::{body::Body, response::IntoResponse};
use http::{Method, StatusCode, Version, header::CONTENT_LENGTH};

use super::{
    answers::{chunked, connected, file, fixed, knowing_its_end, sized, sized_and_empty, switched, trailing, unending},
    clients::{
        gets, gets_what_caught_it, needs_the_head, opens_a_tunnel, reads, reads_gzip, reads_trailers,
        switches_protocols,
    },
    layers::{catch_panic, compression, timeout},
    row::{answering, handling, refusing},
    rows,
};

rows! {
    by_a_fixed_body: answering(fixed), reads("one two") => Completed;
    by_an_empty_body: answering(Body::empty), reads("") => Completed;
    by_a_chunked_body: answering(chunked), reads("one two") => Completed;
    by_a_stream_that_knows_its_end: answering(knowing_its_end), reads("one two") => Completed;
    by_a_sized_stream: answering(sized), reads("one two") => Completed;
    by_an_empty_sized_stream: answering(sized_and_empty), reads("") => Completed;
    by_an_unsized_stream_with_a_length: answering(|| ([(CONTENT_LENGTH, 7)], chunked())), reads("one two") => Completed;
    by_trailers: answering(trailing), reads_trailers => Completed;
    by_a_file: handling(file), reads(include_str!("../../../LICENSE")) => Completed;
    by_500: answering(|| (StatusCode::INTERNAL_SERVER_ERROR, "oh")), gets(500, "oh") => Completed;

    by_the_head_of_a_fixed_body: answering(fixed), needs_the_head(Method::HEAD, 200) => Completed;
    by_the_head_of_a_chunked_body: answering(chunked), needs_the_head(Method::HEAD, 200) => Completed;
    by_the_head_of_an_unending_body: answering(unending), needs_the_head(Method::HEAD, 200) => Completed;
    by_204_with_a_body:
        answering(|| (StatusCode::NO_CONTENT, unending())), needs_the_head(Method::GET, 204) => Completed;
    by_304_with_a_body:
        answering(|| (StatusCode::NOT_MODIFIED, unending())), needs_the_head(Method::GET, 304) => Completed;

    by_a_refusal: refusing(|| (StatusCode::FORBIDDEN, "no").into_response()), gets(403, "no") => Completed;
    by_a_streamed_refusal: refusing(|| chunked().into_response()), reads("one two") => Completed;
    by_the_head_of_a_refusal: refusing(|| unending().into_response()), needs_the_head(Method::HEAD, 200) => Completed;

    by_101_though_the_socket_lives_on: handling(switched).only_on(&[Version::HTTP_11]), switches_protocols => Completed;
    by_200_to_a_connect_though_the_tunnel_lives_on: handling(connected), opens_a_tunnel => Completed;

    by_a_timeout_inside: handling(|_| pending()).inside(timeout).without_body(), gets(408, "") => Completed;
    by_a_panic_that_is_caught_inside:
        handling(async |_| panic!("inside")).inside(catch_panic).without_body(), gets_what_caught_it => Completed;
    by_a_compressed_body: answering(chunked).outside(compression), reads_gzip => Completed;
}
