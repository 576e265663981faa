//! Clients that do not read until the server cannot send any more.

use std::{convert::Infallible, net::SocketAddr};

use axum::body::{Body, Bytes};
use futures_util::stream::{self, StreamExt};
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpSocket, TcpStream};
use tower_request_context::End;

use super::{
    server::{BUFFER, HandlerResult, serve},
    share,
    tracker::{Exchange, Tracker},
};
use crate::support::{User, VERSIONS, in_time, request};

const FRAME: usize = 16 * 1024;

/// More than sockets and hyper buffer for a client.
const FRAMES: usize = 64;

/// The number of bytes that a stream may send before its client has read. It is the default of HTTP/2.
const WINDOW: u32 = 65_535;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn slow_reader_completes_and_disconnect_cancels_once() {
    let (tracker, requests) = (Tracker::new(), share(4));
    let client = Client { address: serve(&tracker, respond).await, tracker };
    for _ in 0..requests / 4 {
        for version in VERSIONS {
            client.read_late(version).await;
            client.leave_unread(version).await;
        }
    }
    client.tracker.assert_all_ended("slow readers", requests).await;
}

async fn respond(_: Exchange, _: Request<Incoming>) -> HandlerResult {
    let frame = Bytes::from_static(&[0; FRAME]);
    Ok(Response::new(Body::from_stream(stream::iter([Ok::<_, Infallible>(frame)]).cycle().take(FRAMES))))
}

struct Client {
    address: SocketAddr,
    tracker: Tracker,
}

impl Client {
    async fn read_late(&self, version: Version) {
        let (_, response) = self.until_blocked(version, End::Completed).await;
        let bytes = in_time(response.collect()).await.unwrap().to_bytes();
        assert_eq!(bytes.len(), FRAMES * FRAME);
    }

    async fn leave_unread(&self, version: Version) {
        let (number, response) = self.until_blocked(version, End::Cancelled).await;
        drop(response);
        self.tracker.until(|state| state.has_ended(number)).await;
        let frames_sent = self.tracker.write(|state| state.frames_sent[&number]);
        assert!(frames_sent < FRAMES, "{frames_sent}");
    }

    /// Receives the status and headers, and then does not read until the server is blocked.
    async fn until_blocked(&self, version: Version, end: End) -> (u32, Response<Incoming>) {
        let number = self.tracker.register(end);
        let request = request(self.address, &format!("/{number}"), Some(User(number)));
        let stream = self.connect().await;
        let client = stream.local_addr().unwrap();
        let io = TokioIo::new(stream);
        if version == Version::HTTP_2 {
            let mut builder = http2::Builder::new(TokioExecutor::new());
            builder.initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
            let (mut sender, connection) = builder.handshake::<_, Body>(io).await.unwrap();
            tokio::spawn(connection);
            let response = in_time(sender.send_request(request)).await.unwrap();
            self.tracker.until(|state| state.frames_sent[&number] * FRAME > WINDOW as usize).await;
            return (number, response);
        }
        let (mut sender, connection) = http1::handshake::<_, Body>(io).await.unwrap();
        tokio::spawn(connection);
        let response = in_time(sender.send_request(request)).await.unwrap();
        self.tracker.until(|state| state.blocked.contains(&client)).await;
        (number, response)
    }

    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(BUFFER).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}
