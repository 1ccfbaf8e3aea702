//! Locks as statements need them: tables before anything runs, rows on the way, and what is done when another transaction
//! is in the way of a row.
//!
//! A statement never waits for a row in its middle, where it would keep a snapshot and perhaps the right to write. It ends
//! with nothing done; the wait comes then, and it runs again. Under READ COMMITTED it then sees what the other transaction
//! has committed, which is what PostgreSQL's re-check of a locked row amounts to; under the stricter levels that is 40001.
//! COPY, whose rows the client has sent, and the checks at a COMMIT cannot begin again: they wait where they are
//! ([`Session::await_in_place`]), with the transaction's changes set aside, and go on.
//!
//! Rows are locked without the right to write, so their contents may be older than their locks: another transaction may
//! have changed a row and ended between the statement's snapshot and its lock. So locked rows are compared with the newest
//! state once they can change no more, and the statement runs again when one differs.
//!
//! Source: `src/backend/executor/nodeLockRows.c`.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::parse::ast;

use super::cache::Planned;
use super::pump::Row;
use super::transaction::Work;
use super::work::check_interrupts;
use super::{Session, SessionServices, SessionShared, StatementContext};
use crate::bound::{LockStrength, LockWait};
use crate::execute::RowReader;
use crate::locks::{Lifetime, LockMode, LockTag, Patience};
use crate::settings::id;
use crate::{Oid, Result, SqlError, Value, error};

/// Something that a statement has met and must wait for.
pub(super) type Awaited = (LockTag, LockMode);

/// How often a statement is run again because rows have changed under it before it takes the right to write first: then
/// nobody can change anything any more.
const RUNS_SIDE_BY_SIDE_MAX: u32 = 20;

/// The runs of one statement.
pub(super) struct Runs {
    count: u32,
    /// How many changes the transaction had made before.
    logged: usize,
}

impl Runs {
    pub(super) fn begin() -> Self {
        Self { count: 0, logged: 0 }
    }

    /// Another run begins: what the one before would have sent is not sent.
    ///
    /// # Errors
    /// `57014`, `57P01`; those of waiting for the right to write.
    pub(super) async fn next(&mut self, session: &mut Session) -> Result<()> {
        check_interrupts(session.backend(), session.deadline)?;
        if self.count == 0 {
            session.collect_notifications();
            self.logged = session.services.logged_writes();
        } else {
            session.services.take_notifications();
            session.services.undo_writes(self.logged);
        }
        self.count += 1;
        if self.count > RUNS_SIDE_BY_SIDE_MAX {
            session.begin_writing_rows().await?;
        }
        Ok(())
    }
}

/// How a row that has been locked differs from the snapshot.
pub(super) enum Difference {
    Updated,
    Deleted,
}

impl SessionShared {
    /// Locks a row for the transaction. Where it would have to wait it fails, and the session knows what to wait for.
    ///
    /// # Errors
    /// See [`SessionServices::lock_row`].
    pub(crate) fn lock_row(&self, relation: Oid, row: i64, strength: LockStrength) -> Result<()> {
        self.services.lock_row(relation, row, strength, LockWait::Block).map(drop)
    }

    /// How long this session waits for a lock, by its settings.
    pub fn patience<'a>(&self, interrupted: &'a (dyn Fn() -> Result<()> + Send + Sync)) -> Patience<'a> {
        let settings = self.settings.lock();
        let milliseconds = |setting| u64::try_from(settings.integer(setting)).unwrap_or(0);
        let timeout = milliseconds(id::LOCK_TIMEOUT);
        Patience {
            deadlock: Duration::from_millis(milliseconds(id::DEADLOCK_TIMEOUT)),
            timeout: (timeout > 0).then(|| Duration::from_millis(timeout)),
            deadline: self.backend.deadlines().next(),
            interrupted,
        }
    }
}

