//! What has begun on a connection and is undone by being dropped: a transaction, or a savepoint in one.
//!
//! sqlx has savepoints too, but they borrow the connection, and a context cannot hold what is borrowed.

use sqlx::{AssertSqlSafe, Sqlite, SqliteConnection, SqlitePool, raw_sql};

use super::{TransactionError, transaction::Lent};

pub(super) struct Begun {
    base: Base,
    /// Whether a savepoint in this was dropped uncommitted, and is to be rolled back to before all else.
    untidy: bool,
}

enum Base {
    /// sqlx's: dropped uncommitted, it queues a rollback before whatever the connection is used for next.
    Transaction(sqlx::Transaction<'static, Sqlite>),
    Savepoint(Savepoint),
}

struct Savepoint {
    outer: Lent,
    committed: bool,
}

impl Begun {
    pub(super) async fn transaction(pool: &SqlitePool) -> Result<Self, TransactionError> {
        Ok(Self { base: Base::Transaction(pool.begin().await?), untidy: false })
    }

    pub(super) async fn savepoint(mut outer: Lent) -> Result<Self, TransactionError> {
        // Dropped half-way, it may leave a savepoint. Nobody rolls back to that one.
        outer.execute("SAVEPOINT").await?;
        Ok(Self { base: Base::Savepoint(Savepoint { outer, committed: false }), untidy: false })
    }

    pub(super) async fn commit(self) -> Result<(), TransactionError> {
        match self.base {
            Base::Transaction(transaction) => Ok(transaction.commit().await?),
            Base::Savepoint(mut savepoint) => {
                // Dropped half-way, it may be released, and there would be nothing to roll back to.
                savepoint.committed = true;
                let released = savepoint.outer.execute("RELEASE").await;
                savepoint.committed = released.is_ok();
                released
            }
        }
    }

    /// Rolls back what a savepoint has left, if one has. It may be dropped half-way and done again.
    pub(super) async fn tidy(&mut self) -> Result<(), TransactionError> {
        if self.untidy {
            self.execute("ROLLBACK TO").await?;
            self.untidy = false;
        }
        Ok(())
    }

    /// Does something with the savepoint that is next in this. It is named by its depth: of those with one name the
    /// database takes the latest.
    async fn execute(&mut self, verb: &str) -> Result<(), TransactionError> {
        let sql = AssertSqlSafe(format!("{verb} savepoint_{}", self.depth()));
        raw_sql(sql).execute(self.connection_mut()).await?;
        Ok(())
    }

    fn depth(&self) -> usize {
        self.outer().map_or(0, |outer| 1 + outer.depth())
    }

    /// The transaction that this is a savepoint of, if it is one.
    pub(super) fn outer(&self) -> Option<&Lent> {
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
        if !self.committed {
            self.outer.untidy = true;
        }
    }
}
