//! `Store::on_response` and `Store::on_end`: callbacks that are registered before the store is shared.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
};

use futures_util::FutureExt;
use http::{Request, Response};
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Run, Store};

use super::{HandlerResult, read, response_of};
use crate::{
    recorder::{Recorder, recorder},
    support::User,
};

/// Registers a callback of each kind. They report their calls and their drops.
fn register(store: &mut Store, recorder: &Recorder, what: [&'static str; 2]) {
    let [response, end] = what;
    let (on_response, dropped) = (recorder.head_of(response), recorder.drop_of("on_response dropped"));
    store.on_response(move |parts| {
        on_response(parts);
        drop(dropped);
    });
    let (on_end, dropped) = (recorder.end_of(end), recorder.drop_of("on_end dropped"));
    store.on_end(move |end| {
        on_end(end);
        drop(dropped);
    });
}

const ON_RESPONSE: &str = "on_response dropped: user 1";
const ON_END: &str = "on_end dropped: user 1";

#[test]
fn callbacks_of_the_setup_run_before_those_of_the_handler() {
    let (recorder, mut reports) = recorder();
    let (setup, handler) = (recorder.clone(), recorder);
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        register(store, &setup, ["first", "first"]);
        register(store, &setup, ["second", "second"]);
    });
    let service = service_fn(async |_: Request<()>| -> HandlerResult<String> {
        RequestContext::on_response(handler.head_of("handler")).unwrap();
        RequestContext::on_end(handler.end_of("handler")).unwrap();
        Ok(Response::new(String::new()))
    });
    let mut service = layer.layer(service);
    for _ in 0..2 {
        let response = response_of(service.call(Request::new(())));
        let heads = ["first head: user 1", ON_RESPONSE, "second head: user 1", ON_RESPONSE, "handler head: user 1"];
        assert_eq!(reports.so_far(), heads);
        read(response);
        let ends = ["first Completed: user 1", ON_END, "second Completed: user 1", ON_END, "handler Completed: user 1"];
        assert_eq!(reports.so_far(), ends);
    }
}

#[test]
fn callbacks_of_the_setup_are_called_for_a_cancelled_request() {
    let (recorder, mut reports) = recorder();
    let layer = RequestContextLayer::new(move |store, _| {
        store.insert(User(1));
        register(store, &recorder, ["setup", "setup"]);
    });
    drop(
        layer.layer(service_fn(async |_: Request<()>| pending::<HandlerResult<String>>().await)).call(Request::new(())),
    );
    assert_eq!(reports.so_far(), ["setup Cancelled: user 1", ON_END, ON_RESPONSE]);
}

#[test]
fn callbacks_of_an_inner_setup_belong_to_the_inner_layer() {
    for nesting in [Nesting::Override, Nesting::Inherit] {
        let (recorder, mut reports) = recorder();
        let (outer, inner) = (recorder.clone(), recorder);
        let outer = RequestContextLayer::new(move |store, _| {
            store.insert(User(1));
            store.on_response(outer.head_of("outer"));
            store.on_end(outer.end_of("outer"));
        });
        let inner = RequestContextLayer::new(move |store, _| {
            store.insert(User(2));
            store.on_response(inner.head_of("inner"));
            store.on_end(inner.end_of("inner"));
        });
        let service = service_fn(async |_: Request<()>| -> HandlerResult<String> { Ok(Response::new(String::new())) });
        read(response_of(outer.layer(inner.nesting(nesting).layer(service)).call(Request::new(()))));
        let heads = ["inner head: user 2", "outer head: user 1"];
        assert_eq!(reports.so_far(), [heads, ["inner Completed: user 2", "outer Completed: user 1"]].concat());
    }
}

fn run<T: Future>(recorder: &Recorder, future: T) -> Run<T> {
    let mut store = Store::new().with_value(User(1));
    register(&mut store, recorder, ["run", "run"]);
    store.run(future)
}

#[test]
fn run_calls_the_callbacks_of_its_store_once() {
    let (recorder, mut reports) = recorder();
    let mut completed = Box::pin(run(&recorder, async { RequestContext::on_end(recorder.end_of("later")).unwrap() }));
    completed.as_mut().now_or_never().unwrap();
    let ends = |how: &str| [format!("run {how}: user 1"), ON_END.to_owned()];
    let expected = [&ends("Completed")[..], &["later Completed: user 1".to_owned(), ON_RESPONSE.to_owned()]].concat();
    assert_eq!(reports.so_far(), expected);
    drop(completed);
    assert!(reports.is_empty());

    let dropped = |how: &str| [&ends(how)[..], &[ON_RESPONSE.to_owned()]].concat();
    drop(run(&recorder, pending::<()>()));
    assert_eq!(reports.so_far(), dropped("Cancelled"));

    let mut polled = Box::pin(run(&recorder, pending::<()>()));
    assert!(polled.as_mut().now_or_never().is_none());
    drop(polled);
    assert_eq!(reports.so_far(), dropped("Cancelled"));

    let panicking = run(&recorder, async { panic!("in the job") });
    assert!(catch_unwind(AssertUnwindSafe(|| panicking.now_or_never())).is_err());
    assert_eq!(reports.so_far(), dropped("Panicked"));
}

#[test]
fn run_in_a_request_drops_its_on_response_callbacks() {
    let (recorder, mut reports) = recorder();
    let service = service_fn(async |_: Request<()>| -> HandlerResult<String> {
        run(&recorder, async {}).await;
        recorder.saw("handler");
        Ok(Response::new(String::new()))
    });
    let layer = RequestContextLayer::new(|store, _| _ = store.insert(User(2)));
    read(response_of(layer.layer(service).call(Request::new(()))));
    assert_eq!(reports.so_far(), ["run Completed: user 1", ON_END, ON_RESPONSE, "handler: user 2"]);
}
