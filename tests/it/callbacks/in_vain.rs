//! Callbacks that come too late, or where nothing will ever come.

use futures_util::{FutureExt, stream};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use tokio::sync::oneshot;
use tower_request_context::{CallbackError, RequestContext, Store};

use super::{after, head, read, serve};
use crate::{recorder::recorder, support::User};

/// What becomes of a callback for the response, and of one for the end.
fn try_both() -> [Result<(), CallbackError>; 2] {
    [RequestContext::on_response(|_| panic!("never called")), RequestContext::on_end(|_| {})]
}

#[test]
fn the_body_may_wait_for_the_end_but_not_for_the_response() {
    let (recorder, mut reports) = recorder();
    let body = StreamBody::new(stream::once(async {
        let context = RequestContext::current().unwrap();
        assert!(context.sync_scope(|| RequestContext::on_response(|_| {})).is_err());
        assert_eq!(RequestContext::on_response(|_| {}), Err(CallbackError::HeadersSent));
        assert_eq!(RequestContext::on_end(recorder.end_of("from the body")), Ok(()));
        Ok::<_, &str>(Frame::data(Bytes::from("data")))
    }));
    let response = head(serve(1, async { Ok(Response::new(body)) }));
    assert_eq!(read(response), "data");
    assert_eq!(reports.so_far(), ["from the body Completed: user 1"]);
}

#[tokio::test]
async fn a_task_may_wait_while_the_request_lasts_and_not_when_it_has_outlived_it() {
    let (recorder, mut reports) = recorder();
    let (head_sent, wait_for_head) = oneshot::channel();
    let (ended, wait_for_end) = oneshot::channel();
    let mut task = None;
    let handler = after(|| {
        let end = recorder.end_of("from the task");
        task = Some(RequestContext::spawn(async {
            wait_for_head.await.unwrap();
            let after_head = [RequestContext::on_response(|_| {}), RequestContext::on_end(end)];
            wait_for_end.await.unwrap();
            (after_head, try_both(), RequestContext::get())
        }));
    });
    let response = head(serve(1, handler));
    head_sent.send(()).unwrap();
    tokio::task::yield_now().await;
    drop(response);
    assert_eq!(reports.so_far(), ["from the task Completed: user 1"]);
    ended.send(()).unwrap();
    let late = [Err(CallbackError::Ended); 2];
    let seen = task.unwrap().await.unwrap();
    assert_eq!(seen, ([Err(CallbackError::HeadersSent), Ok(())], late, Some(User(1))));
}

#[test]
fn a_handle_kept_after_the_end_still_reads_and_refuses_callbacks() {
    let mut kept = None;
    read(head(serve(1, after(|| kept = RequestContext::current()))));
    let kept = kept.unwrap();
    assert!(kept.is_ended());
    assert_eq!(kept.get(), Some(User(1)));
    assert!(
        kept.sync_scope(|| RequestContext::on_response(|_| {})).is_err()
            && kept.sync_scope(|| RequestContext::on_end(|_| {})).is_err()
    );
    assert_eq!(kept.sync_scope(try_both), [Err(CallbackError::Ended); 2]);
    assert_eq!(kept.child(Store::new()).sync_scope(try_both), [Err(CallbackError::Ended); 2]);
}

#[test]
fn what_waited_for_a_response_that_never_came_is_dropped_once_at_the_end_in_the_context() {
    let (recorder, mut reports) = recorder();
    let handler = async {
        let held = recorder.drop_of("callback dropped");
        RequestContext::on_response(move |_| drop(held)).unwrap();
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        Err::<Response<String>, _>("failed")
    };
    assert!(serve(1, handler).now_or_never().unwrap().is_err());
    assert_eq!(reports.so_far(), ["end Failed: user 1", "callback dropped: user 1"]);
}

