//! Async middleware on both sides of the layer, and a setup that rejects requests.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::HeaderValue,
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use futures_util::{future::join_all, stream};
use http::{HeaderMap, StatusCode};
use tokio::sync::Barrier;
use tower_request_context::{RequestContext, RequestContextLayer};

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

#[tokio::test]
async fn middleware_below_the_layer_can_await_and_set_the_user() {
    for version in VERSIONS {
        let all = Arc::new(Barrier::new(10));
        let app = Router::new()
            .route("/", get(handler_then_body))
            .layer(from_fn_with_state(all, look_up))
            .layer(RequestContextLayer::default());
        let site = &Site::open(app, version).await;
        let texts = join_all((1..=10).map(|id| site.text("/", Some(User(id))))).await;
        let expected: Vec<_> = (1..=10).map(|id| format!("handler: user {id}, body: user {id}")).collect();
        assert_eq!(texts, expected, "{version:?}");
    }
}

#[tokio::test]
async fn middleware_above_the_layer_has_no_context() {
    async fn above(request: Request, next: Next) -> Response {
        let before = RequestContext::is_active();
        let mut response = next.run(request).await;
        let after = RequestContext::is_active();
        let report = HeaderValue::try_from(format!("before: {before}, after: {after}")).unwrap();
        response.headers_mut().insert("x-above", report);
        response
    }

    for version in VERSIONS {
        let app = Router::new().route("/", get(handler_then_body)).layer(layer()).layer(from_fn(above));
        let site = Site::open(app, version).await;
        let response = site.send("/", Some(User(1))).await;
        assert_eq!(response.headers()["x-above"], "before: false, after: false", "{version:?}");
        assert_eq!(in_time(text(response)).await, "handler: user 1, body: user 1", "{version:?}");
    }
}

#[tokio::test]
#[expect(clippy::result_large_err, reason = "a rejection is a whole response")]
async fn rejection_is_the_response_and_skips_the_handler() {
    for version in VERSIONS {
        let calls = Arc::new(AtomicUsize::new(0));
        let handler = async |State(calls): State<Arc<AtomicUsize>>| {
            calls.fetch_add(1, Ordering::SeqCst);
            User::name()
        };
        let gate = RequestContextLayer::new(|store, head| {
            store.insert(User::of(head).ok_or_else(|| (StatusCode::UNAUTHORIZED, "who are you?").into_response())?);
            if head.uri.path() == "/forbidden" {
                return Err(StatusCode::FORBIDDEN.into_response());
            }
            Ok(())
        });
        let app = Router::new().fallback(handler).layer(gate).with_state(Arc::clone(&calls));
        let site = Site::open(app, version).await;
        let response = |status, body: &str| (status, body.to_owned());

        assert_eq!(site.get("/", None).await, response(StatusCode::UNAUTHORIZED, "who are you?"), "{version:?}");
        assert_eq!(site.get("/forbidden", Some(User(1))).await, response(StatusCode::FORBIDDEN, ""), "{version:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 0, "{version:?}");
        assert_eq!(site.get("/", Some(User(1))).await, response(StatusCode::OK, "user 1"), "{version:?}");
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{version:?}");
    }
}

/// Looks up the user while all other requests look up theirs, and sets it.
async fn look_up(State(all): State<Arc<Barrier>>, headers: HeaderMap, request: Request, next: Next) -> Response {
    all.wait().await;
    let id = headers[User::HEADER].to_str().unwrap().parse().unwrap();
    RequestContext::set(User(id)).unwrap();
    all.wait().await;
    next.run(request).await
}

async fn handler_then_body() -> Body {
    let handler = User::name();
    Body::from_stream(stream::once(async move {
        Ok::<_, Infallible>(format!("handler: {handler}, body: {}", User::name()))
    }))
}
