//! nestjs-cls: the store, nested runs, and work without an HTTP request.
// T01–T14, the rows of its transactional plugin, are tested with a real database in `examples/transaction.rs`.

mod ids;
mod providers;
mod setup;

use std::convert::Infallible;

use futures_util::{FutureExt, join};
use http::{Request, Response};
use http_body_util::BodyExt;
use tokio::task::yield_now;
use tower::{Layer, ServiceExt, service_fn};
use tower_request_context::{ContextError, Nesting, RequestContext, RequestContextLayer, RequestId, Store};

#[derive(Clone, Debug, PartialEq)]
struct UserId(u64);

#[derive(Clone, Debug, PartialEq)]
struct Name(&'static str);

// N03, N18
#[test]
fn set_values_are_read_and_others_are_absent() {
    run(Store::new(), || {
        assert_eq!(RequestContext::get::<UserId>(), None);
        RequestContext::set(UserId(42)).unwrap();
        assert_eq!(RequestContext::get(), Some(UserId(42)));
        assert_eq!(RequestContext::get::<Name>(), None);
    });
}

// N04
#[test]
fn values_of_one_run_are_not_visible_in_the_next() {
    run(Store::new(), || RequestContext::set(UserId(42)).unwrap());
    run(Store::new(), || assert_eq!(RequestContext::get::<UserId>(), None));
}

// N09
#[test]
fn set_if_absent_returns_whether_it_set_the_value() {
    run(Store::new(), || {
        let context = RequestContext::current().unwrap();
        assert!(context.set_if_absent(UserId(1)));
        assert!(!context.set_if_absent(UserId(2)));
        assert_eq!(RequestContext::get(), Some(UserId(1)));
    });
}

// N10, N11, N12
#[test]
fn contains_checks_presence_and_not_the_value() {
    run(Store::new().with_value(UserId(42)), || {
        RequestContext::set(false).unwrap();
        RequestContext::set(None::<Name>).unwrap();
        assert!(RequestContext::contains::<UserId>());
        assert!(RequestContext::contains::<bool>() && RequestContext::contains::<Option<Name>>());
        assert!(!RequestContext::contains::<Name>());
    });
}

// N16, N19, N21, N22
#[test]
fn outside_a_context_reads_are_none_and_set_is_an_error() {
    assert!(!RequestContext::contains::<UserId>());
    assert_eq!(RequestContext::get::<UserId>(), None);
    assert_eq!(RequestContext::id(), None);
    assert_eq!(RequestContext::set(UserId(42)), Err(ContextError::NoContext));
    assert_eq!(RequestContext::get::<UserId>(), None);
}

// N26, N28
#[tokio::test]
async fn nested_run_reads_its_parent_and_keeps_its_writes() {
    let parent = Store::new().with_value(Name("parent")).run(async {
        assert_eq!(Store::new().run(rename()).await, [Name("parent"), Name("child")]);
        RequestContext::get()
    });
    assert_eq!(parent.await, Some(Name("parent")));
}

// N28
#[tokio::test]
async fn nested_run_keeps_nested_changes_to_a_value() {
    #[derive(Clone, Debug, PartialEq)]
    struct Basket {
        cats: Vec<String>,
    }

    let basket = Basket { cats: vec!["Tom".into()] };
    let parent = Store::new().with_value(basket.clone()).run(async {
        let child = Store::new().run(async {
            RequestContext::update(|basket: &mut Basket| basket.cats[0].push_str("my")).unwrap();
            RequestContext::get()
        });
        assert_eq!(child.await, Some(Basket { cats: vec!["Tommy".into()] }));
        RequestContext::get()
    });
    assert_eq!(parent.await, Some(basket));
}

// N27
#[tokio::test]
async fn override_starts_empty_and_keeps_the_parent_unchanged() {
    let parent = Store::new().with_value(Name("parent")).run(async {
        assert_eq!(rename_below(Nesting::Override).await, "nothing, then child");
        let own = RequestContext::exit(Store::new().run(rename()));
        assert_eq!(own.await, [Name("nothing"), Name("child")]);
        RequestContext::get()
    });
    assert_eq!(parent.await, Some(Name("parent")));
}

// N29
#[tokio::test]
async fn reuse_writes_to_the_parent() {
    let parent = RequestContext::new(Store::new().with_value(Name("parent")));
    assert_eq!(parent.scope(rename_below(Nesting::Reuse)).await, "parent, then child");
    assert_eq!(parent.get(), Some(Name("child")));
}

// N30
#[tokio::test]
async fn reuse_without_a_parent_creates_a_context() {
    assert_eq!(rename_below(Nesting::Reuse).await, "nothing, then child");
    assert!(!RequestContext::is_active());
    assert_eq!(rename_below(Nesting::Reuse).await, "nothing, then child");
}

// N33
#[tokio::test]
async fn work_without_http_runs_with_a_context() {
    let cron_job = async {
        yield_now().await;
        RequestContext::expect::<Name>()
    };
    let job = tokio::spawn(Store::new().with_value(Name("nightly")).run(cron_job));
    assert_eq!(job.await.unwrap(), Name("nightly"));
}

// N34
#[tokio::test]
async fn work_within_work_inherits() {
    let id_of = |mail| RequestId::try_from(format!("mail-{mail}")).unwrap();
    let send_mail = |user| {
        Store::new().with_value(UserId(user)).run(async move {
            yield_now().await;
            RequestContext::set(id_of(user)).unwrap();
            yield_now().await;
            (RequestContext::expect(), RequestContext::expect(), RequestContext::id())
        })
    };
    let queue = Store::new().with_value(Name("mail")).run(async {
        let sent = join!(send_mail(1), send_mail(2));
        (sent, RequestContext::get::<UserId>(), RequestContext::id())
    });
    let sent = ((Name("mail"), UserId(1), Some(id_of(1))), (Name("mail"), UserId(2), Some(id_of(2))));
    assert_eq!(queue.await, (sent, None, None));
}

// Testing: `runWith({ userId: 42 }, ...)`
#[tokio::test]
async fn unit_test_creates_its_context_in_one_line() {
    async fn cats_for_user() -> Option<String> {
        let UserId(id) = RequestContext::get()?;
        yield_now().await;
        Some(format!("the cats of {id}"))
    }

    let cats = RequestContext::new(Store::new().with_value(UserId(42))).scope(cats_for_user()).await;
    assert_eq!(cats.unwrap(), "the cats of 42");
    assert_eq!(cats_for_user().await, None);
}

/// Runs a closure, as nestjs-cls's `cls.run` does.
fn run<R>(store: Store, f: impl FnOnce() -> R) -> R {
    store.run(async { f() }).now_or_never().expect("the future never waits")
}

/// Sets `Name("child")`, and returns the name before and after.
async fn rename() -> [Name; 2] {
    let before = RequestContext::get().unwrap_or(Name("nothing"));
    yield_now().await;
    RequestContext::set(Name("child")).expect("this runs in a context");
    [before, RequestContext::expect()]
}

/// Sets `Name("child")` below a nested layer, and returns the name there before and after.
async fn rename_below(nesting: Nesting) -> String {
    let service = RequestContextLayer::default().nesting(nesting).layer(service_fn(async |_: Request<()>| {
        let [Name(before), Name(after)] = rename().await;
        Ok::<_, Infallible>(Response::new(format!("{before}, then {after}")))
    }));
    let response = service.oneshot(Request::new(())).await.expect("the service is infallible");
    let body = response.collect().await.expect("the body is infallible").to_bytes();
    String::from_utf8_lossy(&body).into_owned()
}
