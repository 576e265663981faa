//! Clients that do not read until the server cannot send on.

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
    server::{Answer, BUFFER, serve},
    share,
    tracker::{Entry, Ledger},
};
use crate::support::{User, VERSIONS, in_time, request};

const FRAME: usize = 16 * 1024;

/// More than sockets and hyper keep for a client.
const FRAMES: usize = 64;

/// How much a stream may send before its client has read, as HTTP/2 has it by default.
const WINDOW: u32 = 65_535;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_reads_too_late_has_all_and_whoever_leaves_unread_is_cancelled_once() {
    let (ledger, requests) = (Ledger::open(), share(4));
    let client = Client { address: serve(&ledger, answer).await, ledger };
    for _ in 0..requests / 4 {
        for version in VERSIONS {
            client.goes_on(version).await;
            client.leaves(version).await;
        }
    }
    client.ledger.close("slow readers", requests).await;
}

async fn answer(_: Entry, _: Request<Incoming>) -> Answer {
    let frame = Bytes::from_static(&[0; FRAME]);
    Ok(Response::new(Body::from_stream(stream::iter([Ok::<_, Infallible>(frame)]).cycle().take(FRAMES))))
}

struct Client {
    address: SocketAddr,
    ledger: Ledger,
}

impl Client {
    async fn goes_on(&self, version: Version) {
        let (_, response) = self.until_blocked(version, End::Completed).await;
        let bytes = in_time(response.collect()).await.unwrap().to_bytes();
        assert_eq!(bytes.len(), FRAMES * FRAME);
    }

    async fn leaves(&self, version: Version) {
        let (number, response) = self.until_blocked(version, End::Cancelled).await;
        drop(response);
        self.ledger.until(|page| page.is_over(number)).await;
        let given = self.ledger.write(|page| page.given[&number]);
        assert!(given < FRAMES, "{given}");
    }

    /// Has the head, and reads nothing.
    async fn until_blocked(&self, version: Version, end: End) -> (u32, Response<Incoming>) {
        let number = self.ledger.enter(end);
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
            self.ledger.until(|page| page.given[&number] * FRAME > WINDOW as usize).await;
            return (number, response);
        }
        let (mut sender, connection) = http1::handshake::<_, Body>(io).await.unwrap();
        tokio::spawn(connection);
        let response = in_time(sender.send_request(request)).await.unwrap();
        self.ledger.until(|page| page.blocked.contains(&client)).await;
        (number, response)
    }

    async fn connect(&self) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(BUFFER).unwrap();
        socket.connect(self.address).await.unwrap()
    }
}
