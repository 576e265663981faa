//! The operations that have a budget. Do not change this file without need: a new row changes the figures of the others,
//! because the compiler then inlines differently. The program that checks the budgets is a crate of its own, so that it can
//! change.

#![forbid(unsafe_code)]

use std::{
    convert::Infallible,
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{Request, Response, request::Parts};
use http_body::{Body, Frame};
use http_body_util::Full;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer, RequestIdPolicy, Store};

/// A name, an operation that is repeated `n` times, and optionally its baseline.
pub type Row = (&'static str, fn(u64), Option<fn(u64)>);

/// Short operations run ten times per repetition, so that the slack of a budget is small relative to each.
pub const ROWS: &[Row] = &[
    ("an empty layer, over the bare service", empty, Some(bare)),
    ("three values and three reads, over the bare service", three, Some(bare)),
    ("an on_response and an on_end, over the bare service", with_callbacks, Some(bare)),
    ("a request id applied and echoed, over the bare service", with_id, Some(bare)),
    ("ten reads of the value inserted last of three", reads::<2>, None),
    ("ten reads of the value inserted first of three", reads::<0>, None),
    ("ten reads of an absent value", reads::<3>, None),
    ("ten sets", |n| within(|| (0..10 * n).for_each(|i| _ = black_box(RequestContext::set(i)))), None),
    ("ten polls of Scoped", polls, None),
    ("ten frames of a body, over the bare body", |n| drain(framed(10 * n)), Some(|n| drain(Frames(10 * n)))),
];

#[derive(Clone, Copy)]
struct Value<const N: usize>(u64);

fn insert_three(store: &mut Store) {
    store.insert(Value::<0>(0));
    store.insert(Value::<1>(1));
    store.insert(Value::<2>(2));
}

async fn hello(request: Request<()>) -> Result<Response<Full<&'static [u8]>>, Infallible> {
    black_box(request);
    Ok(Response::new(Full::new(b"hello")))
}

fn bare(n: u64) {
    drive(service_fn(hello), n);
}

fn empty(n: u64) {
    drive(RequestContextLayer::new(|_, _| {}).layer(service_fn(hello)), n);
}

fn three(n: u64) {
    let setup = |store: &mut Store, request: &mut Parts| {
        black_box(request);
        insert_three(store);
    };
    let service = service_fn(|request| {
        black_box((read::<0>(), read::<1>(), read::<2>()));
        hello(request)
    });
    drive(RequestContextLayer::new(setup).layer(service), n);
}

fn with_callbacks(n: u64) {
    let setup = |store: &mut Store, _: &mut Parts| {
        store.on_response(|response| _ = black_box(response));
        store.on_end(|end| _ = black_box(end));
    };
    drive(RequestContextLayer::new(setup).layer(service_fn(hello)), n);
}

fn with_id(n: u64) {
    const ID: &str = "0198c1a4-3f1c-7b3e-9f0a-2f6a1b3c4d5e";
    let ids = RequestIdPolicy::new().generate(|_| ID.parse().expect("`ID` is a valid id"));
    let setup = move |store: &mut Store, request: &mut Parts| _ = ids.apply(store, request);
    drive(RequestContextLayer::new(setup).layer(service_fn(hello)), n);
}

/// Sends `n` requests without a runtime: calls the service, polls the future, reads the body to its end, and drops
/// everything.
fn drive<S, B>(mut service: S, n: u64)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let future = service.call(black_box(Request::new(())));
        let Poll::Ready(Ok(response)) = pin!(future).poll(&mut cx) else {
            panic!("expected the response at the first poll")
        };
        drain(black_box(response).into_body());
    }
}

fn drain(body: impl Body) {
    let mut body = pin!(body);
    let mut cx = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(frame)) = body.as_mut().poll_frame(&mut cx) {
        let _ = black_box(frame.map_err(drop));
    }
}

fn within(work: impl FnOnce()) {
    let mut store = Store::new();
    insert_three(&mut store);
    RequestContext::new(store).sync_scope(work);
}

fn reads<const N: usize>(n: u64) {
    within(|| (0..10 * n).for_each(|_| _ = black_box(read::<N>())));
}

fn read<const N: usize>() -> Option<u64> {
    RequestContext::get::<Value<N>>().map(|value| value.0)
}

fn polls(n: u64) {
    let future = poll_fn(|cx| {
        black_box(cx);
        Poll::<()>::Pending
    });
    let mut future = pin!(RequestContext::new(Store::new()).scope(future));
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 * n {
        let _ = black_box(future.as_mut().poll(&mut cx));
    }
}

/// A body of as many frames as the number says. Its `is_end_stream` and `size_hint` reveal nothing about the end.
struct Frames(u64);

impl Body for Frames {
    type Data = &'static [u8];
    type Error = Infallible;

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

fn framed(n: u64) -> impl Body {
    let inner = service_fn(async |request: Request<u64>| Ok::<_, Infallible>(Response::new(Frames(*request.body()))));
    let future = RequestContextLayer::new(|_, _| {}).layer(inner).call(Request::new(n));
    let Poll::Ready(Ok(response)) = pin!(future).poll(&mut Context::from_waker(Waker::noop())) else {
        panic!("expected the response at the first poll")
    };
    response.into_body()
}
