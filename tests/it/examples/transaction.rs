//! A transaction in the context: repositories find it without an argument, and it ends with the work.

pub(super) mod bank;
mod cancelled;
mod detached;
#[allow(dead_code, reason = "`main` is not called")]
#[path = "../../../examples/transaction/main.rs"]
mod example;
mod modes;
mod overlap;
mod pool;
mod requests;
mod savepoints;
mod stress;

use std::future::ready;

use self::{
    bank::{Bank, Failure},
    example::{
        Journal,
        transactional::{TransactionError, connection, transactional},
    },
};

// T01
#[tokio::test]
async fn repositories_find_the_transaction() {
    async fn service() -> Result<Vec<String>, TransactionError> {
        Journal.write("written two calls down").await?;
        Journal.latest().await
    }

    let bank = Bank::open(2).await;
    let work = transactional(async {
        let seen = service().await?;
        assert_eq!(bank.lines().await, [""; 0], "other connections see nothing before the commit");
        Ok::<_, TransactionError>(seen)
    });
    assert_eq!(bank.request(work).await.unwrap(), ["written two calls down"]);
    assert_eq!(bank.lines().await, ["written two calls down"]);
}

#[tokio::test]
async fn without_a_transaction_repositories_use_the_pool() {
    let bank = Bank::open(1).await;
    let work = async {
        Journal.write("one").await?;
        assert_eq!(bank.lines().await, ["one"]);
        Journal.write("two").await?;
        Err::<(), Failure>(Failure::Deliberate)
    };
    assert_eq!(bank.request(work).await, Err(Failure::Deliberate));
    assert_eq!(bank.lines().await, ["one", "two"]);
}

#[tokio::test]
async fn an_error_rolls_back() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        Journal.write("lost").await?;
        Err::<(), _>(Failure::Deliberate)
    });
    assert_eq!(bank.request(work).await, Err(Failure::Deliberate));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn an_error_of_the_database_rolls_back() {
    let bank = Bank::open(1).await;
    let work = transactional(async {
        Journal.write("lost").await?;
        sqlx::query("INSERT INTO nowhere VALUES (1)").execute(&mut *connection().await?).await.map_err(Failure::from)
    });
    assert!(matches!(bank.request(work).await, Err(Failure::Database(_))));
    assert_eq!(bank.lines_after_another().await, ["another"]);
}

#[tokio::test]
async fn without_a_database_in_the_context_nothing_runs() {
    assert_eq!(transactional(ready(Ok::<_, Failure>(()))).await, Err(Failure::NoDatabase));
    assert!(matches!(connection().await, Err(TransactionError::NoDatabase(_))));
}
