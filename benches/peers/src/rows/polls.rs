//! One more poll of a future that makes something current.

use std::{
    future::poll_fn,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use opentelemetry::context::FutureExt;
use tracing::{Instrument, Span};

use super::values::{EXTENSIONS, context, extensions};
use crate::{Group, Row, Target};

const TASK_LOCAL: &str = "tokio's TaskLocalFuture, an Arc";
const OURS: &str = "Scoped";

pub(crate) const GROUPS: &[Group] = &[Group {
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
}];

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
