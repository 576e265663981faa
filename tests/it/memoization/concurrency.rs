//! Concurrent calls of `get_or_init`: which initializer runs, and which one runs next if it fails.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
};

use futures_util::{future::join_all, poll};
use tokio::{
    sync::{Notify, oneshot},
    task::yield_now,
};
use tokio_test::task::{self, Spawn};
use tower_request_context::{RequestContext, Store};

use crate::support::in_time;

type InitResult = Result<u8, &'static str>;

/// A caller that is polled by hand. Its initializer waits for a result from `result_sender`, and panics if that is
/// dropped.
struct Caller<'a> {
    result_sender: Option<oneshot::Sender<InitResult>>,
    call: Spawn<Pin<Box<dyn Future<Output = InitResult> + 'a>>>,
}

impl<'a> Caller<'a> {
    fn new(store: &'a Store) -> Self {
        let (result_sender, receiver) = oneshot::channel();
        let call = store.get_or_try_init(async move || receiver.await.expect("the sender was dropped"));
        Self { result_sender: Some(result_sender), call: task::spawn(Box::pin(call)) }
    }

    /// Creates a caller that waits for its own initializer or for that of another caller.
    fn waiting(store: &'a Store) -> Self {
        let mut caller = Self::new(store);
        assert!(caller.poll().is_pending());
        caller
    }

    fn poll(&mut self) -> Poll<InitResult> {
        self.call.poll()
    }

    /// Completes its own initializer and polls.
    fn complete(&mut self, made: InitResult) -> Poll<InitResult> {
        self.result_sender.take().unwrap().send(made).expect("the initializer is gone");
        self.poll()
    }

    /// Polls once it is woken, without completing its own initializer.
    fn result(mut self) -> Poll<InitResult> {
        assert!(self.call.is_woken());
        self.poll()
    }
}

#[test]
fn hundred_callers_wait_for_one_initializer() {
    let store = Store::new();
    let mut maker = Caller::waiting(&store);
    let others: Vec<_> = (1..100).map(|_| Caller::waiting(&store)).collect();
    assert_eq!(maker.complete(Ok(7)), Poll::Ready(Ok(7)));
    for other in others {
        assert_eq!(other.result(), Poll::Ready(Ok(7)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hundred_tasks_run_one_initializer() {
    let all_wait = Arc::new(Notify::new());
    let (made, waiting) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let context = RequestContext::new(Store::new());
    let call = || {
        let (all_wait, made, waiting) = (Arc::clone(&all_wait), Arc::clone(&made), Arc::clone(&waiting));
        async move {
            let mut call = pin!(RequestContext::get_or_init(async || {
                made.fetch_add(1, Ordering::SeqCst);
                all_wait.notified().await;
                7_u8
            }));
            assert!(poll!(call.as_mut()).is_pending());
            if waiting.fetch_add(1, Ordering::SeqCst) == 99 {
                all_wait.notify_one();
            }
            call.await
        }
    };
    let tasks: Vec<_> = (0..100).map(|_| tokio::spawn(context.scope(call()))).collect();
    for value in in_time(join_all(tasks)).await {
        assert_eq!(value.unwrap(), 7);
    }
    assert_eq!(made.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_callers_run_one_initializer() {
    for round in 0..200 {
        let made = Arc::new(AtomicUsize::new(0));
        let context = RequestContext::new(Store::new());
        let call = |caller: usize| {
            let made = Arc::clone(&made);
            RequestContext::get_or_init(async move || {
                made.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                caller
            })
        };
        let tasks: Vec<_> = (0..8).map(|caller| tokio::spawn(context.scope(call(caller)))).collect();
        let values: Vec<_> = in_time(join_all(tasks)).await.into_iter().map(Result::unwrap).collect();
        assert_eq!(made.load(Ordering::SeqCst), 1, "round {round}");
        assert!(values.iter().all(|value| Some(*value) == context.get()), "round {round}: {values:?}");
    }
}

#[test]
fn next_initializer_runs_after_an_error() {
    let store = Store::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| Caller::waiting(&store));
    assert_eq!(one.complete(Err("no")), Poll::Ready(Err("no")));
    assert!(two.poll().is_pending() && three.poll().is_pending());
    assert_eq!(store.get::<u8>(), None);
    assert_eq!(two.complete(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
}

#[test]
fn next_initializer_runs_after_a_cancellation() {
    let store = Store::new();
    let [one, mut two, three] = [(); 3].map(|()| Caller::waiting(&store));
    drop(one);
    assert!(two.poll().is_pending());
    assert_eq!(two.complete(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
}

#[test]
fn next_initializer_runs_after_a_panic() {
    let store = Store::new();
    let [mut one, mut two, three] = [(); 3].map(|()| Caller::waiting(&store));
    drop(one.result_sender.take());
    assert!(catch_unwind(AssertUnwindSafe(|| one.poll())).is_err());
    assert!(two.poll().is_pending());
    assert_eq!(two.complete(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
    drop(one);
}

#[test]
fn cancelled_waiters_do_not_affect_others() {
    let store = Store::new();
    let [mut one, two, mut three, four, five] = [(); 5].map(|()| Caller::waiting(&store));
    drop(two);
    assert_eq!(one.complete(Err("no")), Poll::Ready(Err("no")));
    assert!(three.poll().is_pending());
    drop(four);
    assert_eq!(three.complete(Ok(3)), Poll::Ready(Ok(3)));
    assert_eq!(five.result(), Poll::Ready(Ok(3)));
}

// For example a caller in a `select!` branch that lost, or in a stream that is no longer polled.
#[test]
fn unpolled_waiter_does_not_block_others() {
    let store = Store::new();
    let [mut one, two, mut three, four] = [(); 4].map(|()| Caller::waiting(&store));
    assert_eq!(one.complete(Err("no")), Poll::Ready(Err("no")));
    assert!(three.poll().is_pending());
    assert_eq!(three.complete(Ok(3)), Poll::Ready(Ok(3)));
    assert_eq!(four.result(), Poll::Ready(Ok(3)));
    assert_eq!(two.result(), Poll::Ready(Ok(3)));
}

#[test]
fn value_set_during_initialization_is_returned() {
    let store = Store::new();
    let [mut one, two] = [(); 2].map(|()| Caller::waiting(&store));
    store.set(1_u8);
    assert_eq!(Caller::new(&store).poll(), Poll::Ready(Ok(1)));
    assert_eq!(one.complete(Ok(2)), Poll::Ready(Ok(1)));
    assert_eq!(two.result(), Poll::Ready(Ok(1)));
    assert_eq!(store.get::<u8>(), Some(1));
}
