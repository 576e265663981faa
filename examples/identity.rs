//! Run with `cargo run --example identity`.
//!
//! Who the user is, from a proxy that has authenticated them and says so in `x-user-id`. That is only sound where the
//! proxy is the only way in, and it fails in known ways otherwise: a client sends the header itself, sends it twice, or
//! sends an alias of it that some server on the way takes for the same name.

mod shared;

use std::{net::SocketAddr, process::ExitCode};

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderName, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_request_context::{RequestContext, RequestContextLayer};

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UserId(u64);

/// Where the proxy connects from. Real ones also prove who they are, by mutual TLS or a signed token.
fn is_proxy(request: &Parts) -> bool {
    request.extensions.get().is_some_and(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip().is_loopback())
}

/// The user that the proxy names, or `None` for nobody. An `Err` says that somebody tried to be somebody else.
pub(crate) fn user_of(request: &mut Parts) -> Result<Option<UserId>, StatusCode> {
    let dashed = |name: &HeaderName| name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let is_alias = |name: &HeaderName| *name != USER_ID && dashed(name) == USER_ID.as_str();
    if request.headers.keys().any(is_alias) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut lines = request.headers.get_all(USER_ID).iter();
    let (line, None) = (lines.next(), lines.next()) else { return Err(StatusCode::BAD_REQUEST) };
    let Some(line) = line else { return Ok(None) };
    if !is_proxy(request) {
        return Err(StatusCode::FORBIDDEN);
    }
    let id = line.to_str().ok().and_then(|text| text.parse().ok().filter(|id: &u64| id.to_string() == text));
    let id = id.ok_or(StatusCode::BAD_REQUEST)?; // one spelling each: nothing is trimmed, signed or padded
    if let Some(line) = request.headers.get_mut(USER_ID) {
        line.set_sensitive(true); // whoever prints the headers of this request
    }
    Ok(Some(UserId(id)))
}

async fn hello() -> String {
    match RequestContext::get() {
        Some(UserId(id)) => format!("hello, user {id}"),
        None => String::from("hello, stranger"),
    }
}

pub(crate) fn app() -> Router {
    #[allow(clippy::result_large_err, reason = "a refusal is a response")]
    let context = RequestContextLayer::new(|store, request| {
        if let Some(user) = user_of(request).map_err(IntoResponse::into_response)? {
            store.insert(user);
        }
        Ok::<_, Response>(())
    });
    Router::new().route("/", get(hello)).layer(context)
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        visitor.get("/", &[("x-user-id", "7")]).await?;
        visitor.get("/", &[]).await?;
        visitor.get("/", &[("x_user_id", "1"), ("x-user-id", "7")]).await?;
        visitor.get("/", &[("x-user-id", "7"), ("x-user-id", "1")]).await?;
        visitor.invite("/", &[("x-user-id", "7")]);
        visitor.invite("/", &[("x.user.id", "1")]);
        Ok(())
    })
    .await
}
