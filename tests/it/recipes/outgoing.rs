//! `recipes::propagation`: the body, the context and the redirects of outgoing requests.

use std::convert::Infallible;

use axum::{
    Router,
    body::Body,
    routing::{get, post},
};
use futures_util::{StreamExt, stream};
use http::Request;
use tokio::sync::mpsc::unbounded_channel;
use tower::{Layer, ServiceExt};
use tower_request_context::{Nesting, RequestContext, RequestContextLayer, Store};

use crate::support::{User, VERSIONS, cargo, client, in_time, request, serve, text};

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

/// Cargo builds these tests in a separate run. As default members of the workspace, they would add the dependencies of
/// tower-http's `follow-redirect` to the first run of an example.
#[test]
fn an_allow_list_below_redirects_keeps_headers_from_other_hosts() {
    let output = cargo(&["test", "--quiet", "--package", "tower-request-context-redirects"]);
    assert!(output.contains("2 passed"), "{output}");
}
