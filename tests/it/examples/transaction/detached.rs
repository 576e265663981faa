//! Tasks that outlive the transaction in which they were spawned.

use std::future::pending;

use futures_util::poll;
use sqlx::query;
use tokio::{select, sync::oneshot};
use tower_request_context::RequestContext;

use super::{
    bank::{Bank, Failure},
    example::{
        Journal,
        transactional::{Propagation, connection, transactional, transactional_as},
    },
};
use crate::support::in_time;

/// How a transaction ends while a task still refers to it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Committed,
    Failed,
    Dropped,
}

const ENDINGS: [Ending; 3] = [Ending::Committed, Ending::Failed, Ending::Dropped];

impl Ending {
    fn lines(self) -> &'static [&'static str] {
        if self == Self::Committed { &["in time"] } else { &[] }
    }
}

// T14
#[tokio::test]
async fn a_task_that_outlives_its_transaction_gets_an_error() {
    for ending in ENDINGS {
        let bank = Bank::open(2).await;
        let late = outlive(&bank, ending, async || Ok(Journal.write("late").await?)).await;
        assert_eq!(late, Err(Failure::Finished), "{ending:?}");
        assert_eq!(bank.lines().await, ending.lines(), "{ending:?}");
    }
}

// T14
#[tokio::test]
async fn no_joining_mode_runs_after_the_transaction() {
    for (mode, error) in [
        (Propagation::Required, Failure::Finished),
        (Propagation::Nested, Failure::Finished),
        (Propagation::Mandatory, Failure::Finished),
        (Propagation::Supports, Failure::Finished),
        (Propagation::Never, Failure::AlreadyActive),
    ] {
        for ending in ENDINGS {
            let bank = Bank::open(2).await;
            let late = outlive(&bank, ending, async move || {
                transactional_as(mode, async { panic!("{mode:?} ran after {ending:?}") }).await
            })
            .await;
            assert_eq!(late, Err(error.clone()), "{mode:?} {ending:?}");
            assert_eq!(bank.lines().await, ending.lines(), "{mode:?} {ending:?}");
        }
    }
}

#[tokio::test]
async fn independent_modes_run_after_the_transaction() {
    for mode in [Propagation::RequiresNew, Propagation::NotSupported] {
        let bank = Bank::open(2).await;
        let late = outlive(&bank, Ending::Failed, async move || {
            transactional_as(mode, async { Ok(Journal.write("late").await?) }).await
        })
        .await;
        assert_eq!(late, Ok(()), "{mode:?}");
        assert_eq!(bank.lines().await, ["late"], "{mode:?}");
    }
}

#[tokio::test]
async fn a_waiter_gets_an_error_when_the_transaction_is_dropped() {
    let bank = Bank::open(1).await;
    let (queued, is_queued) = oneshot::channel();
    let work = transactional(async {
        let _held = connection().await?;
        let mut waiting = Box::pin(RequestContext::carry(async { Ok::<_, Failure>(Journal.write("late").await?) }));
        assert!(poll!(&mut waiting).is_pending());
        let _ = queued.send(waiting);
        pending().await
    });
    let waiting = bank.request(drive_until(work, is_queued)).await;
    assert_eq!(in_time(waiting).await, Err(Failure::Finished));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn a_task_returns_the_connection_of_a_dropped_transaction() {
    let bank = Bank::open(1).await;
    let (guard, is_held) = oneshot::channel();
    let work = transactional(async {
        Journal.write("lost").await?;
        let _ = guard.send((connection().await?, RequestContext::current()));
        pending().await
    });
    let (connection, _context) = bank.request(drive_until(work, is_held)).await;
    assert_eq!(bank.pool.num_idle(), 0, "while the task holds the connection, it is not idle");
    drop(connection);
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn a_savepoint_ends_when_its_outer_transaction_is_dropped() {
    let bank = Bank::open(1).await;
    let (spawned, is_spawned) = oneshot::channel();
    let (over, is_over) = oneshot::channel::<()>();
    let work = transactional(async {
        let (begun, is_begun) = oneshot::channel();
        let task = RequestContext::spawn(transactional_as(Propagation::Nested, async {
            Journal.write("lost").await?;
            begun.send(()).unwrap();
            is_over.await.unwrap();
            Ok::<_, Failure>(Journal.write("late").await?)
        }));
        is_begun.await.unwrap();
        let _ = spawned.send(task);
        pending().await
    });
    let task = bank.request(drive_until(work, is_spawned)).await;
    over.send(()).unwrap();
    assert_eq!(in_time(task).await.unwrap(), Err(Failure::Finished));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn a_commit_waits_for_the_task_that_has_the_connection() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        let mut connection = connection().await?;
        Ok::<_, Failure>(RequestContext::spawn(async move {
            query("INSERT INTO journal (line) VALUES ('by the task')").execute(&mut *connection).await
        }))
    });
    let task = bank.request(work).await.unwrap();
    assert_eq!(bank.lines().await, ["by the task"]);
    assert_eq!(in_time(task).await.unwrap().unwrap().rows_affected(), 1);
}

/// Ends a transaction, and then runs this work in a task that was spawned inside of it.
async fn outlive<W>(bank: &Bank, ending: Ending, work: impl FnOnce() -> W) -> Result<(), Failure>
where
    W: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let (spawned, is_spawned) = oneshot::channel();
    let (over, is_over) = oneshot::channel::<()>();
    let work = work();
    let late = bank.request(async {
        let transaction = transactional(async {
            Journal.write("in time").await?;
            let task = RequestContext::spawn(async {
                is_over.await.expect("`over` is sent");
                work.await
            });
            let _ = spawned.send(task);
            match ending {
                Ending::Committed => Ok(()),
                Ending::Failed => Err(Failure::Deliberate),
                Ending::Dropped => pending().await,
            }
        });
        let task = if ending == Ending::Dropped {
            drive_until(transaction, is_spawned).await
        } else {
            assert_eq!(transaction.await.is_ok(), ending == Ending::Committed);
            is_spawned.await.expect("the transaction has spawned the task")
        };
        over.send(()).expect("the task waits for `over`");
        task.await.expect("the task does not panic")
    });
    late.await
}

/// Runs a transaction until something is sent, and drops it then.
async fn drive_until<T>(transaction: impl Future<Output = Result<(), Failure>>, sent: oneshot::Receiver<T>) -> T {
    select! {
        end = transaction => panic!("it ended before it was dropped: {end:?}"),
        value = sent => value.expect("the transaction sends it"),
    }
}
