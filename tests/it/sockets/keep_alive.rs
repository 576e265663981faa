//! Kept connections: a request must not see the user of an earlier one.

use axum::body::Body;
use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use http::{Method, Request, Response, Version};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::task::yield_now;
use tower_request_context::End;

use super::{
    server::{HandlerResult, TestError, serve},
    share,
    tracker::{Exchange, Tracker},
};
use crate::support::{Connection, User, in_time, request, text};

const CONNECTIONS: u32 = 5;

/// More than a connection reads at once, so that it has to wait for its handler.
const BYTES: usize = 65_537;

/// F2 (aspnetcore 13991, `CPython` 140947, uvicorn 2167): after a paused body, the context stayed with the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn anonymous_request_after_a_large_body_sees_no_user() {
    let (tracker, requests) = (Tracker::new(), share(29));
    let address = serve(&tracker, respond).await;
    let send_requests = async |_| {
        let mut connection = Connection::open(address, Version::HTTP_11).await;
        for _ in 0..requests / CONNECTIONS / 2 {
            let number = tracker.register(End::Completed);
            let mut long = request(address, &format!("/{number}"), Some(User(number)));
            *long.method_mut() = Method::POST;
            *long.body_mut() = Body::from(vec![0; BYTES]);
            let response = connection.send(long).await.unwrap();
            assert_eq!(in_time(text(response)).await, format!("{BYTES} bytes, user {number}, user {number}, "));

            let bare = request(address, &format!("/{}", tracker.register(End::Completed)), None);
            let response = connection.send(bare).await.unwrap();
            assert_eq!(in_time(text(response)).await, "0 bytes, nobody, nobody, ");
        }
    };
    join_all((0..CONNECTIONS).map(send_requests)).await;
    tracker.assert_all_ended("large bodies and anonymous requests after them", requests).await;
}

async fn respond(exchange: Exchange, mut request: Request<Incoming>) -> HandlerResult {
    let mut bytes = 0;
    while let Some(frame) = request.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
        exchange.read("the body of the request");
        yield_now().await;
        exchange.read("the body of the request, paused");
    }
    let names = stream::iter(0..2).then(async |_| {
        yield_now().await;
        Ok::<_, TestError>(format!("{}, ", User::name()))
    });
    let first = stream::iter([Ok(format!("{bytes} bytes, "))]);
    Ok(Response::new(Body::from_stream(first.chain(names))))
}
