//! Run with `cargo run --example nested_routers`.
//!
//! A router inside another one, twice. Under `/api`, the outer application opens a database connection for each
//! request, and the inner application reuses it without receiving it as an argument. Under `/alone`, the outer
//! application sets no context, so the inner one opens its own connection. The pages of the outer application have no
//! context. A port of a Hono application inside an Astro site.

mod shared;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use tokio::task::yield_now;
use tower_request_context::{ContextError, Nesting, RequestContext, RequestContextLayer};

use self::shared::Demo;

/// A connection to the database, for one request.
struct Connection {
    number: u64,
    opened_by: &'static str,
    queries: AtomicU64,
}

impl Connection {
    async fn open(opened_by: &'static str) -> Arc<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        yield_now().await; // stands for a pool
        Arc::new(Self { number: OPENED.fetch_add(1, Relaxed) + 1, opened_by, queries: AtomicU64::new(0) })
    }

    /// Returns the connection of the request. The first call opens it, unless the outer application has set one.
    async fn current() -> Arc<Self> {
        RequestContext::get_or_init(async || Self::open("the API").await).await
    }

    async fn query(&self) {
        yield_now().await;
        self.queries.fetch_add(1, Relaxed);
    }
}

async fn cats() -> String {
    load_cats().await;
    load_owners().await;
    let Connection { number, opened_by, queries } = &*Connection::current().await;
    format!("connection {number}, opened by {opened_by}: {} queries", queries.load(Relaxed))
}

async fn load_cats() {
    Connection::current().await.query().await;
}

async fn load_owners() {
    Connection::current().await.query().await;
}

async fn about() -> String {
    format!("in a context: {}", RequestContext::is_active())
}

/// The inner application. It reuses the context of the outer application, and creates one where there is none.
pub(crate) fn api() -> Router {
    Router::new().route("/cats", get(cats)).layer(RequestContextLayer::default().nesting(Nesting::Reuse))
}

async fn open_connection(request: Request, next: Next) -> Result<Response, ContextError> {
    RequestContext::set(Connection::open("the site").await)?;
    Ok(next.run(request).await)
}

/// The outer application, which nests the API twice: with a connection, and without one.
pub(crate) fn app() -> Router {
    let connected = api().layer(from_fn(open_connection)).layer(RequestContextLayer::default());
    Router::new().route("/about", get(about)).nest("/api", connected).nest("/alone", api())
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = axum::serve(listener, app()).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        for path in ["/about", "/api/cats", "/alone/cats"] {
            client.get(path, &[]).await?;
            client.suggest(path, &[]);
        }
        Ok(())
    })
    .await
}
