//! Work that is dropped before it is done.

use std::future::pending;

use futures_util::poll;
use tokio::{select, sync::Notify};

use super::{
    bank::{Bank, Failure, at_any_moment, polled},
    example::{
        Journal,
        transactional::{connection, transactional},
    },
};

// F6
#[tokio::test]
async fn what_is_dropped_is_rolled_back() {
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
async fn what_is_dropped_at_any_moment_is_all_or_nothing_and_leaves_the_pool_usable() {
    at_any_moment(async |polls| {
        let bank = Bank::open(1).await;
        let work = transactional(async {
            Journal.write("one").await?;
            Journal.write("two").await?;
            Ok::<_, Failure>(())
        });
        let completed = bank.request(polled(polls, work)).await.is_some();
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
async fn a_branch_that_is_dropped_while_it_has_the_connection_does_not_keep_it() {
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
            polled(polls, Journal.latest()).await.transpose()?;
        }
        Ok::<_, Failure>(Journal.write("kept").await?)
    });
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["kept"]);
}

#[tokio::test]
async fn work_that_joins_and_is_dropped_dooms_the_whole() {
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
        end = work => panic!("it was to be dropped, but ended: {end:?}"),
        () = moment.notified() => {}
    }
}
