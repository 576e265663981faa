//! A database for one test, and errors that can be compared.

use std::{future::poll_fn, pin::pin, task::Poll};

use http::request::Parts;
use sqlx::{Connection, SqliteConnection, SqlitePool, query_scalar, sqlite::SqliteConnectOptions};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::example::{
    Journal, TempDir, open,
    transactional::{Database, TransactionError},
};
use crate::support::{User, in_time};

pub(super) struct Bank {
    pub(super) pool: SqlitePool,
    database: Database,
    file: SqliteConnectOptions,
    _directory: TempDir,
}

impl Bank {
    pub(super) async fn open(connections: u32) -> Self {
        let directory = TempDir::new().unwrap();
        let file = directory.path().join("bank.db");
        let pool = open(&file, connections).await.unwrap();
        let database = Database::new(pool.clone());
        Self { pool, database, file: SqliteConnectOptions::new().filename(file), _directory: directory }
    }

    /// Runs work in the context of a request.
    pub(super) async fn request<T: Future>(&self, work: T) -> T::Output {
        let store = Store::new().with_value(self.database.clone());
        in_time(RequestContext::new(store).scope(work)).await
    }

    /// Returns a layer that inserts the database and the user.
    pub(super) fn layer(&self) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone + use<>> {
        let database = self.database.clone();
        RequestContextLayer::new(move |store, request| {
            store.insert(database.clone());
            if let Some(user) = User::of(request) {
                store.insert(user);
            }
        })
    }

    /// Returns the committed lines: a new connection sees no others.
    pub(super) async fn lines(&self) -> Vec<String> {
        let mut connection = SqliteConnection::connect_with(&self.file).await.unwrap();
        query_scalar("SELECT line FROM journal ORDER BY id").fetch_all(&mut connection).await.unwrap()
    }

    /// Returns the committed lines after it has committed another. That fails while a transaction that has written is
    /// open, and on a connection that is still in a transaction.
    pub(super) async fn lines_after_another(&self) -> Vec<String> {
        self.request(Journal.write("another")).await.unwrap();
        self.lines().await
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Failure {
    Deliberate,
    NoDatabase,
    NotActive,
    AlreadyActive,
    Finished,
    RolledBack,
    Database(String),
}

impl From<TransactionError> for Failure {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::NoDatabase(_) => Self::NoDatabase,
            TransactionError::NotActive => Self::NotActive,
            TransactionError::AlreadyActive => Self::AlreadyActive,
            TransactionError::Finished => Self::Finished,
            TransactionError::RolledBack => Self::RolledBack,
            TransactionError::Database(error) => error.into(),
        }
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// Calls `completes` with 0, 1, 2 … polls until it returns true. The database has a thread of its own, so the number of
/// polls varies, and this repeats a few times.
pub(super) async fn after_each_poll(completes: impl AsyncFn(usize) -> bool) {
    for _ in 0..8 {
        let mut polls = 0;
        while !completes(polls).await {
            polls += 1;
        }
    }
}

/// Polls a future at most `times` times, and then drops it unless it is ready.
pub(in crate::examples) async fn poll_at_most<T: Future>(times: usize, future: T) -> Option<T::Output> {
    let mut future = pin!(future);
    let mut left = times;
    poll_fn(|cx| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match future.as_mut().poll(cx) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}
