//! The operations of a program.

use std::sync::Arc;

use tower_request_context::Nesting;

pub(super) type Program = Arc<[Op]>;

/// Selects one of [`KINDS`] value types.
pub(super) type Kind = usize;

pub(super) const KINDS: Kind = 4;

/// Selects one of the existing items, modulo their number.
pub(super) type Pick = u8;

#[derive(Clone, Debug)]
pub(super) enum Op {
    New(InitialStore),
    Inherit(InitialStore),
    Child(Pick, InitialStore),
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

    Begin(WorkKind, Plan),
    Poll(Pick, OnPanic),
    Cancel(Pick),
    /// Lets the runtime poll the spawned tasks.
    Tick,
    Abort(Pick),

    Panic,
    Catch(Program),
}

/// The context of an operation.
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

/// The contents of a store before it is shared.
#[derive(Clone, Debug)]
pub(super) struct InitialStore {
    pub(super) values: Vec<(Kind, Hooks)>,
    pub(super) on_enter: Vec<OnEnter>,
    pub(super) on_response: Vec<Program>,
    pub(super) on_end: Vec<Program>,
    /// What the setup of a request does afterwards.
    pub(super) setup: Program,
}

/// A closure for `Store::on_enter`.
#[derive(Clone, Debug)]
pub(super) struct OnEnter {
    /// What it does when it is called: one program for each of the first calls.
    pub(super) enter: Vec<Program>,
    /// What the drop of each of its guards does.
    pub(super) leave: Program,
    /// What its own drop does.
    pub(super) drop: Program,
}

/// How a piece of work gets its context.
#[derive(Clone, Debug)]
pub(super) enum WorkKind {
    Scope(Pick, Shape),
    Carry(Shape),
    Exit(Shape),
    Bind,
    Spawn,
    Run(InitialStore),
    Request(Nesting, InitialStore),
}

/// What is scoped, carried or exited.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shape {
    Future,
    Stream,
}

/// What a piece of work does. Only a request has a call and a body, and only a request can fail.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) call: Program,
    pub(super) work: Part,
    pub(super) body: Part,
}

/// A future, a stream or a body: one program for each poll. A closure runs all of them.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) polls: Vec<Program>,
    pub(super) drop: Program,
    pub(super) fails: bool,
}

/// When a piece of work is dropped if its poll panics.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum OnPanic {
    DropDuringUnwind,
    DropLater,
}
