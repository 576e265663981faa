//! Measures how long reads take while a second thread reads the same context. A second measurement, in which each thread
//! reads a context of its own, shows how much two busy threads slow each other down on this machine anyway.
//!
//! Run with `cargo run --release --bin readers [--markdown]` in this folder, on a machine that is otherwise idle.

use std::{
    env,
    hint::black_box,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use tower_request_context::{RequestContext, Store};
use tower_request_context_peers::{ratios::Median, table::Arguments};

const READS: u32 = 50_000_000;
const ROUNDS: u32 = 21;
const LIMIT: f64 = 1.1;

fn main() {
    let arguments = Arguments::new(env::args().skip(1));
    let (one, other) = (context(), context());
    let same = rounds(|| together(&one, &one), || alone(&one));
    let apart = rounds(|| together(&one, &other), || alone(&one));
    let met = if same.median <= LIMIT { "met" } else { "missed" };
    println!("\nMedians of {ROUNDS} rounds. Brackets hold their 95 % intervals.");
    if arguments.markdown {
        println!("\n| time of two reading threads, relative to one | ratio | at most | result |\n|---|---|--:|---|");
        println!("| one context | {same} | {LIMIT} | {met} |\n| one context each | {apart} | | |");
    } else {
        println!("one context:      {same}; at most {LIMIT}: {met}\none context each: {apart}");
    }
}

fn context() -> RequestContext {
    RequestContext::new(Store::new().with_value(7_u64).with_value("eight").with_value('9'))
}

/// Measures both in each round, and alternates which comes first.
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

/// Returns the mean time of both threads.
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
