//! axum over real sockets, with HTTP/1.1 keep-alive and with HTTP/2.

mod bodies;
mod context_value;
mod disconnects;
mod errors;
mod extractors;
mod fixed_response;
mod isolation;
mod log;
mod middleware;
mod panics;
mod routing;
mod tasks;
mod websockets;

use std::net::SocketAddr;

use axum::{Router, body::Body};
use http::{Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use tokio::sync::mpsc::UnboundedSender;

use crate::support::{User, client, in_time, request, serve, text};

/// A served application, and a client for one version of HTTP.
struct Site {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Site {
    async fn open(app: Router, version: Version) -> Self {
        Self { address: serve(app).await, client: client(version) }
    }

    /// Sends a request, and returns the response before its body is read.
    async fn send(&self, path: &str, user: Option<User>) -> Response<Incoming> {
        in_time(self.client.request(request(self.address, path, user))).await.unwrap()
    }

    async fn get(&self, path: &str, user: Option<User>) -> (StatusCode, String) {
        let response = self.send(path, user).await;
        (response.status(), in_time(text(response)).await)
    }

    async fn text(&self, path: &str, user: Option<User>) -> String {
        self.get(path, user).await.1
    }
}

/// Sends the current user when it is dropped.
struct DropProbe(UnboundedSender<String>);

impl Drop for DropProbe {
    fn drop(&mut self) {
        self.0.send(User::name()).ok();
    }
}
