//! Whose callback it is: that of the nearest context with a response, or with an end.

use std::panic::AssertUnwindSafe;

use futures_util::{FutureExt, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, ResponseBody, Store};

use super::{Answer, Film, after, head, read, serve};
use crate::{
    recorder::{Recorder, recorder},
    support::{User, layer},
};

fn register(recorder: &Recorder, what: &'static str) {
    RequestContext::on_response(recorder.head_of(what)).unwrap();
    RequestContext::on_end(recorder.end_of(what)).unwrap();
}

/// Sends a request of user 2 through a layer inside of what is current.
fn nested(nesting: Nesting, recorder: &Recorder, what: &'static str) -> Response<ResponseBody<Film>> {
    let mut service = layer().nesting(nesting).layer(service_fn(async |_: Request<()>| -> Answer<Film> {
        register(recorder, what);
        Ok(Response::new(Film::new(recorder, [])))
    }));
    head(service.call(Request::builder().header(User::HEADER, 2).body(()).unwrap()))
}

#[test]
fn what_a_child_or_a_scoped_context_registers_goes_to_the_request() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let child = RequestContext::current().unwrap().child(Store::new().with_value(User(2)));
        let scoped = child.sync_scope(|| RequestContext::inherit(Store::new().with_value(User(3))));
        child.sync_scope(|| register(&recorder, "child"));
        scoped.sync_scope(|| register(&recorder, "scoped"));
        assert!(scoped.sync_scope(|| RequestContext::on_end(recorder.end_of("by handle"))).is_ok());
        drop((child, scoped));
        recorder.saw("children are gone");
    });
    read(head(serve(1, handler)));
    let heads = ["children are gone: user 1", "child head: user 1", "scoped head: user 1"];
    let ends = ["child Completed: user 1", "scoped Completed: user 1", "by handle Completed: user 1"];
    assert_eq!(reports.so_far(), [heads, ends].concat());
}

#[test]
fn in_a_run_inside_a_request_the_end_is_the_run_s_and_the_response_the_request_s() {
    let (recorder, mut reports) = recorder();
    let handler = async {
        Store::new().with_value(User(2)).run(async { register(&recorder, "run") }).await;
        recorder.saw("run is over");
        Ok(Response::new(String::new()))
    };
    read(head(serve(1, handler)));
    assert_eq!(reports.so_far(), ["run Completed: user 2", "run is over: user 1", "run head: user 1"]);
}

#[test]
fn an_inner_layer_that_inherits_or_overrides_has_its_own_response_and_end() {
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
        read(head(serve(1, handler)));
        assert_eq!(reports.so_far(), ["outer head: user 1", "outer Completed: user 1"]);
    }
}

#[test]
fn what_is_registered_below_a_reusing_layer_goes_to_the_owner_which_alone_is_shown_its_response_and_ends() {
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
    read(head(serve(1, handler)));
    let heads = ["outer head: user 1", "inner head: user 1"];
    let ends = ["outer Completed: user 1", "inner Completed: user 1", "later Completed: user 1"];
    assert_eq!(reports.so_far(), [&heads[..], &ends].concat());
}

#[test]
fn a_reusing_layer_that_fails_or_panics_or_is_cancelled_does_not_end_the_owner() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        register(&recorder, "outer");
        let request = || Request::new(());
        let reusing = || layer().nesting(Nesting::Reuse);
        let failing = service_fn(async |_: Request<()>| -> Answer<String> { Err("an error") });
        assert!(reusing().layer(failing).call(request()).now_or_never().unwrap().is_err());
        let panicking = service_fn(async |_: Request<()>| -> Answer<String> { panic!("in the inner service") });
        let panicking = reusing().layer(panicking).call(request());
        assert!(AssertUnwindSafe(panicking).catch_unwind().now_or_never().unwrap().is_err());
        drop(reusing().layer(service_fn(async |_: Request<()>| after(|| ()).await)).call(request()));
        assert!(!RequestContext::current().unwrap().is_ended());
        assert_eq!(reports.so_far(), [""; 0]);
    });
    read(head(serve(1, handler)));
    assert_eq!(reports.so_far(), ["outer head: user 1", "outer Completed: user 1"]);
}

#[test]
fn a_context_that_has_ended_is_not_reused() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    read(head(serve(1, after(|| kept = RequestContext::current()))));
    let kept = kept.unwrap();
    for ended in [kept.child(Store::new()), kept.clone()] {
        read(ended.sync_scope(|| nested(Nesting::Reuse, &recorder, "current")));
        let own = ["current head: user 2", "frame: user 2", "body dropped: user 2", "current Completed: user 2"];
        assert_eq!(reports.so_far(), own);
    }

    let mut service = layer().nesting(Nesting::Reuse).layer(service_fn(async |_: Request<()>| -> Answer<String> {
        register(&recorder, "extension");
        Ok(Response::new(String::new()))
    }));
    let request = Request::builder().header(User::HEADER, 2).extension(kept.downgrade()).body(()).unwrap();
    read(head(service.call(request)));
    assert_eq!(reports.so_far(), ["extension head: user 2", "extension Completed: user 2"]);
}

#[test]
fn is_ended_is_false_up_to_the_end_and_true_from_the_first_end_callback_on_also_in_children() {
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
    let response = head(serve(1, handler));
    let (context, child) = kept.unwrap();
    assert_eq!((context.is_ended(), child.is_ended()), (false, false));
    read(response);
    assert_eq!((context.is_ended(), child.is_ended()), (true, true));
    let places = ["handler false false", "head false false", "body false false", "end true true"];
    assert_eq!(reports.so_far(), places.map(|place| format!("{place}: user 1")));
}
