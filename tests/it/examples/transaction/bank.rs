//! A database of a test's own, and what to compare.

use std::{future::poll_fn, pin::pin, task::Poll};

use http::request::Parts;
use sqlx::{Connection, SqliteConnection, SqlitePool, query_scalar, sqlite::SqliteConnectOptions};
use tower_request_context::{RequestContext, RequestContextLayer, Store};

use super::example::{
    Folder, Journal, open,
    transactional::{Database, TransactionError},
};
use crate::support::{User, in_time};

pub(super) struct Bank {
    pub(super) pool: SqlitePool,
    database: Database,
    file: SqliteConnectOptions,
    _folder: Folder,
}

impl Bank {
    pub(super) async fn open(connections: u32) -> Self {
        let folder = Folder::new().unwrap();
        let file = folder.path().join("bank.db");
        let pool = open(&file, connections).await.unwrap();
        let database = Database::new(pool.clone());
        Self { pool, database, file: SqliteConnectOptions::new().filename(file), _folder: folder }
    }

    /// Does work where a request would.
    pub(super) async fn request<T: Future>(&self, work: T) -> T::Output {
        let store = Store::new().with_value(self.database.clone());
        in_time(RequestContext::new(store).scope(work)).await
    }

    /// The layer that seeds the database, and the user.
    pub(super) fn layer(&self) -> RequestContextLayer<impl Fn(&mut Store, &mut Parts) + Clone + use<>> {
        let database = self.database.clone();
        RequestContextLayer::new(move |store, head| {
            store.insert(database.clone());
            if let Some(user) = User::of(head) {
                store.insert(user);
            }
        })
    }

    /// The lines that are committed: a new connection sees no others.
    pub(super) async fn lines(&self) -> Vec<String> {
        let mut connection = SqliteConnection::connect_with(&self.file).await.unwrap();
        query_scalar("SELECT line FROM journal ORDER BY id").fetch_all(&mut connection).await.unwrap()
    }

    /// The lines after another was committed, which cannot be while a transaction that has written is open, nor on a
    /// connection that is still in one.
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

/// Does this with no poll, one poll and so on until it completes. How many that takes is up to the database's thread, so
/// it is done a few times over.
pub(super) async fn at_any_moment(completes: impl AsyncFn(usize) -> bool) {
    for _ in 0..8 {
        let mut polls = 0;
        while !completes(polls).await {
            polls += 1;
        }
    }
}

/// Polls a future so many times, and drops it if it is not ready then: what it waits for is still under way.
pub(in crate::examples) async fn polled<T: Future>(times: usize, future: T) -> Option<T::Output> {
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
