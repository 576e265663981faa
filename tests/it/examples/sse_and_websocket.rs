//! Events and sockets: each event to its listener, each word from its speaker, each end told once.

#[allow(dead_code, reason = "`main` is for those who run it")]
#[path = "../../../examples/sse_and_websocket.rs"]
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
async fn each_event_names_its_listener_and_the_speaker_while_both_take_turns() {
    for version in VERSIONS {
        let address = serve(example::app()).await;
        let client = client(version);
        let mut listeners = Vec::new();
        for user in [Some(User(1)), None, Some(User(2))] {
            listeners.push((name(user), listen(&client, address, user).await));
        }
        let mut speakers = Vec::new();
        for user in [Some(User(3)), None, Some(User(4))] {
            speakers.push((name(user), speak(address, user).await));
            let said = format!("{} has a request that is over: Completed", name(user));
            assert_all_hear(&mut listeners, &said).await;
        }
        for words in ["one", "two", "three"] {
            for (speaker, socket) in &mut speakers {
                in_time(socket.send(words.into())).await.unwrap();
                assert_all_hear(&mut listeners, &format!("{speaker} says {words}")).await;
            }
        }
    }
}

#[tokio::test]
async fn a_socket_outlives_its_request_and_its_session_ends_when_it_is_closed_or_lost() {
    let address = serve(example::app()).await;
    let mut listeners = [(name(None), listen(&client(Version::HTTP_11), address, None).await)];
    for is_closed in [true, false] {
        let mut socket = speak(address, Some(User(7))).await;
        assert_all_hear(&mut listeners, "user 7 has a request that is over: Completed").await;
        in_time(socket.send("hello".into())).await.unwrap();
        assert_all_hear(&mut listeners, "user 7 says hello").await;
        if is_closed {
            in_time(socket.close(None)).await.unwrap();
        }
        drop(socket);
        assert_all_hear(&mut listeners, "user 7 has left: Completed").await;
    }
}

#[tokio::test]
async fn a_listener_that_names_several_users_is_a_stranger() {
    let address = serve(example::app()).await;
    let mut request = request(address, "/events", Some(User(7)));
    request.headers_mut().append(User::HEADER, 8.into());
    let body = in_time(client(Version::HTTP_11).request(request)).await.unwrap().into_body();
    drop(speak(address, None).await);
    let said = format!("{} has a request that is over: Completed", name(None));
    assert_all_hear(&mut [(name(None), body)], &said).await;
}

fn name(user: Option<User>) -> String {
    user.map_or_else(|| String::from("a stranger"), |User(id)| format!("user {id}"))
}

async fn listen(client: &Client<HttpConnector, Body>, address: SocketAddr, user: Option<User>) -> Incoming {
    in_time(client.request(request(address, "/events", user))).await.unwrap().into_body()
}

async fn speak(address: SocketAddr, user: Option<User>) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}/talk").into_client_request().unwrap();
    if let Some(User(id)) = user {
        request.headers_mut().insert(User::HEADER, id.into());
    }
    in_time(client_async(request, TcpStream::connect(address).await.unwrap())).await.unwrap().0
}

async fn assert_all_hear(listeners: &mut [(String, Incoming)], said: &str) {
    for (listener, body) in listeners {
        assert_eq!(hear(body).await, format!("{listener}, {said}"));
    }
}

/// The next event. Each is a chunk or a frame of its own, though it need not come in one piece.
async fn hear(body: &mut Incoming) -> String {
    let mut event = Vec::new();
    while !event.ends_with(b"\n\n") {
        event.extend(in_time(body.frame()).await.unwrap().unwrap().into_data().unwrap());
    }
    let event = String::from_utf8(event).unwrap();
    event.trim_end().strip_prefix("data: ").unwrap().to_owned()
}
