//! The values of sequences: given out in memory, never twice, and never waiting for a transaction.
//!
//! A sequence's progress is no part of transactions, so it is kept in a small file of its own beside the database. What
//! the file holds runs ahead of what has been given out by up to [`VALUES_AHEAD`] values, as in PostgreSQL's log: after
//! a crash the sequence goes on from there, with a gap but without a repetition. A transaction that has drawn a value
//! waits before its rows are written until the file is on disk so far ([`Sequences::flush_to`]): the two files get there
//! one without the other, and rows that nobody was told of may outlive a crash.
//!
//! Source: `src/backend/commands/sequence.c`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use storage::{Database as Store, Value};

use super::database::options;
use super::storage_error;
use crate::catalog::Sequence;
use crate::{Oid, Result, SqlError, error};

/// How many values the file runs ahead (`SEQ_LOG_VALS`).
const VALUES_AHEAD: u32 = 32;

/// Where a sequence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Progress {
    /// The last value given out, or the next one when `is_called` is false.
    last_value: i64,
    is_called: bool,
    /// How many more values may be given out before the file must be written.
    ahead: u32,
    /// By which rule these follow from each other. By another one, other values do, which the file does not cover.
    rule: Rule,
    /// The commit of the file that covers all values given out.
    commit: u64,
}

/// What decides which value comes after another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rule {
    increment: i64,
    min: i64,
    max: i64,
    cycle: bool,
}

impl Rule {
    fn of(sequence: &Sequence) -> Self {
        Self {
            increment: sequence.seqincrement,
            min: sequence.seqmin,
            max: sequence.seqmax,
            cycle: sequence.seqcycle,
        }
    }
}

/// A sequence that a transaction has restarted: what it draws until it ends is drawn from here, and is as if it had
/// never been when the transaction is rolled back (PostgreSQL gives the sequence a new file).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restarted {
    /// `pg_class.oid`.
    pub sequence: Oid,
    /// The last value given out, or the next one when `is_called` is false.
    pub last_value: i64,
    /// Whether `last_value` has been given out.
    pub is_called: bool,
}

impl Restarted {
    /// `nextval`.
    ///
    /// # Errors
    /// `2200H` when the sequence has reached its limit.
    pub fn next(&mut self, sequence: &Sequence, name: &str) -> Result<i64> {
        if self.is_called {
            self.last_value = step(sequence, name, self.last_value)?;
        }
        self.is_called = true;
        Ok(self.last_value)
    }
}

/// The sequences of one database.
pub struct Sequences {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Opened by the first use.
    store: Option<Arc<Store>>,
    progress: HashMap<Oid, Progress>,
    /// How far the file has been put ahead for transactions that are about to commit a restart.
    covered: HashMap<Oid, i64>,
}

