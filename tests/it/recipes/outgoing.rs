//! `recipes::propagation`: the body, the context and the redirects of outgoing requests.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    response::Redirect,
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request};
use tokio::sync::mpsc::unbounded_channel;
use tower::{Layer, ServiceBuilder, ServiceExt, util::MapRequestLayer};
use tower_http::follow_redirect::FollowRedirectLayer;
use tower_request_context::{HeaderPropagator, Nesting, RequestContext, RequestContextLayer, Store};

use crate::support::{User, VERSIONS, client, in_time, request, serve, text};

#[tokio::test]
async fn a_carried_body_reads_the_context_of_its_caller() {
    let address = serve(Router::new().route("/", post(async |body: String| body))).await;
    let context = RequestContext::new(Store::new().with_value(User(7)));
    let body = || {
        let frames =
            stream::iter([(); 2]).map(|()| Ok::<_, Infallible>(format!("{:?} ", RequestContext::get::<User>())));
        Body::from_stream(frames)
    };
    for version in VERSIONS {
        for (body, expected) in [
            (context.sync_scope(|| Body::new(RequestContext::carry(body()))), "Some(User(7)) Some(User(7)) "),
            (body(), "None None "),
        ] {
            let request = Request::post(format!("http://{address}/")).version(version).body(body).unwrap();
            let response = in_time(context.scope(client(version).request(request))).await.unwrap();
            assert_eq!(text(response).await, expected, "{version:?}");
        }
    }
}

#[tokio::test]
async fn an_outgoing_request_is_cancelled_if_its_body_is_not_read() {
    let address = serve(Router::new().route("/", get(async || "Tom"))).await;
    let (sender, mut ended) = unbounded_channel();
    let layer = RequestContextLayer::new(move |store, _| {
        let sender = sender.clone();
        store.on_end(move |end| sender.send(format!("{end:?} {:?}", RequestContext::get::<User>())).unwrap());
    });
    let context = RequestContext::new(Store::new().with_value(User(7)));
    for version in VERSIONS {
        let client = layer.clone().nesting(Nesting::Inherit).layer(client(version));
        let send = || context.scope(client.clone().oneshot(request(address, "/", None)));
        drop(in_time(send()).await.unwrap());
        assert_eq!(in_time(ended.recv()).await.unwrap(), "Cancelled Some(User(7))", "{version:?}");
        assert_eq!(text(in_time(send()).await.unwrap()).await, "Tom");
        assert_eq!(in_time(ended.recv()).await.unwrap(), "Completed Some(User(7))", "{version:?}");
    }
}

#[tokio::test]
async fn an_allow_list_below_redirects_keeps_headers_from_other_hosts() {
    let (saw, mut seen) = unbounded_channel();
    let log = saw.clone();
    let target = serve(Router::new().route(
        "/",
        get(async move |headers: HeaderMap| {
            log.send(headers.contains_key("x-tenant")).unwrap();
        }),
    ));
    let redirect = format!("http://localhost:{}/", target.await.port());
    let source = serve(Router::new().route(
        "/",
        get(async move |headers: HeaderMap| {
            saw.send(headers.contains_key("x-tenant")).unwrap();
            Redirect::temporary(&redirect)
        }),
    ));
    let source = source.await;

    let propagation = HeaderPropagator::new(["x-tenant"]);
    let (mut store, headers) =
        (Store::new(), HeaderMap::from_iter([("x-tenant".parse().unwrap(), "7".parse().unwrap())]));
    propagation.extract_trusted(&mut store, &headers);
    let context = RequestContext::new(store);
    let everywhere = propagation.clone();
    let everywhere = MapRequestLayer::new(move |mut request: Request<Body>| {
        everywhere.inject(request.headers_mut());
        request
    });
    let inside = MapRequestLayer::new(move |mut request: Request<Body>| {
        if request.uri().host() == Some("127.0.0.1") {
            propagation.inject(request.headers_mut());
        }
        request
    });
    for version in VERSIONS {
        let leaking =
            ServiceBuilder::new().layer(everywhere.clone()).layer(FollowRedirectLayer::new()).service(client(version));
        in_time(context.scope(leaking.oneshot(request(source, "/", None)))).await.unwrap();
        assert_eq!((seen.recv().await, seen.recv().await), (Some(true), Some(true)), "{version:?}");

        let safe =
            ServiceBuilder::new().layer(FollowRedirectLayer::new()).layer(inside.clone()).service(client(version));
        in_time(context.scope(safe.oneshot(request(source, "/", None)))).await.unwrap();
        assert_eq!((seen.recv().await, seen.recv().await), (Some(true), Some(false)), "{version:?}");
    }
}
