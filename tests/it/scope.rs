//! Entering and leaving contexts: futures, bodies, closures, tasks and threads.

use std::{
    cell::RefCell,
    panic::{RefUnwindSafe, UnwindSafe, catch_unwind},
    sync::mpsc,
    thread,
};

use futures_util::{FutureExt, future::Shared};
use http_body_util::{BodyExt, Full};
use tokio_test::{assert_pending, assert_ready_eq, task};
use tower_request_context::{ContextError, RequestContext, Scoped, Store, WeakRequestContext};

use crate::support::{User, panic_file};

fn context(id: u32) -> RequestContext {
    RequestContext::new(Store::new().with_value(User(id)))
}

fn current() -> Option<User> {
    RequestContext::get()
}

/// Sends the user that is current when it is dropped.
struct DropRecorder(mpsc::Sender<Option<User>>);

impl Drop for DropRecorder {
    fn drop(&mut self) {
        self.0.send(current()).unwrap();
    }
}

/// F1 (CVE-2026-97888), F13: there is no setter and no guard, only functions that restore the previous context.
#[test]
fn scope_ends_with_its_closure_even_if_it_panics() {
    let outer = context(1);
    outer.sync_scope(|| {
        assert!(catch_unwind(|| context(2).sync_scope(|| panic!("inside"))).is_err());
        assert_eq!(current(), Some(User(1)));
        RequestContext::sync_exit(|| assert_eq!(current(), None));
        assert_eq!(current(), Some(User(1)));
    });
    assert_eq!(current(), None);
}

#[test]
fn context_is_current_only_during_polls() {
    let mut future = task::spawn(context(1).scope(async {
        let before = current();
        tokio::task::yield_now().await;
        (before, current())
    }));
    context(2).sync_scope(|| assert_pending!(future.poll()));
    assert_eq!(current(), None);
    assert_ready_eq!(future.poll(), (Some(User(1)), Some(User(1))));
}

#[test]
fn carry_captures_the_current_context_or_its_absence() {
    let carried = context(1).sync_scope(|| RequestContext::carry(async { current() }));
    let nothing = RequestContext::carry(async { current() });
    context(2).sync_scope(|| {
        assert_eq!(carried.now_or_never(), Some(Some(User(1))));
        assert_eq!(nothing.now_or_never(), Some(None));
    });
}

#[test]
fn ready_future_is_dropped_immediately_in_its_context() {
    let (sender, dropped) = mpsc::channel();
    let recorder = DropRecorder(sender);
    let mut future = task::spawn(context(1).scope(std::future::poll_fn(move |_| {
        let _held = &recorder;
        std::task::Poll::Ready(())
    })));
    assert_ready_eq!(future.poll(), ());
    assert_eq!(dropped.try_recv(), Ok(Some(User(1))));
}

#[test]
#[should_panic(expected = "future polled after completion")]
fn a_future_polled_after_completion_panics() {
    let mut future = task::spawn(context(1).scope(async {}));
    assert_ready_eq!(future.poll(), ());
    _ = future.poll();
}

#[tokio::test]
async fn a_body_passes_through_a_scope_unchanged() {
    use http_body::Body;

    let body = context(1).scope(Full::new(bytes("text")));
    assert_eq!((body.size_hint().exact(), body.is_end_stream()), (Some(4), false));
    assert!(context(1).scope(Full::new(bytes(""))).is_end_stream());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
}

fn bytes(text: &'static str) -> hyper::body::Bytes {
    hyper::body::Bytes::from_static(text.as_bytes())
}

/// E4: a shared future runs in the context of the request that polls it.
/// F4 (Quarkus CVE-2023-6393).
#[test]
fn a_shared_future_runs_as_its_pollers_unless_it_exits() {
    async fn read_twice() -> [Option<User>; 2] {
        let first = current();
        tokio::task::yield_now().await;
        [first, current()]
    }

    fn polled_in_two_requests<F: Future<Output = [Option<User>; 2]>>(future: F) -> [Option<User>; 2] {
        let shared: Shared<F> = future.shared();
        let mut one = task::spawn(context(1).scope(shared.clone()));
        let mut two = task::spawn(context(2).scope(shared));
        assert_pending!(one.poll());
        let seen = tokio_test::assert_ready!(two.poll());
        assert_ready_eq!(one.poll(), seen);
        seen
    }

    assert_eq!(polled_in_two_requests(read_twice()), [Some(User(1)), Some(User(2))]);
    assert_eq!(polled_in_two_requests(RequestContext::exit(read_twice())), [None, None]);
}

