//! One more poll of a future or stream that makes something current.

use std::{
    future::poll_fn,
    hint::black_box,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use futures_core::Stream;
use opentelemetry::context::FutureExt;
use tracing::{Instrument, Span};

use super::values::{EXTENSIONS, context, extensions};
use crate::{Group, Row, Target};

const TASK_LOCAL: &str = "tokio's TaskLocalFuture, an Arc";
const OURS: &str = "Scoped";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "one poll of a future",
        baseline: false,
        rows: &[
            Row::new(TASK_LOCAL, |n| poll(EXTENSIONS.scope(Arc::new(extensions()), pending()), n)),
            Row::new("the bare future", |n| poll(pending(), n)),
            Row::new(OURS, |n| poll(context().scope(pending()), n)),
            Row::new("tracing's Instrumented, a disabled span", |n| poll(pending().instrument(Span::none()), n)),
            Row::new("opentelemetry's WithContext", |n| {
                poll(pending().with_context(opentelemetry::Context::new()), n);
            }),
        ],
        targets: &[Target::times(OURS, 1.0, TASK_LOCAL), Target::instructions(OURS, 45.0)],
    },
    Group {
        name: "one poll of a stream",
        baseline: true,
        rows: &[
            Row::new("the bare stream", |n| poll_next(Numbers(0), n)),
            Row::new("opentelemetry's WithContext", |n| {
                poll_next(Numbers(0).with_context(opentelemetry::Context::new()), n);
            }),
            Row::new(OURS, |n| poll_next(context().scope(Numbers(0)), n)),
        ],
        targets: &[],
    },
];

fn pending() -> impl Future<Output = ()> {
    poll_fn(|cx| {
        black_box(cx);
        Poll::Pending
    })
}

fn poll(future: impl Future<Output = ()>, n: u64) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let _ = black_box(future.as_mut().poll(&mut cx));
    }
}

/// A stream that is always ready.
struct Numbers(u64);

impl Stream for Numbers {
    type Item = u64;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        black_box(cx);
        self.0 += 1;
        Poll::Ready(Some(self.0))
    }
}

fn poll_next(stream: impl Stream, n: u64) {
    let mut stream = pin!(stream);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let _ = black_box(stream.as_mut().poll_next(&mut cx));
    }
}
