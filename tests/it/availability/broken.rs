//! Tests of the availability checks: layers with one fault each. The table must report exactly the cells that the fault
//! breaks.

mod faults;
mod faulty_layer;
mod guards;
mod storage;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Frame;
use hyper::body::Body;
use tower::{Service, service_fn};

use self::storage::{Global, ThreadLocal};
use super::{
    Cell, INNER, Manner, OUTER, Place,
    enter_guards::EnterPanics,
    probe::{Failure, Probe, ProbeBody},
    report::{CrateStorage, Report, Storage},
};

#[test]
fn service_without_a_fault_passes_each_cell() {
    assert_fails_exactly(CrateStorage, |_| true, |_| false);
    assert_fails_exactly(ThreadLocal::Restores, |_| true, |_| false);
}

#[test]
fn detects_a_scope_of_the_future_only() {
    let future = |place| matches!(place, Place::Poll | Place::DropOfFuture);
    assert_fails_exactly(CrateStorage, |now| future(now.place), |cell| !future(cell.place));
}

#[test]
fn detects_an_unscoped_body() {
    let body = |place| matches!(place, Place::Frame | Place::Trailers | Place::DropOfBody);
    assert_fails_exactly(CrateStorage, |now| !body(now.place), |cell| body(cell.place));
}

#[test]
fn detects_unscoped_drops() {
    assert_fails_exactly(CrateStorage, |now| !is_drop(now.place), |cell| is_drop(cell.place));
}

#[test]
fn detects_an_unscoped_drop_before_completion() {
    let early = |manner| matches!(manner, Manner::Panic | Manner::Cancelled | Manner::NeverPolled);
    assert_fails_exactly(
        CrateStorage,
        |now| !is_drop(now.place) || now.finished,
        |cell| is_drop(cell.place) && early(cell.manner),
    );
}

#[test]
fn detects_an_unscoped_drop_before_the_first_poll() {
    assert_fails_exactly(
        CrateStorage,
        |now| !is_drop(now.place) || now.polls > 0,
        |cell| is_drop(cell.place) && cell.manner == Manner::NeverPolled,
    );
}

#[test]
fn detects_unscoped_polls_after_the_first() {
    let pending = |manner| matches!(manner, Manner::PendingOnce | Manner::PendingMany);
    assert_fails_exactly(
        CrateStorage,
        |now| now.place != Place::Poll || now.polls == 0,
        |cell| cell.place == Place::Poll && pending(cell.manner),
    );
}

macro_rules! not_entered_in {
    ($($name:ident: $place:ident;)*) => {
        $(
            #[test]
            fn $name() {
                let is_there = |place| place == Place::$place;
                assert_fails_exactly(CrateStorage, |now| !is_there(now.place), |cell| is_there(cell.place));
            }
        )*
    };
}

not_entered_in! {
    detects_an_unscoped_call: Call;
    detects_unscoped_polls: Poll;
    detects_unscoped_frames: Frame;
    detects_unscoped_trailers: Trailers;
    detects_an_unscoped_drop_of_the_future: DropOfFuture;
    detects_an_unscoped_drop_of_the_body: DropOfBody;
}

#[test]
fn detects_a_context_left_current_by_a_panic() {
    assert_fails_exactly(ThreadLocal::RestoresUnlessUnwinding, |_| true, |cell| cell.manner == Manner::Panic);
}

#[test]
fn detects_clearing_instead_of_restoring() {
    assert_fails_exactly(ThreadLocal::Clears, |_| true, |cell| cell.outer == Some(OUTER));
}

#[test]
fn detects_a_thread_local_that_is_never_restored() {
    let report = assert_fails_exactly(ThreadLocal::NeverRestores, |now| now.place == Place::Call, |_| true);
    assert_all_fail_because(&report, "was current after Call");
}

#[test]
fn detects_restoring_only_at_the_end_of_the_request() {
    let report = assert_fails_exactly(ThreadLocal::RestoresAtEnd, |_| true, |_| true);
    assert_all_fail_because(&report, "was current after Call");
}

#[test]
fn detects_a_global_in_place_of_a_thread_local() {
    let report = assert_fails_exactly(Global, |_| true, |_| true);
    assert_all_fail_because(&report, "another thread saw");
}

fn assert_fails_exactly<C: Storage>(
    storage: C,
    enters: impl Fn(Moment) -> bool + Copy + Sync,
    fails: impl Fn(&Cell) -> bool,
) -> Report {
    let report = Report::run(storage, |probe| faulty_service(probe, storage, enters));
    assert_eq!(report.failed(), report.ran_with(fails), "{report}");
    report
}

