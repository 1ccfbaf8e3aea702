//! The statements a connection keeps compiled, by their text; the least recently used one goes first.
//!
//! A list is walked, not a map hashed: plans hand in the same text again and again, which is found by its address, and
//! comparing lengths tells most others apart. Hashing a text of some hundred bytes costs more than walking the list.

use std::sync::Arc;

use rusqlite::ffi;

/// How many idle statements a connection keeps compiled. One takes 2 to 20 KiB.
pub(crate) const CACHED_STATEMENTS_MAX: usize = 128;

struct Entry {
    sql: Arc<str>,
    raw: *mut ffi::sqlite3_stmt,
    used: u64,
}

/// Idle statements, reset and without bindings.
#[derive(Default)]
pub(crate) struct StatementCache {
    entries: Vec<Entry>,
    clock: u64,
    /// How many statements have been put in that were not taken out of it.
    added: u64,
}

/// What a statement knows of the cache, to tell whether there can be another of its text when it is put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was not in the cache.
    Compiled,
    /// It was taken out when so many had been added.
    Taken(u64),
}

impl StatementCache {
    /// Takes the statement for this text out, so that it has one user at a time.
    pub(crate) fn take(&mut self, sql: &str) -> Option<(*mut ffi::sqlite3_stmt, Origin)> {
        let index = self.find(sql)?;
        Some((self.entries.swap_remove(index).raw, Origin::Taken(self.added)))
    }

    /// Those put in last are at the end.
    fn find(&self, sql: &str) -> Option<usize> {
        let same = |entry: &Entry| std::ptr::eq(&raw const *entry.sql, sql);
        let equal = |entry: &Entry| *entry.sql == *sql;
        self.entries.iter().rposition(same).or_else(|| self.entries.iter().rposition(equal))
    }

    /// Keeps a statement; gives back the one that must be finalized to make room, if any.
    pub(crate) fn put(
        &mut self,
        sql: Arc<str>,
        raw: *mut ffi::sqlite3_stmt,
        origin: Origin,
    ) -> Option<*mut ffi::sqlite3_stmt> {
        if origin != Origin::Taken(self.added) && self.find(&sql).is_some() {
            return Some(raw);
        }
        let evicted = if self.entries.len() >= CACHED_STATEMENTS_MAX { self.evict() } else { None };
        self.clock += 1;
        self.added += u64::from(origin == Origin::Compiled);
        self.entries.push(Entry { sql, raw, used: self.clock });
        evicted
    }

    fn evict(&mut self) -> Option<*mut ffi::sqlite3_stmt> {
        let (oldest, _) = self.entries.iter().enumerate().min_by_key(|(_, entry)| entry.used)?;
        Some(self.entries.swap_remove(oldest).raw)
    }

    /// Takes everything out.
    pub(crate) fn drain(&mut self) -> Vec<*mut ffi::sqlite3_stmt> {
        self.entries.drain(..).map(|entry| entry.raw).collect()
    }

    /// How many statements are kept.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}
