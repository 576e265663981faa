//! Status and headers of a response, as changed by `on_response` callbacks.

use axum::{Router, response::IntoResponse, routing::get};
use http::{HeaderValue, Method, Request, StatusCode, response::Parts};
use tower_request_context::{CallbackError, RequestContext, RequestContextLayer, Store};

use super::{
    clients::gets_response_parts,
    responses::{fixed, unending},
    row::{HandlerResult, handled_by, rejecting, responding_with},
    rows,
    session::Session,
};
use crate::support::{Connection, User, VERSIONS, in_time, request, serve, text};

rows! {
    headers_from_nested_functions_arrive:
        handled_by(handler), gets_seen_headers(200, &["deep", "user 7"]) => Completed;
    headers_from_the_setup_arrive:
        responding_with(fixed).with_setup(add_header), gets_seen_headers(200, &["setup"]) => Completed;
    headers_from_the_setup_arrive_with_its_rejection:
        rejecting(|| StatusCode::FORBIDDEN.into_response()).with_setup(add_header),
        gets_seen_headers(403, &["setup"]) => Completed;
    callbacks_see_changes_of_earlier_ones:
        responding_with(fixed).with_setup(count_to_three), gets_seen_headers(203, &["1", "2", "3"]) => Completed;
    status_from_a_callback_decides_whether_there_is_a_body:
        responding_with(unending).with_setup(empty), gets_response_parts(Method::GET, 204) => Completed;
}

#[tokio::test]
async fn headers_from_the_setup_arrive_with_a_404() {
    let app =
        Router::new().route("/known", get(async || ())).layer(RequestContextLayer::new(|store, _| add_header(store)));
    let address = serve(app).await;
    for version in VERSIONS {
        let mut connection = Connection::open(address, version).await;
        let response = connection.send(request(address, "/unknown", None)).await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND, "{version:?}");
        assert_eq!(response.headers()["x-seen"], "setup", "{version:?}");
        assert_eq!(in_time(text(response)).await, "", "{version:?}");
    }
}

async fn handler(_: Request<axum::body::Body>) -> HandlerResult {
    let answer = service().await?;
    Ok(answer.into_response())
}

async fn service() -> Result<&'static str, CallbackError> {
    tokio::task::yield_now().await;
    repository()?;
    Ok("one two")
}

fn repository() -> Result<(), CallbackError> {
    RequestContext::on_response(|parts| append_seen(parts, "deep"))?;
    RequestContext::on_response(|parts| append_seen(parts, &User::name()))
}

fn add_header(store: &mut Store) {
    store.on_response(|parts| append_seen(parts, "setup"));
}

fn count_to_three(store: &mut Store) {
    for number in 1..=3 {
        store.on_response(move |parts| {
            assert_eq!(parts.headers.get_all("x-seen").iter().count(), number - 1);
            parts.status = StatusCode::from_u16(parts.status.as_u16() + 1).unwrap();
            append_seen(parts, &number.to_string());
        });
    }
}

fn empty(store: &mut Store) {
    store.on_response(|parts| parts.status = StatusCode::NO_CONTENT);
}

fn append_seen(parts: &mut Parts, what: &str) {
    parts.headers.append("x-seen", HeaderValue::from_str(what).unwrap());
}

fn gets_seen_headers(status: u16, seen: &[&str]) -> impl AsyncFn(&mut Session) {
    async move |session: &mut Session| {
        let response = session.get().await.unwrap();
        assert_eq!(response.status(), status, "{:?}", session.stack);
        assert_eq!(response.headers().get_all("x-seen").iter().collect::<Vec<_>>(), seen, "{:?}", session.stack);
        in_time(text(response)).await;
    }
}
