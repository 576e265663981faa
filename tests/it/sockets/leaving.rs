//! Clients that leave: before the head, and after each number of frames.

use std::{convert::Infallible, future::pending, iter::once, net::SocketAddr, pin::Pin};

use axum::body::Body;
use futures_util::{
    FutureExt,
    future::join_all,
    stream::{self, StreamExt},
};
use http::{Request, Response, Version};
use http_body_util::BodyExt;
use hyper::{body::Incoming, client::conn::http2::SendRequest};
use tower_request_context::End;

use super::{
    server::{Answer, serve},
    share,
    tracker::{Entry, Ledger},
};
use crate::support::{Connection, User, http2_connection, in_time, request};

const FRAMES: usize = 8;
const FRAME: &str = "a frame";
const CLIENTS: u32 = 3;

/// After how many frames a client leaves; `None` is before the head.
type Moment = Option<usize>;

fn moments() -> impl Iterator<Item = Moment> {
    once(None).chain((0..=FRAMES).map(Some))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_leaves_before_the_head_or_after_any_frame_is_cancelled_once_unless_it_had_all() {
    let (ledger, requests) = (Ledger::open(), share(27));
    let client = &Client { address: serve(&ledger, answer).await, ledger };
    let leave = async |_| {
        let shared = http2_connection(client.address).await;
        for _ in 0..requests / CLIENTS / 30 {
            client.closes_its_connections().await;
            client.resets_its_streams(&shared).await;
            client.closes_a_connection_that_its_streams_share().await;
        }
    };
    join_all((0..CLIENTS).map(leave)).await;
    client.ledger.close("clients that leave", requests).await;
}

/// Gives as many frames as its client wants to read, and then has to wait.
async fn answer(_: Entry, request: Request<Incoming>) -> Answer {
    let Some(wanted) = request.headers().get("x-frames") else { return pending().await };
    let wanted = wanted.to_str().unwrap().parse().unwrap();
    let frames = stream::iter([Ok::<_, Infallible>(FRAME)]).cycle().take(wanted);
    Ok(Response::new(if wanted == FRAMES {
        Body::from_stream(frames)
    } else {
        Body::from_stream(frames.chain(stream::pending()))
    }))
}

struct Client {
    address: SocketAddr,
    ledger: Ledger,
}

impl Client {
    async fn closes_its_connections(&self) {
        for moment in moments() {
            let (mut connection, socket) = Connection::open_to_abort(self.address, Version::HTTP_11).await;
            let (number, request) = self.request(moment);
            let mut response = Box::pin(connection.send(request));
            let _body = self.until(moment, number, response.as_mut()).await;
            socket.abort();
        }
    }

    async fn resets_its_streams(&self, connection: &SendRequest<Body>) {
        for moment in moments() {
            let (number, request) = self.request(moment);
            let mut response = Box::pin(connection.clone().send_request(request));
            drop(self.until(moment, number, response.as_mut()).await);
        }
    }

    async fn closes_a_connection_that_its_streams_share(&self) {
        let (Connection::Http2(connection), socket) = Connection::open_to_abort(self.address, Version::HTTP_2).await
        else {
            unreachable!("it was asked for")
        };
        let mut held = Vec::new();
        for moment in moments() {
            let (number, request) = self.request(moment);
            let mut response = connection.clone().send_request(request).boxed();
            held.push((self.until(moment, number, response.as_mut()).await, response));
        }
        socket.abort();
    }

    fn request(&self, moment: Moment) -> (u32, Request<Body>) {
        let number = self.ledger.enter(if moment == Some(FRAMES) { End::Completed } else { End::Cancelled });
        let mut request = request(self.address, &format!("/{number}"), Some(User(number)));
        if let Some(frames) = moment {
            request.headers_mut().insert("x-frames", frames.into());
        }
        (number, request)
    }

    /// Goes on until the moment has come.
    async fn until(
        &self,
        moment: Moment,
        number: u32,
        sending: Pin<&mut (impl Future<Output = hyper::Result<Response<Incoming>>> + ?Sized)>,
    ) -> Option<Incoming> {
        let Some(frames) = moment else {
            tokio::select! {
                response = sending => panic!("answered: {response:?}"),
                () = self.ledger.until(|page| page.given.contains_key(&number)) => return None,
            }
        };
        in_time(async {
            let mut body = sending.await.unwrap().into_body();
            let mut left = frames * FRAME.len();
            while left > 0 {
                left -= body.frame().await.unwrap().unwrap().into_data().unwrap().len();
            }
            assert!(frames < FRAMES || (&mut body).collect().await.unwrap().to_bytes().is_empty());
            Some(body)
        })
        .await
    }
}
