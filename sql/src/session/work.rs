//! Beginning and ending a transaction's work: snapshots, the write lock, commit, rollback, and what interrupts them.
//!
//! READ COMMITTED is the restart trick: a transaction that has only read ends its snapshot after each statement, so the
//! next one sees the newest commits. A statement that writes takes the write lock and the newest state; so does every
//! later one, with the transaction's own changes made again if somebody else has written meanwhile (`aside`), so that each
//! sees "newest and own". REPEATABLE READ and SERIALIZABLE keep their first snapshot; a first write on one that is not the
//! newest any more is 40001.

use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::WriteLock;

use super::transaction::{AtEnd, Listening, Transaction, Work};
use super::{Session, SessionServices, SessionShared, StatementContext};
use crate::backend::{Backend, Deadlines, State, WaitEvent};
use crate::catalog::{self, Catalog, CatalogEdit, Scope};
use crate::cluster::{Keep, Restarted, Sequences, fatal, storage_error};
use crate::execute;
use crate::locks::{LockMode, LockTag};
use crate::settings::id;
use crate::{Oid, Result, SqlError, clock, error, interrupt};

/// In place of a commit's number, when nothing has been committed.
pub(super) const NO_COMMIT: u64 = 0;
/// How many changed rows are committed on the reactor thread: one or two milliseconds' writing.
const SMALL_COMMIT_ROWS_MAX: u64 = 500;

/// What a backend shows while it waits for its commit to be on disk.
pub(super) const FLUSH_WAIT: WaitEvent = WaitEvent { kind: "IO", name: "WALSync" };

/// Asks whether the backend must stop what it does.
///
/// # Errors
/// FATAL `57P01` when it has been told to end; `57014` when the statement has been canceled or is out of time.
pub(super) fn check_interrupts(backend: &Backend, deadline: Option<Instant>) -> Result<()> {
    if backend.terminate_requested() {
        return Err(terminated());
    }
    if backend.take_cancel() {
        return Err(SqlError::canceled());
    }
    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return backend.deadlines().check();
    }
    Ok(())
}

fn terminated() -> SqlError {
    fatal(error!(ADMIN_SHUTDOWN, "terminating connection due to administrator command"))
}

impl SessionShared {
    /// Refuses a command, or a function that changes something, in a read-only transaction (`PreventCommandIfReadOnly`).
    ///
    /// # Errors
    /// `25006`.
    pub(crate) fn check_may_write(&self, command: &str) -> Result<()> {
        if !self.settings.lock().boolean(id::TRANSACTION_READ_ONLY) {
            return Ok(());
        }
        Err(error!(READ_ONLY_SQL_TRANSACTION, "cannot execute {command} in a read-only transaction"))
    }
}

impl Session {
    /// The transaction, begun if there is none: one that ends with its message.
    pub(super) fn transaction(&mut self) -> &mut Transaction {
        if self.transaction.is_none() {
            self.begin_transaction(false);
        }
        self.transaction.as_mut().expect("begun above")
    }

    pub(super) fn begin_transaction(&mut self, explicit: bool) {
        self.transaction = Some(Box::new(Transaction::new(explicit, self.statement_time)));
        let timeout = {
            let mut settings = self.shared.settings.lock();
            settings.begin_level();
            settings.integer(id::TRANSACTION_TIMEOUT)
        };
        if timeout > 0 {
            self.set_transaction_timeout(timeout);
        }
        self.backend().begin_transaction();
        self.backend().activity.lock().transaction_start = Some(self.statement_time);
    }

    /// Says how long the transaction may take from now on, in milliseconds; zero for no limit. Workers bound their time
    /// themselves.
    pub(super) fn set_transaction_timeout(&mut self, milliseconds: i32) {
        let limit = u64::try_from(milliseconds).ok().filter(|ms| *ms > 0 && self.statement_timeout_enabled);
        self.transaction_deadline = limit.map(|ms| Instant::now() + Duration::from_millis(ms));
        self.set_deadlines(self.backend().deadlines().statement);
    }

