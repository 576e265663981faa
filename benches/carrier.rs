//! Compares the crate's own thread-local with `tokio::task_local!`, which holds an `Arc<http::Extensions>` here.
//! `task_local!` would be simpler to build on. The figures show the gains and the costs of not doing so.
//!
//! Run with `cargo bench --bench carrier`.

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

fn task_local_values() -> Arc<Extensions> {
    let mut values = Extensions::new();
    values.insert(7_u64);
    values.insert("eight");
    values.insert('9');
    Arc::new(values)
}

/// Creates a scope, polls it to completion and drops it. Each request pays this once.
fn scope(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a future that is ready");
    let mut cx = Context::from_waker(Waker::noop());
    let (own, task_local) = (own(), task_local_values());
    group.bench_function("own", |bencher| {
        bencher.iter(|| pin!(own.scope(ready(7_u64))).poll(&mut cx));
    });
    group.bench_function("task_local", |bencher| {
        bencher.iter(|| pin!(TASK_LOCAL.scope(Arc::clone(&task_local), ready(7_u64))).poll(&mut cx));
    });
    group.finish();
}

/// Polls an existing scope once more. Each wake-up pays this.
fn poll(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a poll of a future that is pending");
    let mut cx = Context::from_waker(Waker::noop());
    let mut own = pin!(own().scope(pending::<()>()));
    let mut task_local = pin!(TASK_LOCAL.scope(task_local_values(), pending::<()>()));
    group.bench_function("own", |bencher| bencher.iter(|| black_box(own.as_mut()).poll(&mut cx)));
    group.bench_function("task_local", |bencher| bencher.iter(|| black_box(task_local.as_mut()).poll(&mut cx)));
    group.finish();
}

/// Reads the value that was inserted first of three.
fn hit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read of a present value");
    own().sync_scope(|| {
        group.bench_function("own", |bencher| bencher.iter(get_from_own));
    });
    TASK_LOCAL.sync_scope(task_local_values(), || {
        group.bench_function("task_local", |bencher| bencher.iter(get_from_task_local));
    });
    group.finish();
}

/// Reads without a current context.
fn miss(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read without a context");
    group.bench_function("own", |bencher| bencher.iter(get_from_own));
    group.bench_function("task_local", |bencher| bencher.iter(get_from_task_local));
    group.finish();
}

// Not inlined, so that both groups of reads measure the same code.
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
