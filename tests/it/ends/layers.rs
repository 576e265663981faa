//! Layers inside and outside of the layer under test.

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

use super::row::BoxedService;

pub(crate) fn timeout(app: BoxedService) -> BoxedService {
    boxed(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(1)).layer(app))
}

pub(crate) fn catch_panic(app: BoxedService) -> BoxedService {
    boxed(CatchPanicLayer::new().layer(app))
}

pub(crate) fn compression(app: BoxedService) -> BoxedService {
    boxed(CompressionLayer::new().layer(app))
}

/// Replaces the body of the response.
pub(crate) fn replacing_body(app: BoxedService) -> BoxedService {
    boxed(app.map_response(|response| response.map(|_| Body::from("another"))))
}

/// Polls the body again after an error.
pub(crate) fn polling_after_error(app: BoxedService) -> BoxedService {
    boxed(app.map_response(|response| response.map(PollsAfterError)))
}

/// Panics in `call`.
pub(crate) fn panicking_in_call(app: BoxedService) -> BoxedService {
    boxed(app.map_request(|_: Request<Body>| -> Request<Body> { panic!("in the call") }))
}

struct PollsAfterError(Body);

impl http_body::Body for PollsAfterError {
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

fn boxed<S, B>(service: S) -> BoxedService
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    BoxedService::new(service.map_response(|response| response.map(Body::new)).map_err(Into::into))
}
