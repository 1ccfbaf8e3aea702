//! The right to write, held by a transaction that does not use it just now.
//!
//! Between two statements of a transaction its client thinks. Its changes are kept as data by then, so whoever wants to
//! write meanwhile may take the right from it: what it had done in the engine is undone, and done again when it goes on
//! (`session/aside.rs`). When nobody wants to write, it finds everything as it left it.
//!
//! Nobody waits for one who rests: who wants the right says so before looking who has it, and who lays it down looks for
//! such a word afterwards; so one of the two sees the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use storage::{PooledConnection, WriteLock};

use crate::Oid;
use crate::backend::Backend;
use crate::locks::{LockManager, LockMode, LockTag};

/// What a resting transaction has laid down. (Fields are dropped in order: first its changes are undone, then others may
/// write.)
pub(crate) struct Rest {
    pub(crate) connection: PooledConnection,
    pub(crate) lock: WriteLock,
    pub(crate) backend: Arc<Backend>,
}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct Resting {
    laid_down: Mutex<Option<Rest>>,
    wanted: AtomicUsize,
}

/// Somebody wants to write.
pub(crate) struct Wanted<'a>(&'a Resting);

impl Drop for Wanted<'_> {
    fn drop(&mut self) {
        self.0.wanted.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Resting {
    /// Says that somebody wants to write, for as long as this is kept, and takes the right from who rests on it.
    pub(crate) fn want(&self, locks: &LockManager, database: Oid) -> Wanted<'_> {
        self.wanted.fetch_add(1, Ordering::SeqCst);
        self.give_way(locks, database);
        Wanted(self)
    }

    fn give_way(&self, locks: &LockManager, database: Oid) {
        // Looked at until all is done: who rests must not find the right gone and its place in the lock manager still there.
        let mut laid_down = self.laid_down.lock();
        if let Some(Rest { connection, lock, backend }) = laid_down.take() {
            drop(connection);
            drop(lock);
            locks.release(&backend, LockTag::Writer(database), LockMode::Exclusive);
        }
    }

    /// Lays the right down.
    pub(crate) fn rest(&self, rest: Rest, locks: &LockManager, database: Oid) {
        *self.laid_down.lock() = Some(rest);
        if self.wanted.load(Ordering::SeqCst) > 0 {
            self.give_way(locks, database);
        }
    }

    /// Takes up again what a backend has laid down, if nobody else has taken it.
    pub(crate) fn take_up(&self, backend: &Backend) -> Option<Rest> {
        let mut laid_down = self.laid_down.lock();
        if laid_down.as_ref().is_some_and(|rest| rest.backend.pid == backend.pid) {
            laid_down.take()
        } else {
            None
        }
    }
}
