//! Runs the table through a service and reports which cells failed.

use std::{fmt, panic::resume_unwind, thread};

use http::{Request, Response};
use hyper::body::Body;
use tower::Service;
use tower_request_context::RequestContext;

use super::{
    Cell, INNER, Manner, NAMELESS, Place, Visits, cells,
    drive::drive,
    entered,
    log::Log,
    probe::{Failure, Probe, Script},
};
use crate::support::User;

/// How the service under test keeps its user current.
pub(super) trait Carrier: Copy + Sync {
    fn current() -> Option<User>;

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R;

    /// The scope that a broken layer enters where it omits the right one.
    fn omitted_scope<R>(self, _: User, f: impl FnOnce() -> R) -> R {
        f()
    }

    /// The scope of what comes last in a request.
    fn last_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        self.scope(user, f)
    }
}

/// As this crate does it.
#[derive(Clone, Copy)]
pub(super) struct Real;

impl Carrier for Real {
    fn current() -> Option<User> {
        // A context that is left behind without a user is one too many all the same.
        RequestContext::is_active().then(|| RequestContext::get().unwrap_or(NAMELESS))
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        RequestContext::new(entered::store(user)).sync_scope(f)
    }
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) ran: Vec<Cell>,
    pub(super) failed: Vec<(Cell, String)>,
    pub(super) cannot_be: Vec<(Cell, &'static str)>,
}

impl Report {
    /// Runs each cell.
    pub(super) fn of<C, S, B>(carrier: C, serving: impl Fn(Probe) -> S + Sync) -> Self
    where
        C: Carrier,
        S: Service<Request<()>, Response = Response<B>, Error = Failure>,
        B: Body<Error = Failure>,
    {
        let mut report = Self::default();
        for (cell, visits) in cells() {
            match visits {
                Visits::Cannot(reason) => report.cannot_be.push((cell, reason)),
                Visits::Times(times) => {
                    let run = || cell.scripts().into_iter().try_for_each(|it| cell.run(it, times, carrier, &serving));
                    let result = on_a_thread(run);
                    report.failed.extend(result.err().map(|why| (cell, why)));
                    report.ran.push(cell);
                }
            }
        }
        report
    }

    pub(super) fn failed(&self) -> Vec<Cell> {
        self.failed.iter().map(|(cell, _)| *cell).collect()
    }

    pub(super) fn ran_with(&self, property: impl Fn(&Cell) -> bool) -> Vec<Cell> {
        self.ran.iter().copied().filter(property).collect()
    }
}

impl Cell {
    /// A drop meets a panic in two ways: it is part of the unwinding, or the destructor is what panics. And in each place a
    /// panic may come from a closure of `on_enter`.
    pub(super) fn scripts(self) -> Vec<Script> {
        let Self { place, manner, .. } = self;
        let script = Script { place, manner, panics_in_drop: false, panics_in_enter: false };
        let mut scripts = vec![script];
        if manner == Manner::Panic {
            let is_drop = matches!(place, Place::DropOfFuture | Place::DropOfBody);
            if is_drop {
                let before = [Manner::Ready, Manner::Cancelled];
                scripts.extend(before.map(|manner| Script { manner, panics_in_drop: true, ..script }));
            }
            let manner = if is_drop { Manner::Cancelled } else { Manner::Ready };
            scripts.push(Script { manner, panics_in_enter: true, ..script });
        }
        scripts
    }

    fn run<C, S, B>(self, script: Script, times: usize, carrier: C, serving: impl Fn(Probe) -> S) -> Result<(), String>
    where
        C: Carrier,
        S: Service<Request<()>, Response = Response<B>, Error = Failure>,
        B: Body<Error = Failure>,
    {
        let times = if script.is_not_entered() { 0 } else { times };
        let log = Log::of_all_threads(C::current);
        let service = serving(Probe::new(script, &log));
        match self.outer {
            None => drive(service, script, &log),
            Some(outer) => carrier.scope(outer, || drive(service, script, &log)),
        }

        let inside = log.inside();
        let visits: Vec<_> = inside.iter().filter(|(place, _)| *place == self.place).collect();
        if visits.len() != times {
            return Err(format!("{} visits instead of {times}, in {script:?}", visits.len()));
        }
        if let Some((_, user)) = visits.iter().find(|(_, user)| *user != Some(INNER)) {
            return Err(format!("saw {user:?}, in {script:?}"));
        }
        if let Some((_, user)) = log.elsewhere().iter().find(|(_, user)| user.is_some()) {
            return Err(format!("another thread saw {user:?}, in {script:?}"));
        }
        if let Some((place, user)) = log.outside().iter().find(|(_, user)| *user != self.outer) {
            return Err(format!("{user:?} was current after {place:?}, in {script:?}"));
        }
        match log.misplaced_guards(self.place) {
            Some(event) => Err(format!("misplaced guards: {event:?}, in {script:?}")),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} cells ran, {} failed", self.ran.len(), self.failed.len())?;
        for (Cell { place, manner, outer }, why) in &self.failed {
            writeln!(f, "  {place:?} / {manner:?} / outer {outer:?}: {why}")?;
        }
        Ok(())
    }
}

/// Calls `f` on a thread of its own, where it finds nothing that another service left behind.
pub(super) fn on_a_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join()).unwrap_or_else(|payload| resume_unwind(payload))
}
