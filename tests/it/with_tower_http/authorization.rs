//! Async authorization: `AsyncRequireAuthorizationLayer` below the layer sets the user that it looked up.

use std::{convert::Infallible, sync::Arc};

use axum::body::Body;
use futures_util::{future::join_all, stream};
use http::{Request, Response, StatusCode};
use tokio::sync::Barrier;
use tower::ServiceBuilder;
use tower_http::auth::{AsyncAuthorizeRequest, AsyncRequireAuthorizationLayer};
use tower_request_context::{RequestContext, RequestContextLayer};

use super::app::{Served, app};
use crate::{
    recorder::recorder,
    support::{User, in_time, text},
};

/// Looks up the user of a token, once `waiting` requests do so. The user's number is a hundred higher than the token.
fn authorization(
    waiting: usize,
) -> AsyncRequireAuthorizationLayer<
    impl AsyncAuthorizeRequest<Body, RequestBody = Body, ResponseBody = Body, Future: Send> + Clone,
> {
    let gate = Arc::new(Barrier::new(waiting));
    AsyncRequireAuthorizationLayer::new(move |request| authorize(Arc::clone(&gate), request))
}

async fn authorize(gate: Arc<Barrier>, request: Request<Body>) -> Result<Request<Body>, Response<Body>> {
    let (head, body) = request.into_parts();
    gate.wait().await;
    let token = User::of(&head);
    if let Some(User(token)) = token {
        RequestContext::set(User(100 + token)).unwrap();
    }
    gate.wait().await;
    if token.is_none_or(|token| token == REVOKED) {
        let who = Body::from_stream(stream::once(async { Ok::<_, Infallible>(User::name()) }));
        return Err(Response::builder().status(StatusCode::UNAUTHORIZED).body(who).unwrap());
    }
    Ok(Request::from_parts(head, body))
}

const REVOKED: User = User(66);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handler_and_body_see_their_own_authorized_user() {
    let (recorder, _reports) = recorder();
    let users = 1..=16;
    let stack = ServiceBuilder::new().layer(RequestContextLayer::default()).layer(authorization(users.clone().count()));
    let served = Served::start(app(recorder).layer(stack)).await;
    let responses = join_all(users.map(async |token| (token, served.text("/stream", Some(User(token))).await)));
    for (token, response) in responses.await {
        assert_eq!(response, format!("user {}", 100 + token).repeat(3));
    }
}

#[tokio::test]
async fn rejected_authorization_is_streamed_in_the_context() {
    let (recorder, reports) = recorder();
    let stack = ServiceBuilder::new().layer(RequestContextLayer::default()).layer(authorization(1));
    let served = Served::start(app(recorder).layer(stack)).await;
    for (token, who) in [(None, "nobody"), (Some(REVOKED), "user 166")] {
        let response = served.get("/stream", token).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(in_time(text(response)).await, who);
        assert!(reports.is_empty());
    }
    assert_eq!(served.text("/user", Some(User(7))).await, "user 107");
}
