//! Run with `cargo bench --bench reads`.
//!
//! A read of a seeded value, in a request that has done nothing else and in requests that did: what is written late,
//! called later or made once has its own place, so the figures of one run should differ by noise.

use criterion::{Criterion, criterion_group, criterion_main};
use tokio_test::block_on;
use tower_request_context::{RequestContext, Store};

/// A value of a type that nobody reads.
#[derive(Clone)]
struct Other;

fn seeded() -> Store {
    Store::new().with_value(7_u64).with_value("eight").with_value('9')
}

fn reads(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a read of a seed");
    let mut measure = |name, store: Store| {
        RequestContext::new(store).sync_scope(|| {
            group.bench_function(name, |bencher| bencher.iter(get));
        });
    };

    measure("in a fresh request", seeded());

    let store = seeded();
    store.set(Other);
    measure("after a late `set` of another type", store);

    let mut store = seeded();
    store.on_end(|_| {});
    store.on_response(|_| {});
    measure("after `on_end` and `on_response`", store);

    let store = seeded();
    block_on(store.get_or_init(async || Other));
    measure("after a `get_or_init` of another type", store);

    group.finish();
}

// Not inlined: compiled once, and not as it happens to fit into each loop.
#[inline(never)]
fn get() -> Option<u64> {
    RequestContext::get()
}

criterion_group!(benches, reads);
criterion_main!(benches);
