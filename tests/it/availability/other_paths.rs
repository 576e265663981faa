//! Availability without the usual path through the layer: scoped futures and bodies, rejections, and `exit`.

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
    enter_guards, layer,
    log::Log,
    probe::{Failure, Probe, ProbeBody, Script},
    report::{CrateStorage, Report, Storage},
};

#[test]
fn scoped_future_and_body_pass_each_cell() {
    let report = Report::run(CrateStorage, |probe| scoped_by_hand(probe, context()));
    assert!(report.failed.is_empty(), "{report}");
}

#[test]
fn rejection_body_passes_each_cell_of_the_body() {
    let report = Report::run(CrateStorage, rejecting);
    // The inner service is not called, so its places have no visits.
    let of_service = |place| matches!(place, Place::Call | Place::Poll | Place::DropOfFuture);
    let expected = report.ran_with(|cell| of_service(cell.place));
    assert_eq!(report.failed(), expected, "{report}");
    assert!(report.failed.iter().all(|(_, why)| why.starts_with("0 visits")), "{report}");
}

#[test]
fn unpolled_rejection_is_dropped_in_its_context() {
    let script =
        Script { place: Place::Poll, manner: Manner::NeverPolled, panics_in_drop: false, panics_in_enter: false };
    let log = served(script, rejecting);
    assert_eq!(log.during_visits(), [(Place::DropOfBody, Some(INNER))]);
    assert_eq!(log.after_steps(), [(Place::Call, Some(OUTER)), (Place::DropOfFuture, Some(OUTER))]);
}

#[test]
fn response_is_dropped_in_context_if_drop_of_future_panics() {
    let script =
        Script { place: Place::DropOfFuture, manner: Manner::Ready, panics_in_drop: true, panics_in_enter: false };
    let log = served(script, |probe| layer().layer(probe));
    let places = [Place::Call, Place::Poll, Place::DropOfFuture, Place::DropOfBody];
    assert_eq!(log.during_visits(), places.map(|place| (place, Some(INNER))));
    assert!(log.after_steps().iter().all(|(_, user)| *user == Some(OUTER)), "{:?}", log.after_steps());
}

#[test]
fn future_is_dropped_when_it_is_ready() {
    let (log, mut probe) =
        probe(Script { place: Place::Poll, manner: Manner::Ready, panics_in_drop: false, panics_in_enter: false });
    let mut future = pin!(context().scope(probe.call(Request::new(()))));
    let response = poll(future.as_mut());
    assert!(response.is_ready());
    assert_eq!(
        log.during_visits(),
        [(Place::Call, None), (Place::Poll, Some(INNER)), (Place::DropOfFuture, Some(INNER))]
    );
}

#[test]
fn exit_hides_the_context_in_each_cell() {
    for (place, _) in TABLE {
        for manner in MANNERS {
            let log = served(
                Script { place, manner, panics_in_drop: false, panics_in_enter: false },
                service_without_context,
            );
            assert!(!log.during_visits().is_empty());
            assert!(log.during_visits().iter().all(|(_, user)| user.is_none()), "{:?}", log.during_visits());
            assert!(log.after_steps().iter().all(|(_, user)| *user == Some(OUTER)), "{:?}", log.after_steps());
        }
    }
}

#[test]
fn poll_after_completion_panics_and_restores_the_context() {
    let ready = Script { place: Place::Poll, manner: Manner::Ready, panics_in_drop: false, panics_in_enter: false };
    assert_panics_when_polled_again(layer().layer(probe(ready).1).call(Request::new(())));
    assert_panics_when_polled_again(rejecting(probe(ready).1).call(Request::new(())));
    assert_panics_when_polled_again(context().scope(async {}));
}

fn assert_panics_when_polled_again(future: impl Future) {
    let mut future = pin!(future);
    assert!(poll(future.as_mut()).is_ready());
    CrateStorage.scope(OUTER, || {
        let panic = catch_unwind(AssertUnwindSafe(|| poll(future.as_mut()).is_ready())).expect_err("a panic");
        let text = panic.downcast_ref().map(String::as_str).or(panic.downcast_ref().copied());
        assert!(text.is_some_and(|text: &str| text.ends_with("polled after completion")), "{text:?}");
        assert_eq!(CrateStorage::current(), Some(OUTER));
    });
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

fn context() -> RequestContext {
    RequestContext::new(enter_guards::store(INNER))
}

fn probe(script: Script) -> (Arc<Log>, Probe) {
    let log = Log::new(CrateStorage::current);
    let probe = Probe::new(script, &log);
    (log, probe)
}

/// Serves a request inside a context of the outer user, and returns its log.
fn served<S, B>(script: Script, make_service: impl FnOnce(Probe) -> S) -> Arc<Log>
where
    S: Service<Request<()>, Response = Response<B>, Error = Failure>,
    B: Body<Error = Failure>,
{
    let (log, probe) = probe(script);
    CrateStorage.scope(OUTER, || drive(make_service(probe), script, &log));
    log
}

type Rejection = Result<(), Response<Box<ProbeBody>>>;

/// A layer whose setup rejects each request, with a body of another type than that of the inner service.
fn rejecting(
    probe: Probe,
) -> impl Service<Request<()>, Response = Response<impl Body<Error = Failure>>, Error = Failure> {
    let rejecting_probe = probe.clone();
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(INNER);
        enter_guards::register(store, INNER);
        Rejection::Err(Response::new(Box::new(rejecting_probe.body())))
    });
    layer.layer(probe)
}

/// A service without a layer, whose future is wrapped with `carry` and whose body with `scope`.
fn scoped_by_hand(
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

fn service_without_context(
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
