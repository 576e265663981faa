//! One HTTP/2 connection with 200 concurrent requests.

use std::{panic::resume_unwind, sync::Arc};

use axum::body::Body;
use futures_util::{
    future::join_all,
    stream::{self, StreamExt},
};
use http::Response;
use http_body_util::{BodyExt, Collected};
use tokio::{sync::Barrier, task::yield_now};
use tower_request_context::End;

use super::{
    server::{HandlerResult, TestError, serve},
    share,
    tracker::{Exchange, Tracker},
};
use crate::support::{User, http2_connection, in_time, request};

const STREAMS: u32 = 200;

#[derive(Clone, Copy, PartialEq)]
enum Outcome {
    Completes,
    Fails,
    FailsInBody,
    Panics,
    PanicsInBody,
}

impl Outcome {
    fn of(number: u32) -> Self {
        match number % 10 {
            1 => Self::Fails,
            3 => Self::FailsInBody,
            5 => Self::Panics,
            7 => Self::PanicsInBody,
            _ => Self::Completes,
        }
    }

    fn end(self) -> End {
        match self {
            Self::Completes => End::Completed,
            Self::Fails | Self::FailsInBody => End::Failed,
            Self::Panics | Self::PanicsInBody => End::Panicked,
        }
    }
}

/// The number of requests that send a body.
const BODIES: usize = STREAMS as usize * 8 / 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_streams_see_their_user_and_end_as_expected() {
    let (tracker, requests) = (Tracker::new(), share(40));
    let (handlers, bodies) = (Arc::new(Barrier::new(STREAMS as usize)), Arc::new(Barrier::new(BODIES)));
    let respond = move |exchange, _| respond(exchange, Arc::clone(&handlers), Arc::clone(&bodies));
    let address = serve(&tracker, respond).await;
    let connection = http2_connection(address).await;
    let send = async |_| {
        let number = tracker.register_with(|number| Outcome::of(number).end());
        let user = (number % 4 > 0).then_some(User(number));
        let response = connection.clone().send_request(request(address, &format!("/{number}"), user));
        let read = async { response.await?.collect().await };
        let name = user.map_or_else(|| String::from("nobody"), |_| format!("user {number}"));
        let expected = (Outcome::of(number) == Outcome::Completes).then(|| [name.as_str(); 3].join("").into());
        assert_eq!(read.await.ok().map(Collected::to_bytes), expected, "{number}");
    };
    for _ in 0..requests / STREAMS {
        in_time(join_all((0..STREAMS).map(send))).await;
    }
    tracker.assert_all_ended("200 concurrent streams", requests).await;
}

async fn respond(exchange: Exchange, handlers: Arc<Barrier>, bodies: Arc<Barrier>) -> HandlerResult {
    let outcome = Outcome::of(exchange.number);
    handlers.wait().await;
    exchange.read("the future");
    match outcome {
        Outcome::Fails => return Err(TestError),
        Outcome::Panics => resume_unwind(Box::new(TestError)),
        _ => {}
    }
    let frames = stream::iter(0..3).then(move |frame| {
        let bodies = Arc::clone(&bodies);
        async move {
            if frame == 0 {
                bodies.wait().await;
            }
            yield_now().await;
            match outcome {
                Outcome::FailsInBody if frame == 2 => Err(TestError),
                Outcome::PanicsInBody if frame == 2 => resume_unwind(Box::new(TestError)),
                _ => Ok(User::name()),
            }
        }
    });
    Ok(Response::new(Body::from_stream(frames)))
}
