//! Layers with a fault each, which the table must find, and where it must find it: a suite that cannot fail proves
//! nothing.

mod carriers;
mod flawed;
mod found_out;
mod guards;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Frame;
use hyper::body::Body;
use tower::{Service, service_fn};

use self::carriers::{Global, Own};
use super::{
    Cell, INNER, Manner, OUTER, Place,
    entered::EnterPanics,
    probe::{Failure, Probe, ProbeBody},
    report::{Carrier, Real, Report},
};

#[test]
fn the_layer_that_the_broken_ones_are_made_from_is_whole() {
    assert_fails_exactly(Real, |_| true, |_| false);
    assert_fails_exactly(Own::Restores, |_| true, |_| false);
}

#[test]
fn a_layer_that_scopes_only_the_future_fails_at_the_call_and_all_over_the_body() {
    let future = |place| matches!(place, Place::Poll | Place::DropOfFuture);
    assert_fails_exactly(Real, |now| future(now.place), |cell| !future(cell.place));
}

#[test]
fn a_layer_without_a_body_fails_at_the_frames_the_trailers_and_the_drop_of_the_body() {
    let body = |place| matches!(place, Place::Frame | Place::Trailers | Place::DropOfBody);
    assert_fails_exactly(Real, |now| !body(now.place), |cell| body(cell.place));
}

#[test]
fn a_layer_without_a_drop_fails_at_each_drop() {
    assert_fails_exactly(Real, |now| !is_drop(now.place), |cell| is_drop(cell.place));
}

#[test]
fn a_layer_that_drops_only_the_finished_in_scope_fails_where_a_drop_comes_too_early() {
    let early = |manner| matches!(manner, Manner::Panic | Manner::Cancelled | Manner::NeverPolled);
    assert_fails_exactly(
        Real,
        |now| !is_drop(now.place) || now.finished,
        |cell| is_drop(cell.place) && early(cell.manner),
    );
}

#[test]
fn a_layer_that_starts_with_the_first_poll_fails_where_the_never_polled_is_dropped() {
    assert_fails_exactly(
        Real,
        |now| !is_drop(now.place) || now.polls > 0,
        |cell| is_drop(cell.place) && cell.manner == Manner::NeverPolled,
    );
}

#[test]
fn a_layer_that_is_gone_after_the_first_poll_fails_where_a_future_was_pending() {
    let pending = |manner| matches!(manner, Manner::PendingOnce | Manner::PendingMany);
    assert_fails_exactly(
        Real,
        |now| now.place != Place::Poll || now.polls == 0,
        |cell| cell.place == Place::Poll && pending(cell.manner),
    );
}

macro_rules! forgetful {
    ($($name:ident: $place:ident;)*) => {
        $(
            #[test]
            fn $name() {
                assert_fails_exactly(Real, |now| now.place != Place::$place, |cell| cell.place == Place::$place);
            }
        )*
    };
}

forgetful! {
    a_layer_that_forgets_the_call_fails_there_and_nowhere_else: Call;
    a_layer_that_forgets_the_polls_fails_there_and_nowhere_else: Poll;
    a_layer_that_forgets_the_frames_fails_there_and_nowhere_else: Frame;
    a_layer_that_forgets_the_trailers_fails_there_and_nowhere_else: Trailers;
    a_layer_that_forgets_the_drop_of_the_future_fails_there_and_nowhere_else: DropOfFuture;
    a_layer_that_forgets_the_drop_of_the_body_fails_there_and_nowhere_else: DropOfBody;
}

#[test]
fn a_layer_that_does_not_restore_on_panic_fails_where_there_is_one() {
    assert_fails_exactly(Own::RestoresUnlessUnwinding, |_| true, |cell| cell.manner == Manner::Panic);
}

#[test]
fn a_layer_that_clears_instead_of_restoring_fails_where_there_is_an_outer_context() {
    assert_fails_exactly(Own::Clears, |_| true, |cell| cell.outer == Some(OUTER));
}

#[test]
fn a_layer_that_sets_a_thread_local_at_the_call_and_never_restores_it_fails_in_each_cell() {
    let report = assert_fails_exactly(Own::NeverRestores, |now| now.place == Place::Call, |_| true);
    assert_all_fail_because(&report, "was current after Call");
}

#[test]
fn a_layer_that_restores_only_at_the_end_of_the_request_fails_in_each_cell() {
    let report = assert_fails_exactly(Own::RestoresLast, |_| true, |_| true);
    assert_all_fail_because(&report, "was current after Call");
}

