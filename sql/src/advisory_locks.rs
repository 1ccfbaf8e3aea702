//! Advisory locks: locks that clients take by number and that mean what clients agree on.
//!
//! A lock is held by a backend (a pid) for its session or for its transaction, shared or exclusively, any number of
//! times. Waiting is bounded by cancel and terminate requests, and a wait that would close a circle is refused (40P01).
//! The owner calls [`AdvisoryLocks::release_transaction`] at each transaction's end and
//! [`AdvisoryLocks::release_session`] at its own.
//!
//! Source: `src/backend/utils/adt/lockfuncs.c`; manual, "Advisory Locks".

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::cluster::LockRow;
use crate::{Oid, Result, SqlError, SqlState};

/// How long a waiter sleeps at most before it looks for a cancel request: the bound of a cancel's delay.
const INTERRUPT_CHECK: Duration = Duration::from_millis(5);

/// The number of a lock in its database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AdvisoryKey {
    /// `pg_advisory_lock(bigint)`.
    Wide(i64),
    /// `pg_advisory_lock(int, int)`: a space of its own.
    Pair(i32, i32),
}

/// How a lock is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AdvisoryMode {
    /// Whether others may share it.
    pub shared: bool,
    /// Whether it goes with the transaction rather than with the session.
    pub transaction: bool,
}

type LockName = (Oid, AdvisoryKey);

/// The locks of a transaction, by name and whether they are shared, with how often each has been taken.
pub type TransactionLocks = HashMap<(LockName, bool), u32>;

#[derive(Default)]
struct Table {
    /// For each lock who holds it, how, and how often.
    held: HashMap<LockName, HashMap<(i32, AdvisoryMode), u32>>,
    /// What each waiting backend waits for, and since when.
    waits: HashMap<i32, (LockName, AdvisoryMode, i64)>,
}

/// All advisory locks of a cluster.
#[derive(Default)]
pub struct AdvisoryLocks {
    table: Mutex<Table>,
    released: Condvar,
}

impl AdvisoryLocks {
    /// Takes a lock if that needs no waiting; whether it did.
    pub fn try_lock(&self, database: Oid, key: AdvisoryKey, pid: i32, mode: AdvisoryMode) -> bool {
        self.table.lock().acquire((database, key), pid, mode)
    }

    /// Takes a lock, waiting for it. `now` is the moment, for `pg_locks`; `interrupted` is asked again and again while
    /// waiting and ends the wait with its error.
    ///
    /// # Errors
    /// `40P01` when the wait would close a circle; what `interrupted` returns.
    pub fn lock(
        &self,
        database: Oid,
        key: AdvisoryKey,
        pid: i32,
        mode: AdvisoryMode,
        now: i64,
        interrupted: impl Fn() -> Result<()>,
    ) -> Result<()> {
        let name = (database, key);
        let mut table = self.table.lock();
        let outcome = loop {
            if table.acquire(name, pid, mode) {
                break Ok(());
            }
            table.waits.insert(pid, (name, mode, now));
            if table.waits_for_itself(pid) {
                break Err(SqlError::new(SqlState::T_R_DEADLOCK_DETECTED, "deadlock detected")
                    .hint("See server log for query details."));
            }
            if let Err(error) = interrupted() {
                break Err(error);
            }
            self.released.wait_for(&mut table, INTERRUPT_CHECK);
        };
        table.waits.remove(&pid);
        outcome
    }

    /// Gives a session's lock back once; whether it was held.
    pub fn unlock(&self, database: Oid, key: AdvisoryKey, pid: i32, shared: bool) -> bool {
        let mut table = self.table.lock();
        let name = (database, key);
        let mode = AdvisoryMode { shared, transaction: false };
        let Some(holders) = table.held.get_mut(&name) else { return false };
        let Some(count) = holders.get_mut(&(pid, mode)) else { return false };
        *count -= 1;
        if *count == 0 {
            holders.remove(&(pid, mode));
        }
        if holders.is_empty() {
            table.held.remove(&name);
        }
        self.released.notify_all();
        true
    }

    /// What a backend's transaction holds at this moment.
    pub fn of_transaction(&self, pid: i32) -> TransactionLocks {
        let table = self.table.lock();
        let mut locks = TransactionLocks::new();
        for (name, holders) in &table.held {
            for ((_, mode), count) in
                holders.iter().filter(|((holder, mode), _)| *holder == pid && mode.transaction)
            {
                locks.insert((*name, mode.shared), *count);
            }
        }
        locks
    }

    /// Gives back what a backend's transaction has taken since it held these.
    pub fn release_since(&self, pid: i32, kept: &TransactionLocks) {
        let mut table = self.table.lock();
        for (name, holders) in &mut table.held {
            holders.retain(|(holder, mode), count| {
                if *holder != pid || !mode.transaction {
                    return true;
                }
                let before = kept.get(&(*name, mode.shared)).copied().unwrap_or(0);
                *count = (*count).min(before);
                *count > 0
            });
        }
        table.held.retain(|_, holders| !holders.is_empty());
        self.released.notify_all();
    }

    /// Gives back what a backend's transaction has taken.
    pub fn release_transaction(&self, pid: i32) {
        self.release(pid, |mode| mode.transaction);
    }

    /// Gives back what a backend's session has taken outside transactions (`pg_advisory_unlock_all`).
    pub fn release_session(&self, pid: i32) {
        self.release(pid, |mode| !mode.transaction);
    }

