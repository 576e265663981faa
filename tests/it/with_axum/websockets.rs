//! Sockets that outlive their request: `on_upgrade` runs its callback on a separate task.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ws::{self, WebSocket, WebSocketUpgrade},
    response::Response,
    routing::any,
};
use futures_util::{SinkExt, StreamExt};
use http::{HeaderValue, Method, header::SEC_WEBSOCKET_VERSION};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Message, client::IntoClientRequest, protocol::Role},
};
use tower_request_context::RequestContext;

use crate::support::{User, http2_connection, in_time, layer, request, serve, text};

#[tokio::test]
async fn websocket_sees_the_user_only_if_scoped() {
    let address = serve(app()).await;
    for (path, expected) in [
        ("/bare", ["nobody", "nobody", "nobody"]),
        ("/carried-in-the-callback", ["nobody", "nobody", "nobody"]),
        ("/scoped", ["user 1", "nobody", "user 2"]),
    ] {
        let mut sockets = Vec::new();
        for user in [Some(User(1)), None, Some(User(2))] {
            sockets.push(in_time(http1_socket(address, path, user)).await);
        }
        for _ in 0..2 {
            for (socket, expected) in sockets.iter_mut().zip(expected) {
                assert_eq!(in_time(ask(socket)).await, expected, "{path}");
            }
        }
    }
}

#[tokio::test]
async fn http2_websockets_see_their_own_user_if_scoped() {
    let address = serve(app()).await;
    let mut sender = http2_connection(address).await;
    // Extended CONNECT requires the server's SETTINGS. They arrive before the first response.
    let response = in_time(sender.send_request(request(address, "/", Some(User(9))))).await.unwrap();
    assert_eq!(in_time(text(response)).await, "user 9");

    let mut sockets = Vec::new();
    for (path, user) in [("/scoped", Some(User(1))), ("/bare", Some(User(1))), ("/scoped", Some(User(2)))] {
        let mut connect = request(address, path, user);
        *connect.method_mut() = Method::CONNECT;
        connect.headers_mut().insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        connect.extensions_mut().insert(Protocol::from_static("websocket"));
        let response = in_time(sender.send_request(connect)).await.unwrap();
        let upgraded = in_time(hyper::upgrade::on(response)).await.unwrap();
        sockets.push(WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await);
    }
    for _ in 0..2 {
        for (socket, expected) in sockets.iter_mut().zip(["user 1", "nobody", "user 2"]) {
            assert_eq!(in_time(ask(socket)).await, expected);
        }
    }
}

fn app() -> Router {
    let bare = async |upgrade: WebSocketUpgrade| upgrade.on_upgrade(respond);
    let carried = async |upgrade: WebSocketUpgrade| {
        // Too late: the closure runs on the task, where no context is current.
        upgrade.on_upgrade(|socket| RequestContext::carry(respond(socket)))
    };
    Router::new()
        .route("/", any(async || User::name()))
        .route("/bare", any(bare))
        .route("/carried-in-the-callback", any(carried))
        .route("/scoped", any(scoped))
        .layer(layer())
}

async fn scoped(upgrade: WebSocketUpgrade) -> Response {
    let context = RequestContext::current().unwrap();
    upgrade.on_upgrade(move |socket| context.scope(respond(socket)))
}

/// Responds to each message with the current user.
async fn respond(mut socket: WebSocket) {
    while let Some(Ok(ws::Message::Text(_))) = socket.recv().await {
        socket.send(ws::Message::Text(User::name().into())).await.unwrap();
    }
}

async fn http1_socket(address: SocketAddr, path: &str, user: Option<User>) -> WebSocketStream<TcpStream> {
    let mut request = format!("ws://{address}{path}").into_client_request().unwrap();
    if let Some(User(id)) = user {
        request.headers_mut().insert(User::HEADER, id.into());
    }
    client_async(request, TcpStream::connect(address).await.unwrap()).await.unwrap().0
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(socket: &mut WebSocketStream<S>) -> String {
    socket.send(Message::text("who?")).await.unwrap();
    socket.next().await.unwrap().unwrap().into_text().unwrap().to_string()
}
