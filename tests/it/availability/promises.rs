//! What a layer promises besides availability, checked in each scenario of the table.
//!
//! Each scenario sends two requests through the same service, one after the other: one with a user, and an anonymous
//! one.

use http::{Request, Response};
use hyper::body::Body;
use tower::Service;
use tower_request_context::End;

use super::{
    ANONYMOUS, INNER, Place,
    drive::drive,
    log::{Event, EventKind, Log},
    probe::{Failure, Probe},
    report::{CrateStorage, Storage, on_a_thread},
    scenario::{Scenario, scenarios},
    setup::{CALLBACKS, RecordingSetup},
};
use crate::support::User;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The setup runs once for each request.
    OneSetup,
    /// The current user is that of the request, not of an earlier or an outer one. So are the guards.
    OwnStore,
    /// After a step, the same user is current as before it, and no guards are left entered.
    OuterRestored,
    /// `on_response` callbacks run if there is a response.
    OnResponseRuns,
    OnResponseRunsOnce,
    /// `on_response` callbacks run before the response is returned, and not without one.
    OnResponseRunsInTime,
    OnResponseInOrder,
    /// `on_end` callbacks run.
    OnEndRuns,
    OnEndRunsOnce,
    /// `on_end` callbacks run after the future or the body has been dropped.
    OnEndRunsLast,
    /// `on_end` callbacks get the expected [`End`].
    RightEnd,
    OnEndInOrder,
    /// Callbacks run in the context, with its guards entered.
    CallbacksInContext,
    /// Values are dropped after the `on_end` callbacks have run.
    ValuesLiveLongEnough,
    /// No value and no callback outlives the request.
    NothingLeaked,
}

const PROMISES: [Promise; 15] = [
    Promise::OneSetup,
    Promise::OwnStore,
    Promise::OuterRestored,
    Promise::OnResponseRuns,
    Promise::OnResponseRunsOnce,
    Promise::OnResponseRunsInTime,
    Promise::OnResponseInOrder,
    Promise::OnEndRuns,
    Promise::OnEndRunsOnce,
    Promise::OnEndRunsLast,
    Promise::RightEnd,
    Promise::OnEndInOrder,
    Promise::CallbacksInContext,
    Promise::ValuesLiveLongEnough,
    Promise::NothingLeaked,
];

/// Asserts that the layer breaks exactly the promises for which `breaks` returns true in a scenario.
pub(super) fn assert_breaks<S, B>(
    make_service: impl Fn(RecordingSetup, Probe) -> S + Sync,
    breaks: impl Fn(Promise, &Scenario) -> bool,
) where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    for scenario in scenarios() {
        let broken = on_a_thread(|| broken(scenario, &make_service));
        let expected: Vec<_> = PROMISES.into_iter().filter(|promise| breaks(*promise, &scenario)).collect();
        let found: Vec<_> =
            PROMISES.into_iter().filter(|it| broken.iter().any(|(promise, ..)| promise == it)).collect();
        assert_eq!(found, expected, "in {scenario:?}: {broken:#?}");
    }
}

/// Returns the promises that are broken in the scenario, each with the request as it was observed.
fn broken<S, B>(scenario: Scenario, make_service: impl Fn(RecordingSetup, Probe) -> S) -> Vec<(Promise, String)>
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    let log = Log::new(CrateStorage::current);
    let setup = RecordingSetup::new(&log);
    let mut service = make_service(setup.clone(), Probe::new(scenario.script, &log));
    let before = setup.handle_count();
    let mut broken = Vec::new();
    let visits = || {
        for user in [INNER, ANONYMOUS] {
            setup.set_user(user);
            drive(&mut service, scenario.script, &log);
            let seen = Seen { scenario, user, is_released: setup.handle_count() == before, events: log.take() };
            broken.extend(PROMISES.into_iter().filter(|it| !seen.keeps(*it)).map(|it| (it, format!("{seen:?}"))));
        }
    };
    match scenario.outer {
        None => scenario.run(visits),
        Some(outer) => CrateStorage.scope(outer, || scenario.run(visits)),
    }
    broken
}

