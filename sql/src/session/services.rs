//! What SQL functions ask of their session: sequences, notifications, the transaction's number.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use storage::Connection;

use super::context::Exporter;
use super::locking::Awaited;
use super::{CursorRow, PreparedStatementRow, SessionServices};
use crate::backend::Backend;
use crate::bound::{LockStrength, LockWait};
use crate::catalog::privileges::Privileges;
use crate::catalog::{Catalog, Sequence};
use crate::cluster::{
    Cluster, Exported, IMPORTERS_MAX, Notification, OpenDatabase, Restarted, TransactionSnapshot,
    check_bounds,
};
use crate::execute::table::Table;
use crate::execute::{WriteLog, Written};
use crate::locks::{Lifetime, LockMode, LockTag, RowAnswer};
use crate::oid::relations;
use crate::{Oid, Result, SqlError, error};

/// PostgreSQL's limits on messages (`NAMEDATALEN`, `NOTIFY_PAYLOAD_MAX_LENGTH`).
const CHANNEL_BYTES_MAX: usize = 63;
const PAYLOAD_BYTES_MAX: usize = 7999;
/// How many different messages one statement may send (PostgreSQL's queue is bounded, too).
const NOTIFICATIONS_MAX: usize = 1 << 20;

/// `pg_depend.deptype` of what is a part of something else.
const INTERNAL: char = 'i';

/// How far the services had come when a command began: what its next run goes back to.
pub(super) struct Mark {
    restarted: Vec<Restarted>,
    new_rows: Vec<Oid>,
}

/// The services of a session.
pub(super) struct Services {
    cluster: Arc<Cluster>,
    backend: Arc<Backend>,
    database: Arc<OpenDatabase>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The catalog of the running statement.
    catalog: Option<Arc<Catalog>>,
    /// Who runs it.
    user: Oid,
    /// What `currval` gives.
    drawn: HashMap<Oid, i64>,
    last: Option<Oid>,
    /// The commit of the sequences' file that the transaction must wait for.
    sequence_commit: u64,
    /// The last commit before that.
    snapshot_commit: u64,
    /// The sequences that the transaction has restarted, in order; the last entry of a sequence is in force.
    restarted: Vec<Restarted>,
    /// Messages of the running statement, each once.
    notifications: Vec<Notification>,
    /// The rows that the running statement has locked, when they are to be looked at again.
    locked: Option<Vec<(Oid, i64)>>,
    /// What the statement that has just failed must wait for.
    awaited: Option<Awaited>,
    notified: HashSet<Notification>,
    /// Which transactions had ended when the statement, or the transaction, took its snapshot.
    snapshot: Option<Arc<TransactionSnapshot>>,
    prepared: Vec<PreparedStatementRow>,
    cursors: Vec<CursorRow>,
    /// What the transaction has written, if all of it is kept.
    log: Option<WriteLog>,
    /// The tables in which the transaction has made new rows, or given rows new keys.
    new_rows: Vec<Oid>,
}

impl Services {
    pub(super) fn new(cluster: Arc<Cluster>, backend: Arc<Backend>, database: Arc<OpenDatabase>) -> Self {
        Self { cluster, backend, database, state: Mutex::default() }
    }

    /// A statement of a user begins, on this catalog.
    pub(super) fn begin_statement(&self, catalog: &Arc<Catalog>, user: Oid) {
        let mut state = self.state.lock();
        state.catalog = Some(catalog.clone());
        state.user = user;
    }

    /// Messages sent since the last call.
    pub(super) fn take_notifications(&self) -> Vec<Notification> {
        let mut state = self.state.lock();
        if state.notifications.is_empty() {
            return Vec::new();
        }
        state.notified.clear();
        std::mem::take(&mut state.notifications)
    }

    /// Whether the functions of the transaction have left nothing to be done at its end.
    pub(super) fn is_without_effects(&self) -> bool {
        let state = self.state.lock();
        state.restarted.is_empty() && state.sequence_commit == 0 && state.notifications.is_empty()
    }

    /// The transaction has ended.
    pub(super) fn end_transaction(&self) {
        let mut state = self.state.lock();
        state.log = None;
        state.new_rows.clear();
        state.sequence_commit = 0;
    }

    /// The commit of the sequences' file that covers what the transaction has drawn.
    pub(super) fn sequence_commit(&self) -> u64 {
        self.state.lock().sequence_commit
    }

    /// How far they have come.
    pub(super) fn mark(&self) -> Mark {
        let state = self.state.lock();
        Mark { restarted: state.restarted.clone(), new_rows: state.new_rows.clone() }
    }

