//! The numbers of transactions: one counter for the whole cluster, and what is known of how each has ended.
//!
//! A transaction gets its number when it begins to write, or when it asks for it. Numbers never come twice, whatever
//! happens to the machine: the counter's file says up to where numbers *may* have been given out, which is up to
//! [`NUMBERS_AHEAD`] further than they have been, and is flushed before any of them is used. A crash leaves a gap, a
//! clean end none. The file is written again, by a thread of its own, when half of the numbers are used up, so that
//! giving one out costs a lock and an addition.
//!
//! How a transaction has ended is remembered for those of this run of the server: running ones are listed, of those
//! that have ended the aborted ones, at most [`ABORTED_KEPT_MAX`]. Of older ones nothing is known, as in PostgreSQL of
//! transactions whose status has been truncated away.
//!
//! Source: `src/backend/access/transam/varsup.c`, `procarray.c`, `src/backend/utils/adt/xid8funcs.c`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use storage::{Database as Store, Value};

use super::database::options;
use super::storage_error;
use crate::{Result, SqlError};

/// The first number of a transaction (`FirstNormalTransactionId`).
const FIRST_NUMBER: u64 = 3;
/// How many numbers the file runs ahead.
const NUMBERS_AHEAD: u64 = 1 << 14;
/// How many aborted transactions are remembered.
const ABORTED_KEPT_MAX: usize = 1 << 16;

/// Which transactions had ended at a moment: those below `xmin`, and those below `xmax` that are not `running`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionSnapshot {
    /// The lowest number of those running.
    pub xmin: u64,
    /// The number after the highest of those that had ended.
    pub xmax: u64,
    /// Those below `xmax` that were running, in order.
    pub running: Vec<u64>,
}

impl TransactionSnapshot {
    /// The same for a transaction that sees its own changes: its number keeps `xmin` back, but is not among those
    /// running (`GetSnapshotData`).
    #[must_use]
    pub fn seen_by(&self, own: Option<u64>) -> Self {
        let running = self.running.iter().copied().filter(|number| Some(*number) != own).collect();
        Self { running, ..self.clone() }
    }
}

/// How a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// It has not ended.
    InProgress,
    /// Its effects are there to stay.
    Committed,
    /// It has left none.
    Aborted,
    /// It is older than what is remembered.
    Forgotten,
    /// No such number has been given out.
    Future,
}

/// The counter of a cluster.
pub struct TransactionIds {
    store: Arc<Store>,
    state: Mutex<State>,
    /// Held by whoever writes the file and says in `state` what it has written: limits come in their order. Taken before
    /// `state`, which nobody keeps while the disk is waited for.
    writing: Mutex<()>,
    /// Whether a thread is writing the file.
    reserving: AtomicBool,
}

struct State {
    next: u64,
    /// Numbers below this may be given out.
    reserved: u64,
    running: BTreeSet<u64>,
    /// The highest number of those that have ended.
    latest_ended: u64,
    aborted: BTreeSet<u64>,
    /// Nothing is remembered of transactions below this.
    remembered_from: u64,
    /// Made anew when a transaction ends.
    snapshot: Arc<TransactionSnapshot>,
}

impl State {
    fn new(next: u64) -> Self {
        let snapshot = Arc::new(TransactionSnapshot { xmin: next, xmax: next, running: Vec::new() });
        let (running, aborted) = (BTreeSet::new(), BTreeSet::new());
        let latest_ended = next - 1;
        Self { next, reserved: next, running, latest_ended, aborted, remembered_from: next, snapshot }
    }

    /// Whether it is time to reserve more numbers.
    fn is_half_used(&self) -> bool {
        self.reserved - self.next < NUMBERS_AHEAD / 2
    }

    fn refresh(&mut self) {
        let xmax = self.latest_ended + 1;
        let running: Vec<u64> = self.running.range(..xmax).copied().collect();
        let xmin = running.first().copied().unwrap_or(xmax);
        self.snapshot = Arc::new(TransactionSnapshot { xmin, xmax, running });
    }
}

