//! Requests without a runtime: each is called, polled, its body read to the end, and all of it dropped.

use std::{
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use http_body::Body;
use tower::Service;

/// Answers `n` requests, one after the other.
pub(crate) fn drive<S, ReqBody, ResBody>(mut service: S, n: u64)
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ReqBody: Default,
    ResBody: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let future = service.call(black_box(Request::new(ReqBody::default())));
        let Poll::Ready(Ok(response)) = pin!(future).poll(&mut cx) else { panic!("it is ready at once") };
        let mut body = pin!(black_box(response).into_body());
        while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
            let _ = black_box(frame.map_err(drop));
        }
    }
}
