//! Callbacks that know when they are to be called, and what they may be dropped for.

use std::{mem, sync::Arc};

use http::{HeaderName, HeaderValue, response::Parts};
use tower_request_context::{CallbackError, End, RequestContext, Store};

use super::{
    machine::{Machine, contained, dropping, expect, fault, here, hit, inside, machine, run},
    plain::{Id, Phase, Role},
    program::{Program, Seeds},
};

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-callback");

pub(super) struct Callback {
    id: usize,
    /// Who will call it.
    owner: Option<Id>,
    acts: Program,
    is_called: bool,
}

impl Callback {
    fn new(machine: &mut Machine, owner: Option<Id>, acts: &Program) -> Self {
        machine.alive += 1;
        Self { id: machine.model.new_callback(), owner, acts: Arc::clone(acts), is_called: false }
    }

    fn sees(mut self, head: &mut Parts) {
        self.is_called = true;
        let owner = self.owner.expect("it was not refused");
        let next = machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            node.shown.push(self.id);
            (node.heads.pop_front(), node.phase)
        });
        let is_first = machine(|machine| machine.model.nodes[owner].shown.len() == 1);
        hit(if is_first { "heads seen" } else { "heads seen after another" });
        expect(next, (Some(self.id), Phase::HeadSent), || format!("which callback of {owner} sees the head"));
        head.headers.append(HEADER, HeaderValue::from(self.id));
        let panics = Panics(owner);
        inside(self.owner, || run(&self.acts));
        mem::forget(panics);
    }

    fn hears(mut self, end: End) {
        hit(match end {
            End::Completed => "told Completed",
            End::Failed => "told Failed",
            End::Cancelled => "told Cancelled",
            _ => "told Panicked",
        });
        self.is_called = true;
        let owner = self.owner.expect("it was not refused");
        let next = machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            (node.ends.pop_front(), node.end, node.phase)
        });
        expect(next, (Some(self.id), Some(end), Phase::Over), || format!("which callback of {owner} is told the end"));
        if machine(|machine| machine.model.nodes[owner].has_panicked_at_end) {
            hit("told after a callback that panicked");
        }
        contained(|| {
            let panics = PanicsAtEnd(owner);
            inside(self.owner, || run(&self.acts));
            mem::forget(panics);
        });
    }
}

struct PanicsAtEnd(Id);

impl Drop for PanicsAtEnd {
    fn drop(&mut self) {
        machine(|machine| machine.model.nodes[self.0].has_panicked_at_end = true);
    }
}

/// A panic in a callback is that of its request.
struct Panics(Id);

impl Drop for Panics {
    fn drop(&mut self) {
        machine(|machine| {
            let node = &mut machine.model.nodes[self.0];
            node.panicked();
            node.is_stuck = true;
        });
    }
}

/// Why a callback is dropped uncalled.
enum Uncalled {
    Refused,
    /// It waited for a response that did not come.
    HeadNeverCame(Id),
    /// Nobody will ever end its context.
    StoreIsGone,
    Lost,
}

impl Drop for Callback {
    fn drop(&mut self) {
        machine(|machine| machine.alive -= 1);
        if self.is_called {
            return;
        }
        match self.why_uncalled() {
            Uncalled::Refused => dropping(|| here(|| run(&self.acts))),
            Uncalled::HeadNeverCame(owner) => {
                hit("callbacks dropped at an end without a head");
                contained(|| inside(Some(owner), || run(&self.acts)));
            }
            Uncalled::StoreIsGone => {
                hit("callbacks dropped with their store");
                contained(|| inside(None, || run(&self.acts)));
            }
            Uncalled::Lost => fault(format!("callback {} of {:?} was lost", self.id, self.owner)),
        }
    }
}

impl Callback {
    fn why_uncalled(&self) -> Uncalled {
        let Some(owner) = self.owner else { return Uncalled::Refused };
        let weak = machine(|machine| machine.weak.get(&owner).cloned());
        let is_alive = weak.is_some_and(|weak| weak.upgrade().is_some());
        machine(|machine| {
            let node = &mut machine.model.nodes[owner];
            let is_next = node.heads.front() == Some(&self.id);
            if is_next && node.phase == Phase::Over && node.ends.is_empty() {
                node.heads.pop_front();
                return Uncalled::HeadNeverCame(owner);
            }
            let list = if node.heads.contains(&self.id) { &mut node.heads } else { &mut node.ends };
            list.retain(|id| *id != self.id);
            if node.role == Role::Scoped && !is_alive { Uncalled::StoreIsGone } else { Uncalled::Lost }
        })
    }
}

/// Leaves callbacks with a store that is in no context yet: it takes them all.
pub(super) fn seed_callbacks(store: &mut Store, id: Id, seeds: &Seeds) {
    for acts in &seeds.on_response {
        let callback = machine(|machine| {
            let callback = Callback::new(machine, Some(id), acts);
            machine.model.nodes[id].heads.push_back(callback.id);
            callback
        });
        store.on_response(|head| callback.sees(head));
    }
    for acts in &seeds.on_end {
        let callback = machine(|machine| {
            let callback = Callback::new(machine, Some(id), acts);
            machine.model.nodes[id].ends.push_back(callback.id);
            callback
        });
        store.on_end(|end| callback.hears(end));
    }
}

/// In the current context if no handle is given.
pub(super) fn on_response(at: Option<&(Id, RequestContext)>, acts: &Program) {
    let (callback, expected) = machine(|machine| {
        let owner = machine.model.owner_of_response(at.map_or_else(|| machine.model.current(), |(id, _)| Some(*id)));
        let callback = Callback::new(machine, owner.ok(), acts);
        if let Ok(owner) = owner {
            machine.model.nodes[owner].heads.push_back(callback.id);
        }
        (callback, owner.map(drop))
    });
    register(at, expected, "on_response", || RequestContext::on_response(|head| callback.sees(head)));
}

pub(super) fn on_end(at: Option<&(Id, RequestContext)>, acts: &Program) {
    let (callback, expected) = machine(|machine| {
        let owner = machine.model.owner_of_end(at.map_or_else(|| machine.model.current(), |(id, _)| Some(*id)));
        let callback = Callback::new(machine, owner.ok(), acts);
        if let Ok(owner) = owner {
            machine.model.nodes[owner].ends.push_back(callback.id);
        }
        (callback, owner.map(drop))
    });
    register(at, expected, "on_end", || RequestContext::on_end(|end| callback.hears(end)));
}

fn register(
    at: Option<&(Id, RequestContext)>,
    expected: Result<(), CallbackError>,
    what: &str,
    really: impl FnOnce() -> Result<(), CallbackError>,
) {
    let found = match at {
        None => really(),
        Some((id, context)) => context.sync_scope(|| inside(Some(*id), really)),
    };
    expect(found, expected, || String::from(what));
}
