//! Initializers that wait for their own value: they panic with a message that names the type, and do not hang.

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

use super::unexpected_initializer;
use crate::support::in_time;

/// Asserts that `work` panics because of a value of type `T`, and that the value can be initialized afterwards.
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
    let panic = in_time(AssertUnwindSafe(work).catch_unwind()).await.err().expect("the cycle was not reported");
    *panic.downcast().unwrap()
}

fn assert_reports<T>(text: &str) {
    let name = std::any::type_name::<T>();
    let start = format!("the initializer of `{name}` waits for itself: it calls `get_or_init` for `{name}`, ");
    assert!(text.starts_with(&start), "{text}");
}

fn low_byte(word: u16) -> u8 {
    word.to_le_bytes()[0]
}

#[tokio::test]
async fn reports_an_initializer_that_awaits_its_own_value() {
    let work = RequestContext::get_or_init(async || RequestContext::get_or_init(unexpected_initializer::<u8>).await);
    assert_reported(work, 1_u8).await;
}

#[tokio::test]
async fn reports_a_fallible_initializer_that_awaits_its_own_value() {
    let again = async || RequestContext::get_or_try_init(async || Err::<u8, _>("no")).await;
    assert_reported(RequestContext::get_or_try_init(again), 1_u8).await;
}

#[tokio::test]
async fn reports_a_cycle_through_another_type() {
    let other = async || RequestContext::get_or_init(unexpected_initializer::<u8>).await.into();
    let work = RequestContext::get_or_init(async || low_byte(RequestContext::get_or_init(other).await));
    assert_reported(work, 1_u8).await;
}

#[tokio::test]
async fn reports_a_cycle_in_a_join() {
    let own = || RequestContext::get_or_init(unexpected_initializer::<u8>);
    let other = || RequestContext::get_or_init(async || 1_u16);
    let work = RequestContext::get_or_init(async || join!(other(), own()).1);
    assert_reported(work, 1_u8).await;
    // At the first poll, since nothing wakes the initializer afterwards.
    let work = RequestContext::new(Store::new()).scope(RequestContext::get_or_init(async || join!(own(), other()).0));
    let panic = AssertUnwindSafe(work).catch_unwind().now_or_never().expect("the cycle was not reported").err();
    assert_reports::<u8>(panic.unwrap().downcast_ref::<String>().unwrap());
}

#[tokio::test]
async fn reports_a_cycle_from_inside_another_context() {
    let (one, two) = (RequestContext::new(Store::new()), RequestContext::new(Store::new()));
    let work = one.get_or_init(async || two.scope(async { one.get_or_init(unexpected_initializer::<u8>).await }).await);
    assert_reports::<u8>(&panic_of(work).await);
    let byte = one.get_or_init(async || two.scope(RequestContext::get_or_init(async || 1_u8)).await);
    assert_eq!(in_time(byte).await, 1);
}

#[tokio::test]
async fn reports_a_cycle_through_a_call_started_outside() {
    let store = Store::new();
    let (sender, receiver) = oneshot::channel::<Pin<Box<dyn Future<Output = u8> + '_>>>();
    let mut work = task::spawn(store.get_or_init(async || receiver.await.expect("the call is sent below").await));
    assert!(work.poll().is_pending());
    let mut call = Box::pin(store.get_or_init(unexpected_initializer::<u8>));
    assert!(poll!(call.as_mut()).is_pending());
    assert!(sender.send(call).is_ok());
    assert_reports::<u8>(&panic_of(work).await);
}

#[tokio::test]
async fn reports_two_initializers_that_await_each_other() {
    let both = Barrier::new(2);
    let byte = RequestContext::get_or_init(async || {
        both.wait().await;
        low_byte(RequestContext::get_or_init(unexpected_initializer::<u16>).await)
    });
    let word = RequestContext::get_or_init(async || {
        both.wait().await;
        u16::from(RequestContext::get_or_init(unexpected_initializer::<u8>).await)
    });
    assert_reported(async { join!(byte, word) }, 1_u8).await;
}

#[tokio::test]
async fn reports_a_cycle_in_a_join_after_the_other_branch_completes() {
    let (sender, receiver) = oneshot::channel();
    let work = RequestContext::get_or_init(async || {
        join!(async { receiver.await.unwrap() }, RequestContext::get_or_init(unexpected_initializer::<u8>)).1
    });
    let context = RequestContext::new(Store::new());
    let mut work = task::spawn(AssertUnwindSafe(context.scope(work)).catch_unwind());
    assert_pending!(work.poll());
    sender.send(()).unwrap();
    assert!(work.is_woken());
    assert_reports::<u8>(work.await.unwrap_err().downcast_ref::<String>().unwrap());
}

