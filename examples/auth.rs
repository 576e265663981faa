//! Run with `cargo run --example auth`.
//!
//! A user looked up by a session cookie and awaited, as in the hooks of `SvelteKit`, and a getter for any module. Once
//! as axum's `from_fn`, which lets guests pass, and once as tower-http's `AsyncRequireAuthorizationLayer`, which does
//! not. Set `COOKIE` to `auth_token=` and a token from below to repeat what is shown: tokens are not printed.

mod shared;

use std::process::ExitCode;

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

#[derive(Clone, Copy)]
struct User(&'static str);

/// What is known of the request once it was looked at. That nobody is logged in is a value, too.
#[derive(Clone)]
struct Locals {
    user: Option<User>,
}

/// The users by their tokens.
#[derive(Clone, Copy)]
struct Sessions(&'static [(&'static str, User)]);

impl Sessions {
    /// Looks up who asks, and leaves the answer in the context for all that runs after it.
    async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<User>, ContextError> {
        let user = match auth_token(headers) {
            Some(token) => self.user_of(&token).await,
            None => None,
        };
        RequestContext::set(Locals { user })?;
        Ok(user)
    }

    async fn user_of(&self, token: &str) -> Option<User> {
        yield_now().await; // a database would be awaited here
        self.0.iter().find(|(known, _)| *known == token).map(|(_, user)| *user)
    }
}

/// `SvelteKit`'s `handle`: whoever it is may go on.
async fn handle(State(sessions): State<Sessions>, request: Request, next: Next) -> Result<Response, ContextError> {
    sessions.authenticate(request.headers()).await?;
    Ok(next.run(request).await)
}

/// For tower's stack: whoever is nobody may not.
async fn require_user(sessions: Sessions, request: Request) -> Result<Request, Response> {
    match sessions.authenticate(request.headers()).await {
        Ok(Some(_)) => Ok(request),
        Ok(None) => Err(StatusCode::UNAUTHORIZED.into_response()),
        Err(error) => Err(error.into_response()),
    }
}

/// The getter that any module may call. An error says that no hook has run, which is a mistake and not a guest.
fn current_user() -> Result<Option<User>, ContextError> {
    Ok(RequestContext::try_get::<Locals>()?.user)
}

async fn posts() -> Result<String, ContextError> {
    Ok(format!("posts for {}", reader().await?))
}

async fn drafts() -> Result<String, ContextError> {
    Ok(format!("drafts of {}", reader().await?))
}

async fn reader() -> Result<&'static str, ContextError> {
    yield_now().await;
    Ok(current_user()?.map_or("a guest", |User(name)| name))
}

pub(crate) fn app() -> Router {
    let sessions = Sessions(&[("token-of-ann", User("ann")), ("token-of-bob", User("bob"))]);
    let hook = from_fn_with_state(sessions, handle);
    let only_users = AsyncRequireAuthorizationLayer::new(move |request| require_user(sessions, request));

    let for_all = Router::new().route("/posts", get(posts)).route_layer(hook);
    let for_users = Router::new().route("/drafts", get(drafts)).route_layer(only_users);
    for_all.merge(for_users).layer(RequestContextLayer::default())
}

fn auth_token(headers: &HeaderMap) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let cookies = lines.flat_map(Cookie::split_parse).filter_map(Result::ok); // a malformed one is not ours
    let mut tokens = cookies.filter(|cookie| cookie.name() == "auth_token");
    let (Some(token), None) = (tokens.next(), tokens.next()) else { return None };
    Some(token.value().to_owned())
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        for path in ["/posts", "/drafts"] {
            visitor.get(path, &[("cookie", "theme=dark; auth_token=token-of-ann")]).await?;
            visitor.get(path, &[]).await?;
            visitor.invite(path, &[("cookie", "auth_token=token-of-bob")]);
        }
        Ok(())
    })
    .await
}
