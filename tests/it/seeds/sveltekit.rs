//! `SvelteKit`'s example: a `handle` hook that looks up the user of a cookie, and a getter for any module.

use std::{collections::HashMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
    routing::get,
};
use futures_util::future::join;
use http::{HeaderMap, HeaderValue, StatusCode, Version, header::COOKIE};
use tokio::sync::Barrier;
use tower_request_context::{ContextError, RequestContext, RequestContextLayer};

use crate::support::{VERSIONS, client, in_time, request, serve, text};

#[derive(Clone, Debug, PartialEq)]
struct User {
    name: &'static str,
}

/// The result of the hook. An anonymous request has a value, too.
#[derive(Clone, Debug, PartialEq)]
struct Locals {
    user: Option<User>,
}

/// The users by token. Each look-up waits until `lookups` of them run at the same time.
struct Sessions {
    users: HashMap<&'static str, User>,
    lookups: Barrier,
}

impl Sessions {
    fn new(lookups: usize) -> Arc<Self> {
        let users = [("token-of-ann", User { name: "ann" }), ("token-of-bob", User { name: "bob" })];
        Arc::new(Self { users: users.into(), lookups: Barrier::new(lookups) })
    }

    async fn user_of(&self, token: &str) -> Option<User> {
        self.lookups.wait().await;
        self.users.get(token).cloned()
    }
}

/// The hook of `hooks.server.ts`.
async fn handle(
    State(sessions): State<Arc<Sessions>>,
    headers: HeaderMap,
    request: Request,
    next: Next,
) -> Result<Response, StatusCode> {
    let user = match auth_token(&headers) {
        Some(token) => sessions.user_of(token).await,
        None => None,
    };
    RequestContext::set(Locals { user })?;
    Ok(next.run(request).await)
}

/// The getter for any module.
fn locals() -> Option<Locals> {
    RequestContext::get()
}

mod page {
    pub(super) async fn load() -> String {
        format!("posts of {}", super::posts::author().await)
    }
}

mod posts {
    pub(super) async fn author() -> &'static str {
        tokio::task::yield_now().await;
        super::audit::actor()
    }
}

mod audit {
    use super::{Locals, locals};

    pub(super) fn actor() -> &'static str {
        match locals() {
            Some(Locals { user: Some(user) }) => user.name,
            Some(Locals { user: None }) => "a guest",
            None => "no request",
        }
    }
}

// S1
#[tokio::test]
async fn each_request_has_a_fresh_context() {
    #[derive(Clone, Debug)]
    struct Draft(String);

    let both_wrote = Arc::new(Barrier::new(2));
    let app = Router::new().fallback(async move |request: Request| {
        assert!(!RequestContext::contains::<Draft>());
        RequestContext::set(Draft(request.uri().path().into())).unwrap();
        both_wrote.wait().await;
        RequestContext::expect::<Draft>().0
    });
    let address = serve(app.layer(RequestContextLayer::default())).await;

    for version in VERSIONS {
        let client = client(version);
        let ask = async |path| text(client.request(request(address, path, None)).await.unwrap()).await;
        for _ in 0..2 {
            assert_eq!(in_time(join(ask("/one"), ask("/two"))).await, ("/one".into(), "/two".into()));
        }
    }
}

// S2, S4
#[tokio::test]
async fn modules_read_the_awaited_user_without_an_argument() {
    let address = serve(app(Sessions::new(2))).await;
    let ann = load(address, Some("theme=dark; auth_token=token-of-ann"));
    let bob = load(address, Some("auth_token=token-of-bob; theme=light"));
    assert_eq!(in_time(join(ann, bob)).await, ("posts of ann".into(), "posts of bob".into()));
}

// S3
#[tokio::test]
async fn missing_or_unknown_token_stores_no_user() {
    let address = serve(app(Sessions::new(1))).await;
    assert_eq!(load(address, None).await, "posts of a guest");
    assert_eq!(load(address, Some("theme=dark")).await, "posts of a guest");
    assert_eq!(load(address, Some("auth_token=token-of-nobody")).await, "posts of a guest");
}

// S5
#[tokio::test]
async fn outside_a_request_the_getter_is_none_and_set_is_an_error() {
    assert_eq!(locals(), None);
    assert_eq!(page::load().await, "posts of no request");
    assert_eq!(RequestContext::set(Locals { user: None }), Err(ContextError::NoContext));
    assert!(ContextError::NoContext.to_string().starts_with("no request context is current"));
}

fn app(sessions: Arc<Sessions>) -> Router {
    Router::new()
        .route("/", get(page::load))
        .layer(from_fn_with_state(sessions, handle))
        .layer(RequestContextLayer::default())
}

fn auth_token(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("auth_token="))
}

async fn load(address: SocketAddr, cookie: Option<&'static str>) -> String {
    let mut request = request(address, "/", None);
    request.headers_mut().extend(cookie.map(|cookie| (COOKIE, HeaderValue::from_static(cookie))));
    text(client(Version::HTTP_11).request(request).await.expect("the server responds")).await
}
