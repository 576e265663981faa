//! Connections that are kept: what was one request's is not the next one's.

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
    server::{Answer, OnPurpose, serve},
    share,
    tracker::{Entry, Ledger},
};
use crate::support::{Connection, User, in_time, request, text};

const CONNECTIONS: u32 = 5;

/// More than a connection reads at once, so that it waits for its handler.
const BYTES: usize = 65_537;

/// F2 (aspnetcore 13991, `CPython` 140947, uvicorn 2167): a context that stays with the connection once a body was paused.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bare_request_after_one_with_a_body_of_65_537_bytes_is_nobodys_on_the_same_connection() {
    let (ledger, requests) = (Ledger::open(), share(29));
    let address = serve(&ledger, answer).await;
    let visit = async |_| {
        let mut connection = Connection::open(address, Version::HTTP_11).await;
        for _ in 0..requests / CONNECTIONS / 2 {
            let number = ledger.enter(End::Completed);
            let mut long = request(address, &format!("/{number}"), Some(User(number)));
            *long.method_mut() = Method::POST;
            *long.body_mut() = Body::from(vec![0; BYTES]);
            let answer = connection.send(long).await.unwrap();
            assert_eq!(in_time(text(answer)).await, format!("{BYTES} bytes, user {number}, user {number}, "));

            let bare = request(address, &format!("/{}", ledger.enter(End::Completed)), None);
            let answer = connection.send(bare).await.unwrap();
            assert_eq!(in_time(text(answer)).await, "0 bytes, nobody, nobody, ");
        }
    };
    join_all((0..CONNECTIONS).map(visit)).await;
    ledger.close("65,537 bytes and bare ones after them", requests).await;
}

async fn answer(entry: Entry, mut request: Request<Incoming>) -> Answer {
    let mut bytes = 0;
    while let Some(frame) = request.frame().await {
        bytes += frame.unwrap().into_data().unwrap().len();
        entry.read("the body of the request");
        yield_now().await;
        entry.read("the body of the request, paused");
    }
    let names = stream::iter(0..2).then(async |_| {
        yield_now().await;
        Ok::<_, OnPurpose>(format!("{}, ", User::name()))
    });
    let first = stream::iter([Ok(format!("{bytes} bytes, "))]);
    Ok(Response::new(Body::from_stream(first.chain(names))))
}
