//! What reaches as far in other ways: futures and bodies that were put into a context by hand, and a setup's refusal.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use http::{Request, Response};
use hyper::body::Body;
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContext, RequestContextLayer};

use super::{
    INNER, MANNERS, Manner, OUTER, Place, TABLE,
    drive::drive,
    entered, layer,
    log::Log,
    probe::{Failure, Probe, ProbeBody, Script},
    report::{Carrier, Real, Report},
};

#[test]
fn a_future_and_a_body_that_are_scoped_by_hand_reach_each_cell() {
    let report = Report::of(Real, |probe| by_hand(probe, context()));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn a_refusal_reaches_all_of_its_body_and_the_inner_service_is_not_called() {
    let report = Report::of(Real, refusing);
    let of_service = |place| matches!(place, Place::Call | Place::Poll | Place::DropOfFuture);
    let expected = report.ran_with(|cell| of_service(cell.place));
    assert_eq!(report.failed(), expected, "{report}");
    assert!(report.failed.iter().all(|(_, why)| why.starts_with("0 visits")), "{report}");
}

#[test]
fn a_refusal_that_is_never_polled_is_dropped_in_its_context() {
    let script =
        Script { place: Place::Poll, manner: Manner::NeverPolled, panics_in_drop: false, panics_in_enter: false };
    let log = served(script, refusing);
    assert_eq!(log.inside(), [(Place::DropOfBody, Some(INNER))]);
    assert_eq!(log.outside(), [(Place::Call, Some(OUTER)), (Place::DropOfFuture, Some(OUTER))]);
}

#[test]
fn a_response_is_dropped_in_its_context_when_the_destructor_of_its_future_panics() {
    let script =
        Script { place: Place::DropOfFuture, manner: Manner::Ready, panics_in_drop: true, panics_in_enter: false };
    let log = served(script, |probe| layer().layer(probe));
    let places = [Place::Call, Place::Poll, Place::DropOfFuture, Place::DropOfBody];
    assert_eq!(log.inside(), places.map(|place| (place, Some(INNER))));
    assert!(log.outside().iter().all(|(_, user)| *user == Some(OUTER)), "{:?}", log.outside());
}

#[test]
fn a_future_is_dropped_as_soon_as_it_is_ready() {
    let (log, mut probe) =
        probe(Script { place: Place::Poll, manner: Manner::Ready, panics_in_drop: false, panics_in_enter: false });
    let mut future = pin!(context().scope(probe.call(Request::new(()))));
    let response = poll(future.as_mut());
    assert!(response.is_ready());
    assert_eq!(log.inside(), [(Place::Call, None), (Place::Poll, Some(INNER)), (Place::DropOfFuture, Some(INNER))]);
}

#[test]
fn what_exits_sees_no_context_in_any_cell() {
    for (place, _) in TABLE {
        for manner in MANNERS {
            let log = served(Script { place, manner, panics_in_drop: false, panics_in_enter: false }, exiting);
            assert!(!log.inside().is_empty());
            assert!(log.inside().iter().all(|(_, user)| user.is_none()), "{:?}", log.inside());
            assert!(log.outside().iter().all(|(_, user)| *user == Some(OUTER)), "{:?}", log.outside());
        }
    }
}

#[test]
fn what_is_polled_after_completion_panics_and_leaves_the_outer_context_current() {
    let ready = Script { place: Place::Poll, manner: Manner::Ready, panics_in_drop: false, panics_in_enter: false };
    assert_panics_when_polled_again(layer().layer(probe(ready).1).call(Request::new(())));
    assert_panics_when_polled_again(refusing(probe(ready).1).call(Request::new(())));
    assert_panics_when_polled_again(context().scope(async {}));
}

fn assert_panics_when_polled_again(future: impl Future) {
    let mut future = pin!(future);
    assert!(poll(future.as_mut()).is_ready());
    Real.scope(OUTER, || {
        let panic = catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()).is_ready())).expect_err("a panic");
        let text = panic.downcast_ref().map(String::as_str).or(panic.downcast_ref().copied());
        assert!(text.is_some_and(|text: &str| text.ends_with("polled after completion")), "{text:?}");
        assert_eq!(Real::current(), Some(OUTER));
    });
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn context() -> RequestContext {
    RequestContext::new(entered::store(INNER))
}

fn probe(script: Script) -> (Arc<Log>, Probe) {
    let log = Log::new(Real::current);
    let probe = Probe::new(script, &log);
    (log, probe)
}

/// The log of a request that was served as the outer user.
fn served<S, B>(script: Script, serving: impl FnOnce(Probe) -> S) -> Arc<Log>
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    let (log, probe) = probe(script);
    Real.scope(OUTER, || drive(serving(probe), script, &log));
    log
}

type Refusal = Result<(), Response<Box<ProbeBody>>>;

/// A setup that refuses each request, with a body of another type than the inner service's.
fn refusing(
    probe: Probe,
) -> impl Service<Request<()>, Response = Response<impl Body<Error = Failure>>, Error = Failure> {
    let refuser = probe.clone();
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(INNER);
        entered::register(store, INNER);
        Refusal::Err(Response::new(Box::new(refuser.body())))
    });
    layer.layer(probe)
}

/// A service without a layer: its future carried, its body scoped.
fn by_hand(
    mut probe: Probe,
    context: RequestContext,
) -> impl Service<Request<()>, Response = Response<impl Body<Error = Failure>>, Error = Failure> {
    service_fn(move |request| {
        let context = context.clone();
        let future = context.sync_scope(|| RequestContext::carry(probe.call(request)));
        async move {
            let response = future.await?;
            Ok(response.map(|body| context.scope(body)))
        }
    })
}

fn exiting(
    mut probe: Probe,
) -> impl Service<Request<()>, Response = Response<impl Body<Error = Failure>>, Error = Failure> {
    service_fn(move |request| {
        let future = RequestContext::exit(RequestContext::sync_exit(|| probe.call(request)));
        async move {
            let response = future.await?;
            Ok(response.map(RequestContext::exit))
        }
    })
}
