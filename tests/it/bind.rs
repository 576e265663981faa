//! `RequestContext::bind`: closures that run elsewhere, in the context that was current when they were bound.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

use rayon::ThreadPoolBuilder;
use tokio::task::JoinSet;
use tower_request_context::{RequestContext, Store};

use crate::{
    recorder::{Recorder, recorder},
    support::User,
};

fn context(id: u32) -> RequestContext {
    RequestContext::new(Store::new().with_value(User(id)))
}

/// Returns a closure bound to the context of user 1. It reports its call, and the drop of the value that it owns.
fn reporting_closure(recorder: &Recorder) -> impl FnOnce() + Send + use<> {
    let (recorder, owned) = (recorder.clone(), recorder.drop_of("dropped"));
    let closure = move || {
        let _owned = owned;
        recorder.saw("called");
    };
    context(1).sync_scope(|| RequestContext::bind(closure))
}

const REPORTS_OF_A_CALL: [&str; 2] = ["called: user 1", "dropped: user 1"];

#[test]
fn runs_in_its_context_on_another_thread() {
    let (recorder, mut reports) = recorder();
    thread::spawn(reporting_closure(&recorder)).join().unwrap();
    assert_eq!(reports.so_far(), REPORTS_OF_A_CALL);
}

#[test]
fn runs_in_its_context_on_a_rayon_thread() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (recorder, mut reports) = recorder();
    let (sender, done) = mpsc::channel();
    pool.spawn(reporting_closure(&recorder));
    pool.spawn({
        let recorder = recorder.clone();
        move || recorder.saw("bare")
    });
    pool.spawn(move || sender.send(()).unwrap());
    done.recv().unwrap();
    assert_eq!(reports.so_far(), ["called: user 1", "dropped: user 1", "bare: nobody"]);
}

#[tokio::test]
async fn runs_in_its_context_in_a_join_set() {
    let mut tasks = JoinSet::new();
    for id in 1..=20 {
        context(id).sync_scope(|| tasks.spawn_blocking(RequestContext::bind(User::name)));
    }
    let mut users = tasks.join_all().await;
    users.sort_by_key(|user| (user.len(), user.clone()));
    assert_eq!(users, (1..=20).map(|id| format!("user {id}")).collect::<Vec<_>>());
}

#[test]
fn uncalled_closure_is_dropped_in_its_context() {
    let (recorder, mut reports) = recorder();
    let bound = reporting_closure(&recorder);
    thread::spawn(|| context(2).sync_scope(|| drop(bound))).join().unwrap();
    assert_eq!(reports.so_far(), ["dropped: user 1"]);
}

#[test]
fn restores_the_context_of_the_caller() {
    let bound = context(1).sync_scope(|| RequestContext::bind(User::name));
    let users = context(2).sync_scope(|| (bound(), User::name()));
    assert_eq!(users, ("user 1".into(), "user 2".into()));
}

#[test]
fn panic_restores_the_context_of_the_caller() {
    let (recorder, mut reports) = recorder();
    let owned = recorder.drop_of("dropped");
    let bound = context(1).sync_scope(|| {
        RequestContext::bind(move || {
            let _owned = owned;
            panic!("as {}", User::name())
        })
    });
    context(2).sync_scope(|| {
        let panic = catch_unwind(AssertUnwindSafe(bound)).unwrap_err();
        assert_eq!(*panic.downcast::<String>().unwrap(), "as user 1");
        assert_eq!(User::name(), "user 2");
    });
    assert_eq!(reports.so_far(), ["dropped: user 1"]);
}

/// Entering the context panics because of an `on_enter` closure.
#[test]
fn closure_is_dropped_in_its_context_if_entering_panics() {
    let (recorder, mut reports) = recorder();
    let mut store = Store::new().with_value(User(1));
    let panics = Arc::new(AtomicBool::new(false));
    let switch = Arc::clone(&panics);
    store.on_enter(move || assert!(!switch.load(Ordering::Relaxed), "on entry"));
    let owned = recorder.drop_of("dropped");
    let bound = RequestContext::new(store).sync_scope(|| RequestContext::bind(move || drop(owned)));
    panics.store(true, Ordering::Relaxed);
    assert!(catch_unwind(AssertUnwindSafe(bound)).is_err());
    assert_eq!(reports.so_far(), ["dropped: user 1"]);
}

#[test]
fn closure_bound_outside_any_context_runs_outside() {
    let bound = RequestContext::bind(RequestContext::is_active);
    assert!(!context(2).sync_scope(bound));
}

#[test]
fn returns_the_output_and_is_send_if_the_closure_is() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }

    let text = String::from("moved in");
    assert_eq!(assert_send(RequestContext::bind(move || text))(), "moved in");
    let local = std::rc::Rc::new(7);
    assert_eq!(*RequestContext::bind(move || local)(), 7);
}
