//! Clients that go away: what is dropped is dropped in its own context.

use std::{
    convert::Infallible,
    future::{pending, ready},
};

use axum::{Router, body::Body, routing::get};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tokio::sync::mpsc::unbounded_channel;

use super::{Farewell, Site};
use crate::support::{User, VERSIONS, in_time, layer, request};

#[tokio::test]
async fn a_body_whose_client_went_away_in_the_middle_is_dropped_in_its_context() {
    for version in VERSIONS {
        let (sender, mut farewells) = unbounded_channel();
        let app = Router::new().route("/", get(async move || begun_and_never_ended(Farewell(sender.clone()))));
        let site = Site::open(app.layer(layer()), version).await;

        let mut bodies = Vec::new();
        for user in [Some(User(1)), None, Some(User(2))] {
            let mut body = site.send("/", user).await.into_body();
            let first = in_time(body.frame()).await.unwrap().unwrap();
            assert_eq!(first.into_data().unwrap(), "begun");
            bodies.push(body);
        }
        for expected in ["user 1", "nobody", "user 2"] {
            drop(bodies.remove(0));
            assert_eq!(in_time(farewells.recv()).await.as_deref(), Some(expected), "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_handler_whose_client_went_away_before_the_head_is_dropped_in_its_context() {
    for version in VERSIONS {
        let (sender, mut farewells) = unbounded_channel();
        let (entered, mut entries) = unbounded_channel();
        let handler = async move || {
            let _farewell = Farewell(sender.clone());
            entered.send(()).unwrap();
            pending::<()>().await;
        };
        let site = Site::open(Router::new().route("/", get(handler)).layer(layer()), version).await;

        let mut calls = Vec::new();
        for user in [Some(User(1)), None, Some(User(2))] {
            calls.push(tokio::spawn(site.client.request(request(site.address, "/", user))));
            in_time(entries.recv()).await.unwrap();
        }
        for (call, expected) in calls.iter().zip(["user 1", "nobody", "user 2"]) {
            call.abort();
            assert_eq!(in_time(farewells.recv()).await.as_deref(), Some(expected), "{version:?}");
        }
    }
}

fn begun_and_never_ended(farewell: Farewell) -> Body {
    Body::from_stream(stream::once(ready("begun")).chain(stream::pending()).map(move |text| {
        let _kept = &farewell;
        Ok::<_, Infallible>(text)
    }))
}
