//! `Store::on_enter`: other libraries' guards are active wherever the context is current. See also `availability`.

use std::{
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, panic_any},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use futures_util::{FutureExt, StreamExt, future, poll, stream};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Bytes;
use tower::{Layer, Service, service_fn};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use crate::{
    callbacks::read,
    recorder::recorder,
    support::{User, in_time},
};

thread_local! {
    /// The guards entered on this thread, outermost first. It stands for the thread-local of another library.
    static ENTERED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn entered() -> Vec<&'static str> {
    ENTERED.with_borrow(Clone::clone)
}

/// A guard of such a library. Guards have to be dropped in reverse order.
struct Guard(&'static str);

impl Guard {
    fn enter(name: &'static str) -> Self {
        ENTERED.with_borrow_mut(|entered| entered.push(name));
        Self(name)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        assert_eq!(ENTERED.with_borrow_mut(Vec::pop), Some(self.0), "guards are dropped in reverse");
    }
}

fn store(user: u32, names: &[&'static str]) -> Store {
    let mut store = Store::new().with_value(User(user));
    for name in names.iter().copied() {
        store.on_enter(move || Guard::enter(name));
    }
    store
}

fn context(names: &[&'static str]) -> RequestContext {
    RequestContext::new(store(1, names))
}

/// Creates a layer whose setup registers a closure for each name.
fn layer(
    names: &'static [&'static str],
) -> RequestContextLayer<impl Fn(&mut Store, &mut http::request::Parts) + Clone> {
    RequestContextLayer::new(move |opened: &mut Store, _: &mut _| *opened = store(1, names))
}

const NOTHING: [&str; 0] = [];

#[test]
fn closures_run_in_order_and_guards_are_dropped_in_reverse() {
    let context = context(&["one", "two", "three"]);
    for _ in 0..2 {
        assert_eq!(context.sync_scope(entered), ["one", "two", "three"]);
        assert_eq!(entered(), NOTHING);
    }
}

#[test]
fn closures_and_guard_drops_run_in_the_context() {
    let (recorder, mut reports) = recorder();
    let mut store = Store::new().with_value(User(1));
    let seen = recorder.clone();
    store.on_enter(move || {
        seen.saw("entered");
        seen.drop_of("guard dropped")
    });
    RequestContext::new(store).sync_scope(|| recorder.saw("inside"));
    assert_eq!(reports.so_far(), ["entered: user 1", "inside: user 1", "guard dropped: user 1"]);
}

#[test]
fn a_child_runs_the_closures_of_its_parents_first() {
    let parent = context(&["parent", "parent too"]);
    let child = parent.child(store(2, &["child"]));
    let grandchild = child.child(Store::new());
    let last = grandchild.child(store(3, &["last"]));
    assert_eq!(grandchild.sync_scope(entered), ["parent", "parent too", "child"]);
    assert_eq!(last.sync_scope(entered), ["parent", "parent too", "child", "last"]);
    let nested = parent.sync_scope(|| (entered(), child.sync_scope(entered), entered()));
    let outer = vec!["parent", "parent too"];
    assert_eq!(nested, (outer.clone(), [&outer[..], &outer, &["child"]].concat(), outer));
}

#[test]
fn entering_the_current_context_skips_its_closures() {
    let context = context(&["one"]);
    let other = RequestContext::new(store(2, &["two"]));
    context.sync_scope(|| {
        assert_eq!(context.sync_scope(entered), ["one"]);
        assert_eq!(other.sync_scope(|| context.sync_scope(entered)), ["one", "two", "one"]);
        assert_eq!(RequestContext::sync_exit(|| context.sync_scope(entered)), ["one", "one"]);
        assert_eq!(RequestContext::with(|_: &User| context.sync_scope(entered)), Some(vec!["one"]));
    });
    assert_eq!(entered(), NOTHING);
}

#[test]
fn exit_keeps_the_guards_of_other_libraries() {
    context(&["one"]).sync_scope(|| {
        assert_eq!(RequestContext::sync_exit(|| (User::name(), entered())), (String::from("nobody"), vec!["one"]));
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guards_are_entered_wherever_the_context_is_propagated() {
    let seen = context(&["one", "two"])
        .scope(async {
            let bound = RequestContext::bind(entered);
            let mut carried = Box::pin(RequestContext::carry(future::lazy(|_| entered())));
            let outside = Box::pin(RequestContext::exit(async {}));
            outside.await;
            vec![
                entered(),
                RequestContext::spawn(async { entered() }).await.unwrap(),
                RequestContext::spawn_blocking(entered).await.unwrap(),
                thread::spawn(bound).join().unwrap(),
                tokio::spawn(async move { carried.as_mut().await }).await.unwrap(),
                tokio::spawn(RequestContext::current().unwrap().child(Store::new()).scope(async { entered() }))
                    .await
                    .unwrap(),
            ]
        })
        .await;
    assert_eq!(seen, vec![vec!["one", "two"]; 6]);
    assert_eq!(entered(), NOTHING);
    let bare = context(&["one"]).scope(async { tokio::spawn(async { entered() }).await.unwrap() }).await;
    assert_eq!(bare, NOTHING);
}

#[tokio::test]
async fn run_inherits_closures_at_its_first_poll() {
    let job = store(2, &["job", "job too"]).run(async { entered() });
    assert_eq!(context(&["request"]).scope(job).await, ["request", "request", "job", "job too"]);
    let job = context(&["request"]).sync_scope(|| store(2, &["job"]).run(async { entered() }));
    assert_eq!(job.await, ["job"]);
}

/// Returns the guards that are active below two nested layers.
async fn nested(nesting: Nesting) -> Vec<&'static str> {
    let inner = service_fn(async |_: Request<()>| Ok::<_, &str>(Response::new(entered().join(" "))));
    let mut service = layer(&["outer"]).layer(layer(&["inner"]).nesting(nesting).layer(inner));
    let text = read(service.call(Request::new(())).await.unwrap());
    text.split(' ').map(|name| ["outer", "inner"].into_iter().find(|known| *known == name).unwrap()).collect()
}

#[tokio::test]
async fn inner_layer_adds_its_closures_unless_it_reuses() {
    assert_eq!(nested(Nesting::Override).await, ["outer", "inner"]);
    assert_eq!(nested(Nesting::Inherit).await, ["outer", "outer", "inner"]);
    assert_eq!(nested(Nesting::Reuse).await, ["outer"]);
}

/// Creates a store with three closures. The second panics while the switch is on.
fn panicking(switch: &Arc<AtomicBool>) -> Store {
    let mut store = store(1, &["one"]);
    let panics = Arc::clone(switch);
    store.on_enter(move || {
        assert!(!panics.load(Ordering::Relaxed), "on entry");
        Guard::enter("two")
    });
    store.on_enter(|| Guard::enter("three"));
    store
}

#[test]
fn panic_in_a_closure_drops_earlier_guards_and_propagates() {
    let context = RequestContext::new(panicking(&Arc::new(AtomicBool::new(true))));
    RequestContext::new(store(2, &["outer"])).sync_scope(|| {
        let panic =
            catch_unwind(AssertUnwindSafe(|| context.sync_scope(|| unreachable!("the context was not entered"))));
        assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "on entry");
        assert_eq!((User::name(), entered()), (String::from("user 2"), vec!["outer"]));
    });
    assert_eq!(entered(), NOTHING);
}

/// The inner future is still dropped in the context, and guards that were entered are dropped.
#[test]
fn panic_in_a_closure_during_a_drop_is_caught() {
    let (recorder, mut reports) = recorder();
    let switch = Arc::new(AtomicBool::new(false));
    let context = RequestContext::new(panicking(&switch));
    let held = recorder.drop_of("dropped");
    let scoped = context.scope(async move {
        let _held = (held, DropsEntered(vec!["one", "three"]));
        future::pending::<()>().await;
    });
    let mut scoped = Box::pin(scoped);
    assert!(scoped.as_mut().now_or_never().is_none());
    switch.store(true, Ordering::Relaxed);
    drop(scoped);
    assert_eq!(reports.so_far(), ["dropped: user 1"]);
    assert_eq!(entered(), NOTHING);
}

/// Asserts in its drop that exactly these guards are active.
struct DropsEntered(Vec<&'static str>);

impl Drop for DropsEntered {
    fn drop(&mut self) {
        assert_eq!(entered(), self.0);
    }
}

#[test]
fn panic_in_a_guard_drop_does_not_skip_other_guards() {
    struct PanicsInDrop(#[expect(dead_code, reason = "dropped after this")] Guard);

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic_any("in the drop of a guard");
        }
    }

    let mut store = store(1, &["one"]);
    store.on_enter(|| PanicsInDrop(Guard::enter("two")));
    store.on_enter(|| Guard::enter("three"));
    let context = RequestContext::new(store);
    assert_eq!(context.sync_scope(entered), ["one", "two", "three"]);
    assert_eq!((User::name(), entered()), (String::from("nobody"), vec![]));
    // The same holds while another panic unwinds.
    let panic = catch_unwind(AssertUnwindSafe(|| context.sync_scope(|| panic_any("inside"))));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "inside");
    assert_eq!((User::name(), entered()), (String::from("nobody"), vec![]));
}

/// Serves a request whose closures start to panic at the given step, and returns the reports.
fn panics_from(step: usize) -> Vec<String> {
    let (recorder, mut reports) = recorder();
    let switch = Arc::new(AtomicBool::new(step == 0));
    let (panics, ends) = (Arc::clone(&switch), recorder.clone());
    let layer = RequestContextLayer::new(move |opened: &mut Store, _: &mut _| {
        *opened = panicking(&panics);
        opened.on_end(ends.end_of("end"));
    });
    let body = recorder.clone();
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let held = body.drop_of("body dropped");
        let frames = stream::iter(["one", "two"]).map(move |data| {
            let _held = &held;
            Ok::<_, &str>(Frame::data(Bytes::from(data)))
        });
        let mut response = Some(Response::new(StreamBody::new(frames)));
        future::poll_fn(move |_| std::task::Poll::Ready(Ok::<_, &str>(response.take().unwrap())))
    }));
    let steps = catch_unwind(AssertUnwindSafe(|| {
        let future = Box::pin(service.call(Request::new(())));
        switch.fetch_or(step == 1, Ordering::Relaxed);
        let mut response = future.now_or_never().unwrap().unwrap();
        switch.fetch_or(step == 2, Ordering::Relaxed);
        response.frame().now_or_never().unwrap();
        switch.fetch_or(step == 3, Ordering::Relaxed);
    }));
    assert_eq!(steps.is_err(), step < 3, "step {step}");
    assert_eq!((User::name(), entered()), (String::from("nobody"), vec![]));
    reports.so_far()
}

