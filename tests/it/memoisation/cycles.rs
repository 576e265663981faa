//! A value that is to be made of itself: a panic that says so, and not a hang.

use std::{
    panic::AssertUnwindSafe,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::{FutureExt, StreamExt, join, poll, stream::FuturesUnordered};
use tokio::{
    runtime::Handle,
    sync::{Barrier, oneshot, watch},
    task::{LocalSet, block_in_place, yield_now},
    time::timeout,
};
use tokio_test::{assert_pending, assert_ready_eq, task};
use tower_request_context::{RequestContext, Store};

use super::never;
use crate::support::in_time;

/// Runs in a context what must panic because of a value of type `T`, and makes that value afterwards all the same.
async fn assert_reported<T>(work: impl Future, afterwards: T)
where
    T: Clone + Send + Sync + 'static,
{
    let context = RequestContext::new(Store::new());
    assert_reports::<T>(&panic_of(context.scope(work)).await);
    in_time(context.get_or_init(async || afterwards)).await;
    assert!(context.contains::<T>());
}

async fn panic_of(work: impl Future) -> String {
    let panic = in_time(AssertUnwindSafe(work).catch_unwind()).await.err().expect("it was not reported");
    *panic.downcast().unwrap()
}

fn assert_reports<T>(text: &str) {
    let name = std::any::type_name::<T>();
    let start = format!("the initialiser of `{name}` waits for the `{name}` that it is to make");
    assert!(text.starts_with(&start), "{text}");
}

fn low(word: u16) -> u8 {
    word.to_le_bytes()[0]
}

#[tokio::test]
async fn an_initialiser_that_asks_for_its_own_value_is_reported() {
    let work = RequestContext::get_or_init(async || RequestContext::get_or_init(never::<u8>).await);
    assert_reported(work, 1_u8).await;
}

#[tokio::test]
async fn an_initialiser_that_may_fail_is_reported_too() {
    let again = async || RequestContext::get_or_try_init(async || Err::<u8, _>("no")).await;
    assert_reported(RequestContext::get_or_try_init(again), 1_u8).await;
}

#[tokio::test]
async fn one_that_asks_through_the_initialiser_of_another_type_is_reported() {
    let other = async || RequestContext::get_or_init(never::<u8>).await.into();
    let work = RequestContext::get_or_init(async || low(RequestContext::get_or_init(other).await));
    assert_reported(work, 1_u8).await;
}

#[tokio::test]
async fn one_that_asks_beside_other_work_is_reported() {
    let work = RequestContext::get_or_init(async || {
        let (word, byte) = join!(RequestContext::get_or_init(async || 1_u16), RequestContext::get_or_init(never::<u8>));
        byte + low(word)
    });
    assert_reported(work, 1_u8).await;
}

#[tokio::test]
async fn one_that_asks_from_within_another_context_is_reported() {
    let (one, two) = (RequestContext::new(Store::new()), RequestContext::new(Store::new()));
    let work = one.get_or_init(async || two.scope(async { one.get_or_init(never::<u8>).await }).await);
    assert_reports::<u8>(&panic_of(work).await);
    let byte = one.get_or_init(async || two.scope(RequestContext::get_or_init(async || 1_u8)).await);
    assert_eq!(in_time(byte).await, 1);
}

#[tokio::test]
async fn one_that_awaits_a_call_which_began_outside_of_it_is_reported() {
    let store = Store::new();
    let (sender, receiver) = oneshot::channel::<Pin<Box<dyn Future<Output = u8> + '_>>>();
    let mut work = task::spawn(store.get_or_init(async || receiver.await.expect("it is sent").await));
    assert!(work.poll().is_pending());
    let mut call = Box::pin(store.get_or_init(never::<u8>));
    assert!(poll!(call.as_mut()).is_pending());
    assert!(sender.send(call).is_ok());
    assert_reports::<u8>(&panic_of(work).await);
}

#[tokio::test]
async fn two_that_wait_for_each_other_are_reported() {
    let both = Barrier::new(2);
    let byte = RequestContext::get_or_init(async || {
        both.wait().await;
        low(RequestContext::get_or_init(never::<u16>).await)
    });
    let word = RequestContext::get_or_init(async || {
        both.wait().await;
        u16::from(RequestContext::get_or_init(never::<u8>).await)
    });
    assert_reported(async { join!(byte, word) }, 1_u16).await;
}

#[tokio::test]
async fn one_that_awaits_itself_beside_other_work_is_reported_after_that() {
    let (sender, receiver) = oneshot::channel();
    let work = RequestContext::get_or_init(async || {
        join!(async { receiver.await.unwrap() }, RequestContext::get_or_init(never::<u8>)).1
    });
    let context = RequestContext::new(Store::new());
    let mut work = task::spawn(AssertUnwindSafe(context.scope(work)).catch_unwind());
    assert_pending!(work.poll());
    sender.send(()).unwrap();
    assert!(work.is_woken());
    assert_reports::<u8>(work.await.unwrap_err().downcast_ref::<String>().unwrap());
}

/// Waits for a value that the caller's initialiser is to make.
async fn wait() -> u8 {
    RequestContext::get_or_init(never::<u8>).await
}

/// Makes a value with an initialiser that polls [`wait`] and returns 7 all the same.
async fn assert_goes_on(initialiser: impl AsyncFnOnce() -> u8) {
    let context = RequestContext::new(Store::new());
    assert_eq!(in_time(context.scope(RequestContext::get_or_init(initialiser))).await, 7);
    assert_eq!(context.get(), Some(7_u8));
}

#[tokio::test]
async fn one_that_races_itself_goes_on() {
    assert_goes_on(async || tokio::select! { biased; byte = wait() => byte, () = yield_now() => 7 }).await;
    assert_goes_on(async || tokio::select! { biased; () = yield_now() => 7, byte = wait() => byte }).await;
    assert_goes_on(async || timeout(Duration::from_millis(1), wait()).await.unwrap_or(7)).await;
    assert_goes_on(async || {
        let elsewhere = tokio::spawn(yield_now());
        tokio::select! { biased; byte = wait() => byte, done = elsewhere => done.map_or(0, |()| 7) }
    })
    .await;
    assert_goes_on(async || {
        let word = async || tokio::select! { biased; byte = wait() => u16::from(byte), () = yield_now() => 7 };
        low(RequestContext::get_or_init(word).await)
    })
    .await;
}

/// Work that something else completes, after a while.
async fn elsewhere() -> u8 {
    tokio::spawn(async {
        yield_now().await;
        7
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn one_that_gave_up_a_wait_goes_on_with_other_work() {
    assert_goes_on(async || match timeout(Duration::from_millis(1), wait()).await {
        Ok(byte) => byte,
        Err(_) => elsewhere().await,
    })
    .await;
    assert_goes_on(async || {
        tokio::select! { biased; byte = wait() => return byte, () = yield_now() => {} }
        elsewhere().await
    })
    .await;
    // Through the initialiser of another type, which is given up in the poll in which it found out that it waits.
    assert_goes_on(async || {
        let word = async || u16::from(wait().await);
        let word = RequestContext::get_or_init(word);
        tokio::select! { biased; word = word => return low(word), () = yield_now() => {} }
        elsewhere().await
    })
    .await;
}

#[tokio::test]
async fn one_that_polls_a_wait_again_and_again_goes_on() {
    assert_goes_on(async || {
        let mut waiting = pin!(wait());
        for _ in 0..3 {
            tokio::select! { biased; byte = &mut waiting => return byte, _ = elsewhere() => {} }
        }
        assert!(poll!(waiting.as_mut()).is_pending() && poll!(waiting.as_mut()).is_pending());
        elsewhere().await
    })
    .await;
}

#[tokio::test]
async fn one_that_polls_its_only_wait_twice_is_reported() {
    let work = RequestContext::get_or_init(async || {
        let mut waiting = pin!(wait());
        assert!(poll!(waiting.as_mut()).is_pending());
        waiting.await
    });
    assert_reported(work, 1_u8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_polls_an_executor_on_which_others_wait_goes_on() {
    assert_goes_on(async || {
        let mut parts = FuturesUnordered::from_iter([wait().boxed_local()]);
        parts.push(yield_now().map(|()| 7).boxed_local());
        parts.next().await.unwrap()
    })
    .await;
    assert_goes_on(async || {
        let tasks = LocalSet::new();
        let waiting = tasks.spawn_local(RequestContext::carry(wait()));
        tasks.run_until(yield_now()).await;
        tasks.run_until(yield_now()).await;
        assert!(!waiting.is_finished());
        7
    })
    .await;
    assert_goes_on(async || {
        block_in_place(|| {
            Handle::current().block_on(async {
                tokio::select! { biased; byte = wait() => byte, () = yield_now() => 7 }
            })
        })
    })
    .await;
}

#[tokio::test]
async fn two_of_which_one_has_something_else_to_wait_for_go_on() {
    let context = RequestContext::new(Store::new());
    let (both, (sender, mut receiver)) = (Barrier::new(2), oneshot::channel());
    let byte = RequestContext::get_or_init(async || {
        both.wait().await;
        low(RequestContext::get_or_init(never::<u16>).await)
    });
    let word = RequestContext::get_or_init(async || {
        both.wait().await;
        tokio::select! { biased; byte = wait() => u16::from(byte), word = &mut receiver => word.unwrap() }
    });
    let mut both = task::spawn(context.scope(async { join!(byte, word) }));
    assert_pending!(both.poll());
    assert!(both.is_woken()); // by the barrier
    assert_pending!(both.poll());
    sender.send(7_u16).unwrap();
    assert!(both.is_woken());
    assert_eq!(in_time(both).await, (7, 7));
}

/// Each of three initialisers waits for another, or for what comes in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_tasks_that_race_waits_for_each_other_go_on() {
    type Shared = (Arc<Barrier>, watch::Receiver<bool>);

    async fn race<T, U>((all, mut come): Shared, value: T) -> T
    where
        T: Clone + Send + Sync + 'static,
        U: Clone + Send + Sync + 'static,
    {
        let initialise = async || {
            all.wait().await;
            tokio::select! {
                _ = RequestContext::get_or_init(never::<U>) => {}
                come = come.wait_for(|come| *come) => assert!(come.is_ok()),
            }
            value
        };
        RequestContext::get_or_init(initialise).await
    }

    for round in 0..200 {
        let context = RequestContext::new(Store::new());
        let all = Arc::new(Barrier::new(4));
        let (sender, come) = watch::channel(false);
        let shared = || (Arc::clone(&all), come.clone());
        let tasks = (
            tokio::spawn(context.scope(race::<u8, u16>(shared(), 1))),
            tokio::spawn(context.scope(race::<u16, u32>(shared(), 2))),
            tokio::spawn(context.scope(race::<u32, u8>(shared(), 3))),
        );
        all.wait().await;
        if round % 2 == 0 {
            yield_now().await;
        }
        sender.send(true).unwrap();
        let (byte, word, long) = in_time(async { join!(tasks.0, tasks.1, tasks.2) }).await;
        assert_eq!((byte.unwrap(), word.unwrap(), long.unwrap()), (1, 2, 3), "round {round}");
    }
}

// As a `select!` with a deadline does.
#[test]
fn one_that_gave_up_waiting_does_not_count_as_waiting() {
    let store = Store::new();
    let (ask, asked) = oneshot::channel::<()>();
    let (tell, told) = oneshot::channel();
    let mut word = task::spawn(store.get_or_init(async || {
        asked.await.expect("it is asked");
        u16::from(store.get_or_init(never::<u8>).await)
    }));
    assert_pending!(word.poll());
    let mut byte = task::spawn(store.get_or_init(async || {
        assert_eq!(store.get_or_init(never::<u16>).now_or_never(), None);
        told.await.expect("it is told")
    }));
    assert_pending!(byte.poll());
    ask.send(()).unwrap();
    assert_pending!(word.poll());
    tell.send(7_u8).unwrap();
    assert_ready_eq!(byte.poll(), 7);
    assert_ready_eq!(word.poll(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_tasks_that_wait_for_each_other_are_reported() {
    for _ in 0..100 {
        let context = RequestContext::new(Store::new());
        let all = Arc::new(Barrier::new(3));
        let meet = || {
            let all = Arc::clone(&all);
            async move { all.wait().await }
        };
        let (one, two, three) = (meet(), meet(), meet());
        let byte = RequestContext::get_or_init(async move || {
            one.await;
            low(RequestContext::get_or_init(async || 2_u16).await)
        });
        let word = RequestContext::get_or_init(async move || {
            two.await;
            u16::from(RequestContext::get_or_init(async || true).await)
        });
        let bit = RequestContext::get_or_init(async move || {
            three.await;
            RequestContext::get_or_init(async || 1_u8).await == 1
        });
        let tasks =
            (tokio::spawn(context.scope(byte)), tokio::spawn(context.scope(word)), tokio::spawn(context.scope(bit)));
        let (byte, word, bit) = in_time(async { join!(tasks.0, tasks.1, tasks.2) }).await;
        let panicked = [byte.is_err(), word.is_err(), bit.is_err()];
        assert!(panicked.contains(&true), "{panicked:?}");
        in_time(context.scope(RequestContext::get_or_init(async || 3_u8))).await;
    }
}
