//! The scenarios of the promises: the cells of the table, each also during an unrelated panic.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tower_request_context::End;

use super::{Manner, Place, Visits, cells, probe::Script};
use crate::support::User;

/// A script, and what surrounds the request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) script: Script,
    pub(super) outer: Option<User>,
    /// Whether the whole request runs while an unrelated panic unwinds.
    pub(super) during_panic: bool,
}

pub(super) fn scenarios() -> impl Iterator<Item = Scenario> {
    let cells = cells().into_iter().filter(|(_, visits)| matches!(visits, Visits::Times(_)));
    let scenarios = cells.flat_map(|(cell, _)| cell.scripts().into_iter().map(move |script| (script, cell.outer)));
    scenarios
        .flat_map(|(script, outer)| [false, true].map(|during_panic| Scenario { script, outer, during_panic }))
        // A panic during unwinding would abort.
        .filter(|scenario| !scenario.during_panic || scenario.end() != End::Panicked)
}

impl Scenario {
    /// Returns the end that the request must have.
    pub(super) fn end(&self) -> End {
        match self.script.manner {
            _ if self.script.panics_in_drop || self.script.is_not_entered() => End::Panicked,
            Manner::Fails => End::Failed,
            Manner::Panic => End::Panicked,
            Manner::Cancelled | Manner::NeverPolled => End::Cancelled,
            Manner::Ready | Manner::PendingOnce | Manner::PendingMany => End::Completed,
        }
    }

    /// Calls `f`, while a panic unwinds if the scenario says so.
    pub(super) fn run(&self, f: impl FnOnce()) {
        if self.during_panic { during_panic(f) } else { f() }
    }

    /// Returns whether the request goes no further than this place.
    pub(super) fn stops_in(&self, place: Place) -> bool {
        let manner = self.script.manner_in(place);
        self.is_not_entered_in(place)
            || matches!(manner, Manner::Fails | Manner::Panic | Manner::Cancelled | Manner::NeverPolled)
    }

    /// Returns whether the service returns a response.
    pub(super) fn has_response(&self) -> bool {
        !self.panics_in_call() && !self.stops_in(Place::Poll) && !self.is_ready_without_response()
    }

    pub(super) fn panics_in_call(&self) -> bool {
        self.script.manner_in(Place::Call) == Manner::Panic || self.is_not_entered_in(Place::Call)
    }

    /// Returns whether entering the context panics in this place.
    pub(super) fn is_not_entered_in(&self, place: Place) -> bool {
        self.script.is_not_entered() && self.script.place == place
    }

    /// Returns whether the future is ready without a response, because it fails or its drop panics.
    pub(super) fn is_ready_without_response(&self) -> bool {
        let Script { place, manner, panics_in_drop, .. } = self.script;
        let panics = panics_in_drop && place == Place::DropOfFuture && manner == Manner::Ready;
        panics || self.script.manner_in(Place::Poll) == Manner::Fails
    }
}

fn during_panic(f: impl FnOnce()) {
    struct InDrop<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for InDrop<F> {
        fn drop(&mut self) {
            self.0.take().expect("`drop` runs once")();
        }
    }

    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _in_drop = InDrop(Some(f));
        resume_unwind(Box::new("unrelated panic"));
    }));
    assert!(unwound.is_err());
}