impl Sequences {
    /// The sequences kept in this file.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, state: Mutex::default() }
    }

    /// `nextval`: the value, and the commit of the file that must be on disk before it is relied upon.
    ///
    /// # Errors
    /// `2200H` when the sequence has reached its limit; `42P01` when it is none.
    pub fn next(&self, sequence: &Sequence, name: &str) -> Result<(i64, u64)> {
        let mut state = self.state.lock();
        let present = state.progress(&self.path, sequence)?;
        let value =
            if present.is_called { step(sequence, name, present.last_value)? } else { present.last_value };
        let rule = Rule::of(sequence);
        let mut progress = Progress { last_value: value, is_called: true, rule, ..present };
        if present.ahead == 0 || !present.is_called || present.rule != rule {
            progress.ahead = VALUES_AHEAD;
            progress.commit = state.write(&self.path, sequence, ahead_of(sequence, value), true)?;
        } else {
            progress.ahead -= 1;
        }
        state.progress.insert(sequence.seqrelid, progress);
        Ok((value, progress.commit))
    }

    /// `setval`, and what ALTER SEQUENCE … RESTART does; the commit of the file to wait for.
    ///
    /// # Errors
    /// `22003` when the value is out of the sequence's bounds.
    pub fn set(&self, sequence: &Sequence, name: &str, value: i64, is_called: bool) -> Result<u64> {
        check_bounds(sequence, name, value)?;
        let mut state = self.state.lock();
        let commit = state.write(&self.path, sequence, value, is_called)?;
        let progress = Progress { last_value: value, is_called, ahead: 0, rule: Rule::of(sequence), commit };
        state.progress.insert(sequence.seqrelid, progress);
        Ok(commit)
    }

    /// Where a sequence stands: the last value, and whether it has been given out.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn read(&self, sequence: &Sequence) -> Result<(i64, bool)> {
        let progress = self.state.lock().progress(&self.path, sequence)?;
        Ok((progress.last_value, progress.is_called))
    }

    /// A sequence has been dropped.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn forget(&self, sequence: Oid) -> Result<()> {
        self.state.lock().remove(&self.path, sequence).map(drop)
    }

    /// A sequence is being made: forgets one that had its OID and whose making was lost with its transaction; the commit
    /// of the file that must be on disk before the new one can be.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn begin(&self, sequence: Oid) -> Result<u64> {
        let mut state = self.state.lock();
        if state.progress.contains_key(&sequence) || state.find(&self.path, sequence)?.is_some() {
            return state.remove(&self.path, sequence);
        }
        Ok(0)
    }

    /// A transaction that has restarted a sequence is about to commit: puts the file as far ahead as the transaction has
    /// drawn values, if it is not yet. Whether a crash then leaves the transaction's rows or those before them, none of
    /// their values is given out again. The commit of the file that must be on disk before. Nobody draws values meanwhile:
    /// the sequence is locked.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn cover(&self, sequence: &Sequence, restarted: &Restarted) -> Result<u64> {
        let mut state = self.state.lock();
        let present = state.progress(&self.path, sequence)?;
        let (kept, _) = state.find(&self.path, sequence.seqrelid)?.unwrap_or((present.last_value, false));
        if farther(sequence, kept, restarted.last_value) == kept {
            return Ok(present.commit);
        }
        state.progress.insert(sequence.seqrelid, present);
        state.covered.insert(sequence.seqrelid, restarted.last_value);
        state.write(&self.path, sequence, restarted.last_value, true)
    }

    /// As [`Self::read`], for a copy of the database: rows of a transaction that has just restarted the sequence may be in it.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn read_for_copy(&self, sequence: &Sequence) -> Result<(i64, bool)> {
        let (last_value, is_called) = self.read(sequence)?;
        match self.state.lock().covered.get(&sequence.seqrelid) {
            Some(covered) if farther(sequence, last_value, *covered) != last_value => Ok((*covered, true)),
            _ => Ok((last_value, is_called)),
        }
    }

    /// Lets sequences go on where a transaction that has restarted them has brought them; the commit of the file to
    /// wait for.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn restart(&self, restarted: &[Restarted]) -> Result<u64> {
        let mut state = self.state.lock();
        let store = state.store(&self.path)?;
        let rows: Vec<_> = restarted.iter().map(|r| (r.sequence, r.last_value, r.is_called)).collect();
        let commit = write_rows(&store, &rows)?;
        // What is in memory is read from the file again.
        for restarted in restarted {
            state.progress.remove(&restarted.sequence);
            state.covered.remove(&restarted.sequence);
        }
        Ok(commit)
    }

    /// Waits until the file is on disk up to this commit.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub async fn flush_to(&self, commit: u64) -> Result<()> {
        let store = self.state.lock().store.clone();
        match store {
            Some(store) if commit > 0 => store.flush_to(commit).await.map_err(storage_error),
            _ => Ok(()),
        }
    }

    /// Copies the log into the file as far as readers allow.
    pub(super) fn checkpoint(&self) -> storage::Result<()> {
        let store = self.state.lock().store.clone();
        store.map_or(Ok(()), |store| store.checkpoint().map(drop))
    }

    /// Brings to disk what the file has, on this thread.
    pub(super) fn flush_blocking(&self) {
        let store = self.state.lock().store.clone();
        if let Some(store) = store {
            store.flush_blocking();
        }
    }

    /// Writes how far each sequence has really come, and closes the file.
    pub(super) fn close(&self) -> Result<()> {
        let mut state = self.state.lock();
        let Some(store) = state.store.take() else { return Ok(()) };
        let rows: Vec<_> = state.progress.drain().map(|(oid, p)| (oid, p.last_value, p.is_called)).collect();
        write_rows(&store, &rows)?;
        store.close().map_err(storage_error)
    }
}

impl State {
    fn store(&mut self, path: &Path) -> Result<Arc<Store>> {
        if let Some(store) = &self.store {
            return Ok(store.clone());
        }
        let store = Store::open(path, options(true)).map_err(storage_error)?;
        let mut connection = store.connection().map_err(storage_error)?;
        let table = "CREATE TABLE IF NOT EXISTS sequences (oid INTEGER PRIMARY KEY, last_value INTEGER, is_called INTEGER) STRICT";
        connection.execute(table, &[]).map_err(storage_error)?;
        drop(connection);
        self.store = Some(store.clone());
        Ok(store)
    }