#[test]
fn panic_in_a_closure_ends_the_request() {
    assert_eq!(panics_from(0), ["end Panicked: user 1"], "call");
    assert_eq!(panics_from(1), ["body dropped: user 1", "end Panicked: user 1"], "poll");
    assert_eq!(panics_from(2), ["body dropped: user 1", "end Panicked: user 1"], "frame");
    assert_eq!(panics_from(3), ["body dropped: user 1", "end Cancelled: user 1"], "drop");
}

/// The entry for the `on_response` callbacks: the response and the callbacks are dropped in the context. A panic in the
/// drop of one callback goes no further.
#[test]
fn panic_in_a_closure_drops_the_response_in_its_context() {
    struct PanicsInDrop;

    impl Drop for PanicsInDrop {
        fn drop(&mut self) {
            panic_any("in the drop of a callback");
        }
    }

    let (recorder, mut reports) = recorder();
    let switch = Arc::new(AtomicBool::new(false));
    let (panics, callbacks) = (Arc::clone(&switch), recorder.clone());
    let layer = RequestContextLayer::new(move |opened: &mut Store, _: &mut _| {
        *opened = panicking(&panics);
        let panics_in_drop = PanicsInDrop;
        opened.on_response(move |_| drop(panics_in_drop));
        let held = callbacks.drop_of("callback dropped");
        opened.on_response(move |_| drop(held));
        opened.on_end(callbacks.end_of("end"));
    });
    let mut service = layer.layer(service_fn(move |_: Request<()>| {
        let held = recorder.drop_of("body dropped");
        let frames = stream::poll_fn(move |_| {
            let _held = &held;
            std::task::Poll::Ready(None::<Result<Frame<Bytes>, &str>>)
        });
        let switch = Arc::clone(&switch);
        async move {
            switch.store(true, Ordering::Relaxed);
            Ok::<_, &str>(Response::new(StreamBody::new(frames)))
        }
    }));
    let future = Box::pin(service.call(Request::new(())));
    assert!(catch_unwind(AssertUnwindSafe(|| future.now_or_never())).is_err());
    assert_eq!(reports.so_far(), ["body dropped: user 1", "callback dropped: user 1", "end Panicked: user 1"]);
}

