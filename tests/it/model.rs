//! Programs at random do the same in the crate and in a plain model: a tree of maps, and a stack of who is current.
//!
//! A program makes contexts, enters and leaves them, reads and writes, begins work and polls, cancels or spawns it,
//! leaves callbacks and panics. So does what it stores: values whose `Clone` and `Drop`, and closures that run while the
//! crate is at work, run programs of their own. After each step all reads have to say what the model says.
//!
//! `cargo test` runs a few hundred programs. The long run, with the counts of what happened in it:
//!
//! ```text
//! PROPTEST_CASES=10000 cargo test --release --test it model:: -- --nocapture
//! ```
//!
//! What once failed is kept in `tests/proptest-regressions/model.txt` and runs first.

mod begin;
mod callback;
mod check;
mod contexts;
mod machine;
mod perform;
mod plain;
mod program;
mod random;
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
    machine::{Machine, catching, expect, machine, reset, take_fuel},
    program::{Op, Program},
};

const PROGRAMS: u32 = 400;

/// The programs that failed once, in the words of proptest.
const KEPT: &str = include_str!("../proptest-regressions/model.txt");

/// What has to happen often enough that its absence means that the programs have become too tame.
const OFTEN: [&str; 26] = [
    "callbacks dropped at an end without a head",
    "callbacks dropped with their store",
    "contexts made",
    "futures carried",
    "futures outside",
    "futures scoped",
    "heads seen",
    "heads seen after another",
    "panics caught",
    "removals",
    "requests",
    "requests in a context that is reused",
    "runs",
    "sets of what was absent",
    "sets of what was there",
    "tasks aborted",
    "tasks spawned",
    "told Cancelled",
    "told Completed",
    "told Failed",
    "told Panicked",
    "told after a callback that panicked",
    "updates that another was quicker than",
    "values dropped by a writer",
    "values dropped with their store",
    "values made",
];

#[test]
fn random_programs_do_in_the_crate_what_they_do_in_the_model() {
    let started = Instant::now();
    let (sender, programs) = mpsc::channel();
    let worker = thread::spawn(move || test(&sender));
    let mut count = 0;
    let mut last = None;
    // The crate's locks are not to be held while a value's code runs: it would hang.
    loop {
        match programs.recv_timeout(Duration::from_secs(60)) {
            Ok(program) => (count, last) = (count + 1, Some(program)),
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => panic!("it hangs: {last:?}"),
        }
    }
    let hits = worker.join().unwrap_or_else(|panic| resume_unwind(panic));
    println!("{count} programs in {:.1} s", started.elapsed().as_secs_f32());
    for (what, times) in &hits {
        println!("{times:>12} {what}");
    }
    if count >= PROGRAMS {
        let seldom: Vec<_> = OFTEN.into_iter().filter(|what| !hits.contains_key(what)).collect();
        assert!(seldom.is_empty(), "never happened: {seldom:?}");
    }
}

fn test(running: &Sender<Program>) -> BTreeMap<&'static str, u64> {
    let hits = RefCell::new(BTreeMap::new());
    let config = contextualize_config(Config {
        cases: PROGRAMS,
        max_shrink_iters: 20_000,
        source_file: Some(file!()),
        failure_persistence: Some(Box::new(FileFailurePersistence::SourceParallel("proptest-regressions"))),
        ..Config::default()
    });
    let kept = KEPT.lines().filter(|line| line.starts_with("cc ")).count();
    let expected = config.cases as usize + config.failure_persistence.as_ref().map_or(0, |_| kept);
    let count = Cell::new(0);
    let result = TestRunner::new(config).run(&random::program(), |program| {
        count.set(count.get() + 1);
        running.send(Arc::clone(&program)).expect("somebody watches");
        let (fault, new_hits) = run(&program);
        for (what, times) in new_hits {
            *hits.borrow_mut().entry(what).or_default() += times;
        }
        fault.map_or(Ok(()), |fault| Err(TestCaseError::fail(fault)))
    });
    match result {
        Ok(()) => {
            assert_eq!(count.get(), expected, "programs, {kept} of which failed once");
            hits.into_inner()
        }
        Err(TestError::Fail(fault, program)) => panic!("{fault}\nin {program:?}"),
        Err(error) => panic!("{error}"),
    }
}

/// Runs a program on a runtime of its own, and lets go of all that it leaves.
fn run(program: &Program) -> (Option<String>, BTreeMap<&'static str, u64>) {
    reset();
    let runtime = Builder::new_current_thread().build().expect("a runtime without drivers needs nothing");
    runtime.block_on(async {
        for op in program.iter() {
            if matches!(op, Op::Tick) {
                yield_now().await;
                check();
            } else if take_fuel() {
                catching(|| op.perform());
                check();
            }
        }
        while let Some(left) = machine(Machine::take_what_is_left) {
            left.let_go().await;
            check();
        }
    });
    drop(runtime);
    for (id, weak) in machine(|machine| mem::take(&mut machine.weak)) {
        expect(weak.upgrade().is_some(), false, || format!("whether {id} is still alive"));
    }
    expect(machine(|machine| machine.alive), 0, || String::from("values, callbacks and works alive"));
    reset()
}
