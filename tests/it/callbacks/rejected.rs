//! Callbacks that are registered too late, or without a response or an end to wait for.

use futures_util::{FutureExt, stream};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::StreamBody;
use hyper::body::Bytes;
use tokio::sync::oneshot;
use tower_request_context::{CallbackError, RequestContext, Store};

use super::{after, read, response_of, serve};
use crate::{recorder::recorder, support::User};

/// Registers a callback of each kind, and returns the results.
fn try_both() -> [Result<(), CallbackError>; 2] {
    [RequestContext::on_response(|_| panic!("never called")), RequestContext::on_end(|_| {})]
}

#[test]
fn body_may_register_on_end_but_not_on_response() {
    let (recorder, mut reports) = recorder();
    let body = StreamBody::new(stream::once(async {
        let context = RequestContext::current().unwrap();
        assert!(context.sync_scope(|| RequestContext::on_response(|_| {})).is_err());
        assert_eq!(RequestContext::on_response(|_| {}), Err(CallbackError::HeadersSent));
        assert_eq!(RequestContext::on_end(recorder.end_of("from the body")), Ok(()));
        Ok::<_, &str>(Frame::data(Bytes::from("data")))
    }));
    let response = response_of(serve(1, async { Ok(Response::new(body)) }));
    assert_eq!(read(response), "data");
    assert_eq!(reports.so_far(), ["from the body Completed: user 1"]);
}

#[tokio::test]
async fn task_may_register_until_the_request_has_ended() {
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
    let response = response_of(serve(1, handler));
    head_sent.send(()).unwrap();
    tokio::task::yield_now().await;
    drop(response);
    assert_eq!(reports.so_far(), ["from the task Completed: user 1"]);
    ended.send(()).unwrap();
    let after_end = [Err(CallbackError::Ended); 2];
    let seen = task.unwrap().await.unwrap();
    assert_eq!(seen, ([Err(CallbackError::HeadersSent), Ok(())], after_end, Some(User(1))));
}

#[test]
fn handle_of_an_ended_request_reads_and_rejects_callbacks() {
    let mut kept = None;
    read(response_of(serve(1, after(|| kept = RequestContext::current()))));
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
fn on_response_without_a_response_is_dropped_in_the_context() {
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
fn rejected_callback_is_dropped_once_and_immediately() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    let body = StreamBody::new(stream::once(async {
        let held = recorder.drop_of("after the head");
        RequestContext::on_response(move |_| drop(held)).unwrap_err();
        recorder.saw("rejected");
        Ok::<_, &str>(Frame::data(Bytes::new()))
    }));
    read(response_of(serve(1, async {
        kept = RequestContext::current();
        Ok(Response::new(body))
    })));
    assert_eq!(reports.so_far(), ["after the head: user 1", "rejected: user 1"]);

    let scoped = RequestContext::new(Store::new());
    for (context, user) in [(kept.unwrap(), "user 1"), (scoped, "nobody")] {
        let [on_response, on_end] = ["head", "end"].map(|what| recorder.drop_of(what));
        assert!(context.sync_scope(|| RequestContext::on_response(move |_| drop(on_response))).is_err());
        assert!(context.sync_scope(|| RequestContext::on_end(move |_| drop(on_end))).is_err());
        assert_eq!(reports.so_far(), [format!("head: {user}"), format!("end: {user}")]);
    }
    let held = recorder.drop_of("outside");
    RequestContext::on_end(move |_| drop(held)).unwrap_err();
    assert_eq!(reports.so_far(), ["outside: nobody"]);
}

#[test]
fn scoped_context_rejects_callbacks() {
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
fn run_outside_any_request_has_an_end_but_no_response() {
    let run = Store::new().run(async { try_both() });
    assert_eq!(run.now_or_never().unwrap(), [Err(CallbackError::NoLifecycle), Ok(())]);
}

#[test]
fn registering_outside_any_context_is_an_error() {
    assert_eq!(try_both(), [Err(CallbackError::NoContext); 2]);
    let handler = after(|| assert_eq!(RequestContext::sync_exit(try_both), [Err(CallbackError::NoContext); 2]));
    read(response_of(serve(1, handler)));
}

/// They are dropped with the context, or with the store if it never becomes a context.
#[test]
fn callbacks_of_a_scoped_store_are_dropped_without_being_called() {
    let (recorder, mut reports) = recorder();
    let store = || {
        let mut store = Store::new();
        let (on_response, on_end, called) =
            (recorder.drop_of("head dropped"), recorder.drop_of("end dropped"), recorder.clone());
        let act = move |_| {
            called.saw("called");
            drop(on_end);
        };
        store.on_end(act);
        store.on_response(move |_| drop(on_response));
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
fn each_error_names_cause_and_fix_and_converts_to_500() {
    fn handler() -> Result<(), StatusCode> {
        Ok(RequestContext::on_end(|_| {})?)
    }

    let messages = [
        (CallbackError::NoContext, ["no request context is current", "put the layer around the route"]),
        (
            CallbackError::HeadersSent,
            ["the status and headers of the response are final", "before the handler returns"],
        ),
        (CallbackError::Ended, ["the request has ended", "while the response body is still being sent"]),
        (CallbackError::NoLifecycle, ["has no end to wait for, or no response", "run the work with `Store::run`"]),
    ];
    for (error, [cause, fix]) in messages {
        let message = error.to_string();
        assert!(message.find(cause).is_some_and(|at| message[at..].contains(fix)), "{message}");
        assert!(message.starts_with(char::is_lowercase) && !message.ends_with('.'), "{message}");
        assert_eq!(StatusCode::from(error), StatusCode::INTERNAL_SERVER_ERROR);
    }
    assert_eq!(handler(), Err(StatusCode::INTERNAL_SERVER_ERROR));
}
