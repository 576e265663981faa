//! The ways that requests of the table go, and what is due on each.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use tower_request_context::End;

use super::{Manner, Place, Visits, cells, probe::Script};
use crate::support::User;

#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    pub(super) script: Script,
    pub(super) outer: Option<User>,
    /// Whether all of it happens while a panic unwinds that is none of the request's.
    pub(super) amid_a_panic: bool,
}

pub(super) fn ways() -> impl Iterator<Item = Way> {
    let cells = cells().into_iter().filter(|(_, visits)| matches!(visits, Visits::Times(_)));
    let ways = cells.flat_map(|(cell, _)| cell.scripts().into_iter().map(move |script| (script, cell.outer)));
    ways.flat_map(|(script, outer)| [false, true].map(|amid_a_panic| Way { script, outer, amid_a_panic }))
        // One that panics while another unwinds would abort.
        .filter(|way| !way.amid_a_panic || way.end() != End::Panicked)
}

impl Way {
    pub(super) fn end(&self) -> End {
        match self.script.manner {
            _ if self.script.panics_in_drop || self.script.is_not_entered() => End::Panicked,
            Manner::Fails => End::Failed,
            Manner::Panic => End::Panicked,
            Manner::Cancelled | Manner::NeverPolled => End::Cancelled,
            Manner::Ready | Manner::PendingOnce | Manner::PendingMany => End::Completed,
        }
    }

    /// Calls `f`, amid a panic if that is the way.
    pub(super) fn go(&self, f: impl FnOnce()) {
        if self.amid_a_panic { amid_a_panic(f) } else { f() }
    }

    /// Whether it stops in that place.
    pub(super) fn is_cut_in(&self, place: Place) -> bool {
        let manner = self.script.manner_in(place);
        self.is_not_entered_in(place)
            || matches!(manner, Manner::Fails | Manner::Panic | Manner::Cancelled | Manner::NeverPolled)
    }

    /// Whether a response comes.
    pub(super) fn has_head(&self) -> bool {
        !self.panics_in_the_call() && !self.is_cut_in(Place::Poll) && !self.is_ready_in_vain()
    }

    pub(super) fn panics_in_the_call(&self) -> bool {
        self.script.manner_in(Place::Call) == Manner::Panic || self.is_not_entered_in(Place::Call)
    }

    /// Whether entering the context panics there.
    pub(super) fn is_not_entered_in(&self, place: Place) -> bool {
        self.script.is_not_entered() && self.script.place == place
    }

    /// Whether the future is ready and no response comes of it: it fails, or panics in its drop.
    pub(super) fn is_ready_in_vain(&self) -> bool {
        let Script { place, manner, panics_in_drop, .. } = self.script;
        let panics = panics_in_drop && place == Place::DropOfFuture && manner == Manner::Ready;
        panics || self.script.manner_in(Place::Poll) == Manner::Fails
    }
}

fn amid_a_panic(f: impl FnOnce()) {
    struct InDrop<F: FnOnce()>(Option<F>);

    impl<F: FnOnce()> Drop for InDrop<F> {
        fn drop(&mut self) {
            self.0.take().expect("it is dropped once")();
        }
    }

    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _in_drop = InDrop(Some(f));
        resume_unwind(Box::new("of somebody else"));
    }));
    assert!(unwound.is_err());
}
