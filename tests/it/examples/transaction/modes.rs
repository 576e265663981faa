//! The propagation modes, each inside and outside of a transaction.

use sqlx::query;

use super::{
    bank::{Bank, Failure},
    example::{
        Journal,
        transactional::{Propagation, connection, transactional, transactional_as},
    },
};
use Failure::{AlreadyActive, Deliberate, NotActive, RolledBack};
use Propagation::{Mandatory, Nested, Never, NotSupported, Required, RequiresNew, Supports};

/// A mode, the result of work in it, the result of the transaction around it, and the committed lines.
type Row = (Propagation, Result<(), Failure>, Result<(), Failure>, &'static [&'static str]);

// T05
#[tokio::test]
async fn each_mode_begins_a_transaction_runs_without_or_fails() {
    let modes: [(_, Result<(), Failure>, &[&str]); 7] = [
        (Required, Err(Deliberate), &[]),
        (RequiresNew, Err(Deliberate), &[]),
        (Nested, Err(Deliberate), &[]),
        (Mandatory, Err(NotActive), &[]),
        (Supports, Err(Deliberate), &["inner"]),
        (NotSupported, Err(Deliberate), &["inner"]),
        (Never, Err(Deliberate), &["inner"]),
    ];
    for (mode, result, lines) in modes {
        let bank = Bank::open(1).await;
        assert_eq!(bank.request(inner(mode, Err(Deliberate))).await, result, "{mode:?}");
        assert_eq!(bank.lines().await, lines, "{mode:?}");
    }
    for mode in [Required, RequiresNew, Nested, Supports, NotSupported, Never] {
        let bank = Bank::open(1).await;
        assert_eq!(bank.request(inner(mode, Ok(()))).await, Ok(()), "{mode:?}");
        assert_eq!(bank.lines().await, ["inner"], "{mode:?}");
    }
}

// T06
#[tokio::test]
async fn only_joined_work_rolls_back_with_the_outer_transaction() {
    let rows: [Row; 7] = [
        (Required, Ok(()), Err(Deliberate), &[]),
        (RequiresNew, Ok(()), Err(Deliberate), &["inner"]),
        (Nested, Ok(()), Err(Deliberate), &[]),
        (Mandatory, Ok(()), Err(Deliberate), &[]),
        (Supports, Ok(()), Err(Deliberate), &[]),
        (NotSupported, Ok(()), Err(Deliberate), &["inner"]),
        (Never, Err(AlreadyActive), Err(Deliberate), &[]),
    ];
    for (mode, inner_result, outer_result, lines) in rows {
        check((mode, inner_result, outer_result, lines), Ok(()), Err(Deliberate)).await;
    }
}

// T06
#[tokio::test]
async fn success_in_each_mode_is_committed() {
    for mode in [Required, RequiresNew, Nested, Mandatory, Supports, NotSupported] {
        check((mode, Ok(()), Ok(()), &["inner", "outer"]), Ok(()), Ok(())).await;
    }
    check((Never, Err(AlreadyActive), Ok(()), &["outer"]), Ok(()), Ok(())).await;
}

// T06; nestjs-cls commits here, Spring does not
#[tokio::test]
async fn only_failed_joined_work_rolls_back_the_outer_transaction() {
    let rows: [Row; 7] = [
        (Required, Err(Deliberate), Err(RolledBack), &[]),
        (RequiresNew, Err(Deliberate), Ok(()), &["outer"]),
        (Nested, Err(Deliberate), Ok(()), &["outer"]),
        (Mandatory, Err(Deliberate), Err(RolledBack), &[]),
        (Supports, Err(Deliberate), Err(RolledBack), &[]),
        (NotSupported, Err(Deliberate), Ok(()), &["inner", "outer"]),
        (Never, Err(AlreadyActive), Ok(()), &["outer"]),
    ];
    for row in rows {
        check(row, Err(Deliberate), Ok(())).await;
    }
}

#[tokio::test]
async fn only_joined_work_sees_uncommitted_lines() {
    for (mode, seen) in [(Required, 1), (RequiresNew, 0), (Nested, 1), (Mandatory, 1), (Supports, 1), (NotSupported, 0)]
    {
        let bank = Bank::open(2).await;
        let lines = transactional(async {
            Journal.write("outer").await?;
            transactional_as(mode, async { Ok::<_, Failure>(Journal.latest().await?.len()) }).await
        });
        assert_eq!(bank.request(lines).await, Ok(seen), "{mode:?}");
    }
}

// A port of the test of nested modes of nestjs-cls
#[tokio::test]
async fn modes_can_be_nested() {
    let write = async |mode, line| transactional_as(mode, async { Ok::<_, Failure>(Journal.write(line).await?) }).await;
    let bank = Bank::open(3).await;
    let work = transactional_as(NotSupported, async {
        Journal.write("without").await?;
        write(Required, "its own").await?;
        transactional_as(RequiresNew, async {
            write(RequiresNew, "new in new").await?;
            transactional(async { write(Required, "joined twice").await }).await?;
            write(Mandatory, "joined").await?;
            Journal.write("outer").await?;
            Err::<(), _>(Deliberate)
        })
        .await
    });
    assert_eq!(bank.request(work).await, Err(Deliberate));
    assert_eq!(bank.lines().await, ["without", "its own", "new in new"]);
}

#[tokio::test]
async fn a_second_writer_in_a_transaction_is_an_error() {
    for mode in [RequiresNew, NotSupported] {
        let bank = Bank::open(2).await;
        let work = transactional(async {
            Journal.write("outer").await?;
            let inner = transactional_as(mode, async {
                let mut connection = connection().await?;
                query("PRAGMA busy_timeout = 10").execute(&mut *connection).await?;
                query("INSERT INTO journal (line) VALUES ('inner')").execute(&mut *connection).await?;
                Ok::<_, Failure>(())
            });
            assert!(matches!(inner.await, Err(Failure::Database(message)) if message.contains("database is locked")));
            Ok::<_, Failure>(())
        });
        assert_eq!(bank.request(work).await, Ok(()), "{mode:?}");
        assert_eq!(bank.lines().await, ["outer"], "{mode:?}");
    }
}

/// Checks one row, with the given results of the inner and the outer work.
async fn check(
    (mode, inner_result, outer_result, lines): Row,
    inner_end: Result<(), Failure>,
    outer_end: Result<(), Failure>,
) {
    let bank = Bank::open(2).await;
    let outer = transactional(async {
        assert_eq!(inner(mode, inner_end).await, inner_result, "{mode:?}");
        Journal.write("outer").await?;
        outer_end
    });
    assert_eq!(bank.request(outer).await, outer_result, "{mode:?}");
    assert_eq!(bank.lines().await, lines, "{mode:?}");
}

async fn inner(mode: Propagation, end: Result<(), Failure>) -> Result<(), Failure> {
    transactional_as(mode, async {
        Journal.write("inner").await?;
        end
    })
    .await
}
