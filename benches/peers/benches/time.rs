//! Run with `cargo bench` in this folder: the time of each row.

use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_request_context_peers::rows;

fn time(criterion: &mut Criterion) {
    for row in rows() {
        criterion.benchmark_group(row.group).bench_function(row.name, |bencher| {
            bencher.iter_custom(|times| {
                let start = Instant::now();
                (row.run)(times);
                start.elapsed()
            });
        });
    }
}

criterion_group!(benches, time);
criterion_main!(benches);