    fn release(&self, pid: i32, which: impl Fn(&AdvisoryMode) -> bool) {
        let mut table = self.table.lock();
        table.held.retain(|_, holders| {
            holders.retain(|(holder, mode), _| *holder != pid || !which(mode));
            !holders.is_empty()
        });
        self.released.notify_all();
    }

    /// The pids that keep a backend waiting.
    pub fn blockers(&self, pid: i32) -> Vec<i32> {
        let mut blockers: Vec<i32> = self.table.lock().blockers(pid).into_iter().collect();
        blockers.sort_unstable();
        blockers
    }

    /// The rows of `pg_locks`.
    pub fn rows(&self) -> Vec<LockRow> {
        let table = self.table.lock();
        let mut rows: Vec<LockRow> = Vec::new();
        for (name, holders) in &table.held {
            let seen: HashSet<(i32, bool)> = holders.keys().map(|(pid, mode)| (*pid, mode.shared)).collect();
            rows.extend(seen.into_iter().map(|(pid, shared)| lock_row(*name, pid, shared, None)));
        }
        rows.extend(
            table
                .waits
                .iter()
                .map(|(pid, (name, mode, since))| lock_row(*name, *pid, mode.shared, Some(*since))),
        );
        rows.sort_by_key(|row| (row.pid, row.classid, row.objid));
        rows
    }
}

impl Table {
    fn acquire(&mut self, name: LockName, pid: i32, mode: AdvisoryMode) -> bool {
        if !self.conflicts(name, pid, mode).is_empty() {
            return false;
        }
        *self.held.entry(name).or_default().entry((pid, mode)).or_default() += 1;
        true
    }

    fn conflicts(&self, name: LockName, pid: i32, mode: AdvisoryMode) -> HashSet<i32> {
        let Some(holders) = self.held.get(&name) else { return HashSet::new() };
        holders
            .keys()
            .filter(|(holder, held)| *holder != pid && !(held.shared && mode.shared))
            .map(|(holder, _)| *holder)
            .collect()
    }

    fn blockers(&self, pid: i32) -> HashSet<i32> {
        self.waits.get(&pid).map(|(name, mode, _)| self.conflicts(*name, pid, *mode)).unwrap_or_default()
    }

    fn waits_for_itself(&self, pid: i32) -> bool {
        let (mut seen, mut open) = (HashSet::new(), vec![pid]);
        while let Some(current) = open.pop() {
            for blocker in self.blockers(current) {
                if blocker == pid {
                    return true;
                }
                if seen.insert(blocker) {
                    open.push(blocker);
                }
            }
        }
        false
    }
}

fn lock_row((database, key): LockName, pid: i32, shared: bool, waiting_since: Option<i64>) -> LockRow {
    let (classid, objid, objsubid) = match key {
        AdvisoryKey::Wide(number) => ((number >> 32) as u32, number as u32, 1),
        AdvisoryKey::Pair(first, second) => (first as u32, second as u32, 2),
    };
    LockRow {
        locktype: "advisory",
        database: Some(database),
        classid: Some(classid),
        objid: Some(objid),
        objsubid: Some(objsubid),
        pid,
        mode: if shared { "ShareLock" } else { "ExclusiveLock" },
        granted: waiting_since.is_none(),
        waitstart: waiting_since,
        ..LockRow::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SESSION: AdvisoryMode = AdvisoryMode { shared: false, transaction: false };
    const SHARED: AdvisoryMode = AdvisoryMode { shared: true, transaction: false };

    #[test]
    fn a_lock_is_given_back_as_often_as_it_was_taken() {
        let locks = AdvisoryLocks::default();
        let (database, key) = (Oid(5), AdvisoryKey::Wide(1));
        assert!(locks.try_lock(database, key, 1, SESSION));
        assert!(locks.try_lock(database, key, 1, SESSION));
        assert!(!locks.try_lock(database, key, 2, SHARED));
        assert!(locks.unlock(database, key, 1, false));
        assert!(!locks.try_lock(database, key, 2, SHARED));
        assert!(locks.unlock(database, key, 1, false));
        assert!(!locks.unlock(database, key, 1, false));
        assert!(locks.try_lock(database, key, 2, SHARED) && locks.try_lock(database, key, 3, SHARED));
        assert!(locks.try_lock(database, AdvisoryKey::Pair(0, 1), 1, SESSION));
    }

    #[test]
    fn a_circle_of_waiters_is_refused() {
        let locks = std::sync::Arc::new(AdvisoryLocks::default());
        let (database, a, b) = (Oid(5), AdvisoryKey::Wide(1), AdvisoryKey::Wide(2));
        assert!(locks.try_lock(database, a, 1, SESSION) && locks.try_lock(database, b, 2, SESSION));
        let other = locks.clone();
        let waiter = std::thread::spawn(move || other.lock(database, b, 1, SESSION, 0, || Ok(())));
        while locks.blockers(1).is_empty() {
            std::thread::yield_now();
        }
        let error = locks.lock(database, a, 2, SESSION, 0, || Ok(())).unwrap_err();
        assert_eq!(error.code(), SqlState::T_R_DEADLOCK_DETECTED);
        locks.release_session(2);
        assert!(waiter.join().unwrap().is_ok());
    }
}
