//! Runs a program against the crate and the model, step by step.

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
    operation::{Operation, OperationKind},
    program::{InitialStore, Program},
    reference::{Id, Model},
    running::Running,
};

/// The maximum number of steps. Most programs need fewer, but hooks that trigger each other may never stop.
const FUEL: u32 = 600;
/// The maximum depth of nested programs.
const DEPTH: u32 = 12;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
    /// True while values are read for a check. Their hooks do nothing then.
    static HOOKS_DISABLED: Cell<bool> = const { Cell::new(false) };
}

#[derive(Default)]
pub(super) struct Machine {
    pub(super) model: Model,
    pub(super) handles: Vec<(Id, RequestContext)>,
    pub(super) weak: BTreeMap<Id, WeakRequestContext>,
    pub(super) running: Vec<Running>,
    pub(super) spawned: Vec<JoinHandle<()>>,
    /// What the next setup must do.
    pub(super) setup: Option<(Id, InitialStore)>,
    /// Values, callbacks, work, `on_enter` closures and their guards that have not been dropped.
    pub(super) alive: usize,
    fuel: u32,
    depth: u32,
    /// True in a destructor during unwinding, where a panic would abort.
    must_not_panic: bool,
    faults: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

/// Something that a finished program has left, which must be dropped.
pub(super) enum Leftover {
    Running(Running),
    Spawned(JoinHandle<()>),
    Handle(RequestContext),
}

impl Machine {
    pub(super) fn take_leftover(&mut self) -> Option<Leftover> {
        let running = self.running.pop().map(Leftover::Running);
        let spawned = || self.spawned.pop().map(Leftover::Spawned);
        running.or_else(spawned).or_else(|| self.handles.pop().map(|(_, context)| Leftover::Handle(context)))
    }
}

impl Leftover {
    pub(super) async fn release(self) {
        match self {
            Self::Running(running) => catch_panic(|| drop(running)),
            Self::Handle(context) => catch_panic(|| drop(context)),
            Self::Spawned(task) => {
                task.abort();
                if let Some(payload) = task.await.err().and_then(|error| error.try_into_panic().ok()) {
                    check_payload(&*payload);
                }
            }
        }
    }
}

/// Identifies the context. It is an initial value of each store.
#[derive(Clone, Copy, PartialEq)]
pub(super) struct Mark(pub(super) Id);

/// The panic payload of a program.
pub(super) struct ScriptedPanic;

/// Calls `f` with the machine, which is borrowed meanwhile. `f` must not call the crate or drop any of its types.
pub(super) fn machine<R>(f: impl FnOnce(&mut Machine) -> R) -> R {
    MACHINE.with_borrow_mut(f)
}

/// Resets the machine. Returns the first difference of the last program, and how often each event happened.
pub(super) fn reset() -> (Option<String>, BTreeMap<&'static str, u64>) {
    let new = Machine { fuel: FUEL, ..Machine::default() };
    let mut old = MACHINE.replace(new);
    // A program that ran to its end has left nothing. The leftovers of an aborted one would use the new machine if
    // dropped.
    mem::forget((mem::take(&mut old.running), mem::take(&mut old.handles)));
    ((!old.faults.is_empty()).then(|| old.faults.swap_remove(0)), old.counts)
}

pub(super) fn count(what: &'static str) {
    machine(|machine| *machine.counts.entry(what).or_default() += 1);
}

/// Records a difference and stops the program. A panic would not work, because the crate catches panics in callbacks
/// and destructors.
pub(super) fn fault(text: String) {
    machine(|machine| {
        machine.faults.push(text);
        machine.fuel = 0;
    });
}

#[expect(clippy::needless_pass_by_value, reason = "it is called like `assert_eq!`")]
pub(super) fn expect_eq<T: PartialEq + Debug>(found: T, expected: T, what: impl FnOnce() -> String) {
    if found != expected {
        fault(format!("{}: {found:?}, expected {expected:?}", what()));
    }
}

pub(super) fn run(program: &Program) {
    if HOOKS_DISABLED.get() || program.is_empty() || machine(|machine| machine.depth == DEPTH) {
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
        *machine.counts.entry("steps").or_default() += u64::from(is_left);
        is_left
    })
}

pub(super) fn with_hooks_disabled<R>(f: impl FnOnce() -> R) -> R {
    let was = HOOKS_DISABLED.replace(true);
    let result = f();
    HOOKS_DISABLED.set(was);
    result
}

