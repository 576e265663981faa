//! The head of a response, as `on_response` callbacks leave it.

use axum::{Router, response::IntoResponse, routing::get};
use http::{HeaderValue, Method, Request, StatusCode, response::Parts};
use tower_request_context::{CallbackError, RequestContext, RequestContextLayer, Store};

use super::{
    answers::{fixed, unending},
    clients::needs_the_head,
    row::{Answer, answering, handling, refusing},
    rows,
    visit::Visit,
};
use crate::support::{Connection, User, VERSIONS, in_time, request, serve, text};

rows! {
    headers_set_three_calls_below_the_handler_arrive:
        handling(handler), is_answered(200, &["deep", "user 7"]) => Completed;
    headers_that_the_setup_asked_for_arrive:
        answering(fixed).setting_up(sign), is_answered(200, &["setup"]) => Completed;
    headers_that_the_setup_asked_for_arrive_with_its_refusal:
        refusing(|| StatusCode::FORBIDDEN.into_response()).setting_up(sign), is_answered(403, &["setup"]) => Completed;
    callbacks_run_in_order_and_see_what_those_before_them_did:
        answering(fixed).setting_up(count_to_three), is_answered(203, &["1", "2", "3"]) => Completed;
    a_status_without_a_body_that_a_callback_chose_is_the_one_that_counts:
        answering(unending).setting_up(empty), needs_the_head(Method::GET, 204) => Completed;
}

#[tokio::test]
async fn headers_that_the_setup_asked_for_arrive_with_a_404() {
    let app = Router::new().route("/known", get(async || ())).layer(RequestContextLayer::new(|store, _| sign(store)));
    let address = serve(app).await;
    for version in VERSIONS {
        let mut connection = Connection::open(address, version).await;
        let response = connection.send(request(address, "/unknown", None)).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{version:?}");
        assert_eq!(response.headers()["x-seen"], "setup", "{version:?}");
        assert_eq!(in_time(text(response)).await, "", "{version:?}");
    }
}

async fn handler(_: Request<axum::body::Body>) -> Answer {
    let answer = service().await?;
    Ok(answer.into_response())
}

async fn service() -> Result<&'static str, CallbackError> {
    tokio::task::yield_now().await;
    repository()?;
    Ok("one two")
}

fn repository() -> Result<(), CallbackError> {
    RequestContext::on_response(|head| see(head, "deep"))?;
    RequestContext::on_response(|head| see(head, &User::name()))
}

fn sign(store: &mut Store) {
    store.on_response(|head| see(head, "setup"));
}

fn count_to_three(store: &mut Store) {
    for number in 1..=3 {
        store.on_response(move |head| {
            assert_eq!(head.headers.get_all("x-seen").iter().count(), number - 1);
            head.status = StatusCode::from_u16(head.status.as_u16() + 1).unwrap();
            see(head, &number.to_string());
        });
    }
}

fn empty(store: &mut Store) {
    store.on_response(|head| head.status = StatusCode::NO_CONTENT);
}

fn see(head: &mut Parts, what: &str) {
    head.headers.append("x-seen", HeaderValue::from_str(what).unwrap());
}

fn is_answered(status: u16, seen: &[&str]) -> impl AsyncFn(&mut Visit) {
    async move |visit: &mut Visit| {
        let response = visit.get().await.unwrap();
        assert_eq!(response.status(), status, "{:?}", visit.stack);
        assert_eq!(response.headers().get_all("x-seen").iter().collect::<Vec<_>>(), seen, "{:?}", visit.stack);
        in_time(text(response)).await;
    }
}