#[test]
fn closures_may_read_the_context_and_enter_scopes() {
    let mut store = store(1, &[]);
    store.on_enter(|| {
        let current = RequestContext::current().unwrap();
        assert_eq!(current.sync_scope(User::name), "user 1");
        assert_eq!(current.child(Store::new().with_value(User(2))).sync_scope(|| 1), 1);
        RequestContext::sync_exit(|| assert!(!RequestContext::is_active()));
        RequestContext::set(User::name()).unwrap();
        drop(current.scope(DropsEntered(Vec::new())));
    });
    let result =
        catch_unwind(AssertUnwindSafe(|| RequestContext::new(store).sync_scope(RequestContext::get::<String>)));
    assert!(result.is_ok());
}

#[test]
fn closures_are_dropped_outside_any_context() {
    let (recorder, mut reports) = recorder();
    let held = |what| {
        let held = recorder.drop_of(what);
        move || {
            let _ = &held;
        }
    };
    let mut store = store(1, &[]);
    store.on_enter(held("first"));
    store.on_enter(held("second"));
    let parent = RequestContext::new(store);
    let mut own = Store::new();
    own.on_enter(held("of the child"));
    let child = parent.child(own);
    drop(parent);
    assert_eq!(reports.so_far(), NOTHING);
    RequestContext::new(Store::new().with_value(User(9))).sync_scope(|| drop(child));
    assert_eq!(reports.so_far(), ["of the child: nobody", "second: nobody", "first: nobody"]);
}

