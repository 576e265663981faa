//! Places where axum or tower fix the response type. There, a layer that converts the body wraps this one.

use std::convert::Infallible;

use axum::{
    Router, ServiceExt,
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
    routing::get,
};
use http::Version;
use tokio::net::TcpListener;
use tower::{
    Layer, ServiceExt as _,
    util::{BoxCloneSyncService, MapResponseLayer, option_layer},
};

use crate::support::{User, VERSIONS, bare_request, client, in_time, layer, request, text};

fn router() -> Router {
    Router::new().route("/", get(async || User::name()))
}

fn get_root(user: u32) -> Request {
    bare_request(Some(user)).map(|()| Body::empty())
}

#[tokio::test]
async fn layer_around_a_whole_router_is_served() {
    let app = (MapResponseLayer::new(IntoResponse::into_response), layer()).layer(router());
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, ServiceExt::<Request>::into_make_service(app)).await });
    for version in VERSIONS {
        let mut request = request(address, "/", Some(User(7)));
        *request.version_mut() = version;
        let response = in_time(client(version).request(request)).await.unwrap();
        assert_eq!(text(response).await, "user 7", "{version:?}");
    }
    assert!(VERSIONS.contains(&Version::HTTP_11));
}

#[tokio::test]
async fn optional_layer_applies_only_if_present() {
    for (is_present, user) in [(true, "user 7"), (false, "nobody")] {
        let layer = (MapResponseLayer::new(IntoResponse::into_response), layer());
        let app = router().layer(option_layer(is_present.then_some(layer)));
        assert_eq!(text(app.oneshot(get_root(7)).await.unwrap()).await, user);
    }
}

#[tokio::test]
async fn boxed_service_has_axums_response_type() {
    let app = (MapResponseLayer::new(IntoResponse::into_response), layer()).layer(router());
    let app: BoxCloneSyncService<Request, Response, Infallible> = BoxCloneSyncService::new(app);
    assert_eq!(text(app.oneshot(get_root(7)).await.unwrap()).await, "user 7");
}
