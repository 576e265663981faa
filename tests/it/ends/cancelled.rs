//! Requests that end `Cancelled`: the future or the body was dropped before it was complete.

use std::future::pending;

use http::Version;

use super::{
    clients::{
        disconnects_before_the_response, disconnects_in_the_body, gets, gets_body, resets_before_the_response,
        resets_in_the_body,
    },
    layers::{replacing_body, timeout},
    responses::{chunked, unending},
    row::{Row, handled_by, responding_with},
    rows,
};

const HTTP_2: &[Version] = &[Version::HTTP_2];

rows! {
    by_a_disconnect_before_the_response: never_responding(), disconnects_before_the_response => Cancelled;
    by_a_disconnect_in_the_body: responding_with(unending), disconnects_in_the_body => Cancelled;
    by_a_stream_reset_before_the_response: never_responding().only_on(HTTP_2), resets_before_the_response => Cancelled;
    by_a_stream_reset_in_the_body: responding_with(unending).only_on(HTTP_2), resets_in_the_body => Cancelled;
    by_a_timeout_outside: never_responding().outside(timeout), gets(408, "") => Cancelled;
    by_an_outer_layer_replacing_the_body:
        responding_with(chunked).outside(replacing_body), gets_body("another") => Cancelled;
}

fn never_responding() -> Row {
    handled_by(|_| pending()).without_body()
}
