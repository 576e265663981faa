//! Who was current: as seen from the inside, by the probe, and from the outside, by what drives it.

use std::{
    any::Any,
    mem,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, Mutex},
    thread,
};

use tower_request_context::End;

use super::{
    Place,
    entered::{EnterPanics, Entry, both, entered},
    probe::Script,
};
use crate::support::User;

pub(super) struct Log {
    current: fn() -> Option<User>,
    looks_elsewhere: bool,
    events: Mutex<Vec<Event>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) what: What,
    pub(super) current: Option<User>,
    pub(super) entered: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    SetUp,
    /// The probe was there.
    Visit(Place),
    /// What another thread saw during a visit.
    Elsewhere(Place),
    /// A step there is over.
    Step(Place),
    /// The callback of this number saw the head of the response.
    Head(usize),
    /// The callback of this number was told the end.
    End(usize, End),
    /// A value of the context was dropped.
    Value,
}

/// Where, and who was current.
pub(super) type Sight = (Place, Option<User>);

pub(super) type Payload = Box<dyn Any + Send>;

/// What a probe panics with.
pub(super) struct ScriptedPanic;

/// A visit to a place, which is written down when it ends, be it by a panic.
pub(super) struct Visit(Arc<Log>, Place);

impl Log {
    pub(super) fn new(current: fn() -> Option<User>) -> Arc<Self> {
        Arc::new(Self { current, looks_elsewhere: false, events: Mutex::default() })
    }

    /// One that at each visit also asks another thread.
    pub(super) fn of_all_threads(current: fn() -> Option<User>) -> Arc<Self> {
        Arc::new(Self { current, looks_elsewhere: true, events: Mutex::default() })
    }

    pub(super) fn tell(&self, what: What) {
        self.write(what, (self.current)(), entered());
    }

    pub(super) fn visit(self: &Arc<Self>, place: Place) -> Visit {
        Visit(Arc::clone(self), place)
    }

    /// Does a step and then looks around. A panic that no script asked for goes on.
    pub(super) fn step<R>(&self, place: Place, script: Script, f: impl FnOnce() -> R) -> Result<R, Payload> {
        let enter_panics = EnterPanics::set(script.panics_in_enter && script.place == place);
        let result = catch_unwind(AssertUnwindSafe(f));
        drop(enter_panics);
        self.tell(What::Step(place));
        result.or_else(|payload| if payload.is::<ScriptedPanic>() { Err(payload) } else { resume_unwind(payload) })
    }

    /// Who was current during the visits.
    pub(super) fn inside(&self) -> Vec<Sight> {
        self.sights(|what| if let What::Visit(place) = what { Some(place) } else { None })
    }

    /// Who was current in another thread meanwhile.
    pub(super) fn elsewhere(&self) -> Vec<Sight> {
        self.sights(|what| if let What::Elsewhere(place) = what { Some(place) } else { None })
    }

    /// Who was current after the steps.
    pub(super) fn outside(&self) -> Vec<Sight> {
        self.sights(|what| if let What::Step(place) = what { Some(place) } else { None })
    }

    /// Returns the first event, in this place or outside, whose guards are not those of the current context.
    pub(super) fn misplaced_guards(&self, place: Place) -> Option<Event> {
        let events = self.events.lock().unwrap();
        let is_judged = |event: &&Event| if let What::Visit(visited) = event.what { visited == place } else { true };
        events.iter().filter(is_judged).find(|event| !event.has_its_guards()).cloned()
    }

    /// All that happened since the last time.
    pub(super) fn take(&self) -> Vec<Event> {
        mem::take(&mut *self.events.lock().unwrap())
    }

    fn sights(&self, place: fn(What) -> Option<Place>) -> Vec<Sight> {
        let events = self.events.lock().unwrap();
        events.iter().filter_map(|event| Some((place(event.what)?, event.current))).collect()
    }

    fn write(&self, what: What, current: Option<User>, entered: Vec<Entry>) {
        self.events.lock().unwrap().push(Event { what, current, entered });
    }
}

impl Event {
    /// Whether this user was current, with the guards of that context.
    pub(super) fn is_in(&self, user: Option<User>) -> bool {
        self.current == user && self.has_its_guards()
    }

    /// Whether the guards of the current context were innermost and in order. Outside of a request there are no others.
    fn has_its_guards(&self) -> bool {
        let own = self.current.map(both);
        let own = own.as_ref().map_or(&[][..], |own| own);
        match self.what {
            What::Step(_) | What::Elsewhere(_) => self.entered == own,
            _ => self.entered.ends_with(own),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Self(log, place) = self;
        log.tell(What::Visit(*place));
        if log.looks_elsewhere {
            let elsewhere = thread::scope(|scope| scope.spawn(|| ((log.current)(), entered())).join());
            let (current, entered) = elsewhere.expect("it only looks around");
            log.write(What::Elsewhere(*place), current, entered);
        }
    }
}
