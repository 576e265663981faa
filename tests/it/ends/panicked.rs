//! Requests that end `Panicked`: some code of the request panicked.

use axum::response::IntoResponse;
use http::header::CONTENT_LENGTH;

use super::{
    clients::{gets_an_error, gets_catch_panic_response, gets_incomplete_body, gets_no_response},
    layers::{catch_panic, panicking_in_call},
    responses::{fixed, panicking, panicking_in_size_hint, with_is_end_stream},
    row::{Row, handled_by, rejecting, responding_with},
    rows,
};

rows! {
    in_the_setup: in_setup(), gets_no_response => Panicked;
    in_the_setup_and_caught_outside: in_setup().outside(catch_panic), gets_catch_panic_response => Panicked;
    in_the_call: in_call(), gets_no_response => Panicked;
    in_the_call_and_caught_outside: in_call().outside(catch_panic), gets_catch_panic_response => Panicked;
    in_a_poll: in_poll(), gets_no_response => Panicked;
    in_a_poll_and_caught_outside: in_poll().outside(catch_panic), gets_catch_panic_response => Panicked;
    in_an_on_response_callback: in_callback(), gets_no_response => Panicked;
    in_an_on_response_callback_and_caught_outside:
        in_callback().outside(catch_panic), gets_catch_panic_response => Panicked;
    in_a_frame: responding_with(panicking), gets_incomplete_body => Panicked;
    in_a_frame_despite_an_outer_catch_panic_layer:
        responding_with(panicking).outside(catch_panic), gets_incomplete_body => Panicked;

    in_is_end_stream_before_a_frame:
        responding_with(|| with_is_end_stream(panics_at::<0>)), gets_no_response => Panicked;
    in_is_end_stream_after_a_frame: responding_with(|| with_is_end_stream(panics_at::<4>)), gets_an_error => Panicked;
    in_is_end_stream_after_all_bytes:
        responding_with(|| ([(CONTENT_LENGTH, 7)], with_is_end_stream(panics_at::<7>))),
        gets_incomplete_body => Panicked;
    in_is_end_stream_of_a_rejection:
        rejecting(|| with_is_end_stream(panics_at::<0>).into_response()), gets_no_response => Panicked;
    in_size_hint: responding_with(panicking_in_size_hint), gets_no_response => Panicked;
    in_size_hint_and_caught_outside:
        responding_with(panicking_in_size_hint).outside(catch_panic), gets_catch_panic_response => Panicked;
    in_size_hint_of_a_rejection:
        rejecting(|| panicking_in_size_hint().into_response()), gets_no_response => Panicked;
    in_size_hint_called_by_the_server:
        responding_with(|| ([(CONTENT_LENGTH, 7)], panicking_in_size_hint())), gets_no_response => Panicked;
}

fn panics_at<const BYTES: u64>(given: u64) -> bool {
    assert!(given < BYTES, "in is_end_stream");
    false
}

fn in_setup() -> Row {
    responding_with(fixed).with_setup(|_| panic!("in the setup")).uncalled()
}

fn in_call() -> Row {
    responding_with(fixed).inside(panicking_in_call).uncalled()
}

fn in_poll() -> Row {
    handled_by(async |_| {
        tokio::task::yield_now().await;
        panic!("in the handler")
    })
    .without_body()
}

fn in_callback() -> Row {
    responding_with(fixed).with_setup(|store| store.on_response(|_| panic!("in a callback")))
}
