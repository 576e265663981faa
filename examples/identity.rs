//! Run with `cargo run --example identity`.
//!
//! When to trust a header that carries the user id, and when to reject the request. A proxy has authenticated the user
//! and sends the id in `x-user-id`. This is secure only if clients cannot bypass the proxy, and if the proxy removes
//! that header and its aliases from their requests. An alias is a name that some servers treat as the same name. The
//! proxy may fail to remove them. So this example rejects an alias, a second line, and a value that is not in the usual
//! form. It also rejects the header from any peer but the proxy.

mod shared;

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ConnectInfo,
    http::{HeaderName, StatusCode, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use tower_request_context::{RequestContext, RequestContextLayer};

use self::shared::Demo;

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct UserId(u64);

/// Returns whether the peer is the proxy. Real proxies also authenticate, by mutual TLS or a signed token.
fn is_proxy(request: &Parts) -> bool {
    request.extensions.get().is_some_and(|ConnectInfo(peer): &ConnectInfo<SocketAddr>| peer.ip().is_loopback())
}

/// Returns the user that the proxy names, or `None` for an anonymous request. Returns an error if the client may have
/// tried to choose the user itself.
pub(crate) fn user_of(request: &mut Parts) -> Result<Option<UserId>, StatusCode> {
    let dashed = |name: &HeaderName| name.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let is_alias = |name: &HeaderName| *name != USER_ID && dashed(name) == USER_ID.as_str();
    if request.headers.keys().any(is_alias) {
        return Err(StatusCode::BAD_REQUEST);
    }
    let mut values = request.headers.get_all(USER_ID).iter();
    let (value, None) = (values.next(), values.next()) else { return Err(StatusCode::BAD_REQUEST) };
    let Some(value) = value else { return Ok(None) };
    if !is_proxy(request) {
        return Err(StatusCode::FORBIDDEN);
    }
    // Only the canonical spelling of a number: without white space, sign or leading zeros.
    let id = value.to_str().ok().and_then(|text| text.parse().ok().filter(|id: &u64| id.to_string() == text));
    let id = id.ok_or(StatusCode::BAD_REQUEST)?;
    if let Some(value) = request.headers.get_mut(USER_ID) {
        value.set_sensitive(true); // so that `Debug` of the request does not print it
    }
    Ok(Some(UserId(id)))
}

async fn hello() -> String {
    match RequestContext::get::<UserId>() {
        Some(UserId(id)) => format!("hello, user {id}"),
        None => String::from("hello, stranger"),
    }
}

pub(crate) fn app() -> Router {
    #[allow(clippy::result_large_err, reason = "a rejection is a response")]
    let context = RequestContextLayer::new(|store, request| {
        if let Some(user) = user_of(request).map_err(IntoResponse::into_response)? {
            store.insert(user);
        }
        Ok::<_, Response>(())
    });
    Router::new().route("/", get(hello)).layer(context)
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let app = app().into_make_service_with_connect_info::<SocketAddr>(); // for `is_proxy`
    let server = axum::serve(listener, app).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        client.get("/", &[("x-user-id", "7")]).await?;
        client.get("/", &[]).await?;
        client.get("/", &[("x_user_id", "1"), ("x-user-id", "7")]).await?;
        client.get("/", &[("x-user-id", "7"), ("x-user-id", "1")]).await?;
        client.suggest("/", &[("x-user-id", "7")]);
        client.suggest("/", &[("x.user.id", "1")]);
        Ok(())
    })
    .await
}
