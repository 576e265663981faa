//! `recipes::tasks` and `recipes::metrics`: clients that disconnect before the response.

use std::{
    future::pending,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use axum::{Router, routing::get};
use http::{StatusCode, Version};
use tokio::sync::{
    mpsc::{UnboundedReceiver, unbounded_channel},
    oneshot,
};
use tokio_util::sync::CancellationToken;
use tower_request_context::{CallbackError, End, RequestContext, RequestContextLayer};

use crate::support::{Connection, User, VERSIONS, in_time, request, serve};

/// Sends a request, closes its connection when the handler reports that it runs, and returns the report.
async fn disconnect<T>(address: SocketAddr, version: Version, entered: &mut UnboundedReceiver<T>) -> T {
    let (mut connection, socket) = Connection::open_to_abort(address, version).await;
    let report = tokio::select! {
        response = connection.send(request(address, "/", Some(User(7)))) => panic!("unexpected response: {response:?}"),
        report = in_time(entered.recv()) => report.unwrap(),
    };
    socket.abort();
    report
}

#[tokio::test]
async fn a_token_stops_spawned_work_when_the_client_disconnects() {
    let layer = RequestContextLayer::new(|store, _| {
        let token = CancellationToken::new();
        store.insert(token.clone());
        store.on_end(move |end| {
            if end != End::Completed {
                token.cancel();
            }
        });
    });
    let (sender, mut entered) = unbounded_channel();
    let handler = async move || {
        let token: CancellationToken = RequestContext::expect();
        let task = RequestContext::spawn(async move { token.run_until_cancelled(pending::<()>()).await });
        sender.send(task).unwrap();
        pending::<()>().await;
    };
    let address = serve(Router::new().route("/", get(handler)).layer(layer)).await;
    for version in VERSIONS {
        let task = disconnect(address, version, &mut entered).await;
        assert_eq!(in_time(task).await.unwrap(), None, "{version:?}");
    }
}

#[tokio::test]
async fn a_task_finishes_in_its_context_after_the_client_disconnects() {
    let (sender, mut ended) = unbounded_channel();
    let layer = RequestContextLayer::new(move |store, request| {
        store.insert(User::of(request).unwrap());
        let sender = sender.clone();
        store.on_end(move |end| sender.send(end).unwrap());
    });
    let (sender, mut entered) = unbounded_channel();
    let (paid, mut payments) = unbounded_channel();
    let handler = async move || {
        let (charge, charged) = oneshot::channel::<()>();
        sender.send(charge).unwrap();
        let payment = RequestContext::spawn(async move {
            charged.await.unwrap();
            paid.send((RequestContext::get::<User>(), RequestContext::on_end(|_| {}))).unwrap();
        });
        payment.await.unwrap();
    };
    let address = serve(Router::new().route("/", get(handler)).layer(layer)).await;
    for version in VERSIONS {
        let charge = disconnect(address, version, &mut entered).await;
        assert_eq!(in_time(ended.recv()).await, Some(End::Cancelled), "{version:?}");
        charge.send(()).unwrap();
        let payment = in_time(payments.recv()).await;
        assert_eq!(payment, Some((Some(User(7)), Err(CallbackError::Ended))), "{version:?}");
    }
}

#[tokio::test]
async fn the_log_says_499_and_the_gauge_returns_to_zero() {
    let in_flight = Arc::new(AtomicUsize::new(0));
    let (log, mut logged) = unbounded_channel();
    let gauge = Arc::clone(&in_flight);
    let layer = RequestContextLayer::new(move |store, _| {
        let (log, gauge) = (log.clone(), Arc::clone(&gauge));
        gauge.fetch_add(1, Relaxed);
        store.on_response(|parts| RequestContext::set(parts.status).unwrap());
        store.on_end(move |end| {
            gauge.fetch_sub(1, Relaxed);
            log.send(match (RequestContext::get::<StatusCode>(), end) {
                (Some(status), _) => status.as_u16(),
                (None, End::Cancelled) => 499,
                (None, _) => 500,
            })
            .unwrap();
        });
    });
    let (sender, mut entered) = unbounded_channel();
    let handler = async move || {
        sender.send(()).unwrap();
        pending::<()>().await;
    };
    let app = Router::new().route("/", get(handler)).route("/cats", get(async || "Tom")).layer(layer);
    let address = serve(app).await;
    for version in VERSIONS {
        disconnect(address, version, &mut entered).await;
        assert_eq!(in_time(logged.recv()).await, Some(499), "{version:?}");

        let mut connection = Connection::open(address, version).await;
        connection.send(request(address, "/cats", None)).await.unwrap();
        assert_eq!(in_time(logged.recv()).await, Some(200), "{version:?}");
        assert_eq!(in_flight.load(Relaxed), 0, "{version:?}");
    }
}