    fn progress(&mut self, path: &Path, sequence: &Sequence) -> Result<Progress> {
        if let Some(progress) = self.progress.get(&sequence.seqrelid) {
            return Ok(*progress);
        }
        let (last_value, is_called) =
            self.find(path, sequence.seqrelid)?.unwrap_or((sequence.seqstart, false));
        Ok(Progress { last_value, is_called, ahead: 0, rule: Rule::of(sequence), commit: 0 })
    }

    /// What the file says of a sequence.
    fn find(&mut self, path: &Path, sequence: Oid) -> Result<Option<(i64, bool)>> {
        let mut connection = self.store(path)?.connection().map_err(storage_error)?;
        let sql = "SELECT last_value, is_called FROM sequences WHERE oid = ?1";
        let rows = connection.query(sql, &[i64::from(sequence.0).into()]).map_err(storage_error)?;
        match rows.first().map(Vec::as_slice) {
            Some([Value::Integer(last_value), Value::Integer(is_called)]) => {
                Ok(Some((*last_value, *is_called != 0)))
            }
            Some(_) => Err(SqlError::internal("malformed row of a sequence")),
            None => Ok(None),
        }
    }

    fn remove(&mut self, path: &Path, sequence: Oid) -> Result<u64> {
        self.progress.remove(&sequence);
        self.covered.remove(&sequence);
        let store = self.store(path)?;
        let _lock = store.try_write_lock();
        let mut connection = store.connection().map_err(storage_error)?;
        connection.begin_write().map_err(storage_error)?;
        let row = [i64::from(sequence.0).into()];
        connection.execute("DELETE FROM sequences WHERE oid = ?1", &row).map_err(storage_error)?;
        connection.commit().map_err(storage_error)?;
        Ok(connection.last_commit())
    }

    fn write(&mut self, path: &Path, sequence: &Sequence, value: i64, is_called: bool) -> Result<u64> {
        write_rows(&self.store(path)?, &[(sequence.seqrelid, value, is_called)])
    }
}

/// Writes rows; the commit. The caller has the sequences to itself, so the write lock is free.
fn write_rows(store: &Arc<Store>, rows: &[(Oid, i64, bool)]) -> Result<u64> {
    let _lock = store.try_write_lock();
    let mut connection = store.connection().map_err(storage_error)?;
    connection.begin_write().map_err(storage_error)?;
    for (oid, value, is_called) in rows {
        let sql = "INSERT OR REPLACE INTO sequences VALUES (?1, ?2, ?3)";
        let row = [i64::from(oid.0).into(), (*value).into(), i64::from(*is_called).into()];
        connection.execute(sql, &row).map_err(storage_error)?;
    }
    connection.commit().map_err(storage_error)?;
    Ok(connection.last_commit())
}

/// Refuses a value for `setval`.
///
/// # Errors
/// `22003` when it is out of the sequence's bounds.
pub(crate) fn check_bounds(sequence: &Sequence, name: &str, value: i64) -> Result<()> {
    if (sequence.seqmin..=sequence.seqmax).contains(&value) {
        return Ok(());
    }
    Err(error!(
        NUMERIC_VALUE_OUT_OF_RANGE,
        "setval: value {value} is out of bounds for sequence \"{name}\" ({}..{})",
        sequence.seqmin,
        sequence.seqmax
    ))
}

/// Which of two values the sequence comes to later.
fn farther(sequence: &Sequence, one: i64, other: i64) -> i64 {
    if sequence.seqincrement > 0 { one.max(other) } else { one.min(other) }
}

/// The value after this one.
fn step(sequence: &Sequence, name: &str, value: i64) -> Result<i64> {
    let next = value.checked_add(sequence.seqincrement);
    if let Some(next) = next.filter(|next| (sequence.seqmin..=sequence.seqmax).contains(next)) {
        return Ok(next);
    }
    let up = sequence.seqincrement > 0;
    if sequence.seqcycle {
        return Ok(if up { sequence.seqmin } else { sequence.seqmax });
    }
    let (word, limit) = if up { ("maximum", sequence.seqmax) } else { ("minimum", sequence.seqmin) };
    Err(error!(
        SEQUENCE_GENERATOR_LIMIT_EXCEEDED,
        "nextval: reached {word} value of sequence \"{name}\" ({limit})"
    ))
}

