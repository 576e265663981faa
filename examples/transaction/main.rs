//! Run with `cargo run --example transaction`.
//!
//! Repositories that use the current transaction without receiving it as an argument. The service decides where the
//! transaction begins and ends, and the repositories run their statements in it. Errors, panics and disconnected
//! clients roll it back. A port of the transactional plugin of nestjs-cls, and of Spring's `@Transactional`.
//!
//! `transactional.rs` and the folder `transactional` can be copied into a project. The documentation of that module
//! lists what they need, and what each of the seven propagation modes does. The other files are an application that
//! uses them.

#[path = "../shared/mod.rs"]
mod shared;
mod temp_dir;
pub(crate) mod transactional;

use std::{iter, path::Path, time::Duration};

use axum::{
    Router,
    extract::Path as PathOf,
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use sqlx::{
    SqlitePool, query, query_scalar, raw_sql,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tower_request_context::{RequestContext, RequestContextLayer};

pub(crate) use self::temp_dir::TempDir;
use self::{
    shared::{Demo, single_header},
    transactional::{Database, Propagation, TransactionError, connection, transactional, transactional_as},
};

/// The user that makes a transfer. For real identities see the example `identity`.
#[derive(Clone)]
pub(crate) struct User(pub(crate) String);

/// The table `accounts`. A check in the database rejects balances below zero.
pub(crate) struct Accounts;

impl Accounts {
    pub(crate) async fn add(&self, owner: &str, amount: i64) -> Result<(), TransferError> {
        let add = query("UPDATE accounts SET balance = balance + ? WHERE owner = ?").bind(amount).bind(owner);
        match add.execute(&mut *connection().await?).await {
            Ok(done) if done.rows_affected() == 0 => Err(TransferError::NoSuchAccount),
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_check_violation() => Err(TransferError::InsufficientFunds),
            Err(error) => Err(TransactionError::from(error).into()),
        }
    }

    pub(crate) async fn all(&self) -> Result<Vec<String>, TransactionError> {
        let all = query_scalar("SELECT owner || ' ' || balance FROM accounts ORDER BY owner");
        Ok(all.fetch_all(&mut *connection().await?).await?)
    }
}

/// The table `journal`, with all transfers and attempts.
pub(crate) struct Journal;

impl Journal {
    pub(crate) async fn write(&self, line: &str) -> Result<(), TransactionError> {
        query("INSERT INTO journal (line) VALUES (?)").bind(line).execute(&mut *connection().await?).await?;
        Ok(())
    }

    /// Returns the last 1000 lines, so that the response does not grow with the table.
    pub(crate) async fn latest(&self) -> Result<Vec<String>, TransactionError> {
        let latest = "SELECT line FROM (SELECT id, line FROM journal ORDER BY id DESC LIMIT 1000) ORDER BY id";
        Ok(query_scalar(latest).fetch_all(&mut *connection().await?).await?)
    }
}

/// Moves money in one transaction.
async fn transfer(to: &str, amount: i64) -> Result<(), TransferError> {
    let User(from) = RequestContext::get().ok_or(TransferError::Unauthenticated)?;
    transactional(async {
        // Stays even if the transfer fails. It comes first, because SQLite has one writer at a time.
        transactional_as(Propagation::RequiresNew, Journal.write(&format!("{from} tries to give {to} {amount}")))
            .await?;
        Accounts.add(to, amount).await?;
        Accounts.add(&from, -amount).await?; // if this fails, the deposit above is rolled back
        Journal.write(&format!("{from} gave {to} {amount}")).await?;
        Ok(())
    })
    .await
}

#[derive(Debug)]
pub(crate) enum TransferError {
    Unauthenticated,
    NoSuchAccount,
    InsufficientFunds,
    Transaction(TransactionError),
}

impl From<TransactionError> for TransferError {
    fn from(error: TransactionError) -> Self {
        Self::Transaction(error)
    }
}

impl IntoResponse for TransferError {
    fn into_response(self) -> Response {
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "send one x-user-id").into_response(),
            Self::NoSuchAccount => (StatusCode::NOT_FOUND, "no such account").into_response(),
            Self::InsufficientFunds => (StatusCode::CONFLICT, "insufficient funds").into_response(),
            Self::Transaction(error) => {
                eprintln!("{}", chain(&error));
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// Returns the message of an error with its causes. Only the operator may see it.
fn chain(error: &dyn std::error::Error) -> String {
    iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Opens a pool on a file, with the tables and two accounts.
pub(crate) async fn open(file: &Path, connections: u32) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal) // readers and the writer do not wait for each other
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(Duration::from_secs(60)); // writers wait for each other
    let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await?;
    raw_sql(
        "CREATE TABLE accounts (owner TEXT PRIMARY KEY, balance INTEGER NOT NULL CHECK (balance >= 0));
         CREATE TABLE journal (id INTEGER PRIMARY KEY, line TEXT NOT NULL);
         INSERT INTO accounts VALUES ('ada', 100), ('bob', 0);",
    )
    .execute(&pool)
    .await?;
    Ok(pool)
}

pub(crate) fn app(pool: SqlitePool) -> Router {
    let database = Database::new(pool);
    Router::new()
        .route(
            "/transfers/{to}/{amount}",
            post(async |PathOf((to, amount)): PathOf<(String, u32)>| transfer(&to, amount.into()).await),
        )
        .route("/accounts", get(async || Ok::<_, TransferError>(Accounts.all().await?.join("\n"))))
        .route("/journal", get(async || Ok::<_, TransferError>(Journal.latest().await?.join("\n"))))
        .layer(RequestContextLayer::new(move |store, request| {
            store.insert(database.clone());
            if let Some(name) = single_header(&request.headers, "x-user-id") {
                store.insert(User(name.to_owned()));
            }
        }))
}

#[tokio::main]
async fn main() -> Result<(), shared::Error> {
    let (listener, demo) = Demo::listen().await?;
    let directory = TempDir::new()?;
    let pool = open(&directory.path().join("bank.db"), 8).await?;
    let server = axum::serve(listener, app(pool.clone())).with_graceful_shutdown(demo.shutdown_signal());
    let result = demo
        .run(server, async |client| {
            client.post("/transfers/bob/30", &[("x-user-id", "ada")], "").await?;
            client.post("/transfers/ada/31", &[("x-user-id", "bob")], "").await?;
            client.get("/accounts", &[]).await?;
            client.get("/journal", &[]).await?;
            client.suggest("/accounts", &[]);
            client.suggest("/journal", &[]);
            Ok(())
        })
        .await;
    pool.close().await;
    result
}
