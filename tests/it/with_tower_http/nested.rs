//! A second context layer in the stack, and a setup that rejects requests outside layers that change the body.

use std::convert::Infallible;

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get,
};
use futures_util::stream;
use http::{HeaderValue, Response, StatusCode, header::CONTENT_ENCODING, request::Parts};
use http_body_util::{BodyExt, Full};
use tower::ServiceBuilder;
use tower_http::compression::CompressionLayer;
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use super::{
    app::{Served, app},
    trace::trace,
};
use crate::{
    recorder::recorder,
    support::{Setup, User, in_time, layer, text},
};

/// A value that only the inner layer inserts.
#[derive(Clone)]
struct Tenant(&'static str);

fn seen() -> String {
    let tenant = RequestContext::get().map_or("no tenant", |Tenant(name)| name);
    format!("{} of {tenant}", User::name())
}

/// Returns what the handler sees, then, after it has set another user, what its body and the code between the layers
/// see.
async fn nested(nesting: Nesting) -> [String; 3] {
    let handler = async || {
        let handler = seen();
        RequestContext::set(User(8)).unwrap();
        let body = stream::once(async { Ok::<_, Infallible>(seen()) });
        ([("x-handler", handler)], Body::from_stream(body))
    };
    let inner: Setup = |store, _| {
        store.insert(Tenant("acme"));
    };
    let between = |mut response: Response<_>| {
        response.headers_mut().insert("x-between", HeaderValue::try_from(seen()).unwrap());
        response
    };
    let stack = ServiceBuilder::new()
        .layer(layer())
        .map_response(between)
        .layer(RequestContextLayer::new(inner).nesting(nesting));
    let served = Served::start(Router::new().route("/", get(handler)).layer(stack)).await;

    let response = served.get("/", Some(User(7))).await;
    let header = |name| response.headers()[name].to_str().unwrap().to_owned();
    let (handler, between) = (header("x-handler"), header("x-between"));
    [handler, in_time(text(response)).await, between]
}

#[tokio::test]
async fn second_layer_with_override_starts_from_its_own_store() {
    assert_eq!(nested(Nesting::Override).await, ["nobody of acme", "user 8 of acme", "user 7 of no tenant"]);
}

#[tokio::test]
async fn second_layer_with_inherit_reads_the_first_layers_values() {
    assert_eq!(nested(Nesting::Inherit).await, ["user 7 of acme", "user 8 of acme", "user 7 of no tenant"]);
}

#[tokio::test]
async fn second_layer_with_reuse_shares_the_first_context() {
    assert_eq!(nested(Nesting::Reuse).await, ["user 7 of no tenant", "user 8 of no tenant", "user 8 of no tenant"]);
}

/// Rejects anonymous requests, with a body of its own type.
fn rejecting<B>(
    body: fn(&'static str) -> B,
) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) -> Result<(), Response<B>> + Clone> {
    RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| {
        let rejection = || Response::builder().status(StatusCode::UNAUTHORIZED).body(body("who are you?")).unwrap();
        store.insert(User::of(head).ok_or_else(rejection)?);
        Ok(())
    })
}

#[tokio::test]
async fn rejection_body_type_is_independent_of_inner_layers() {
    let ((handlers, mut reports), (callbacks, mut traced)) = (recorder(), recorder());
    let changing = || {
        let inheriting = layer().nesting(Nesting::Inherit);
        ServiceBuilder::new().layer(trace(&callbacks)).layer(inheriting).layer(CompressionLayer::new())
    };
    let full = ServiceBuilder::new().layer(rejecting(Full::<Bytes>::from)).layer(changing());
    let axum = ServiceBuilder::new().layer(rejecting(Body::from)).layer(changing());
    for app in [app(handlers.clone()).layer(full), app(handlers).layer(axum)] {
        let served = Served::start(app).await;
        let response = served.get("/stream", None).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(in_time(text(response)).await, "who are you?");
        assert!(traced.is_empty() && reports.is_empty());

        let response = served.get("/stream", Some(User(7))).await;
        assert_eq!(response.headers()[CONTENT_ENCODING], "gzip");
        in_time(response.collect()).await.unwrap();
        assert_eq!(reports.until("body dropped").await[0], "frame: user 7");
        assert_eq!(traced.until("on_eos").await[0], "make_span: user 7");
    }
}
