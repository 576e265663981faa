//! One connection of HTTP/2 that 200 requests share at once.

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
    server::{Answer, OnPurpose, serve},
    share,
    tracker::{Entry, Ledger},
};
use crate::support::{User, http2_connection, in_time, request};

const STREAMS: u32 = 200;

#[derive(Clone, Copy, PartialEq)]
enum Fate {
    Completes,
    Fails,
    FailsInBody,
    Panics,
    PanicsInBody,
}

impl Fate {
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

/// How many of them come to their body.
const BODIES: usize = STREAMS as usize * 8 / 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_of_two_hundred_streams_at_once_on_a_connection_reads_its_own_user_or_none_and_ends_as_it_should() {
    let (ledger, requests) = (Ledger::open(), share(40));
    let (handlers, bodies) = (Arc::new(Barrier::new(STREAMS as usize)), Arc::new(Barrier::new(BODIES)));
    let answer = move |entry, _| answer(entry, Arc::clone(&handlers), Arc::clone(&bodies));
    let address = serve(&ledger, answer).await;
    let connection = http2_connection(address).await;
    let ask = async |_| {
        let number = ledger.enter_as(|number| Fate::of(number).end());
        let user = (number % 4 > 0).then_some(User(number));
        let response = connection.clone().send_request(request(address, &format!("/{number}"), user));
        let read = async { response.await?.collect().await };
        let name = user.map_or_else(|| String::from("nobody"), |_| format!("user {number}"));
        let due = (Fate::of(number) == Fate::Completes).then(|| [name.as_str(); 3].join("").into());
        assert_eq!(read.await.ok().map(Collected::to_bytes), due, "{number}");
    };
    for _ in 0..requests / STREAMS {
        in_time(join_all((0..STREAMS).map(ask))).await;
    }
    ledger.close("200 streams at once", requests).await;
}

async fn answer(entry: Entry, handlers: Arc<Barrier>, bodies: Arc<Barrier>) -> Answer {
    let fate = Fate::of(entry.number);
    handlers.wait().await;
    entry.read("the future");
    match fate {
        Fate::Fails => return Err(OnPurpose),
        Fate::Panics => resume_unwind(Box::new(OnPurpose)),
        _ => {}
    }
    let frames = stream::iter(0..3).then(move |frame| {
        let bodies = Arc::clone(&bodies);
        async move {
            if frame == 0 {
                bodies.wait().await;
            }
            yield_now().await;
            match fate {
                Fate::FailsInBody if frame == 2 => Err(OnPurpose),
                Fate::PanicsInBody if frame == 2 => resume_unwind(Box::new(OnPurpose)),
                _ => Ok(User::name()),
            }
        }
    });
    Ok(Response::new(Body::from_stream(frames)))
}
