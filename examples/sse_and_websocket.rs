//! Run with `cargo run --example sse_and_websocket`.
//!
//! A room that one reads by server-sent events and talks in by WebSocket. Each event is made in the context of the
//! request that it is sent to. A WebSocket outlives its request, which is over with the answer 101, and axum runs it in
//! a task of its own: so the handler hands it the context, which still reads, and the session gets an end of its own.
//! This replaces state that is cloned into each stream and each socket.

mod shared;

use std::{convert::Infallible, process::ExitCode};

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

use self::shared::{say, single_header};

/// Who asks: seeded by the layer. For real identities see the example `identity`.
#[derive(Clone)]
struct UserId(u64);

fn user() -> String {
    RequestContext::get().map_or_else(|| String::from("a stranger"), |UserId(id)| format!("user {id}"))
}

#[derive(Clone)]
pub(crate) struct Room(broadcast::Sender<String>);

impl Room {
    /// Says something in the name of whoever asks.
    fn say(&self, words: &str) {
        let _ = self.0.send(format!("{} {words}", user())); // an error says that nobody listens
    }
}

async fn events(State(room): State<Room>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let heard = stream::unfold(room.0.subscribe(), async |mut words| {
        let event = match words.recv().await {
            Ok(heard) => event(&heard),
            Err(RecvError::Lagged(missed)) => event(&format!("{missed} events were missed")),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), words))
    });
    Sse::new(heard)
}

/// Called when the event is sent, in the context of the request that listens.
fn event(heard: &str) -> Event {
    Event::default().data(format!("{}, {heard}", user()))
}

async fn talk(State(room): State<Room>, context: RequestContext, upgrade: WebSocketUpgrade) -> Response {
    let _ = RequestContext::on_end(told(&room, "has a request that is over")); // the request has not ended yet
    upgrade.on_upgrade(move |socket| {
        // axum's task has no context, and the request has ended: its context still has its values, but takes no more
        // callbacks. A run inside it has both.
        let mut session = Store::new();
        session.on_end(told(&room, "has left"));
        context.scope(session.run(listen(socket, room)))
    })
}

fn told(room: &Room, what: &'static str) -> impl FnOnce(End) + Send + use<> {
    let room = room.clone();
    move |end| room.say(&format!("{what}: {end:?}"))
}

async fn listen(mut socket: WebSocket, room: Room) {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(words) = message {
            room.say(&format!("says {words}"));
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
async fn main() -> ExitCode {
    shared::serve(app(), async |visitor| {
        let mut events = visitor.open(Method::GET, "/events", &[("x-user-id", "7")], "").await?;
        let mut talk = format!("ws://{}/talk", visitor.address).into_client_request()?;
        talk.headers_mut().insert("x-user-id", HeaderValue::from_static("8"));
        let (mut socket, _) = client_async(talk, TcpStream::connect(visitor.address).await?).await?;
        socket.send("hello".into()).await?;
        socket.send("where is my cat?".into()).await?;
        socket.close(None).await?;
        for _ in 0..4 {
            let event = events.frame().await.ok_or("the events have ended")??;
            say(String::from_utf8_lossy(event.data_ref().map_or(b"", |data| data)).trim_end())?;
        }
        visitor.invite("/events", &[("x-user-id", "7")]);
        Ok(())
    })
    .await
}
