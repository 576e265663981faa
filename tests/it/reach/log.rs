//! Who was current: as seen from the inside, by the probe, and from the outside, by what drives it.

use std::{
    any::Any,
    cell::{Ref, RefCell},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
};

use super::Place;
use crate::support::User;

pub(super) struct Log {
    current: fn() -> Option<User>,
    inside: RefCell<Vec<Sight>>,
    outside: RefCell<Vec<Sight>>,
}

/// During a visit to the place, or after a step there.
pub(super) type Sight = (Place, Option<User>);

pub(super) type Payload = Box<dyn Any + Send>;

/// What a probe panics with.
pub(super) struct ScriptedPanic;

/// A visit to a place, which is written down when it ends, be it by a panic.
pub(super) struct Visit(Rc<Log>, Place);

impl Log {
    pub(super) fn new(current: fn() -> Option<User>) -> Rc<Self> {
        Rc::new(Self { current, inside: RefCell::default(), outside: RefCell::default() })
    }

    pub(super) fn visit(self: &Rc<Self>, place: Place) -> Visit {
        Visit(Rc::clone(self), place)
    }

    /// Does a step and then looks around. A panic that no script asked for goes on.
    pub(super) fn step<R>(&self, place: Place, f: impl FnOnce() -> R) -> Result<R, Payload> {
        let result = catch_unwind(AssertUnwindSafe(f));
        self.outside.borrow_mut().push((place, (self.current)()));
        result.or_else(|payload| if payload.is::<ScriptedPanic>() { Err(payload) } else { resume_unwind(payload) })
    }

    pub(super) fn inside(&self) -> Ref<'_, [Sight]> {
        Ref::map(self.inside.borrow(), Vec::as_slice)
    }

    pub(super) fn outside(&self) -> Ref<'_, [Sight]> {
        Ref::map(self.outside.borrow(), Vec::as_slice)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Self(log, place) = self;
        log.inside.borrow_mut().push((*place, (log.current)()));
    }
}
