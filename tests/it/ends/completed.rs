//! Requests that end `Completed`: the whole response was handed to the server, or it needs no body.

use std::future::pending;

use axum::{body::Body, response::IntoResponse};
use http::{Method, StatusCode, Version, header::CONTENT_LENGTH};

use super::{
    clients::{
        gets, gets_body, gets_catch_panic_response, gets_gzip, gets_response_parts, gets_trailers, opens_a_tunnel,
        switches_protocols,
    },
    layers::{catch_panic, compression, timeout},
    responses::{
        chunked, connected, file, fixed, sized, sized_and_empty, switched, trailing, unending, with_end_stream,
    },
    row::{handled_by, rejecting, responding_with},
    rows,
};

rows! {
    by_a_fixed_body: responding_with(fixed), gets_body("one two") => Completed;
    by_an_empty_body: responding_with(Body::empty), gets_body("") => Completed;
    by_a_chunked_body: responding_with(chunked), gets_body("one two") => Completed;
    by_a_stream_with_is_end_stream: responding_with(with_end_stream), gets_body("one two") => Completed;
    by_a_sized_stream: responding_with(sized), gets_body("one two") => Completed;
    by_an_empty_sized_stream: responding_with(sized_and_empty), gets_body("") => Completed;
    by_an_unsized_stream_with_a_length:
        responding_with(|| ([(CONTENT_LENGTH, 7)], chunked())), gets_body("one two") => Completed;
    by_trailers: responding_with(trailing), gets_trailers => Completed;
    by_a_file: handled_by(file), gets_body(include_str!("../../../LICENSE")) => Completed;
    by_500: responding_with(|| (StatusCode::INTERNAL_SERVER_ERROR, "oh")), gets(500, "oh") => Completed;

    by_head_of_a_fixed_body: responding_with(fixed), gets_response_parts(Method::HEAD, 200) => Completed;
    by_head_of_a_chunked_body: responding_with(chunked), gets_response_parts(Method::HEAD, 200) => Completed;
    by_head_of_an_endless_body: responding_with(unending), gets_response_parts(Method::HEAD, 200) => Completed;
    by_204_with_a_body:
        responding_with(|| (StatusCode::NO_CONTENT, unending())), gets_response_parts(Method::GET, 204) => Completed;
    by_304_with_a_body:
        responding_with(|| (StatusCode::NOT_MODIFIED, unending())), gets_response_parts(Method::GET, 304) => Completed;

    by_a_rejection: rejecting(|| (StatusCode::FORBIDDEN, "no").into_response()), gets(403, "no") => Completed;
    by_a_streamed_rejection: rejecting(|| chunked().into_response()), gets_body("one two") => Completed;
    by_head_of_a_rejection:
        rejecting(|| unending().into_response()), gets_response_parts(Method::HEAD, 200) => Completed;

    by_101_before_the_socket_closes: handled_by(switched).only_on(&[Version::HTTP_11]), switches_protocols => Completed;
    by_200_to_connect_before_the_tunnel_closes: handled_by(connected), opens_a_tunnel => Completed;

    by_a_timeout_inside: handled_by(|_| pending()).inside(timeout).without_body(), gets(408, "") => Completed;
    by_a_panic_caught_inside:
        handled_by(async |_| panic!("inside")).inside(catch_panic).without_body(),
        gets_catch_panic_response => Completed;
    by_a_compressed_body: responding_with(chunked).outside(compression), gets_gzip => Completed;
}