    /// Undoes what has come since, messages included. Values that were drawn from sequences stay drawn, as ever.
    pub(super) fn go_back_to(&self, mark: Mark) {
        self.take_notifications();
        let mut state = self.state.lock();
        (state.restarted, state.new_rows) = (mark.restarted, mark.new_rows);
    }

    /// Begins or ends to note which rows are locked; those noted so far.
    pub(super) fn record_locked_rows(&self, record: bool) -> Vec<(Oid, i64)> {
        let next = record.then(Vec::new);
        std::mem::replace(&mut self.state.lock().locked, next).unwrap_or_default()
    }

    /// Says which tables have new rows by the transaction's commit, which is the next one: it has the right to write.
    /// Rows of any table may have new numbers if it has changed the catalog.
    pub(super) fn note_new_rows(&self, catalog_changed: bool) {
        let (next, changes) = (self.database.store.committed() + 1, &self.database.row_changes);
        self.state.lock().new_rows.iter().for_each(|table| changes.note_new_rows(*table, next));
        if catalog_changed {
            changes.note_new_numbers(next);
        }
    }

    /// What the statement that has just failed must wait for before it is run again.
    pub(super) fn take_awaited(&self) -> Option<Awaited> {
        self.state.lock().awaited.take()
    }

    /// Begins to keep what is written, or ceases to.
    pub(super) fn keep_writes(&self, keep: bool) {
        self.state.lock().log = keep.then(WriteLog::default);
    }

    /// Does something with what the transaction has written; nothing when not all of it is kept.
    pub(super) fn with_log<T>(&self, work: impl FnOnce(&WriteLog) -> T) -> Option<T> {
        self.state.lock().log.as_ref().map(work)
    }

    /// Takes what the transaction has written, to be put back.
    pub(super) fn take_log(&self) -> Option<WriteLog> {
        self.state.lock().log.take()
    }

    /// Puts back what [`Self::take_log`] has taken.
    pub(super) fn put_log(&self, log: WriteLog) {
        self.state.lock().log = Some(log);
    }

    /// Locks a row, or a key of an index.
    fn lock_number(&self, relation: Oid, number: i64, mode: LockMode, wait: LockWait) -> Result<RowAnswer> {
        self.transaction_id(true)?;
        let database = self.database.oid;
        let locks = &self.cluster.locks;
        let answer = locks.lock_row(&self.backend, database, relation, number, mode);
        if let (RowAnswer::Busy(tag, awaited), LockWait::Block) = (answer, wait) {
            return Err(self.to_be_awaited((tag, awaited)));
        }
        Ok(answer)
    }

    /// What a statement ends with that meets a lock of another transaction: the session waits for it and runs it again.
    fn to_be_awaited(&self, awaited: Awaited) -> SqlError {
        self.state.lock().awaited = Some(awaited);
        SqlError::internal("what is locked by another transaction has not been waited for")
    }

    /// A row has been locked.
    fn record_locked(&self, relation: Oid, row: i64) {
        if let Some(locked) = &mut self.state.lock().locked {
            locked.push((relation, row));
        }
    }

    /// Lets a sequence go on at a value, in this transaction and, when it commits, for all.
    pub(super) fn restart_sequence(&self, sequence: Oid, value: i64) {
        let restarted = Restarted { sequence, last_value: value, is_called: false };
        self.state.lock().restarted.push(restarted);
    }

    /// How many times sequences have been restarted.
    pub(super) fn restarts(&self) -> usize {
        self.state.lock().restarted.len()
    }

    /// Undoes all restarts but so many.
    pub(super) fn undo_restarts(&self, kept: usize) {
        self.state.lock().restarted.truncate(kept);
    }

    /// The sequences that the transaction has restarted, each once, as it leaves them.
    pub(super) fn take_restarted(&self) -> Vec<Restarted> {
        let all = std::mem::take(&mut self.state.lock().restarted);
        if all.is_empty() {
            return Vec::new();
        }
        let last: HashMap<Oid, Restarted> = all.into_iter().map(|entry| (entry.sequence, entry)).collect();
        last.into_values().collect()
    }

    /// Makes ready for the commit of these restarts: see [`crate::cluster::Sequences::cover`].
    pub(super) fn cover_restarts(&self) -> Result<()> {
        let restarted = self.state.lock().restarted.clone();
        for entry in restarted {
            // The last entry of a sequence has been drawn from last, but each has given out values; a sequence that has been
            // dropped since gives out no more.
            let Ok((sequence, _)) = self.sequence(entry.sequence) else { continue };
            self.depend_on_sequences(self.database.sequences.cover(&sequence, &entry)?);
        }
        Ok(())
    }

