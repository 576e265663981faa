//! A request in stages. Each stage is a function of its own, so that callgrind can count it alone.

use std::{
    hint::black_box,
    pin::{Pin, pin},
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use http_body::Body;
use tower::{Layer, Service, service_fn};
use tower_request_context::RequestContextLayer;

use super::{
    layer::{bare, on_end},
    task_local::TaskLocalService,
};
use crate::Row;

/// The name of each stage, and the function that runs it.
pub const STAGES: &[(&str, &str)] = &[
    ("call", "stage_call"),
    ("poll (ready)", "stage_poll"),
    ("drop of the future", "stage_drop_of_the_future"),
    ("frame", "stage_frame"),
    ("end of the body", "stage_end"),
    ("drop of the body", "stage_drop_of_the_body"),
];

/// The services. The first is the baseline.
pub const SERVICES: &[Row] = &[
    Row::new("the bare service", |n| serve(service_fn(bare), n)),
    Row::new("RequestContextLayer", |n| serve(RequestContextLayer::new(|_, _| {}).layer(service_fn(bare)), n)),
    Row::new("… with an on_end", |n| serve(RequestContextLayer::new(on_end).layer(service_fn(bare)), n)),
    Row::new("task_local!, without completion", |n| serve(TaskLocalService(service_fn(bare)), n)),
];

fn serve<S, B>(mut service: S, n: u64)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: Body,
{
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let mut future = pin!(Some(stage_call(&mut service, black_box(Request::new(())))));
        let response = stage_poll(future.as_mut(), &mut cx);
        stage_drop_of_the_future(future);
        let Some(response) = black_box(response) else { panic!("expected the response at the first poll") };
        let mut body = pin!(Some(response.into_body()));
        black_box(stage_frame(body.as_mut(), &mut cx));
        black_box(stage_end(body.as_mut(), &mut cx));
        stage_drop_of_the_body(body);
    }
}

#[inline(never)]
fn stage_call<S: Service<Request<()>>>(service: &mut S, request: Request<()>) -> S::Future {
    service.call(request)
}

#[inline(never)]
fn stage_poll<F, T, E>(future: Pin<&mut Option<F>>, cx: &mut Context<'_>) -> Option<T>
where
    F: Future<Output = Result<T, E>>,
{
    match future.as_pin_mut()?.poll(cx) {
        Poll::Ready(response) => response.ok(),
        Poll::Pending => None,
    }
}

#[inline(never)]
fn stage_drop_of_the_future<F>(mut future: Pin<&mut Option<F>>) {
    future.set(None);
}

/// Returns whether the body had a frame.
#[inline(never)]
fn stage_frame<B: Body>(body: Pin<&mut Option<B>>, cx: &mut Context<'_>) -> bool {
    body.as_pin_mut().is_some_and(|body| matches!(body.poll_frame(cx), Poll::Ready(Some(Ok(_)))))
}

/// Returns whether the body was at its end.
#[inline(never)]
fn stage_end<B: Body>(body: Pin<&mut Option<B>>, cx: &mut Context<'_>) -> bool {
    body.as_pin_mut().is_some_and(|body| matches!(body.poll_frame(cx), Poll::Ready(None)))
}

#[inline(never)]
fn stage_drop_of_the_body<B>(mut body: Pin<&mut Option<B>>) {
    body.set(None);
}
