//! Something of the request unwound.

use super::{
    answers::{fixed, panicking},
    clients::{gets_what_caught_it, loses_the_body, loses_the_response},
    layers::{catch_panic, panicking_in_call},
    row::{Row, answering, handling},
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
    answering(fixed).setting_up(|store| assert!(store.on_response(|_| panic!("in a callback"))))
}
