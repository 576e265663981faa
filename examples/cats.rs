//! Run with `cargo run --example cats`.
//!
//! Cats for whoever asks, as `NestJS`'s recipe for `AsyncLocalStorage` and nestjs-cls have them: a middleware seeds the
//! user, a service far below reads it and asks its repository, and nothing is passed. In a unit test of the service,
//! one line stands for the request.

mod shared;

use std::process::ExitCode;

use axum::{
    Router,
    extract::State,
    http::{StatusCode, request::Parts},
    routing::get,
};
use tokio::task::yield_now;
use tower_request_context::{RequestContext, RequestContextLayer};

use self::shared::single_header;

#[derive(Clone, Copy, PartialEq)]
struct UserId(u64);

#[derive(Clone)]
struct CatsRepository(&'static [(UserId, &'static str)]);

impl CatsRepository {
    async fn find_for_user(&self, user: UserId) -> Option<&'static str> {
        yield_now().await; // a database would be awaited here
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

/// Trusted only because this is an example; `identity` shows what it takes to believe a header.
fn user_of(request: &Parts) -> Option<UserId> {
    single_header(&request.headers, "x-user-id")?.parse().ok().map(UserId)
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        visitor.get("/cat", &[("x-user-id", "7")]).await?;
        visitor.get("/cat", &[("x-user-id", "42")]).await?;
        visitor.get("/cat", &[]).await?;
        visitor.invite("/cat", &[("x-user-id", "8")]);
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
        assert_eq!(cats().get_cat_for_user().await, None); // and no user outlives it
    }
}
