//! Run with `cargo run --example fastify`.
//!
//! Defaults that a hook overwrites during the request, as @fastify/request-context has them: the user is `system` until
//! a hook knows better. Three accessors show one store: the global one, the application's and the request's.

mod shared;

use std::process::ExitCode;

use axum::{
    Router,
    extract::{Path, Request, State},
    http::uri::PathAndQuery,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use tokio::task::yield_now;
use tower_request_context::{ContextError, ContextValue, RequestContext, RequestContextLayer};

#[derive(Clone)]
struct User(String);

/// The state of the application, decorated with an accessor that leads to the store of whichever request is current.
#[derive(Clone)]
struct App {
    user: fn() -> Result<User, ContextError>,
}

/// The hook: overwrites the default for all that runs after it in this request.
async fn on_request(Path(name): Path<String>, request: Request, next: Next) -> Result<Response, ContextError> {
    RequestContext::set(User(format!("hello{name}")))?;
    Ok(next.run(request).await)
}

async fn show(State(app): State<App>, ContextValue(of_request): ContextValue<User>) -> Result<String, ContextError> {
    yield_now().await;
    let global: User = RequestContext::try_get()?;
    let path: PathAndQuery = RequestContext::try_get()?;
    Ok(format!("{path}: global {}, app {}, request {}", global.0, (app.user)()?.0, of_request.0))
}

pub(crate) fn app() -> Router {
    let defaults = RequestContextLayer::new(|store, request| {
        store.insert(User(String::from("system")));
        // Not the whole URI: over HTTP/2 it also has a scheme and an authority, over HTTP/1.1 usually not.
        if let Some(path) = request.uri.path_and_query() {
            store.insert(path.clone());
        }
    });
    let hello = Router::new().route("/hello/{name}", get(show)).route_layer(from_fn(on_request));
    Router::new().route("/", get(show)).merge(hello).with_state(App { user: RequestContext::try_get }).layer(defaults)
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        visitor.get("/", &[]).await?;
        visitor.get("/hello/User", &[]).await?;
        visitor.get("/", &[]).await?;
        visitor.invite("/hello/World", &[]);
        Ok(())
    })
    .await
}
