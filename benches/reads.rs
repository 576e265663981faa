//! Measures reads of an initial value, in a context that has done nothing else, and after writes, callbacks and
//! `get_or_init`. Those are stored apart from the initial values, so the figures of one run should differ by noise only.
//!
//! Run with `cargo bench --bench reads`.

use criterion::{Criterion, criterion_group, criterion_main};
use tokio_test::block_on;
use tower_request_context::{RequestContext, Store};

/// A value of another type, which is never read.
#[derive(Clone)]
struct Other;

fn initial_values() -> Store {
    Store::new().with_value(7_u64).with_value("eight").with_value('9')
}

fn reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read of an initial value");
    let mut measure = |name, store: Store| {
        RequestContext::new(store).sync_scope(|| {
            group.bench_function(name, |bencher| bencher.iter(get));
        });
    };

    measure("in a new context", initial_values());

    let store = initial_values();
    store.set(Other);
    measure("after a `set` of another type", store);

    let mut store = initial_values();
    store.on_end(|_| {});
    store.on_response(|_| {});
    measure("after `on_end` and `on_response`", store);

    let store = initial_values();
    block_on(store.get_or_init(async || Other));
    measure("after a `get_or_init` of another type", store);

    group.finish();
}

// Not inlined, so that all rows measure the same code.
#[inline(never)]
fn get() -> Option<u64> {
    RequestContext::get()
}

criterion_group!(benches, reads);
criterion_main!(benches);
