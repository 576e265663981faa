//! Runs the table through a service and reports which cells failed.

use std::{fmt, panic::resume_unwind, thread};

use http::{Request, Response};
use hyper::body::Body;
use tower::Service;
use tower_request_context::RequestContext;

use super::{
    ANONYMOUS, Cell, INNER, Manner, Place, Visits, cells,
    drive::drive,
    enter_guards,
    log::Log,
    probe::{Failure, Probe, Script},
};
use crate::support::User;

/// Where the service under test stores its current user.
pub(super) trait Storage: Copy + Sync {
    fn current() -> Option<User>;

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R;

    /// The scope that a broken layer enters in place of an omitted one.
    fn omitted_scope<R>(self, _: User, f: impl FnOnce() -> R) -> R {
        f()
    }

    /// The last scope of a request.
    fn last_scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        self.scope(user, f)
    }
}

/// The storage of this crate.
#[derive(Clone, Copy)]
pub(super) struct CrateStorage;

impl Storage for CrateStorage {
    fn current() -> Option<User> {
        // A context without a user counts too, so that one that is left current is noticed.
        RequestContext::is_active().then(|| RequestContext::get().unwrap_or(ANONYMOUS))
    }

    fn scope<R>(self, user: User, f: impl FnOnce() -> R) -> R {
        RequestContext::new(enter_guards::store(user)).sync_scope(f)
    }
}

#[derive(Default)]
pub(super) struct Report {
    pub(super) ran: Vec<Cell>,
    pub(super) failed: Vec<(Cell, String)>,
    pub(super) impossible: Vec<(Cell, &'static str)>,
}

impl Report {
    /// Runs each cell of the table.
    pub(super) fn run<C, S, B>(storage: C, make_service: impl Fn(Probe) -> S + Sync) -> Self
    where
        C: Storage,
        S: Service<Request<()>, Response = Response<B>, Error = Failure>,
        B: Body<Error = Failure>,
    {
        let mut report = Self::default();
        for (cell, visits) in cells() {
            match visits {
                Visits::Cannot(reason) => report.impossible.push((cell, reason)),
                Visits::Times(times) => {
                    let run =
                        || cell.scripts().into_iter().try_for_each(|it| cell.run(it, times, storage, &make_service));
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
    /// Returns the scripts of this cell. A `Panic` cell has several: for drops, either a poll panics before the drop or
    /// the destructor itself panics. In each place, an `on_enter` closure may panic.
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

    fn run<C, S, B>(
        self,
        script: Script,
        times: usize,
        storage: C,
        make_service: impl Fn(Probe) -> S,
    ) -> Result<(), String>
    where
        C: Storage,
        S: Service<Request<()>, Response = Response<B>, Error = Failure>,
        B: Body<Error = Failure>,
    {
        let times = if script.is_not_entered() { 0 } else { times };
        let log = Log::checking_other_threads(C::current);
        let service = make_service(Probe::new(script, &log));
        match self.outer {
            None => drive(service, script, &log),
            Some(outer) => storage.scope(outer, || drive(service, script, &log)),
        }

        let during_visits = log.during_visits();
        let visits: Vec<_> = during_visits.iter().filter(|(place, _)| *place == self.place).collect();
        if visits.len() != times {
            return Err(format!("{} visits instead of {times}, in {script:?}", visits.len()));
        }
        if let Some((_, user)) = visits.iter().find(|(_, user)| *user != Some(INNER)) {
            return Err(format!("saw {user:?}, in {script:?}"));
        }
        if let Some((_, user)) = log.on_other_threads().iter().find(|(_, user)| user.is_some()) {
            return Err(format!("another thread saw {user:?}, in {script:?}"));
        }
        if let Some((place, user)) = log.after_steps().iter().find(|(_, user)| *user != self.outer) {
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

/// Calls `f` on a new thread, where no other service has left anything in a thread-local.
pub(super) fn on_a_thread<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join()).unwrap_or_else(|payload| resume_unwind(payload))
}
