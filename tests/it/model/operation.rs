//! The operations of the crate that may enter a context, and how often each does.

use std::mem;

use super::reference::{Id, Node, Phase};

/// What the crate does with a panic in a closure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Panics {
    Propagate,
    Caught,
    /// The runtime polls or drops a task. The model does not know which.
    Unknown,
}

/// An operation of the crate that may enter a context.
#[derive(Debug)]
pub(super) struct Operation {
    kind: OperationKind,
    context: Option<Id>,
    /// The context whose request or run may end meanwhile.
    ended_context: Option<Id>,
    entries: usize,
    /// Whether the context was entered for the `on_end` callbacks.
    has_entered_for_end: bool,
}

pub(super) type NodeChange = fn(&mut Node);

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum OperationKind {
    Scope,
    Call,
    Poll,
    CallBound,
    Drop,
    /// The runtime polls and drops spawned tasks.
    Runtime,
}

impl Operation {
    pub(super) fn new(kind: OperationKind, context: Option<Id>, ended_context: Option<Id>) -> Self {
        Self { kind, context, ended_context, entries: 0, has_entered_for_end: false }
    }

    /// Counts an entry of this context, and returns what happens to a panic in it. `None` if the operation must not enter
    /// the context, or not again.
    pub(super) fn next_entry(&mut self, context: Id, nodes: &[Node]) -> Option<Panics> {
        if self.kind == OperationKind::Runtime {
            return Some(Panics::Unknown);
        }
        if self.context != Some(context) {
            return None;
        }
        let phase = self.ended_context.map(|id| nodes[id].phase);
        let index = self.entries;
        self.entries += 1;
        match (self.kind, index, phase) {
            (OperationKind::Drop, 0, _) => Some(Panics::Caught),
            (OperationKind::Drop, ..) => None,
            (_, _, Some(Phase::Ended)) => {
                (!mem::replace(&mut self.has_entered_for_end, true)).then_some(Panics::Caught)
            }
            // The second entry of a poll is for the `on_response` callbacks.
            (_, 0, _) | (OperationKind::Poll, 1, Some(Phase::ResponseReady)) => Some(Panics::Propagate),
            // The response, or the closure, is dropped in its context if the entry before panicked.
            (OperationKind::Poll, 2, Some(Phase::ResponseReady)) | (OperationKind::CallBound, 1, _) => {
                Some(Panics::Caught)
            }
            _ => None,
        }
    }

    /// What a panic in a closure does to the request or run.
    pub(super) fn on_panic(&self) -> Option<(Id, NodeChange)> {
        let change: NodeChange = match self.kind {
            OperationKind::Call => |node| {
                node.set_panicked();
                node.finish();
            },
            OperationKind::Poll => |node| {
                node.set_panicked();
                node.ends_on_drop |= node.phase == Phase::ResponseReady;
            },
            _ => return None,
        };
        Some((self.ended_context?, change))
    }

    /// The context whose request or run this drops.
    pub(super) fn ended_by_drop(&self) -> Option<Id> {
        self.ended_context.filter(|_| self.kind == OperationKind::Drop)
    }
}