/// The value that the file claims to have been given out when `value` is: so many steps on, within the bounds.
fn ahead_of(sequence: &Sequence, value: i64) -> i64 {
    let mut ahead = value;
    for _ in 0..VALUES_AHEAD {
        match step(sequence, "", ahead) {
            Ok(next) => ahead = next,
            Err(_) => break,
        }
    }
    ahead
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn sequence(min: i64, max: i64, increment: i64, cycle: bool) -> Sequence {
        Sequence {
            seqrelid: Oid(20000),
            seqtypid: Oid(20),
            seqstart: if increment > 0 { min } else { max },
            seqincrement: increment,
            seqmax: max,
            seqmin: min,
            seqcache: 1,
            seqcycle: cycle,
        }
    }

    #[test]
    fn values_end_or_begin_anew_at_the_limit() {
        let directory = tempfile::tempdir().unwrap();
        let sequences = Sequences::new(directory.path().join("s.sqlite"));
        let once = sequence(1, 3, 1, false);
        let drawn: Vec<_> = (0..3).map(|_| sequences.next(&once, "s").unwrap().0).collect();
        assert_eq!(drawn, [1, 2, 3]);
        assert!(sequences.next(&once, "s").is_err());
        let round = sequence(1, 3, 1, true);
        assert_eq!(sequences.next(&round, "s").unwrap().0, 1);
    }

    #[test]
    fn a_crash_leaves_a_gap_and_no_repetition() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sqlite");
        let plain = sequence(1, i64::MAX, 1, false);
        let crashed = Sequences::new(path.clone());
        let last = (0..40).map(|_| crashed.next(&plain, "s").unwrap().0).last().unwrap();
        drop(crashed);
        let after = Sequences::new(path.clone());
        let next = after.next(&plain, "s").unwrap().0;
        assert!(next > last && next <= last + i64::from(VALUES_AHEAD) + 1);
        after.close().unwrap();
        assert_eq!(Sequences::new(path).next(&plain, "s").unwrap().0, next + 1);
    }

    #[test]
    fn a_crash_after_a_change_of_the_rule_leaves_no_repetition() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sqlite");
        let changes = [(sequence(1, 100, 1, false), sequence(1, 100, 2, false)), {
            // The file cannot run ahead of the limit, which is then raised.
            (sequence(1, 5, 1, false), sequence(1, 1000, 1, false))
        }];
        for (before, after) in changes {
            let crashed = Sequences::new(path.clone());
            crashed.next(&before, "s").unwrap();
            let last = (0..20).map(|_| crashed.next(&after, "s").unwrap().0).last().unwrap();
            drop(crashed);
            let restarted = Sequences::new(path.clone());
            assert!(restarted.next(&after, "s").unwrap().0 > last);
            restarted.forget(after.seqrelid).unwrap();
        }
    }

    #[test]
    fn a_crash_between_a_commit_and_its_restart_leaves_no_repetition() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sqlite");
        let plain = sequence(1, 1000, 1, false);
        for (drawn, restarted_at) in [(2, 100), (200, 5)] {
            let crashed = Sequences::new(path.clone());
            let before = (0..drawn).map(|_| crashed.next(&plain, "s").unwrap().0).last().unwrap();
            let restarted = Restarted { sequence: plain.seqrelid, last_value: restarted_at, is_called: true };
            assert!(crashed.cover(&plain, &restarted).unwrap() > 0);
            assert_eq!(crashed.read(&plain).unwrap(), (before, true), "it has not been restarted yet");
            assert_eq!(crashed.read_for_copy(&plain).unwrap().0, before.max(restarted_at));
            drop(crashed);
            let after = Sequences::new(path.clone());
            assert!(after.next(&plain, "s").unwrap().0 > before.max(restarted_at));
            after.restart(&[restarted]).unwrap();
            assert_eq!(after.next(&plain, "s").unwrap().0, restarted_at + 1);
            after.forget(plain.seqrelid).unwrap();
        }
    }

    #[test]
    fn a_new_sequence_takes_nothing_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s.sqlite");
        let plain = sequence(1, 100, 1, false);
        let first = Sequences::new(path.clone());
        assert_eq!(first.begin(plain.seqrelid).unwrap(), 0);
        first.set(&plain, "s", 50, true).unwrap();
        first.close().unwrap();
        let second = Sequences::new(path);
        assert!(second.begin(plain.seqrelid).unwrap() > 0);
        assert_eq!(second.next(&plain, "s").unwrap().0, 1);
        assert!(second.begin(plain.seqrelid).unwrap() > 0);
        assert_eq!(second.next(&plain, "s").unwrap().0, 1);
    }

    #[test]
    fn setval_moves_it() {
        let directory = tempfile::tempdir().unwrap();
        let sequences = Sequences::new(directory.path().join("s.sqlite"));
        let plain = sequence(1, 100, 1, false);
        sequences.set(&plain, "s", 50, false).unwrap();
        assert_eq!(sequences.next(&plain, "s").unwrap().0, 50);
        assert_eq!(sequences.next(&plain, "s").unwrap().0, 51);
        let error = sequences.set(&plain, "s", 101, true).unwrap_err();
        assert_eq!(error.message(), "setval: value 101 is out of bounds for sequence \"s\" (1..100)");
    }
}