    /// The transaction's rows are not to be written before this commit of the sequences' file is on disk.
    fn depend_on_sequences(&self, commit: u64) {
        let mut state = self.state.lock();
        state.sequence_commit = state.sequence_commit.max(commit);
    }

    /// Does something with a sequence that the transaction has restarted.
    fn with_restarted<T>(&self, sequence: Oid, work: impl FnOnce(&mut Restarted) -> T) -> Option<T> {
        let mut state = self.state.lock();
        state.restarted.iter_mut().rev().find(|entry| entry.sequence == sequence).map(work)
    }

    /// Notes which transactions have ended, before the engine's snapshot is taken: what has ended by then is seen.
    pub(super) fn begin_snapshot(&self) {
        let mut state = self.state.lock();
        if state.snapshot.is_none() {
            state.snapshot_commit = self.database.store.committed();
            let snapshot = self.cluster.transaction_ids.snapshot();
            self.backend.set_xmin(Some(snapshot.xmin));
            state.snapshot = Some(snapshot);
        }
    }

    /// The transaction has been given another's snapshot.
    pub(super) fn import_snapshot(&self, snapshot: Arc<TransactionSnapshot>) {
        self.backend.set_xmin(Some(snapshot.xmin));
        self.state.lock().snapshot = Some(snapshot);
    }

    /// The snapshot has been given up.
    pub(super) fn end_snapshot(&self) {
        self.backend.set_xmin(None);
        self.state.lock().snapshot = None;
    }

    /// The transaction's effects are there, or gone: its number is given back.
    pub(super) fn end_transaction_id(&self, committed: bool) {
        self.end_snapshot();
        self.cluster.exported_snapshots.forget(self.backend.pid);
        if let Some(number) = self.backend.transaction_id() {
            self.cluster.transaction_ids.finish(number, committed);
            self.backend.set_transaction_id(None);
        }
    }

    /// DISCARD SEQUENCES.
    pub(super) fn forget_sequences(&self) {
        let mut state = self.state.lock();
        state.drawn.clear();
        state.last = None;
    }

    /// The prepared statements and cursors, as their relations show them.
    pub(super) fn show(&self, prepared: Option<Vec<PreparedStatementRow>>, cursors: Option<Vec<CursorRow>>) {
        let mut state = self.state.lock();
        state.prepared = prepared.unwrap_or_else(|| std::mem::take(&mut state.prepared));
        state.cursors = cursors.unwrap_or_else(|| std::mem::take(&mut state.cursors));
    }

    fn sequence(&self, oid: Oid) -> Result<(Arc<Sequence>, String)> {
        let catalog = self.state.lock().catalog.clone().unwrap_or_else(|| self.database.catalog());
        let class = catalog.class(oid);
        let name = class.map_or_else(|| oid.to_string(), |class| class.relname.clone());
        match catalog.sequence(oid) {
            Some(sequence) => Ok((sequence, name)),
            None if catalog.class(oid).is_some() => {
                Err(error!(WRONG_OBJECT_TYPE, "\"{name}\" is not a sequence"))
            }
            None => Err(error!(UNDEFINED_TABLE, "could not open relation with OID {oid}")),
        }
    }

    /// The sequence, when the user has one of these privileges on it.
    fn allowed_sequence(&self, oid: Oid, any: Privileges) -> Result<(Arc<Sequence>, String)> {
        let (row, name) = self.sequence(oid)?;
        let (catalog, user) = {
            let state = self.state.lock();
            (state.catalog.clone().unwrap_or_else(|| self.database.catalog()), state.user)
        };
        // An identity column's own sequence goes with the right to insert into its table.
        let of_identity =
            || catalog.dependencies(relations::PG_CLASS, oid).iter().any(|row| row.deptype == INTERNAL);
        if catalog.has_class_privilege(user, oid, any)? == Some(true) || of_identity() {
            return Ok((row, name));
        }
        Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for sequence {name}"))
    }

    /// The highest number of a row in what has been committed of a table; 0 when it has none.
    fn highest_committed_row(&self, table: Oid) -> Result<i64> {
        let (mut connection, catalog) = self.database.begin_read()?;
        if catalog.class(table).is_none() {
            return Ok(0);
        }
        Table::new(&catalog, table)?.highest_row(&mut connection)
    }

    fn drawn(&self, sequence: Oid, value: i64, commit: u64) {
        let mut state = self.state.lock();
        state.drawn.insert(sequence, value);
        state.last = Some(sequence);
        state.sequence_commit = state.sequence_commit.max(commit);
    }
}

