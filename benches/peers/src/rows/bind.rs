//! A closure that runs in the current context: bound, called and dropped, with what each library makes current.

use std::{hint::black_box, sync::Arc};

use tower_request_context::RequestContext;
use tracing::Span;

use super::values::{EXTENSIONS, context, extensions};
use crate::{Group, Row};

pub(crate) const GROUPS: &[Group] = &[Group {
    name: "bind a closure to the current context, and call it",
    baseline: true,
    rows: &[
        Row::new("the bare closure", |n| repeat(n, |work| work)),
        Row::new("tokio's task_local!, an Arc", |n| {
            EXTENSIONS.sync_scope(Arc::new(extensions()), || {
                repeat(n, |work| {
                    let values = EXTENSIONS.with(Arc::clone);
                    move || EXTENSIONS.sync_scope(values, work)
                });
            });
        }),
        Row::new("RequestContext::bind", |n| context().sync_scope(|| repeat(n, RequestContext::bind))),
        Row::new("tracing's Span::in_scope, a disabled span", |n| {
            repeat(n, |work| {
                let span = Span::current();
                move || span.in_scope(work)
            });
        }),
        Row::new("opentelemetry's Context::attach", |n| {
            let _guard = opentelemetry::Context::new().attach();
            repeat(n, |work| {
                let context = opentelemetry::Context::current();
                move || {
                    let _guard = context.attach();
                    work()
                }
            });
        }),
    ],
    targets: &[],
}];

type Work = fn() -> u64;

/// Binds a closure `n` times, and calls each.
fn repeat<F>(n: u64, bind: impl Fn(Work) -> F)
where
    F: FnOnce() -> u64,
{
    for _ in 0..n {
        let bound = black_box(bind(black_box(|| 7)));
        black_box(bound());
    }
}
