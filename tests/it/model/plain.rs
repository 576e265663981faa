//! The plain model: a tree of maps, and a stack of who is current.

use std::collections::VecDeque;

use tower_request_context::{CallbackError, End};

use super::program::{KINDS, Kind};

pub(super) type Id = usize;

/// What tells one value from all others that were ever written.
pub(super) type Content = u64;

#[derive(Default)]
pub(super) struct Model {
    pub(super) nodes: Vec<Node>,
    stack: Vec<Option<Id>>,
    contents: Content,
    callbacks: usize,
}

/// A context.
#[derive(Default)]
pub(super) struct Node {
    parent: Option<Id>,
    pub(super) role: Role,
    pub(super) seeds: [Option<Content>; KINDS],
    late: [Late; KINDS],
    /// The callbacks that wait, in the order in which they are to be called.
    pub(super) heads: VecDeque<usize>,
    pub(super) ends: VecDeque<usize>,
    /// Whether one of the callbacks panicked at the end.
    pub(super) has_panicked_at_end: bool,
    /// The callbacks that have seen the head.
    pub(super) shown: Vec<usize>,
    pub(super) phase: Phase,
    /// Nothing is left of it that would be polled or dropped, but its end is still to be told.
    pub(super) is_stuck: bool,
    /// How it will end, or has.
    pub(super) end: Option<End>,
}

/// What has become of a request, or of a run, which has no head.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Phase {
    #[default]
    Open,
    /// The head is shown to callbacks.
    HeadSent,
    BodyOut,
    Over,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) enum Late {
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

    /// Makes a context a child of the current one.
    pub(super) fn inherit(&mut self, id: Id) {
        self.nodes[id].parent = self.current();
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
            match node.late[kind] {
                Late::Value(content) => return Some(content),
                Late::Removed => return None,
                Late::Unwritten => match node.seeds[kind] {
                    None => id = node.parent?,
                    content => return content,
                },
            }
        }
    }

    pub(super) fn late(&self, id: Id, kind: Kind) -> Late {
        self.nodes[id].late[kind]
    }

    pub(super) fn write(&mut self, id: Id, kind: Kind, late: Late) {
        self.nodes[id].late[kind] = late;
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
        self.nearest(id, |role| role != Role::Scoped).is_some_and(|id| self.nodes[id].phase == Phase::Over)
    }

    /// Whose response a callback that is registered there will see.
    pub(super) fn owner_of_response(&self, context: Option<Id>) -> Result<Id, CallbackError> {
        let context = context.ok_or(CallbackError::NoContext)?;
        let owner = self.nearest(context, |role| role == Role::Request).ok_or(CallbackError::NoLifecycle)?;
        match self.nodes[owner].phase {
            Phase::Open => Ok(owner),
            Phase::HeadSent | Phase::BodyOut => Err(CallbackError::HeadersSent),
            Phase::Over => Err(CallbackError::Ended),
        }
    }

    /// Whose end a callback that is registered there will be told.
    pub(super) fn owner_of_end(&self, context: Option<Id>) -> Result<Id, CallbackError> {
        let context = context.ok_or(CallbackError::NoContext)?;
        let owner = self.nearest(context, |role| role != Role::Scoped).ok_or(CallbackError::NoLifecycle)?;
        if self.nodes[owner].phase == Phase::Over { Err(CallbackError::Ended) } else { Ok(owner) }
    }

    fn nearest(&self, mut id: Id, is_it: impl Fn(Role) -> bool) -> Option<Id> {
        while !is_it(self.nodes[id].role) {
            id = self.nodes[id].parent?;
        }
        Some(id)
    }
}

impl Node {
    pub(super) fn panicked(&mut self) {
        self.end = Some(End::Panicked);
    }

    /// From the next callback on it has ended, if not otherwise then by a drop.
    pub(super) fn is_over_now(&mut self) {
        self.end.get_or_insert(End::Cancelled);
        self.phase = Phase::Over;
    }
}
