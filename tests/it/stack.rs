//! The position of the layer in the stack: catch-panic and timeout layers outside and inside of it, and routes that axum
//! does not wrap.

use std::{any::Any, future::pending, time::Duration};

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use http::{StatusCode, Version, request::Parts};
use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestIdPolicy, Store};

use crate::support::{PATIENCE, User, VERSIONS, client, in_time, layer, request, serve, text};

/// The handler of `/pending` never completes, so any time limit leads to the same response.
const SHORT: Duration = Duration::from_millis(10);

#[tokio::test]
async fn responses_of_inner_error_layers_have_the_request_id() {
    let app = with_error_layers(with_error_layers(routes(), SHORT).layer(with_ids()), PATIENCE);
    for version in VERSIONS {
        let panicked = send(app.clone(), version, "/panics").await;
        let id = panicked.id.expect("the inner layer responds");
        assert_eq!((panicked.status, panicked.body), (StatusCode::INTERNAL_SERVER_ERROR, id), "{version:?}");
        let timed_out = send(app.clone(), version, "/pending").await;
        assert_eq!((timed_out.status, timed_out.id.is_some()), (StatusCode::GATEWAY_TIMEOUT, true), "{version:?}");
    }
}

#[tokio::test]
async fn responses_of_outer_error_layers_have_no_request_id() {
    let app = with_error_layers(routes().layer(with_ids()), SHORT);
    for version in VERSIONS {
        let panicked = send(app.clone(), version, "/panics").await;
        let expected = (StatusCode::INTERNAL_SERVER_ERROR, None, String::from("no id"));
        assert_eq!((panicked.status, panicked.id, panicked.body), expected, "{version:?}");
        let timed_out = send(app.clone(), version, "/pending").await;
        assert_eq!((timed_out.status, timed_out.id), (StatusCode::GATEWAY_TIMEOUT, None), "{version:?}");
    }
}

#[tokio::test]
async fn routes_added_after_the_layer_have_no_context() {
    let read = get(async || match RequestContext::try_get::<User>() {
        Ok(User(id)) => format!("user {id}"),
        Err(ContextError::NoContext) => String::from("no context"),
        Err(other) => other.to_string(),
    });
    let app = Router::new().route("/before", read.clone()).layer(layer()).route("/after", read);
    for version in VERSIONS {
        assert_eq!(send(app.clone(), version, "/before").await.body, "user 7", "{version:?}");
        assert_eq!(send(app.clone(), version, "/after").await.body, "no context", "{version:?}");
    }
}

fn routes() -> Router {
    let panics = async || -> () { panic!("in the handler") };
    Router::new().route("/panics", get(panics)).route("/pending", get(pending::<()>))
}

/// Adds a timeout layer, and a catch-panic layer outside of it.
fn with_error_layers(app: Router, limit: Duration) -> Router {
    app.layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, limit))
        .layer(CatchPanicLayer::custom(panic_response))
}

/// Responds with the id that a panic handler can log.
fn panic_response(_: Box<dyn Any + Send>) -> Response {
    let id = RequestContext::id().map_or_else(|| String::from("no id"), |id| id.to_string());
    (StatusCode::INTERNAL_SERVER_ERROR, id).into_response()
}

fn with_ids() -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    let ids = RequestIdPolicy::new();
    RequestContextLayer::new(move |store, request| {
        ids.apply(store, request);
    })
}

struct Received {
    status: StatusCode,
    id: Option<String>,
    body: String,
}

async fn send(app: Router, version: Version, path: &str) -> Received {
    let address = serve(app).await;
    let response = in_time(client(version).request(request(address, path, Some(User(7))))).await.unwrap();
    let id = response.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned());
    Received { status: response.status(), id, body: in_time(text(response)).await }
}
