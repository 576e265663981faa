//! Which routes a layer covers, and nested layers.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    extract::Request,
    http::HeaderValue,
    middleware::{Next, from_fn},
    response::Response,
    routing::{get, post},
};
use futures_util::stream;
use http::StatusCode;
use tower_request_context::{Nesting, RequestContext, RequestContextLayer};

use super::Site;
use crate::support::{User, VERSIONS, in_time, layer, text};

/// A value that the inner layer inserts.
#[derive(Clone)]
struct Tenant(&'static str);

/// A value that the inner handler sets.
struct Mark;

#[tokio::test]
async fn layer_covers_fallbacks_and_route_layer_does_not() {
    let router = || {
        Router::new()
            .route("/known", get(async || User::name()))
            .route("/posted", post(async || ()))
            .fallback(async || (StatusCode::NOT_FOUND, User::name()))
            .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, User::name()))
    };
    let responses =
        |known, posted, unknown| [("/known", 200_u16, known), ("/posted", 405, posted), ("/unknown", 404, unknown)];
    for version in VERSIONS {
        for (app, responses) in [
            (router().layer(layer()), responses("user 1", "user 1", "user 1")),
            (router().route_layer(layer()), responses("user 1", "user 1", "nobody")),
            (router(), responses("nobody", "nobody", "nobody")),
        ] {
            let site = Site::open(app, version).await;
            for (path, status, body) in responses {
                let response = site.get(path, Some(User(1))).await;
                assert_eq!(response, (StatusCode::from_u16(status).unwrap(), body.to_owned()), "{path} {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn nested_router_follows_the_nesting_of_its_layer() {
    let table = [
        (Nesting::Override, "nobody of the inner tenant", "mark: false"),
        (Nesting::Inherit, "user 1 of the inner tenant", "mark: false"),
        (Nesting::Reuse, "user 1 of no tenant", "mark: true"),
    ];
    for version in VERSIONS {
        for (nesting, inside, outside) in table {
            let nested = Router::new().nest("/inner", tenants("/cats", nesting));
            let merged = Router::new().route("/", get(async || ())).merge(tenants("/inner/cats", nesting));
            for app in [nested, merged] {
                let site = Site::open(app.layer(from_fn(report_mark)).layer(layer()), version).await;
                let response = site.send("/inner/cats", Some(User(1))).await;
                assert_eq!(response.headers()["x-outside"], outside, "{nesting:?} {version:?}");
                assert_eq!(in_time(text(response)).await, format!("{inside}, {inside}"), "{nesting:?} {version:?}");
            }
        }
    }
}

fn tenants(path: &str, nesting: Nesting) -> Router {
    let layer = RequestContextLayer::new(|store, _| {
        store.insert(Tenant("the inner tenant"));
    });
    Router::new().route(path, get(cats)).layer(layer.nesting(nesting))
}

/// Responds with the values that the handler reads, and then those that the body reads.
async fn cats() -> Body {
    let seen = || {
        let tenant = RequestContext::get().map_or("no tenant", |Tenant(name)| name);
        format!("{} of {tenant}", User::name())
    };
    let handler = seen();
    RequestContext::set(Mark).unwrap();
    Body::from_stream(stream::once(async move { Ok::<_, Infallible>(format!("{handler}, {}", seen())) }))
}

/// Runs between the two layers, in the outer one's context.
async fn report_mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let report = format!("mark: {}", RequestContext::contains::<Mark>());
    response.headers_mut().insert("x-outside", HeaderValue::try_from(report).unwrap());
    response
}
