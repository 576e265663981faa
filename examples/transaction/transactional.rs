//! Transactions in the request context: repositories use the current transaction without receiving it as an argument.
//!
//! # What to copy
//!
//! This file and the folder `transactional/`. They need sqlx, tokio's `sync` and `time`, and this crate. They are
//! written for `SQLite`; for another database, replace the types `Sqlite…` and check the syntax of savepoints.
//!
//! # How to use it
//!
//! The layer inserts a [`Database`]. [`transactional`] runs work in a child context with a transaction. [`connection`]
//! returns the connection of that transaction. If there is no transaction, it returns a connection of the pool.
//!
//! * The transaction is committed when the work returns `Ok`, and `transactional` waits for the commit. It is rolled
//!   back when the work returns `Err`, panics or is dropped, for example because the client disconnects. A commit that
//!   is dropped before it completes may end either way.
//! * Statements of one transaction run one by one. While code holds a [`Connection`], the other statements of the
//!   transaction and its commit wait. So drop it after each statement. Code that holds one and requests a second one
//!   waits forever.
//! * A task that outlives the transaction in which it was spawned gets [`TransactionError::Finished`], never a
//!   connection of the pool. To continue without the transaction, it uses `RequiresNew` or `NotSupported`.
//! * `SQLite` has one writer at a time. Another writer waits until the first has finished, and fails if the busy
//!   timeout expires before that. A transaction that has read before it writes fails immediately if another one has
//!   written since, so let a transaction write first. Code inside a transaction that has written must not write with a
//!   second connection. Such a write would wait for the transaction, and fail after the busy timeout.
//!
//! # Modes
//!
//! [`transactional`] uses `Required`, [`transactional_as`] the given [`Propagation`]. The names are those of Spring and
//! of the transactional plugin of nestjs-cls.
//!
//! | mode | inside a transaction | outside of one | if the work fails |
//! |---|---|---|---|
//! | `Required` | joins it | begins one | rolls back the transaction or savepoint that it joined, or the transaction that it began |
//! | `RequiresNew` | begins another, on a second connection | begins one | rolls back only its own |
//! | `Nested` | sets a savepoint | begins one | rolls back to the savepoint that it set, or rolls back the transaction that it began |
//! | `Mandatory` | joins it | error `NotActive` | rolls back the transaction or savepoint that it joined |
//! | `Supports` | joins it | runs without one | rolls back the transaction or savepoint that it joined, if any |
//! | `NotSupported` | runs without one, on a second connection | runs without one | keeps what it has written |
//! | `Never` | error `AlreadyActive` | runs without one | keeps what it has written |

mod begin;
mod transaction;

use std::{
    error::Error,
    fmt,
    sync::{Arc, Weak},
};

use sqlx::SqlitePool;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};
use tower_request_context::{ContextError, RequestContext, Store};

pub(crate) use self::transaction::Connection;
use self::{begin::OpenTransaction, transaction::Transaction};

/// The value in the context: a pool, and the current transaction, if there is one.
#[derive(Clone)]
pub(crate) struct Database {
    pool: SqlitePool,
    transaction: Option<Arc<Transaction>>,
    /// Permits for outermost transactions: one less than the pool has connections, but at least one.
    permits: Arc<Semaphore>,
    /// The permit of the outermost transaction. It is returned when that transaction and all in it have ended.
    permit: Weak<OwnedSemaphorePermit>,
}

/// How work relates to the current transaction. See the table in the module documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "no application needs all of them")]
pub(crate) enum Propagation {
    /// Joins the current transaction, or begins one.
    ///
    /// As in Spring, if work that joined fails, the transaction or savepoint that it joined is rolled back, even if its
    /// caller ignores the error. The commit then returns [`TransactionError::RolledBack`].
    Required,
    /// Begins a transaction of its own. It and a transaction around it commit or roll back independently.
    ///
    /// A transaction around it keeps its connection, so this takes a second one from the pool. If outermost
    /// transactions held all connections while they wait for their second one, none could continue. So the pool needs
    /// more connections than there are outermost transactions. Spring's `REQUIRES_NEW` has the same rule. [`Database`]
    /// enforces it. At most `connections - 1` outermost transactions run at the same time, but always at least one. The
    /// others wait before they take a connection. With a pool of one connection, `RequiresNew` inside a transaction
    /// fails when the pool's timeout expires.
    ///
    /// The limit `connections - 1` is enough if work holds at most two connections at the same time. If it holds `n`,
    /// limit the outermost transactions to `(connections - 1) / (n - 1)`, in `Database::new`. For example, a
    /// `RequiresNew` in a `RequiresNew` in a transaction holds three.
    RequiresNew,
    /// Sets a savepoint in the current transaction, or begins one. A failure only rolls back to the savepoint.
    ///
    /// Savepoints are a stack, so the branches of a `join!` run one after the other.
    Nested,
    /// Joins the current transaction, or returns an error where there is none.
    Mandatory,
    /// Joins the current transaction, or runs without one.
    Supports,
    /// Runs without a transaction. Inside of one, its statements take a second connection, as with `RequiresNew`.
    NotSupported,
    /// Runs without a transaction, or returns an error inside of one.
    Never,
}

