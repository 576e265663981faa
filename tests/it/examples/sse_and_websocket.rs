//! Server-sent events and `WebSocket`s: each event names its reader and its sender, and each end is reported once.

#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/sse_and_websocket/main.rs"]
mod example;

use std::net::SocketAddr;

use axum::body::Body;
use futures_util::SinkExt;
use http::Version;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::net::TcpStream;
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::client::IntoClientRequest};

use crate::support::{User, VERSIONS, client, in_time, request, serve};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_event_names_its_reader_and_its_sender() {
    for version in VERSIONS {
        let address = serve(example::app()).await;
        let client = client(version);
        let mut readers = Vec::new();
        for user in [Some(User(1)), None, Some(User(2))] {
            readers.push((name(user), open_events(&client, address, user).await));
        }
        let mut senders = Vec::new();
        for user in [Some(User(3)), None, Some(User(4))] {
            senders.push((name(user), open_socket(address, user).await));
            let sent = format!("{} ended a request: Completed", name(user));
            assert_all_receive(&mut readers, &sent).await;
        }
        for message in ["one", "two", "three"] {
            for (sender, socket) in &mut senders {
                in_time(socket.send(message.into())).await.unwrap();
                assert_all_receive(&mut readers, &format!("{sender} says {message}")).await;
            }
        }
    }
}

#[tokio::test]
async fn a_session_ends_when_its_socket_is_closed_or_lost() {
    let address = serve(example::app()).await;
    let mut readers = [(name(None), open_events(&client(Version::HTTP_11), address, None).await)];
    for is_closed in [true, false] {
        let mut socket = open_socket(address, Some(User(7))).await;
        assert_all_receive(&mut readers, "user 7 ended a request: Completed").await;
        in_time(socket.send("hello".into())).await.unwrap();
        assert_all_receive(&mut readers, "user 7 says hello").await;
        if is_closed {
            in_time(socket.close(None)).await.unwrap();
        }
        drop(socket);
        assert_all_receive(&mut readers, "user 7 ended a session: Completed").await;
    }
}

#[tokio::test]
async fn a_reader_with_several_users_is_anonymous() {
    let address = serve(example::app()).await;
    let mut request = request(address, "/events", Some(User(7)));
    request.headers_mut().append(User::HEADER, 8.into());
    let body = in_time(client(Version::HTTP_11).request(request)).await.unwrap().into_body();
    drop(open_socket(address, None).await);
    let sent = format!("{} ended a request: Completed", name(None));
    assert_all_receive(&mut [(name(None), body)], &sent).await;
}

fn name(user: Option<User>) -> String {
    user.map_or_else(|| String::from("anonymous"), |User(id)| format!("user {id}"))
}

async fn open_events(client: &Client<HttpConnector, Body>, address: SocketAddr, user: Option<User>) -> Incoming {
    in_time(client.request(request(address, "/events", user))).await.unwrap().into_body()
}

async fn open_socket(address: SocketAddr, user: Option<User>) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}/talk").into_client_request().unwrap();
    if let Some(User(id)) = user {
        request.headers_mut().insert(User::HEADER, id.into());
    }
    in_time(client_async(request, TcpStream::connect(address).await.unwrap())).await.unwrap().0
}

async fn assert_all_receive(readers: &mut [(String, Incoming)], sent: &str) {
    for (reader, body) in readers {
        assert_eq!(next_event(body).await, format!("to {reader}: {sent}"));
    }
}

/// Returns the next event. An event may be received in several frames.
async fn next_event(body: &mut Incoming) -> String {
    let mut event = Vec::new();
    while !event.ends_with(b"\n\n") {
        event.extend(in_time(body.frame()).await.unwrap().unwrap().into_data().unwrap());
    }
    let event = String::from_utf8(event).unwrap();
    event.trim_end().strip_prefix("data: ").unwrap().to_owned()
}
