//! The inner service or the response body returned an error.

use axum::response::IntoResponse;

use super::{
    answers::failing,
    clients::{loses_the_body, loses_the_response, reads},
    layers::insisting,
    row::{Row, answering, handling, refusing},
    rows,
    visit::Server,
};

rows! {
    by_an_error_of_the_body: answering(failing), loses_the_body => Failed;
    by_an_error_of_the_body_after_which_nothing_comes: answering(failing).outside(insisting), reads("one ") => Failed;
    by_an_error_of_a_refusal: refusing(|| failing().into_response()), loses_the_body => Failed;
    by_an_error_of_the_service: failed().only_under(&[Server::Hyper]), loses_the_response => Failed;
}

fn failed() -> Row {
    handling(async |_| Err("on purpose".into())).without_body()
}
