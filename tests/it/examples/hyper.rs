//! hyper without a framework: request bodies are echoed while they are received.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/hyper.rs"]
mod example;

use std::{convert::Infallible, future::pending, net::SocketAddr};

use axum::body::Body;
use futures_util::{FutureExt, stream};
use http::{Method, Request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        oneshot,
    },
};

use crate::support::{Connection, User, VERSIONS, client, in_time, request, text};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_of_interleaved_bodies_have_their_own_user() {
    for version in VERSIONS {
        let (address, client) = (start().await, client(version));
        let users = [Some(User(1)), None, Some(User(2))];
        let mut open = Vec::new();
        for user in users {
            let (parts, body) = in_parts();
            let response = in_time(client.request(post(address, user, body))).await.unwrap();
            open.push((parts, response.into_body()));
        }
        for part in ["one\n", "two\n", "three\n"] {
            for (parts, _) in &open {
                parts.send(part).unwrap();
            }
            for ((_, body), name) in open.iter_mut().zip(["user 1", "anonymous", "user 2"]) {
                assert_eq!(in_time(line(body)).await, format!("{name}: {part}"), "{version:?}");
            }
        }
    }
}

#[tokio::test]
async fn requests_on_one_connection_do_not_share_their_user() {
    for version in VERSIONS {
        let address = start().await;
        let mut connection = Connection::open(address, version).await;
        for (user, signed) in [(Some(User(7)), "user 7: hi"), (None, "anonymous: hi"), (Some(User(8)), "user 8: hi")] {
            let response = connection.send(post(address, user, Body::from("hi"))).await.unwrap();
            assert_eq!(in_time(text(response)).await, signed, "{version:?}");
        }
    }
}

#[tokio::test]
async fn a_request_with_several_users_is_anonymous() {
    for version in VERSIONS {
        let mut request = post(start().await, Some(User(7)), Body::from("hi"));
        request.headers_mut().append(User::HEADER, 8.into());
        let response = in_time(client(version).request(request)).await.unwrap();
        assert_eq!(in_time(text(response)).await, "anonymous: hi", "{version:?}");
    }
}

#[tokio::test]
async fn a_server_that_shuts_down_completes_its_requests() {
    for version in VERSIONS {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(example::serve(listener, stopped.map(Result::unwrap)));

        let (client, (parts, body)) = (client(version), in_parts());
        let response = in_time(client.request(post(address, Some(User(7)), body))).await.unwrap();
        let mut echoed = response.into_body();
        stop.send(()).unwrap();
        in_time(async { while TcpStream::connect(address).await.is_ok() {} }).await;
        parts.send("still here\n").unwrap();
        assert_eq!(in_time(line(&mut echoed)).await, "user 7: still here\n", "{version:?}");
        assert!(!server.is_finished());
        drop(parts);
        let rest = in_time(echoed.collect()).await.map(|rest| rest.to_bytes().len());
        assert!(matches!(rest, Ok(0)), "{version:?}: {rest:?}");
        in_time(server).await.unwrap().unwrap();
    }
}

async fn start() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(example::serve(listener, pending()));
    address
}

fn post(address: SocketAddr, user: Option<User>, body: Body) -> Request<Body> {
    let mut request = request(address, "/", user).map(|_| body);
    *request.method_mut() = Method::POST;
    request
}

/// Returns a body that sends one part for each message, and ends when the sender is dropped.
fn in_parts() -> (UnboundedSender<&'static str>, Body) {
    let (sender, parts) = unbounded_channel();
    let parts = stream::unfold(parts, async |mut parts| Some((Ok::<_, Infallible>(parts.recv().await?), parts)));
    (sender, Body::from_stream(parts))
}

async fn line(body: &mut Incoming) -> String {
    let mut line = Vec::new();
    while line.last() != Some(&b'\n') {
        line.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    String::from_utf8(line).unwrap()
}
