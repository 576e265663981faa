//! Run with `cargo run --example mixed_routes`.
//!
//! An application inside another one, as Hono's inside Astro's: the site opens a connection for each request to the API
//! below it and leaves its own pages untouched. The API finds that connection though nobody passes it, and opens its
//! own where there is none, so that it also works alone.

mod shared;

use std::{
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
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

/// A connection to the database, for one request.
struct Connection {
    number: u64,
    opened_by: &'static str,
    queries: AtomicU64,
}

impl Connection {
    async fn open(opened_by: &'static str) -> Arc<Self> {
        static OPENED: AtomicU64 = AtomicU64::new(0);
        yield_now().await; // a pool would be awaited here
        Arc::new(Self { number: OPENED.fetch_add(1, Relaxed) + 1, opened_by, queries: AtomicU64::new(0) })
    }

    /// The request's connection. The first who asks opens it, unless the site has.
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

/// The inner application: reuses the context that it is called in, and makes one where there is none.
pub(crate) fn api() -> Router {
    Router::new().route("/cats", get(cats)).layer(RequestContextLayer::default().nesting(Nesting::Reuse))
}

async fn open_connection(request: Request, next: Next) -> Result<Response, ContextError> {
    RequestContext::set(Connection::open("the site").await)?;
    Ok(next.run(request).await)
}

/// The outer application, beside whose API the same one stands alone.
pub(crate) fn app() -> Router {
    let connected = api().layer(from_fn(open_connection)).layer(RequestContextLayer::default());
    Router::new().route("/about", get(about)).nest("/api", connected).nest("/alone", api())
}

#[tokio::main]
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        for path in ["/about", "/api/cats", "/alone/cats"] {
            visitor.get(path, &[]).await?;
            visitor.invite(path, &[]);
        }
        Ok(())
    })
    .await
}
