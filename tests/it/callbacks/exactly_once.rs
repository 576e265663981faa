//! `on_end` callbacks run exactly once, even if the request is polled again, dropped or used concurrently.

use std::{
    future::{pending, poll_fn},
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc,
    },
    task::Poll,
    thread,
};

use futures_util::FutureExt;
use http::Response;
use http_body_util::BodyExt;
use tower_request_context::{RequestContext, Store};

use super::{HandlerResult, RecordedBody, after, read, response_of, serve, unfinished};
use crate::recorder::recorder;

#[test]
fn failed_future_ends_once_if_polled_again_and_dropped() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    {
        let mut request = pin!(serve(1, async {
            kept = RequestContext::current();
            RequestContext::on_end(recorder.end_of("end")).unwrap();
            Err::<Response<String>, _>("an error")
        }));
        assert!(request.as_mut().now_or_never().unwrap().is_err());
        assert_eq!(reports.so_far(), ["end Failed: user 1"]);
        let panic = catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never())).err().unwrap();
        assert_eq!(*panic.downcast::<String>().unwrap(), "future polled after completion");
    }
    assert_eq!(reports.so_far(), [""; 0]);
    assert!(kept.unwrap().is_ended());
}

#[test]
fn finished_body_ends_once_if_polled_again_and_dropped() {
    for (frame, end) in [(Ok("data"), "end Completed: user 1"), (Err("an error"), "end Failed: user 1")] {
        let (recorder, mut reports) = recorder();
        let mut response = response_of(serve(1, async {
            RequestContext::on_end(recorder.end_of("end")).unwrap();
            Ok(Response::new(RecordedBody::new(&recorder, [frame])))
        }));
        assert_eq!(response.frame().now_or_never().unwrap().unwrap().is_ok(), frame.is_ok());
        assert!(response.frame().now_or_never().unwrap().is_none());
        assert_eq!(reports.so_far()[1..].last().unwrap(), end);
        assert!(response.frame().now_or_never().unwrap().is_none());
        drop(response);
        assert_eq!(reports.so_far(), [""; 0]);
    }
}

#[test]
fn panicked_future_ends_once_if_polled_again_and_dropped() {
    let (recorder, mut reports) = recorder();
    let mut end = Some(recorder.end_of("end"));
    let handler = poll_fn(move |_| -> Poll<HandlerResult<String>> {
        end.take().map(RequestContext::on_end);
        panic!("in the handler")
    });
    let mut request = Box::pin(serve(1, handler));
    assert!(catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never())).is_err());
    assert!(catch_unwind(AssertUnwindSafe(|| request.as_mut().now_or_never())).is_err());
    assert_eq!(reports.so_far(), [""; 0]);
    drop(request);
    assert_eq!(reports.so_far(), ["end Panicked: user 1"]);
}

#[test]
fn on_end_is_not_called_for_a_leaked_request() {
    let (recorder, mut reports) = recorder();
    let mut kept = None;
    mem::forget(unfinished(1, &recorder));
    mem::forget(response_of(serve(1, async {
        kept = RequestContext::current();
        RequestContext::on_end(recorder.end_of("end")).unwrap();
        Ok(Response::new(RecordedBody::new(&recorder, [Ok("data")])))
    })));
    let kept = kept.unwrap();
    assert!(!kept.is_ended());
    assert!(kept.sync_scope(|| RequestContext::on_end(recorder.end_of("leaked too"))).is_ok());
    assert!(!RequestContext::is_active());
    read(response_of(serve(2, after(|| RequestContext::on_end(recorder.end_of("next")).unwrap()))));
    assert_eq!(reports.so_far(), ["next Completed: user 2"]);
}

/// Registers callbacks from several threads while `close` runs on this one. Each thread goes on until a callback is
/// rejected, at the latest after `close` has returned. Each callback counts its calls: an accepted one must have run
/// once, a rejected one never.
fn race(register: impl Fn(Arc<AtomicUsize>) -> bool + Sync, close: impl FnOnce()) {
    const THREADS: usize = 4;
    let (start, is_closed, register) = (Barrier::new(THREADS + 1), AtomicBool::new(false), &register);
    let registered: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let attempt = || {
                        let called = Arc::default();
                        (register(Arc::clone(&called)), called)
                    };
                    let mut attempts = vec![attempt()];
                    start.wait();
                    loop {
                        let is_last = is_closed.load(Ordering::SeqCst);
                        attempts.push(attempt());
                        if is_last || attempts.last().is_some_and(|(accepted, _)| !accepted) {
                            return attempts;
                        }
                    }
                })
            })
            .collect();
        start.wait();
        close();
        is_closed.store(true, Ordering::SeqCst);
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(registered.iter().filter(|(accepted, _)| !accepted).count(), THREADS);
    for (accepted, called) in registered {
        assert_eq!(called.load(Ordering::SeqCst), usize::from(accepted));
        assert_eq!(Arc::strong_count(&called), 1, "the callback was not dropped");
    }
}

fn count(called: &AtomicUsize) {
    called.fetch_add(1, Ordering::SeqCst);
}

#[test]
fn only_accepted_callbacks_run_if_registration_races_the_end() {
    for _ in 0..500 {
        let (sender, receiver) = mpsc::channel();
        let mut run = Box::pin(Store::new().run(async move {
            sender.send(RequestContext::current().unwrap()).unwrap();
            pending::<()>().await;
        }));
        assert!(run.as_mut().now_or_never().is_none());
        let context = receiver.recv().unwrap();
        race(|called| context.sync_scope(|| RequestContext::on_end(move |_| count(&called))).is_ok(), || drop(run));
    }
}

#[test]
fn only_accepted_callbacks_run_if_registration_races_a_response() {
    for _ in 0..500 {
        let (sender, receiver) = mpsc::channel();
        let mut is_first = true;
        let mut request = Box::pin(serve(
            1,
            poll_fn(move |_| {
                if mem::take(&mut is_first) {
                    sender.send(RequestContext::current().unwrap()).unwrap();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Response::new(String::new())))
            }),
        ));
        assert!(request.as_mut().now_or_never().is_none());
        let context = receiver.recv().unwrap();
        race(
            |called| context.sync_scope(|| RequestContext::on_response(move |_| count(&called))).is_ok(),
            || drop(response_of(request)),
        );
    }
}
