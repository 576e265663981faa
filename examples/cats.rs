//! Run with `cargo run --example cats`.
//!
//! A service that reads the user without a parameter, and its unit test. A port of the recipe for `AsyncLocalStorage`
//! in the documentation of `NestJS`. nestjs-cls has the same recipe. The layer inserts the user. A service far below
//! reads it and queries its repository. In the unit test, one line replaces the request.

mod shared;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, request::Parts},
    routing::get,
};
use tokio::task::yield_now;
use tower_request_context::{RequestContext, RequestContextLayer};

use self::shared::{Demo, single_header};

#[derive(Clone, Copy, PartialEq)]
struct UserId(u64);

#[derive(Clone)]
struct CatsRepository(&'static [(UserId, &'static str)]);

impl CatsRepository {
    async fn find_for_user(&self, user: UserId) -> Option<&'static str> {
        yield_now().await; // stands for a database
        self.0.iter().find(|(owner, _)| *owner == user).map(|(_, cat)| *cat)
    }
}

#[derive(Clone)]
struct CatsService {
    repository: CatsRepository,
}

impl CatsService {
    async fn get_cat_for_user(&self) -> Option<&'static str> {
        self.repository.find_for_user(RequestContext::get()?).await
    }
}

async fn cat(State(cats): State<CatsService>) -> Result<&'static str, StatusCode> {
    cats.get_cat_for_user().await.ok_or(StatusCode::NOT_FOUND)
}

pub(crate) fn app() -> Router {
    let context = RequestContextLayer::new(|store, request| {
        if let Some(user) = user_of(request) {
            store.insert(user);
        }
    });
    Router::new().route("/cat", get(cat)).with_state(cats()).layer(context)
}

fn cats() -> CatsService {
    CatsService {
        repository: CatsRepository(&[(UserId(7), "Momo"), (UserId(8), "Tabby"), (UserId(42), "Deep Thought")]),
    }
}

/// Trusts the header only because this is a demo. The example `identity` shows when you can trust one.
fn user_of(request: &Parts) -> Option<UserId> {
    single_header(&request.headers, "x-user-id")?.parse().ok().map(UserId)
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = axum::serve(listener, app()).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        client.get("/cat", &[("x-user-id", "7")]).await?;
        client.get("/cat", &[("x-user-id", "42")]).await?;
        client.get("/cat", &[]).await?;
        client.suggest("/cat", &[("x-user-id", "8")]);
        Ok(())
    })
    .await
}

#[cfg(test)]
mod tests {
    use tower_request_context::Store;

    use super::*;

    #[tokio::test]
    async fn a_unit_test_gives_the_service_its_user_in_one_line() {
        let context = RequestContext::new(Store::new().with_value(UserId(42)));
        assert_eq!(context.scope(cats().get_cat_for_user()).await, Some("Deep Thought"));
        assert_eq!(cats().get_cat_for_user().await, None); // the user is gone after the scope
    }
}
