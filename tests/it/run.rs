//! `Store::run`: work without an HTTP request, in a context that ends with the work.

use std::{
    future::{Future, pending, poll_fn},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use futures_util::{
    FutureExt,
    future::{BoxFuture, join_all},
    poll,
};
use http::Response;
use tokio::{
    sync::{Barrier, oneshot},
    task::yield_now,
    time::timeout,
};
use tower_request_context::{CallbackError, End, RequestContext, Run, Store};

use crate::{
    callbacks::{after, read, serve},
    recorder::{Recorder, recorder},
    support::{User, in_time},
};

/// Runs a future as user `id`, and reports the end.
fn run<T: Future>(id: u32, recorder: &Recorder, future: T) -> Run<T> {
    let mut store = Store::new().with_value(User(id)).with_value(recorder.drop_of("value dropped"));
    store.on_end(recorder.end_of("run"));
    store.run(future)
}

/// Returns a future that reports its first poll and never completes.
fn pending_work(recorder: &Recorder) -> impl Future<Output = ()> + Send + 'static {
    let (held, began) = (recorder.drop_of("future dropped"), recorder.clone());
    async move {
        let _held = held;
        began.saw("begun");
        pending::<()>().await;
    }
}

const CANCELLED: [&str; 4] =
    ["begun: user 1", "future dropped: user 1", "run Cancelled: user 1", "value dropped: nobody"];

#[tokio::test]
async fn finished_work_is_completed_whatever_it_returns() {
    let (recorder, mut reports) = recorder();
    let saved = run(1, &recorder, async {
        yield_now().await;
        Ok::<_, String>(User::name())
    });
    assert_eq!(saved.await.unwrap(), "user 1");
    assert_eq!(reports.so_far(), ["run Completed: user 1", "value dropped: nobody"]);

    assert_eq!(run(1, &recorder, async { Err::<(), _>("no") }).await, Err("no"));
    assert_eq!(reports.so_far(), ["run Completed: user 1", "value dropped: nobody"]);
    assert!(!RequestContext::is_active());
}

#[test]
fn future_is_dropped_before_the_end_and_values_after_it() {
    let (recorder, mut reports) = recorder();
    let (held, polled) = (recorder.drop_of("future dropped"), recorder.clone());
    let mut work = Box::pin(run(
        1,
        &recorder,
        poll_fn(move |_| {
            let _held = &held;
            polled.saw("polled");
            Poll::Ready(())
        }),
    ));
    assert_eq!(work.as_mut().now_or_never(), Some(()));
    assert_eq!(reports.so_far(), ["polled: user 1", "future dropped: user 1", "run Completed: user 1"]);
    drop(work);
    assert_eq!(reports.so_far(), ["value dropped: nobody"]);
}

#[tokio::test]
async fn work_dropped_by_a_select_is_cancelled() {
    let (recorder, mut reports) = recorder();
    tokio::select! {
        biased;
        () = run(1, &recorder, pending_work(&recorder)) => unreachable!("the work never completes"),
        () = yield_now() => {}
    }
    assert_eq!(reports.so_far(), CANCELLED);
}

#[tokio::test]
async fn aborted_work_is_cancelled() {
    let (recorder, mut reports) = recorder();
    let task = tokio::spawn(run(1, &recorder, pending_work(&recorder)));
    assert_eq!(reports.next().await, CANCELLED[0]);
    task.abort();
    assert!(in_time(task).await.unwrap_err().is_cancelled());
    assert_eq!(reports.so_far(), CANCELLED[1..]);
}

#[tokio::test]
async fn timed_out_work_is_cancelled() {
    let (recorder, mut reports) = recorder();
    assert!(timeout(Duration::ZERO, run(1, &recorder, pending_work(&recorder))).await.is_err());
    assert_eq!(reports.so_far(), CANCELLED);
}

#[test]
fn unpolled_work_is_cancelled() {
    let (recorder, mut reports) = recorder();
    drop(run(1, &recorder, pending_work(&recorder)));
    assert_eq!(reports.so_far(), CANCELLED[1..]);
}

#[tokio::test]
async fn panic_reaches_the_callbacks_and_the_task() {
    let (recorder, mut reports) = recorder();
    let work = async {
        yield_now().await;
        panic!("in the work")
    };
    let panic = tokio::spawn(run(1, &recorder, work)).await.unwrap_err().into_panic();
    assert_eq!(*panic.downcast::<&str>().unwrap(), "in the work");
    assert_eq!(reports.so_far(), ["run Panicked: user 1", "value dropped: nobody"]);
}