    fn set_deadlines(&mut self, statement: Option<Instant>) {
        let deadlines = Deadlines { statement, transaction: self.transaction_deadline };
        self.deadline = deadlines.next();
        self.backend().set_deadlines(deadlines);
    }

    /// Whether the transaction keeps one snapshot.
    pub(super) fn keeps_snapshot(&self) -> bool {
        let settings = self.shared.settings.lock();
        matches!(settings.text(id::TRANSACTION_ISOLATION), "repeatable read" | "serializable")
    }

    /// Refuses a writing command in a read-only transaction.
    ///
    /// # Errors
    /// `25006`.
    pub(super) fn check_may_write(&self, command: &str) -> Result<()> {
        self.shared.check_may_write(command)
    }

    /// The catalog that the next statement will probably see, without taking a snapshot.
    pub(super) fn present_catalog(&self) -> Arc<Catalog> {
        let own = self.transaction.as_ref().and_then(|transaction| transaction.catalog.clone());
        own.unwrap_or_else(|| self.database.catalog())
    }

    /// Makes sure that the transaction has a snapshot; the catalog that goes with it.
    pub(super) fn begin_reading(&mut self) -> Result<Arc<Catalog>> {
        self.services.begin_snapshot();
        let database = self.database.clone();
        let transaction = self.transaction();
        transaction.had_snapshot = true;
        if matches!(transaction.work, Work::Aside) {
            return Err(SqlError::internal("a transaction that was set aside has not gone on"));
        }
        if matches!(transaction.work, Work::None | Work::Statement(_)) {
            transaction.work = Work::None;
            transaction.seen_commit = database.store.committed();
            let (connection, catalog) = database.begin_read()?;
            transaction.work = Work::Read(connection);
            transaction.catalog = Some(catalog);
            self.check_same_snapshot()?;
        }
        let transaction = self.transaction();
        Ok(transaction.catalog.get_or_insert_with(|| database.catalog()).clone())
    }

    /// Makes ready for one reading statement. Under READ COMMITTED it takes a snapshot for itself, which spares beginning
    /// and ending a transaction of the engine; whether the snapshot goes with the catalog is looked at when it has been
    /// taken: see [`Self::check_snapshot`].
    pub(super) fn begin_reading_statement(&mut self) -> Result<Arc<Catalog>> {
        if !matches!(self.transaction().work, Work::None) || self.keeps_snapshot() {
            return self.begin_reading();
        }
        self.services.begin_snapshot();
        let database = self.database.clone();
        let transaction = self.transaction();
        transaction.had_snapshot = true;
        let spare = transaction.spare.take().map_or_else(|| database.connection(), Ok)?;
        transaction.work = Work::Statement(spare);
        Ok(transaction.catalog.insert(database.catalog()).clone())
    }

    /// The client has nothing more to ask for the moment: what the transaction keeps for its next statement is given back.
    pub fn pause(&mut self) {
        if let Some(transaction) = &mut self.transaction {
            transaction.spare = None;
        }
    }

    /// After the first step of a statement that has taken a snapshot for itself: whether that belongs to the catalog
    /// that the statement was planned on. A commit of another catalog shows in both at the same time or, here, first in
    /// the snapshot: so what has not changed by now had not then.
    ///
    /// # Errors
    /// [`execute::stale_catalog`]: the statement is to be planned and run again.
    pub(super) fn check_snapshot(&mut self) -> Result<()> {
        let now = self.database.catalog().version();
        let transaction = self.transaction();
        let same = transaction.catalog.as_ref().is_some_and(|catalog| catalog.version() == now);
        if matches!(transaction.work, Work::Statement(_)) && !same {
            transaction.work = Work::None;
            return Err(execute::stale_catalog());
        }
        Ok(())
    }

    /// Gives a statement that was to take a snapshot for itself one of the transaction's.
    ///
    /// # Errors
    /// As [`Self::check_snapshot`].
    pub(super) fn take_snapshot(&mut self) -> Result<()> {
        let transaction = self.transaction();
        if !matches!(transaction.work, Work::Statement(_)) {
            return Ok(());
        }
        let planned_on = transaction.catalog.as_ref().map(|catalog| catalog.version());
        if Some(self.begin_reading()?.version()) == planned_on {
            Ok(())
        } else {
            Err(execute::stale_catalog())
        }
    }

