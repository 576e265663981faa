//! Two hundred requests at once, each in a transaction of its own, and what is left of them.

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
        Journal, Refusal,
        transactional::{TransactionError, transactional},
    },
};
use crate::support::{User, VERSIONS, client, request, serve, text};

const REQUESTS: u32 = 200;

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Commit,
    Error,
    Panic,
    Leave,
}

impl Fate {
    fn of(id: u32) -> Self {
        [Self::Commit, Self::Error, Self::Panic, Self::Leave][id as usize % 4]
    }
}

/// The moments that requests and clients wait for.
struct Moments {
    /// All have begun, each on a connection of its own, and none has written. One connection is left for inner
    /// transactions, which there are none of. From here on they write as the one writer
    /// that `SQLite` admits lets them, and each finds its own transaction again.
    begun: Barrier,
    /// This one has written, and its client may leave.
    written: Vec<Notify>,
}

// F6
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_requests_at_once_exactly_the_committed_ones_leave_their_rows() {
    for version in VERSIONS {
        let bank = Bank::open(REQUESTS + 1).await;
        let written = (0..REQUESTS).map(|_| Notify::new()).collect();
        let moments = Arc::new(Moments { begun: Barrier::new(REQUESTS as usize), written });
        let app = Router::new().route("/{id}", get(handle)).with_state(Arc::clone(&moments));
        let address = serve(app.layer(bank.layer()).layer(CatchPanicLayer::new())).await;

        let client = client(version);
        let ask = async |id| {
            let response = client.request(request(address, &format!("/{id}"), Some(User(id))));
            let response = select! {
                response = response => response.unwrap(),
                () = moments.written[id as usize].notified() => return (Fate::Leave, None),
            };
            match response.status() {
                StatusCode::OK => (Fate::Commit, Some(text(response).await)),
                StatusCode::CONFLICT => (Fate::Error, None),
                StatusCode::INTERNAL_SERVER_ERROR => (Fate::Panic, None),
                other => panic!("request {id} was answered with {other}"),
            }
        };
        // Writers poll for their turn, so the last may wait for many seconds where the machine is busy.
        let answers = timeout(Duration::from_secs(120), join_all((0..REQUESTS).map(ask))).await.expect("it hangs");
        for (id, answer) in (0..).zip(answers) {
            let fate = Fate::of(id);
            assert_eq!(answer, (fate, (fate == Fate::Commit).then(|| format!("user {id}"))), "{version:?}");
        }
        check(&bank, version).await;
    }
}

async fn check(bank: &Bank, version: Version) {
    let mut lines = bank.lines_after_another().await;
    let committed = (0..REQUESTS).filter(|id| Fate::of(*id) == Fate::Commit);
    let mut expected: Vec<_> =
        committed.flat_map(|id| ["first", "second"].map(|nth| format!("{nth} of request {id} by user {id}"))).collect();
    expected.push("another".into());
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected, "{version:?}");
}

async fn handle(State(moments): State<Arc<Moments>>, Path(id): Path<u32>) -> Result<String, Refusal> {
    transactional(async {
        moments.begun.wait().await;
        write("first", id).await?;
        yield_now().await;
        write("second", id).await?;
        match Fate::of(id) {
            Fate::Commit => Ok(User::name()),
            Fate::Error => Err(Refusal::NotEnough),
            Fate::Panic => panic!("request {id} panics"),
            Fate::Leave => {
                moments.written[id as usize].notify_one();
                pending().await
            }
        }
    })
    .await
}

async fn write(nth: &str, id: u32) -> Result<(), TransactionError> {
    Journal.write(&format!("{nth} of request {id} by {}", User::name())).await
}