/// Returns a future that panics in its drop. It is ready at its first poll, or never.
fn panicking_in_drop(is_ready: bool) -> impl Future<Output = ()> {
    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic!("in a drop");
        }
    }

    let held = PanicsInDrop;
    poll_fn(move |_| {
        let _held = &held;
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    })
}

/// The output is lost, so an `on_end` callback that commits on `Completed` must not see `Completed`.
#[test]
fn panic_in_the_drop_is_reported_as_panicked() {
    for is_ready in [true, false] {
        let (recorder, mut reports) = recorder();
        let mut work = Box::pin(run(1, &recorder, panicking_in_drop(is_ready)));
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            assert!(work.as_mut().now_or_never().is_none());
            drop(work);
        }));
        assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "in a drop");
        assert_eq!(reports.so_far(), ["run Panicked: user 1", "value dropped: nobody"]);
    }
}

/// Code that catches the panic may keep the run.
#[test]
fn panic_in_the_drop_is_reported_before_the_run_is_dropped() {
    let (recorder, mut reports) = recorder();
    let mut work = Box::pin(run(1, &recorder, panicking_in_drop(true)));
    let outcome = catch_unwind(AssertUnwindSafe(|| work.as_mut().now_or_never()));
    assert_eq!(*outcome.unwrap_err().downcast::<&str>().unwrap(), "in a drop");
    assert_eq!(reports.so_far(), ["run Panicked: user 1"]);
    drop(work);
    assert_eq!(reports.so_far(), ["value dropped: nobody"]);
}

#[tokio::test]
async fn run_in_a_request_inherits_its_values_and_ends_alone() {
    let (recorder, mut reports) = recorder();
    let handler = async {
        RequestContext::on_end(recorder.end_of("request")).unwrap();
        let work = async {
            yield_now().await;
            assert_eq!(User::name(), "user 1");
            RequestContext::set(User(2)).unwrap();
            RequestContext::on_end(recorder.end_of("run")).unwrap();
            RequestContext::current().unwrap()
        };
        let ended = Store::new().with_value("initial").run(work).await;
        assert_eq!((ended.is_ended(), ended.get::<&str>(), ended.get()), (true, Some("initial"), Some(User(2))));
        let request = RequestContext::current().unwrap();
        assert_eq!((request.is_ended(), request.get::<&str>(), request.get()), (false, None, Some(User(1))));
        assert!(request.sync_scope(|| RequestContext::on_end(recorder.end_of("still accepted"))).is_ok());
        assert!(ended.sync_scope(|| RequestContext::on_end(|_| {})).is_err());
        Ok(Response::new(String::new()))
    };
    read(serve(1, handler).await.unwrap());
    let reported = ["run Completed: user 2", "request Completed: user 1", "still accepted Completed: user 1"];
    assert_eq!(reports.so_far(), reported);
}

#[tokio::test]
async fn run_outlives_its_request_and_still_reads_its_values() {
    let (recorder, mut reports) = recorder();
    let (sender, go_on) = oneshot::channel();
    let mut task = None;
    let handler = async {
        RequestContext::on_end(recorder.end_of("request")).unwrap();
        let end = recorder.end_of("run");
        let work = async {
            go_on.await.unwrap();
            let response = RequestContext::on_response(|_| {});
            (response, RequestContext::on_end(end), User::name(), RequestContext::current().unwrap().is_ended())
        };
        task = Some(RequestContext::spawn(Store::new().run(work)));
        Ok(Response::new(String::new()))
    };
    read(serve(1, handler).await.unwrap());
    assert_eq!(reports.so_far(), ["request Completed: user 1"]);
    sender.send(()).unwrap();
    let seen = in_time(task.unwrap()).await.unwrap();
    assert_eq!(seen, (Err(CallbackError::Ended), Ok(()), String::from("user 1"), false));
    assert_eq!(reports.so_far(), ["run Completed: user 1"]);
}

