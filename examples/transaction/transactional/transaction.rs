//! A transaction that is shared by whoever runs in its context, and ended by its owner.

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

use super::{TransactionError, begun::Begun};

/// A transaction or a savepoint, as all see it who may use it.
pub(super) struct Transaction {
    /// One permit, for the connection. Closed when all is over: whoever waits then, or comes later, is refused.
    turn: Semaphore,
    /// `None` while it is lent, and when all is over. The lock is held for a move at a time, never across an await.
    begun: Mutex<Option<Box<Begun>>>,
    doomed: AtomicBool,
}

impl Transaction {
    /// Shares what has begun, and says who ends it.
    pub(super) fn new(begun: Begun) -> (Owner, Arc<Self>) {
        let begun = Mutex::new(Some(Box::new(begun)));
        let transaction = Arc::new(Self { turn: Semaphore::new(1), begun, doomed: AtomicBool::new(false) });
        (Owner(Arc::clone(&transaction)), transaction)
    }

    pub(super) async fn lend(self: Arc<Self>) -> Result<Lent, TransactionError> {
        self.turn.acquire().await.map_err(|_| TransactionError::Finished)?.forget(); // `Lent` gives the permit back
        let begun = self.lock().take().ok_or(TransactionError::Finished)?;
        let mut lent = Lent { begun: Some(begun), of: self };
        if lent.is_finished() {
            return Err(TransactionError::Finished);
        }
        lent.tidy().await?;
        Ok(lent)
    }

    /// Runs work in this transaction, and dooms it unless the work succeeds.
    pub(super) async fn join<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E>
    where
        E: From<TransactionError>,
    {
        if self.turn.is_closed() {
            return Err(TransactionError::Finished.into());
        }
        let joined = Joined(&self.doomed);
        let output = work.await?;
        mem::forget(joined);
        Ok(output)
    }

    /// Ends it for all but the one who has the connection: giving that back is their end.
    fn close(&self) -> Option<Box<Begun>> {
        let mut begun = self.lock();
        self.turn.close();
        begun.take()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Box<Begun>>> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Work in somebody else's transaction, which fails when this is dropped.
struct Joined<'a>(&'a AtomicBool);

impl Drop for Joined<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The one who ends a transaction: by a commit, or else by being dropped.
pub(super) struct Owner(Arc<Transaction>);

impl Owner {
    pub(super) async fn commit(self) -> Result<(), TransactionError> {
        let mut lent = Arc::clone(&self.0).lend().await?; // waits for whoever has the connection
        if self.0.doomed.load(Ordering::Relaxed) {
            return Err(TransactionError::RolledBack);
        }
        drop(self); // from now on nobody else gets it
        lent.begun.take().expect(LENT).commit().await
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// The connection of a transaction, for as long as one has it.
pub(super) struct Lent {
    begun: Option<Box<Begun>>,
    of: Arc<Transaction>,
}

const LENT: &str = "only a commit or a drop takes it, and neither leaves it to be used";

impl Lent {
    /// Tells whether the transaction is over, or one that it is a savepoint of.
    pub(super) fn is_finished(&self) -> bool {
        self.of.turn.is_closed() || self.outer().is_some_and(Lent::is_finished)
    }
}

impl Deref for Lent {
    type Target = Begun;

    fn deref(&self) -> &Begun {
        self.begun.as_ref().expect(LENT)
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut Begun {
        self.begun.as_mut().expect(LENT)
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(begun) = self.begun.take() else { return };
        let mut slot = self.of.lock();
        if self.of.turn.is_closed() {
            drop(slot);
            drop(begun);
        } else {
            *slot = Some(begun);
            self.of.turn.add_permits(1);
        }
    }
}

/// What a statement runs on, to be let go after it: the current transaction, or a connection of the pool.
pub(crate) struct Connection(Source);

enum Source {
    Pool(PoolConnection<Sqlite>),
    Transaction(Lent),
}

impl Connection {
    pub(super) async fn of(pool: &SqlitePool) -> Result<Self, TransactionError> {
        Ok(Self(Source::Pool(pool.acquire().await?)))
    }
}

impl From<Lent> for Connection {
    fn from(lent: Lent) -> Self {
        Self(Source::Transaction(lent))
    }
}

impl Deref for Connection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        match &self.0 {
            Source::Pool(connection) => connection,
            Source::Transaction(lent) => lent.connection(),
        }
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            Source::Pool(connection) => connection,
            Source::Transaction(lent) => lent.connection_mut(),
        }
    }
}
