//! Writing without standing in each other's way: a transaction has the right to write only while its statements run.
//!
//! The engine lets one transaction write at a time. A client that thinks between two statements, or has gone to lunch,
//! must not keep all others waiting. So at the end of a statement its transaction *rests* (`cluster/resting.rs`): it keeps
//! the right, and with it its changes in the engine, until somebody else wants to write. Then the engine's transaction is
//! rolled back, and the changes, which are kept as data (`execute/written.rs`), are *set aside*. The transaction's next
//! statement, or its COMMIT, takes the right again and makes them anew on the newest state.
//!
//! ```text
//! INSERT      right, BEGIN IMMEDIATE, insert the row; rest
//!             another transaction wants to write: ROLLBACK, give the right away
//! SELECT      right, BEGIN IMMEDIATE, make the change again, read; rest
//! COMMIT      right or still resting, COMMIT
//! ```
//!
//! Many statements do not even need it while they run (`can_be_noted`): an UPDATE that changes no key, a DELETE, an INSERT
//! of given values that no other row has a say in. They read a snapshot *beside* the transaction's changes, lock their rows,
//! see that these are still as they were read, and only note what is to be changed, as if it had been set aside. So does a
//! query of tables that the transaction has not changed, which notes nothing, and one of a single table of which it has
//! changed a few rows, which reads these as they were noted (`lower/own_changes.rs`). What is noted is made in the engine
//! when something else has to see it.
//!
//! ```text
//! UPDATE      snapshot, lock the row, note the change
//! SELECT      of another table: snapshot, read
//! SELECT      of this table: snapshot, read the row as it was noted
//! SELECT      of this table joined with others: right, BEGIN IMMEDIATE, make the change, read; rest
//! COMMIT      right, BEGIN IMMEDIATE, make the change, COMMIT
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

use storage::{Connection, WriteLock};

use super::cache::Planned;
use super::transaction::Work;
use super::{Session, SessionServices, StatementContext};
use crate::catalog::Catalog;
use crate::cluster::Rest;
use crate::execute::{self, CatalogExpressions, Modified, Pending, WriteLog};
use crate::locks::{LockMode, LockTag};
use crate::lower::Plan;
use crate::{Oid, Result, SqlError, Value};

/// How many changes are made again lightly. A transaction with more does not rest, but can be set aside while it waits.
const RESTING_CHANGES_MAX: usize = 500;

/// Notes the changes of a statement; nothing when there are too many. See [`super::pump::Changing`].
fn note(
    connection: &mut Connection,
    planned: &Planned,
    parameters: &[Value],
    context: &Arc<StatementContext>,
    _: &mut Vec<Pending>,
) -> Result<Option<Modified>> {
    // A run that was broken off and is begun again has noted some already.
    let services = &context.session.services;
    let before = services.logged_writes();
    let noted = execute::note_modify(connection, &planned.plan, parameters, context);
    if !matches!(noted, Ok(Some(_))) {
        services.undo_writes(before);
    }
    noted
}

impl Session {
    /// Whether a statement runs beside what the transaction has changed, without the right to write: it looks at none of
    /// that, and what it changes itself can be noted.
    pub(super) fn goes_beside(&mut self, planned: &Planned) -> bool {
        self.take_up();
        let plan = &planned.plan;
        let Some(transaction) = &self.transaction else { return false };
        let aside = match transaction.work {
            Work::None => false,
            Work::Aside => true,
            _ => return false,
        };
        let fits = if plan.read_only {
            aside && plan.row_lock.is_none() && !(plan.nested || plan.may_write)
        } else {
            plan.can_be_noted()
        };
        let only_rows =
            !transaction.lost && !transaction.catalog_changed && transaction.shared_lock.is_none();
        if !fits
            || !only_rows
            || !transaction.explicit
            || !self.database.oid.is_valid()
            || self.keeps_snapshot()
        {
            return false;
        }
        let looks_at = |table: Oid| planned.relations.iter().any(|(relation, _)| *relation == table);
        let sees_them = |log: &WriteLog| {
            planned.over_own_changes.as_ref().is_some_and(|query| log.own_changes(query.table).is_some())
        };
        let clear = |log: &WriteLog| {
            let blind = plan.tells_nothing() || !log.relations().any(looks_at);
            log.has_room() && (blind || sees_them(log))
        };
        !aside || self.services.with_log(clear) == Some(true)
    }

    /// How a query that runs so sees what the transaction has changed in its table: the plan, and its parameters with those
    /// that tell the changes. Nothing when there is nothing to see.
    ///
    /// # Errors
    /// Those of planning.
    pub(super) fn over_own_changes(
        &mut self,
        planned: &Planned,
        parameters: &[Value],
        catalog: &Arc<Catalog>,
    ) -> Result<Option<(Arc<Planned>, Vec<Value>)>> {
        let Some(query) = planned.over_own_changes.as_ref().filter(|_| self.is_beside()) else {
            return Ok(None);
        };
        let Some(Some((own, values))) = self.services.with_log(|log| log.own_changes(query.table)) else {
            return Ok(None);
        };
        if values.is_empty() {
            return Ok(None);
        }
        let over = query.plan(own, |own| {
            self.with_binding("", &[], catalog, |binding, _| {
                let plan = execute::make_plan_with(&query.bound, binding, own)?;
                let columns = planned.plan.columns.clone();
                Ok(Arc::new(Planned {
                    plan: Plan { columns, ..plan },
                    catalog: planned.catalog,
                    relations: Vec::new(),
                    denied: None,
                    over_own_changes: None,
                }))
            })
        })?;
        Ok(Some((over, [parameters, &values].concat())))
    }

