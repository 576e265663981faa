//! Work that is dropped before it completes.

use std::future::pending;

use futures_util::poll;
use tokio::{select, sync::Notify};

use super::{
    bank::{Bank, Failure, after_each_poll, poll_at_most},
    example::{
        Journal,
        transactional::{connection, transactional},
    },
};

// F6
#[tokio::test]
async fn dropped_work_is_rolled_back() {
    let bank = Bank::open(1).await;
    let parked = Notify::new();
    let work = transactional(async {
        Journal.write("lost").await?;
        parked.notify_one();
        pending().await
    });
    bank.request(drop_when(&parked, work)).await;
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn work_dropped_after_any_poll_is_atomic_and_frees_the_pool() {
    after_each_poll(async |polls| {
        let bank = Bank::open(1).await;
        let work = transactional(async {
            Journal.write("one").await?;
            Journal.write("two").await?;
            Ok::<_, Failure>(())
        });
        let completed = bank.request(poll_at_most(polls, work)).await.is_some();
        let lines = bank.lines_after_another().await;
        if completed || lines.len() != 1 {
            assert_eq!(lines, ["one", "two", "another"], "{polls} polls");
        } else {
            assert_eq!(lines, ["another"], "{polls} polls");
        }
        completed
    })
    .await;
}

#[tokio::test]
async fn a_dropped_branch_releases_the_connection() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        let mut holder = Box::pin(async {
            let _held = connection().await;
            pending::<()>().await;
        });
        assert!(poll!(&mut holder).is_pending());
        let mut waiting = Box::pin(Journal.write("dropped in the queue"));
        assert!(poll!(&mut waiting).is_pending());
        drop((waiting, holder));
        for polls in 0..5 {
            poll_at_most(polls, Journal.latest()).await.transpose()?;
        }
        Ok::<_, Failure>(Journal.write("kept").await?)
    });
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["kept"]);
}

#[tokio::test]
async fn dropping_joined_work_rolls_back_the_whole_transaction() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        let written = Notify::new();
        let joined = transactional(async {
            Journal.write("half of it").await?;
            written.notify_one();
            pending().await
        });
        drop_when(&written, joined).await;
        Ok::<_, Failure>(())
    });
    assert_eq!(bank.request(work).await, Err(Failure::RolledBack));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

async fn drop_when(moment: &Notify, work: impl Future<Output = Result<(), Failure>>) {
    select! {
        end = work => panic!("it ended before it was dropped: {end:?}"),
        () = moment.notified() => {}
    }
}
