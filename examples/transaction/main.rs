//! Run with `cargo run --example transaction`.
//!
//! A transaction that repositories find in the context, as with nestjs-cls's transactional plugin or Spring's
//! `@Transactional`: the service says where it begins and ends, the repositories run their statements, and nothing is
//! passed between them. The module `transactional` is made to be copied.

mod folder;
#[path = "../shared/mod.rs"]
mod shared;
pub(crate) mod transactional;

use std::{iter, path::Path, process::ExitCode, time::Duration};

use axum::{
    BoxError, Router,
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

pub(crate) use self::folder::Folder;
use self::{
    shared::single_header,
    transactional::{Database, Propagation, TransactionError, connection, transactional, transactional_as},
};

/// Who pays. For real identities see the example `identity`.
#[derive(Clone)]
pub(crate) struct User(pub(crate) String);

/// A table of this name; a check keeps every balance from falling below zero.
pub(crate) struct Accounts;

impl Accounts {
    pub(crate) async fn add(&self, owner: &str, amount: i64) -> Result<(), Refusal> {
        let add = query("UPDATE accounts SET balance = balance + ? WHERE owner = ?").bind(amount).bind(owner);
        match add.execute(&mut *connection().await?).await {
            Ok(done) if done.rows_affected() == 0 => Err(Refusal::NoSuchAccount),
            Ok(_) => Ok(()),
            Err(sqlx::Error::Database(error)) if error.is_check_violation() => Err(Refusal::NotEnough),
            Err(error) => Err(TransactionError::from(error).into()),
        }
    }

    pub(crate) async fn all(&self) -> Result<Vec<String>, TransactionError> {
        let all = query_scalar("SELECT owner || ' ' || balance FROM accounts ORDER BY owner");
        Ok(all.fetch_all(&mut *connection().await?).await?)
    }
}

/// A table of this name: what was done, and what was tried.
pub(crate) struct Journal;

impl Journal {
    pub(crate) async fn write(&self, line: &str) -> Result<(), TransactionError> {
        query("INSERT INTO journal (line) VALUES (?)").bind(line).execute(&mut *connection().await?).await?;
        Ok(())
    }

    /// Returns the last 1000 lines: a response must not grow with the table.
    pub(crate) async fn latest(&self) -> Result<Vec<String>, TransactionError> {
        let latest = "SELECT line FROM (SELECT id, line FROM journal ORDER BY id DESC LIMIT 1000) ORDER BY id";
        Ok(query_scalar(latest).fetch_all(&mut *connection().await?).await?)
    }
}

/// Moves money, all of it or none.
async fn transfer(to: &str, amount: i64) -> Result<(), Refusal> {
    let User(from) = RequestContext::get().ok_or(Refusal::Anonymous)?;
    transactional(async {
        // This stays, whatever becomes of the transfer. It comes first, because SQLite has one writer at a time.
        transactional_as(Propagation::RequiresNew, Journal.write(&format!("{from} tries to give {to} {amount}")))
            .await?;
        Accounts.add(to, amount).await?;
        Accounts.add(&from, -amount).await?; // where that fails, the line above is undone
        Journal.write(&format!("{from} gave {to} {amount}")).await?;
        Ok(())
    })
    .await
}

#[derive(Debug)]
pub(crate) enum Refusal {
    Anonymous,
    NoSuchAccount,
    NotEnough,
    Broken(TransactionError),
}

impl From<TransactionError> for Refusal {
    fn from(error: TransactionError) -> Self {
        Self::Broken(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Anonymous => (StatusCode::UNAUTHORIZED, "say who you are in x-user-id").into_response(),
            Self::NoSuchAccount => (StatusCode::NOT_FOUND, "no such account").into_response(),
            Self::NotEnough => (StatusCode::CONFLICT, "not enough in the account").into_response(),
            Self::Broken(error) => {
                eprintln!("{}", chain(&error));
                StatusCode::INTERNAL_SERVER_ERROR.into_response()
            }
        }
    }
}

/// An error with its causes, for the operator's eyes.
fn chain(error: &dyn std::error::Error) -> String {
    iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Opens a pool on a file, with the tables and two accounts.
pub(crate) async fn open(file: &Path, connections: u32) -> Result<SqlitePool, sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal) // readers and the one writer do not wait for each other
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
        .route("/accounts", get(async || Ok::<_, Refusal>(Accounts.all().await?.join("\n"))))
        .route("/journal", get(async || Ok::<_, Refusal>(Journal.latest().await?.join("\n"))))
        .layer(RequestContextLayer::new(move |store, request| {
            store.insert(database.clone());
            if let Some(name) = single_header(&request.headers, "x-user-id") {
                store.insert(User(name.to_owned()));
            }
        }))
}

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let folder = Folder::new()?;
    let pool = open(&folder.path().join("bank.db"), 8).await?;
    let code = shared::serve(app(pool.clone()), async |visitor| {
        visitor.post("/transfers/bob/30", &[("x-user-id", "ada")], "").await?;
        visitor.post("/transfers/ada/31", &[("x-user-id", "bob")], "").await?;
        visitor.get("/accounts", &[]).await?;
        visitor.get("/journal", &[]).await?;
        visitor.invite("/accounts", &[]);
        visitor.invite("/journal", &[]);
        Ok(())
    })
    .await;
    pool.close().await;
    Ok(code)
}