    /// Makes sure that the transaction may write; the catalog it sees.
    ///
    /// # Errors
    /// `57014` while waiting for the lock; `40001` on a stale snapshot.
    pub(super) async fn begin_writing(&mut self) -> Result<Arc<Catalog>> {
        let catalog = self.begin_writing_rows().await?;
        self.services.keep_writes(false);
        Ok(catalog)
    }

    /// As [`Self::begin_writing`], when only rows will be written, and each through a `Writer`: the transaction can then be
    /// set aside.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn begin_writing_rows(&mut self) -> Result<Arc<Catalog>> {
        if !self.database.oid.is_valid() {
            return Err(SqlError::unsupported("changing data without a database"));
        }
        self.resume_writing().await?;
        if !self.transaction().work.writes() {
            let keeps_snapshot = self.keeps_snapshot();
            // Of several statements in one message a later one may be BEGIN, or may have to wait.
            let among_others = self.among_others;
            let transaction = self.transaction();
            let goes_on =
                transaction.explicit || transaction.may_wait || transaction.pipelined || among_others;
            self.services.keep_writes(goes_on && !keeps_snapshot);
            let lock = self.await_write_lock().await?;
            self.take_write_work(lock)?;
            self.services.transaction_id(true)?;
        }
        self.services.begin_snapshot();
        let database = self.database.clone();
        let transaction = self.transaction();
        transaction.had_snapshot = true;
        Ok(transaction.catalog.get_or_insert_with(|| database.catalog()).clone())
    }

    fn take_write_work(&mut self, lock: WriteLock) -> Result<()> {
        let keeps_snapshot = self.keeps_snapshot();
        let database = self.database.clone();
        let transaction = self.transaction();
        match std::mem::replace(&mut transaction.work, Work::None) {
            Work::Read(mut connection) if keeps_snapshot => {
                connection.upgrade().map_err(execute::engine_error)?;
                transaction.work = Work::Write(connection, lock);
            }
            // Under READ COMMITTED the snapshot of an earlier statement is given up.
            _ => {
                transaction.work = Work::Write(database.begin_write(&lock)?, lock);
                transaction.catalog = Some(database.catalog());
            }
        }
        transaction.set_markers().map_err(storage_error)?;
        self.check_same_snapshot()
    }

    /// Waits for the right to write: visible and cancelable, but not bounded by `lock_timeout`. For COMMIT, too, which in
    /// PostgreSQL has nothing to wait for here: requests to cancel and `statement_timeout` stop it before it has begun to
    /// commit, since it could else wait for ever for a block at REPEATABLE READ whose client is idle.
    pub(super) async fn await_write_lock(&mut self) -> Result<WriteLock> {
        let (database, cluster) = (self.database.clone(), self.shared.cluster.clone());
        let _wanted = database.resting.want(&cluster.locks, database.oid);
        self.acquire(LockTag::Writer(self.database.oid), LockMode::Exclusive).await?;
        // Only a checkpoint that cuts the log has it now and then, for a moment.
        Ok(self.database.store.write_lock().await)
    }

    /// A statement has ended: under READ COMMITTED its snapshot ends too.
    pub(super) fn end_statement(&mut self) {
        self.collect_notifications();
        if !std::mem::take(&mut self.reads_untold) {
            self.note_reads();
        }
        self.leave_beside();
        let keeps_snapshot = self.keeps_snapshot();
        if let Some(transaction) = &mut self.transaction
            && !transaction.work.writes()
            && !keeps_snapshot
        {
            match std::mem::replace(&mut transaction.work, Work::None) {
                Work::Statement(connection) if connection.is_at_rest() => {
                    transaction.spare = Some(connection)
                }
                _ => {}
            }
            transaction.catalog = None;
        }
        if !keeps_snapshot {
            self.services.end_snapshot();
        }
        self.backend().set_interrupt(None);
        self.rest();
    }

    /// Takes over what functions of the statement have sent; the same message counts once for a transaction.
    pub(super) fn collect_notifications(&mut self) {
        let sent = self.services.take_notifications();
        if sent.is_empty() {
            return;
        }
        self.transaction().notify(sent);
    }

    /// Ends the transaction, keeping its effects, and waits until they are on disk. On failure it is rolled back.
    ///
    /// # Errors
    /// Those of deferred checks; those of the disk.
    pub(super) async fn commit(&mut self) -> Result<()> {
        if self.is_without_effects() {
            drop(self.end_transaction(true));
            self.services.end_transaction();
            self.release_locks(self.database.store.committed());
            self.services.end_transaction_id(true);
            return Ok(());
        }
        match self.commit_work().await {
            Ok(()) => Ok(()),
            Err(error) => {
                self.abort();
                Err(error)
            }
        }
    }

    /// Whether the transaction has only read, and nothing is to be done at its end.
    fn is_without_effects(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.is_without_effects())
            && self.services.is_without_effects()
            && !self.portals.has_named()
    }

    async fn commit_work(&mut self) -> Result<()> {
        self.collect_notifications();
        if self.transaction.is_none() {
            return Ok(());
        }
        // Here without the right to write, and again below for what checks and cursors have drawn.
        self.flush_sequences().await?;
        self.resume_writing().await?;
        self.settle_deferred().await?;
        self.hold_cursors().await?;
        self.services.cover_restarts()?;
        self.flush_sequences().await?;
        let keep = self.keep();
        if self.transaction().lost {
            return Err(SqlError::internal("what the transaction has written is lost"));
        }
        let prepared = self.prepare_shared_rows().await?;
        let commit = self.commit_in_engine(keep).await?;
        let restarted = self.services.take_restarted();
        let depends_on = if keep == Keep::Surely { commit } else { 0 }.max(self.depends_on());
        let mut transaction = self.end_transaction(true).expect("checked above");
        let (messages, listening) =
            (std::mem::take(&mut transaction.notifications), std::mem::take(&mut transaction.listening));
        // Before its own messages line up, which it hears; those that have lined up by now are older.
        self.apply_listening(listening);
        // In the order of commits, which the write lock still keeps.
        let hub = &self.shared.cluster.notifications;
        let place = (!messages.is_empty()).then(|| hub.enqueue(&self.database, depends_on, messages));
        let Transaction { work, spare, shared_lock, shared_changes, on_commit, .. } = *transaction;
        drop((work, spare));
        if prepared {
            let _waiting = self.backend().waiting(FLUSH_WAIT);
            let cluster = self.shared.cluster.clone();
            cluster.finish_shared(&self.database, commit, shared_changes, shared_lock).await;
        } else {
            drop(shared_lock);
        }
        // Nobody uses the tables that go with them meanwhile: their locks are still held.
        let restarts = self.restart_sequences(&restarted, commit).await?;
        self.release_locks(self.database.store.committed());
        self.flush(commit, restarts, keep).await?;
        // Not before: `pg_xact_status` tells that it has committed, which must stay true.
        self.services.end_transaction_id(true);
        if let Some(place) = place {
            self.settle().await?;
            self.shared.cluster.notifications.deliver(&self.database, place);
        }
        self.run_at_end(on_commit).await;
        Ok(())
    }

    /// Commits changes of shared rows, if there are no others; else keeps them for the database's commit to decide
    /// ([`crate::cluster`]'s `shared_rows`), and tells so.
    async fn prepare_shared_rows(&mut self) -> Result<bool> {
        let (cluster, database) = (self.shared.cluster.clone(), self.database.oid);
        let transaction = self.transaction();
        if transaction.shared_changes.is_empty() {
            return Ok(false);
        }
        let connection = transaction.work.connection().filter(|connection| connection.changed_rows() > 0);
        let prepared = connection.is_some();
        let commit = match connection {
            None => cluster.commit_shared(&transaction.shared_changes)?,
            Some(connection) => {
                let (number, commit) = cluster.prepare_shared(database, &transaction.shared_changes)?;
                catalog::mark_committed(connection, number)?;
                commit
            }
        };
        cluster.flush_shared(commit).await?;
        Ok(prepared)
    }

    /// Waits until the values that the transaction has drawn from sequences are on disk. They must be before its rows can
    /// be, whether somebody waits for these or not: each file gets there by itself, and rows that outlived a crash would
    /// have numbers that are given out again.
    async fn flush_sequences(&mut self) -> Result<()> {
        let drawn = self.services.sequence_commit();
        if drawn == 0 {
            return Ok(());
        }
        let database = self.database.clone();
        let _waiting = self.backend().waiting(FLUSH_WAIT);
        database.sequences.flush_to(drawn).await
    }

    /// The number of the engine's commit; 0 when there was nothing to commit. One that may take long leaves the reactor.
    async fn commit_in_engine(&mut self, keep: Keep) -> Result<u64> {
        let database = self.database.clone();
        if matches!(self.transaction().work, Work::Write(..)) {
            let catalog_changed = self.transaction().catalog_changed;
            self.services.note_new_rows(catalog_changed);
        }
        let transaction = self.transaction();
        let changed = transaction.own_catalog();
        let Work::Write(connection, _) = &mut transaction.work else { return Ok(0) };
        // It goes with the commit, which may outlive its session: until it is decided nobody may settle the shared rows.
        let shared_lock = transaction.shared_lock.take();
        let commit = move |connection: &mut storage::Connection| {
            let before = connection.last_commit();
            let committed = database.commit(connection, changed, keep);
            // A pooled connection remembers the commits of its earlier users.
            let now = connection.last_commit();
            (committed.map(|()| if now == before { 0 } else { now }), shared_lock)
        };
        let (committed, shared_lock) = if connection.changed_rows() > SMALL_COMMIT_ROWS_MAX {
            transaction.committing = true;
            let committed = self.elsewhere(commit).await;
            self.transaction().committing = false;
            committed?
        } else {
            commit(connection)
        };
        self.transaction().shared_lock = shared_lock;
        committed.map_err(execute::engine_error)
    }

    /// Whether the transaction's commit must outlive a crash. Without standbys `local`, `remote_write` and
    /// `remote_apply` are as good as `on`.
    fn keep(&self) -> Keep {
        match self.shared.settings.lock().text(id::SYNCHRONOUS_COMMIT) {
            "off" => Keep::Perhaps,
            _ => Keep::Surely,
        }
    }

    /// Waits until the commit is on disk, unless the user has said that this may take its time.
    async fn flush(&mut self, commit: u64, restarts: u64, keep: Keep) -> Result<()> {
        self.services.end_transaction();
        if (commit | restarts) == 0 {
            return Ok(());
        }
        if keep == Keep::Perhaps {
            self.shared.cluster.flush_soon();
            return Ok(());
        }
        let _waiting = self.backend().waiting(FLUSH_WAIT);
        if commit > 0 {
            self.database.store.flush_to(commit).await.map_err(storage_error)?;
        }
        self.database.sequences.flush_to(restarts).await
    }

    /// Restarts the sequences of a transaction whose rows have been committed; the commit of their file. The rows are on
    /// disk before, also with `synchronous_commit = off`: a crash between the two leaves sequences that go on behind all
    /// values that either the old rows or the new ones have ([`Sequences::cover`]).
    async fn restart_sequences(&mut self, restarted: &[Restarted], commit: u64) -> Result<u64> {
        if restarted.is_empty() {
            return Ok(0);
        }
        let _waiting = self.backend().waiting(FLUSH_WAIT);
        self.database.store.flush_to(commit).await.map_err(storage_error)?;
        Ok(restart_or_stop(&self.database.sequences, restarted))
    }

    /// Does the checks that were put off. One that meets a row of another transaction waits for it, and all are done again:
    /// that one may have changed what they look at.
    async fn settle_deferred(&mut self) -> Result<()> {
        let Some(transaction) = &mut self.transaction else { return Ok(()) };
        let mut deferred = std::mem::take(&mut transaction.deferred);
        if deferred.is_empty() || !transaction.work.writes() {
            return Ok(());
        }
        loop {
            let context = self.statement_context(&self.present_catalog());
            let settle = move |connection: &mut storage::Connection| {
                let settled = execute::settle_deferred(connection, &context, &deferred);
                (deferred, settled)
            };
            let settled;
            (deferred, settled) = self.elsewhere(settle).await?;
            let Err(error) = settled else { break };
            let error = self.reason_to_stop(error);
            self.await_in_place(error).await?;
        }
        interrupt::discard(deferred);
        Ok(())
    }

    /// Takes the right to change shared rows, which the transaction then has to its end or until all its changes of them
    /// are undone. The only place where it is waited for. The transaction sees the newest shared rows from then on.
    pub(super) async fn lock_shared_rows(&mut self) -> Result<()> {
        if self.transaction().shared_lock.is_some() {
            return Ok(());
        }
        self.acquire(LockTag::Writer(Oid::INVALID), LockMode::Exclusive).await?;
        let lock = self.shared.cluster.shared_write_lock().await;
        self.transaction().shared_lock = Some(lock);
        self.refresh_shared_rows()
    }

    /// Gives the transaction's catalog the newest shared rows, with the transaction's own changes of them.
    pub(super) fn refresh_shared_rows(&mut self) -> Result<()> {
        let newest = self.shared.cluster.shared_catalog();
        let transaction = self.transaction();
        if let Some(catalog) = &mut transaction.catalog {
            let refreshed = catalog.with_shared_rows_of(&newest);
            *catalog = refreshed.with_changes(&transaction.shared_changes)?;
        }
        Ok(())
    }

    /// Takes over a catalog that a command has changed: the rows go to the file, the snapshot becomes the transaction's.
    pub(super) async fn adopt_catalog(&mut self, edit: CatalogEdit) -> Result<()> {
        let (next, changes) = edit.finish();
        if changes.is_empty() {
            return Ok(());
        }
        if changes.iter().any(|change| change.shared) {
            self.lock_shared_rows().await?;
        }
        let transaction = self.transaction();
        let connection = transaction.work.connection().expect("commands have a writing transaction");
        catalog::apply(connection, Scope::Database, &next, &changes)?;
        transaction.shared_changes.extend(changes.into_iter().filter(|change| change.shared));
        transaction.catalog = Some(next);
        transaction.catalog_changed = true;
        Ok(())
    }

    /// Ends the transaction without effects.
    pub(super) fn abort(&mut self) {
        self.backend().set_interrupt(None);
        self.services.take_notifications();
        self.services.take_awaited();
        self.take_up();
        let Some(mut transaction) = self.end_transaction(false) else {
            self.end_unawaited_commit();
            return;
        };
        let committing = transaction.committing;
        let undone = transaction.undo();
        self.end_undone(undone, committing);
    }

    /// A session has ended while its commit was on the way to the disk: the number is given back when it is there.
    fn end_unawaited_commit(&self) {
        let Some(number) = self.backend().transaction_id() else { return };
        self.backend().set_transaction_id(None);
        self.services.end_snapshot();
        let (cluster, database) = (self.shared.cluster.clone(), self.database.clone());
        cluster.exported_snapshots.forget(self.backend().pid);
        std::thread::spawn(move || {
            database.store.flush_blocking();
            cluster.transaction_ids.finish(number, true);
        });
    }

    /// What follows when a transaction's effects are gone, whether its block goes on or not.
    fn end_undone(&mut self, undone: Vec<AtEnd>, committing: bool) {
        self.services.undo_restarts(0);
        self.services.end_transaction_id(false);
        self.services.end_transaction();
        self.release_undone_locks(committing);
        self.run_at_end_elsewhere(undone);
    }

    /// Gives back the locks of a transaction of which nothing later than this commit can be seen.
    pub(super) fn release_locks(&self, commit: u64) {
        self.shared.cluster.locks.release_transaction(self.backend(), &self.database.row_changes, commit);
    }

    /// Gives back the locks of a transaction whose effects are gone. A large commit whose client has gone may still be on its
    /// way: it counts as the next one.
    fn release_undone_locks(&self, committing: bool) {
        self.release_locks(if committing { self.database.store.committed() + 1 } else { NO_COMMIT });
    }

    /// What commit and rollback have in common for all that is not the engine's.
    fn end_transaction(&mut self, committed: bool) -> Option<Box<Transaction>> {
        let shown = self.portals.has_named();
        self.portals.retain(|portal| portal.survives(committed));
        if shown {
            self.show_cursors();
        }
        let mut transaction = self.transaction.take()?;
        if let Some(identifier) = transaction.imported.take()
            && let Work::Read(connection) = std::mem::replace(&mut transaction.work, Work::None)
        {
            self.shared.cluster.exported_snapshots.take_back(&identifier, connection);
        }
        {
            let mut settings = self.shared.settings.lock();
            if committed { settings.commit() } else { settings.rollback() }
        }
        if !committed {
            self.restore_users();
        }
        self.transaction_deadline = None;
        self.set_deadlines(self.backend().deadlines().statement);
        let backend = self.backend();
        backend.activity.lock().transaction_start = None;
        Some(transaction)
    }

    fn apply_listening(&self, changes: Vec<Listening>) {
        let hub = &self.shared.cluster.notifications;
        let backend = self.backend();
        for change in changes {
            match change {
                Listening::To(channel) => hub.listen(backend, self.database.oid, &channel),
                Listening::NotTo(channel) => hub.unlisten(backend.pid, Some(&channel)),
                Listening::ToNothing => hub.unlisten(backend.pid, None),
            }
        }
    }

    /// Does what is left to be done and waits for it.
    async fn run_at_end(&mut self, actions: Vec<AtEnd>) {
        if actions.is_empty() {
            return;
        }
        let cluster = self.shared.cluster.clone();
        let done = tokio::task::spawn_blocking(move || run_actions(&cluster, actions));
        if done.await.is_err() {
            tracing::error!("an action at the end of a transaction has panicked");
        }
    }

    /// Does what is left to be done without waiting for it.
    pub(super) fn run_at_end_elsewhere(&self, actions: Vec<AtEnd>) {
        if actions.is_empty() {
            return;
        }
        let cluster = self.shared.cluster.clone();
        std::thread::spawn(move || run_actions(&cluster, actions));
    }

    /// A statement or message has failed: the transaction is aborted, or rolled back when it was implicit.
    pub fn fail(&mut self, error: &SqlError) {
        let ends = error.0.severity > crate::Severity::Error;
        self.reads_untold = false;
        self.note_reads();
        self.untold.depend_on(self.passed_over);
        self.leave_beside();
        self.backend().set_interrupt(None);
        self.services.take_notifications();
        // What it has met locked is not waited for any more.
        self.services.take_awaited();
        let keeps_snapshot = self.transaction.is_some() && self.keeps_snapshot();
        self.take_up();
        match &mut self.transaction {
            Some(transaction) if transaction.explicit && !ends => {
                transaction.failed = true;
                if !keeps_snapshot {
                    self.services.end_snapshot();
                }
                let level = transaction.savepoints.len();
                if level == 0 {
                    // Nothing can be kept: others need not wait for what it holds.
                    let undone = transaction.undo();
                    self.end_undone(undone, false);
                    self.backend().activity.lock().transaction_start = None;
                } else {
                    // A writing statement that was stopped has taken the engine's transaction along.
                    if let Work::Read(connection) | Work::Write(connection, _) = &transaction.work {
                        transaction.lost |= !connection.in_transaction();
                    }
                    // A snapshot that the transaction keeps must be there after ROLLBACK TO, too.
                    if matches!(transaction.work, Work::Read(_) | Work::Statement(_)) && !keeps_snapshot {
                        transaction.work = Work::None;
                    }
                    // What the failed part has done is gone at once: others need not wait for it.
                    let lost = transaction.lost;
                    if !lost && let Err(error) = self.undo_to(level - 1) {
                        tracing::error!(%error, "could not undo a failed part of a transaction");
                        self.transaction().lost = true;
                    }
                    // Its client may think for long before it goes back to the savepoint.
                    self.rest();
                }
                self.close_portals_of(level);
            }
            Some(_) => self.abort(),
            None => {}
        }
    }

    /// What functions of a statement on this catalog see.
    pub(super) fn statement_context(&mut self, catalog: &Arc<Catalog>) -> Arc<StatementContext> {
        let started =
            self.transaction.as_ref().map_or(self.statement_time, |transaction| transaction.started);
        let environment = self.environment(catalog);
        self.services.begin_statement(catalog, environment.user);
        Arc::new(StatementContext {
            catalog: catalog.clone(),
            format: environment.format(started),
            search_path: environment.search_path.clone(),
            statement_time: self.statement_time,
            session: self.shared.clone(),
            buffered: Default::default(),
        })
    }

    /// A message begins: reports it, and starts the clock.
    pub(super) fn begin_message(&mut self, text: Option<&str>) -> Result<()> {
        self.statement_time = clock::now();
        self.start_statement_timeout();
        if self.backend().terminate_requested() {
            return Err(terminated());
        }
        // A request to cancel that came while nothing ran has nothing to cancel.
        self.backend().take_cancel();
        self.report_active(text);
        Ok(())
    }

    /// A statement begins: its time is counted anew.
    pub(super) fn start_statement_timeout(&mut self) {
        let timeout = self.shared.settings.lock().integer(id::STATEMENT_TIMEOUT);
        let timeout = u64::try_from(timeout).ok().filter(|ms| *ms > 0 && self.statement_timeout_enabled);
        self.set_deadlines(timeout.map(|milliseconds| Instant::now() + Duration::from_millis(milliseconds)));
    }

    fn report_active(&self, text: Option<&str>) {
        if !self.activity_reported {
            return;
        }
        let limit = self.shared.settings.lock().integer(id::TRACK_ACTIVITY_QUERY_SIZE);
        let mut activity = self.backend().activity.lock();
        activity.state = Some(State::Active);
        activity.state_change = Some(self.statement_time);
        activity.query_start = Some(self.statement_time);
        if let Some(text) = text {
            // One byte of the size is the terminator's, as in PostgreSQL.
            let limit = usize::try_from(limit).unwrap_or(0).saturating_sub(1);
            activity.query.clear();
            activity.query.push_str(&text[..text.floor_char_boundary(limit)]);
        }
    }

    /// A message has ended.
    pub fn report_idle(&mut self) {
        let state = match &self.transaction {
            Some(transaction) if transaction.explicit && transaction.failed => {
                State::IdleInTransactionAborted
            }
            Some(transaction) if transaction.explicit => State::IdleInTransaction,
            _ => State::Idle,
        };
        self.set_deadlines(None);
        if !self.activity_reported {
            return;
        }
        let mut activity = self.registration.backend.activity.lock();
        activity.state = Some(state);
        activity.state_change = Some(clock::now());
    }
}

/// Restarts the sequences of a transaction whose rows are committed already. When the file cannot be written, the commit
/// can neither be told (its sequences would go on where they were) nor be undone. So it is with a flush that fails:
/// the server stops, and nobody has been told anything.
fn restart_or_stop(sequences: &Sequences, restarted: &[Restarted]) -> u64 {
    sequences.restart(restarted).unwrap_or_else(|error| {
        tracing::error!(target: "panic", "could not restart sequences of a committed transaction: {error}");
        std::process::abort();
    })
}

fn run_actions(cluster: &Arc<crate::cluster::Cluster>, actions: Vec<AtEnd>) {
    for action in actions {
        if let Err(error) = action(cluster) {
            tracing::error!(%error, "an action at the end of a transaction has failed");
        }
    }
}
