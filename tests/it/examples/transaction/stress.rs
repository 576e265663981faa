//! Two hundred concurrent requests, each in a transaction of its own, of which only some commit.

use std::{future::pending, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Path, State},
    routing::get,
};
use futures_util::future::join_all;
use http::{StatusCode, Version};
use tokio::{
    select,
    sync::{Barrier, Notify},
    task::yield_now,
    time::timeout,
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    bank::Bank,
    example::{
        Journal, TransferError,
        transactional::{TransactionError, transactional},
    },
};
use crate::support::{User, VERSIONS, client, request, serve, text};

const REQUESTS: u32 = 200;

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Outcome {
    Commit,
    Error,
    Panic,
    Disconnect,
}

impl Outcome {
    fn of(id: u32) -> Self {
        [Self::Commit, Self::Error, Self::Panic, Self::Disconnect][id as usize % 4]
    }
}

/// The points that requests and clients wait for.
struct Stages {
    /// All transactions have begun, each on a connection of its own, and none has written. One connection is left for
    /// inner transactions, of which there are none. From here on, they write one after the other, since `SQLite` has
    /// one writer at a time, and each must find its own transaction.
    begun: Barrier,
    /// The request with this number has written, and its client may disconnect.
    written: Vec<Notify>,
}

// F6
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn only_committed_requests_leave_rows() {
    for version in VERSIONS {
        let bank = Bank::open(REQUESTS + 1).await;
        let written = (0..REQUESTS).map(|_| Notify::new()).collect();
        let stages = Arc::new(Stages { begun: Barrier::new(REQUESTS as usize), written });
        let app = Router::new().route("/{id}", get(handle)).with_state(Arc::clone(&stages));
        let address = serve(app.layer(bank.layer()).layer(CatchPanicLayer::new())).await;

        let client = client(version);
        let send = async |id| {
            let response = client.request(request(address, &format!("/{id}"), Some(User(id))));
            let response = select! {
                response = response => response.unwrap(),
                () = stages.written[id as usize].notified() => return (Outcome::Disconnect, None),
            };
            match response.status() {
                StatusCode::OK => (Outcome::Commit, Some(text(response).await)),
                StatusCode::CONFLICT => (Outcome::Error, None),
                StatusCode::INTERNAL_SERVER_ERROR => (Outcome::Panic, None),
                other => panic!("request {id} got the response {other}"),
            }
        };
        // Writers poll the lock of the database, so the last one may wait for many seconds on a busy machine.
        let responses =
            timeout(Duration::from_secs(120), join_all((0..REQUESTS).map(send))).await.expect("the requests hang");
        for (id, response) in (0..).zip(responses) {
            let outcome = Outcome::of(id);
            assert_eq!(response, (outcome, (outcome == Outcome::Commit).then(|| format!("user {id}"))), "{version:?}");
        }
        check(&bank, version).await;
    }
}

async fn check(bank: &Bank, version: Version) {
    let mut lines = bank.lines_after_another().await;
    let committed = (0..REQUESTS).filter(|id| Outcome::of(*id) == Outcome::Commit);
    let mut expected: Vec<_> =
        committed.flat_map(|id| ["first", "second"].map(|nth| format!("{nth} of request {id} by user {id}"))).collect();
    expected.push("another".into());
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected, "{version:?}");
}

async fn handle(State(stages): State<Arc<Stages>>, Path(id): Path<u32>) -> Result<String, TransferError> {
    transactional(async {
        stages.begun.wait().await;
        write("first", id).await?;
        yield_now().await;
        write("second", id).await?;
        match Outcome::of(id) {
            Outcome::Commit => Ok(User::name()),
            Outcome::Error => Err(TransferError::InsufficientFunds),
            Outcome::Panic => panic!("request {id} panics"),
            Outcome::Disconnect => {
                stages.written[id as usize].notify_one();
                pending().await
            }
        }
    })
    .await
}

async fn write(nth: &str, id: u32) -> Result<(), TransactionError> {
    Journal.write(&format!("{nth} of request {id} by {}", User::name())).await
}
