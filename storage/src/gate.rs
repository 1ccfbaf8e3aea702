//! Who may touch a connection's SQLite handle at this moment.
//!
//! The handle is opened without SQLite's own mutexes, so exactly one thread may be inside it at a time.
//! [`crate::Connection`] is not `Sync`, which settles it for everything that goes through one; but a
//! [`crate::Statement`] may be dropped by any thread at any time, and dropping means resetting. The gate
//! decides whether the dropping thread may do that itself or leaves the statement for whoever is inside:
//!
//! - `FREE`: nobody is inside; whoever swaps it to `BUSY` is.
//! - `BUSY`: an operation of the connection (or a dropping thread) is inside.
//! - anything else is the address of a statement whose row is being read. The row borrows the connection and
//!   the statement mutably, so the next operation of either proves that nobody looks at the row any more.
//!
//! Host functions run inside an operation that holds the gate; the guest connection which they get does not
//! pass it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::cache::Origin;

const FREE: usize = 0;
const BUSY: usize = 1;

/// A compiled statement that nobody owns any more, on its way to the cache.
pub(crate) struct Returned {
    /// The compiled statement.
    pub(crate) raw: *mut ffi::sqlite3_stmt,
    /// Its text, the cache's key.
    pub(crate) sql: Arc<str>,
    /// What it knows of the cache.
    pub(crate) origin: Origin,
}

// SAFETY: the pointer is only followed by a thread that holds the gate of the statement's handle.
unsafe impl Send for Returned {}

/// See the head of this file.
pub(crate) struct Gate {
    holder: AtomicUsize,
    waiting: AtomicBool,
    returned: Mutex<Vec<Returned>>,
}

impl Gate {
    /// A gate through which nobody has passed yet.
    pub(crate) fn new() -> Self {
        Self {
            holder: AtomicUsize::new(FREE),
            waiting: AtomicBool::new(false),
            returned: Mutex::new(Vec::new()),
        }
    }

    /// Passes the gate on behalf of the connection. It waits only for a thread that is just putting a
    /// statement away.
    pub(crate) fn enter(&self) {
        loop {
            let holder = self.holder.load(Ordering::Relaxed);
            if holder != BUSY && self.swap(holder) {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Passes the gate on behalf of a statement that is being dropped, unless someone else is inside.
    pub(crate) fn try_enter_for(&self, raw: *mut ffi::sqlite3_stmt) -> bool {
        self.swap(FREE) || self.swap(raw.addr())
    }

    /// Passes the gate if nobody is inside.
    pub(crate) fn try_enter(&self) -> bool {
        self.swap(FREE)
    }

    fn swap(&self, from: usize) -> bool {
        self.holder.compare_exchange(from, BUSY, Ordering::SeqCst, Ordering::Relaxed).is_ok()
    }

    /// Leaves; the statement stays inside while its row is read.
    pub(crate) fn leave_at(&self, raw: *mut ffi::sqlite3_stmt) {
        self.holder.store(raw.addr(), Ordering::SeqCst);
    }

    /// Leaves.
    pub(crate) fn leave(&self) {
        self.holder.store(FREE, Ordering::SeqCst);
    }

    /// Whether the gate is held for this statement's row. Its owner then needs not pass again: nobody else
    /// can.
    pub(crate) fn is_held_for(&self, raw: *mut ffi::sqlite3_stmt) -> bool {
        self.holder.load(Ordering::Acquire) == raw.addr()
    }

    /// Leaves a statement for whoever is inside.
    pub(crate) fn hand_in(&self, returned: Returned) {
        self.returned.lock().push(returned);
        self.waiting.store(true, Ordering::SeqCst);
    }

    /// Whether statements wait to be put away.
    pub(crate) fn has_returned(&self) -> bool {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Takes the statements that wait to be put away. Only for a thread inside.
    pub(crate) fn take_returned(&self) -> Vec<Returned> {
        self.waiting.store(false, Ordering::SeqCst);
        std::mem::take(&mut *self.returned.lock())
    }
}
