//! Savepoints: rolled back alone, or with the transaction around them.

use futures_util::join;
use tokio::sync::Notify;

use super::{
    bank::{Bank, Failure, after_each_poll, poll_at_most},
    example::{
        Journal,
        transactional::{Propagation, transactional, transactional_as},
    },
};

#[tokio::test]
async fn a_savepoint_rolls_back_without_its_transaction() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        Journal.write("before").await?;
        assert_eq!(nested(&["lost"], Err(Failure::Deliberate)).await, Err(Failure::Deliberate));
        assert_eq!(Journal.latest().await?, ["before"]);
        nested(&["kept"], Ok(())).await?;
        assert_eq!(nested(&["lost too"], Err(Failure::Deliberate)).await, Err(Failure::Deliberate));
        Ok::<_, Failure>(())
    });
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["before", "kept"]);
}

#[tokio::test]
async fn an_inner_savepoint_rolls_back_alone_or_with_the_outer_one() {
    for (outer_end, lines) in [(Ok(()), &["a", "b", "d", "e"][..]), (Err(Failure::Deliberate), &["a", "e"])] {
        let bank = Bank::open(1).await;
        let work = transactional(async {
            Journal.write("a").await?;
            let outer = transactional_as(Propagation::Nested, async {
                Journal.write("b").await?;
                assert_eq!(nested(&["c"], Err(Failure::Deliberate)).await, Err(Failure::Deliberate));
                nested(&["d"], Ok(())).await?;
                outer_end.clone()
            });
            assert_eq!(outer.await, outer_end);
            Ok::<_, Failure>(Journal.write("e").await?)
        });
        assert_eq!(bank.request(work).await, Ok(()));
        assert_eq!(bank.lines().await, lines);
    }
}

#[tokio::test]
async fn savepoints_of_two_branches_run_one_after_the_other() {
    let bank = Bank::open(1).await;
    let began = Notify::new();
    let first = transactional_as(Propagation::Nested, async {
        Journal.write("lost").await?;
        began.notify_one(); // the other branch is polled before this one is again
        Journal.write("lost too").await?;
        Err::<(), _>(Failure::Deliberate)
    });
    let second = async {
        began.notified().await;
        nested(&["kept", "kept too"], Ok(())).await
    };
    let work = transactional(async {
        assert_eq!(join!(first, second), (Err(Failure::Deliberate), Ok(())));
        Ok::<_, Failure>(())
    });
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["kept", "kept too"]);
}

#[tokio::test]
async fn failed_work_in_a_savepoint_rolls_back_only_the_savepoint() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        Journal.write("kept").await?;
        let savepoint = transactional_as(Propagation::Nested, async {
            let joined = transactional(async {
                Journal.write("lost").await?;
                Err::<(), _>(Failure::Deliberate)
            });
            assert_eq!(joined.await, Err(Failure::Deliberate));
            Ok::<_, Failure>(())
        });
        assert_eq!(savepoint.await, Err(Failure::RolledBack));
        Ok::<_, Failure>(())
    });
    assert_eq!(bank.request(work).await, Ok(()));
    assert_eq!(bank.lines().await, ["kept"]);
}

#[tokio::test]
async fn a_savepoint_dropped_after_any_poll_is_atomic() {
    after_each_poll(async |polls| {
        let bank = Bank::open(1).await;
        let work = transactional(async {
            Journal.write("before").await?;
            let result = poll_at_most(polls, nested(&["in", "it"], Ok(()))).await;
            Journal.write("after").await?;
            nested(&["lost"], Err(Failure::Deliberate)).await.unwrap_err();
            Ok::<_, Failure>(result.is_some())
        });
        let completed = bank.request(work).await.unwrap();
        match &*bank.lines().await {
            [a, b] => assert_eq!(([&**a, b], completed), (["before", "after"], false), "{polls} polls"),
            lines => assert_eq!(lines, ["before", "in", "it", "after"], "{polls} polls"),
        }
        completed
    })
    .await;
}

async fn nested(lines: &[&str], end: Result<(), Failure>) -> Result<(), Failure> {
    transactional_as(Propagation::Nested, async {
        for line in lines {
            Journal.write(line).await?;
        }
        end
    })
    .await
}
