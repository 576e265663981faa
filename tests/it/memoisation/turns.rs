//! Who makes a value that many ask for at once, and who comes next when nothing came of it.

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

type Made = Result<u8, &'static str>;

/// A caller that is polled by hand, whose initialiser makes what it is told to when it is told; it panics when nobody
/// can tell it any more.
struct Caller<'a> {
    tell: Option<oneshot::Sender<Made>>,
    call: Spawn<Pin<Box<dyn Future<Output = Made> + 'a>>>,
}

impl<'a> Caller<'a> {
    fn new(store: &'a Store) -> Self {
        let (tell, told) = oneshot::channel();
        let call = store.get_or_try_init(async move || told.await.expect("nobody tells what to make"));
        Self { tell: Some(tell), call: task::spawn(Box::pin(call)) }
    }

    /// One that has found that it has to wait, for its initialiser or for another's.
    fn waiting(store: &'a Store) -> Self {
        let mut caller = Self::new(store);
        assert!(caller.poll().is_pending());
        caller
    }

    fn poll(&mut self) -> Poll<Made> {
        self.call.poll()
    }

    /// Has its own initialiser make something.
    fn make(&mut self, made: Made) -> Poll<Made> {
        self.tell.take().unwrap().send(made).expect("the initialiser is gone");
        self.poll()
    }

    /// What it returns without being told what to make.
    fn result(mut self) -> Poll<Made> {
        assert!(self.call.is_woken());
        self.poll()
    }
}

#[test]
fn a_hundred_callers_wait_for_one_initialiser() {
    let store = Store::new();
    let mut maker = Caller::waiting(&store);
    let others: Vec<_> = (1..100).map(|_| Caller::waiting(&store)).collect();
    assert_eq!(maker.make(Ok(7)), Poll::Ready(Ok(7)));
    for other in others {
        assert_eq!(other.result(), Poll::Ready(Ok(7)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_hundred_tasks_that_all_wait_have_one_initialiser_run() {
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
async fn however_callers_meet_one_initialiser_runs() {
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
fn after_an_error_the_next_makes_the_value_with_its_own_initialiser() {
    let store = Store::new();
    let [mut one, mut two, mut three] = [(); 3].map(|()| Caller::waiting(&store));
    assert_eq!(one.make(Err("no")), Poll::Ready(Err("no")));
    assert!(two.poll().is_pending() && three.poll().is_pending());
    assert_eq!(store.get::<u8>(), None);
    assert_eq!(two.make(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
}

#[test]
fn when_the_initialiser_is_cancelled_the_next_makes_the_value() {
    let store = Store::new();
    let [one, mut two, three] = [(); 3].map(|()| Caller::waiting(&store));
    drop(one);
    assert!(two.poll().is_pending());
    assert_eq!(two.make(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
}

#[test]
fn when_the_initialiser_panics_the_next_makes_the_value() {
    let store = Store::new();
    let [mut one, mut two, three] = [(); 3].map(|()| Caller::waiting(&store));
    drop(one.tell.take());
    assert!(catch_unwind(AssertUnwindSafe(|| one.poll())).is_err());
    assert!(two.poll().is_pending());
    assert_eq!(two.make(Ok(2)), Poll::Ready(Ok(2)));
    assert_eq!(three.result(), Poll::Ready(Ok(2)));
    drop(one);
}

#[test]
fn callers_that_give_up_waiting_leave_the_others() {
    let store = Store::new();
    let [mut one, two, mut three, four, five] = [(); 5].map(|()| Caller::waiting(&store));
    drop(two);
    assert_eq!(one.make(Err("no")), Poll::Ready(Err("no")));
    assert!(three.poll().is_pending());
    drop(four);
    assert_eq!(three.make(Ok(3)), Poll::Ready(Ok(3)));
    assert_eq!(five.result(), Poll::Ready(Ok(3)));
}

// As one does that a `select!` has left behind, or that sits in a stream which nobody asks for more.
#[test]
fn a_caller_that_nobody_polls_holds_up_no_other() {
    let store = Store::new();
    let [mut one, two, mut three, four] = [(); 4].map(|()| Caller::waiting(&store));
    assert_eq!(one.make(Err("no")), Poll::Ready(Err("no")));
    assert!(three.poll().is_pending());
    assert_eq!(three.make(Ok(3)), Poll::Ready(Ok(3)));
    assert_eq!(four.result(), Poll::Ready(Ok(3)));
    assert_eq!(two.result(), Poll::Ready(Ok(3)));
}

#[test]
fn a_value_that_is_set_meanwhile_wins_over_the_one_that_is_made() {
    let store = Store::new();
    let [mut one, two] = [(); 2].map(|()| Caller::waiting(&store));
    store.set(1_u8);
    assert_eq!(Caller::new(&store).poll(), Poll::Ready(Ok(1)));
    assert_eq!(one.make(Ok(2)), Poll::Ready(Ok(1)));
    assert_eq!(two.result(), Poll::Ready(Ok(1)));
    assert_eq!(store.get::<u8>(), Some(1));
}
