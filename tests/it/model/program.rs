//! What a program may say.

use std::sync::Arc;

use tower_request_context::Nesting;

pub(super) type Program = Arc<[Op]>;

/// Which type of value; there are [`KINDS`].
pub(super) type Kind = usize;

pub(super) const KINDS: Kind = 4;

/// Which of those that are there, counted round.
pub(super) type Pick = u8;

#[derive(Clone, Debug)]
pub(super) enum Op {
    New(Seeds),
    Inherit(Seeds),
    Child(Pick, Seeds),
    /// Keeps a handle to the current context.
    Keep,
    Release(Pick),

    Get(At, Kind),
    With(At, Kind, Program),
    Set(At, Kind, Hooks),
    SetIfAbsent(At, Kind, Hooks),
    Update(At, Kind, Program, Hooks),
    Remove(At, Kind),
    GetOrInsertWith(At, Kind, Program, Hooks),
    OnResponse(At, Program),
    OnEnd(At, Program),

    Within(Pick, Program),
    Outside(Program),

    Begin(Carrier, Plan),
    Poll(Pick, WhenItPanics),
    Cancel(Pick),
    /// Lets the runtime poll what was spawned.
    Tick,
    Abort(Pick),

    Panic,
    Catch(Program),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum At {
    Current,
    Handle(Pick),
}

/// What a value does when it is cloned and when it is dropped.
#[derive(Clone, Debug)]
pub(super) struct Hooks {
    pub(super) clone: Program,
    pub(super) drop: Program,
}

/// How a store is made, up to where it is shared.
#[derive(Clone, Debug)]
pub(super) struct Seeds {
    pub(super) values: Vec<(Kind, Hooks)>,
    pub(super) on_response: Vec<Program>,
    pub(super) on_end: Vec<Program>,
    /// What a setup does then.
    pub(super) setup: Program,
}

/// How a piece of work gets its context.
#[derive(Clone, Debug)]
pub(super) enum Carrier {
    Scope(Pick),
    Carry,
    Exit,
    Spawn,
    Run(Seeds),
    Request(Nesting, Seeds),
}

/// What a piece of work does. Only a request is called and has a body, and only there it shows whether it fails.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) call: Program,
    pub(super) work: Part,
    pub(super) body: Part,
}

/// What is polled: one program a poll.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) polls: Vec<Program>,
    pub(super) drop: Program,
    pub(super) fails: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WhenItPanics {
    Unwinds,
    IsLeftToBeDropped,
}
