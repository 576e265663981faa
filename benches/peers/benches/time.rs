//! Measures the time of each row. Run with `cargo bench` in this folder.

use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use tower_request_context_peers::groups;

fn time(criterion: &mut Criterion) {
    for group in groups() {
        let mut benchmarks = criterion.benchmark_group(group.name);
        for row in group.rows {
            let title = format!("{}/{}", group.name, row.name);
            assert!(title.chars().count() <= 100, "criterion would cut off the end of {title:?}");
            benchmarks.bench_function(row.name, |bencher| {
                bencher.iter_custom(|times| {
                    let start = Instant::now();
                    (row.run)(times);
                    start.elapsed()
                });
            });
        }
    }
}

criterion_group!(benches, time);
criterion_main!(benches);
