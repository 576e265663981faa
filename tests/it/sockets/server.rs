//! hyper-util's server with the layer, on loopback.

use std::{
    error::Error,
    fmt,
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use http::{Request, Response, request::Parts};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpSocket, TcpStream},
};
use tower::{Layer, Service, service_fn};
use tower_request_context::{RequestContextLayer, Store};

use super::tracker::{Exchange, Tracker};

/// Buffer size of the sockets. It is small, so that a client that does not read soon blocks the server.
pub(super) const BUFFER: u32 = 16 * 1024;

pub(super) type HandlerResult = Result<Response<Body>, TestError>;

#[derive(Debug)]
pub(super) struct TestError;

/// Serves until the test's runtime shuts down. Future and body of the handler read the current user in their drop.
pub(super) async fn serve<F>(
    tracker: &Tracker,
    handler: impl Fn(Exchange, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = HandlerResult> + Send + 'static,
{
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(layer(tracker.clone()).layer(service(tracker.clone(), handler)));
    let tracker = tracker.clone();
    tokio::spawn(async move {
        let server = auto::Builder::new(TokioExecutor::new());
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            // Nagle's algorithm would delay each small frame until the previous one is acknowledged.
            stream.set_nodelay(true).unwrap();
            // An earlier client may have had the same port.
            tracker.write(|state| state.blocked.remove(&peer));
            let io = TokioIo::new(Watched { stream, peer, tracker: tracker.clone() });
            let (server, service) = (server.clone(), service.clone());
            // The clients check whether their connection failed.
            tokio::spawn(async move { server.serve_connection(io, service).await });
        }
    });
    address
}

fn layer(tracker: Tracker) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store, head| tracker.exchange(head).set_up(store))
}

fn service<F>(
    tracker: Tracker,
    handler: impl Fn(Exchange, Request<Incoming>) -> F + Clone,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl hyper::body::Body<Data = Bytes, Error = axum::Error> + Send>,
    Error = TestError,
    Future: Send,
> + Clone
where
    F: Future<Output = HandlerResult> + Send,
{
    service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let exchange = tracker.exchange(&head);
        exchange.read("the call");
        let response = handler(exchange.clone(), Request::from_parts(head, body));
        async move {
            let _held = exchange.read_on_drop("the drop of the future");
            let response = response.await?;
            Ok(response.map(|body| {
                let frames = exchange.read_on_drop("the drop of the body");
                body.map_frame(move |frame| {
                    frames.count_frame();
                    frame
                })
            }))
        }
    })
}

/// A socket that records when a write to it would block.
struct Watched {
    stream: TcpStream,
    peer: SocketAddr,
    tracker: Tracker,
}

impl Watched {
    fn record_blocked<T>(&self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() {
            self.tracker.write(|state| state.blocked.insert(self.peer));
        }
        written
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.record_blocked(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.record_blocked(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl fmt::Display for TestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("test error")
    }
}

impl Error for TestError {}