/// E5: a bare spawn does not propagate the context.
/// F9.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_and_threads_need_explicit_propagation() {
    let seen = context(1).scope(async {
        let bare = tokio::spawn(async { current() }).await.unwrap();
        let bare_blocking = tokio::task::spawn_blocking(current).await.unwrap();
        assert_eq!(thread::spawn(current).join().unwrap(), None);
        let spawned = RequestContext::spawn(async {
            tokio::task::yield_now().await;
            current()
        });
        let blocking = RequestContext::spawn_blocking(current);
        let carried = tokio::spawn(RequestContext::carry(async { current() }));
        [bare, bare_blocking, spawned.await.unwrap(), blocking.await.unwrap(), carried.await.unwrap()]
    });
    assert_eq!(seen.await, [None, None, Some(User(1)), Some(User(1)), Some(User(1))]);
}

/// An executor that is driven inside a scope polls its tasks in that scope, unless they have a context of their own.
#[tokio::test]
async fn local_set_runs_bare_tasks_in_the_driving_request() {
    let tasks = tokio::task::LocalSet::new();
    let (bare, carried, shared) = context(2).sync_scope(|| {
        let bare = tasks.spawn_local(async { current() });
        let carried = tasks.spawn_local(RequestContext::carry(async { current() }));
        (bare, carried, tasks.spawn_local(RequestContext::exit(async { current() })))
    });
    let all = async { (bare.await.unwrap(), carried.await.unwrap(), shared.await.unwrap()) };
    assert_eq!(context(1).scope(tasks.run_until(all)).await, (Some(User(1)), Some(User(2)), None));
}

#[tokio::test]
async fn an_aborted_task_is_dropped_in_its_context() {
    let (sender, dropped) = mpsc::channel();
    let task = context(1).sync_scope(|| {
        let recorder = DropRecorder(sender);
        RequestContext::spawn(async move {
            let _held = recorder;
            std::future::pending::<()>().await;
        })
    });
    tokio::task::yield_now().await;
    task.abort();
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(dropped.try_recv(), Ok(Some(User(1))));
}

#[test]
fn unrun_blocking_closure_is_dropped_in_its_context() {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build().unwrap();
    let (release, blocked) = mpsc::channel::<()>();
    let (running, started) = mpsc::channel();
    let (sender, dropped) = mpsc::channel();
    runtime.spawn_blocking(move || {
        running.send(()).unwrap();
        _ = blocked.recv();
    });
    started.recv().unwrap();
    let _entered = runtime.enter();
    let recorder = DropRecorder(sender);
    let task = context(1).sync_scope(|| RequestContext::spawn_blocking(move || drop(recorder)));
    task.abort();
    drop(release);
    assert!(task.now_or_never().is_none_or(|result| result.is_err()));
    assert_eq!(dropped.recv(), Ok(Some(User(1))));
}

/// The destructor runs at thread exit, when the thread-locals of other libraries may already be destroyed.
#[test]
fn body_in_a_thread_local_is_dropped_in_its_context() {
    thread_local! {
        static PARKED: RefCell<Vec<Scoped<DropRecorder>>> = const { RefCell::new(Vec::new()) };
    }

    let (sender, dropped) = mpsc::channel();
    thread::spawn(move || {
        PARKED.with_borrow_mut(|parked| parked.push(context(1).scope(DropRecorder(sender.clone()))));
        context(2).sync_scope(|| assert_eq!(current(), Some(User(2))));
        PARKED.with_borrow_mut(|parked| parked.push(context(3).scope(DropRecorder(sender))));
    })
    .join()
    .unwrap();
    assert_eq!([dropped.recv(), dropped.recv()], [Ok(Some(User(1))), Ok(Some(User(3)))]);
}

