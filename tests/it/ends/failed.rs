//! Requests that end `Failed`: the inner service or the response body returned an error.

use axum::response::IntoResponse;

use super::{
    clients::{gets_body, gets_incomplete_body, gets_no_response},
    layers::polling_after_error,
    responses::failing,
    row::{Row, handled_by, rejecting, responding_with},
    rows,
    session::Server,
};

rows! {
    by_an_error_of_the_body: responding_with(failing), gets_incomplete_body => Failed;
    by_an_error_of_the_body_that_is_polled_again:
        responding_with(failing).outside(polling_after_error), gets_body("one ") => Failed;
    by_an_error_of_a_rejection_body: rejecting(|| failing().into_response()), gets_incomplete_body => Failed;
    by_an_error_of_the_service: failed().only_under(&[Server::Hyper]), gets_no_response => Failed;
}

fn failed() -> Row {
    handled_by(async |_| Err("on purpose".into())).without_body()
}
