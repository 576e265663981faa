//! Callbacks that check when they are called, and why they are dropped without being called.

use std::{mem, sync::Arc};

use http::{HeaderName, HeaderValue, response::Parts};
use tower_request_context::{End, RequestContext, Store};

use super::{
    contexts::Handle,
    machine::{
        Machine, count, expect_eq, fault, in_caught_code, in_context, in_current_context, in_destructor, machine,
        operation, run,
    },
    operation::OperationKind,
    program::{InitialStore, Program},
    reference::{Id, Phase, Role},
};

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-callback");

pub(super) struct Callback {
    id: usize,
    /// The context whose request or run calls it; `None` if the registration is rejected.
    owner: Option<Id>,
    nested: Program,
    is_called: bool,
}

impl Callback {
    fn new(machine: &mut Machine, owner: Option<Id>, nested: &Program) -> Self {
        machine.alive += 1;
        Self { id: machine.model.new_callback(), owner, nested: Arc::clone(nested), is_called: false }
    }

    fn call_with_response(mut self, parts: &mut Parts) {
        self.is_called = true;
        let owner = self.owner.expect("it was not rejected");
        let next = machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            node.called.push(self.id);
            (node.on_response.pop_front(), node.phase)
        });
        let is_first = machine(|machine| machine.model.nodes[owner].called.len() == 1);
        count(if is_first { "on_response calls" } else { "on_response calls after another" });
        expect_eq(next, (Some(self.id), Phase::ResponseReady), || {
            format!("which on_response callback of {owner} is called")
        });
        parts.headers.append(HEADER, HeaderValue::from(self.id));
        let guard = RequestPanicGuard(owner);
        in_context(self.owner, || run(&self.nested));
        mem::forget(guard);
    }

    fn call_with_end(mut self, end: End) {
        count(match end {
            End::Completed => "ended Completed",
            End::Failed => "ended Failed",
            End::Cancelled => "ended Cancelled",
            _ => "ended Panicked",
        });
        self.is_called = true;
        let owner = self.owner.expect("it was not rejected");
        let next = machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            (node.on_end.pop_front(), node.end, node.phase)
        });
        expect_eq(next, (Some(self.id), Some(end), Phase::Ended), || {
            format!("which on_end callback of {owner} is called")
        });
        if machine(|machine| machine.model.nodes[owner].has_panicked_at_end) {
            count("on_end calls after a panicked callback");
        }
        in_caught_code(|| {
            let guard = EndPanicGuard(owner);
            in_context(self.owner, || run(&self.nested));
            mem::forget(guard);
        });
    }
}

/// Records a panic in an `on_end` callback, which the crate catches.
struct EndPanicGuard(Id);

impl Drop for EndPanicGuard {
    fn drop(&mut self) {
        machine(|machine| machine.model.nodes[self.0].has_panicked_at_end = true);
    }
}

/// Records a panic in an `on_response` callback, with which the request ends.
struct RequestPanicGuard(Id);

impl Drop for RequestPanicGuard {
    fn drop(&mut self) {
        machine(|machine| {
            let node = &mut machine.model.nodes[self.0];
            node.set_panicked();
            node.ends_on_drop = true;
        });
    }
}

/// Why a callback is dropped without being called.
enum Uncalled {
    Rejected,
    /// The request ends without a response.
    NoResponse(Id),
    /// The store was dropped without becoming a request or a run.
    StoreDropped,
    Lost,
}

impl Drop for Callback {
    fn drop(&mut self) {
        machine(|machine| machine.alive -= 1);
        if self.is_called {
            return;
        }
        match self.why_uncalled() {
            Uncalled::Rejected => in_destructor(|| in_current_context(|| run(&self.nested))),
            Uncalled::NoResponse(owner) => {
                count("callbacks dropped without a response");
                in_caught_code(|| in_context(Some(owner), || run(&self.nested)));
            }
            Uncalled::StoreDropped => {
                count("callbacks dropped with their store");
                in_caught_code(|| in_context(None, || run(&self.nested)));
            }
            Uncalled::Lost => fault(format!("callback {} of {:?} was lost", self.id, self.owner)),
        }
    }
}

impl Callback {
    fn why_uncalled(&self) -> Uncalled {
        let Some(owner) = self.owner else { return Uncalled::Rejected };
        let weak = machine(|machine| machine.weak.get(&owner).cloned());
        let is_alive = weak.is_some_and(|weak| weak.upgrade().is_some());
        machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            let is_next = node.on_response.front() == Some(&self.id);
            let has_ended = node.phase == Phase::Ended && node.on_end.is_empty();
            // An `on_enter` closure panicked in the entry for these callbacks.
            let was_not_entered = node.phase == Phase::ResponseReady && node.ends_on_drop && node.called.is_empty();
            if is_next && (has_ended || was_not_entered) {
                node.on_response.pop_front();
                return Uncalled::NoResponse(owner);
            }
            let list = if node.on_response.contains(&self.id) { &mut node.on_response } else { &mut node.on_end };
            list.retain(|id| *id != self.id);
            if node.role == Role::Scoped && !is_alive { Uncalled::StoreDropped } else { Uncalled::Lost }
        })
    }
}

/// Registers callbacks with a store that is not shared yet, which accepts all of them.
pub(super) fn register_initial_callbacks(store: &mut Store, id: Id, initial_store: &InitialStore) {
    for nested in &initial_store.on_response {
        let callback = machine(|machine| {
            let callback = Callback::new(machine, Some(id), nested);
            machine.model.nodes[id].on_response.push_back(callback.id);
            callback
        });
        store.on_response(|parts| callback.call_with_response(parts));
    }
    for nested in &initial_store.on_end {
        let callback = machine(|machine| {
            let callback = Callback::new(machine, Some(id), nested);
            machine.model.nodes[id].on_end.push_back(callback.id);
            callback
        });
        store.on_end(|end| callback.call_with_end(end));
    }
}

/// Registers a callback in the given context, or in the current one.
pub(super) fn on_response(at: Option<&Handle>, nested: &Program) {
    in_scope_of(at, || {
        let (callback, expected) = machine(|machine| {
            let owner = machine.model.owner_of_response(machine.model.current());
            let callback = Callback::new(machine, owner.ok(), nested);
            if let Ok(owner) = owner {
                machine.model.nodes[owner].on_response.push_back(callback.id);
            }
            (callback, owner.map(drop))
        });
        let found = RequestContext::on_response(|parts| callback.call_with_response(parts));
        expect_eq(found, expected, || String::from("on_response"));
    });
}

pub(super) fn on_end(at: Option<&Handle>, nested: &Program) {
    in_scope_of(at, || {
        let (callback, expected) = machine(|machine| {
            let owner = machine.model.owner_of_end(machine.model.current());
            let callback = Callback::new(machine, owner.ok(), nested);
            if let Ok(owner) = owner {
                machine.model.nodes[owner].on_end.push_back(callback.id);
            }
            (callback, owner.map(drop))
        });
        let found = RequestContext::on_end(|end| callback.call_with_end(end));
        expect_eq(found, expected, || String::from("on_end"));
    });
}

/// Calls `f` in the given context, or in the current one.
fn in_scope_of(at: Option<&Handle>, f: impl FnOnce()) {
    match at {
        None => f(),
        Some((id, context)) => {
            operation(OperationKind::Scope, Some(*id), || context.sync_scope(|| in_context(Some(*id), f)));
        }
    }
}
