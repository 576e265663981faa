//! Astro's middleware around a Hono application: what the outer framework makes, the inner one reads.

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

/// A request's connection to the database: the object itself matters, not only what is in it.
struct Connection {
    opened_by: &'static str,
}

impl Connection {
    fn open(opened_by: &'static str) -> Arc<Self> {
        Arc::new(Self { opened_by })
    }

    /// The connection of the request, for any code; a new one where there is none.
    fn current() -> Arc<Self> {
        RequestContext::get().unwrap_or_else(|| Self::open("hono"))
    }
}

/// Astro's middleware opens the connection for all that is below it.
async fn on_request(request: Request, next: Next) -> Result<Response, StatusCode> {
    RequestContext::set(Connection::open("astro"))?;
    Ok(next.run(request).await)
}

/// Hono's middleware hands the same connection to its own variables: `c.set('db', db)`.
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
async fn only_some_routes_have_a_context_and_the_others_are_passed_through_untouched() {
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
async fn what_the_outer_middleware_opened_is_read_in_the_inner_application() {
    assert_eq!(ask(serve(astro()).await, "/api/opened-by").await, "astro");
}

// H3
#[tokio::test]
async fn the_inner_application_opens_its_own_where_there_is_no_context() {
    assert_eq!(ask(serve(hono()).await, "/opened-by").await, "hono");
    assert_eq!(ask(serve(hono().layer(layer())).await, "/opened-by").await, "hono");
}

// H4
#[tokio::test]
async fn the_ambient_accessor_and_the_inner_frameworks_variables_show_the_same_object() {
    assert_eq!(ask(serve(astro()).await, "/api/same").await, "true");
    assert_eq!(ask(serve(hono()).await, "/same").await, "false");
}

async fn ask(address: SocketAddr, path: &str) -> String {
    let response = client(Version::HTTP_11).request(request(address, path, Some(User(7)))).await;
    text(response.expect("the server answers")).await
}
