//! The application: a layer that inserts the user, and four readers that receive no argument.

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

/// The user of a request. The layer inserts it.
#[derive(Clone, Copy)]
pub(crate) struct UserId(pub(crate) u32);

/// The shop of that user. Middleware looks it up and sets it.
#[derive(Clone)]
struct Shop(String);

pub(crate) fn app(self_test: Router) -> Router {
    let context = RequestContextLayer::new(|store, request| {
        // Trusted only because this is a demo: any client can send this header. Take an identity from a header only if a
        // proxy that you control sets it and clients cannot bypass that proxy. Otherwise verify a token, or look up a
        // session.
        if let Some(Ok(id)) = single_header(&request.headers, "x-user-id").map(str::parse) {
            store.insert(UserId(id));
        }
    });
    Router::new().route("/", get(hello)).merge(self_test).layer(from_fn(look_up_shop)).layer(context)
}

async fn look_up_shop(request: Request, next: Next) -> Result<Response, ContextError> {
    if let Some(UserId(id)) = RequestContext::get() {
        RequestContext::set(Shop(format!("shop{id}")))?;
    }
    Ok(next.run(request).await)
}

/// Responds with the user that each of four readers found.
pub(crate) async fn hello() -> Body {
    let handler = user_and_shop();
    let service = list_orders().await;
    let task = RequestContext::spawn(async { user_and_shop() }).await.expect("`user_and_shop` does not panic");
    streamed([line("handler", handler), line("service", service), line("task", task)], user_and_shop)
}

async fn list_orders() -> Option<String> {
    load_orders().await
}

async fn load_orders() -> Option<String> {
    query("select * from orders where shop = ?").await
}

/// The third call below the handler, where a real application awaits a database.
async fn query(_sql: &str) -> Option<String> {
    tokio::task::yield_now().await;
    user_and_shop()
}

fn user_and_shop() -> Option<String> {
    let UserId(id) = RequestContext::get()?;
    let Shop(shop) = RequestContext::get()?;
    Some(format!("{id}@{shop}"))
}

/// Returns a body whose last line is created while the body is sent, after the handler has returned.
pub(crate) fn streamed<const N: usize>(lines: [String; N], read: fn() -> Option<String>) -> Body {
    let last = stream::once(async move { line("body", read()) });
    Body::from_stream(stream::iter(lines).chain(last).map(Ok::<_, Infallible>))
}

pub(crate) fn line(reader: &str, seen: Option<String>) -> String {
    let seen = seen.unwrap_or_else(|| String::from("none"));
    format!("{reader}: {seen}\n")
}
