//! Body frames, which are created after the handler has returned.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use futures_util::{StreamExt, join, stream};
use tokio::sync::Barrier;
use tower_request_context::RequestContext;

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

#[tokio::test]
async fn frames_of_overlapping_requests_see_their_own_user() {
    for version in VERSIONS {
        let barrier = Arc::new(Barrier::new(4));
        let app = Router::new().route("/", get(frames)).layer(layer()).with_state(Arc::clone(&barrier));
        let site = Site::open(app, version).await;

        // No frame passes the barrier until all three responses have arrived and this test waits, too.
        let one = site.send("/", Some(User(1))).await;
        let anonymous = site.send("/", None).await;
        let two = site.send("/", Some(User(2))).await;
        let rounds = async {
            for _ in 0..3 {
                barrier.wait().await;
                assert!(!RequestContext::is_active());
            }
        };
        let (one, anonymous, two, ()) = in_time(async { join!(text(one), text(anonymous), text(two), rounds) }).await;
        assert_eq!(one, "user 1, user 1; ".repeat(3), "{version:?}");
        assert_eq!(anonymous, "nobody, nobody; ".repeat(3), "{version:?}");
        assert_eq!(two, "user 2, user 2; ".repeat(3), "{version:?}");
    }
}

/// E3, F10 (apartment 600, sentry-rust 1208): the body is polled after the handler has returned.
#[tokio::test]
async fn body_sees_the_user_unlike_with_a_task_local() {
    tokio::task_local! {
        static USER: User;
    }

    async fn scope(request: Request, next: Next) -> Response {
        let (head, body) = request.into_parts();
        let user = User::of(&head).unwrap();
        USER.scope(user, next.run(Request::from_parts(head, body))).await
    }

    let by_task_local = || USER.try_with(|user| *user).ok();
    let plain = Router::new().route("/", get(async move || handler_and_body(by_task_local))).layer(from_fn(scope));
    let ours = Router::new().route("/", get(async || handler_and_body(RequestContext::get))).layer(layer());
    for version in VERSIONS {
        let plain = Site::open(plain.clone(), version).await;
        let ours = Site::open(ours.clone(), version).await;
        assert_eq!(plain.text("/", Some(User(7))).await, "handler: Some(User(7)), body: None", "{version:?}");
        assert_eq!(ours.text("/", Some(User(7))).await, "handler: Some(User(7)), body: Some(User(7))", "{version:?}");
    }
}

/// Returns three frames. Each reads the user, waits for the frames of the other requests, and reads it again.
async fn frames(State(barrier): State<Arc<Barrier>>) -> Body {
    Body::from_stream(stream::iter(0..3).then(move |_| {
        let barrier = Arc::clone(&barrier);
        async move {
            let before = User::name();
            barrier.wait().await;
            Ok::<_, Infallible>(format!("{before}, {}; ", User::name()))
        }
    }))
}

/// The same streaming handler, for any function that returns the user.
fn handler_and_body(user: impl Fn() -> Option<User> + Send + 'static) -> Body {
    let in_handler = user();
    Body::from_stream(stream::once(async move {
        Ok::<_, Infallible>(format!("handler: {in_handler:?}, body: {:?}", user()))
    }))
}
