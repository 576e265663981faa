//! Drives requests without a runtime: calls the service, polls the future, reads the body to its end, and drops everything.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use http_body::Body;
use tower::Service;

/// Sends `n` requests to the service, one after the other.
pub(crate) fn drive<S, ReqBody, ResBody>(mut service: S, n: u64)
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: Default,
    ResBody: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let future = service.call(black_box(Request::new(ReqBody::default())));
        let Poll::Ready(Ok(response)) = pin!(future).poll(&mut cx) else {
            panic!("expected the response at the first poll")
        };
        let mut body = pin!(black_box(response).into_body());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            let _ = black_box(frame.map_err(drop));
        }
    }
}
