//! Two hops on loopback: a gateway that captures and calls, and what stands behind it.

use std::net::SocketAddr;

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, Version, header::HOST};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinHandle,
};
use tower::{ServiceBuilder, ServiceExt};
use tower_request_context::{HeaderPropagator, RequestContextLayer};

use crate::support::{client, in_time, request, serve};

/// What the caller itself puts on its call.
pub(crate) type Own = fn(&mut HeaderMap);

/// A gateway and a backend, and what arrives there.
pub(crate) struct Relay {
    gateway: SocketAddr,
    version: Version,
    arrived: UnboundedReceiver<HeaderMap>,
}

impl Relay {
    /// Both hops speak this version of HTTP.
    pub(crate) async fn new(propagator: HeaderPropagator, version: Version) -> Self {
        Self::with_own(propagator, version, |_| {}).await
    }

    pub(crate) async fn with_own(propagator: HeaderPropagator, version: Version, own: Own) -> Self {
        let (report, arrived) = unbounded_channel();
        let backend = Router::new().fallback(async move |headers| drop(report.send(headers)));
        let gateway = gateway(propagator, serve(backend).await, version, own).await;
        Self { gateway, version, arrived }
    }

    /// What arrives behind the gateway, for a request with these headers.
    pub(crate) async fn send(&mut self, headers: HeaderMap) -> HeaderMap {
        let mut request = request(self.gateway, "/", None);
        request.headers_mut().extend(headers);
        let response = in_time(client(self.version).request(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        self.arrived()
    }

    /// The same for lines that are written as they are, over HTTP/1.1.
    pub(crate) async fn write(&mut self, lines: &str) -> HeaderMap {
        assert_eq!(write(self.gateway, lines.as_bytes()).await, StatusCode::OK);
        self.arrived()
    }

    /// All headers of the backend's request but the client's own.
    fn arrived(&mut self) -> HeaderMap {
        let mut arrived = self.arrived.try_recv().unwrap();
        arrived.remove(HOST);
        arrived
    }
}

/// A server that calls the address for each request, with an injection between it and a client.
pub(crate) async fn gateway(propagator: HeaderPropagator, to: SocketAddr, version: Version, own: Own) -> SocketAddr {
    let out = propagator.clone();
    let client = ServiceBuilder::new()
        .map_request(move |mut request: Request<Body>| {
            own(request.headers_mut());
            out.inject(request.headers_mut());
            request
        })
        .service(client(version));
    let app = Router::new().fallback(async move || client.oneshot(request(to, "/", None)).await.unwrap().status());
    serve(app.layer(RequestContextLayer::new(move |store, request| propagator.extract(store, request)))).await
}

/// Sends a request whose header lines, each with its line break, are written by hand.
pub(crate) async fn write(to: SocketAddr, lines: &[u8]) -> StatusCode {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream
            .write_all(&[b"GET / HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n", lines, b"\r\n"].concat())
            .await
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        answer
    };
    let answer = in_time(exchange).await;
    let code = answer.strip_prefix(b"HTTP/1.1 ").expect("an answer over HTTP/1.1");
    StatusCode::from_bytes(&code[..3]).unwrap()
}

/// Answers one request, and returns the bytes of its head.
pub(crate) async fn recorder() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "the head does not end");
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
        head
    });
    (address, head)
}
