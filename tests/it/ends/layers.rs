//! The layers around and inside of the context.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    BoxError, Error,
    body::{Body, Bytes},
};
use http::{Request, Response, StatusCode};
use http_body::Frame;
use tower::{Layer, Service, ServiceExt};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer, timeout::TimeoutLayer};

use super::row::App;

pub(crate) fn timeout(app: App) -> App {
    boxed(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(1)).layer(app))
}

pub(crate) fn catch_panic(app: App) -> App {
    boxed(CatchPanicLayer::new().layer(app))
}

pub(crate) fn compression(app: App) -> App {
    boxed(CompressionLayer::new().layer(app))
}

/// Answers with another body, and drops the one it got.
pub(crate) fn replacing(app: App) -> App {
    boxed(app.map_response(|response| response.map(|_| Body::from("another"))))
}

/// Asks on for frames after an error.
pub(crate) fn insisting(app: App) -> App {
    boxed(app.map_response(|response| response.map(Insisting)))
}

/// Panics before there is a future.
pub(crate) fn panicking_in_call(app: App) -> App {
    boxed(app.map_request(|_: Request<Body>| -> Request<Body> { panic!("in the call") }))
}

struct Insisting(Body);

impl http_body::Body for Insisting {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        loop {
            let polled = Pin::new(&mut self.0).poll_frame(cx);
            if !matches!(polled, Poll::Ready(Some(Err(_)))) {
                return polled;
            }
        }
    }
}

fn boxed<S, B>(service: S) -> App
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    App::new(service.map_response(|response| response.map(Body::new)).map_err(Into::into))
}
