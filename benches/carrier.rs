//! Run with `cargo bench --bench carrier`.
//!
//! What keeps the context current, beside the same thing written on `tokio::task_local!`: an `Arc` of
//! `http::Extensions`. Tokio's would be the simpler one to build on; the figures are what the crate's own gains and costs.

use std::{
    future::{pending, ready},
    hint::black_box,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
};

use criterion::{Criterion, criterion_group, criterion_main};
use http::Extensions;
use tower_request_context::{RequestContext, Store};

tokio::task_local! {
    static TASK_LOCAL: Arc<Extensions>;
}

fn own() -> RequestContext {
    RequestContext::new(Store::new().with_value(7_u64).with_value("eight").with_value('9'))
}

fn tokios() -> Arc<Extensions> {
    let mut values = Extensions::new();
    values.insert(7_u64);
    values.insert("eight");
    values.insert('9');
    Arc::new(values)
}

/// A scope is made, polled to its end and dropped: what each request pays once.
fn scope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a future that is ready");
    let mut cx = Context::from_waker(Waker::noop());
    let (own, tokios) = (own(), tokios());
    group.bench_function("own", |bencher| {
        bencher.iter(|| pin!(own.scope(ready(7_u64))).poll(&mut cx));
    });
    group.bench_function("task_local", |bencher| {
        bencher.iter(|| pin!(TASK_LOCAL.scope(Arc::clone(&tokios), ready(7_u64))).poll(&mut cx));
    });
    group.finish();
}

/// One more poll of a scope that is there: what each wake-up pays.
fn poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a poll of a future that is pending");
    let mut cx = Context::from_waker(Waker::noop());
    let mut own = pin!(own().scope(pending::<()>()));
    let mut tokios = pin!(TASK_LOCAL.scope(tokios(), pending::<()>()));
    group.bench_function("own", |bencher| bencher.iter(|| black_box(own.as_mut()).poll(&mut cx)));
    group.bench_function("task_local", |bencher| bencher.iter(|| black_box(tokios.as_mut()).poll(&mut cx)));
    group.finish();
}

/// A read of the value that was seeded first of three.
fn hit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read that finds");
    own().sync_scope(|| {
        group.bench_function("own", |bencher| bencher.iter(get_from_own));
    });
    TASK_LOCAL.sync_scope(tokios(), || {
        group.bench_function("task_local", |bencher| bencher.iter(get_from_task_local));
    });
    group.finish();
}

/// A read where no context is current.
fn miss(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read outside");
    group.bench_function("own", |bencher| bencher.iter(get_from_own));
    group.bench_function("task_local", |bencher| bencher.iter(get_from_task_local));
    group.finish();
}

// Neither is inlined: each is compiled once, and not as it happens to fit into one of two loops.
#[inline(never)]
fn get_from_own() -> Option<u64> {
    RequestContext::get()
}

#[inline(never)]
fn get_from_task_local() -> Option<u64> {
    TASK_LOCAL.try_with(|values| values.get().copied()).ok()?
}

criterion_group!(benches, scope, poll, hit, miss);
criterion_main!(benches);