impl Session {
    /// Takes a lock for the transaction, waiting for it.
    ///
    /// # Errors
    /// `40P01`, `55P03`, `57014`, `57P01`.
    pub(super) async fn acquire(&mut self, tag: LockTag, mode: LockMode) -> Result<()> {
        let locks = &self.shared.cluster.locks;
        if locks.try_acquire(self.backend(), tag, mode, Lifetime::Transaction) {
            return Ok(());
        }
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        let interrupted = move || check_interrupts(&backend, deadline);
        let mut patience = self.shared.patience(&interrupted);
        if matches!(tag, LockTag::Writer(_)) {
            // PostgreSQL has no such lock, which its `lock_timeout` could count.
            patience.timeout = None;
        }
        locks.acquire(self.backend(), tag, mode, Lifetime::Transaction, &patience).await
    }

    /// Tells the lock manager how many savepoints are set.
    pub(super) fn set_lock_level(&mut self) {
        let level = self.transaction().savepoints.len() as u32;
        self.shared.cluster.locks.set_level(self.backend(), level);
    }

    /// Takes the locks on tables that a statement needs.
    ///
    /// # Errors
    /// Those of [`Self::acquire`].
    pub(super) async fn lock_relations(&mut self, relations: &[(Oid, LockMode)]) -> Result<()> {
        if relations.is_empty() {
            return Ok(());
        }
        self.transaction();
        for (relation, mode) in relations {
            self.acquire(LockTag::Relation(self.database.oid, *relation), *mode).await?;
        }
        Ok(())
    }

    /// Waits for a row that a statement has met locked; the statement is to be run again. `held_before` tells whether the
    /// transaction already had the right to write when the statement began.
    ///
    /// # Errors
    /// Those of [`Self::acquire`]; `40001` when the transaction's snapshot is not the newest any more.
    pub(super) async fn await_row(&mut self, awaited: Awaited, held_before: bool) -> Result<()> {
        self.give_up_beside();
        if held_before {
            self.pass_over_reads();
            self.set_aside();
        } else {
            self.give_up_writing();
        }
        self.await_lock(awaited).await
    }

    /// Waits for what a statement has met. What it only has to look at it does not keep.
    async fn await_lock(&mut self, (tag, mode): Awaited) -> Result<()> {
        self.acquire(tag, mode).await?;
        if mode == LockMode::RowLook {
            self.shared.cluster.locks.release(self.backend(), tag, mode);
        }
        Ok(())
    }

    /// Gives the right to write back before the transaction has written anything. A snapshot that was to be kept is gone
    /// with it: the next one must be the same ([`Self::check_same_snapshot`]).
    pub(super) fn give_up_writing(&mut self) {
        let keeps_snapshot = self.keeps_snapshot();
        let committed = self.database.store.committed();
        let backend = self.backend().clone();
        let writer = LockTag::Writer(self.database.oid);
        self.pass_over_reads();
        let transaction = self.transaction();
        if transaction.work.writes() || !keeps_snapshot {
            transaction.same_as = keeps_snapshot.then_some(committed);
            transaction.give_up_work();
            self.services.end_snapshot();
        }
        self.shared.cluster.locks.release(&backend, writer, LockMode::Exclusive);
    }

    /// Makes sure that a snapshot just taken in place of one that was given up shows the same.
    ///
    /// # Errors
    /// `40001`.
    pub(super) fn check_same_snapshot(&mut self) -> Result<()> {
        let committed = self.database.store.committed();
        match self.transaction().same_as.take() {
            Some(expected) if expected != committed => {
                Err(error!(T_R_SERIALIZATION_FAILURE, "could not serialize access due to concurrent update"))
            }
            _ => Ok(()),
        }
    }

    /// What to do about an error of a step of a statement that cannot be run again, or of a check at the end of a
    /// transaction: if it has only met a locked row it waits for it here, and the step is to be made again. Meanwhile the
    /// right to write is given away if that can be; the transaction then has another connection afterwards.
    ///
    /// # Errors
    /// The error itself; those of [`Self::acquire`].
    pub(super) async fn await_in_place(&mut self, error: SqlError) -> Result<()> {
        let Some(awaited) = self.services.take_awaited() else { return Err(error) };
        self.set_aside();
        self.await_lock(awaited).await?;
        self.resume_writing().await
    }

