//! `NestJS`'s recipe: a middleware that inserts `{ userId }`, and a `CatsService` that reads it.

use std::sync::Arc;

use axum::{Router, extract::State, routing::get};
use futures_util::future::join;
use http::Version;
use tokio::sync::Barrier;
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use crate::support::{User, client, in_time, request, serve, text};

#[derive(Clone, Debug, PartialEq)]
struct UserId(String);

/// A repository whose queries wait until two of them run.
#[derive(Clone)]
struct CatsRepository(Arc<Barrier>);

impl CatsRepository {
    async fn get_for_user(&self, UserId(id): UserId) -> String {
        self.0.wait().await;
        format!("the cat of {id}")
    }
}

#[derive(Clone)]
struct CatsService {
    repository: CatsRepository,
}

impl CatsService {
    fn new() -> Self {
        Self { repository: CatsRepository(Arc::new(Barrier::new(2))) }
    }

    async fn get_cat_for_user(&self) -> String {
        match RequestContext::get() {
            Some(user) => self.repository.get_for_user(user).await,
            None => String::from("no user, no cat"),
        }
    }
}

// A1, A2
#[tokio::test]
async fn service_reads_the_user_that_the_middleware_inserted() {
    let app = Router::new()
        .route("/cats", get(async |State(service): State<CatsService>| service.get_cat_for_user().await))
        .with_state(CatsService::new());
    let (one, two, anonymous) = ask_as_two_users_and_anonymous(app, "/cats").await;
    assert_eq!((one, two), ("the cat of 1".into(), "the cat of 2".into()));
    assert_eq!(anonymous, "no user, no cat");
}

// A3
#[tokio::test]
async fn writes_change_only_the_store_of_their_request() {
    #[derive(Clone)]
    struct Role(&'static str);

    let service = CatsService::new();
    let app = Router::new().fallback(async move || {
        // Only user 1 is promoted. The repository's barrier makes both requests pass this point before either reads.
        if RequestContext::with(|UserId(id)| id == "1") == Some(true) {
            RequestContext::set(Role("admin")).unwrap();
            RequestContext::update(|UserId(id)| id.push_str(", promoted")).unwrap();
        }
        let cat = service.get_cat_for_user().await;
        format!("{cat} by {}", RequestContext::get().map_or("nobody special", |Role(role)| role))
    });
    let (one, two, anonymous) = ask_as_two_users_and_anonymous(app, "/cats").await;
    assert_eq!(one, "the cat of 1, promoted by admin");
    assert_eq!(two, "the cat of 2 by nobody special");
    assert_eq!(anonymous, "no user, no cat by nobody special");
}

// A4
#[tokio::test]
async fn transaction_has_its_own_nested_context() {
    #[derive(Clone, Debug, PartialEq)]
    struct Transaction(&'static str);

    #[derive(Clone, Debug, PartialEq)]
    struct Saved(String);

    async fn in_transaction<T>(name: &'static str, work: impl Future<Output = T>) -> T {
        RequestContext::inherit(Store::new().with_value(Transaction(name))).scope(work).await
    }

    let service = CatsService::new();
    let save = async || {
        let Transaction(name) = RequestContext::expect();
        RequestContext::set(Saved(format!("saved in the {name}"))).unwrap();
        let cat = service.get_cat_for_user().await;
        format!("{cat}, {}", RequestContext::expect::<Saved>().0)
    };
    let request = RequestContext::new(Store::new().with_value(UserId("1".into())));
    let handler = async {
        let saved = join(in_transaction("first", save()), in_transaction("second", save())).await;
        assert_eq!(saved, ("the cat of 1, saved in the first".into(), "the cat of 1, saved in the second".into()));
        assert_eq!((RequestContext::get::<Transaction>(), RequestContext::get::<Saved>()), (None, None));
    };
    in_time(request.scope(handler)).await;
}

/// Serves `app` below the recipe's middleware. Sends overlapping requests of two users, then an anonymous one.
async fn ask_as_two_users_and_anonymous(app: Router, path: &str) -> (String, String, String) {
    let app = app.layer(RequestContextLayer::new(|store, request| {
        if let Some(Ok(id)) = request.headers.get(User::HEADER).map(|id| id.to_str()) {
            store.insert(UserId(id.to_owned()));
        }
    }));
    let address = serve(app).await;
    let client = client(Version::HTTP_11);
    let ask = async |user| {
        let response = client.request(request(address, path, user)).await;
        text(response.expect("the server responds")).await
    };
    let (one, two) = in_time(join(ask(Some(User(1))), ask(Some(User(2))))).await;
    (one, two, ask(None).await)
}
