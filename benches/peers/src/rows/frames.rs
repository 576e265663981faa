//! One frame of a body.

use std::{
    convert::Infallible,
    future::ready,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use http_body::{Body, Frame};
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::drive::drive;
use crate::{Group, Row, Target};

const OURS: &str = "ResponseBody";
const LAYER: &str = "RequestContextLayer";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "one frame of a body",
        baseline: true,
        rows: &[
            Row::new("the bare body", |n| collect(Frames(n))),
            Row::new(OURS, |n| collect(wrapped(n))),
            Row::new("Scoped", |n| collect(RequestContext::new(Store::new()).scope(Frames(n)))),
        ],
        targets: &[Target::instructions(OURS, 60.0), Target::allocations(OURS, 0.0)],
    },
    Group {
        name: "a request whose body has 1,000 frames",
        baseline: true,
        rows: &[
            Row::new("the bare service", |n| drive::<_, (), _>(service_fn(thousand), n)),
            Row::new(LAYER, |n| drive::<_, (), _>(RequestContextLayer::new(|_, _| {}).layer(service_fn(thousand)), n)),
        ],
        // The limit of an empty layer, and a thousand times that of a frame.
        targets: &[Target::instructions(LAYER, 60_600.0), Target::allocations(LAYER, 1.0)],
    },
];

/// A body of as many frames as the number says. Its `is_end_stream` and `size_hint` reveal nothing about the end.
struct Frames(u64);

impl Body for Frames {
    type Data = &'static [u8];
    type Error = Infallible;

    // Not inlined, because servers box their bodies.
    #[inline(never)]
    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Infallible>>> {
        let left = black_box(self.0).checked_sub(1);
        Poll::Ready(left.map(|left| {
            self.0 = left;
            Ok(Frame::data(&b"frame"[..]))
        }))
    }
}

fn wrapped(n: u64) -> impl Body {
    let inner = service_fn(move |_: Request<()>| ready(Ok::<_, Infallible>(Response::new(Frames(n)))));
    let future = RequestContextLayer::new(|_, _| {}).layer(inner).call(Request::new(()));
    let Poll::Ready(Ok(response)) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("expected the response at the first poll")
    };
    response.into_body()
}

async fn thousand(_: Request<()>) -> Result<Response<Frames>, Infallible> {
    Ok(Response::new(Frames(1000)))
}

fn collect(body: impl Body) {
    let mut body = pin!(body);
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        let _ = black_box(frame.map_err(drop));
    }
}
