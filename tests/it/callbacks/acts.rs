//! What a callback may do: register others, drop what it holds, read and write, enter contexts, serve requests.

use tower_request_context::{CallbackError, RequestContext, Store};

use super::{after, head, read, serve, unfinished};
use crate::{recorder::recorder, support::User};

#[test]
fn a_response_callback_may_register_for_the_end_but_not_for_the_response() {
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
    read(head(serve(1, handler)));
    assert_eq!(reports.so_far(), ["last head: user 1", "outer Completed: user 1", "inner Completed: user 1"]);
}

#[test]
fn an_end_callback_may_register_nothing() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let (head, end, own) = (recorder.head_of("never"), recorder.end_of("never"), recorder.clone());
        let act =
            move |_| own.saw(&format!("{:?} {:?}", RequestContext::on_response(head), RequestContext::on_end(end)));
        RequestContext::on_end(act).unwrap();
        RequestContext::on_end(recorder.end_of("last")).unwrap();
    });
    read(head(serve(1, handler)));
    assert_eq!(reports.so_far(), ["Err(Ended) Err(Ended): user 1", "last Completed: user 1"]);
}

#[test]
fn a_callback_may_drop_the_last_handle_of_its_context() {
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
    read(head(serve(1, handler)));
    assert_eq!(reports.so_far(), ["handle dropped: user 1", "last Completed: user 1", "value dropped: nobody"]);
}

#[test]
fn a_callback_may_drop_another_request_which_ends_in_its_own_context() {
    let (recorder, mut reports) = recorder();
    let (second, third) = (unfinished(2, &recorder), unfinished(3, &recorder));
    let handler = after(|| {
        let (at_head, at_end) = (recorder.clone(), recorder.clone());
        let act = move |_: &mut _| {
            drop(second);
            at_head.saw("head");
        };
        RequestContext::on_response(act).unwrap();
        let act = move |_| {
            drop(third);
            at_end.saw("end");
        };
        RequestContext::on_end(act).unwrap();
    });
    let response = head(serve(1, handler));
    assert_eq!(reports.so_far(), ["future dropped: user 2", "unfinished Cancelled: user 2", "head: user 1"]);
    read(response);
    assert_eq!(reports.so_far(), ["future dropped: user 3", "unfinished Cancelled: user 3", "end: user 1"]);
}

#[test]
fn a_callback_reads_what_was_set_late_and_sets_what_the_next_one_reads() {
    let mut kept = None;
    let handler = after(|| {
        kept = RequestContext::current();
        RequestContext::set(vec!["handler"]).unwrap();
        let note = |what| RequestContext::update(|notes: &mut Vec<&str>| notes.push(what)).unwrap();
        RequestContext::on_response(move |_| note("head")).unwrap();
        RequestContext::on_end(move |_| note("end")).unwrap();
        RequestContext::on_end(|end| RequestContext::set(end).unwrap()).unwrap();
    });
    read(head(serve(1, handler)));
    let kept = kept.unwrap();
    assert_eq!(kept.get(), Some(vec!["handler", "head", "end"]));
    assert_eq!(kept.get(), Some(tower_request_context::End::Completed));
}

#[test]
fn a_callback_may_enter_other_contexts_and_is_back_in_its_own() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let wander = |own: crate::recorder::Recorder| {
            let other = RequestContext::new(Store::new().with_value(User(2)));
            other.sync_scope(|| own.saw("scope"));
            RequestContext::sync_exit(|| own.saw("exit"));
            own.saw("own");
        };
        let (at_head, at_end) = (recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| wander(at_head)).unwrap();
        RequestContext::on_end(move |_| wander(at_end)).unwrap();
    });
    read(head(serve(1, handler)));
    let once = ["scope: user 2", "exit: nobody", "own: user 1"];
    assert_eq!(reports.so_far(), [once, once].concat());
}

#[test]
fn a_callback_may_serve_a_request_which_is_told_its_own_end() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let serve_another = |own: crate::recorder::Recorder| {
            let handler = after(|| {
                RequestContext::on_response(own.head_of("inner")).unwrap();
                RequestContext::on_end(own.end_of("inner")).unwrap();
            });
            read(head(serve(2, handler)));
            own.saw("served");
        };
        let (at_head, at_end) = (recorder.clone(), recorder.clone());
        RequestContext::on_response(move |_| serve_another(at_head)).unwrap();
        RequestContext::on_end(move |_| serve_another(at_end)).unwrap();
    });
    read(head(serve(1, handler)));
    let once = ["inner head: user 2", "inner Completed: user 2", "served: user 1"];
    assert_eq!(reports.so_far(), [once, once].concat());
}
