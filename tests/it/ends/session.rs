//! A client connected to a server: what it sends, and what is reported meanwhile.

use std::net::SocketAddr;

use axum::body::Body;
use futures_util::join;
use http::{
    HeaderValue, Method, Request, Response, Version,
    header::{ACCEPT_ENCODING, TE},
};
use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, task::JoinSet};
use tower::ServiceExt;

use super::row::{BoxedService, Row};
use crate::{
    recorder::{Reports, recorder},
    support::{Connection, Socket, User, in_time, request, text},
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Server {
    Axum,
    Hyper,
}

impl Server {
    pub(crate) const ALL: [Self; 2] = [Self::Axum, Self::Hyper];
}

pub(crate) struct Session {
    pub(crate) stack: (Server, Version),
    address: SocketAddr,
    accepting: JoinSet<()>,
    connection: Connection,
    socket: Socket,
    reports: Reports,
    log: Vec<String>,
}

impl Session {
    pub(crate) async fn open(row: &Row, server: Server, version: Version) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (recorder, reports) = recorder();
        let mut accepting = JoinSet::new();
        match server {
            Server::Axum => {
                let app = row.under_axum(&recorder);
                accepting.spawn(async { axum::serve(listener, app).await.unwrap() })
            }
            Server::Hyper => accepting.spawn(serve_by_hyper(listener, version, row.under_hyper(&recorder))),
        };
        let (connection, socket) = Connection::open_to_abort(address, version).await;
        Self { stack: (server, version), address, accepting, connection, socket, reports, log: Vec::new() }
    }

    /// Creates a request of user 7.
    pub(crate) fn request(&self, method: Method) -> Request<Body> {
        let mut request = request(self.address, "/", Some(User(7)));
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        if method == Method::CONNECT {
            *request.uri_mut() = self.address.to_string().parse().unwrap();
        }
        *request.method_mut() = method;
        request
    }

    pub(crate) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        self.connection.send(request).await
    }

    pub(crate) async fn get(&mut self) -> hyper::Result<Response<Incoming>> {
        self.send(self.request(Method::GET)).await
    }

    /// Sends a request, and cancels it once the handler has been called.
    pub(crate) async fn send_and_cancel(&mut self) {
        let request = self.request(Method::GET);
        tokio::select! {
            response = self.connection.send(request) => panic!("unexpected response: {response:?}"),
            log = self.reports.until("called") => self.log.extend(log),
        }
    }

    /// Sends a request, and disconnects once the handler has been called.
    pub(crate) async fn send_and_disconnect(&mut self) {
        let request = self.request(Method::GET);
        let called = async {
            self.log.extend(self.reports.until("called").await);
            self.socket.abort();
        };
        let (response, ()) = join!(self.connection.send(request), called);
        assert!(response.is_err(), "{:?}", self.stack);
    }

    /// Waits for the last report of the request: the drop of the value.
    pub(crate) async fn wait_for_end(&mut self) {
        if !self.log.last().is_some_and(|report| report.starts_with("value")) {
            self.log.extend(self.reports.until("value").await);
        }
    }

    /// Sends a request without a user on the same connection, and returns whether it gets the right response.
    pub(crate) async fn is_connected(&mut self) -> bool {
        match self.connection.send(request(self.address, "/", None)).await {
            Ok(response) => in_time(text(response)).await == "nobody",
            Err(_) => false,
        }
    }

    /// Closes the socket, even if the response is incomplete.
    pub(crate) fn disconnect(&self) {
        self.socket.abort();
    }

    /// Waits for the end of the request and for the drop of every recorder, and returns all reports.
    pub(crate) async fn close(mut self) -> Vec<String> {
        self.wait_for_end().await;
        self.disconnect();
        self.accepting.shutdown().await;
        self.log.extend(self.reports.rest().await);
        self.log
    }
}

async fn serve_by_hyper(listener: TcpListener, version: Version, app: BoxedService) {
    let service = TowerToHyperService::new(app.map_request(|request: Request<Incoming>| request.map(Body::new)));
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (io, service) = (TokioIo::new(stream), service.clone());
        // The client notices whether a connection fails.
        if version == Version::HTTP_2 {
            tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(io, service));
        } else {
            tokio::spawn(http1::Builder::new().serve_connection(io, service).with_upgrades());
        }
    }
}