#[test]
fn a_layer_with_a_global_is_seen_by_another_thread_in_each_cell() {
    let report = assert_fails_exactly(Global, |_| true, |_| true);
    assert_all_fail_because(&report, "another thread saw");
}

fn assert_fails_exactly<C: Carrier>(
    carrier: C,
    enters: impl Fn(Moment) -> bool + Copy + Sync,
    fails: impl Fn(&Cell) -> bool,
) -> Report {
    let report = Report::of(carrier, |probe| faulty(probe, carrier, enters));
    assert_eq!(report.failed(), report.ran_with(fails), "{report}");
    report
}

fn assert_all_fail_because(report: &Report, reason: &str) {
    assert!(report.failed.iter().all(|(_, why)| why.contains(reason)), "{report}");
}

fn is_drop(place: Place) -> bool {
    matches!(place, Place::DropOfFuture | Place::DropOfBody)
}

/// A service around the probe that enters its user's scope at those moments that `enters` names, and at no other.
fn faulty<C: Carrier, P: Fn(Moment) -> bool + Copy>(
    mut probe: Probe,
    carrier: C,
    enters: P,
) -> impl Service<Request<()>, Response = Response<Faulty<ProbeBody, C, P>>, Error = Failure> {
    service_fn(move |request| {
        let call = Moment { place: Place::Call, polls: 0, finished: false };
        let enters = Enters { carrier, at: enters };
        let future = enters.scope(call, || probe.call(request));
        Faulty::new([Place::Poll, Place::DropOfFuture], enters, future)
    })
}

#[derive(Clone, Copy)]
struct Moment {
    place: Place,
    /// How often it was polled before.
    polls: usize,
    /// Whether it is ready, or has sent its trailers, or failed.
    finished: bool,
}

impl Moment {
    fn is_last(self) -> bool {
        self.place == Place::DropOfBody || self.place == Place::DropOfFuture && !self.finished
    }
}

#[derive(Clone, Copy)]
struct Enters<C, P> {
    carrier: C,
    at: P,
}

impl<C: Carrier, P: Fn(Moment) -> bool> Enters<C, P> {
    fn scope<R>(&self, now: Moment, f: impl FnOnce() -> R) -> R {
        match (self.at)(now) {
            true if now.is_last() => self.carrier.last_scope(INNER, f),
            true => self.carrier.scope(INNER, f),
            false => self.carrier.omitted_scope(INNER, f),
        }
    }
}

/// What `Scoped` is to the real layer.
struct Faulty<T, C: Carrier, P: Fn(Moment) -> bool> {
    inner: Option<Pin<Box<T>>>,
    enters: Enters<C, P>,
    /// Where it is polled next.
    poll: Place,
    drop: Moment,
}

impl<T, C: Carrier, P: Fn(Moment) -> bool> Faulty<T, C, P> {
    fn new([poll, drop]: [Place; 2], enters: Enters<C, P>, inner: T) -> Self {
        let drop = Moment { place: drop, polls: 0, finished: false };
        Self { inner: Some(Box::pin(inner)), enters, poll, drop }
    }

    fn poll_inner<R>(&mut self, poll: impl FnOnce(Pin<&mut T>) -> Poll<R>) -> Poll<R> {
        let now = Moment { place: self.poll, ..self.drop };
        self.drop.polls += 1;
        let inner = self.inner.as_mut().expect("only the drop takes it out");
        self.enters.scope(now, || poll(inner.as_mut()))
    }
}

impl<T, C: Carrier, P: Fn(Moment) -> bool> Unpin for Faulty<T, C, P> {}

impl<F, B, C, P> Future for Faulty<F, C, P>
where
    F: Future<Output = Result<Response<B>, Failure>>,
    C: Carrier,
    P: Fn(Moment) -> bool + Copy,
{
    type Output = Result<Response<Faulty<B, C, P>>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = ready!(self.poll_inner(|future| future.poll(cx)));
        self.drop.finished = true;
        Poll::Ready(Ok(answer?.map(|body| Faulty::new([Place::Frame, Place::DropOfBody], self.enters, body))))
    }
}

impl<B: Body, C: Carrier, P: Fn(Moment) -> bool> Body for Faulty<B, C, P> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(self.poll_inner(|body| body.poll_frame(cx)));
        self.drop.finished = self.poll == Place::Trailers || matches!(frame, Some(Err(_)));
        self.poll = Place::Trailers;
        Poll::Ready(frame)
    }
}

impl<T, C: Carrier, P: Fn(Moment) -> bool> Drop for Faulty<T, C, P> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        let _no_panics = EnterPanics::set(false);
        self.enters.scope(self.drop, || drop(inner));
    }
}
