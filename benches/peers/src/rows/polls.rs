//! One more poll of a future that carries something along.

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
use crate::Row;

const POLL: &str = "one poll of a future";

pub(crate) const ROWS: &[Row] = &[
    Row {
        group: POLL,
        name: "tokio's TaskLocalFuture, an Arc",
        run: |n| poll(EXTENSIONS.scope(Arc::new(extensions()), pending()), n),
    },
    Row { group: POLL, name: "the bare future", run: |n| poll(pending(), n) },
    Row { group: POLL, name: "Scoped", run: |n| poll(context().scope(pending()), n) },
    Row {
        group: POLL,
        name: "tracing's Instrumented, a disabled span",
        run: |n| poll(pending().instrument(Span::none()), n),
    },
    Row {
        group: POLL,
        name: "opentelemetry's WithContext",
        run: |n| poll(pending().with_context(opentelemetry::Context::new()), n),
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