    /// Prepares a statement and computes all its rows, locking them if it says so.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn collect_statement(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        types: &[Oid],
        parameters: &[Value],
    ) -> Result<(Arc<Planned>, Arc<StatementContext>, VecDeque<Row>)> {
        let mut runs = Runs::begin();
        loop {
            runs.next(self).await?;
            let held_before = self.transaction().work.writes();
            let (planned, catalog) = self.prepare_to_run(tree, text, types).await?;
            let context = self.statement_context(&catalog);
            let collected = match planned.plan.row_lock {
                _ if !planned.plan.read_only => {
                    self.run_modify(&planned, parameters, &context).await.map(|done| Some(done.rows.into()))
                }
                None => self.collect(&planned, parameters, &context).await.map(Some),
                Some(_) => self.collect_locked(&planned, parameters, &context).await,
            };
            match collected {
                Ok(Some(rows)) => return Ok((planned, context, rows)),
                Ok(None) => {}
                Err(error) => match self.services.take_awaited() {
                    Some(awaited) => self.await_row(awaited, held_before).await?,
                    None => return Err(error),
                },
            }
        }
    }

    /// Computes and locks the rows of a statement; nothing when it has to run again, because a row has changed under it.
    ///
    /// # Errors
    /// Those of the statement; `40001`.
    pub(super) async fn collect_locked(
        &mut self,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<Option<VecDeque<Row>>> {
        if self.transaction().work.writes() {
            // Nobody else can have changed anything since.
            return self.collect(planned, parameters, context).await.map(Some);
        }
        self.services.record_locked_rows(true);
        let rows = self.collect(planned, parameters, context).await;
        let locked = self.services.record_locked_rows(false);
        let rows = rows?;
        let difference = self.difference(&locked, context)?;
        match difference {
            None => Ok(Some(rows)),
            Some(difference) if self.keeps_snapshot() => {
                let word = match difference {
                    Difference::Updated => "update",
                    Difference::Deleted => "delete",
                };
                Err(error!(T_R_SERIALIZATION_FAILURE, "could not serialize access due to concurrent {word}"))
            }
            Some(_) => {
                self.pass_over_reads();
                self.transaction().give_up_work();
                self.services.end_snapshot();
                Ok(None)
            }
        }
    }

    /// Whether one of these rows, which nobody else can change now, is not as the transaction's snapshot shows it.
    pub(super) fn difference(
        &mut self,
        locked: &[(Oid, i64)],
        context: &StatementContext,
    ) -> Result<Option<Difference>> {
        let (database, keeps_snapshot) = (self.database.clone(), self.keeps_snapshot());
        let transaction = self.transaction();
        let (changes, seen) = (&database.row_changes, transaction.seen_commit);
        // A kept snapshot may be older than the lock on the table: others may have emptied or rewritten it, which no row
        // tells of.
        let unchanged = match keeps_snapshot {
            true => locked.is_empty() || database.store.committed() == seen,
            false => locked.iter().all(|(table, row)| changes.last(*table, *row) <= seen),
        };
        if unchanged {
            return Ok(None);
        }
        if matches!(transaction.work, Work::Beside(_)) {
            // Its snapshot is gone. Another row may have been changed that looks like this one; not twice in a row.
            return Ok(Some(Difference::Updated));
        }
        let (mut newest, _) = database.begin_read()?;
        let Some(own) = transaction.work.connection() else { return Ok(None) };
        let mut reader = RowReader::new(&context.catalog);
        for (relation, row) in locked {
            let seen = reader.read(own, *relation, *row)?;
            let now = reader.read(&mut newest, *relation, *row)?;
            if seen != now {
                return Ok(Some(if now.is_none() { Difference::Deleted } else { Difference::Updated }));
            }
        }
        Ok(None)
    }
}
