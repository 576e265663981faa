//! What a layer promises besides its reach, judged on each way that a request of the table goes.
//!
//! On each way go two requests, one after the other, through the same service: a user's and an anonymous one.

use http::{Request, Response};
use hyper::body::Body;
use tower::Service;
use tower_request_context::End;

use super::{
    INNER, NAMELESS, Place,
    drive::drive,
    guest::{CALLBACKS, Guest},
    log::{Event, Log, What},
    probe::{Failure, Probe},
    report::{Carrier, Real, on_a_thread},
    way::{Way, ways},
};
use crate::support::User;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Promise {
    /// The setup runs once for each request.
    OneSetup,
    /// Who asks is current: not who asked before, nor who asks around it. So are the guards of its context.
    OwnStore,
    /// Who was current before a step is so after it, and no guards are left.
    OuterRestored,
    /// What `on_response` was given is called if there is a head.
    HeadShown,
    HeadShownOnce,
    /// It is called before the head goes out, and not without one.
    HeadShownInTime,
    HeadsInOrder,
    /// What `on_end` was given is called.
    EndTold,
    EndToldOnce,
    /// It is called after what the request consists of is dropped.
    EndToldLast,
    RightEnd,
    EndsInOrder,
    /// Callbacks are called in the context, with its guards entered.
    CalledInContext,
    /// The values live until the end has been told.
    ValuesKept,
    /// Neither values nor callbacks live longer than the request.
    NothingLeft,
}

const PROMISES: [Promise; 15] = [
    Promise::OneSetup,
    Promise::OwnStore,
    Promise::OuterRestored,
    Promise::HeadShown,
    Promise::HeadShownOnce,
    Promise::HeadShownInTime,
    Promise::HeadsInOrder,
    Promise::EndTold,
    Promise::EndToldOnce,
    Promise::EndToldLast,
    Promise::RightEnd,
    Promise::EndsInOrder,
    Promise::CalledInContext,
    Promise::ValuesKept,
    Promise::NothingLeft,
];

/// Asserts which promises the layer breaks, on which ways: those, and no other.
pub(super) fn assert_breaks<S, B>(serving: impl Fn(Guest, Probe) -> S + Sync, breaks: impl Fn(Promise, &Way) -> bool)
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    for way in ways() {
        let broken = on_a_thread(|| broken(way, &serving));
        let expected: Vec<_> = PROMISES.into_iter().filter(|promise| breaks(*promise, &way)).collect();
        let found: Vec<_> =
            PROMISES.into_iter().filter(|it| broken.iter().any(|(promise, ..)| promise == it)).collect();
        assert_eq!(found, expected, "on {way:?}: {broken:#?}");
    }
}

/// The promises that are broken on that way, with all that happened.
fn broken<S, B>(way: Way, serving: impl Fn(Guest, Probe) -> S) -> Vec<(Promise, String)>
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    let log = Log::new(Real::current);
    let guest = Guest::new(&log);
    let mut service = serving(guest.clone(), Probe::new(way.script, &log));
    let before = guest.count();
    let mut broken = Vec::new();
    let visits = || {
        for user in [INNER, NAMELESS] {
            guest.set_user(user);
            drive(&mut service, way.script, &log);
            let seen = Seen { way, user, is_gone: guest.count() == before, events: log.take() };
            broken.extend(PROMISES.into_iter().filter(|it| !seen.keeps(*it)).map(|it| (it, format!("{seen:?}"))));
        }
    };
    match way.outer {
        None => way.go(visits),
        Some(outer) => Real.scope(outer, || way.go(visits)),
    }
    broken
}

/// A request of this user, as it is seen.
#[derive(Debug)]
struct Seen {
    way: Way,
    user: User,
    is_gone: bool,
    events: Vec<Event>,
}

impl Seen {
    fn keeps(&self, promise: Promise) -> bool {
        let visits = |what| matches!(what, What::Visit(_));
        let calls = |what| matches!(what, What::Head(_) | What::End(..));
        let due = if self.way.has_head() { CALLBACKS } else { 0 };
        match promise {
            Promise::OneSetup => self.count(|what| what == What::SetUp) == 1,
            Promise::OwnStore => self.all(visits, |event| event.is_in(Some(self.user))),
            Promise::OuterRestored => {
                self.all(|what| matches!(what, What::Step(_)), |event| event.is_in(self.way.outer))
            }
            Promise::HeadShown => (0..due).all(|n| self.heads().contains(&n)),
            Promise::HeadShownOnce => (0..CALLBACKS).all(|n| self.heads().iter().filter(|it| **it == n).count() <= 1),
            Promise::HeadShownInTime => {
                let sent = self.last(|what| what == What::Step(Place::Poll));
                let shown = self.last(|what| matches!(what, What::Head(_)));
                shown.is_none() || due > 0 && shown < sent
            }
            Promise::HeadsInOrder => self.heads().is_sorted(),
            Promise::EndTold => (0..CALLBACKS).all(|n| self.ends().iter().any(|it| it.0 == n)),
            Promise::EndToldOnce => (0..CALLBACKS).all(|n| self.ends().iter().filter(|it| it.0 == n).count() <= 1),
            Promise::EndToldLast => {
                self.first(|what| matches!(what, What::End(..))).is_none_or(|end| self.last(visits) < Some(end))
            }
            Promise::RightEnd => self.ends().iter().all(|(_, end)| *end == self.way.end()),
            Promise::EndsInOrder => self.ends().is_sorted_by_key(|(n, _)| *n),
            Promise::CalledInContext => self.all(calls, |event| event.is_in(Some(self.user))),
            Promise::ValuesKept => {
                let needed = self.last(|what| visits(what) || calls(what));
                self.first(|what| what == What::Value).is_none_or(|dropped| needed < Some(dropped))
            }
            Promise::NothingLeft => self.is_gone,
        }
    }

    fn heads(&self) -> Vec<usize> {
        self.events.iter().filter_map(|it| if let What::Head(n) = it.what { Some(n) } else { None }).collect()
    }

    fn ends(&self) -> Vec<(usize, End)> {
        self.events
            .iter()
            .filter_map(|it| if let What::End(n, end) = it.what { Some((n, end)) } else { None })
            .collect()
    }

    fn all(&self, which: impl Fn(What) -> bool, are: impl Fn(&Event) -> bool) -> bool {
        self.events.iter().filter(|event| which(event.what)).all(are)
    }

    fn count(&self, which: impl Fn(What) -> bool) -> usize {
        self.events.iter().filter(|event| which(event.what)).count()
    }

    fn first(&self, which: impl Fn(What) -> bool) -> Option<usize> {
        self.events.iter().position(|event| which(event.what))
    }

    fn last(&self, which: impl Fn(What) -> bool) -> Option<usize> {
        self.events.iter().rposition(|event| which(event.what))
    }
}