#[test]
fn a_refused_callback_is_dropped_once_and_at_once() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    let body = StreamBody::new(stream::once(async {
        let held = recorder.drop_of("after the head");
        RequestContext::on_response(move |_| drop(held)).unwrap_err();
        recorder.saw("refused");
        Ok::<_, &str>(Frame::data(Bytes::new()))
    }));
    read(head(serve(1, async {
        kept = RequestContext::current();
        Ok(Response::new(body))
    })));
    assert_eq!(reports.so_far(), ["after the head: user 1", "refused: user 1"]);

    let scoped = RequestContext::new(Store::new());
    for (context, user) in [(kept.unwrap(), "user 1"), (scoped, "nobody")] {
        let [head, end] = ["head", "end"].map(|what| recorder.drop_of(what));
        assert!(context.sync_scope(|| RequestContext::on_response(move |_| drop(head))).is_err());
        assert!(context.sync_scope(|| RequestContext::on_end(move |_| drop(end))).is_err());
        assert_eq!(reports.so_far(), [format!("head: {user}"), format!("end: {user}")]);
    }
    let held = recorder.drop_of("outside");
    RequestContext::on_end(move |_| drop(held)).unwrap_err();
    assert_eq!(reports.so_far(), ["outside: nobody"]);
}

#[test]
fn a_context_that_is_only_scoped_has_neither_response_nor_end() {
    let root = RequestContext::new(Store::new());
    let inherited = root.sync_scope(|| RequestContext::inherit(Store::new()));
    let orphan = RequestContext::inherit(Store::new());
    let from = RequestContext::from(Store::new());
    for context in [root.child(Store::new()), root, inherited, orphan, from] {
        assert_eq!(context.sync_scope(try_both), [Err(CallbackError::NoLifecycle); 2]);
        assert!(
            context.sync_scope(|| RequestContext::on_response(|_| {})).is_err()
                && context.sync_scope(|| RequestContext::on_end(|_| {})).is_err()
        );
        assert!(!context.is_ended());
    }
}

#[test]
fn a_run_outside_of_any_request_has_an_end_but_no_response() {
    let run = Store::new().run(async { try_both() });
    assert_eq!(run.now_or_never().unwrap(), [Err(CallbackError::NoLifecycle), Ok(())]);
}

#[test]
fn outside_of_any_context_there_is_nothing_to_wait_for() {
    assert_eq!(try_both(), [Err(CallbackError::NoContext); 2]);
    let handler = after(|| assert_eq!(RequestContext::sync_exit(try_both), [Err(CallbackError::NoContext); 2]));
    read(head(serve(1, handler)));
}

#[test]
fn a_store_that_is_in_no_context_yet_takes_callbacks_and_drops_them_uncalled_if_it_is_only_scoped() {
    let (recorder, mut reports) = recorder();
    let store = || {
        let mut store = Store::new();
        let (head, end, called) = (recorder.drop_of("head dropped"), recorder.drop_of("end dropped"), recorder.clone());
        let act = move |_| {
            called.saw("called");
            drop(end);
        };
        store.on_end(act);
        store.on_response(move |_| drop(head));
        assert!(!store.is_ended());
        store
    };
    let context = RequestContext::new(store());
    context.sync_scope(|| ());
    drop(context);
    assert_eq!(reports.so_far(), ["head dropped: nobody", "end dropped: nobody"]);
    drop(store());
    assert_eq!(reports.so_far(), ["head dropped: nobody", "end dropped: nobody"]);
}

#[test]
fn each_refusal_names_its_cause_and_its_cure_and_is_a_500() {
    fn handler() -> Result<(), StatusCode> {
        Ok(RequestContext::on_end(|_| {})?)
    }

    let texts = [
        (CallbackError::NoContext, ["no request context is current", "put the layer around the route"]),
        (CallbackError::HeadersSent, ["the head of the response has been sent", "before the handler returns"]),
        (CallbackError::Ended, ["the request is over", "while the response body is still being sent"]),
        (CallbackError::NoLifecycle, ["has no end to wait for, or no response", "enter it with `Store::run`"]),
    ];
    for (error, [cause, cure]) in texts {
        let text = error.to_string();
        assert!(text.find(cause).is_some_and(|at| text[at..].contains(cure)), "{text}");
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
        assert_eq!(StatusCode::from(error), StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(handler(), Err(StatusCode::INTERNAL_SERVER_ERROR));
}
