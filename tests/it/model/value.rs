//! Values whose `Clone` and `Drop` do what a program says, and whose `Debug` nobody calls.

use std::{fmt, sync::Arc};

use super::{
    machine::{contained, dropping, fault, here, hit, inside, is_quiet, machine, run},
    plain::{Content, Id},
    program::{Hooks, Kind},
};

pub(super) struct Value<const KIND: Kind> {
    pub(super) content: Content,
    /// The context that it was written to; none for a clone, which has no hooks.
    home: Option<Id>,
    hooks: Hooks,
}

impl<const KIND: Kind> Value<KIND> {
    pub(super) fn new(content: Content, home: Option<Id>, hooks: &Hooks) -> Self {
        let mut value = Self::without_hooks(content);
        value.becomes(content, home, hooks);
        value
    }

    /// Makes another value of a clone.
    pub(super) fn becomes(&mut self, content: Content, home: Option<Id>, hooks: &Hooks) {
        // Clones do not count: one that is returned leaks where a destructor panics after it (rust-lang/rust#47949).
        machine(|machine| machine.alive += usize::from(home.is_some()));
        (self.content, self.home, self.hooks) = (content, home, hooks.clone());
    }

    /// Takes back a value, without its hooks.
    pub(super) fn into_content(mut self) -> Content {
        machine(|machine| machine.alive -= usize::from(self.home.take().is_some()));
        self.content
    }

    fn without_hooks(content: Content) -> Self {
        Self { content, home: None, hooks: Hooks { clone: Arc::from([]), drop: Arc::from([]) } }
    }
}

impl<const KIND: Kind> Clone for Value<KIND> {
    fn clone(&self) -> Self {
        if !is_quiet() {
            hit("values cloned");
            here(|| run(&self.hooks.clone));
        }
        Self::without_hooks(self.content)
    }
}

impl<const KIND: Kind> Drop for Value<KIND> {
    fn drop(&mut self) {
        let Some(home) = self.home else { return };
        machine(|machine| machine.alive -= 1);
        let is_alive = machine(|machine| machine.weak.get(&home).cloned()).is_some_and(|weak| weak.upgrade().is_some());
        if is_alive {
            hit("values dropped by a writer");
            dropping(|| here(|| run(&self.hooks.drop)));
        } else {
            hit("values dropped with their store");
            contained(|| inside(None, || run(&self.hooks.drop)));
        }
    }
}

impl<const KIND: Kind> fmt::Debug for Value<KIND> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        fault(String::from("a value was printed"));
        Err(fmt::Error)
    }
}

/// Names the type of a kind.
macro_rules! of_kind {
    ($kind:expr, $V:ident => $body:expr) => {
        match $kind {
            0 => {
                type $V = $crate::model::value::Value<0>;
                $body
            }
            1 => {
                type $V = $crate::model::value::Value<1>;
                $body
            }
            2 => {
                type $V = $crate::model::value::Value<2>;
                $body
            }
            _ => {
                type $V = $crate::model::value::Value<3>;
                $body
            }
        }
    };
}

pub(super) use of_kind;
