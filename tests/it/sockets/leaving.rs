//! Clients that disconnect: before the status and headers, and after each number of frames.

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
    server::{HandlerResult, serve},
    share,
    tracker::{Exchange, Tracker},
};
use crate::support::{Connection, User, http2_connection, in_time, request};

const FRAMES: usize = 8;
const FRAME: &str = "a frame";
const CLIENTS: u32 = 3;

/// The number of frames after which a client disconnects. `None` is before the status and headers.
type LeavePoint = Option<usize>;

fn leave_points() -> impl Iterator<Item = LeavePoint> {
    once(None).chain((0..=FRAMES).map(Some))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn disconnect_cancels_once_unless_all_frames_were_read() {
    let (tracker, requests) = (Tracker::new(), share(27));
    let client = &Client { address: serve(&tracker, respond).await, tracker };
    let leave = async |_| {
        let shared = http2_connection(client.address).await;
        for _ in 0..requests / CLIENTS / 30 {
            client.close_connections().await;
            client.reset_streams(&shared).await;
            client.close_shared_connection().await;
        }
    };
    join_all((0..CLIENTS).map(leave)).await;
    client.tracker.assert_all_ended("clients that leave", requests).await;
}

/// Sends as many frames as the client reads, then waits unless these are all. Without `x-frames`, it never responds.
async fn respond(_: Exchange, request: Request<Incoming>) -> HandlerResult {
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
    tracker: Tracker,
}

impl Client {
    async fn close_connections(&self) {
        for leave_point in leave_points() {
            let (mut connection, socket) = Connection::open_to_abort(self.address, Version::HTTP_11).await;
            let (number, request) = self.request(leave_point);
            let mut response = Box::pin(connection.send(request));
            let _body = self.until(leave_point, number, response.as_mut()).await;
            socket.abort();
        }
    }

    async fn reset_streams(&self, connection: &SendRequest<Body>) {
        for leave_point in leave_points() {
            let (number, request) = self.request(leave_point);
            let mut response = Box::pin(connection.clone().send_request(request));
            drop(self.until(leave_point, number, response.as_mut()).await);
        }
    }

    async fn close_shared_connection(&self) {
        let (Connection::Http2(connection), socket) = Connection::open_to_abort(self.address, Version::HTTP_2).await
        else {
            unreachable!("HTTP/2 was requested")
        };
        let mut held = Vec::new();
        for leave_point in leave_points() {
            let (number, request) = self.request(leave_point);
            let mut response = connection.clone().send_request(request).boxed();
            held.push((self.until(leave_point, number, response.as_mut()).await, response));
        }
        socket.abort();
    }

    fn request(&self, leave_point: LeavePoint) -> (u32, Request<Body>) {
        let number = self.tracker.register(if leave_point == Some(FRAMES) { End::Completed } else { End::Cancelled });
        let mut request = request(self.address, &format!("/{number}"), Some(User(number)));
        if let Some(frames) = leave_point {
            request.headers_mut().insert("x-frames", frames.into());
        }
        (number, request)
    }

    /// Reads up to the point at which the client disconnects.
    async fn until(
        &self,
        leave_point: LeavePoint,
        number: u32,
        sending: Pin<&mut (impl Future<Output = hyper::Result<Response<Incoming>>> + ?Sized)>,
    ) -> Option<Incoming> {
        let Some(frames) = leave_point else {
            tokio::select! {
                response = sending => panic!("unexpected response: {response:?}"),
                () = self.tracker.until(|state| state.frames_sent.contains_key(&number)) => return None,
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
