//! Values whose `Clone` and `Drop` run a program, and whose `Debug` must never be called.

use std::{fmt, sync::Arc};

use super::{
    machine::{
        count, fault, hooks_are_disabled, in_caught_code, in_context, in_current_context, in_destructor, machine, run,
    },
    program::{Hooks, Kind},
    reference::{Content, Id},
};

pub(super) struct Value<const KIND: Kind> {
    pub(super) content: Content,
    /// The context that it was written to. `None` for a clone, which has no hooks.
    home: Option<Id>,
    hooks: Hooks,
}

impl<const KIND: Kind> Value<KIND> {
    pub(super) fn new(content: Content, home: Option<Id>, hooks: &Hooks) -> Self {
        let mut value = Self::without_hooks(content);
        value.turn_into(content, home, hooks);
        value
    }

    /// Turns a clone into a new value.
    pub(super) fn turn_into(&mut self, content: Content, home: Option<Id>, hooks: &Hooks) {
        // Clones are not counted: a returned clone leaks if a destructor panics after it (rust-lang/rust#47949).
        machine(|machine| machine.alive += usize::from(home.is_some()));
        (self.content, self.home, self.hooks) = (content, home, hooks.clone());
    }

    /// Returns the content, and drops the value without running its hooks.
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
        if !hooks_are_disabled() {
            count("values cloned");
            in_current_context(|| run(&self.hooks.clone));
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
            count("values dropped by a writer");
            in_destructor(|| in_current_context(|| run(&self.hooks.drop)));
        } else {
            count("values dropped with their store");
            in_caught_code(|| in_context(None, || run(&self.hooks.drop)));
        }
    }
}

impl<const KIND: Kind> fmt::Debug for Value<KIND> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        fault(String::from("a value was printed"));
        Err(fmt::Error)
    }
}

/// Evaluates an expression with a type alias for the value type of a kind.
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
