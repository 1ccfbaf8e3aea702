//! Prepared statements and their rows.

use std::sync::Arc;

use rusqlite::ffi;

use crate::ValueRef;
use crate::cache::Origin;
use crate::handle::Handle;
use crate::host_value;
use crate::returned::Returned;

/// Where a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Ready to be bound and run.
    Ready,
    /// In the middle of its rows.
    Running,
    /// At its end, until it is reset.
    Done,
}

/// A prepared statement. It belongs to the connection that made it and is used through that connection only,
/// which is what makes it safe to send between threads. Dropping it gives it back to the connection's cache, at the
/// connection's next operation: see [`crate::Connection::finish`].
pub struct Statement {
    pub(crate) handle: Arc<Handle>,
    pub(crate) raw: *mut ffi::sqlite3_stmt,
    /// Its text; none when it has been put away.
    pub(crate) sql: Option<Arc<str>>,
    pub(crate) origin: Origin,
    pub(crate) progress: Progress,
    /// How many rollbacks the handle had seen when it began: one more and its rows are gone.
    pub(crate) rollbacks: u64,
    pub(crate) writes: bool,
}

// SAFETY: the pointer is followed only by the thread that has the connection (see `crate::returned`), or for what does
// not change while anybody may look; SQLite's statements are not bound to a thread.
unsafe impl Send for Statement {}

/// The row that the last step produced; valid until the next.
pub struct RowRef<'a> {
    pub(crate) statement: &'a Statement,
}

impl Statement {
    /// Its text.
    pub fn sql(&self) -> &str {
        self.sql.as_deref().unwrap_or_default()
    }

    /// How many columns its rows have; 0 for a statement that gives none.
    pub fn column_count(&self) -> usize {
        // SAFETY: a live statement; the count is a field of it alone, written only while it is compiled.
        let count = unsafe { ffi::sqlite3_column_count(self.raw) };
        usize::try_from(count).unwrap_or(0)
    }

    /// How many parameters it has: the highest index that [`crate::Connection::bind`] takes.
    pub fn parameter_count(&self) -> usize {
        // SAFETY: as for `column_count`.
        let count = unsafe { ffi::sqlite3_bind_parameter_count(self.raw) };
        usize::try_from(count).unwrap_or(0)
    }

    /// Whether it may change the database.
    pub fn writes(&self) -> bool {
        self.writes
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        if let Some(sql) = self.sql.take() {
            self.handle.returned.leave(Returned { raw: self.raw, sql, origin: self.origin });
        }
    }
}

impl RowRef<'_> {
    /// How many columns it has.
    #[allow(clippy::len_without_is_empty, reason = "a row always has columns")]
    pub fn len(&self) -> usize {
        self.statement.column_count()
    }

    /// The value of column `index` (from 0). Text that is not UTF-8, which nothing here writes, is given as a
    /// blob.
    ///
    /// # Panics
    /// When there is no such column.
    pub fn get(&self, index: usize) -> ValueRef<'_> {
        assert!(index < self.len(), "column {index} of a row of {}", self.len());
        // SAFETY: the statement stands at a row (only `step` makes a `RowRef`, which borrows the statement
        // and the connection, so that nobody else is inside), and the index is in range.
        unsafe { host_value::column(self.statement.raw, index) }
    }
}
