//! The request or run that a callback belongs to: the nearest ancestor that has a response, or an end.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, ResponseBody, Store};

use super::{HandlerResult, RecordedBody, after, read, response_of, serve};
use crate::{
    recorder::{Recorder, recorder},
    support::{User, layer},
};

fn register(recorder: &Recorder, what: &'static str) {
    RequestContext::on_response(recorder.head_of(what)).unwrap();
    RequestContext::on_end(recorder.end_of(what)).unwrap();
}

/// Sends a request of user 2 through a layer, inside the current context.
fn nested(nesting: Nesting, recorder: &Recorder, what: &'static str) -> Response<ResponseBody<RecordedBody>> {
    let mut service =
        layer().nesting(nesting).layer(service_fn(async |_: Request<()>| -> HandlerResult<RecordedBody> {
            register(recorder, what);
            Ok(Response::new(RecordedBody::new(recorder, [])))
        }));
    response_of(service.call(Request::builder().header(User::HEADER, 2).body(()).unwrap()))
}

#[test]
fn callbacks_of_child_contexts_belong_to_the_request() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let child = RequestContext::current().unwrap().child(Store::new().with_value(User(2)));
        let scoped = child.sync_scope(|| RequestContext::inherit(Store::new().with_value(User(3))));
        child.sync_scope(|| register(&recorder, "child"));
        scoped.sync_scope(|| register(&recorder, "scoped"));
        assert!(scoped.sync_scope(|| RequestContext::on_end(recorder.end_of("by handle"))).is_ok());
        drop((child, scoped));
        recorder.saw("children dropped");
    });
    read(response_of(serve(1, handler)));
    let heads = ["children dropped: user 1", "child head: user 1", "scoped head: user 1"];
    let ends = ["child Completed: user 1", "scoped Completed: user 1", "by handle Completed: user 1"];
    assert_eq!(reports.so_far(), [heads, ends].concat());
}

#[test]
fn run_in_a_request_has_its_own_end_but_no_response() {
    let (recorder, mut reports) = recorder();
    let handler = async {
        Store::new().with_value(User(2)).run(async { register(&recorder, "run") }).await;
        recorder.saw("run has ended");
        Ok(Response::new(String::new()))
    };
    read(response_of(serve(1, handler)));
    assert_eq!(reports.so_far(), ["run Completed: user 2", "run has ended: user 1", "run head: user 1"]);
}

#[test]
fn inheriting_or_overriding_layer_has_its_own_response_and_end() {
    for nesting in [Nesting::Inherit, Nesting::Override] {
        let (recorder, mut reports) = recorder();
        let handler = after(|| {
            register(&recorder, "outer");
            let inner = nested(nesting, &recorder, "inner");
            assert_eq!(reports.so_far(), ["inner head: user 2"]);
            drop(inner);
            assert_eq!(reports.so_far(), ["body dropped: user 2", "inner Cancelled: user 2"]);
            assert!(!RequestContext::current().unwrap().is_ended());
        });
        read(response_of(serve(1, handler)));
        assert_eq!(reports.so_far(), ["outer head: user 1", "outer Completed: user 1"]);
    }
}

/// Callbacks that are registered below a reusing layer run when the outer request has a response or ends.
#[test]
fn callbacks_below_a_reusing_layer_belong_to_the_outer_request() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        register(&recorder, "outer");
        let inner = nested(Nesting::Reuse, &recorder, "inner");
        assert_eq!(reports.so_far(), [""; 0]);
        drop(inner);
        assert_eq!(reports.so_far(), ["body dropped: user 1"]);
        assert!(!RequestContext::current().unwrap().is_ended());
        RequestContext::on_end(recorder.end_of("later")).unwrap();
    });
    read(response_of(serve(1, handler)));
    let heads = ["outer head: user 1", "inner head: user 1"];
    let ends = ["outer Completed: user 1", "inner Completed: user 1", "later Completed: user 1"];
    assert_eq!(reports.so_far(), [&heads[..], &ends].concat());
}

#[test]
fn reusing_layer_never_ends_the_outer_request() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        register(&recorder, "outer");
        let request = || Request::new(());
        let reusing = || layer().nesting(Nesting::Reuse);
        let failing = service_fn(async |_: Request<()>| -> HandlerResult<String> { Err("an error") });
        assert!(reusing().layer(failing).call(request()).now_or_never().unwrap().is_err());
        let panicking = service_fn(async |_: Request<()>| -> HandlerResult<String> { panic!("in the inner service") });
        let panicking = reusing().layer(panicking).call(request());
        assert!(AssertUnwindSafe(panicking).catch_unwind().now_or_never().unwrap().is_err());
        drop(reusing().layer(service_fn(async |_: Request<()>| after(|| ()).await)).call(request()));
        assert!(!RequestContext::current().unwrap().is_ended());
        assert_eq!(reports.so_far(), [""; 0]);
    });
    read(response_of(serve(1, handler)));
    assert_eq!(reports.so_far(), ["outer head: user 1", "outer Completed: user 1"]);
}

#[test]
fn ended_context_is_not_reused() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    read(response_of(serve(1, after(|| kept = RequestContext::current()))));
    let kept = kept.unwrap();
    for ended in [kept.child(Store::new()), kept.clone()] {
        read(ended.sync_scope(|| nested(Nesting::Reuse, &recorder, "current")));
        let own = ["current head: user 2", "frame: user 2", "body dropped: user 2", "current Completed: user 2"];
        assert_eq!(reports.so_far(), own);
    }

    let mut service =
        layer().nesting(Nesting::Reuse).layer(service_fn(async |_: Request<()>| -> HandlerResult<String> {
            register(&recorder, "extension");
            Ok(Response::new(String::new()))
        }));
    let request = Request::builder().header(User::HEADER, 2).extension(kept.downgrade()).body(()).unwrap();
    read(response_of(service.call(request)));
    assert_eq!(reports.so_far(), ["extension head: user 2", "extension Completed: user 2"]);
}

/// This holds for the request's context and for its children.
#[test]
fn is_ended_is_true_from_the_first_on_end_callback() {
    fn report(recorder: &Recorder, what: &str, child: &RequestContext) {
        let current = RequestContext::current().unwrap();
        recorder.saw(&format!("{what} {} {}", current.is_ended(), child.is_ended()));
    }

    let (recorder, mut reports) = recorder();
    let mut kept = None;
    let handler = async {
        let context = RequestContext::current().unwrap();
        let child = context.child(Store::new()).child(Store::new());
        kept = Some((context, child.clone()));
        report(&recorder, "handler", &child);
        let (at_head, at_end, own, own_too) = (child.clone(), child.clone(), recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| report(&own, "head", &at_head)).unwrap();
        RequestContext::on_end(move |_| report(&own_too, "end", &at_end)).unwrap();
        let body = StreamBody::new(stream::once(async move {
            report(&recorder, "body", &child);
            Ok::<_, &str>(Frame::data(Bytes::new()))
        }));
        Ok(Response::new(body))
    };
    let response = response_of(serve(1, handler));
    let (context, child) = kept.unwrap();
    assert_eq!((context.is_ended(), child.is_ended()), (false, false));
    read(response);
    assert_eq!((context.is_ended(), child.is_ended()), (true, true));
    let places = ["handler false false", "head false false", "body false false", "end true true"];
    assert_eq!(reports.so_far(), places.map(|place| format!("{place}: user 1")));
}
