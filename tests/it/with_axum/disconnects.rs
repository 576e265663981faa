//! Clients that disconnect: futures and bodies are dropped in their own context.

use std::{
    convert::Infallible,
    future::{pending, ready},
};

use axum::{Router, body::Body, routing::get};
use futures_util::{StreamExt, stream};
use http_body_util::BodyExt;
use tokio::sync::mpsc::unbounded_channel;

use super::{DropProbe, Site};
use crate::support::{User, VERSIONS, in_time, layer, request};

#[tokio::test]
async fn body_is_dropped_in_its_context_on_disconnect() {
    for version in VERSIONS {
        let (sender, mut users_at_drop) = unbounded_channel();
        let app = Router::new().route("/", get(async move || endless_body(DropProbe(sender.clone()))));
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
            assert_eq!(in_time(users_at_drop.recv()).await.as_deref(), Some(expected), "{version:?}");
        }
    }
}

#[tokio::test]
async fn handler_is_dropped_in_its_context_on_disconnect() {
    for version in VERSIONS {
        let (sender, mut users_at_drop) = unbounded_channel();
        let (entered, mut entries) = unbounded_channel();
        let handler = async move || {
            let _probe = DropProbe(sender.clone());
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
            assert_eq!(in_time(users_at_drop.recv()).await.as_deref(), Some(expected), "{version:?}");
        }
    }
}

fn endless_body(probe: DropProbe) -> Body {
    Body::from_stream(stream::once(ready("begun")).chain(stream::pending()).map(move |text| {
        let _kept = &probe;
        Ok::<_, Infallible>(text)
    }))
}
