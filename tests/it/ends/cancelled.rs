//! What would have come was dropped before.

use std::future::pending;

use http::Version;

use super::{
    answers::{chunked, unending},
    clients::{
        gets, hangs_up_before_the_head, hangs_up_in_the_body, reads, resets_before_the_head, resets_in_the_body,
    },
    layers::{replacing, timeout},
    row::{Row, answering, handling},
    rows,
};

const HTTP_2: &[Version] = &[Version::HTTP_2];

rows! {
    by_a_client_that_hangs_up_before_the_head: unanswered(), hangs_up_before_the_head => Cancelled;
    by_a_client_that_hangs_up_in_the_body: answering(unending), hangs_up_in_the_body => Cancelled;
    by_a_stream_that_is_reset_before_the_head: unanswered().only_on(HTTP_2), resets_before_the_head => Cancelled;
    by_a_stream_that_is_reset_in_the_body: answering(unending).only_on(HTTP_2), resets_in_the_body => Cancelled;
    by_a_timeout_outside: unanswered().outside(timeout), gets(408, "") => Cancelled;
    by_an_outer_layer_that_replaces_the_body: answering(chunked).outside(replacing), reads("another") => Cancelled;
}

fn unanswered() -> Row {
    handling(|_| pending()).without_body()
}
