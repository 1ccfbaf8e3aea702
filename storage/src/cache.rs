//! The statements a connection keeps compiled, by their text; the least recently used one goes first.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::ffi;

/// How many idle statements a connection keeps compiled. One takes 2 to 20 KiB.
pub(crate) const CACHED_STATEMENTS_MAX: usize = 128;

struct Entry {
    raw: *mut ffi::sqlite3_stmt,
    used: u64,
}

/// Idle statements, reset and without bindings.
#[derive(Default)]
pub(crate) struct StatementCache {
    entries: HashMap<Arc<str>, Entry>,
    clock: u64,
}

impl StatementCache {
    /// Takes the statement for this text out, so that it has one user at a time.
    pub(crate) fn take(&mut self, sql: &str) -> Option<(Arc<str>, *mut ffi::sqlite3_stmt)> {
        let (text, entry) = self.entries.remove_entry(sql)?;
        Some((text, entry.raw))
    }

    /// Keeps a statement; gives back the one that must be finalized to make room, if any.
    pub(crate) fn put(
        &mut self,
        sql: Arc<str>,
        raw: *mut ffi::sqlite3_stmt,
    ) -> Option<*mut ffi::sqlite3_stmt> {
        if self.entries.contains_key(&sql) {
            return Some(raw);
        }
        let evicted = if self.entries.len() >= CACHED_STATEMENTS_MAX { self.evict() } else { None };
        self.clock += 1;
        self.entries.insert(sql, Entry { raw, used: self.clock });
        evicted
    }

    /// Linear in the cache's size, which is small beside compiling the statement that caused it.
    fn evict(&mut self) -> Option<*mut ffi::sqlite3_stmt> {
        let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used)?.0.clone();
        self.entries.remove(&oldest).map(|entry| entry.raw)
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<*mut ffi::sqlite3_stmt> {
        self.entries.drain().map(|(_, entry)| entry.raw).collect()
    }

    /// How many statements are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