/// F11, F12.
#[test]
fn handle_keeps_values_alive_and_weak_handle_does_not() {
    let (handle, weak) = context(1).sync_scope(|| {
        let current = RequestContext::current().unwrap();
        let weak = current.downgrade();
        (current, weak)
    });
    assert_eq!(handle.get(), Some(User(1)));
    assert_eq!(weak.upgrade().unwrap().get(), Some(User(1)));
    assert_eq!(format!("{weak:?}"), "WeakRequestContext { values: {it::support::User} }");
    drop(handle);
    assert!(weak.upgrade().is_none());
    assert_eq!(format!("{weak:?}"), "WeakRequestContext { dropped }");
}

#[test]
fn outside_a_context_reads_are_none_and_writes_are_errors() {
    assert!(!RequestContext::is_active() && !RequestContext::contains::<User>());
    assert_eq!(current(), None);
    assert_eq!(RequestContext::with(|_: &User| ()), None);
    assert_eq!(RequestContext::try_get::<User>(), Err(ContextError::NoContext));
    assert_eq!(RequestContext::set(User(1)), Err(ContextError::NoContext));
    assert_eq!(RequestContext::update(|_: &mut User| ()), Err(ContextError::NoContext));
    assert_eq!(RequestContext::try_current().unwrap_err(), ContextError::NoContext);
    assert_eq!(current(), None);
}

#[test]
fn errors_name_the_cause_and_the_fix() {
    let no_context = ContextError::NoContext.to_string();
    for part in ["no request context", "RequestContextLayer", "RequestContext::spawn", "incompatible version"] {
        assert!(no_context.contains(part), "{no_context}");
    }
    for (cause, fix) in [
        ("on a route without `RequestContextLayer`", "(put the layer around the route)"),
        ("in middleware outside the layer", "axum's last `.layer` and `ServiceBuilder`'s first are outermost)"),
        ("in a bare `tokio::spawn` or thread", "(use `RequestContext::spawn` or `RequestContext::carry`)"),
        ("`tower::buffer` or a framework adapter", "(use `RequestContextLayer::insert_extension`)"),
        ("outside any request", "(use `Store::run`)"),
        ("a second, incompatible version", "(see `cargo tree -d`)"),
    ] {
        assert!(no_context.find(cause).is_some_and(|at| no_context[at..].contains(fix)), "{cause}: {no_context}");
    }
    let missing = context(1).try_get::<String>().unwrap_err().to_string();
    for part in ["no `alloc::string::String`", "setup", "nothing has set it", "another type", "Nesting::Inherit"] {
        assert!(missing.contains(part), "{missing}");
    }
    assert_eq!(http::StatusCode::from(ContextError::NoContext), 500);
}

#[test]
fn expect_panics_with_the_error() {
    let panic = catch_unwind(|| context(1).sync_scope(RequestContext::expect::<u8>)).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("no `u8` in the request context"));
    assert_eq!(context(1).sync_scope(RequestContext::expect::<User>), User(1));
}

#[test]
fn panics_name_the_caller() {
    assert_eq!(panic_file(|| _ = RequestContext::expect::<u8>()), file!());
    assert_eq!(panic_file(|| drop(RequestContext::spawn(async {}))), file!());
    assert_eq!(panic_file(|| drop(RequestContext::spawn_blocking(|| ()))), file!());
}

#[test]
fn store_converts_into_a_context() {
    let context = RequestContext::from(Store::new().with_value(User(1)));
    assert_eq!(context.get(), Some(User(1)));
}

#[test]
fn handles_and_wrappers_are_send_sync_and_unpin() {
    fn handle<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe + Clone + 'static>() {}
    fn wrapper<T: Send + Sync + Unpin>() {}

    handle::<RequestContext>();
    handle::<WeakRequestContext>();
    wrapper::<Store>();
    wrapper::<Scoped<String>>();
    wrapper::<tower_request_context::ResponseBody<String, Vec<u8>>>();
    wrapper::<tower_request_context::future::ResponseFuture<std::future::Ready<()>, String>>();
    assert_eq!(size_of::<Option<RequestContext>>(), size_of::<usize>());
}