impl TransactionIds {
    /// Opens the counter of a data directory, making it when it is missing.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn open(directory: &Path) -> Result<Self> {
        let path: PathBuf = directory.join("transactions.sqlite");
        let store = Store::open(&path, options(true)).map_err(storage_error)?;
        let mut connection = store.connection().map_err(storage_error)?;
        let table = "CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER) STRICT";
        connection.execute(table, &[]).map_err(storage_error)?;
        let rows =
            connection.query("SELECT value FROM counter WHERE name = 'next'", &[]).map_err(storage_error)?;
        let next = match rows.first().map(Vec::as_slice) {
            None => FIRST_NUMBER,
            Some([Value::Integer(next)]) => next.cast_unsigned(),
            Some(_) => return Err(SqlError::internal("malformed counter of transactions")),
        };
        drop(connection);
        let state = Mutex::new(State::new(next));
        Ok(Self { store, state, writing: Mutex::default(), reserving: AtomicBool::new(false) })
    }

    /// A number for a transaction, which is running from now on.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn assign(self: &Arc<Self>) -> Result<u64> {
        let mut state = self.state.lock();
        while state.next >= state.reserved {
            // Only the first of a run waits here: the thread comes long before the last of those reserved.
            drop(state);
            self.reserve()?;
            state = self.state.lock();
        }
        let number = state.next;
        state.next += 1;
        state.running.insert(number);
        let half_used = state.is_half_used();
        drop(state);
        if half_used && !self.reserving.swap(true, Ordering::SeqCst) {
            self.reserve_elsewhere();
        }
        Ok(number)
    }

    /// A transaction has ended; to be called after its effects are there, or gone.
    pub fn finish(&self, number: u64, committed: bool) {
        let mut state = self.state.lock();
        if !state.running.remove(&number) {
            return;
        }
        state.latest_ended = state.latest_ended.max(number);
        if !committed {
            state.aborted.insert(number);
            if state.aborted.len() > ABORTED_KEPT_MAX
                && let Some(oldest) = state.aborted.pop_first()
            {
                state.remembered_from = oldest + 1;
            }
        }
        state.refresh();
    }

    /// Which transactions have ended. Effects of those that have are visible to whoever looks after this.
    pub fn snapshot(&self) -> Arc<TransactionSnapshot> {
        self.state.lock().snapshot.clone()
    }

    /// The next number to be given out.
    pub fn next(&self) -> u64 {
        self.state.lock().next
    }

    /// How a transaction stands.
    pub fn status(&self, number: u64) -> TransactionStatus {
        let state = self.state.lock();
        if number >= state.next {
            TransactionStatus::Future
        } else if (1..FIRST_NUMBER).contains(&number) {
            // Bootstrap and frozen ones.
            TransactionStatus::Committed
        } else if state.running.contains(&number) {
            TransactionStatus::InProgress
        } else if number < state.remembered_from {
            TransactionStatus::Forgotten
        } else if state.aborted.contains(&number) {
            TransactionStatus::Aborted
        } else {
            TransactionStatus::Committed
        }
    }

    /// Writes how far the counter has really come, and closes the file.
    pub(super) fn close(&self) -> Result<()> {
        let _alone = self.writing.lock();
        let next = {
            let mut state = self.state.lock();
            state.reserved = state.next;
            state.next
        };
        let written = self.write("excluded.value", next);
        written.and(self.store.close().map_err(storage_error))
    }

    /// Writes a counter into another data directory that goes on where this one is. Whatever of this cluster has been
    /// copied there before has lower numbers.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn copy_into(&self, directory: &Path) -> Result<()> {
        let copy = Self::open(directory)?;
        *copy.state.lock() = State::new(self.next());
        copy.close()
    }

    /// Makes sure on disk that further numbers may be given out, unless someone has just done so.
    fn reserve(&self) -> Result<()> {
        let _alone = self.writing.lock();
        let next = {
            let state = self.state.lock();
            if !state.is_half_used() {
                return Ok(());
            }
            state.next
        };
        let limit = next + NUMBERS_AHEAD;
        self.write("max(value, excluded.value)", limit)?;
        let mut state = self.state.lock();
        state.reserved = state.reserved.max(limit);
        Ok(())
    }

    /// Writes the file, on disk when this returns; `value` says what becomes of the value that is there.
    fn write(&self, value: &str, next: u64) -> Result<()> {
        let _lock = self.store.write_lock_blocking();
        let mut connection = self.store.connection().map_err(storage_error)?;
        let sql = format!(
            "INSERT INTO counter VALUES ('next', ?1) ON CONFLICT (name) DO UPDATE SET value = {value}"
        );
        connection.execute(&sql, &[next.cast_signed().into()]).map_err(storage_error)?;
        drop(connection);
        self.store.flush_blocking();
        Ok(())
    }

    fn reserve_elsewhere(self: &Arc<Self>) {
        let ids = self.clone();
        let run = move || {
            if let Err(error) = ids.reserve() {
                tracing::error!(%error, "the counter of transactions could not be written");
            }
            ids.reserving.store(false, Ordering::SeqCst);
        };
        if let Err(error) = std::thread::Builder::new().name("transaction ids".to_owned()).spawn(run) {
            tracing::warn!(%error, "no thread for the counter of transactions");
            self.reserving.store(false, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_after_a_clean_end_and_leave_a_gap_after_a_crash() {
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        assert_eq!([ids.assign().unwrap(), ids.assign().unwrap()], [3, 4]);
        ids.close().unwrap();
        drop(ids);
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        assert_eq!(ids.assign().unwrap(), 5);
        drop(ids);
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        let next = ids.assign().unwrap();
        assert!(next > 5 && next <= 5 + NUMBERS_AHEAD);
    }

    #[test]
    fn numbers_do_not_stop_at_those_reserved() {
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        for _ in 0..3 * NUMBERS_AHEAD {
            let number = ids.assign().unwrap();
            ids.finish(number, true);
        }
        assert_eq!(ids.next(), FIRST_NUMBER + 3 * NUMBERS_AHEAD);
        end(ids);
    }

    /// Waits for threads that still write the file: its directory goes with the test.
    fn end(ids: Arc<TransactionIds>) {
        while Arc::strong_count(&ids) > 1 {
            std::thread::yield_now();
        }
    }

    /// What the file says.
    fn written(ids: &TransactionIds) -> i64 {
        let rows = ids.store.connection().unwrap().query("SELECT value FROM counter", &[]).unwrap();
        match rows[0][0] {
            Value::Integer(value) => value,
            _ => panic!("no number"),
        }
    }

    #[test]
    fn the_written_limit_never_goes_back_while_numbers_are_used() {
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        ids.assign().unwrap();
        let limit = written(&ids);
        // One that comes late finds nothing to do, and one that would write less leaves what is there.
        ids.reserve().unwrap();
        ids.write("max(value, excluded.value)", FIRST_NUMBER).unwrap();
        assert_eq!(written(&ids), limit);
        assert_eq!(limit.cast_unsigned(), ids.state.lock().reserved);
    }

    #[test]
    fn many_threads_get_each_number_once() {
        const EACH: u64 = NUMBERS_AHEAD;
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        let number = ids.assign().unwrap();
                        ids.finish(number, true);
                    }
                });
            }
        });
        assert_eq!(ids.next(), FIRST_NUMBER + 3 * EACH);
        assert!(written(&ids).cast_unsigned() >= ids.next());
        end(ids);
    }

    #[test]
    fn a_copy_goes_on_where_the_counter_is() {
        let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let ids = Arc::new(TransactionIds::open(directories[0].path()).unwrap());
        let drawn: Vec<_> = (0..5).map(|_| ids.assign().unwrap()).collect();
        let last = drawn[4];
        ids.copy_into(directories[1].path()).unwrap();
        let copy = Arc::new(TransactionIds::open(directories[1].path()).unwrap());
        assert_eq!(copy.assign().unwrap(), last + 1);
    }

    #[test]
    fn a_snapshot_lists_who_is_running() {
        let directory = tempfile::tempdir().unwrap();
        let ids = Arc::new(TransactionIds::open(directory.path()).unwrap());
        let [first, second, third] = [(); 3].map(|()| ids.assign().unwrap());
        ids.finish(second, true);
        let snapshot = ids.snapshot();
        // The third has not ended, so it is beyond the snapshot.
        assert_eq!((snapshot.xmin, snapshot.xmax), (first, third));
        assert_eq!(snapshot.running, [first]);
        assert!(snapshot.seen_by(Some(first)).running.is_empty());
        ids.finish(third, false);
        assert_eq!((ids.snapshot().xmin, ids.snapshot().xmax), (first, third + 1));
        let status = [first, second, third, third + 1, 2].map(|number| ids.status(number));
        use TransactionStatus::*;
        assert_eq!(status, [InProgress, Committed, Aborted, Future, Committed]);
    }
}
