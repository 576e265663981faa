//! Reads and writes values: first in the model, then in the crate. Closures update the model for nested operations.

use std::cell::Cell;

use tower_request_context::{ContextError, RequestContext};

use super::{
    contexts::{Handle, resolved, with_handle},
    machine::{count, expect_eq, in_current_context, machine, run},
    program::{At, Hooks, Kind, Program},
    reference::{Content, Id, Write},
    value::{Value, of_kind},
};

fn id_of(at: Option<&Handle>) -> Option<Id> {
    at.map_or_else(|| machine(|machine| machine.model.current()), |(id, _)| Some(*id))
}

fn expected(id: Option<Id>, kind: Kind) -> Option<Content> {
    id.and_then(|id| machine(|machine| machine.model.read(id, kind)))
}

fn write(id: Id, kind: Kind) -> Content {
    machine(|machine| {
        let content = machine.model.new_content();
        machine.model.write(id, kind, Write::Value(content));
        content
    })
}

fn last_write(id: Id, kind: Kind) -> Write {
    machine(|machine| machine.model.last_write(id, kind))
}

pub(super) fn get(at: At, kind: Kind) {
    resolved(at, |at| {
        count("reads");
        let expected = expected(id_of(at), kind);
        let found = of_kind!(kind, V => match at {
            None => RequestContext::get::<V>().map(|value| value.content),
            Some((_, context)) => context.get::<V>().map(|value| value.content),
        });
        expect_eq(found, expected, || format!("get of {kind} at {at:?}"));
    });
}

pub(super) fn with(at: At, kind: Kind, nested: &Program) {
    resolved(at, |at| {
        count("borrows");
        let expected = expected(id_of(at), kind);
        let found = of_kind!(kind, V => {
            let look = |value: &V| {
                in_current_context(|| run(nested));
                value.content
            };
            match at {
                None => RequestContext::with(look),
                Some((_, context)) => context.with(look),
            }
        });
        expect_eq(found, expected, || format!("with of {kind} at {at:?}"));
    });
}

pub(super) fn set(at: At, kind: Kind, hooks: &Hooks) {
    resolved(at, |at| {
        count("sets");
        let id = id_of(at);
        let written = id.map_or(0, |id| write(id, kind));
        let found = of_kind!(kind, V => {
            let value = V::new(written, id, hooks);
            match at {
                None => RequestContext::set(value),
                Some((_, context)) => {
                    context.set(value);
                    Ok(())
                }
            }
        });
        expect_eq(found, id.map(drop).ok_or(ContextError::NoContext), || format!("set of {kind} at {at:?}"));
    });
}

pub(super) fn set_if_absent(at: At, kind: Kind, hooks: &Hooks) {
    with_handle(at, |(id, context)| {
        let is_absent = expected(Some(*id), kind).is_none();
        count(if is_absent { "sets of absent values" } else { "sets of present values" });
        let content = if is_absent { write(*id, kind) } else { 0 };
        let found = of_kind!(kind, V => context.set_if_absent(V::new(content, Some(*id), hooks)));
        expect_eq(found, is_absent, || format!("set_if_absent of {kind} in {id}"));
    });
}

pub(super) fn remove(at: At, kind: Kind) {
    with_handle(at, |(id, context)| {
        let is_there = expected(Some(*id), kind).is_some();
        if is_there {
            count("removals");
            machine(|machine| machine.model.write(*id, kind, Write::Removed));
        }
        let found = of_kind!(kind, V => context.remove::<V>());
        expect_eq(found, is_there, || format!("remove of {kind} in {id}"));
    });
}

pub(super) fn get_or_insert_with(at: At, kind: Kind, nested: &Program, hooks: &Hooks) {
    with_handle(at, |(id, context)| {
        let expected = Cell::new(expected(Some(*id), kind));
        let found = of_kind!(kind, V => {
            let init = || {
                expect_eq(expected.get(), None, || format!("whether a {kind} is made for {id}"));
                in_current_context(|| run(nested));
                let content = match last_write(*id, kind) {
                    Write::Value(winner) => {
                        count("initializers that lost a race");
                        expected.set(Some(winner));
                        0
                    }
                    Write::Unwritten | Write::Removed => {
                        count("values made");
                        let content = write(*id, kind);
                        expected.set(Some(content));
                        content
                    }
                };
                V::new(content, Some(*id), hooks)
            };
            context.get_or_insert_with(init).content
        });
        expect_eq(Some(found), expected.get(), || format!("get_or_insert_with of {kind} in {id}"));
    });
}

/// The state of an `update`, whose closure changes a copy of the value and may run again after a lost race.
struct Update<'a> {
    id: Id,
    kind: Kind,
    hooks: &'a Hooks,
    nested: Cell<Option<&'a Program>>,
    snapshot: Cell<Snapshot>,
    is_written: Cell<bool>,
}

/// The value that the closure may find.
#[derive(Clone, Copy, Debug)]
enum Snapshot {
    First(Write, Option<Content>),
    /// After a lost race: the value of the other writer, or a newer one. The discarded copy is dropped before the
    /// retry, and its hook may write.
    AfterRetry(Write, Content),
}

impl Update<'_> {
    fn change<const KIND: Kind>(&self, value: &mut Value<KIND>) {
        let content = value.content;
        let (is_right, snapshot) = match self.snapshot.get() {
            Snapshot::First(last_write, expected) => (expected == Some(content), last_write),
            Snapshot::AfterRetry(last_write, newest) => {
                let copied = Write::Value(content);
                (copied == last_write || content > newest, copied)
            }
        };
        let is_right = is_right && !self.is_written.get();
        expect_eq(is_right, true, || {
            format!("a copy of {KIND} of {} with {content} after {:?}", self.id, self.snapshot)
        });
        if let Some(nested) = self.nested.take() {
            in_current_context(|| run(nested));
        }
        let last_write = last_write(self.id, self.kind);
        let content = if last_write == snapshot {
            count("updates");
            self.is_written.set(true);
            write(self.id, self.kind)
        } else {
            count("updates that lost a race");
            let newest = machine(|machine| machine.model.new_content());
            self.snapshot.set(Snapshot::AfterRetry(last_write, newest));
            newest
        };
        value.turn_into(content, Some(self.id), self.hooks);
    }

    /// Returns whether the last look-up may have found no value.
    fn may_find_none(&self) -> bool {
        match self.snapshot.get() {
            Snapshot::First(_, expected) => expected.is_none(),
            Snapshot::AfterRetry(..) => !self.is_written.get() && last_write(self.id, self.kind) == Write::Removed,
        }
    }
}

pub(super) fn update(at: At, kind: Kind, nested: &Program, hooks: &Hooks) {
    resolved(at, |at| {
        let Some(id) = id_of(at) else {
            let found = of_kind!(kind, V => RequestContext::update(|_: &mut V| ()));
            expect_eq(found, Err(ContextError::NoContext), || String::from("update in no context"));
            return;
        };
        let snapshot = Cell::new(Snapshot::First(last_write(id, kind), expected(Some(id), kind)));
        let update =
            Update { id, kind, hooks, nested: Cell::new(Some(nested)), snapshot, is_written: Cell::new(false) };
        let found = of_kind!(kind, V => match at {
            None => RequestContext::update(|value: &mut V| update.change(value)).is_ok(),
            Some((_, context)) => context.update(|value: &mut V| update.change(value)).is_some(),
        });
        let what = || format!("update of {kind} at {at:?} after {:?}", update.snapshot);
        expect_eq((found, !found), (update.is_written.get(), update.may_find_none()), what);
    });
}
