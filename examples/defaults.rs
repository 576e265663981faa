//! Run with `cargo run --example defaults`.
//!
//! Default values that middleware overwrites during the request: the user is `system` until then. Three accessors read
//! the same store: a global function, a function in the application state, and an extractor. A port of
//! `defaultStoreValues` and the accessors of @fastify/request-context.

mod shared;

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

use self::shared::Demo;

#[derive(Clone)]
struct User(String);

/// The state of the application, with an accessor for the store of the current request.
#[derive(Clone)]
struct App {
    user: fn() -> Result<User, ContextError>,
}

/// Overwrites the default for everything that runs after it in this request.
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
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = axum::serve(listener, app()).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        client.get("/", &[]).await?;
        client.get("/hello/User", &[]).await?;
        client.get("/", &[]).await?;
        client.suggest("/hello/World", &[]);
        Ok(())
    })
    .await
}
