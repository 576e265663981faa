//! `docs/availability.svg`, and the same picture as text in the README: where a value of a request can be read, for this
//! crate and for what is used instead.
//!
//! The pictures are drawn from what these requests observe, and the test fails if a file differs. Write the image anew
//! with `UPDATE_PICTURE=1 cargo test --test it picture::`.

mod draw;
mod mechanism;
mod probe;

use std::{collections::BTreeMap, env, fs, path::Path};

use axum::{Router, body::Body, response::Response};
use futures_util::future::join_all;
use http::Request;
use http_body_util::BodyExt;
use tower::{Service, util::MapResponseLayer};

use self::{
    mechanism::{MECHANISMS, Mechanism},
    probe::{Observations, Probe, record_headers},
};
use crate::support::in_time;

/// A place where the code of a request runs, in the order of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Call,
    Poll,
    Headers,
    Frame,
    DropOfBody,
    OnEnd,
    DropWhenCancelled,
    SpawnedTask,
}

/// How the value can be read in a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Ambient,
    /// If the code passes it on, or wraps the future that it spawns.
    PassedOn,
    Impossible,
}

#[tokio::test]
async fn the_picture_shows_what_requests_observe() {
    let _subscriber = tracing::subscriber::set_default(tracing_subscriber::registry()); // enables the span
    let mut rows = Vec::new();
    for mechanism in MECHANISMS {
        rows.push((mechanism.name, observe(mechanism).await));
    }
    let (_, own) = &rows[MECHANISMS.len() - 1];
    assert_eq!(own.len(), 8);
    assert!(own.values().all(|reading| *reading == Reading::Ambient), "{own:?}");

    let text = draw::text(&rows);
    assert!(include_str!("../../README.md").contains(&text), "the README has another picture than:\n{text}");
    let drawn = draw::svg(&rows);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/availability.svg");
    if env::var_os("UPDATE_PICTURE").is_some() {
        fs::write(&file, &drawn).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), drawn, "{rows:?}");
}

async fn observe(mechanism: &'static Mechanism) -> BTreeMap<Place, Reading> {
    let observations = Observations::new(mechanism);
    let mut app = (mechanism.wrap)(
        Router::new()
            .fallback_service(Probe::new(observations.clone()))
            .layer(MapResponseLayer::new(record_headers(observations.clone()))),
    );

    let response: Response = app.call(request("/")).await.unwrap();
    assert_eq!(in_time(response.into_body().collect()).await.unwrap().to_bytes(), "frame");
    in_time(join_all(observations.take_tasks())).await;

    let mut cancelled = tokio_test::task::spawn(app.call(request(Probe::PENDING)));
    assert!(cancelled.poll().is_pending());
    drop(cancelled);
    observations.into_readings()
}

fn request(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}
