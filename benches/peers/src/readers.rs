//! Run with `cargo run --release --bin readers [--markdown]` in this folder, on a machine that does nothing else.
//!
//! How long reads take when a second thread makes as many at the same time: of the same context, and, to know what the
//! machine itself makes of two busy threads, of a context of its own.

use std::{
    env,
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use tower_request_context::{RequestContext, Store};
use tower_request_context_peers::{ratios::Median, table::Wanted};

const READS: u32 = 50_000_000;
const ROUNDS: u32 = 21;
const AT_MOST: f64 = 1.1;

fn main() {
    let wanted = Wanted::new(env::args().skip(1));
    let (one, other) = (context(), context());
    let same = rounds(|| together(&one, &one), || alone(&one));
    let apart = rounds(|| together(&one, &other), || alone(&one));
    let met = if same.median <= AT_MOST { "met" } else { "missed" };
    if wanted.markdown {
        println!("\n| two threads reading, over one | | at most | |\n|---|---|--:|---|");
        println!("| one context | {same} | {AT_MOST} | {met} |\n| a context each | {apart} | | |");
    } else {
        println!("one context:    {same}; at most {AT_MOST}: {met}\na context each: {apart}");
    }
}

fn context() -> RequestContext {
    RequestContext::new(Store::new().with_value(7_u64).with_value("eight").with_value('9'))
}

/// Alternates which of the two comes first.
fn rounds(two: impl Fn() -> Duration, one: impl Fn() -> Duration) -> Median {
    let ratio = |round| {
        if round % 2 == 0 {
            let two = two();
            two.div_duration_f64(one())
        } else {
            let one = one();
            two().div_duration_f64(one)
        }
    };
    Median::of((0..ROUNDS).map(ratio).collect())
}

fn alone(context: &RequestContext) -> Duration {
    thread::scope(|threads| threads.spawn(|| read(context)).join().expect("reads do not panic"))
}

/// The mean of both.
fn together(one: &RequestContext, other: &RequestContext) -> Duration {
    let barrier = &Barrier::new(2);
    thread::scope(|threads| {
        let readers = [one, other].map(|context| {
            threads.spawn(move || {
                barrier.wait();
                read(context)
            })
        });
        readers.map(|reader| reader.join().expect("reads do not panic")).iter().sum::<Duration>() / 2
    })
}

fn read(context: &RequestContext) -> Duration {
    context.sync_scope(|| {
        let start = Instant::now();
        for _ in 0..READS {
            black_box(RequestContext::get::<u64>());
        }
        start.elapsed()
    })
}
