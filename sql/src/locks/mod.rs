//! The lock manager: the right to write, tables, rows, advisory locks, all in one, so that every circle of waiters is
//! seen whatever its members wait for.
//!
//! | file | what |
//! |---|---|
//! | `mode`, `tag` | how something is locked, and what |
//! | `table` | who holds what and who waits for whom: a plain value |
//! | `owner` | what a backend notes down by itself |
//! | `wait` | waiting: fair, interruptible, bounded, with the search for deadlocks |
//! | `view` | `pg_locks`, `pg_blocking_pids` |
//!
//! A backend's life with locks: [`LockManager::acquire`] and its kin as statements need them; a savepoint's end is told by
//! [`LockManager::set_level`] and [`LockManager::roll_back_to`]; [`LockManager::release_transaction`] comes after the
//! engine's commit or rollback, so that whoever is granted something sees what its holder has done.
//!
//! *Order.* Statements take locks on tables first, then the right to write, then rows. Commands take the right to write
//! first: only with it do they know which tables they come upon. Rows alone are locked without the right to write, so that
//! workers that claim jobs run side by side. A writer that meets a row which another has locked gives the right to write
//! back while it waits, in the middle of a statement or at the end of its transaction, and so does a command that meets a
//! locked table; what the transaction has changed already is set aside meanwhile (`session/aside.rs`, `session/command.rs`).
//! One that cannot be set aside keeps it; then the two may wait for each other, and one of them is told so (40P01).
//!
//! *Weak locks.* What ordinary statements take on tables excludes none of its kind. While nobody wants a stronger lock on
//! a table, such a lock is a line in its owner's own list; who wants a stronger one announces it in [`LockManager::strong`]
//! and then moves those lines into the table. Both sides look after they have spoken, so one of the two sees the other.
//!
//! *Many rows.* A transaction that has locked [`ROWS_MAX`] rows of a table locks all of them instead; to others every
//! row of that table then looks locked.
//!
//! Source: `src/backend/storage/lmgr/README`.

mod mode;
mod owner;
mod table;
mod tag;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests;
mod ticket;
mod view;
mod wait;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use parking_lot::Mutex;

pub use mode::LockMode;
pub use owner::LockOwner;
pub use table::Lifetime;
pub use tag::{AdvisoryKey, LockTag};
pub use wait::Patience;

use crate::Oid;
use crate::backend::{Backend, BackendTable};
use crate::bound::LockStrength;
use crate::cluster::RowChanges;
use owner::{WEAK_MAX, Weak};
use table::{HadBefore, Outcome, Request, Table};

/// How many rows of one table a transaction locks one by one; beyond that it locks all of them.
const ROWS_MAX: u32 = 10_000;
/// How many counters the announcements of strong locks are spread over.
const STRONG_COUNTERS: usize = 256;

/// All locks of a cluster.
pub struct LockManager {
    backends: Arc<BackendTable>,
    table: Mutex<Table>,
    /// How many strong locks on relations are held or awaited, by [`strong_counter`].
    strong: [AtomicU32; STRONG_COUNTERS],
}

/// What became of a request for a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowAnswer {
    /// The row is locked.
    Locked,
    /// Another transaction is in the way; this is what to wait for.
    Busy(LockTag, LockMode),
}

fn strong_counter(relation: Oid) -> usize {
    relation.0 as usize % STRONG_COUNTERS
}

impl LockManager {
    /// A manager for these backends, without locks.
    pub fn new(backends: Arc<BackendTable>) -> Self {
        Self { backends, table: Mutex::default(), strong: std::array::from_fn(|_| AtomicU32::new(0)) }
    }

    /// Takes a lock if that needs no waiting; whether it did.
    pub fn try_acquire(&self, owner: &Backend, tag: LockTag, mode: LockMode, lifetime: Lifetime) -> bool {
        self.note_weak(owner, tag, mode)
            || matches!(self.request(owner, tag, mode, lifetime, None), Outcome::Granted(_))
    }

    /// Takes a weak lock on a relation without asking anybody, if nobody wants a strong one; whether it did.
    fn note_weak(&self, owner: &Backend, tag: LockTag, mode: LockMode) -> bool {
        let LockTag::Relation(_, relation) = tag else { return false };
        if !mode.is_weak() {
            return false;
        }
        let mut weak = owner.locks.weak.lock();
        if weak.iter().any(|held| held.relation == relation && held.mode == mode) {
            return true;
        }
        let level = owner.locks.level.load(Ordering::Relaxed);
        let free = self.strong[strong_counter(relation)].load(Ordering::SeqCst) == 0;
        if free && weak.len() < WEAK_MAX {
            weak.push(Weak { relation, mode, level });
            return true;
        }
        false
    }

    fn request(
        &self,
        owner: &Backend,
        tag: LockTag,
        mode: LockMode,
        lifetime: Lifetime,
        wait: Option<i64>,
    ) -> Outcome {
        owner.locks.known.store(true, Ordering::SeqCst);
        // The right to write goes with the engine's transaction, which savepoints do not end.
        let level = match tag {
            LockTag::Writer(_) => 0,
            _ => owner.locks.level.load(Ordering::Relaxed),
        };
        let request = Request { pid: owner.pid, tag, mode, lifetime, level };
        let LockTag::Relation(database, relation) = tag else {
            return self.table.lock().request(request, wait);
        };
        if !mode.excludes_weak() {
            return self.table.lock().request(request, wait);
        }
        let counter = &self.strong[strong_counter(relation)];
        counter.fetch_add(1, Ordering::SeqCst);
        let backends = self.backends.all();
        let mut table = self.table.lock();
        for backend in backends {
            self.move_weak(&mut table, &backend, database, relation);
        }
        let outcome = table.request(request, wait);
        if matches!(outcome, Outcome::Granted(HadBefore::Same) | Outcome::Refused) {
            counter.fetch_sub(1, Ordering::SeqCst);
        }
        outcome
    }