pub(super) fn hooks_are_disabled() -> bool {
    HOOKS_DISABLED.get()
}

/// Runs `f` where the crate has entered this context, or left all contexts. Updates the model's stack.
pub(super) fn in_context<R>(context: Option<Id>, f: impl FnOnce() -> R) -> R {
    machine(|machine| machine.model.check_entered(context)).unwrap_or_else(fault);
    let _frame = Frame::new(|machine| machine.model.enter(context));
    check_current();
    let result = f();
    check_current();
    result
}

/// Runs `f` in an `on_enter` closure of this context, or in the drop of its guard.
pub(super) fn in_closure(context: Option<Id>, f: impl FnOnce()) {
    let _frame = Frame::new(|machine| {
        machine.model.enter(context);
        machine.model.entries.is_in_closure = true;
    });
    in_current_context(f);
}

/// Runs `f`, an operation of the crate that may enter a context.
pub(super) fn operation<R>(kind: OperationKind, context: Option<Id>, f: impl FnOnce() -> R) -> R {
    let _operation = OperationGuard::start(kind, context, None);
    f()
}

/// Ends an operation of the crate when it is dropped.
pub(super) struct OperationGuard(usize);

impl OperationGuard {
    pub(super) fn start(kind: OperationKind, context: Option<Id>, ended_context: Option<Id>) -> Self {
        Self(machine(|machine| machine.model.start_operation(Operation::new(kind, context, ended_context))))
    }
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        machine(|machine| machine.model.end_operation(self.0)).unwrap_or_else(fault);
    }
}

/// Runs `f` where the crate must not have changed the current context.
pub(super) fn in_current_context<R>(f: impl FnOnce() -> R) -> R {
    check_current();
    let result = f();
    check_current();
    result
}

/// Runs `f` in a destructor.
pub(super) fn in_destructor<R>(f: impl FnOnce() -> R) -> R {
    let _frame = Frame::new(|machine| machine.must_not_panic |= thread::panicking());
    f()
}

/// Runs `f` where the crate catches a panic and discards it.
pub(super) fn in_caught_code(f: impl FnOnce()) {
    let _frame = Frame::new(|machine| machine.must_not_panic = false);
    if let Err(payload) = catch_unwind(AssertUnwindSafe(f)) {
        check_payload(&*payload);
        resume_unwind(payload);
    }
}

/// Catches a panic of a program.
pub(super) fn catch_panic(f: impl FnOnce()) {
    let caught = {
        let _frame = Frame::new(|machine| machine.must_not_panic = false);
        catch_unwind(AssertUnwindSafe(f))
    };
    if let Err(payload) = caught {
        count("panics caught");
        check_payload(&*payload);
    }
}

pub(super) fn panic() {
    if !machine(|machine| machine.must_not_panic) {
        resume_unwind(Box::new(ScriptedPanic));
    }
}

/// Reports a panic that no program has caused.
fn check_payload(payload: &(dyn Any + Send)) {
    if !payload.is::<ScriptedPanic>() {
        let text = payload.downcast_ref::<String>().map(String::as_str);
        fault(format!("a panic: {:?}", text.or_else(|| payload.downcast_ref().copied())));
    }
}

/// Returns the context that is current in the crate.
pub(super) fn current_context() -> Option<Id> {
    with_hooks_disabled(RequestContext::get::<Mark>).map(|mark| mark.0)
}

fn check_current() {
    let found = current_context();
    let expected = machine(|machine| machine.model.current());
    expect_eq(found, expected, || String::from("which context is current"));
    if let (Some(id), Some(context)) = (found, RequestContext::current()) {
        machine(|machine| _ = machine.weak.entry(id).or_insert_with(|| context.downgrade()));
    }
}

/// Restores the machine when a call returns or unwinds.
struct Frame {
    stack: usize,
    depth: u32,
    must_not_panic: bool,
    is_in_closure: bool,
}

impl Frame {
    fn new(change: impl FnOnce(&mut Machine)) -> Self {
        machine(|machine| {
            let Machine { depth, must_not_panic, .. } = *machine;
            let is_in_closure = machine.model.entries.is_in_closure;
            let frame = Self { stack: machine.model.depth(), depth, must_not_panic, is_in_closure };
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
            machine.model.entries.is_in_closure = self.is_in_closure;
        });
    }
}
