//! A log of which user was current: during the probe's visits, and after each step of the code that drives it.

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
    enter_guards::{EnterPanics, Entry, entered, entries_of},
    probe::Script,
};
use crate::support::User;

pub(super) struct Log {
    current: fn() -> Option<User>,
    checks_other_thread: bool,
    events: Mutex<Vec<Event>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Event {
    pub(super) kind: EventKind,
    pub(super) current: Option<User>,
    pub(super) entered: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum EventKind {
    Setup,
    /// The probe ran in this place.
    Visit(Place),
    /// Another thread checked its current user during a visit.
    OtherThread(Place),
    /// A step in this place has returned or unwound.
    Step(Place),
    /// The `on_response` callback of this number ran.
    OnResponse(usize),
    /// The `on_end` callback of this number ran with this end.
    End(usize, End),
    /// A value of the context was dropped.
    ValueDropped,
}

/// A place, and the user that was current there.
pub(super) type Observation = (Place, Option<User>);

pub(super) type Payload = Box<dyn Any + Send>;

/// The panic payload of a probe.
pub(super) struct ScriptedPanic;

/// A visit to a place. It is recorded when it is dropped, including during a panic.
pub(super) struct Visit(Arc<Log>, Place);

impl Log {
    pub(super) fn new(current: fn() -> Option<User>) -> Arc<Self> {
        Arc::new(Self { current, checks_other_thread: false, events: Mutex::default() })
    }

    /// Creates a log that also checks the current user of another thread at each visit.
    pub(super) fn checking_other_threads(current: fn() -> Option<User>) -> Arc<Self> {
        Arc::new(Self { current, checks_other_thread: true, events: Mutex::default() })
    }

    pub(super) fn record(&self, kind: EventKind) {
        self.write(kind, (self.current)(), entered());
    }

    pub(super) fn visit(self: &Arc<Self>, place: Place) -> Visit {
        Visit(Arc::clone(self), place)
    }

    /// Runs a step and records which user is current after it. Resumes panics other than [`ScriptedPanic`].
    pub(super) fn step<R>(&self, place: Place, script: Script, f: impl FnOnce() -> R) -> Result<R, Payload> {
        let enter_panics = EnterPanics::set(script.panics_in_enter && script.place == place);
        let result = catch_unwind(AssertUnwindSafe(f));
        drop(enter_panics);
        self.record(EventKind::Step(place));
        result.or_else(|payload| if payload.is::<ScriptedPanic>() { Err(payload) } else { resume_unwind(payload) })
    }

    /// Returns which user was current during each visit.
    pub(super) fn during_visits(&self) -> Vec<Observation> {
        self.observations(|kind| if let EventKind::Visit(place) = kind { Some(place) } else { None })
    }

    /// Returns which user was current on another thread during each visit.
    pub(super) fn on_other_threads(&self) -> Vec<Observation> {
        self.observations(|kind| if let EventKind::OtherThread(place) = kind { Some(place) } else { None })
    }

    /// Returns which user was current after each step.
    pub(super) fn after_steps(&self) -> Vec<Observation> {
        self.observations(|kind| if let EventKind::Step(place) = kind { Some(place) } else { None })
    }

    /// Returns the first event whose guards are not those of the current context. Ignores visits of other places.
    pub(super) fn misplaced_guards(&self, place: Place) -> Option<Event> {
        let events = self.events.lock().unwrap();
        let is_relevant =
            |event: &&Event| if let EventKind::Visit(visited) = event.kind { visited == place } else { true };
        events.iter().filter(is_relevant).find(|event| !event.has_matching_guards()).cloned()
    }

    /// Takes the events since the last call.
    pub(super) fn take(&self) -> Vec<Event> {
        mem::take(&mut *self.events.lock().unwrap())
    }

    fn observations(&self, place: fn(EventKind) -> Option<Place>) -> Vec<Observation> {
        let events = self.events.lock().unwrap();
        events.iter().filter_map(|event| Some((place(event.kind)?, event.current))).collect()
    }

    fn write(&self, kind: EventKind, current: Option<User>, entered: Vec<Entry>) {
        self.events.lock().unwrap().push(Event { kind, current, entered });
    }
}

impl Event {
    /// Returns whether this user was current, with the guards of that context.
    pub(super) fn is_in_context_of(&self, user: Option<User>) -> bool {
        self.current == user && self.has_matching_guards()
    }

    /// Returns whether the guards of the current context were innermost and in order. After a
    /// step, and on another thread, there must be no other guards.
    fn has_matching_guards(&self) -> bool {
        let own = self.current.map(entries_of);
        let own = own.as_ref().map_or(&[][..], |own| own);
        match self.kind {
            EventKind::Step(_) | EventKind::OtherThread(_) => self.entered == own,
            _ => self.entered.ends_with(own),
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let Self(log, place) = self;
        log.record(EventKind::Visit(*place));
        if log.checks_other_thread {
            let other = thread::scope(|scope| scope.spawn(|| ((log.current)(), entered())).join());
            let (current, entered) = other.expect("the thread only reads");
            log.write(EventKind::OtherThread(*place), current, entered);
        }
    }
}
