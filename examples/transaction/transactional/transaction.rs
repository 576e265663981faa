//! A transaction that all code in its context shares, and that its owner ends.

use std::{
    mem,
    ops::{Deref, DerefMut},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sqlx::{Sqlite, SqliteConnection, SqlitePool, pool::PoolConnection};
use tokio::sync::Semaphore;

use super::{TransactionError, begin::OpenTransaction};

/// A shared transaction or savepoint.
pub(super) struct Transaction {
    /// A semaphore with one permit, for the use of the connection. The semaphore is closed when the transaction ends.
    /// Then waiting and later callers get an error.
    permit: Semaphore,
    /// `None` while a guard holds it, and after the end. The lock is only held to move the value, never across an
    /// await.
    open: Mutex<Option<Box<OpenTransaction>>>,
    is_rollback_only: AtomicBool,
}

impl Transaction {
    /// Shares an open transaction. The returned owner ends it.
    pub(super) fn new(open: OpenTransaction) -> (Owner, Arc<Self>) {
        let open = Mutex::new(Some(Box::new(open)));
        let transaction = Arc::new(Self { permit: Semaphore::new(1), open, is_rollback_only: AtomicBool::new(false) });
        (Owner(Arc::clone(&transaction)), transaction)
    }

    /// Waits until the connection is free, and takes it.
    pub(super) async fn acquire(self: Arc<Self>) -> Result<ConnectionGuard, TransactionError> {
        self.permit.acquire().await.map_err(|_| TransactionError::Finished)?.forget(); // the guard returns the permit
        let open = self.lock().take().ok_or(TransactionError::Finished)?;
        let mut guard = ConnectionGuard { open: Some(open), transaction: self };
        if guard.is_finished() {
            return Err(TransactionError::Finished);
        }
        guard.roll_back_dropped_savepoint().await?;
        Ok(guard)
    }

    /// Runs work in this transaction or savepoint. Unless the work succeeds, this transaction or savepoint must be
    /// rolled back.
    pub(super) async fn join<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<TransactionError>,
    {
        if self.permit.is_closed() {
            return Err(TransactionError::Finished.into());
        }
        let guard = RollbackOnDrop(&self.is_rollback_only);
        let output = work.await?;
        mem::forget(guard);
        Ok(output)
    }

    /// Ends the transaction, and returns it unless a guard holds it. That guard then drops it.
    fn close(&self) -> Option<Box<OpenTransaction>> {
        let mut open = self.lock();
        self.permit.close();
        open.take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<OpenTransaction>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Marks the transaction for rollback when work that joined it is dropped or fails.
struct RollbackOnDrop<'a>(&'a AtomicBool);

impl Drop for RollbackOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Commits a transaction, or rolls it back on drop.
pub(super) struct Owner(Arc<Transaction>);

impl Owner {
    pub(super) async fn commit(self) -> Result<(), TransactionError> {
        let mut guard = Arc::clone(&self.0).acquire().await?; // waits while a task uses the connection
        if self.0.is_rollback_only.load(Ordering::Relaxed) {
            return Err(TransactionError::RolledBack);
        }
        drop(self); // from here on, no other task can acquire it
        guard.open.take().expect(HOLDS_IT).commit().await
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// Exclusive use of a transaction's connection.
pub(super) struct ConnectionGuard {
    open: Option<Box<OpenTransaction>>,
    transaction: Arc<Transaction>,
}

const HOLDS_IT: &str = "only `commit` and `drop` take the open transaction, and the guard is not used after them";

impl ConnectionGuard {
    /// Returns whether this transaction, or one around it, has ended.
    pub(super) fn is_finished(&self) -> bool {
        self.transaction.permit.is_closed() || self.outer().is_some_and(ConnectionGuard::is_finished)
    }
}

impl Deref for ConnectionGuard {
    type Target = OpenTransaction;

    fn deref(&self) -> &OpenTransaction {
        self.open.as_ref().expect(HOLDS_IT)
    }
}

impl DerefMut for ConnectionGuard {
    fn deref_mut(&mut self) -> &mut OpenTransaction {
        self.open.as_mut().expect(HOLDS_IT)
    }
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        let Some(open) = self.open.take() else { return };
        let mut slot = self.transaction.lock();
        if self.transaction.permit.is_closed() {
            drop(slot);
            drop(open);
        } else {
            *slot = Some(open);
            self.transaction.permit.add_permits(1);
        }
    }
}

/// A connection for one statement: that of the current transaction, or one of the pool.
pub(crate) struct Connection(Source);

enum Source {
    Pool(PoolConnection<Sqlite>),
    Transaction(ConnectionGuard),
}

impl Connection {
    pub(super) async fn acquire(pool: &SqlitePool) -> Result<Self, TransactionError> {
        Ok(Self(Source::Pool(pool.acquire().await?)))
    }
}

impl From<ConnectionGuard> for Connection {
    fn from(guard: ConnectionGuard) -> Self {
        Self(Source::Transaction(guard))
    }
}

impl Deref for Connection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.0 {
            Source::Pool(connection) => connection,
            Source::Transaction(guard) => guard.connection(),
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            Source::Pool(connection) => connection,
            Source::Transaction(guard) => guard.connection_mut(),
        }
    }
}
