//! Run with `cargo run --example sse_and_websocket`.
//!
//! A chat room that clients read by server-sent events and write to by WebSocket.
//!
//! Each event is created in the context of the request that receives it. A WebSocket outlives its request, which
//! completes with the response 101, and axum runs its callback in another task. The handler therefore passes its
//! context to the callback, where the values can still be read. `Store::run` inside that context gives the session a
//! completion of its own. Without this crate, each stream and each socket would need its own clone of these values.

#[path = "../shared/mod.rs"]
mod shared;

use std::convert::Infallible;

use axum::{
    Router,
    extract::{
        State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderValue, Method},
    response::{Response, Sse, sse::Event},
    routing::get,
};
use futures_util::{SinkExt, Stream, stream};
use http_body_util::BodyExt;
use tokio::{
    net::TcpStream,
    sync::broadcast::{self, error::RecvError},
};
use tokio_tungstenite::{client_async, tungstenite::client::IntoClientRequest};
use tower_request_context::{End, RequestContext, RequestContextLayer, Store};

use self::shared::{Demo, print, single_header};

/// The user of a request. The layer inserts it. For real identities see the example `identity`.
#[derive(Clone)]
struct UserId(u64);

fn user_name() -> String {
    RequestContext::get().map_or_else(|| String::from("anonymous"), |UserId(id)| format!("user {id}"))
}

#[derive(Clone)]
pub(crate) struct Room(broadcast::Sender<String>);

impl Room {
    /// Sends a message from the current user to all readers.
    fn send(&self, message: &str) {
        let _ = self.0.send(format!("{} {message}", user_name())); // an error means that there are no readers
    }
}

async fn events(State(room): State<Room>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let events = stream::unfold(room.0.subscribe(), async |mut messages| {
        let event = match messages.recv().await {
            Ok(message) => event(&message),
            Err(RecvError::Lagged(missed)) => event(&format!("{missed} events were missed")),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), messages))
    });
    Sse::new(events)
}

/// Called when the event is sent, in the context of the request that receives it.
fn event(message: &str) -> Event {
    Event::default().data(format!("to {}: {message}", user_name()))
}

async fn talk(State(room): State<Room>, context: RequestContext, upgrade: WebSocketUpgrade) -> Response {
    let _ = RequestContext::on_end(send_end(&room, "request")); // cannot fail: the request has not ended yet
    upgrade.on_upgrade(move |socket| {
        // axum calls this in a task without a context, and the request has ended. Its context still has the values, but
        // accepts no more callbacks. `Store::run` inside it reads the same values, and accepts callbacks.
        let mut session = Store::new();
        session.on_end(send_end(&room, "session"));
        context.scope(session.run(receive(socket, room)))
    })
}

/// Returns a callback that sends how a request or a session of the current user ended.
fn send_end(room: &Room, what: &'static str) -> impl FnOnce(End) + Send + use<> {
    let room = room.clone();
    move |end| room.send(&format!("ended a {what}: {end:?}"))
}

async fn receive(mut socket: WebSocket, room: Room) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            room.send(&format!("says {text}"));
        }
    }
}

pub(crate) fn app() -> Router {
    let context = RequestContextLayer::new(|store, request| {
        if let Some(Ok(id)) = single_header(&request.headers, "x-user-id").map(str::parse) {
            store.insert(UserId(id));
        }
    });
    let room = Room(broadcast::channel(64).0);
    Router::new().route("/events", get(events)).route("/talk", get(talk)).with_state(room).layer(context)
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let server = axum::serve(listener, app()).with_graceful_shutdown(demo.shutdown_signal());
    demo.run(server, async |client| {
        let mut events = client.open(Method::GET, "/events", &[("x-user-id", "7")], "").await?;
        let mut talk = format!("ws://{}/talk", client.address).into_client_request()?;
        talk.headers_mut().insert("x-user-id", HeaderValue::from_static("8"));
        let (mut socket, _) = client_async(talk, TcpStream::connect(client.address).await?).await?;
        socket.send("hello".into()).await?;
        socket.send("where is my cat?".into()).await?;
        socket.close(None).await?;
        for _ in 0..4 {
            let event = events.frame().await.ok_or("the events have ended")??;
            print(String::from_utf8_lossy(event.data_ref().map_or(b"", |data| data)).trim_end())?;
        }
        client.suggest("/events", &[("x-user-id", "7")]);
        Ok(())
    })
    .await
}
