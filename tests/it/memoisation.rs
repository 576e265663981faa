//! Values that are made once a request: what is made, where it goes and what it is made of.

mod cycles;
mod turns;

use std::cell::Cell;

use futures_util::join;
use tokio::{sync::oneshot, task::yield_now};
use tokio_test::task;
use tower_request_context::{RequestContext, Store};

use crate::support::{User, in_time};

async fn never<T>() -> T {
    panic!("an initialiser ran in vain");
}

#[tokio::test]
async fn a_value_that_is_there_is_returned_and_no_initialiser_runs() {
    let parent = RequestContext::new(Store::new().with_value(1_u8));
    let child = parent.child(Store::new().with_value(2_u16));
    child.set(3_u32);
    let values = async {
        (RequestContext::get_or_init(never).await, child.get_or_init(never).await, child.get_or_init(never).await)
    };
    assert_eq!(child.scope(values).await, (1_u8, 2_u16, 3_u32));
    let again = RequestContext::get_or_try_init(async || Err("an initialiser ran in vain"));
    assert_eq!(child.scope(again).await, Ok(1_u8));
}

#[tokio::test]
async fn a_value_is_made_once_and_is_then_a_value_like_any_other() {
    let context = RequestContext::new(Store::new());
    assert_eq!(context.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    assert_eq!(context.get_or_init(never::<u8>).await, 1);
    assert_eq!(context.get::<u8>(), Some(1));
    assert_eq!(context.update(|n: &mut u8| *n += 1), Some(()));
    assert_eq!(context.get_or_init(never::<u8>).await, 2);
    assert!(context.remove::<u8>());
    assert_eq!(context.get_or_init(async || 3_u8).await, 3);
}

#[tokio::test]
async fn the_key_is_the_type() {
    #[derive(Clone, Debug, PartialEq)]
    struct Other(u8);

    let store = Store::new();
    let made = (store.get_or_init(async || 1_u8).await, store.get_or_init(async || Other(2)).await);
    assert_eq!(made, (1, Other(2)));
    assert_eq!((store.get(), store.get()), (Some(1_u8), Some(Other(2))));
}

#[tokio::test]
async fn outside_of_a_context_each_call_makes_its_own_value() {
    assert_eq!(RequestContext::get_or_init(async || 1_u8).await, 1);
    assert_eq!(RequestContext::get_or_init(async || 2_u8).await, 2);
    assert_eq!(RequestContext::get_or_try_init(async || Ok::<_, ()>(3_u8)).await, Ok(3));
    assert_eq!(RequestContext::get_or_try_init::<u8, _>(async || Err("no")).await, Err("no"));
}

#[tokio::test]
async fn an_initialiser_runs_in_the_context_of_its_caller() {
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
async fn a_child_keeps_what_it_makes_and_the_parent_makes_its_own() {
    let parent = RequestContext::new(Store::new());
    let child = parent.child(Store::new());
    assert_eq!(child.scope(RequestContext::get_or_init(async || 1_u8)).await, 1);
    assert_eq!(parent.get::<u8>(), None);
    assert_eq!(parent.scope(RequestContext::get_or_init(async || 2_u8)).await, 2);
    assert_eq!(child.get::<u8>(), Some(1));
}

#[test]
fn a_value_of_the_parent_that_is_made_meanwhile_wins_and_stays_there() {
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
async fn different_types_and_different_contexts_do_not_wait_for_each_other() {
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
async fn values_that_are_made_of_others_are_each_made_once_in_any_order() {
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
    let in_this_order = async { (session().await, account().await, greeting().await) };
    let in_the_other = async {
        let greeting = greeting().await;
        (session().await, account().await, greeting)
    };
    let at_once = async {
        let (greeting, account, session) = join!(greeting(), account(), session());
        (session, account, greeting)
    };
    for (n, seen) in [
        in_time(RequestContext::new(Store::new()).scope(in_this_order)).await,
        in_time(RequestContext::new(Store::new()).scope(in_the_other)).await,
        in_time(RequestContext::new(Store::new()).scope(at_once)).await,
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(seen, expected, "order {n}");
    }
    assert_eq!(MADE.get(), [3; 3]);
}

#[test]
fn the_futures_are_send_when_those_of_the_initialisers_are() {
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
