//! What a callback may do: register others, drop captured values, read and write, enter contexts, serve requests.

use tower_request_context::{CallbackError, RequestContext, Store};

use super::{after, read, response_of, serve, unfinished};
use crate::{recorder::recorder, support::User};

#[test]
fn on_response_callback_may_register_on_end_but_not_on_response() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let (inner, never) = (recorder.end_of("inner"), recorder.head_of("never"));
        RequestContext::on_end(recorder.end_of("outer")).unwrap();
        let act = move |_: &mut _| {
            assert_eq!(RequestContext::on_end(inner), Ok(()));
            assert_eq!(RequestContext::on_response(never), Err(CallbackError::HeadersSent));
        };
        RequestContext::on_response(act).unwrap();
        RequestContext::on_response(recorder.head_of("last")).unwrap();
    });
    read(response_of(serve(1, handler)));
    assert_eq!(reports.so_far(), ["last head: user 1", "outer Completed: user 1", "inner Completed: user 1"]);
}

#[test]
fn on_end_callback_cannot_register_callbacks() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let (on_response, on_end, own) = (recorder.head_of("never"), recorder.end_of("never"), recorder.clone());
        let act = move |_| {
            own.saw(&format!("{:?} {:?}", RequestContext::on_response(on_response), RequestContext::on_end(on_end)));
        };
        RequestContext::on_end(act).unwrap();
        RequestContext::on_end(recorder.end_of("last")).unwrap();
    });
    read(response_of(serve(1, handler)));
    assert_eq!(reports.so_far(), ["Err(Ended) Err(Ended): user 1", "last Completed: user 1"]);
}

#[test]
fn callback_may_drop_the_last_handle_of_its_context() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        RequestContext::set(recorder.drop_of("value dropped")).unwrap();
        let (context, own) = (RequestContext::current(), recorder.clone());
        let act = move |_| {
            drop(context);
            own.saw("handle dropped");
        };
        RequestContext::on_end(act).unwrap();
        RequestContext::on_end(recorder.end_of("last")).unwrap();
    });
    read(response_of(serve(1, handler)));
    assert_eq!(reports.so_far(), ["handle dropped: user 1", "last Completed: user 1", "value dropped: nobody"]);
}

#[test]
fn callback_may_drop_another_request() {
    let (recorder, mut reports) = recorder();
    let (second, third) = (unfinished(2, &recorder), unfinished(3, &recorder));
    let handler = after(|| {
        let (at_response, at_end) = (recorder.clone(), recorder.clone());
        let act = move |_: &mut _| {
            drop(second);
            at_response.saw("head");
        };
        RequestContext::on_response(act).unwrap();
        let act = move |_| {
            drop(third);
            at_end.saw("end");
        };
        RequestContext::on_end(act).unwrap();
    });
    let response = response_of(serve(1, handler));
    assert_eq!(reports.so_far(), ["future dropped: user 2", "unfinished Cancelled: user 2", "head: user 1"]);
    read(response);
    assert_eq!(reports.so_far(), ["future dropped: user 3", "unfinished Cancelled: user 3", "end: user 1"]);
}

#[test]
fn callbacks_may_read_and_set_values() {
    let mut kept = None;
    let handler = after(|| {
        kept = RequestContext::current();
        RequestContext::set(vec!["handler"]).unwrap();
        let note = |what| RequestContext::update(|notes: &mut Vec<&str>| notes.push(what)).unwrap();
        RequestContext::on_response(move |_| note("head")).unwrap();
        RequestContext::on_end(move |_| note("end")).unwrap();
        RequestContext::on_end(|end| RequestContext::set(end).unwrap()).unwrap();
    });
    read(response_of(serve(1, handler)));
    let kept = kept.unwrap();
    assert_eq!(kept.get(), Some(vec!["handler", "head", "end"]));
    assert_eq!(kept.get(), Some(tower_request_context::End::Completed));
}

#[test]
fn callback_may_enter_and_leave_other_contexts() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let enter_others = |own: crate::recorder::Recorder| {
            let other = RequestContext::new(Store::new().with_value(User(2)));
            other.sync_scope(|| own.saw("scope"));
            RequestContext::sync_exit(|| own.saw("exit"));
            own.saw("own");
        };
        let (at_response, at_end) = (recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| enter_others(at_response)).unwrap();
        RequestContext::on_end(move |_| enter_others(at_end)).unwrap();
    });
    read(response_of(serve(1, handler)));
    let once = ["scope: user 2", "exit: nobody", "own: user 1"];
    assert_eq!(reports.so_far(), [once, once].concat());
}

#[test]
fn callback_may_serve_another_request() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let serve_another = |own: crate::recorder::Recorder| {
            let handler = after(|| {
                RequestContext::on_response(own.head_of("inner")).unwrap();
                RequestContext::on_end(own.end_of("inner")).unwrap();
            });
            read(response_of(serve(2, handler)));
            own.saw("served");
        };
        let (at_response, at_end) = (recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| serve_another(at_response)).unwrap();
        RequestContext::on_end(move |_| serve_another(at_end)).unwrap();
    });
    read(response_of(serve(1, handler)));
    let once = ["inner head: user 2", "inner Completed: user 2", "served: user 1"];
    assert_eq!(reports.so_far(), [once, once].concat());
}
