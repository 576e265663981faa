//! Handlers that report the users that they see.

use std::{future::pending, io, net::SocketAddr};

use axum::{Router, body::Body, extract::State, routing::get};
use futures_util::{Stream, StreamExt, stream};
use http::{HeaderValue, Request, Response, StatusCode, Version, header::ACCEPT_ENCODING};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tower_request_context::RequestContext;

use crate::{
    recorder::Recorder,
    support::{User, client, in_time, request, serve, text},
};

pub(crate) fn app(recorder: Recorder) -> Router {
    Router::new()
        .route("/user", get(async || User::name()))
        .route("/error", get(async || StatusCode::INTERNAL_SERVER_ERROR))
        .route("/stream", get(async |State(recorder)| Body::from_stream(frames(recorder, None))))
        .route("/broken", get(async |State(recorder)| Body::from_stream(frames(recorder, Some("broken")))))
        .route("/hold", get(hold))
        .route(
            "/stream-on",
            get(async |State(recorder)| Body::from_stream(frames(recorder, None).chain(stream::pending()))),
        )
        .route("/panic", get(panic))
        .route("/panic-in-call", get(async || {}))
        .with_state(recorder)
}

/// Panics before there is a future. It belongs innermost in a stack.
pub(crate) fn panic_in_call(request: Request<Body>) -> Request<Body> {
    assert_ne!(request.uri().path(), "/panic-in-call", "on purpose");
    request
}

async fn hold(State(recorder): State<Recorder>) {
    let _dropped = recorder.drop_of("future dropped");
    recorder.saw("holding");
    pending::<()>().await;
}

async fn panic(State(recorder): State<Recorder>) {
    let _dropped = recorder.drop_of("future dropped");
    tokio::task::yield_now().await;
    panic!("on purpose");
}

/// Returns three frames, each of which is pending once and contains the current user, and then perhaps an error.
fn frames(recorder: Recorder, failure: Option<&'static str>) -> impl Stream<Item = io::Result<String>> {
    let dropped = recorder.drop_of("body dropped");
    let frames = (0..3).map(|_| None).chain(failure.map(Some));
    stream::iter(frames).then(move |failure| {
        let _ = &dropped;
        let recorder = recorder.clone();
        async move {
            tokio::task::yield_now().await;
            recorder.saw("frame");
            failure.map_or_else(|| Ok(User::name()), |failure| Err(io::Error::other(failure)))
        }
    })
}

/// A served application, and a client that keeps its connection and accepts gzip.
pub(crate) struct Served {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Served {
    /// Serves an application, with an additional route that its layers do not cover.
    pub(crate) async fn start(app: Router) -> Self {
        let app = app.route("/outside", get(async || RequestContext::is_active().to_string()));
        Self { address: serve(app).await, client: client(Version::HTTP_11) }
    }

    pub(crate) async fn get(&self, path: &str, user: Option<User>) -> Response<Incoming> {
        let mut request = request(self.address, path, user);
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        in_time(self.client.request(request)).await.unwrap()
    }

    pub(crate) async fn text(&self, path: &str, user: Option<User>) -> String {
        in_time(text(self.get(path, user).await)).await
    }
}
