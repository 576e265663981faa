//! The current transaction, kept in the context: repositories find it there, and nothing is passed.
//!
//! Fit to be copied into a project. The layer seeds a [`Database`], [`transactional`] makes a child context with a
//! transaction in it, and [`connection`] hands out what is current: that transaction, else a connection of the pool.
//!
//! * It is committed when the work is `Ok`, and `transactional` awaits that. It is rolled back when the work is `Err`,
//!   panics or is dropped, as it is when the client leaves. Only a commit that is dropped half-way may end either way.
//! * Statements of one transaction run one by one. Whoever has a [`Connection`] makes the others wait, the commit
//!   too: use it for a statement and let it go. To ask for a second one meanwhile is to wait for oneself.
//! * A task that outlives the transaction it was spawned in gets [`TransactionError::Finished`], never the pool. It
//!   says so if it wants to go on without: with `RequiresNew` or `NotSupported`.
//! * `RequiresNew` and `NotSupported` need a second connection while the transaction around them keeps the first. See
//!   [`Propagation::RequiresNew`] for the size of the pool.
//! * `SQLite` has one writer at a time. Others wait for the busy timeout, and those that have read before they write are
//!   refused at once. So let a transaction write first, and let nothing with a connection of its own write below one
//!   that has written: that is to wait for oneself, until the timeout makes it an error.

mod begun;
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
use self::{begun::Begun, transaction::Transaction};

/// What the context holds: a pool, and the transaction that is current, if any.
#[derive(Clone)]
pub(crate) struct Database {
    pool: SqlitePool,
    transaction: Option<Arc<Transaction>>,
    /// One permit fewer than the pool has connections, for transactions with none around them.
    permits: Arc<Semaphore>,
    /// The permit of the outermost transaction here. It is gone when that transaction and those in it have ended.
    permit: Weak<OwnedSemaphorePermit>,
}

/// What work does about the transaction that is current around it: the modes of Spring and nestjs-cls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code, reason = "no application needs all of them")]
pub(crate) enum Propagation {
    /// Joins the current transaction, or begins one. As in Spring, work that joins and fails dooms the whole, though
    /// whoever called it carries on: the commit is refused, with [`TransactionError::RolledBack`].
    Required,
    /// Begins one of its own, whatever is current. Neither's end is the other's.
    ///
    /// A transaction around it keeps its connection and waits, so this takes a second one from the pool. If transactions
    /// that wait for their second connection held them all, none could go on. The rule is that of Spring's
    /// `REQUIRES_NEW`: the pool has more connections than there are outer transactions. [`Database`] enforces it and
    /// lets at most `connections - 1` outer transactions run at once; the others wait before they take a connection.
    ///
    /// That is enough for one level. If work holds `n` connections at a time, as a `RequiresNew` within a `RequiresNew`
    /// within a transaction holds three, let `(connections - 1) / (n - 1)` run.
    RequiresNew,
    /// Sets a savepoint in the current transaction, and rolls back to it only, or begins one. Branches of a `join!`
    /// take turns, since savepoints are a stack.
    Nested,
    /// Joins the current transaction; an error where there is none.
    Mandatory,
    /// Joins the current transaction, or runs without one.
    Supports,
    /// Runs without one, whatever is current. Its statements take a second connection, as for `RequiresNew`.
    NotSupported,
    /// Runs without one; an error where one is current.
    Never,
}

/// Runs work in the current transaction, or in one that it begins: [`Propagation::Required`].
pub(crate) fn transactional<T, E>(work: impl Future<Output = Result<T, E>>) -> impl Future<Output = Result<T, E>>
where
    E: From<TransactionError>,
{
    transactional_as(Propagation::Required, work)
}

/// Runs work in a transaction, or without, as the mode says.
pub(crate) fn transactional_as<T, E>(
    propagation: Propagation,
    work: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>>
where
    E: From<TransactionError>,
{
    use Propagation::{Mandatory, Nested, Never, NotSupported, Required, RequiresNew, Supports};

    let work = Box::pin(work); // or each level would make the future a few times larger
    async move {
        let mut database = Database::current()?;
        let _permit; // dropped after the transaction that it is for
        let begun = match (propagation, database.transaction.take()) {
            (Required | Mandatory | Supports, Some(transaction)) => return transaction.join(work).await,
            (Nested, Some(transaction)) => Begun::savepoint(transaction.lend().await?).await?,
            (Required | Nested, None) | (RequiresNew, _) => {
                _permit = database.permit().await?;
                Begun::transaction(&database.pool).await?
            }
            (NotSupported, _) => return database.scope(work).await,
            (Supports | Never, None) => return work.await,
            (Mandatory, None) => return Err(TransactionError::NotActive.into()),
            (Never, Some(_)) => return Err(TransactionError::AlreadyActive.into()),
        };
        let (owner, transaction) = Transaction::new(begun);
        database.transaction = Some(transaction);
        let output = database.scope(work).await?;
        owner.commit().await?;
        Ok(output)
    }
}

/// Returns what the next statement is to run on: the current transaction, else a connection of the pool.
pub(crate) async fn connection() -> Result<Connection, TransactionError> {
    let Database { pool, transaction, .. } = Database::current()?;
    match transaction {
        Some(transaction) => Ok(transaction.lend().await?.into()),
        None => Connection::of(&pool).await,
    }
}

impl Database {
    /// Creates the database of an application, once: all its clones share the limit of outer transactions.
    pub(crate) fn new(pool: SqlitePool) -> Self {
        let connections = pool.options().get_max_connections() as usize;
        let permits = Arc::new(Semaphore::new(connections.saturating_sub(1).max(1)));
        Self { pool, transaction: None, permits, permit: Weak::new() }
    }

    fn current() -> Result<Self, TransactionError> {
        RequestContext::try_get().map_err(TransactionError::NoDatabase)
    }

    /// Returns the permit of the transaction around this one, or waits for one of its own.
    async fn permit(&mut self) -> Result<Arc<OwnedSemaphorePermit>, TransactionError> {
        if let Some(permit) = self.permit.upgrade() {
            return Ok(permit);
        }
        let permit = Arc::clone(&self.permits).acquire_owned();
        let Ok(Ok(permit)) = timeout(self.pool.options().get_acquire_timeout(), permit).await else {
            return Err(sqlx::Error::PoolTimedOut.into()); // as if this had waited for a connection
        };
        let permit = Arc::new(permit);
        self.permit = Arc::downgrade(&permit);
        Ok(permit)
    }

    /// Runs work in a child context where this is current.
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
            Self::NoDatabase(_) => "there is no database in the context: the layer's setup must insert one",
            Self::NotActive => "this must run in a transaction and there is none: call it inside of `transactional`",
            Self::AlreadyActive => "this must not run in a transaction and there is one: call it before or after",
            Self::Finished => {
                "the transaction is over: this task has outlived it; await the task inside of `transactional`, or give \
                 it a transaction of its own"
            }
            Self::RolledBack => {
                "the transaction was rolled back: a part of it had failed, and its error did not get here; return that \
                 error, or make the part `Nested`"
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
