//! Run with `cargo run --example auth`.
//!
//! Asynchronous authentication: middleware looks up the user of a session cookie and sets it in the context, where any
//! module reads it with a function without arguments. A port of the `handle` hook and `getRequestEvent` of `SvelteKit`.
//!
//! It is shown twice: as axum's `from_fn`, which also accepts guests, and as tower-http's
//! `AsyncRequireAuthorizationLayer`, which rejects them. The example does not print tokens. To repeat its requests with
//! `curl`, set `COOKIE` to `auth_token=` and a token from below.

#[path = "../shared/mod.rs"]
mod shared;

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header::COOKIE},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use cookie::Cookie;
use tokio::task::yield_now;
use tower_http::auth::AsyncRequireAuthorizationLayer;
use tower_request_context::{ContextError, RequestContext, RequestContextLayer};

use self::shared::Demo;

#[derive(Clone, Copy)]
struct User(&'static str);

/// The result of the authentication. It is also set for a guest, so that a missing value is always a mistake.
#[derive(Clone)]
struct Locals {
    user: Option<User>,
}

/// The users by their tokens.
#[derive(Clone, Copy)]
struct Sessions(&'static [(&'static str, User)]);

impl Sessions {
    /// Looks up the user of a request and sets the result in the context.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<User>, ContextError> {
        let user = match auth_token(headers) {
            Some(token) => self.user_of(&token).await,
            None => None,
        };
        RequestContext::set(Locals { user })?;
        Ok(user)
    }

    async fn user_of(&self, token: &str) -> Option<User> {
        yield_now().await; // stands for a database
        self.0.iter().find(|(known, _)| *known == token).map(|(_, user)| *user)
    }
}

/// Authenticates and accepts guests, like the `handle` hook of `SvelteKit`.
async fn handle(State(sessions): State<Sessions>, request: Request, next: Next) -> Result<Response, ContextError> {
    sessions.authenticate(request.headers()).await?;
    Ok(next.run(request).await)
}

/// Authenticates and rejects guests, in any tower stack.
async fn require_user(sessions: Sessions, request: Request) -> Result<Request, Response> {
    match sessions.authenticate(request.headers()).await {
        Ok(Some(_)) => Ok(request),
        Ok(None) => Err(StatusCode::UNAUTHORIZED.into_response()),
        Err(error) => Err(error.into_response()),
    }
}

/// Returns the user of the current request. An error means that the authentication did not run.
fn current_user() -> Result<Option<User>, ContextError> {
    Ok(RequestContext::try_get::<Locals>()?.user)
}

async fn posts() -> Result<String, ContextError> {
    Ok(format!("posts for {}", user_name().await?))
}

async fn drafts() -> Result<String, ContextError> {
    Ok(format!("drafts of {}", user_name().await?))
}

async fn user_name() -> Result<&'static str, ContextError> {
    yield_now().await;
    Ok(current_user()?.map_or("a guest", |User(name)| name))
}

pub(crate) fn app() -> Router {
    let sessions = Sessions(&[("token-of-ann", User("ann")), ("token-of-bob", User("bob"))]);
    let handle = from_fn_with_state(sessions, handle);
    let require_user = AsyncRequireAuthorizationLayer::new(move |request| require_user(sessions, request));

    let for_all = Router::new().route("/posts", get(posts)).route_layer(handle);
    let for_users = Router::new().route("/drafts", get(drafts)).route_layer(require_user);
    for_all.merge(for_users).layer(RequestContextLayer::default())
}

/// Returns the token, unless the request has several.
fn auth_token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok); // skips malformed cookies
    let mut tokens = cookies.filter(|cookie| cookie.name() == "auth_token");
    let (Some(token), None) = (tokens.next(), tokens.next()) else { return None };
    Some(token.value().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = axum::serve(listener, app()).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        for path in ["/posts", "/drafts"] {
            client.get(path, &[("cookie", "theme=dark; auth_token=token-of-ann")]).await?;
            client.get(path, &[]).await?;
            client.suggest(path, &[("cookie", "auth_token=token-of-bob")]);
        }
        Ok(())
    })
    .await
}
