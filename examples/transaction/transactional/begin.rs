//! An open transaction or savepoint, which is rolled back on drop.
//!
//! sqlx also has savepoints, but they borrow the connection, and a context can only hold owned values.

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, SqlitePool, raw_sql};

use super::{TransactionError, transaction::ConnectionGuard};

pub(super) struct OpenTransaction {
    base: Base,
    /// Whether a savepoint in this was dropped without a commit, and must be rolled back before the next statement.
    has_dropped_savepoint: bool,
}

enum Base {
    /// When it is dropped without a commit, sqlx rolls it back before the next use of the connection.
    Transaction(sqlx::Transaction<'static, Sqlite>),
    Savepoint(Savepoint),
}

struct Savepoint {
    outer: ConnectionGuard,
    is_committed: bool,
}

impl OpenTransaction {
    pub(super) async fn begin(pool: &SqlitePool) -> Result<Self, TransactionError> {
        Ok(Self { base: Base::Transaction(pool.begin().await?), has_dropped_savepoint: false })
    }

    pub(super) async fn savepoint(mut outer: ConnectionGuard) -> Result<Self, TransactionError> {
        // If this future is dropped during the await, the savepoint may exist. It is harmless: no statement rolls back
        // to it.
        outer.execute("SAVEPOINT").await?;
        let savepoint = Savepoint { outer, is_committed: false };
        Ok(Self { base: Base::Savepoint(savepoint), has_dropped_savepoint: false })
    }

    pub(super) async fn commit(self) -> Result<(), TransactionError> {
        match self.base {
            Base::Transaction(transaction) => Ok(transaction.commit().await?),
            Base::Savepoint(mut savepoint) => {
                // If this future is dropped during the await, the savepoint may be released, and a rollback to it would
                // fail.
                savepoint.is_committed = true;
                let released = savepoint.outer.execute("RELEASE").await;
                savepoint.is_committed = released.is_ok();
                released
            }
        }
    }

    /// Rolls back to a savepoint that was dropped without a commit, if there is one. Cancel safe: when this is dropped
    /// before it completes, the next call rolls back again.
    pub(super) async fn roll_back_dropped_savepoint(&mut self) -> Result<(), TransactionError> {
        if self.has_dropped_savepoint {
            self.execute("ROLLBACK TO").await?;
            self.has_dropped_savepoint = false;
        }
        Ok(())
    }

    /// Executes a command, such as `RELEASE`, for the next inner savepoint. `self` is the transaction or savepoint
    /// around it. The inner savepoint is named after the depth of `self`. A transaction has depth 0. If several have
    /// the same name, the database uses the latest.
    async fn execute(&mut self, command: &str) -> Result<(), TransactionError> {
        let sql = AssertSqlSafe(format!("{command} savepoint_{}", self.depth()));
        raw_sql(sql).execute(self.connection_mut()).await?;
        Ok(())
    }

    fn depth(&self) -> usize {
        self.outer().map_or(0, |outer| 1 + outer.depth())
    }

    /// Returns the transaction or savepoint around this, if this is a savepoint.
    pub(super) fn outer(&self) -> Option<&ConnectionGuard> {
        match &self.base {
            Base::Transaction(_) => None,
            Base::Savepoint(savepoint) => Some(&savepoint.outer),
        }
    }

    pub(super) fn connection(&self) -> &SqliteConnection {
        match &self.base {
            Base::Transaction(transaction) => transaction,
            Base::Savepoint(savepoint) => savepoint.outer.connection(),
        }
    }

    pub(super) fn connection_mut(&mut self) -> &mut SqliteConnection {
        match &mut self.base {
            Base::Transaction(transaction) => transaction,
            Base::Savepoint(savepoint) => savepoint.outer.connection_mut(),
        }
    }
}

impl Drop for Savepoint {
    fn drop(&mut self) {
        if !self.is_committed {
            self.outer.has_dropped_savepoint = true;
        }
    }
}
