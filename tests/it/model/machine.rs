//! What runs a program: against the crate and against the model, step by step.

use std::{
    any::Any,
    cell::{Cell, RefCell},
    collections::BTreeMap,
    fmt::Debug,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    thread,
};

use tokio::task::JoinHandle;
use tower_request_context::{RequestContext, WeakRequestContext};

use super::{
    check::check,
    plain::{Id, Model},
    program::{Program, Seeds},
    running::Running,
};

/// More than most programs need. What they do in their hooks may have no end otherwise.
const FUEL: u32 = 600;
const DEPTH: u32 = 12;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
    /// While it is checked what values say, they do nothing else.
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
pub(super) struct Machine {
    pub(super) model: Model,
    pub(super) handles: Vec<(Id, RequestContext)>,
    pub(super) weak: BTreeMap<Id, WeakRequestContext>,
    pub(super) running: Vec<Running>,
    pub(super) spawned: Vec<JoinHandle<()>>,
    /// What the next setup is to do.
    pub(super) setup: Option<(Id, Seeds)>,
    /// Values and callbacks that have not been dropped.
    pub(super) alive: usize,
    fuel: u32,
    depth: u32,
    /// Whether a panic would be one too many: in a destructor, while another one unwinds.
    must_not_panic: bool,
    faults: Vec<String>,
    hits: BTreeMap<&'static str, u64>,
}

/// What a program leaves, one by one.
pub(super) enum Leftover {
    Running(Running),
    Spawned(JoinHandle<()>),
    Handle(RequestContext),
}

impl Machine {
    pub(super) fn take_what_is_left(&mut self) -> Option<Leftover> {
        let running = self.running.pop().map(Leftover::Running);
        let spawned = || self.spawned.pop().map(Leftover::Spawned);
        running.or_else(spawned).or_else(|| self.handles.pop().map(|(_, context)| Leftover::Handle(context)))
    }
}

impl Leftover {
    pub(super) async fn let_go(self) {
        match self {
            Self::Running(running) => catching(|| drop(running)),
            Self::Handle(context) => catching(|| drop(context)),
            Self::Spawned(task) => {
                task.abort();
                if let Some(payload) = task.await.err().and_then(|error| error.try_into_panic().ok()) {
                    judge(&*payload);
                }
            }
        }
    }
}

/// In the store of each context, to tell whose it is.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Mark(pub(super) Id);

/// What a program panics with.
pub(super) struct Scripted;

/// Nothing of the crate may be called or dropped in `f`.
pub(super) fn machine<R>(f: impl FnOnce(&mut Machine) -> R) -> R {
    MACHINE.with_borrow_mut(f)
}

/// Begins anew, and hands out what was found and how often each thing happened.
pub(super) fn reset() -> (Option<String>, BTreeMap<&'static str, u64>) {
    let new = Machine { fuel: FUEL, ..Machine::default() };
    let mut old = MACHINE.replace(new);
    // Nothing is left of a program that went to its end. What another one left would be dropped into the new machine.
    mem::forget((mem::take(&mut old.running), mem::take(&mut old.handles)));
    ((!old.faults.is_empty()).then(|| old.faults.swap_remove(0)), old.hits)
}

pub(super) fn hit(what: &'static str) {
    machine(|machine| *machine.hits.entry(what).or_default() += 1);
}

/// Notes what is wrong. To panic would not do: the crate contains the panics of callbacks and destructors.
pub(super) fn fault(text: String) {
    machine(|machine| {
        machine.faults.push(text);
        machine.fuel = 0;
    });
}

#[expect(clippy::needless_pass_by_value, reason = "it reads as `assert_eq` does")]
pub(super) fn expect<T: PartialEq + Debug>(found: T, expected: T, what: impl FnOnce() -> String) {
    if found != expected {
        fault(format!("{}: {found:?}, expected {expected:?}", what()));
    }
}

pub(super) fn run(program: &Program) {
    if QUIET.get() || program.is_empty() || machine(|machine| machine.depth == DEPTH) {
        return;
    }
    let _frame = Frame::new(|_| {});
    machine(|machine| machine.depth += 1);
    for op in program.iter() {
        if take_fuel() {
            op.perform();
            check();
        }
    }
}

pub(super) fn take_fuel() -> bool {
    machine(|machine| {
        let is_left = machine.fuel > 0;
        machine.fuel -= u32::from(is_left);
        *machine.hits.entry("steps").or_default() += u64::from(is_left);
        is_left
    })
}

pub(super) fn quietly<R>(f: impl FnOnce() -> R) -> R {
    let was = QUIET.replace(true);
    let result = f();
    QUIET.set(was);
    result
}

pub(super) fn is_quiet() -> bool {
    QUIET.get()
}

/// Runs where the crate has made a context current, or none.
pub(super) fn inside<R>(context: Option<Id>, f: impl FnOnce() -> R) -> R {
    let _frame = Frame::new(|machine| machine.model.enter(context));
    check_current();
    let result = f();
    check_current();
    result
}

/// Runs where the crate has changed nothing about who is current.
pub(super) fn here<R>(f: impl FnOnce() -> R) -> R {
    check_current();
    let result = f();
    check_current();
    result
}

/// Runs in a destructor.
pub(super) fn dropping<R>(f: impl FnOnce() -> R) -> R {
    let _frame = Frame::new(|machine| machine.must_not_panic |= thread::panicking());
    f()
}

/// Runs where the crate will catch a panic and forget it.
pub(super) fn contained(f: impl FnOnce()) {
    let _frame = Frame::new(|machine| machine.must_not_panic = false);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        judge(&*payload);
        resume_unwind(payload);
    }
}

/// Catches what a program panics with.
pub(super) fn catching(f: impl FnOnce()) {
    let caught = {
        let _frame = Frame::new(|machine| machine.must_not_panic = false);
        catch_unwind(AssertUnwindSafe(f))
    };
    if let Err(payload) = caught {
        hit("panics caught");
        judge(&*payload);
    }
}

pub(super) fn panic() {
    if !machine(|machine| machine.must_not_panic) {
        resume_unwind(Box::new(Scripted));
    }
}

/// Only a program may panic.
fn judge(payload: &(dyn Any + Send)) {
    if !payload.is::<Scripted>() {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        fault(format!("a panic: {:?}", text.or_else(|| payload.downcast_ref().copied())));
    }
}

fn check_current() {
    let found = quietly(RequestContext::get::<Mark>).map(|mark| mark.0);
    let expected = machine(|machine| machine.model.current());
    expect(found, expected, || String::from("who is current"));
    if let (Some(id), Some(context)) = (found, RequestContext::current()) {
        machine(|machine| _ = machine.weak.entry(id).or_insert_with(|| context.downgrade()));
    }
}

/// Restores what is restored when a call returns or unwinds.
struct Frame {
    stack: usize,
    depth: u32,
    must_not_panic: bool,
}

impl Frame {
    fn new(change: impl FnOnce(&mut Machine)) -> Self {
        machine(|machine| {
            let Machine { depth, must_not_panic, .. } = *machine;
            let frame = Self { stack: machine.model.depth(), depth, must_not_panic };
            change(machine);
            frame
        })
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        machine(|machine| {
            machine.model.leave_to(self.stack);
            machine.depth = self.depth;
            machine.must_not_panic = self.must_not_panic;
        });
    }
}
