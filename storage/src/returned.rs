//! Statements that were dropped, on their way back to their handle.
//!
//! A handle is opened without SQLite's own mutexes, so one thread at a time may be inside it. A [`crate::Connection`] is
//! not `Sync`, which settles it for everything that goes through one. But a [`crate::Statement`] may be dropped by any
//! thread at any time, and to put it away is to be inside. So dropping only leaves the statement here, and the next
//! operation of the connection puts it away before it does anything else; after the last one the handle does, when it is
//! dropped. Who has the connection at hand puts the statement away at once: [`crate::Connection::finish`].
//!
//! Host functions run inside an operation; the guest connection that they get is bound to its thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::cache::Origin;

/// A compiled statement that nobody owns any more, on its way to the cache.
pub(crate) struct Returned {
    /// The compiled statement.
    pub(crate) raw: *mut ffi::sqlite3_stmt,
    /// Its text, the cache's key.
    pub(crate) sql: Arc<str>,
    /// What it knows of the cache.
    pub(crate) origin: Origin,
}

// SAFETY: the pointer is only followed by the thread that is inside the statement's handle.
unsafe impl Send for Returned {}

/// See the head of this file.
#[derive(Default)]
pub(crate) struct ReturnedStatements {
    some: AtomicBool,
    statements: Mutex<Vec<Returned>>,
}

impl ReturnedStatements {
    /// Leaves a statement.
    pub(crate) fn leave(&self, returned: Returned) {
        let mut statements = self.statements.lock();
        statements.push(returned);
        self.some.store(true, Ordering::Release);
    }

    /// Whether there are some. One that another thread is just leaving may be overlooked, until the next time.
    pub(crate) fn any(&self) -> bool {
        self.some.load(Ordering::Acquire)
    }

    /// Takes them all.
    pub(crate) fn take(&self) -> Vec<Returned> {
        let mut statements = self.statements.lock();
        self.some.store(false, Ordering::Release);
        std::mem::take(&mut *statements)
    }
}