    /// Moves a backend's weak locks on a relation into the table.
    fn move_weak(&self, table: &mut Table, backend: &Backend, database: Oid, relation: Oid) {
        let mut weak = backend.locks.weak.lock();
        if !weak.iter().any(|held| held.relation == relation) || backend.database() != database {
            return;
        }
        backend.locks.known.store(true, Ordering::SeqCst);
        weak.retain(|held| {
            if held.relation != relation {
                return true;
            }
            table.grant(Request {
                pid: backend.pid,
                tag: LockTag::Relation(database, relation),
                mode: held.mode,
                lifetime: Lifetime::Transaction,
                level: held.level,
            });
            false
        });
    }

    /// Does something to the table and counts strong locks that have gone.
    fn change<R>(&self, deed: impl FnOnce(&mut Table) -> R) -> R {
        let mut table = self.table.lock();
        let result = deed(&mut table);
        for tag in table.strong_gone.drain(..) {
            if let LockTag::Relation(_, relation) = tag {
                self.strong[strong_counter(relation)].fetch_sub(1, Ordering::SeqCst);
            }
        }
        result
    }

    /// Locks a row for the transaction if nobody is in the way.
    pub fn lock_row(
        &self,
        owner: &Backend,
        database: Oid,
        relation: Oid,
        row: i64,
        mode: LockMode,
    ) -> RowAnswer {
        let all = LockTag::AllRows(database, relation);
        let single = LockTag::Row(database, relation, row);
        let mut rows = owner.locks.rows.lock();
        let count = rows.entry(relation).or_default();
        let first = (all, mode.of_all_rows(*count >= ROWS_MAX));
        let second = (*count < ROWS_MAX).then_some((single, mode));
        for (tag, mode) in [Some(first), second].into_iter().flatten() {
            match self.request(owner, tag, mode, Lifetime::Transaction, None) {
                Outcome::Granted(had) => *count += u32::from(had == HadBefore::Nothing && tag == single),
                _ => return RowAnswer::Busy(tag, mode),
            }
        }
        RowAnswer::Locked
    }

    /// What to wait for, in [`LockMode::RowLook`], until no other transaction is changing a row; nothing when none is.
    pub fn changing_row(&self, owner: &Backend, database: Oid, relation: Oid, row: i64) -> Option<LockTag> {
        let table = self.table.lock();
        let tags = [LockTag::AllRows(database, relation), LockTag::Row(database, relation, row)];
        tags.into_iter().find(|tag| table.is_held_against(owner.pid, *tag, LockMode::RowLook))
    }

    /// Gives a session's lock back once; whether it was held.
    pub fn unlock(&self, owner: &Backend, tag: LockTag, mode: LockMode) -> bool {
        self.change(|table| table.unlock(owner.pid, tag, mode))
    }

    /// Whether a backend holds a lock in this mode or a stronger one.
    pub fn holds(&self, owner: &Backend, tag: LockTag, mode: LockMode) -> bool {
        self.table.lock().holds(owner.pid, tag, mode)
    }

    /// Gives back one lock of a transaction before its end.
    pub fn release(&self, owner: &Backend, tag: LockTag, mode: LockMode) {
        self.change(|table| table.release(owner.pid, tag, mode));
    }

    /// A savepoint has been set or released: so many are left, and what was taken above counts as taken now.
    pub fn set_level(&self, owner: &Backend, level: u32) {
        let before = owner.locks.level.swap(level, Ordering::Relaxed);
        if before > level {
            owner.locks.weak.lock().iter_mut().for_each(|held| held.level = held.level.min(level));
            self.change(|table| table.merge_levels(owner.pid, level));
        }
    }

    /// The transaction is rolled back to a savepoint; so many are left, that one among them.
    pub fn roll_back_to(&self, owner: &Backend, level: u32) {
        owner.locks.level.store(level, Ordering::Relaxed);
        let kept = level.saturating_sub(1);
        owner.locks.weak.lock().retain(|held| held.level <= kept);
        if owner.locks.known.load(Ordering::SeqCst) {
            let mut rows = owner.locks.rows.lock();
            *rows = self.change(|table| {
                // What was changed since is undone.
                table.release_transaction(owner.pid, Some(kept), |_, _| {});
                table.row_counts(owner.pid)
            });
        }
    }

    /// Gives back what a backend's transaction has taken, and notes the rows that it may have changed by this commit.
    pub(crate) fn release_transaction(&self, owner: &Backend, changes: &RowChanges, commit: u64) {
        owner.locks.level.store(0, Ordering::Relaxed);
        owner.locks.weak.lock().clear();
        if owner.locks.known.swap(false, Ordering::SeqCst) {
            let mut rows = owner.locks.rows.lock();
            if rows.values().any(|count| *count >= ROWS_MAX) {
                changes.note_many(commit);
            }
            rows.clear();
            drop(rows);
            self.change(|table| {
                table.release_transaction(owner.pid, None, |tag, mode| {
                    if let LockTag::Row(_, relation, row) = tag
                        && mode >= LockMode::of_row(LockStrength::NoKeyUpdate)
                    {
                        changes.note(relation, row, commit);
                    }
                });
                // What the session holds is still to be found.
                owner.locks.known.store(table.knows(owner.pid), Ordering::SeqCst);
            });
        }
    }

    /// Gives back what a backend's session has taken (`pg_advisory_unlock_all`).
    pub fn release_session(&self, owner: &Backend) {
        self.change(|table| table.release_session(owner.pid));
    }
}
