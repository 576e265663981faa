//! The part of the model that predicts how contexts are entered: which `on_enter` closures run, in which order their
//! guards are dropped, and what a panic in a closure does.

use super::{
    operation::{NodeChange, Operation, Panics},
    reference::{Id, Model, Node},
};

#[derive(Default)]
pub(super) struct Entries {
    /// The entries that have not been left, outermost first. Contexts without closures have none.
    entered: Vec<Entry>,
    /// The operations of the crate that may enter a context, outermost first.
    operations: Vec<Operation>,
    /// Whether a closure runs or a guard is dropped. No entry runs closures then.
    pub(super) is_in_closure: bool,
    closures: usize,
}

type WhenLeft = (Id, Box<dyn FnOnce(&mut Node)>);

/// One entry of a context that has closures.
struct Entry {
    context: Id,
    /// The depth of the stack outside the entry.
    depth: usize,
    /// The closures in the order in which they must run.
    closures: Vec<usize>,
    /// How many of them have run, or panicked.
    started: usize,
    /// The closures whose guards have not been dropped.
    guards: Vec<usize>,
    panics: Panics,
    has_panicked: bool,
    is_leaving: bool,
    /// The request that ends once all closures have run.
    ends_when_entered: Option<Id>,
    /// What a panic in a closure does to a request or run.
    on_panic: Option<(Id, NodeChange)>,
    /// What happens to a request or run after the entry is left.
    when_left: Vec<WhenLeft>,
}

impl Model {
    pub(super) fn new_closure(&mut self, owner: Id) -> usize {
        self.entries.closures += 1;
        self.nodes[owner].on_enter.push(self.entries.closures);
        self.entries.closures
    }

    /// Returns whether an entry of this context runs closures now.
    pub(super) fn runs_closures(&self, context: Option<Id>) -> bool {
        context.is_some_and(|id| {
            !self.entries.is_in_closure && self.current() != Some(id) && !self.closures_of(id).is_empty()
        })
    }

    /// Returns the closures of a context in their order: those of parents first.
    fn closures_of(&self, id: Id) -> Vec<usize> {
        let node = &self.nodes[id];
        let mut closures = node.parent.map(|parent| self.closures_of(parent)).unwrap_or_default();
        closures.extend(&node.on_enter);
        closures
    }

    pub(super) fn start_operation(&mut self, operation: Operation) -> usize {
        self.entries.operations.push(operation);
        self.entries.operations.len() - 1
    }

    pub(super) fn end_operation(&mut self, index: usize) -> Result<(), String> {
        self.entries.operations.truncate(index);
        self.leave_entries()
    }

    /// Starts a closure. `found` is the current context of the crate.
    pub(super) fn start_closure(&mut self, closure: usize, found: Option<Id>) -> Result<Panics, String> {
        let depth = self.depth();
        if let Some(entry) = self.entries.entered.last_mut().filter(|entry| entry.depth == depth && entry.is_entering())
        {
            if entry.closures[entry.started] == closure && found == Some(entry.context) {
                entry.started += 1;
                return Ok(entry.panics);
            }
        }
        self.leave_entries()?;
        let Some(context) = found.filter(|_| self.runs_closures(found)) else {
            return Err(format!("closure {closure} ran in {found:?}, which was not entered anew"));
        };
        let closures = self.closures_of(context);
        if closures.first() != Some(&closure) {
            return Err(format!("closure {closure} of {context} ran first, expected the order {closures:?}"));
        }
        let Self { entries: Entries { entered, operations, .. }, nodes, .. } = self;
        let operation = operations.last_mut().ok_or_else(|| format!("nothing may enter {context} now"))?;
        let panics =
            operation.next_entry(context, nodes).ok_or_else(|| format!("{operation:?} must not enter {context}"))?;
        entered.push(Entry {
            context,
            depth,
            closures,
            started: 1,
            guards: Vec::new(),
            panics,
            has_panicked: false,
            is_leaving: false,
            ends_when_entered: operation.ended_by_drop().filter(|id| nodes[*id].ends_on_drop),
            on_panic: operation.on_panic().filter(|_| panics == Panics::Propagate),
            when_left: Vec::new(),
        });
        Ok(panics)
    }

