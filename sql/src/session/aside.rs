//! Writing without standing in each other's way: a transaction has the right to write only while its statements run.
//!
//! The engine lets one transaction write at a time. A client that thinks between two statements, or has gone to lunch,
//! must not keep all others waiting. So at the end of a statement its transaction *rests* (`cluster/resting.rs`): it keeps
//! the right, and with it its changes in the engine, until somebody else wants to write. Then the engine's transaction is
//! rolled back, and the changes, which are kept as data (`execute/written.rs`), are *set aside*. The transaction's next
//! statement, or its COMMIT, takes the right again and makes them anew on the newest state.
//!
//! ```text
//! UPDATE      right, BEGIN IMMEDIATE, change the row; rest
//!             another transaction wants to write: ROLLBACK, give the right away
//! SELECT      right, BEGIN IMMEDIATE, make the change again, read; rest
//! COMMIT      right or still resting, COMMIT
//! ```
//!
//! What holds a transaction's place meanwhile are its locks: on the rows it has changed, on the keys it has taken in
//! unique indexes, on the rows its foreign keys refer to, on its tables. So nothing that others commit can be in the way
//! of its changes, and under READ COMMITTED each statement is to see what others have committed anyway.
//!
//! The stricter levels keep one snapshot, which nobody may change under them, and commands make changes that are no rows:
//! such transactions, and those that write very much, keep the right from their first change to their end. A statement
//! of theirs that meets a locked row waits with it, which its holder may be unable to end; then one of them is told so.
//!
//! Others see no difference: what is not committed is not seen, whether it is in the engine or not.

use std::sync::Arc;

use storage::WriteLock;

use super::Session;
use super::transaction::Work;
use crate::catalog::Catalog;
use crate::cluster::Rest;
use crate::execute::{self, CatalogExpressions, WriteLog};
use crate::locks::{LockMode, LockTag};
use crate::{Result, SqlError};

/// How many changes are made again lightly. A transaction with more does not rest, but can be set aside while it waits.
const RESTING_CHANGES_MAX: usize = 500;

impl Session {
    /// How many changes would have to be made again if they were undone in the engine; nothing when the transaction could
    /// not go on then.
    fn replayable_changes(&self) -> Option<usize> {
        let transaction = self.transaction.as_ref()?;
        let only_rows =
            !transaction.lost && !transaction.catalog_changed && transaction.shared_lock.is_none();
        if !only_rows || !matches!(transaction.work, Work::Write(..)) || self.keeps_snapshot() {
            return None;
        }
        self.services.with_log(WriteLog::len)
    }

    /// A statement has ended: while its client thinks, others may have the right to write.
    pub(super) fn rest(&mut self) {
        let explicit = self.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
        if !explicit || self.replayable_changes().is_none_or(|changes| changes > RESTING_CHANGES_MAX) {
            return;
        }
        let database = self.database.clone();
        let backend = self.backend().clone();
        let transaction = self.transaction();
        match std::mem::replace(&mut transaction.work, Work::Aside) {
            Work::Write(connection, lock) => {
                let rest = Rest { connection, lock, backend };
                database.resting.rest(rest, &self.shared.cluster.locks, database.oid);
            }
            other => transaction.work = other,
        }
    }

    /// Takes up what the transaction has laid down, if it is still there.
    pub(super) fn take_up(&mut self) {
        let Some(transaction) = &mut self.transaction else { return };
        if !matches!(transaction.work, Work::Aside) {
            return;
        }
        match self.database.resting.take_up(&self.registration.backend) {
            Some(Rest { connection, lock, .. }) => transaction.work = Work::Write(connection, lock),
            // Its savepoints are gone from the engine with the rest.
            None => transaction.forget_engine_savepoints(),
        }
    }

    /// Takes up what the transaction has laid down, or takes the right to write and makes its changes again.
    ///
    /// # Errors
    /// Those of waiting; those of the storage engine.
    pub(super) async fn resume_writing(&mut self) -> Result<()> {
        self.take_up();
        if !self.transaction.as_ref().is_some_and(|transaction| matches!(transaction.work, Work::Aside)) {
            return Ok(());
        }
        let lock = self.await_write_lock().await?;
        let resumed = self.resume_with(lock);
        if resumed.is_err() {
            // Half of the changes is none: they are all made again, or none is, whatever comes next.
            self.lay_aside();
        }
        resumed
    }

    fn resume_with(&mut self, lock: WriteLock) -> Result<()> {
        let database = self.database.clone();
        let connection = database.begin_write(&lock)?;
        let catalog = database.catalog();
        let transaction = self.transaction();
        transaction.work = Work::Write(connection, lock);
        transaction.catalog = Some(catalog.clone());
        let log = self.services.take_log();
        let log = log.ok_or_else(|| SqlError::internal("a transaction was set aside without its changes"))?;
        let done = self.make_again(&log, &catalog);
        self.services.put_log(log);
        done
    }

    /// The functions that the engine calls, then the changes.
    fn make_again(&mut self, log: &WriteLog, catalog: &Arc<Catalog>) -> Result<()> {
        let computes = |index: &crate::catalog::Index| index.indexprs.is_some() || index.indpred.is_some();
        if log.relations().any(|table| catalog.indexes(table).iter().any(|index| computes(index))) {
            // The engine calls the functions of such indexes.
            let context = self.statement_context(catalog);
            let connection = self.transaction().work.connection().expect("the right to write has been taken");
            connection.set_context(Some(context.clone()));
            let stored = CatalogExpressions { catalog: &context.catalog, format: &context.format };
            for table in log.relations() {
                execute::ensure_functions_of(connection, &stored, table)?;
            }
        }
        self.transaction().replay(log)
    }

    /// Gives the right to write to others while the transaction waits; its changes are made again when it goes on. A
    /// transaction that cannot go on so keeps it.
    pub(super) fn set_aside(&mut self) {
        if self.replayable_changes().is_some() {
            self.lay_aside();
        }
    }

    /// Undoes the changes in the engine and gives the right to write back.
    fn lay_aside(&mut self) {
        let transaction = self.transaction();
        transaction.work = Work::Aside;
        transaction.forget_engine_savepoints();
        let writer = LockTag::Writer(self.database.oid);
        self.shared.cluster.locks.release(self.backend(), writer, LockMode::Exclusive);
    }
}
