//! Concurrent transactions of one request.

use futures_util::{future::join_all, join};
use tokio::sync::Barrier;

use super::{
    bank::{Bank, Failure},
    example::{
        Journal,
        transactional::{Propagation, transactional, transactional_as},
    },
};

// T03
#[tokio::test]
async fn concurrent_transactions_do_not_mix() {
    for around in [Propagation::Never, Propagation::Required] {
        let bank = Bank::open(4).await;
        let met = Barrier::new(3);
        let branch = async |line, end| {
            transactional_as(Propagation::RequiresNew, async {
                met.wait().await; // all have begun, and none has written
                Journal.write(line).await?;
                end
            })
            .await
        };
        let beside = transactional_as(Propagation::NotSupported, async {
            met.wait().await;
            Journal.write("beside").await?;
            Err::<(), _>(Failure::Deliberate)
        });
        let work = transactional_as(around, async {
            let branches = join!(branch("committed", Ok(())), beside, branch("lost", Err(Failure::Deliberate)));
            assert_eq!(branches, (Ok(()), Err(Failure::Deliberate), Err(Failure::Deliberate)));
            Ok::<_, Failure>(())
        });
        assert_eq!(bank.request(work).await, Ok(()));
        let mut lines = bank.lines().await;
        lines.sort();
        assert_eq!(lines, ["beside", "committed"], "in {around:?}");
    }
}

// T03
#[tokio::test]
async fn concurrent_transactions_do_not_see_uncommitted_lines() {
    let bank = Bank::open(3).await;
    let (written, read) = (Barrier::new(2), Barrier::new(2));
    let writer = transactional(async {
        Journal.write("uncommitted").await?;
        written.wait().await;
        let seen = Journal.latest().await?;
        read.wait().await;
        Ok::<_, Failure>(seen)
    });
    let reader = transactional(async {
        written.wait().await;
        let seen = Journal.latest().await?;
        read.wait().await;
        Ok::<_, Failure>(seen)
    });
    let seen = bank.request(async { join!(writer, reader) }).await;
    assert_eq!(seen, (Ok(vec![String::from("uncommitted")]), Ok(vec![])));
}

#[tokio::test]
async fn joined_branches_share_one_connection() {
    let bank = Bank::open(1).await;
    let met = Barrier::new(20);
    let work = transactional(async {
        let branches = (0..20).map(async |branch| {
            met.wait().await;
            for line in 0..5 {
                Journal.write(&format!("{branch} {line}")).await?;
            }
            Ok::<_, Failure>(())
        });
        join_all(branches).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        assert_eq!(Journal.latest().await?.len(), 100);
        Err::<(), _>(Failure::Deliberate)
    });
    assert_eq!(bank.request(work).await, Err(Failure::Deliberate));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}
