//! Which routes a layer covers, and layers inside layers.

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

/// What the inner layer seeds.
#[derive(Clone)]
struct Tenant(&'static str);

/// What the inner handler sets.
struct Mark;

#[tokio::test]
async fn a_layer_covers_the_fallbacks_and_a_route_layer_only_the_routes() {
    let router = || {
        Router::new()
            .route("/known", get(async || User::name()))
            .route("/posted", post(async || ()))
            .fallback(async || (StatusCode::NOT_FOUND, User::name()))
            .method_not_allowed_fallback(async || (StatusCode::METHOD_NOT_ALLOWED, User::name()))
    };
    let answers =
        |known, posted, unknown| [("/known", 200_u16, known), ("/posted", 405, posted), ("/unknown", 404, unknown)];
    for version in VERSIONS {
        for (app, answers) in [
            (router().layer(layer()), answers("user 1", "user 1", "user 1")),
            (router().route_layer(layer()), answers("user 1", "user 1", "nobody")),
            (router(), answers("nobody", "nobody", "nobody")),
        ] {
            let site = Site::open(app, version).await;
            for (path, status, body) in answers {
                let answer = site.get(path, Some(User(1))).await;
                assert_eq!(answer, (StatusCode::from_u16(status).unwrap(), body.to_owned()), "{path} {version:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_router_in_a_router_sees_and_shows_what_the_nesting_of_its_layer_says() {
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
                let site = Site::open(app.layer(from_fn(look_for_the_mark)).layer(layer()), version).await;
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

/// What the handler sees, then what the body sees.
async fn cats() -> Body {
    let sight = || {
        let tenant = RequestContext::get().map_or("no tenant", |Tenant(name)| name);
        format!("{} of {tenant}", User::name())
    };
    let handler = sight();
    RequestContext::set(Mark).unwrap();
    Body::from_stream(stream::once(async move { Ok::<_, Infallible>(format!("{handler}, {}", sight())) }))
}

/// Stands between the two layers, in the context of the outer one.
async fn look_for_the_mark(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let report = format!("mark: {}", RequestContext::contains::<Mark>());
    response.headers_mut().insert("x-outside", HeaderValue::try_from(report).unwrap());
    response
}