#[test]
fn nested_closures_do_not_overflow_the_stack() {
    let mut context = context(&[]);
    let count = Arc::new(());
    for _ in 0..100_000 {
        let mut store = Store::new();
        let count = Arc::clone(&count);
        store.on_enter(move || Arc::clone(&count));
        context = context.child(store);
    }
    assert_eq!(context.sync_scope(|| Arc::strong_count(&count)), 200_001);
    drop(context);
    assert_eq!(Arc::strong_count(&count), 1);
}

#[test]
fn panic_in_a_closure_at_thread_exit_is_caught() {
    struct Parked(Option<Box<dyn std::any::Any>>);

    impl Drop for Parked {
        fn drop(&mut self) {
            drop(self.0.take());
        }
    }

    thread_local! {
        static PARKED: RefCell<Parked> = const { RefCell::new(Parked(None)) };
        /// The thread-local of another library.
        static LIBRARY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }

    let (recorder, mut reports) = recorder();
    thread::spawn(move || {
        let mut store = store(1, &[]);
        store.on_enter(|| LIBRARY.with_borrow_mut(|entered| entered.push(1)));
        let held = recorder.drop_of("dropped");
        let body = RequestContext::new(store).scope(held);
        // Destructors run in the reverse order of the first accesses: the library's first, so that the closure panics.
        PARKED.with_borrow_mut(|parked| parked.0 = Some(Box::new(body)));
        LIBRARY.with_borrow_mut(Vec::clear);
    })
    .join()
    .unwrap();
    assert_eq!(reports.so_far(), ["dropped: user 1"]);
}

#[tokio::test]
async fn each_poll_enters_and_leaves() {
    let mut work = Box::pin(context(&["one"]).scope(async {
        assert_eq!(entered(), ["one"]);
        tokio::task::yield_now().await;
        assert_eq!(entered(), ["one"]);
    }));
    assert!(poll!(&mut work).is_pending());
    assert_eq!(entered(), NOTHING);
    in_time(work).await;
    assert_eq!(entered(), NOTHING);
}