/// Creates a run in a handler of user 1, and returns the user that the run reads when `poll_with` drives it.
async fn user_of_a_run<F>(poll_with: impl FnOnce(Run<BoxFuture<'static, String>>) -> F) -> String
where
    F: Future<Output = String>,
{
    let handler = async {
        let job = async {
            yield_now().await;
            User::name()
        };
        Ok(Response::new(poll_with(Store::new().run(job.boxed())).await))
    };
    read(serve(1, handler).await.unwrap())
}

#[tokio::test]
async fn a_run_inherits_from_the_context_of_its_first_poll() {
    let in_the_request = [
        user_of_a_run(|job| job).await,
        user_of_a_run(RequestContext::carry).await,
        user_of_a_run(async |job| RequestContext::spawn(job).await.unwrap()).await,
        user_of_a_run(async |mut job| {
            assert!(poll!(&mut job).is_pending());
            tokio::spawn(job).await.unwrap()
        })
        .await,
    ];
    assert_eq!(in_the_request, ["user 1"; 4]);

    let outside = [
        user_of_a_run(async |job| tokio::spawn(job).await.unwrap()).await,
        user_of_a_run(RequestContext::exit).await,
        user_of_a_run(async |mut job| {
            assert!(poll!(RequestContext::exit(&mut job)).is_pending());
            job.await
        })
        .await,
    ];
    assert_eq!(outside, ["nobody"; 3]);

    let other = RequestContext::new(Store::new().with_value(User(2)));
    assert_eq!(user_of_a_run(|job| other.scope(job)).await, "user 2");
}

#[test]
fn unpolled_run_inherits_nothing() {
    let (recorder, mut reports) = recorder();
    let handler = after(|| {
        let mut store = Store::new();
        store.on_end(recorder.end_of("run"));
        drop(store.run(async {}));
    });
    read(serve(1, handler).now_or_never().unwrap().unwrap());
    assert_eq!(reports.so_far(), ["run Cancelled: nobody"]);
}

#[tokio::test]
async fn nested_runs_end_from_the_inside_out() {
    let (recorder, mut reports) = recorder();
    let outer = run(1, &recorder, async {
        let inner = run(2, &recorder, async {
            yield_now().await;
            recorder.saw("innermost");
            RequestContext::expect::<&str>()
        });
        RequestContext::set("set after the inner run was created").unwrap();
        assert_eq!(inner.await, "set after the inner run was created");
        recorder.saw("between");
    });
    outer.await;
    let inner = ["innermost: user 2", "run Completed: user 2", "value dropped: nobody"];
    let outer = ["between: user 1", "run Completed: user 1", "value dropped: nobody"];
    assert_eq!(reports.so_far(), [inner, outer].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_runs_report_their_own_end_in_their_context() {
    const RUNS: u32 = 100;
    let barrier = Arc::new(Barrier::new(RUNS as usize));
    let ends = (0..RUNS).map(|id| {
        let barrier = Arc::clone(&barrier);
        let ((sender, reported), (cancel, cancelled)) = (oneshot::channel(), oneshot::channel());
        let work = async move {
            barrier.wait().await;
            RequestContext::set(User(RUNS + id)).unwrap();
            RequestContext::on_end(move |end| sender.send((end, RequestContext::get())).unwrap()).unwrap();
            barrier.wait().await;
            match id % 3 {
                0 => {}
                1 => {
                    cancel.send(()).unwrap();
                    pending::<()>().await;
                }
                _ => panic!("in run {id}"),
            }
        };
        tokio::spawn(async move {
            tokio::select! {
                () = Store::new().with_value(User(id)).run(work) => {}
                Ok(()) = cancelled => {}
            }
        });
        async move { (id, reported.await.unwrap()) }
    });
    for (id, reported) in in_time(join_all(ends)).await {
        let end = [End::Completed, End::Cancelled, End::Panicked][id as usize % 3];
        assert_eq!(reported, (end, Some(User(RUNS + id))));
    }
}

#[test]
fn polling_a_completed_run_panics_and_ends_it_once() {
    let (recorder, mut reports) = recorder();
    {
        let mut work = pin!(run(1, &recorder, async {}));
        assert_eq!(work.as_mut().now_or_never(), Some(()));
        let panic = catch_unwind(AssertUnwindSafe(|| work.as_mut().now_or_never())).unwrap_err();
        assert_eq!(*panic.downcast::<String>().unwrap(), "future polled after completion");
        assert!(!RequestContext::is_active());
    }
    assert_eq!(reports.so_far(), ["run Completed: user 1", "value dropped: nobody"]);
}

#[test]
fn debug_of_a_run_shows_only_type_names() {
    let text = format!("{:?}", Store::new().with_value(User(4711)).run(std::future::ready(4712)));
    let context = "context: Some(RequestContext { values: {it::support::User} })";
    assert_eq!(text, format!("Run(Scoped {{ {context}, inner: core::future::ready::Ready<i32> }})"));
}
