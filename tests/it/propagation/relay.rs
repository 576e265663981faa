//! A gateway that propagates headers to a backend, both on loopback.

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

/// Sets headers on the outgoing request before the injection.
pub(crate) type Own = fn(&mut HeaderMap);

/// A gateway, its backend, and the headers that arrive at the backend.
pub(crate) struct Relay {
    gateway: SocketAddr,
    version: Version,
    arrived: UnboundedReceiver<HeaderMap>,
}

impl Relay {
    /// Creates a relay that uses this version of HTTP on both connections.
    pub(crate) async fn new(propagator: HeaderPropagator, version: Version) -> Self {
        Self::with_own(propagator, version, |_| {}).await
    }

    pub(crate) async fn with_own(propagator: HeaderPropagator, version: Version, own: Own) -> Self {
        let (report, arrived) = unbounded_channel();
        let backend = Router::new().fallback(async move |headers| drop(report.send(headers)));
        let gateway = gateway(propagator, serve(backend).await, version, own).await;
        Self { gateway, version, arrived }
    }

    /// Sends a request with these headers to the gateway. Returns the headers that arrive at the backend.
    pub(crate) async fn send(&mut self, headers: HeaderMap) -> HeaderMap {
        let mut request = request(self.gateway, "/", None);
        request.headers_mut().extend(headers);
        let response = in_time(client(self.version).request(request)).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        self.arrived()
    }

    /// Like `send`, over HTTP/1.1 and with header lines that are written as they are.
    pub(crate) async fn write(&mut self, lines: &str) -> HeaderMap {
        assert_eq!(write(self.gateway, lines.as_bytes()).await, StatusCode::OK);
        self.arrived()
    }

    /// Returns the headers of the backend's request without `Host`, which the client adds.
    fn arrived(&mut self) -> HeaderMap {
        let mut arrived = self.arrived.try_recv().unwrap();
        arrived.remove(HOST);
        arrived
    }
}

/// Starts a server that sends a request to `to` for each request that it receives, with the propagated headers.
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

/// Sends a request with hand-written header lines, each of which ends with a line break.
pub(crate) async fn write(to: SocketAddr, lines: &[u8]) -> StatusCode {
    let exchange = async {
        let mut stream = TcpStream::connect(to).await.unwrap();
        stream
            .write_all(&[b"GET / HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n", lines, b"\r\n"].concat())
            .await
            .unwrap();
        let mut response = Vec::new();
        stream.read_to_end(&mut response).await.unwrap();
        response
    };
    let response = in_time(exchange).await;
    let code = response.strip_prefix(b"HTTP/1.1 ").expect("the response is HTTP/1.1");
    StatusCode::from_bytes(&code[..3]).unwrap()
}

/// Responds to one request, and returns the bytes of its request line and headers.
pub(crate) async fn recorder() -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let head = tokio::spawn(async move {
        let mut stream = listener.accept().await.unwrap().0;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut head).await.unwrap(), 0, "the headers do not end");
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").await.unwrap();
        head
    });
    (address, head)
}
