//! How gRPC calls end, under tonic's own server and under axum.

use axum::Router;
use http::request::Parts;
use tonic::{
    service::Routes,
    transport::{Channel, Server},
};
use tower_request_context::{RequestContextLayer, Store};

use super::row::register_reports;
use crate::{
    recorder::{Recorder, Reports, recorder},
    support::{User, in_time, serve},
    with_tonic::{
        client::{call, open},
        connect,
        echo::{Echo, Method},
    },
};

const USER: Option<User> = Some(User(7));

#[tokio::test]
async fn a_successful_call_is_completed() {
    for (channel, mut reports) in stacks().await {
        for method in Method::ALL {
            assert_eq!(in_time(call(&channel, method, USER, &["one", "two"])).await.unwrap().len(), 2, "{method:?}");
            assert_eq!(reports.until("value").await, ends("Completed"), "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

#[tokio::test]
async fn a_call_with_an_error_status_is_completed() {
    for (channel, mut reports) in stacks().await {
        for method in Method::ALL {
            in_time(call(&channel, method, USER, &["fail"])).await.unwrap_err();
            assert_eq!(reports.until("value").await, ends("Completed"), "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

#[tokio::test]
async fn a_call_with_an_error_status_in_its_trailers_is_completed() {
    for (channel, mut reports) in stacks().await {
        for method in [Method::ServerStreaming, Method::Bidirectional] {
            let mut responses = in_time(open(&channel, method, USER, &["one", "fail"])).await.unwrap();
            assert!(in_time(responses.message()).await.unwrap().is_some(), "{method:?}");
            in_time(responses.message()).await.unwrap_err();
            assert_eq!(reports.until("value").await, ends("Completed"), "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

/// The channel can be used afterwards.
#[tokio::test]
async fn a_call_cancelled_by_its_client_is_cancelled() {
    for (channel, mut reports) in stacks().await {
        for method in Method::ALL {
            tokio::select! {
                returned = call(&channel, method, USER, &["one", "hold"]) => panic!("returned: {returned:?}"),
                begun = reports.until("holding") => assert_eq!(begun, ["called: user 7", "holding: user 7"]),
            }
            assert_eq!(reports.until("value").await, ends("Cancelled")[1..], "{method:?}");
        }
        in_time(call(&channel, Method::Unary, USER, &["one"])).await.unwrap();
        assert_eq!(reports.until("value").await, ends("Completed"));
        assert!(reports.is_empty());
    }
}

#[tokio::test]
async fn a_response_stream_dropped_by_its_client_is_cancelled() {
    for (channel, mut reports) in stacks().await {
        for method in [Method::ServerStreaming, Method::Bidirectional] {
            let mut responses = in_time(open(&channel, method, USER, &["one", "hold"])).await.unwrap();
            assert!(in_time(responses.message()).await.unwrap().is_some(), "{method:?}");
            assert_eq!(reports.until("holding").await, ["called: user 7", "holding: user 7"], "{method:?}");
            drop(responses);
            assert_eq!(reports.until("value").await, ends("Cancelled")[1..], "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

/// Returns all reports of a call.
fn ends(end: &str) -> [String; 4] {
    ["called: user 7", "dropped: user 7", &format!("{end}: user 7"), "value: nobody"].map(String::from)
}

async fn stacks() -> [(Channel, Reports); 2] {
    let (tonic_recorder, tonic_reports) = recorder();
    let (echo, layer) = (Echo::new(tonic_recorder.clone(), 1), reporting_layer(tonic_recorder));
    let tonic =
        connect(|incoming| Server::builder().layer(layer).add_service(echo).serve_with_incoming(incoming)).await;

    let (axum_recorder, axum_reports) = recorder();
    let app: Router = Routes::new(Echo::new(axum_recorder.clone(), 1)).into_axum_router();
    let address = serve(app.layer(reporting_layer(axum_recorder))).await;
    let axum = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    [(tonic, tonic_reports), (axum, axum_reports)]
}

fn reporting_layer(recorder: Recorder) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store: &mut Store, parts: &mut Parts| {
        assert!(register_reports(store, parts, &recorder));
    })
}
