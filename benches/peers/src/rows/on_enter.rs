//! The cost of entering a context: without closures, with `Store::on_enter`, and beside the futures of the libraries whose
//! own context the closures enter.
//!
//! These groups come last. The first closure that is registered with `on_enter`, and the first subscriber of `tracing`, stay
//! for the whole process. The benchmarks of `benches/time.rs` share one process.

use std::{
    future::poll_fn,
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use axum::{
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use opentelemetry::{
    context::FutureExt,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use sentry_core::{Hub, HubSwitchGuard, SentryFutureExt};
use tower::layer::layer_fn;
use tower_request_context::{RequestContext, RequestContextLayer, Store};
use tracing::{Instrument, Span, info_span};

use super::axum::{Identity, ask, hello, route};
use crate::{Group, Row};

const BARE: Row = Row::new("the bare future", |n| poll(pending(), n));
const OURS: &str = "Scoped, with on_enter";

pub(crate) const GROUPS: &[Group] = &[
    Group {
        name: "one poll of a future, with and without on_enter",
        baseline: true,
        rows: &[
            BARE,
            Row::new("Scoped, without on_enter", |n| scoped(Store::new(), n)),
            Row::new("Scoped, while another context has an on_enter", |n| {
                Store::new().on_enter(|| ());
                scoped(Store::new(), n);
            }),
            Row::new("Scoped, with an on_enter that does nothing", |n| {
                let mut store = Store::new();
                store.on_enter(|| ());
                scoped(store, n);
            }),
        ],
        targets: &[],
    },
    Group {
        name: "one poll of a future, in a tracing span without a subscriber",
        baseline: true,
        rows: &[
            BARE,
            Row::new("tracing's Instrumented", |n| poll(pending().instrument(span()), n)),
            Row::new(OURS, |n| scoped(with_span(span()), n)),
        ],
        targets: &[],
    },
    Group {
        name: "one poll of a future, in an OpenTelemetry context",
        baseline: true,
        rows: &[
            BARE,
            Row::new("opentelemetry's WithContext", |n| poll(pending().with_context(otel()), n)),
            Row::new(OURS, |n| scoped(with_otel(Store::new()), n)),
        ],
        targets: &[],
    },
    Group {
        name: "one poll of a future, in a Sentry hub",
        baseline: true,
        rows: &[
            BARE,
            Row::new("sentry-core's SentryFuture", |n| poll(pending().bind_hub(hub()), n)),
            Row::new(OURS, |n| scoped(with_hub(Store::new()), n)),
        ],
        targets: &[],
    },
    Group {
        name: "one poll of a future, in a tracing span of a Registry",
        baseline: true,
        rows: &[
            BARE,
            Row::new("tracing's Instrumented", |n| poll(pending().instrument(registered_span()), n)),
            Row::new(OURS, |n| scoped(with_span(registered_span()), n)),
        ],
        targets: &[],
    },
    Group {
        name: "one poll of a future, in a span, OpenTelemetry and Sentry",
        baseline: true,
        rows: &[
            BARE,
            Row::new("Instrumented, WithContext and SentryFuture", |n| {
                poll(pending().instrument(registered_span()).with_context(otel()).bind_hub(hub()), n);
            }),
            Row::new("Scoped, with three on_enter", |n| {
                scoped(with_hub(with_otel(with_span(registered_span()))), n);
            }),
        ],
        targets: &[],
    },
    Group {
        name: "in axum: a tracing span for each request",
        baseline: true,
        rows: &[
            Row::new("a layer that does nothing", |n| {
                subscribe();
                ask(route(hello).layer(layer_fn(Identity)), n);
            }),
            Row::new("from_fn, tracing's Instrumented", |n| {
                subscribe();
                ask(route(hello).layer(from_fn(instrumented)), n);
            }),
            Row::new("RequestContextLayer, without a span", |n| {
                subscribe();
                ask(route(hello).layer(RequestContextLayer::new(|_, _| {})), n);
            }),
            Row::new("RequestContextLayer, with on_enter", |n| {
                subscribe();
                let layer = RequestContextLayer::new(|store, _| {
                    let span = span();
                    store.on_enter(move || span.clone().entered());
                });
                ask(route(hello).layer(layer), n);
            }),
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

fn scoped(store: Store, n: u64) {
    poll(RequestContext::new(store).scope(pending()), n);
}

fn poll(future: impl Future<Output = ()>, n: u64) {
    let mut future = pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..n {
        let _ = black_box(future.as_mut().poll(&mut cx));
    }
}

/// A disabled span, unless a subscriber is set.
fn span() -> Span {
    info_span!("request")
}

fn registered_span() -> Span {
    subscribe();
    let span = span();
    assert!(!span.is_disabled(), "the registry is the default subscriber");
    span
}

/// Sets the default subscriber of the process, as programs do.
fn subscribe() {
    let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
}

fn with_span(span: Span) -> Store {
    let mut store = Store::new();
    store.on_enter(move || span.clone().entered());
    store
}

fn otel() -> opentelemetry::Context {
    let (trace, span) = (TraceId::from(7), SpanId::from(8));
    let span = SpanContext::new(trace, span, TraceFlags::SAMPLED, true, TraceState::NONE);
    opentelemetry::Context::new().with_remote_span_context(span)
}

fn with_otel(mut store: Store) -> Store {
    let cx = otel();
    store.on_enter(move || cx.clone().attach());
    store
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new_from_top(Hub::main()))
}

fn with_hub(mut store: Store) -> Store {
    let hub = hub();
    store.on_enter(move || HubSwitchGuard::new(Arc::clone(&hub)));
    store
}

async fn instrumented(request: Request, next: Next) -> Response {
    next.run(request).instrument(span()).await
}
