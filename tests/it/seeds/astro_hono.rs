//! Astro's middleware outside a Hono application: the inner framework reads the values of the outer one.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
    routing::get,
};
use http::{StatusCode, Version};
use http_body::Body as _;
use tower_request_context::{RequestContext, RequestContextLayer};

use crate::support::{User, client, layer, request, serve, text};

/// A request's connection to the database. The tests compare its identity, not only its contents.
struct Connection {
    opened_by: &'static str,
}

impl Connection {
    fn open(opened_by: &'static str) -> Arc<Self> {
        Arc::new(Self { opened_by })
    }

    /// Returns the connection of the request, or a new one without a context.
    fn current() -> Arc<Self> {
        RequestContext::get().unwrap_or_else(|| Self::open("hono"))
    }
}

/// Astro's middleware, which opens the connection for everything below it.
async fn on_request(request: Request, next: Next) -> Result<Response, StatusCode> {
    RequestContext::set(Connection::open("astro"))?;
    Ok(next.run(request).await)
}

/// Hono's middleware, which copies the connection to its own variables: `c.set('db', db)`.
async fn set_variable(mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Connection::current());
    next.run(request).await
}

fn hono() -> Router {
    Router::new()
        .route("/opened-by", get(async || Connection::current().opened_by))
        .route(
            "/same",
            get(async |Extension(variable): Extension<Arc<Connection>>| {
                Arc::ptr_eq(&variable, &Connection::current()).to_string()
            }),
        )
        .layer(from_fn(set_variable))
}

fn astro() -> Router {
    Router::new().nest("/api", hono()).layer(from_fn(on_request)).layer(RequestContextLayer::default())
}

// H1
#[tokio::test]
async fn routes_without_the_layer_are_unchanged() {
    let with = Router::new().route("/api/user", get(async || User::name())).layer(layer());
    let without = Router::new()
        .route("/logo", get(async || ([("etag", "\"1\"")], "<svg/>")))
        .route("/active", get(async || RequestContext::is_active().to_string()));
    let address = serve(with.merge(without)).await;

    assert_eq!(ask(address, "/api/user").await, "user 7");
    assert_eq!(ask(address, "/active").await, "false");
    let logo = client(Version::HTTP_11).request(request(address, "/logo", Some(User(7)))).await.unwrap();
    assert_eq!((logo.status(), logo.body().size_hint().exact()), (StatusCode::OK, Some(6)));
    assert_eq!((&logo.headers()["etag"], &logo.headers()["content-length"]), (&"\"1\"".parse().unwrap(), &6.into()));
    assert_eq!(text(logo).await, "<svg/>");
}

// H2
#[tokio::test]
async fn inner_application_reads_the_outer_connection() {
    assert_eq!(ask(serve(astro()).await, "/api/opened-by").await, "astro");
}

// H3
#[tokio::test]
async fn inner_application_opens_a_connection_without_a_context() {
    assert_eq!(ask(serve(hono()).await, "/opened-by").await, "hono");
    assert_eq!(ask(serve(hono().layer(layer())).await, "/opened-by").await, "hono");
}

// H4
#[tokio::test]
async fn context_and_framework_variables_hold_the_same_object() {
    assert_eq!(ask(serve(astro()).await, "/api/same").await, "true");
    assert_eq!(ask(serve(hono()).await, "/same").await, "false");
}

async fn ask(address: SocketAddr, path: &str) -> String {
    let response = client(Version::HTTP_11).request(request(address, path, Some(User(7)))).await;
    text(response.expect("the server responds")).await
}
