//! `get_or_init` and `get_or_try_init`: values that are initialized once per request.

mod concurrency;
mod cycles;

use std::cell::Cell;

use futures_util::join;
use tokio::{sync::oneshot, task::yield_now};
use tokio_test::task;
use tower_request_context::{RequestContext, Store};

use crate::support::{User, in_time};

async fn unexpected_initializer<T>() -> T {
    panic!("an initializer ran unexpectedly");
}

#[tokio::test]
async fn present_value_is_returned_without_an_initializer() {
    let parent = RequestContext::new(Store::new().with_value(1_u8));
    let child = parent.child(Store::new().with_value(2_u16));
    child.set(3_u32);
    let values = async {
        (
            RequestContext::get_or_init(unexpected_initializer).await,
            child.get_or_init(unexpected_initializer).await,
            child.get_or_init(unexpected_initializer).await,
        )
    };
    assert_eq!(child.scope(values).await, (1_u8, 2_u16, 3_u32));
    let again = RequestContext::get_or_try_init(async || Err("an initializer ran unexpectedly"));
    assert_eq!(child.scope(again).await, Ok(1_u8));
}

#[tokio::test]
async fn initialized_value_can_be_read_updated_and_removed() {
    let context = RequestContext::new(Store::new());
    assert_eq!(context.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    assert_eq!(context.get_or_init(unexpected_initializer::<u8>).await, 1);
    assert_eq!(context.get::<u8>(), Some(1));
    assert_eq!(context.update(|n: &mut u8| *n += 1), Some(()));
    assert_eq!(context.get_or_init(unexpected_initializer::<u8>).await, 2);
    assert!(context.remove::<u8>());
    assert_eq!(context.get_or_init(async || 3_u8).await, 3);
}

#[tokio::test]
async fn values_are_keyed_by_type() {
    #[derive(Clone, Debug, PartialEq)]
    struct Other(u8);

    let store = Store::new();
    let made = (store.get_or_init(async || 1_u8).await, store.get_or_init(async || Other(2)).await);
    assert_eq!(made, (1, Other(2)));
    assert_eq!((store.get(), store.get()), (Some(1_u8), Some(Other(2))));
}

#[tokio::test]
async fn each_call_outside_a_context_runs_its_initializer() {
    assert_eq!(RequestContext::get_or_init(async || 1_u8).await, 1);
    assert_eq!(RequestContext::get_or_init(async || 2_u8).await, 2);
    assert_eq!(RequestContext::get_or_try_init(async || Ok::<_, ()>(3_u8)).await, Ok(3));
    assert_eq!(RequestContext::get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
}

#[tokio::test]
async fn initializer_runs_in_the_context_of_its_caller() {
    let name = async || {
        yield_now().await;
        User::name()
    };
    let one = RequestContext::new(Store::new().with_value(User(1)));
    let two = RequestContext::new(Store::new().with_value(User(2)));
    assert_eq!(one.scope(RequestContext::get_or_init(name)).await, "user 1");
    assert_eq!(one.scope(two.get_or_init(name)).await, "user 1");
}

#[tokio::test]
async fn value_initialized_in_a_child_stays_in_the_child() {
    let parent = RequestContext::new(Store::new());
    let child = parent.child(Store::new());
    assert_eq!(child.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    assert_eq!(parent.get::<u8>(), None);
    assert_eq!(parent.scope(RequestContext::get_or_init(async || 2_u8)).await, 2);
    assert_eq!(child.get::<u8>(), Some(1));
}

#[test]
fn value_set_in_the_parent_meanwhile_is_returned() {
    let parent = RequestContext::new(Store::new());
    let child = parent.child(Store::new());
    let (sender, made) = oneshot::channel::<u8>();
    let mut call = task::spawn(child.get_or_init(async || made.await.unwrap()));
    assert!(call.poll().is_pending());
    parent.set(1_u8);
    sender.send(2).unwrap();
    assert_eq!(call.poll(), std::task::Poll::Ready(1));
    parent.remove::<u8>();
    assert_eq!(child.get::<u8>(), None);
}

#[tokio::test]
async fn other_types_and_contexts_do_not_wait() {
    let (one, two) = (RequestContext::new(Store::new()), RequestContext::new(Store::new()));
    let (sender, made) = oneshot::channel::<u8>();
    let mut slow = task::spawn(one.get_or_init(async || made.await.unwrap()));
    assert!(slow.poll().is_pending());
    assert_eq!(in_time(one.get_or_init(async || 1_u16)).await, 1);
    assert_eq!(in_time(two.get_or_init(async || 2_u8)).await, 2);
    assert_eq!(in_time(one.child(Store::new()).get_or_init(async || 3_u8)).await, 3);
    sender.send(4).unwrap();
    assert_eq!(in_time(slow).await, 4);
}

#[tokio::test]
async fn dependent_values_are_initialized_once_in_any_order() {
    thread_local! {
        static MADE: Cell<[u8; 3]> = const { Cell::new([0; 3]) };
    }

    #[derive(Clone, Debug, PartialEq)]
    struct Session(&'static str);
    #[derive(Clone, Debug, PartialEq)]
    struct Account(String);
    #[derive(Clone, Debug, PartialEq)]
    struct Greeting(String);

    fn count(index: usize) {
        let mut made = MADE.get();
        made[index] += 1;
        MADE.set(made);
    }

    async fn session() -> Session {
        let make = async || {
            count(0);
            yield_now().await;
            Session("s1")
        };
        RequestContext::get_or_init(make).await
    }

    async fn account() -> Account {
        let make = async || {
            count(1);
            Account(format!("Ada of {}", session().await.0))
        };
        RequestContext::get_or_init(make).await
    }

    async fn greeting() -> Greeting {
        let make = async || {
            count(2);
            Greeting(format!("hello {}, by {}", account().await.0, session().await.0))
        };
        RequestContext::get_or_init(make).await
    }

    let expected = (Session("s1"), Account("Ada of s1".into()), Greeting("hello Ada of s1, by s1".into()));
    let dependencies_first = async { (session().await, account().await, greeting().await) };
    let dependents_first = async {
        let greeting = greeting().await;
        (session().await, account().await, greeting)
    };
    let concurrently = async {
        let (greeting, account, session) = join!(greeting(), account(), session());
        (session, account, greeting)
    };
    for (n, seen) in [
        in_time(RequestContext::new(Store::new()).scope(dependencies_first)).await,
        in_time(RequestContext::new(Store::new()).scope(dependents_first)).await,
        in_time(RequestContext::new(Store::new()).scope(concurrently)).await,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(seen, expected, "order {n}");
    }
    assert_eq!(MADE.get(), [3; 3]);
}

#[test]
fn futures_are_send_if_those_of_the_initializers_are() {
    fn assert_send(_: impl Send) {}

    let store = Store::new();
    let text = String::from("moved in");
    assert_send(store.get_or_init(async || yield_now().await));
    assert_send(store.get_or_try_init(async || {
        yield_now().await;
        Err::<String, _>("no")
    }));
    assert_send(RequestContext::get_or_init(async || yield_now().await));
    assert_send(RequestContext::get_or_try_init(async move || {
        yield_now().await;
        Ok::<_, ()>(text)
    }));
}