/// Runs work in the current transaction, or in one that it begins: [`Propagation::Required`].
pub(crate) fn transactional<T, E>(work: impl Future<Output = Result<T, E>>) -> impl Future<Output = Result<T, E>>
where
    E: From<TransactionError>,
{
    transactional_as(Propagation::Required, work)
}

/// Runs work with or without a transaction, depending on the mode.
pub(crate) fn transactional_as<T, E>(
    propagation: Propagation,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>>
where
    E: From<TransactionError>,
{
    use Propagation::{Mandatory, Nested, Never, NotSupported, Required, RequiresNew, Supports};

    let work = Box::pin(work); // otherwise each level multiplies the size of the future
    async move {
        let mut database = Database::current()?;
        let _permit; // dropped after its transaction
        let open = match (propagation, database.transaction.take()) {
            (Required | Mandatory | Supports, Some(transaction)) => return transaction.join(work).await,
            (Nested, Some(transaction)) => OpenTransaction::savepoint(transaction.acquire().await?).await?,
            (Required | Nested, None) | (RequiresNew, _) => {
                _permit = database.permit().await?;
                OpenTransaction::begin(&database.pool).await?
            }
            (NotSupported, _) => return database.scope(work).await,
            (Supports | Never, None) => return work.await,
            (Mandatory, None) => return Err(TransactionError::NotActive.into()),
            (Never, Some(_)) => return Err(TransactionError::AlreadyActive.into()),
        };
        let (owner, transaction) = Transaction::new(open);
        database.transaction = Some(transaction);
        let output = database.scope(work).await?;
        owner.commit().await?;
        Ok(output)
    }
}

/// Returns the connection of the current transaction, for the next statement. If there is no transaction, returns a
/// connection of the pool.
pub(crate) async fn connection() -> Result<Connection, TransactionError> {
    let Database { pool, transaction, .. } = Database::current()?;
    match transaction {
        Some(transaction) => Ok(transaction.acquire().await?.into()),
        None => Connection::acquire(&pool).await,
    }
}

impl Database {
    /// Creates the database of an application. Call it once: all clones share the limit of outermost transactions.
    pub(crate) fn new(pool: SqlitePool) -> Self {
        let connections = pool.options().get_max_connections() as usize;
        let permits = Arc::new(Semaphore::new(connections.saturating_sub(1).max(1)));
        Self { pool, transaction: None, permits, permit: Weak::new() }
    }

    fn current() -> Result<Self, TransactionError> {
        RequestContext::try_get().map_err(TransactionError::NoDatabase)
    }

    /// Returns the permit of the outermost transaction, or waits for a new one if there is no transaction.
    async fn permit(&mut self) -> Result<Arc<OwnedSemaphorePermit>, TransactionError> {
        if let Some(permit) = self.permit.upgrade() {
            return Ok(permit);
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = timeout(self.pool.options().get_acquire_timeout(), permit).await else {
            return Err(sqlx::Error::PoolTimedOut.into()); // the same error as for a connection
        };
        let permit = Arc::new(permit);
        self.permit = Arc::downgrade(&permit);
        Ok(permit)
    }

    /// Runs work in a child context with this value.
    async fn scope<T>(self, work: impl Future<Output = T>) -> T {
        RequestContext::inherit(Store::new().with_value(self)).scope(work).await
    }
}

#[derive(Debug)]
pub(crate) enum TransactionError {
    NoDatabase(ContextError),
    NotActive,
    AlreadyActive,
    Finished,
    RolledBack,
    Database(sqlx::Error),
}

impl fmt::Display for TransactionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoDatabase(_) => "no `Database` in the request context: insert one in the setup closure of the layer",
            Self::NotActive => "`Mandatory` work has no transaction around it: call it inside of `transactional`",
            Self::AlreadyActive => "`Never` work has a transaction around it: call it before or after the transaction",
            Self::Finished => {
                "the transaction has ended, and this task has outlived it: await the task inside of `transactional`, or \
                 use `RequiresNew`"
            }
            Self::RolledBack => {
                "the transaction was rolled back, because work that joined it failed: return the error of that work, or \
                 run it as `Nested`"
            }
            Self::Database(_) => "the database reported an error",
        })
    }
}

impl Error for TransactionError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::NoDatabase(error) => Some(error),
            Self::Database(error) => Some(error),
            _ => None,
        }
    }
}

impl From<sqlx::Error> for TransactionError {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}
