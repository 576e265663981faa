//! Model-based tests: random programs must behave the same in the crate and in a reference model. The model is a tree
//! of maps and a stack of current contexts.
//!
//! A program creates contexts, enters and leaves them, reads and writes values, starts work and polls, cancels or
//! spawns it, registers callbacks, and panics. Work is a future, a stream, a bound closure, a run or a request. The
//! `Clone` and `Drop` of its values, its closures, and the guards of `on_enter` run nested programs while the crate is in
//! the middle of an operation. After each step, all reads must return what the model predicts.
//!
//! `cargo test` runs a few hundred programs. For a longer run, which prints how often each event happened:
//!
//! ```text
//! PROPTEST_CASES=10000 cargo test --release --test it model:: -- --nocapture
//! ```
//!
//! Programs that failed once are kept in `known.rs`. proptest saves the seeds of new failures in
//! `tests/proptest-regressions/model.txt` and runs them first. A seed stands for another program after each change of the
//! generator, so copy the shrunk program as well.

mod begin;
mod callback;
mod check;
mod contexts;
mod entries;
mod known;
mod machine;
mod on_enter;
mod operation;
mod perform;
mod program;
mod random;
mod reference;
mod running;
mod value;
mod values;
mod work;

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    mem,
    panic::resume_unwind,
    sync::{
        Arc,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use proptest::test_runner::{
    Config, FileFailurePersistence, TestCaseError, TestError, TestRunner, contextualize_config,
};
use tokio::{runtime::Builder, task::yield_now};

use self::{
    check::check,
    machine::{Machine, OperationGuard, catch_panic, expect_eq, machine, reset, take_fuel},
    operation::OperationKind,
    program::{Op, Program},
};

const PROGRAMS: u32 = 400;

/// The seeds of programs that failed once, in proptest's format.
const REGRESSIONS: &str = include_str!("../proptest-regressions/model.txt");

/// Events that must happen in each full run. If one is missing, the random programs no longer cover it.
const EXPECTED_EVENTS: [&str; 41] = [
    "bound closures called",
    "bound closures dropped",
    "callbacks dropped without a response",
    "callbacks dropped with their store",
    "closures bound",
    "contexts made",
    "futures carried",
    "futures exited",
    "futures scoped",
    "on_enter closures run",
    "on_enter closures that panicked",
    "on_enter guards dropped",
    "on_response calls",
    "on_response calls after another",
    "panics caught",
    "removals",
    "requests",
    "requests in a reused context",
    "runs",
    "runs dropped before a poll",
    "runs in a context",
    "runs outside",
    "sets of absent values",
    "sets of present values",
    "stream items",
    "streams carried",
    "streams dropped half-way",
    "streams exited",
    "streams polled to their end",
    "streams scoped",
    "tasks aborted",
    "tasks spawned",
    "ended Cancelled",
    "ended Completed",
    "ended Failed",
    "ended Panicked",
    "on_end calls after a panicked callback",
    "updates that lost a race",
    "values dropped by a writer",
    "values dropped with their store",
    "values made",
];

#[test]
fn programs_that_failed_once_match_the_model() {
    for program in known::programs() {
        let (fault, _) = run(&program);
        assert_eq!(fault, None, "in {program:?}");
    }
}

#[test]
fn random_programs_match_the_model() {
    let started = Instant::now();
    let (sender, programs) = mpsc::channel();
    let worker = thread::spawn(move || test(&sender));
    let mut count = 0;
    let mut last = None;
    // If the crate held a lock while a value's code runs, the program would hang.
    loop {
        match programs.recv_timeout(Duration::from_secs(60)) {
            Ok(program) => (count, last) = (count + 1, Some(program)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("the program hangs: {last:?}"),
        }
    }
    let counts = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
    println!("{count} programs in {:.1} s", started.elapsed().as_secs_f32());
    for (what, times) in &counts {
        println!("{times:>12} {what}");
    }
    if count >= PROGRAMS {
        let missing: Vec<_> = EXPECTED_EVENTS.into_iter().filter(|what| !counts.contains_key(what)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
    }
}

fn test(running: &Sender<Program>) -> BTreeMap<&'static str, u64> {
    let counts = RefCell::new(BTreeMap::new());
    let config = contextualize_config(Config {
        cases: PROGRAMS,
        max_shrink_iters: 20_000,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("proptest-regressions"))),
        ..Config::default()
    });
    let regressions = REGRESSIONS.lines().filter(|line| line.starts_with("cc ")).count();
    let expected = config.cases as usize + config.failure_persistence.as_ref().map_or(0, |_| regressions);
    let count = Cell::new(0);
    let first_failed = Cell::new(None); // later programs shrink it
    let result = TestRunner::new(config).run(&random::program(), |program| {
        count.set(count.get() + 1);
        running.send(Arc::clone(&program)).expect("the test waits for programs");
        let (fault, new_counts) = run(&program);
        for (what, times) in new_counts {
            *counts.borrow_mut().entry(what).or_default() += times;
        }
        fault.map_or(Ok(()), |fault| {
            first_failed.set(first_failed.get().or(Some(count.get())));
            Err(TestCaseError::fail(fault))
        })
    });
    match result {
        Ok(()) => {
            assert_eq!(count.get(), expected, "number of programs, with {regressions} regressions");
            counts.into_inner()
        }
        Err(TestError::Fail(fault, program)) => {
            let number = first_failed.get().unwrap_or_default();
            panic!("{fault}\nin program {number}, shrunk to {program:?}")
        }
        Err(error) => panic!("{error}"),
    }
}

/// Runs a program on a new runtime, and drops everything that it leaves. Returns the first difference and the counts.
fn run(program: &Program) -> (Option<String>, BTreeMap<&'static str, u64>) {
    reset();
    let runtime = Builder::new_current_thread().build().expect("a runtime without drivers can always be built");
    runtime.block_on(async {
        for op in program.iter() {
            if matches!(op, Op::Tick) {
                let polling = OperationGuard::start(OperationKind::Runtime, None, None);
                yield_now().await;
                drop(polling);
                check();
            } else if take_fuel() {
                catch_panic(|| op.perform());
                check();
            }
        }
        while let Some(leftover) = machine(Machine::take_leftover) {
            let releasing = OperationGuard::start(OperationKind::Runtime, None, None);
            leftover.release().await;
            drop(releasing);
            check();
        }
    });
    let dropping = OperationGuard::start(OperationKind::Runtime, None, None);
    drop(runtime);
    drop(dropping);
    for (id, weak) in machine(|machine| mem::take(&mut machine.weak)) {
        expect_eq(weak.upgrade().is_some(), false, || format!("whether {id} is still alive"));
    }
    expect_eq(machine(|machine| machine.alive), 0, || {
        String::from("what is still alive of values, callbacks, work, closures and guards")
    });
    reset()
}