/// Waits for the value that the caller's initializer must produce.
async fn wait_for_own_value() -> u8 {
    RequestContext::get_or_init(unexpected_initializer::<u8>).await
}

/// Asserts that an initializer returns 7, although it polls [`wait_for_own_value`].
async fn assert_completes(initializer: impl AsyncFnOnce() -> u8) {
    let context = RequestContext::new(Store::new());
    assert_eq!(in_time(context.scope(RequestContext::get_or_init(initializer))).await, 7);
    assert_eq!(context.get(), Some(7_u8));
}

#[tokio::test]
async fn cycle_in_a_losing_select_branch_is_allowed() {
    assert_completes(async || tokio::select! { biased; byte = wait_for_own_value() => byte, () = yield_now() => 7 })
        .await;
    assert_completes(async || tokio::select! { biased; () = yield_now() => 7, byte = wait_for_own_value() => byte })
        .await;
    assert_completes(async || timeout(Duration::from_millis(1), wait_for_own_value()).await.unwrap_or(7)).await;
    assert_completes(async || {
        let task = tokio::spawn(yield_now());
        tokio::select! { biased; byte = wait_for_own_value() => byte, done = task => done.map_or(0, |()| 7) }
    })
    .await;
    assert_completes(async || {
        let word =
            async || tokio::select! { biased; byte = wait_for_own_value() => u16::from(byte), () = yield_now() => 7 };
        low_byte(RequestContext::get_or_init(word).await)
    })
    .await;
}

/// Waits for a task that completes later.
async fn spawned_work() -> u8 {
    tokio::spawn(async {
        yield_now().await;
        7
    })
    .await
    .unwrap()
}

#[tokio::test]
async fn initializer_may_await_other_work_after_a_cancelled_wait() {
    assert_completes(async || match timeout(Duration::from_millis(1), wait_for_own_value()).await {
        Ok(byte) => byte,
        Err(_) => spawned_work().await,
    })
    .await;
    assert_completes(async || {
        tokio::select! { biased; byte = wait_for_own_value() => return byte, () = yield_now() => {} }
        spawned_work().await
    })
    .await;
    // The initializer of another type, which is dropped in the same poll in which it starts to wait.
    assert_completes(async || {
        let word = async || u16::from(wait_for_own_value().await);
        let word = RequestContext::get_or_init(word);
        tokio::select! { biased; word = word => return low_byte(word), () = yield_now() => {} }
        spawned_work().await
    })
    .await;
}

#[tokio::test]
async fn wait_may_be_polled_repeatedly_in_a_select() {
    assert_completes(async || {
        let mut waiting = pin!(wait_for_own_value());
        for _ in 0..3 {
            tokio::select! { biased; byte = &mut waiting => return byte, _ = spawned_work() => {} }
        }
        assert!(poll!(waiting.as_mut()).is_pending() && poll!(waiting.as_mut()).is_pending());
        spawned_work().await
    })
    .await;
}

