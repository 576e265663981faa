//! Inner transactions get a connection, for any number of outer ones.

use std::{future::ready, time::Duration};

use futures_util::{future::join_all, join, poll};
use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::{Barrier, Notify};
use tower_request_context::{RequestContext, Store};

use super::{
    bank::{Bank, Failure},
    example::{
        Journal,
        transactional::{Database, Propagation, connection, transactional, transactional_as},
    },
};
use crate::support::in_time;

const CONNECTIONS: u32 = 5;
const OUTER: usize = 4;

#[tokio::test]
async fn outer_transactions_leave_a_connection_for_inner_ones() {
    for mode in [Propagation::RequiresNew, Propagation::NotSupported] {
        let bank = Bank::open(CONNECTIONS).await;
        let met = Barrier::new(OUTER);
        let client = async || {
            transactional(async {
                met.wait().await; // all outer transactions have begun, and none has a second connection
                transactional_as(mode, Journal.write("inner")).await?;
                Ok::<_, Failure>(())
            })
            .await
        };
        // All of them request a connection before the first one gets it.
        let clients = join_all((0..4 * OUTER).map(|_| bank.request(client())));
        assert_eq!(in_time(clients).await, vec![Ok(()); 4 * OUTER], "{mode:?}");
        assert_eq!(bank.lines().await.len(), 4 * OUTER, "{mode:?}");
    }
}

#[tokio::test]
async fn not_supported_work_shares_the_permit_of_its_transaction() {
    let bank = Bank::open(2).await; // one permit
    let work = transactional(transactional_as(Propagation::NotSupported, async {
        transactional(async { Ok::<_, Failure>(Journal.write("inner").await?) }).await
    }));
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["inner"]);
}

#[tokio::test]
async fn a_task_does_not_keep_the_permit_of_an_ended_transaction() {
    let bank = Bank::open(2).await; // one permit
    let over = Notify::new();
    let work = async {
        let task = transactional(async { Ok::<_, Failure>(RequestContext::carry(over.notified())) }).await;
        assert_eq!(bank.request(transactional(ready(Ok::<_, Failure>(())))).await, Ok(()));
        over.notify_one();
        task.unwrap().await;
    };
    bank.request(work).await;
}

#[tokio::test]
async fn a_transaction_of_a_late_task_counts_as_an_outer_one() {
    let bank = Bank::open(2).await; // one permit
    let (begun, is_polled, over) = (Notify::new(), Notify::new(), Notify::new());
    let outer = transactional(async {
        let late = transactional_as(Propagation::RequiresNew, async {
            begun.notify_one();
            is_polled.notified().await;
            transactional_as(Propagation::RequiresNew, Journal.write("late")).await?;
            over.notify_one();
            Ok::<_, Failure>(())
        });
        Ok::<_, Failure>(RequestContext::carry(late))
    });
    let late = async { outer.await.unwrap().await };
    let other = async {
        begun.notified().await;
        let mut work = Box::pin(transactional(async {
            over.notified().await;
            Ok::<_, Failure>(())
        }));
        assert!(poll!(&mut work).is_pending()); // with a permit, this would take the connection that `late` needs
        is_polled.notify_one();
        work.await
    };
    let ended = Box::pin(async { join!(bank.request(late), bank.request(other)) });
    assert_eq!(in_time(ended).await, (Ok(()), Ok(())));
}

#[tokio::test]
async fn an_outer_transaction_without_a_permit_in_time_is_an_error() {
    let pool = SqlitePoolOptions::new().max_connections(2).acquire_timeout(Duration::from_millis(50));
    let database = Database::new(pool.connect("sqlite::memory:").await.unwrap());
    let context = || RequestContext::new(Store::new().with_value(database.clone()));
    let outer = transactional(async {
        let other = context().scope(transactional(ready(Ok::<_, Failure>(())))).await;
        assert!(matches!(other, Err(Failure::Database(message)) if message.contains("timed out")));
        connection().await?;
        Ok::<_, Failure>(())
    });
    assert_eq!(in_time(context().scope(outer)).await, Ok(()));
}
