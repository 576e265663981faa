//! Something of the request unwound.

use axum::response::IntoResponse;
use http::header::CONTENT_LENGTH;

use super::{
    answers::{asking, fixed, panicking, panicking_in_size_hint},
    clients::{gets_what_caught_it, loses_it, loses_the_body, loses_the_response},
    layers::{catch_panic, panicking_in_call},
    row::{Row, answering, handling, refusing},
    rows,
};

rows! {
    in_the_setup: in_setup(), loses_the_response => Panicked;
    in_the_setup_and_caught_outside: in_setup().outside(catch_panic), gets_what_caught_it => Panicked;
    in_the_call: in_call(), loses_the_response => Panicked;
    in_the_call_and_caught_outside: in_call().outside(catch_panic), gets_what_caught_it => Panicked;
    in_a_poll: in_poll(), loses_the_response => Panicked;
    in_a_poll_and_caught_outside: in_poll().outside(catch_panic), gets_what_caught_it => Panicked;
    in_an_on_response_callback: in_callback(), loses_the_response => Panicked;
    in_an_on_response_callback_and_caught_outside: in_callback().outside(catch_panic), gets_what_caught_it => Panicked;
    in_a_frame: answering(panicking), loses_the_body => Panicked;
    in_a_frame_which_nobody_catches_outside: answering(panicking).outside(catch_panic), loses_the_body => Panicked;

    in_is_end_stream_before_a_frame: answering(|| asking(panics_at::<0>)), loses_the_response => Panicked;
    in_is_end_stream_after_a_frame: answering(|| asking(panics_at::<4>)), loses_it => Panicked;
    in_is_end_stream_after_all_bytes:
        answering(|| ([(CONTENT_LENGTH, 7)], asking(panics_at::<7>))), loses_the_body => Panicked;
    in_is_end_stream_of_a_rejection:
        refusing(|| asking(panics_at::<0>).into_response()), loses_the_response => Panicked;
    in_size_hint: answering(panicking_in_size_hint), loses_the_response => Panicked;
    in_size_hint_and_caught_outside:
        answering(panicking_in_size_hint).outside(catch_panic), gets_what_caught_it => Panicked;
    in_size_hint_of_a_rejection:
        refusing(|| panicking_in_size_hint().into_response()), loses_the_response => Panicked;
    in_size_hint_as_the_server_calls_it:
        answering(|| ([(CONTENT_LENGTH, 7)], panicking_in_size_hint())), loses_the_response => Panicked;
}

fn panics_at<const BYTES: u64>(given: u64) -> bool {
    assert!(given < BYTES, "in is_end_stream");
    false
}

fn in_setup() -> Row {
    answering(fixed).setting_up(|_| panic!("in the setup")).uncalled()
}

fn in_call() -> Row {
    answering(fixed).inside(panicking_in_call).uncalled()
}

fn in_poll() -> Row {
    handling(async |_| {
        tokio::task::yield_now().await;
        panic!("in the handler")
    })
    .without_body()
}

fn in_callback() -> Row {
    answering(fixed).setting_up(|store| store.on_response(|_| panic!("in a callback")))
}
