//! nestjs-cls's proxy providers: values that are created at their first use, once per request.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{Router, routing::get};
use futures_util::{future::join_all, join};
use http::Version;
use tokio::{sync::Barrier, task::yield_now};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer, RequestId, Store};

use super::{Name, UserId};
use crate::support::{User, client, in_time, layer, request, serve, text};

/// A provider that is created from the request's user.
#[derive(Clone, Debug, PartialEq)]
struct Account(String);

impl Account {
    async fn resolve() -> Self {
        RequestContext::get_or_init(async || {
            yield_now().await;
            Self(User::name())
        })
        .await
    }
}

/// A provider that is created from another provider.
#[derive(Clone, Debug, PartialEq)]
struct Greeting(String);

impl Greeting {
    async fn resolve() -> Self {
        RequestContext::get_or_init(async || Self(format!("hello {}", Account::resolve().await.0))).await
    }
}

// N107
#[tokio::test]
async fn dependent_providers_resolve_in_any_order() {
    let context = || RequestContext::new(Store::new().with_value(User(7)));
    let expected = (Account("user 7".into()), Greeting("hello user 7".into()));
    let bottom_up = context().scope(async { (Account::resolve().await, Greeting::resolve().await) }).await;
    assert_eq!(bottom_up, expected);
    let (greeting, account) = context().scope(async { (Greeting::resolve().await, Account::resolve().await) }).await;
    assert_eq!((account, greeting), expected);
    let (greeting, account) = context().scope(async { join!(Greeting::resolve(), Account::resolve()) }).await;
    assert_eq!((account, greeting), expected);
}

// N110
#[tokio::test]
async fn provider_is_replaceable_before_and_after_resolution() {
    let request = RequestContext::new(Store::new().with_value(User(7)));
    let work = async {
        assert_eq!(Account::resolve().await, Account("user 7".into()));
        RequestContext::set(Account("replaced".into())).unwrap();
        assert_eq!(Account::resolve().await, Account("replaced".into()));
        RequestContext::set(Greeting("replaced".into())).unwrap();
        assert_eq!(Greeting::resolve().await, Greeting("replaced".into()));
    };
    request.scope(work).await;
}

// N111
#[tokio::test]
async fn none_false_and_zero_are_not_resolved_again() {
    let context = RequestContext::new(Store::new());
    let resolve = async |name: Option<Name>, bit: bool, number: u64| {
        let name = RequestContext::get_or_init(async || name).await;
        (name, RequestContext::get_or_init(async || bit).await, RequestContext::get_or_init(async || number).await)
    };
    assert_eq!(context.scope(resolve(None, false, 0)).await, (None, false, 0));
    assert_eq!(context.scope(resolve(Some(Name("again")), true, 1)).await, (None, false, 0));
}

// N113, N114
#[tokio::test]
async fn provider_is_resolved_at_its_first_use() {
    let app = Router::new()
        .route("/without", get(async || format!("{:?}", RequestContext::get::<Account>())))
        .route("/with", get(async || format!("{:?}", (RequestContext::get::<Account>(), Account::resolve().await))))
        .layer(layer());
    let address = serve(app).await;
    let ask = async |path| {
        let response = client(Version::HTTP_11).request(request(address, path, Some(User(7)))).await;
        text(response.unwrap()).await
    };
    assert_eq!(ask("/without").await, "None");
    assert_eq!(ask("/with").await, r#"(None, Account("user 7"))"#);
    assert_eq!(ask("/without").await, "None");
}

// N118
#[tokio::test]
async fn provider_is_resolved_once_per_context() {
    let resolve = async || RequestContext::get_or_init(async || RequestId::new_v4()).await;
    let (one, two) = (RequestContext::new(Store::new()), RequestContext::new(Store::new()));
    let in_one = one.scope(resolve()).await;
    let in_two = two.scope(resolve()).await;
    assert_ne!(in_one, in_two);
    assert_eq!((one.scope(resolve()).await, two.scope(resolve()).await), (in_one, in_two));
}

// N119
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_callers_share_one_resolution_per_request() {
    /// Resolves once all requests of the test are resolving.
    async fn resolve(resolved: Arc<AtomicU64>, all: Arc<Barrier>) -> UserId {
        RequestContext::get_or_init(async || {
            all.wait().await;
            UserId(resolved.fetch_add(1, Ordering::SeqCst))
        })
        .await
    }

    let (resolved, all) = (Arc::new(AtomicU64::new(0)), Arc::new(Barrier::new(10)));
    let count = Arc::clone(&resolved);
    let app = Router::new().fallback(async move || {
        let ask = || resolve(Arc::clone(&resolved), Arc::clone(&all));
        let ids = join_all((0..5).map(|_| RequestContext::spawn(ask()))).await;
        let own = ask().await;
        assert!(ids.into_iter().all(|id| id.unwrap() == own));
        own.0.to_string()
    });
    let address = serve(app.layer(RequestContextLayer::default())).await;
    let client = client(Version::HTTP_11);
    let ask = async |_| text(client.request(request(address, "/", None)).await.unwrap()).await;
    let seen = in_time(join_all((0..10).map(ask))).await;
    assert_eq!(HashSet::<String>::from_iter(seen).len(), 10);
    assert_eq!(count.load(Ordering::SeqCst), 10);
}

// N120
#[test]
fn missing_value_is_an_error_and_not_a_shared_fallback() {
    let (one, two) = (RequestContext::new(Store::new()), RequestContext::new(Store::new()));
    one.sync_scope(|| {
        assert!(matches!(RequestContext::update(|_: &mut UserId| ()), Err(ContextError::Missing { .. })));
        RequestContext::set(UserId(1)).unwrap();
    });
    assert!(matches!(two.sync_scope(RequestContext::try_get::<UserId>), Err(ContextError::Missing { .. })));
}