    /// Begins the work of such a statement; the catalog that goes with it.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn begin_beside(&mut self, plan: &Plan) -> Result<Arc<Catalog>> {
        self.services.begin_snapshot();
        let database = self.database.clone();
        let seen = database.store.committed();
        // A snapshot of its own, which spares beginning and ending a transaction of the engine; the catalog goes with it as
        // far as the statement is concerned, whose tables are locked. One of several texts needs the same for all.
        let (connection, catalog) = if plan.is_one_text() || plan.tells_nothing() {
            (database.connection()?, database.catalog())
        } else {
            database.begin_read()?
        };
        let transaction = self.transaction();
        let before = std::mem::replace(&mut transaction.work, Work::Beside(connection));
        transaction.had_snapshot = true;
        transaction.seen_commit = seen;
        transaction.catalog = Some(catalog.clone());
        if !plan.read_only {
            if matches!(before, Work::None) {
                self.services.keep_writes(true);
            }
            self.services.transaction_id(true)?;
        }
        Ok(catalog)
    }

    /// Whether the transaction's changes are not in the engine.
    #[cfg(test)]
    pub(super) fn is_set_aside(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| matches!(transaction.work, Work::Aside))
    }

    /// Whether the statement runs so.
    pub(super) fn is_beside(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| matches!(transaction.work, Work::Beside(_)))
    }

    /// Such a statement has ended, or is to be run in another way.
    pub(super) fn leave_beside(&mut self) {
        if !self.is_beside() {
            return;
        }
        let aside = self.services.logged_writes() > 0;
        let transaction = self.transaction();
        transaction.work = if aside { Work::Aside } else { Work::None };
        transaction.catalog = None;
    }

    /// Such a statement is to be run again, on a newer snapshot.
    pub(super) fn give_up_beside(&mut self) {
        if self.is_beside() {
            self.pass_over_reads();
            self.leave_beside();
            self.services.end_snapshot();
        }
    }

    /// Notes what a statement changes. Nothing when it is to be run again, because a row has changed before it was locked,
    /// or because it changes too much, for which the right to write has been taken.
    ///
    /// # Errors
    /// Those of the statement; those of waiting for the right to write.
    pub(super) async fn note_changes(
        &mut self,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<Option<Modified>> {
        let logged = self.services.logged_writes();
        self.services.record_locked_rows(true);
        let noted = self.run_changes(note, planned, parameters, context).await;
        let locked = self.services.record_locked_rows(false);
        let is_current = match &noted {
            Ok(Some(_)) => self.difference(&locked, context).map(|difference| difference.is_none()),
            _ => Ok(false),
        };
        if let Ok(true) = is_current {
            if let (Ok(Some(done)), [row]) = (&noted, locked.as_slice()) {
                self.note_row_read(&planned.plan, done.count, *row);
            }
            return noted;
        }
        self.services.undo_writes(logged);
        // An error still has the snapshot: it tells of what was read there, which is noted when the statement fails.
        is_current?;
        let too_many = noted?.is_none();
        self.give_up_beside();
        if too_many {
            self.begin_writing_rows().await?;
        }
        Ok(None)
    }

    /// How many changes would have to be made again if they were undone in the engine; nothing when the transaction could
    /// not go on then.
    pub(super) fn replayable_changes(&self) -> Option<usize> {
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
        if self.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
            self.lay_down();
        }
    }

    /// Lets others have the right to write until [`Self::resume_writing`], if the transaction's changes are few enough to be
    /// made again.
    pub(super) fn lay_down(&mut self) {
        if self.replayable_changes().is_none_or(|changes| changes > RESTING_CHANGES_MAX) {
            return;
        }
        let database = self.database.clone();
        let backend = self.backend().clone();
        let transaction = self.transaction();
        match std::mem::replace(&mut transaction.work, Work::Aside) {
            Work::Write(connection, lock) => {
                // Another may change it now.
                transaction.catalog = None;
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
        if log.computing_tables().next().is_some() {
            // The engine calls the functions of such indexes.
            let context = self.statement_context(catalog);
            let connection = self.transaction().work.connection().expect("the right to write has been taken");
            connection.set_context(Some(context.clone()));
            let stored = CatalogExpressions { catalog: &context.catalog, format: &context.format };
            for table in log.computing_tables() {
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
        transaction.catalog = None;
        transaction.forget_engine_savepoints();
        let writer = LockTag::Writer(self.database.oid);
        self.shared.cluster.locks.release(self.backend(), writer, LockMode::Exclusive);
    }
}
