//! hyper-util's server, with the layer, on loopback.

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

use super::tracker::{Entry, Ledger};

/// What sockets keep for those who do not read: little, so that a server is soon blocked.
pub(super) const BUFFER: u32 = 16 * 1024;

pub(super) type Answer = Result<Response<Body>, OnPurpose>;

#[derive(Debug)]
pub(super) struct OnPurpose;

/// Serves until the test's runtime ends. What the handler and its body consist of reads when it is dropped.
pub(super) async fn serve<F>(
    ledger: &Ledger,
    handler: impl Fn(Entry, Request<Incoming>) -> F + Clone + Send + Sync + 'static,
) -> SocketAddr
where
    F: Future<Output = Answer> + Send + 'static,
{
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_send_buffer_size(BUFFER).unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1024).unwrap();
    let address = listener.local_addr().unwrap();
    let service = TowerToHyperService::new(layer(ledger.clone()).layer(service(ledger.clone(), handler)));
    let ledger = ledger.clone();
    tokio::spawn(async move {
        let server = auto::Builder::new(TokioExecutor::new());
        loop {
            let (stream, peer) = listener.accept().await.unwrap();
            // Small frames would each wait for the answer to the last one.
            stream.set_nodelay(true).unwrap();
            // Another client may have had this port.
            ledger.write(|page| page.blocked.remove(&peer));
            let io = TokioIo::new(Watched { stream, peer, ledger: ledger.clone() });
            let (server, service) = (server.clone(), service.clone());
            // Whether a connection fails is for the client to see.
            tokio::spawn(async move { server.serve_connection(io, service).await });
        }
    });
    address
}

fn layer(ledger: Ledger) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone> {
    RequestContextLayer::new(move |store, head| ledger.entry(head).begin(store))
}

fn service<F>(
    ledger: Ledger,
    handler: impl Fn(Entry, Request<Incoming>) -> F + Clone,
) -> impl Service<
    Request<Incoming>,
    Response = Response<impl hyper::body::Body<Data = Bytes, Error = axum::Error> + Send>,
    Error = OnPurpose,
    Future: Send,
> + Clone
where
    F: Future<Output = Answer> + Send,
{
    service_fn(move |request: Request<Incoming>| {
        let (head, body) = request.into_parts();
        let entry = ledger.entry(&head);
        entry.read("the call");
        let answer = handler(entry.clone(), Request::from_parts(head, body));
        async move {
            let _held = entry.hold("the drop of the future");
            let response = answer.await?;
            Ok(response.map(|body| {
                let kept = entry.hold("the drop of the body");
                body.map_frame(move |frame| {
                    kept.give();
                    frame
                })
            }))
        }
    })
}

/// A socket that notes when it takes no more.
struct Watched {
    stream: TcpStream,
    peer: SocketAddr,
    ledger: Ledger,
}

impl Watched {
    fn note<T>(&self, written: Poll<T>) -> Poll<T> {
        if written.is_pending() {
            self.ledger.write(|page| page.blocked.insert(self.peer));
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
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.note(written)
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

impl fmt::Display for OnPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("on purpose")
    }
}

impl Error for OnPurpose {}
