//! Reads and writes of values: each in the model, then in the crate. What comes in between, a closure tells the model.

use std::cell::Cell;

use tower_request_context::{ContextError, RequestContext};

use super::{
    contexts::{Handle, resolved, with_handle},
    machine::{expect, here, hit, machine, run},
    plain::{Content, Id, Late},
    program::{At, Hooks, Kind, Program},
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
        machine.model.write(id, kind, Late::Value(content));
        content
    })
}

fn late(id: Id, kind: Kind) -> Late {
    machine(|machine| machine.model.late(id, kind))
}

pub(super) fn get(at: At, kind: Kind) {
    resolved(at, |at| {
        hit("reads");
        let expected = expected(id_of(at), kind);
        let found = of_kind!(kind, V => match at {
            None => RequestContext::get::<V>().map(|value| value.content),
            Some((_, context)) => context.get::<V>().map(|value| value.content),
        });
        expect(found, expected, || format!("get of {kind} at {at:?}"));
    });
}

pub(super) fn with(at: At, kind: Kind, acts: &Program) {
    resolved(at, |at| {
        hit("loans");
        let expected = expected(id_of(at), kind);
        let found = of_kind!(kind, V => {
            let look = |value: &V| {
                here(|| run(acts));
                value.content
            };
            match at {
                None => RequestContext::with(look),
                Some((_, context)) => context.with(look),
            }
        });
        expect(found, expected, || format!("with of {kind} at {at:?}"));
    });
}

pub(super) fn set(at: At, kind: Kind, hooks: &Hooks) {
    resolved(at, |at| {
        hit("sets");
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
        expect(found, id.map(drop).ok_or(ContextError::NoContext), || format!("set of {kind} at {at:?}"));
    });
}

pub(super) fn set_if_absent(at: At, kind: Kind, hooks: &Hooks) {
    with_handle(at, |(id, context)| {
        let is_absent = expected(Some(*id), kind).is_none();
        hit(if is_absent { "sets of what was absent" } else { "sets of what was there" });
        let content = if is_absent { write(*id, kind) } else { 0 };
        let found = of_kind!(kind, V => context.set_if_absent(V::new(content, Some(*id), hooks)));
        expect(found, is_absent, || format!("set_if_absent of {kind} in {id}"));
    });
}

pub(super) fn remove(at: At, kind: Kind) {
    with_handle(at, |(id, context)| {
        let is_there = expected(Some(*id), kind).is_some();
        if is_there {
            hit("removals");
            machine(|machine| machine.model.write(*id, kind, Late::Removed));
        }
        let found = of_kind!(kind, V => context.remove::<V>());
        expect(found, is_there, || format!("remove of {kind} in {id}"));
    });
}

pub(super) fn get_or_insert_with(at: At, kind: Kind, acts: &Program, hooks: &Hooks) {
    with_handle(at, |(id, context)| {
        let expected = Cell::new(expected(Some(*id), kind));
        let found = of_kind!(kind, V => {
            let make = || {
                expect(expected.get(), None, || format!("whether a {kind} is made for {id}"));
                here(|| run(acts));
                let content = match late(*id, kind) {
                    Late::Value(winner) => {
                        hit("makers that came too late");
                        expected.set(Some(winner));
                        0
                    }
                    Late::Unwritten | Late::Removed => {
                        hit("values made");
                        let content = write(*id, kind);
                        expected.set(Some(content));
                        content
                    }
                };
                V::new(content, Some(*id), hooks)
            };
            context.get_or_insert_with(make).content
        });
        expect(Some(found), expected.get(), || format!("get_or_insert_with of {kind} in {id}"));
    });
}

/// What a writer of a copy has seen before, and whether it has written since.
struct Update<'a> {
    id: Id,
    kind: Kind,
    hooks: &'a Hooks,
    acts: Cell<Option<&'a Program>>,
    seen: Cell<Seen>,
    is_written: Cell<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Seen {
    First(Late, Option<Content>),
    /// After another writer was quicker: what that has written, or anything newer, since what is given up is dropped
    /// before the next look.
    Again(Late, Content),
}

impl Update<'_> {
    fn change<const KIND: Kind>(&self, value: &mut Value<KIND>) {
        let content = value.content;
        let (is_right, seen) = match self.seen.get() {
            Seen::First(late, expected) => (expected == Some(content), late),
            Seen::Again(late, newest) => {
                let copied = Late::Value(content);
                (copied == late || content > newest, copied)
            }
        };
        let is_right = is_right && !self.is_written.get();
        expect(is_right, true, || format!("a copy of {KIND} of {} with {content} after {:?}", self.id, self.seen));
        if let Some(acts) = self.acts.take() {
            here(|| run(acts));
        }
        let late = late(self.id, self.kind);
        let content = if late == seen {
            hit("updates");
            self.is_written.set(true);
            write(self.id, self.kind)
        } else {
            hit("updates that another was quicker than");
            let newest = machine(|machine| machine.model.new_content());
            self.seen.set(Seen::Again(late, newest));
            newest
        };
        value.becomes(content, Some(self.id), self.hooks);
    }

    /// Whether it may be that no value was found, the last time that was looked for one.
    fn finds_none(&self) -> bool {
        match self.seen.get() {
            Seen::First(_, expected) => expected.is_none(),
            Seen::Again(..) => !self.is_written.get() && late(self.id, self.kind) == Late::Removed,
        }
    }
}

pub(super) fn update(at: At, kind: Kind, acts: &Program, hooks: &Hooks) {
    resolved(at, |at| {
        let Some(id) = id_of(at) else {
            let found = of_kind!(kind, V => RequestContext::update(|_: &mut V| ()));
            expect(found, Err(ContextError::NoContext), || String::from("update in no context"));
            return;
        };
        let seen = Cell::new(Seen::First(late(id, kind), expected(Some(id), kind)));
        let update = Update { id, kind, hooks, acts: Cell::new(Some(acts)), seen, is_written: Cell::new(false) };
        let found = of_kind!(kind, V => match at {
            None => RequestContext::update(|value: &mut V| update.change(value)).is_ok(),
            Some((_, context)) => context.update(|value: &mut V| update.change(value)).is_some(),
        });
        let what = || format!("update of {kind} at {at:?} after {:?}", update.seen);
        expect((found, !found), (update.is_written.get(), update.finds_none()), what);
    });
}
