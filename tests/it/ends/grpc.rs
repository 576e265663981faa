//! gRPC calls: under tonic's own server, and under axum.

use axum::Router;
use http::request::Parts;
use tonic::{
    service::Routes,
    transport::{Channel, Server},
};
use tower_request_context::{RequestContextLayer, Store};

use super::row::seed;
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
async fn an_answered_call_is_completed() {
    for (channel, mut reports) in stacks().await {
        for method in Method::ALL {
            assert_eq!(in_time(call(&channel, method, USER, &["one", "two"])).await.unwrap().len(), 2, "{method:?}");
            assert_eq!(reports.until("value").await, ends("Completed"), "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

#[tokio::test]
async fn a_call_that_ends_with_an_error_status_is_completed() {
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
            let mut answers = in_time(open(&channel, method, USER, &["one", "fail"])).await.unwrap();
            assert!(in_time(answers.message()).await.unwrap().is_some(), "{method:?}");
            in_time(answers.message()).await.unwrap_err();
            assert_eq!(reports.until("value").await, ends("Completed"), "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

#[tokio::test]
async fn a_call_that_its_client_cancels_is_cancelled_and_the_channel_lives_on() {
    for (channel, mut reports) in stacks().await {
        for method in Method::ALL {
            tokio::select! {
                answered = call(&channel, method, USER, &["one", "hold"]) => panic!("answered: {answered:?}"),
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
async fn a_stream_of_answers_that_its_client_drops_is_cancelled() {
    for (channel, mut reports) in stacks().await {
        for method in [Method::ServerStreaming, Method::Bidirectional] {
            let mut answers = in_time(open(&channel, method, USER, &["one", "hold"])).await.unwrap();
            assert!(in_time(answers.message()).await.unwrap().is_some(), "{method:?}");
            assert_eq!(reports.until("holding").await, ["called: user 7", "holding: user 7"], "{method:?}");
            drop(answers);
            assert_eq!(reports.until("value").await, ends("Cancelled")[1..], "{method:?}");
        }
        assert!(reports.is_empty());
    }
}

/// All that is reported of a call.
fn ends(end: &str) -> [String; 4] {
    ["called: user 7", "dropped: user 7", &format!("{end}: user 7"), "value: nobody"].map(String::from)
}

async fn stacks() -> [(Channel, Reports); 2] {
    let (witness_of_tonic, reports_of_tonic) = recorder();
    let (echo, layer) = (Echo::new(witness_of_tonic.clone(), 1), watched_by(witness_of_tonic));
    let tonic =
        connect(|incoming| Server::builder().layer(layer).add_service(echo).serve_with_incoming(incoming)).await;

    let (witness_of_axum, reports_of_axum) = recorder();
    let app: Router = Routes::new(Echo::new(witness_of_axum.clone(), 1)).into_axum_router();
    let address = serve(app.layer(watched_by(witness_of_axum))).await;
    let axum = Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();

    [(tonic, reports_of_tonic), (axum, reports_of_axum)]
}

fn watched_by(recorder: Recorder) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store: &mut Store, head: &mut Parts| assert!(seed(store, head, &recorder)))
}