impl SessionServices for Services {
    fn database_size(&self, database: Oid) -> Result<i64> {
        self.cluster.database_size(database)
    }

    fn next_value(&self, sequence: Oid, _: &mut Connection) -> Result<i64> {
        let (row, name) = self.allowed_sequence(sequence, Privileges::USAGE.with(Privileges::UPDATE))?;
        // Who changes or restarts it is waited for, and waits for who has drawn from it.
        self.lock_relation(sequence, LockMode::RowExclusive)?;
        if let Some(value) = self.with_restarted(sequence, |restarted| restarted.next(&row, &name)) {
            let value = value?;
            self.drawn(sequence, value, 0);
            return Ok(value);
        }
        let (value, commit) = self.database.sequences.next(&row, &name)?;
        self.drawn(sequence, value, commit);
        Ok(value)
    }

    fn current_value(&self, sequence: Oid) -> Result<i64> {
        let (_, name) = self.allowed_sequence(sequence, Privileges::USAGE.with(Privileges::SELECT))?;
        self.state.lock().drawn.get(&sequence).copied().ok_or_else(|| {
            error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "currval of sequence \"{name}\" is not yet defined in this session"
            )
        })
    }

    fn last_value(&self) -> Result<i64> {
        let state = self.state.lock();
        let value = state.last.and_then(|sequence| state.drawn.get(&sequence).copied());
        value.ok_or_else(|| {
            error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "lastval is not yet defined in this session")
        })
    }

    fn set_value(&self, sequence: Oid, value: i64, is_called: bool, _: &mut Connection) -> Result<()> {
        let (row, name) = self.allowed_sequence(sequence, Privileges::UPDATE)?;
        self.lock_relation(sequence, LockMode::RowExclusive)?;
        check_bounds(&row, &name, value)?;
        let moved = self.with_restarted(sequence, |restarted| {
            (restarted.last_value, restarted.is_called) = (value, is_called);
        });
        let commit = match moved {
            Some(()) => 0,
            None => self.database.sequences.set(&row, &name, value, is_called)?,
        };
        let mut state = self.state.lock();
        if is_called {
            state.drawn.insert(sequence, value);
        }
        state.sequence_commit = state.sequence_commit.max(commit);
        Ok(())
    }

    fn sequence_position(&self, sequence: Oid) -> Result<(i64, bool)> {
        match self.restarted_position(sequence) {
            Some(own) => Ok(own),
            None => self.database.sequences.read(&self.sequence(sequence)?.0),
        }
    }

    fn restarted_position(&self, sequence: Oid) -> Option<(i64, bool)> {
        self.with_restarted(sequence, |restarted| (restarted.last_value, restarted.is_called))
    }

    fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        if channel.is_empty() {
            return Err(error!(INVALID_PARAMETER_VALUE, "channel name cannot be empty"));
        }
        if channel.len() > CHANNEL_BYTES_MAX {
            return Err(error!(INVALID_PARAMETER_VALUE, "channel name too long"));
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(error!(INVALID_PARAMETER_VALUE, "payload string too long"));
        }
        let message =
            Notification { pid: self.backend.pid, channel: channel.to_owned(), payload: payload.to_owned() };
        let mut state = self.state.lock();
        if state.notifications.len() >= NOTIFICATIONS_MAX {
            return Err(error!(PROGRAM_LIMIT_EXCEEDED, "too many notifications in the NOTIFY queue"));
        }
        if state.notified.insert(message.clone()) {
            state.notifications.push(message);
        }
        Ok(())
    }

    fn listening_channels(&self) -> Vec<String> {
        self.cluster.notifications.channels(self.backend.pid)
    }

    fn transaction_id(&self, assign: bool) -> Result<Option<u64>> {
        let present = self.backend.transaction_id();
        if present.is_some() || !assign {
            return Ok(present);
        }
        let number = self.cluster.transaction_ids.assign()?;
        self.backend.set_transaction_id(Some(number));
        Ok(Some(number))
    }

    fn export_snapshot(&self, exporter: Exporter) -> Result<String> {
        let (snapshot, commit) = {
            let state = self.state.lock();
            (state.snapshot.clone(), state.snapshot_commit)
        };
        let snapshot = snapshot.unwrap_or_else(|| self.cluster.transaction_ids.snapshot());
        // The snapshot of a statement may as well be a moment younger; that of a transaction is what it is.
        let same = |present| !exporter.keeps_snapshot || present == commit;
        let Some((connections, catalog)) = self.database.begin_reads(IMPORTERS_MAX, same)? else {
            return Err(error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot export a snapshot that is not the newest"
            )
            .detail("Another transaction has committed since the snapshot was taken.")
            .hint("Export the snapshot by the first query of the transaction."));
        };
        let snapshots = &self.cluster.exported_snapshots;
        let pid = self.backend.pid;
        let id = format!("{pid:08X}-{:08X}-{}", self.backend.local_transaction(), snapshots.count(pid) + 1);
        let exported = Exported {
            database: self.database.oid,
            pid,
            serializable: exporter.serializable,
            read_only: exporter.read_only,
            catalog,
            snapshot,
            connections,
        };
        snapshots.add(id.clone(), exported)?;
        Ok(id)
    }

    fn snapshot(&self) -> Arc<TransactionSnapshot> {
        let taken = self.state.lock().snapshot.clone();
        let snapshot = taken.unwrap_or_else(|| self.cluster.transaction_ids.snapshot());
        Arc::new(snapshot.seen_by(self.backend.transaction_id()))
    }

    fn lock_row(&self, relation: Oid, row: i64, strength: LockStrength, wait: LockWait) -> Result<bool> {
        match self.lock_number(relation, row, LockMode::of_row(strength), wait)? {
            RowAnswer::Locked => {
                self.record_locked(relation, row);
                Ok(true)
            }
            RowAnswer::Busy(..) if wait == LockWait::SkipLocked => Ok(false),
            RowAnswer::Busy(..) => {
                let catalog = self.state.lock().catalog.clone().unwrap_or_else(|| self.database.catalog());
                let name = catalog.class(relation).map(|class| class.relname.clone()).unwrap_or_default();
                Err(error!(LOCK_NOT_AVAILABLE, "could not obtain lock on row in relation \"{name}\""))
            }
        }
    }

    fn lock_relation(&self, relation: Oid, mode: LockMode) -> Result<()> {
        let tag = LockTag::Relation(self.database.oid, relation);
        if self.cluster.locks.try_acquire(&self.backend, tag, mode, Lifetime::Transaction) {
            return Ok(());
        }
        Err(self.to_be_awaited((tag, mode)))
    }

    fn lock_changed_row(&self, relation: Oid, row: i64, strength: LockStrength) -> Result<()> {
        self.lock_number(relation, row, LockMode::of_change(strength), LockWait::Block)?;
        self.record_locked(relation, row);
        Ok(())
    }

    fn await_changes_of_row(&self, relation: Oid, row: i64) -> Result<()> {
        let changing = self.cluster.locks.changing_row(&self.backend, self.database.oid, relation, row);
        changing.map_or(Ok(()), |tag| Err(self.to_be_awaited((tag, LockMode::RowLook))))
    }

    fn lock_key(&self, index: Oid, key: i64) -> Result<()> {
        let mode = LockMode::of_row(LockStrength::Update);
        self.lock_number(index, key, mode, LockWait::Block).map(drop)
    }

    fn begin_sequence(&self, sequence: Oid) -> Result<()> {
        self.depend_on_sequences(self.database.sequences.begin(sequence)?);
        Ok(())
    }

    fn next_row_number(&self, table: Oid, highest: &mut dyn FnMut() -> Result<i64>) -> Result<Option<i64>> {
        // What the transaction sees may lack rows that it has deleted and that will be there again if it is rolled back.
        let highest = || Ok(highest()?.max(self.highest_committed_row(table)?));
        self.database.row_numbers.next(table, highest).map(Some)
    }

    fn forget_row_numbers(&self, table: Oid) {
        self.database.row_numbers.forget(table);
    }

    fn remember_new_row(&self, table: Oid) {
        let mut state = self.state.lock();
        if !state.new_rows.contains(&table) {
            state.new_rows.push(table);
        }
    }

    fn logs_writes(&self) -> bool {
        self.state.lock().log.is_some()
    }

    fn log_write(&self, written: Written) {
        let mut state = self.state.lock();
        if state.log.as_mut().is_some_and(|log| !log.push(written)) {
            state.log = None;
        }
    }

    fn note_write(&self, written: Written) -> bool {
        let mut state = self.state.lock();
        state.log.as_mut().is_some_and(|log| log.note(written))
    }

    fn logged_writes(&self) -> usize {
        self.with_log(WriteLog::len).unwrap_or(0)
    }

    fn undo_writes(&self, kept: usize) {
        if let Some(log) = &mut self.state.lock().log {
            log.truncate(kept);
        }
    }

    fn prepared_statements(&self) -> Vec<PreparedStatementRow> {
        self.state.lock().prepared.clone()
    }

    fn cursors(&self) -> Vec<CursorRow> {
        self.state.lock().cursors.clone()
    }
}