#[tokio::test]
async fn reports_an_only_wait_that_is_polled_twice() {
    let work = RequestContext::get_or_init(async || {
        let mut waiting = pin!(wait_for_own_value());
        assert!(poll!(waiting.as_mut()).is_pending());
        waiting.await
    });
    assert_reported(work, 1_u8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_in_a_nested_executor_is_allowed() {
    assert_completes(async || {
        let mut futures = FuturesUnordered::from_iter([wait_for_own_value().boxed_local()]);
        futures.push(yield_now().map(|()| 7).boxed_local());
        futures.next().await.unwrap()
    })
    .await;
    assert_completes(async || {
        let tasks = LocalSet::new();
        let waiting = tasks.spawn_local(RequestContext::carry(wait_for_own_value()));
        tasks.run_until(yield_now()).await;
        tasks.run_until(yield_now()).await;
        assert!(!waiting.is_finished());
        7
    })
    .await;
    assert_completes(async || {
        block_in_place(|| {
            Handle::current().block_on(async {
                tokio::select! { biased; byte = wait_for_own_value() => byte, () = yield_now() => 7 }
            })
        })
    })
    .await;
}

#[tokio::test]
async fn cycle_of_two_is_allowed_if_one_can_complete_otherwise() {
    let context = RequestContext::new(Store::new());
    let (both, (sender, mut receiver)) = (Barrier::new(2), oneshot::channel());
    let byte = RequestContext::get_or_init(async || {
        both.wait().await;
        low_byte(RequestContext::get_or_init(unexpected_initializer::<u16>).await)
    });
    let word = RequestContext::get_or_init(async || {
        both.wait().await;
        tokio::select! { biased; byte = wait_for_own_value() => u16::from(byte), word = &mut receiver => word.unwrap() }
    });
    let mut both = task::spawn(context.scope(async { join!(byte, word) }));
    assert_pending!(both.poll());
    assert!(both.is_woken()); // by the barrier
    assert_pending!(both.poll());
    sender.send(7_u16).unwrap();
    assert!(both.is_woken());
    assert_eq!(in_time(both).await, (7, 7));
}

/// Each of three initializers waits for another one, or for a channel.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cycle_of_three_is_allowed_if_each_can_complete_otherwise() {
    type Shared = (Arc<Barrier>, watch::Receiver<bool>);

    async fn race<T, U>((all, mut released): Shared, value: T) -> T
    where
        T: Clone + Send + Sync + 'static,
        U: Clone + Send + Sync + 'static,
    {
        let initialize = async || {
            all.wait().await;
            tokio::select! {
                _ = RequestContext::get_or_init(unexpected_initializer::<U>) => {}
                released = released.wait_for(|released| *released) => assert!(released.is_ok()),
            }
            value
        };
        RequestContext::get_or_init(initialize).await
    }

    for round in 0..200 {
        let context = RequestContext::new(Store::new());
        let all = Arc::new(Barrier::new(4));
        let (sender, released) = watch::channel(false);
        let shared = || (Arc::clone(&all), released.clone());
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

// For example a `select!` with a deadline.
#[test]
fn cancelled_wait_is_not_part_of_a_cycle() {
    let store = Store::new();
    let (release_word, word_released) = oneshot::channel::<()>();
    let (complete_byte, byte_completed) = oneshot::channel();
    let mut word = task::spawn(store.get_or_init(async || {
        word_released.await.expect("the sender is used below");
        u16::from(store.get_or_init(unexpected_initializer::<u8>).await)
    }));
    assert_pending!(word.poll());
    let mut byte = task::spawn(store.get_or_init(async || {
        assert_eq!(store.get_or_init(unexpected_initializer::<u16>).now_or_never(), None);
        byte_completed.await.expect("the sender is used below")
    }));
    assert_pending!(byte.poll());
    release_word.send(()).unwrap();
    assert_pending!(word.poll());
    complete_byte.send(7_u8).unwrap();
    assert_ready_eq!(byte.poll(), 7);
    assert_ready_eq!(word.poll(), 7);
}

#[test]
fn chain_of_three_waits_is_allowed() {
    let store = Store::new();
    let (complete_bit, bit_completed) = oneshot::channel();
    let mut bit = task::spawn(store.get_or_init(async || bit_completed.await.expect("the sender is used below")));
    let mut byte = task::spawn(store.get_or_init(async || u8::from(store.get_or_init(async || false).await)));
    let mut word = task::spawn(store.get_or_init(async || u16::from(store.get_or_init(async || 2_u8).await)));
    assert_pending!(bit.poll());
    assert_pending!(byte.poll());
    assert_pending!(word.poll());
    complete_bit.send(true).unwrap();
    assert_ready_eq!(bit.poll(), true);
    assert_ready_eq!(byte.poll(), 1);
    assert_ready_eq!(word.poll(), 1);
}

/// `bit` waits for `byte`, and `byte` for an initializer of `word` that has failed. The next initializer of `word` waits
/// for `bit`. That is no cycle, because `byte` can continue.
#[test]
fn wait_for_an_earlier_initializer_is_not_part_of_a_cycle() {
    let store = Store::new();
    let (fail, failed) = oneshot::channel::<()>();
    let mut failing = task::spawn(store.get_or_try_init(async || {
        failed.await.expect("the sender is used below");
        Err::<u16, _>("no")
    }));
    assert_pending!(failing.poll());
    let mut byte = task::spawn(store.get_or_init(async || low_byte(store.get_or_init(async || 1_u16).await)));
    assert_pending!(byte.poll());
    let mut bit = task::spawn(store.get_or_init(async || store.get_or_init(async || 2_u8).await == 2));
    assert_pending!(bit.poll());
    fail.send(()).unwrap();
    assert_ready_eq!(failing.poll(), Err("no"));
    let mut word = task::spawn(store.get_or_init(async || u16::from(store.get_or_init(async || false).await)));
    assert_pending!(word.poll());
    assert_pending!(bit.poll());
    drop(byte);
    assert_ready_eq!(bit.poll(), true);
    assert_ready_eq!(word.poll(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reports_three_tasks_that_await_each_other() {
    for _ in 0..100 {
        let context = RequestContext::new(Store::new());
        let all = Arc::new(Barrier::new(3));
        let wait_for_all = || {
            let all = Arc::clone(&all);
            async move { all.wait().await }
        };
        let (one, two, three) = (wait_for_all(), wait_for_all(), wait_for_all());
        let byte = RequestContext::get_or_init(async move || {
            one.await;
            low_byte(RequestContext::get_or_init(async || 2_u16).await)
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
