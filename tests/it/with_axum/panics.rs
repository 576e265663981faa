//! A panic has the same effect as under plain axum, and leaves no context on the thread.
//!
//! The runtime of these tests has one thread, so the next request would find a context that a panic left there.

use std::{convert::Infallible, net::SocketAddr};

use axum::{Router, body::Body, extract::Request, routing::get};
use futures_util::{StreamExt, stream};
use http::{Response, StatusCode, Version, request::Parts};
use http_body_util::BodyExt;
use tokio::{sync::mpsc::unbounded_channel, task::yield_now};
use tower::util::MapRequestLayer;
use tower_request_context::{RequestContext, RequestContextLayer};

use super::DropProbe;
use crate::support::{Connection, User, VERSIONS, in_time, layer, request, serve, text};

/// The response to a panicking request, and the body of the response to an anonymous request on the same connection.
#[derive(Debug, PartialEq)]
struct Outcome {
    status: Option<StatusCode>,
    whole_body: bool,
    next: Option<String>,
}

#[tokio::test(flavor = "current_thread")]
async fn a_panicking_handler_leaves_the_thread_clean() {
    for version in VERSIONS {
        assert_clean_after("/handler", version, None).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_panicking_body_leaves_the_thread_clean() {
    for version in VERSIONS {
        assert_clean_after("/body", version, Some(StatusCode::OK)).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_panicking_setup_leaves_the_thread_clean() {
    for version in VERSIONS {
        assert_clean_after("/setup", version, None).await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn values_held_during_a_panic_are_dropped_in_their_context() {
    for version in VERSIONS {
        let (sender, mut users_at_drop) = unbounded_channel();
        let address = serve(routes(move || DropProbe(sender.clone())).layer(layer())).await;
        for path in ["/handler", "/body"] {
            send_panicking(address, path, version).await;
            assert_eq!(in_time(users_at_drop.recv()).await.unwrap(), "user 7", "{path} {version:?}");
        }
    }
}

async fn assert_clean_after(path: &str, version: Version, status: Option<StatusCode>) {
    // A panic closes an HTTP/1.1 connection, but only the stream of an HTTP/2 connection.
    let next = (version == Version::HTTP_2).then(|| String::from("nobody"));
    let expected = Outcome { status, whole_body: false, next };
    let (plain, layered) = (serve(plain()).await, serve(layered()).await);
    assert_eq!(send_panicking(plain, path, version).await, expected, "{path} {version:?}, plain axum");
    assert_eq!(send_panicking(layered, path, version).await, expected, "{path} {version:?}");
    assert!(!RequestContext::is_active(), "{path} {version:?}");

    let mut connection = Connection::open(layered, version).await;
    for (user, name) in [(None, "nobody"), (Some(User(8)), "user 8"), (None, "nobody")] {
        let response = connection.send(request(layered, "/", user)).await.unwrap();
        assert_eq!(in_time(text(response)).await, name, "{path} {version:?}");
    }
}

async fn send_panicking(address: SocketAddr, path: &str, version: Version) -> Outcome {
    let mut connection = Connection::open(address, version).await;
    let response = connection.send(request(address, path, Some(User(7)))).await.ok();
    let status = response.as_ref().map(Response::status);
    let whole_body = match response {
        Some(response) => in_time(response.collect()).await.is_ok(),
        None => false,
    };
    let next = match connection.send(request(address, "/", None)).await {
        Ok(response) => Some(in_time(text(response)).await),
        Err(_) => None,
    };
    Outcome { status, whole_body, next }
}

fn layered() -> Router {
    routes(|| ()).layer(RequestContextLayer::new(|store, head| {
        if let Some(user) = User::of(head) {
            store.insert(user);
        }
        setup(head);
    }))
}

/// Routes without a context. A middleware does what the setup does in the other application.
fn plain() -> Router {
    routes(|| ()).layer(MapRequestLayer::new(|request: Request| {
        let (head, body) = request.into_parts();
        setup(&head);
        Request::from_parts(head, body)
    }))
}

/// Routes that panic while they hold a value from `keep`.
fn routes<K: Send + 'static>(keep: impl Fn() -> K + Clone + Send + Sync + 'static) -> Router {
    let keep_in_handler = keep.clone();
    Router::new()
        .route("/", get(async || User::name()))
        .route("/handler", get(async move || handler(keep_in_handler()).await))
        .route("/body", get(async move || body(keep())))
        .route("/setup", get(async || ()))
}

fn setup(head: &Parts) {
    assert_ne!(head.uri.path(), "/setup", "a panic in the setup");
}

async fn handler<K>(_kept: K) {
    yield_now().await;
    panic!("a panic in the handler");
}

fn body<K: Send + 'static>(kept: K) -> Body {
    let panics = async {
        // Lets the status, headers and first frame be sent.
        yield_now().await;
        panic!("a panic in the body");
    };
    let frames = stream::once(async { "begun" }).chain(stream::once(panics));
    // The stream holds the value, and not the future that panics. Otherwise the panic itself would drop the value.
    Body::from_stream(frames.map(move |frame| {
        let _kept = &kept;
        Ok::<_, Infallible>(frame)
    }))
}