fn assert_all_fail_because(report: &Report, reason: &str) {
    assert!(report.failed.iter().all(|(_, why)| why.contains(reason)), "{report}");
}

fn is_drop(place: Place) -> bool {
    matches!(place, Place::DropOfFuture | Place::DropOfBody)
}

/// Wraps the probe in a service that enters its user's scope only at the moments for which `enters` returns true.
fn faulty_service<C: Storage, P: Fn(Moment) -> bool + Copy>(
    mut probe: Probe,
    storage: C,
    enters: P,
) -> impl Service<Request<()>, Response = Response<FaultyService<ProbeBody, C, P>>, Error = Failure> {
    service_fn(move |request| {
        let call = Moment { place: Place::Call, polls: 0, finished: false };
        let enters = EnterWhen { storage, at: enters };
        let future = enters.scope(call, || probe.call(request));
        FaultyService::new([Place::Poll, Place::DropOfFuture], enters, future)
    })
}

/// A moment at which the future or the body is called, polled or dropped.
#[derive(Clone, Copy)]
struct Moment {
    place: Place,
    /// The number of earlier polls.
    polls: usize,
    /// True if the future is ready, or the body has sent its trailers or failed.
    finished: bool,
}

impl Moment {
    fn is_last(self) -> bool {
        self.place == Place::DropOfBody || self.place == Place::DropOfFuture && !self.finished
    }
}

/// Enters the user's scope when the predicate is true for the moment.
#[derive(Clone, Copy)]
struct EnterWhen<C, P> {
    storage: C,
    at: P,
}

impl<C: Storage, P: Fn(Moment) -> bool> EnterWhen<C, P> {
    fn scope<R>(&self, now: Moment, f: impl FnOnce() -> R) -> R {
        match (self.at)(now) {
            true if now.is_last() => self.storage.last_scope(INNER, f),
            true => self.storage.scope(INNER, f),
            false => self.storage.omitted_scope(INNER, f),
        }
    }
}

/// Wraps the future or the body, as `Scoped` does in the crate's layer.
struct FaultyService<T, C: Storage, P: Fn(Moment) -> bool> {
    inner: Option<Pin<Box<T>>>,
    enters: EnterWhen<C, P>,
    /// The place of the next poll.
    poll: Place,
    /// The moment that a drop would have now. Each poll changes it.
    drop: Moment,
}

impl<T, C: Storage, P: Fn(Moment) -> bool> FaultyService<T, C, P> {
    fn new([poll, drop]: [Place; 2], enters: EnterWhen<C, P>, inner: T) -> Self {
        let drop = Moment { place: drop, polls: 0, finished: false };
        Self { inner: Some(Box::pin(inner)), enters, poll, drop }
    }

    fn poll_inner<R>(&mut self, poll: impl FnOnce(Pin<&mut T>) -> Poll<R>) -> Poll<R> {
        let now = Moment { place: self.poll, ..self.drop };
        self.drop.polls += 1;
        let inner = self.inner.as_mut().expect("`inner` is taken only in `drop`");
        self.enters.scope(now, || poll(inner.as_mut()))
    }
}

impl<T, C: Storage, P: Fn(Moment) -> bool> Unpin for FaultyService<T, C, P> {}

impl<F, B, C, P> Future for FaultyService<F, C, P>
where
    F: Future<Output = Result<Response<B>, Failure>>,
    C: Storage,
    P: Fn(Moment) -> bool + Copy,
{
    type Output = Result<Response<FaultyService<B, C, P>>, Failure>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let result = ready!(self.poll_inner(|future| future.poll(cx)));
        self.drop.finished = true;
        Poll::Ready(Ok(result?.map(|body| FaultyService::new([Place::Frame, Place::DropOfBody], self.enters, body))))
    }
}

impl<B: Body, C: Storage, P: Fn(Moment) -> bool> Body for FaultyService<B, C, P> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = ready!(self.poll_inner(|body| body.poll_frame(cx)));
        self.drop.finished = self.poll == Place::Trailers || matches!(frame, Some(Err(_)));
        self.poll = Place::Trailers;
        Poll::Ready(frame)
    }
}

impl<T, C: Storage, P: Fn(Moment) -> bool> Drop for FaultyService<T, C, P> {
    fn drop(&mut self) {
        let inner = self.inner.take();
        let _no_panics = EnterPanics::set(false);
        self.enters.scope(self.drop, || drop(inner));
    }
}
