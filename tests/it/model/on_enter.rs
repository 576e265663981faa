//! Closures for `Store::on_enter`, and their guards. They check when they run, and run programs.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tower_request_context::Store;

use super::{
    machine::{count, current_context, expect_eq, fault, in_caught_code, in_closure, in_context, machine, run},
    operation::Panics,
    program::{InitialStore, OnEnter, Program},
    reference::Id,
};

struct Closure {
    id: usize,
    owner: Id,
    calls: AtomicUsize,
    plan: OnEnter,
}

/// Registers closures with a store that is not shared yet.
pub(super) fn register_closures(store: &mut Store, owner: Id, initial_store: &InitialStore) {
    for plan in &initial_store.on_enter {
        let id = machine(|machine| {
            machine.alive += 1;
            machine.model.new_closure(owner)
        });
        let closure = Closure { id, owner, calls: AtomicUsize::new(0), plan: plan.clone() };
        store.on_enter(move || closure.enter());
    }
}

impl Closure {
    fn enter(&self) -> Guard {
        count("on_enter closures run");
        let context = current_context();
        let panics = machine(|machine| machine.model.start_closure(self.id, context)).unwrap_or_else(|text| {
            fault(text);
            Panics::Unknown
        });
        let panic_guard = PanicGuard;
        let enter = || {
            in_closure(context, || {
                if let Some(nested) = self.plan.enter.get(self.calls.fetch_add(1, Ordering::Relaxed)) {
                    run(nested);
                }
            });
        };
        match panics {
            Panics::Propagate => enter(),
            Panics::Caught | Panics::Unknown => in_caught_code(enter),
        }
        mem::forget(panic_guard);
        machine(|machine| {
            machine.alive += 1;
            machine.model.finish_closure(self.id);
        });
        Guard { closure: self.id, context, nested: Arc::clone(&self.plan.leave) }
    }
}

impl Drop for Closure {
    fn drop(&mut self) {
        let (latest, weak) = machine(|machine| {
            machine.alive -= 1;
            (machine.model.nodes[self.owner].on_enter.pop(), machine.weak.get(&self.owner).cloned())
        });
        expect_eq(latest, Some(self.id), || format!("which on_enter closure of {} is dropped", self.owner));
        expect_eq(weak.is_some_and(|weak| weak.upgrade().is_some()), false, || {
            format!("whether {} is alive when its closures are dropped", self.owner)
        });
        in_caught_code(|| in_context(None, || run(&self.plan.drop)));
    }
}

struct PanicGuard;

impl Drop for PanicGuard {
    fn drop(&mut self) {
        count("on_enter closures that panicked");
        machine(|machine| machine.model.closure_panicked());
    }
}

/// Returned by a closure.
struct Guard {
    closure: usize,
    context: Option<Id>,
    nested: Program,
}

impl Drop for Guard {
    fn drop(&mut self) {
        count("on_enter guards dropped");
        let found = current_context();
        let started = machine(|machine| {
            machine.alive -= 1;
            machine.model.start_guard_drop(self.closure, found)
        });
        started.unwrap_or_else(fault);
        let _finish = FinishGuardDrop;
        in_caught_code(|| in_closure(self.context, || run(&self.nested)));
    }
}

struct FinishGuardDrop;

impl Drop for FinishGuardDrop {
    fn drop(&mut self) {
        machine(|machine| machine.model.finish_guard_drop());
    }
}