/// One request of a scenario, as it was observed.
#[derive(Debug)]
struct Seen {
    scenario: Scenario,
    user: User,
    is_released: bool,
    events: Vec<Event>,
}

impl Seen {
    fn keeps(&self, promise: Promise) -> bool {
        let visits = |kind| matches!(kind, EventKind::Visit(_));
        let calls = |kind| matches!(kind, EventKind::OnResponse(_) | EventKind::End(..));
        let due = if self.scenario.has_response() { CALLBACKS } else { 0 };
        match promise {
            Promise::OneSetup => self.count(|kind| kind == EventKind::Setup) == 1,
            Promise::OwnStore => self.all(visits, |event| event.is_in_context_of(Some(self.user))),
            Promise::OuterRestored => {
                self.all(|kind| matches!(kind, EventKind::Step(_)), |event| event.is_in_context_of(self.scenario.outer))
            }
            Promise::OnResponseRuns => (0..due).all(|n| self.on_response_calls().contains(&n)),
            Promise::OnResponseRunsOnce => {
                (0..CALLBACKS).all(|n| self.on_response_calls().iter().filter(|it| **it == n).count() <= 1)
            }
            Promise::OnResponseRunsInTime => {
                let sent = self.last(|kind| kind == EventKind::Step(Place::Poll));
                let called = self.last(|kind| matches!(kind, EventKind::OnResponse(_)));
                called.is_none() || due > 0 && called < sent
            }
            Promise::OnResponseInOrder => self.on_response_calls().is_sorted(),
            Promise::OnEndRuns => (0..CALLBACKS).all(|n| self.on_end_calls().iter().any(|it| it.0 == n)),
            Promise::OnEndRunsOnce => {
                (0..CALLBACKS).all(|n| self.on_end_calls().iter().filter(|it| it.0 == n).count() <= 1)
            }
            Promise::OnEndRunsLast => {
                self.first(|kind| matches!(kind, EventKind::End(..))).is_none_or(|end| self.last(visits) < Some(end))
            }
            Promise::RightEnd => self.on_end_calls().iter().all(|(_, end)| *end == self.scenario.end()),
            Promise::OnEndInOrder => self.on_end_calls().is_sorted_by_key(|(n, _)| *n),
            Promise::CallbacksInContext => self.all(calls, |event| event.is_in_context_of(Some(self.user))),
            Promise::ValuesLiveLongEnough => {
                let needed = self.last(|kind| visits(kind) || calls(kind));
                self.first(|kind| kind == EventKind::ValueDropped).is_none_or(|dropped| needed < Some(dropped))
            }
            Promise::NothingLeaked => self.is_released,
        }
    }

    fn on_response_calls(&self) -> Vec<usize> {
        self.events
            .iter()
            .filter_map(|it| if let EventKind::OnResponse(n) = it.kind { Some(n) } else { None })
            .collect()
    }

    fn on_end_calls(&self) -> Vec<(usize, End)> {
        self.events
            .iter()
            .filter_map(|it| if let EventKind::End(n, end) = it.kind { Some((n, end)) } else { None })
            .collect()
    }

    fn all(&self, which: impl Fn(EventKind) -> bool, are: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().filter(|event| which(event.kind)).all(are)
    }

    fn count(&self, which: impl Fn(EventKind) -> bool) -> usize {
        self.events.iter().filter(|event| which(event.kind)).count()
    }

    fn first(&self, which: impl Fn(EventKind) -> bool) -> Option<usize> {
        self.events.iter().position(|event| which(event.kind))
    }

    fn last(&self, which: impl Fn(EventKind) -> bool) -> Option<usize> {
        self.events.iter().rposition(|event| which(event.kind))
    }
}
