//! The reference model: a tree of maps, and a stack of current contexts.

use std::collections::VecDeque;

use tower_request_context::{CallbackError, End};

use super::{
    entries::Entries,
    program::{KINDS, Kind},
};

pub(super) type Id = usize;

/// The content of a value, which is unique in a program.
pub(super) type Content = u64;

#[derive(Default)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    pub(super) entries: Entries,
    stack: Vec<Option<Id>>,
    contents: Content,
    callbacks: usize,
}

/// A context.
#[derive(Default)]
pub(super) struct Node {
    pub(super) parent: Option<Id>,
    pub(super) role: Role,
    pub(super) initial_values: [Option<Content>; KINDS],
    last_write: [Write; KINDS],
    /// The `on_enter` closures of its own store, in the order of their registration.
    pub(super) on_enter: Vec<usize>,
    /// The registered callbacks, in the order in which they must be called.
    pub(super) on_response: VecDeque<usize>,
    pub(super) on_end: VecDeque<usize>,
    /// Whether an `on_end` callback has panicked.
    pub(super) has_panicked_at_end: bool,
    /// The `on_response` callbacks that have been called.
    pub(super) called: Vec<usize>,
    pub(super) phase: Phase,
    /// True after a panic between the future and the body. The request then ends when its response future is dropped.
    pub(super) ends_on_drop: bool,
    /// How it ended, or will end.
    pub(super) end: Option<End>,
}

/// The progress of a request or a run. A run has no response.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Running,
    /// The `on_response` callbacks are called.
    ResponseReady,
    BodyReturned,
    Ended,
}

/// The last write to a type after the store was shared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Write {
    #[default]
    Unwritten,
    Removed,
    Value(Content),
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Role {
    #[default]
    Scoped,
    Run,
    Request,
}

impl Model {
    pub(super) fn add(&mut self, role: Role, parent: Option<Id>) -> Id {
        self.nodes.push(Node { parent, role, ..Node::default() });
        self.nodes.len() - 1
    }

    /// Makes a context a child of the current one. Returns whether there is one.
    pub(super) fn inherit(&mut self, id: Id) -> bool {
        self.nodes[id].parent = self.current();
        self.nodes[id].parent.is_some()
    }

    pub(super) fn current(&self) -> Option<Id> {
        self.stack.last().copied().flatten()
    }

    pub(super) fn enter(&mut self, context: Option<Id>) {
        self.stack.push(context);
    }

    pub(super) fn depth(&self) -> usize {
        self.stack.len()
    }

    pub(super) fn leave_to(&mut self, depth: usize) {
        self.stack.truncate(depth);
    }

    pub(super) fn read(&self, mut id: Id, kind: Kind) -> Option<Content> {
        loop {
            let node = &self.nodes[id];
            match node.last_write[kind] {
                Write::Value(content) => return Some(content),
                Write::Removed => return None,
                Write::Unwritten => match node.initial_values[kind] {
                    None => id = node.parent?,
                    content => return content,
                },
            }
        }
    }

    pub(super) fn last_write(&self, id: Id, kind: Kind) -> Write {
        self.nodes[id].last_write[kind]
    }

    pub(super) fn write(&mut self, id: Id, kind: Kind, last_write: Write) {
        self.nodes[id].last_write[kind] = last_write;
    }

    pub(super) fn new_content(&mut self) -> Content {
        self.contents += 1;
        self.contents
    }

    pub(super) fn new_callback(&mut self) -> usize {
        self.callbacks += 1;
        self.callbacks
    }

    pub(super) fn is_ended(&self, id: Id) -> bool {
        self.nearest(id, |role| role != Role::Scoped).is_some_and(|id| self.nodes[id].phase == Phase::Ended)
    }

    /// Returns the request whose response an `on_response` callback of this context gets.
    pub(super) fn owner_of_response(&self, context: Option<Id>) -> Result<Id, CallbackError> {
        let context = context.ok_or(CallbackError::NoContext)?;
        let owner = self.nearest(context, |role| role == Role::Request).ok_or(CallbackError::NoLifecycle)?;
        match self.nodes[owner].phase {
            Phase::Running => Ok(owner),
            Phase::ResponseReady | Phase::BodyReturned => Err(CallbackError::HeadersSent),
            Phase::Ended => Err(CallbackError::Ended),
        }
    }

    /// Returns the request or run whose end an `on_end` callback of this context gets.
    pub(super) fn owner_of_end(&self, context: Option<Id>) -> Result<Id, CallbackError> {
        let context = context.ok_or(CallbackError::NoContext)?;
        let owner = self.nearest(context, |role| role != Role::Scoped).ok_or(CallbackError::NoLifecycle)?;
        if self.nodes[owner].phase == Phase::Ended { Err(CallbackError::Ended) } else { Ok(owner) }
    }

    fn nearest(&self, mut id: Id, predicate: impl Fn(Role) -> bool) -> Option<Id> {
        while !predicate(self.nodes[id].role) {
            id = self.nodes[id].parent?;
        }
        Some(id)
    }
}

impl Node {
    pub(super) fn set_panicked(&mut self) {
        self.end = Some(End::Panicked);
    }

    /// Ends the request or run. It is `Cancelled` unless an end was set before.
    pub(super) fn finish(&mut self) {
        self.end.get_or_insert(End::Cancelled);
        self.phase = Phase::Ended;
    }
}