    /// Ends a closure that has returned a guard.
    pub(super) fn finish_closure(&mut self, closure: usize) {
        if let Some(entry) = self.entries.entered.last_mut() {
            entry.guards.push(closure);
        }
        self.end_when_entered();
    }

    pub(super) fn closure_panicked(&mut self) {
        let Some(entry) = self.entries.entered.last_mut() else { return };
        entry.has_panicked = true;
        if entry.panics != Panics::Propagate {
            self.end_when_entered();
        } else if entry.guards.is_empty() {
            self.leave();
        }
    }

    fn end_when_entered(&mut self) {
        let entry = self.entries.entered.last_mut().filter(|entry| entry.started == entry.closures.len());
        if let Some(id) = entry.and_then(|entry| entry.ends_when_entered.take()) {
            self.nodes[id].finish();
        }
    }

    /// Starts the drop of a closure's guard. `found` is the current context of the crate.
    pub(super) fn start_guard_drop(&mut self, closure: usize, found: Option<Id>) -> Result<(), String> {
        let depth = self.depth();
        let entry = self.entries.entered.last_mut().filter(|entry| {
            entry.depth == depth
                && entry.guards.last() == Some(&closure)
                && found == Some(entry.context)
                && (entry.has_panicked || entry.started == entry.closures.len())
        });
        match entry {
            Some(entry) => {
                entry.guards.pop();
                entry.is_leaving = true;
                Ok(())
            }
            None => Err(format!("the guard of closure {closure} was dropped in {found:?} out of order")),
        }
    }

    pub(super) fn finish_guard_drop(&mut self) {
        if self.entries.entered.last().is_some_and(|entry| entry.is_leaving && entry.guards.is_empty()) {
            self.leave();
        }
    }

    /// Checks that this context was entered, with all its closures. Call this in code that runs in the context.
    pub(super) fn check_entered(&mut self, context: Option<Id>) -> Result<(), String> {
        if !self.runs_closures(context) {
            return self.leave_entries();
        }
        let depth = self.depth();
        let entry = self.entries.entered.last().filter(|entry| entry.depth == depth);
        match entry {
            Some(entry) if Some(entry.context) == context && entry.is_entered() => Ok(()),
            Some(entry) => Err(format!("{context:?} has {:?} of {:?}", entry.guards, entry.closures)),
            None => Err(format!("{context:?} was entered without its closures")),
        }
    }

    /// Changes a request or run when the crate leaves its context, or now if the context is not entered by itself.
    pub(super) fn when_left(&mut self, id: Id, change: impl FnOnce(&mut Node) + 'static) {
        let depth = self.depth();
        match self.entries.entered.last_mut().filter(|entry| entry.depth == depth && entry.context == id) {
            Some(entry) => entry.when_left.push((id, Box::new(change))),
            None => change(&mut self.nodes[id]),
        }
    }

    /// Removes entries that must have been left by now. They may remain if their closures have panicked.
    fn leave_entries(&mut self) -> Result<(), String> {
        while let Some(entry) = self.entries.entered.last().filter(|entry| entry.depth >= self.depth()) {
            if !entry.guards.is_empty() || entry.is_entering() && !entry.has_panicked {
                return Err(format!("{} was left with guards of {:?}", entry.context, entry.guards));
            }
            self.leave();
        }
        Ok(())
    }

    fn leave(&mut self) {
        let Some(entry) = self.entries.entered.pop() else { return };
        let on_panic = entry.on_panic.filter(|_| entry.has_panicked);
        for (id, change) in entry.when_left {
            change(&mut self.nodes[id]);
        }
        if let Some((id, change)) = on_panic {
            change(&mut self.nodes[id]);
        }
    }
}

impl Entry {
    /// Returns whether more closures may run.
    fn is_entering(&self) -> bool {
        self.started < self.closures.len()
            && !self.is_leaving
            && !(self.has_panicked && self.panics == Panics::Propagate)
    }

    fn is_entered(&self) -> bool {
        self.started == self.closures.len()
            && !self.is_leaving
            && !(self.has_panicked && self.panics == Panics::Propagate)
    }
}
