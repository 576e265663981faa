//! The application: a layer learns who asks, and whatever runs below it can tell.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use futures_util::{StreamExt, stream};
use tower_request_context::{ContextError, RequestContext, RequestContextLayer};

use crate::shared::single_header;

/// Who asks: seeded by the layer.
#[derive(Clone, Copy)]
pub(crate) struct UserId(pub(crate) u32);

/// Whose data they see: set later, by a middleware that had to look it up.
#[derive(Clone)]
struct Shop(String);

pub(crate) fn app(self_test: Router) -> Router {
    let context = RequestContextLayer::new(|store, request| {
        // Trusted only because this is a demo: anybody can send this header. Identity must never be taken from a header
        // without proof of the sender, such as a signed token or a session that the server itself has issued.
        if let Some(Ok(id)) = single_header(&request.headers, "x-user-id").map(str::parse) {
            store.insert(UserId(id));
        }
    });
    Router::new().route("/", get(hello)).merge(self_test).layer(from_fn(look_up_shop)).layer(context)
}

/// Four readers, and nothing is passed to any of them.
pub(crate) async fn hello() -> Body {
    let handler = whoami();
    let service = list_orders().await;
    let task = RequestContext::spawn(async { whoami() }).await.expect("`whoami` does not panic");
    streamed([line("handler", handler), line("service", service), line("task", task)], whoami)
}

async fn list_orders() -> Option<String> {
    load_orders().await
}

async fn load_orders() -> Option<String> {
    query("select * from orders where shop = ?").await
}

/// The third call below the handler, where a database would be awaited.
async fn query(_sql: &str) -> Option<String> {
    tokio::task::yield_now().await;
    whoami()
}

/// A body with a line that is written while it is sent, when the handler has long returned.
pub(crate) fn streamed<const N: usize>(lines: [String; N], whoami: fn() -> Option<String>) -> Body {
    let last = stream::once(async move { line("body", whoami()) });
    Body::from_stream(stream::iter(lines).chain(last).map(Ok::<_, Infallible>))
}

fn whoami() -> Option<String> {
    let UserId(id) = RequestContext::get()?;
    let Shop(shop) = RequestContext::get()?;
    Some(format!("{id}@{shop}"))
}

pub(crate) fn line(reader: &str, seen: Option<String>) -> String {
    let seen = seen.unwrap_or_else(|| String::from("nobody"));
    format!("{reader}: {seen}\n")
}

async fn look_up_shop(request: Request, next: Next) -> Result<Response, ContextError> {
    if let Some(UserId(id)) = RequestContext::get() {
        RequestContext::set(Shop(format!("shop{id}")))?;
    }
    Ok(next.run(request).await)
}
