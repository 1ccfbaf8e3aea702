//! Which rows of a database have been changed lately.
//!
//! A statement that runs without the right to write reads a snapshot, locks the rows it has found, and must know whether
//! they are still as it has read them. Whoever changes a row has it locked, and notes the number of his commit here before
//! he gives it back. So whoever has locked a row afterwards, and finds no later commit noted than his snapshot shows, has
//! read it as it is.
//!
//! Nobody has a lock on a row that is new, or that has taken another's key. A transaction with such rows notes its tables,
//! and does so before its commit: whoever finds one of them finds the note, too. One that changes the catalog may have
//! given any row another number: it notes all tables.
//!
//! Several rows share a place, and several tables: the answer may be a commit that concerns another row, never one that is
//! too early.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::Oid;

/// How many places there are. A power of two.
const PLACES: usize = 1 << 16;
/// How many places there are for tables with new rows.
const TABLE_PLACES: usize = 1 << 8;

/// See the head of this file.
pub(crate) struct RowChanges {
    /// The last commit that has changed one of the rows of a place.
    commits: Box<[AtomicU64]>,
    /// The last commit that has changed rows nobody knows one by one.
    many: AtomicU64,
    /// The last commit that has given new rows, or rows with new keys, to one of the tables of a place, or was about to.
    new_rows: [AtomicU64; TABLE_PLACES],
    /// The last commit that may have given new numbers to the rows of any table, or was about to.
    new_numbers: AtomicU64,
}

impl Default for RowChanges {
    fn default() -> Self {
        Self {
            commits: (0..PLACES).map(|_| AtomicU64::new(0)).collect(),
            many: AtomicU64::new(0),
            new_rows: [const { AtomicU64::new(0) }; TABLE_PLACES],
            new_numbers: AtomicU64::new(0),
        }
    }
}

impl RowChanges {
    /// A row has been changed, by this commit or an earlier one.
    pub(crate) fn note(&self, table: Oid, row: i64, commit: u64) {
        self.place(table, row).fetch_max(commit, Ordering::SeqCst);
    }

    /// Any rows may have been changed, by this commit or an earlier one.
    pub(crate) fn note_many(&self, commit: u64) {
        self.many.fetch_max(commit, Ordering::SeqCst);
    }

    /// This commit, which is about to be made, gives a table new rows, or some of its rows new keys.
    pub(crate) fn note_new_rows(&self, table: Oid, commit: u64) {
        self.new_rows[table.0 as usize % TABLE_PLACES].fetch_max(commit, Ordering::SeqCst);
    }

    /// This commit, which is about to be made, may give new numbers to the rows of any table.
    pub(crate) fn note_new_numbers(&self, commit: u64) {
        self.new_numbers.fetch_max(commit, Ordering::SeqCst);
    }

    /// A commit not before the last one by which a row, which the caller has found and locked, has become what it is.
    pub(crate) fn origin(&self, table: Oid, row: i64) -> u64 {
        let made = self.new_rows[table.0 as usize % TABLE_PLACES].load(Ordering::SeqCst);
        self.last(table, row).max(made).max(self.new_numbers.load(Ordering::SeqCst))
    }

    /// A commit not before the last one that has changed a row, which the caller has locked.
    pub(crate) fn last(&self, table: Oid, row: i64) -> u64 {
        self.place(table, row).load(Ordering::SeqCst).max(self.many.load(Ordering::SeqCst))
    }

    fn place(&self, table: Oid, row: i64) -> &AtomicU64 {
        // Fibonacci hashing: neighbours are spread.
        const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (row.cast_unsigned() ^ u64::from(table.0).rotate_left(32)).wrapping_mul(FACTOR);
        &self.commits[(mixed >> 48) as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_change_of_a_row_is_known() {
        let changes = RowChanges::default();
        changes.note(Oid(1), 7, 5);
        changes.note(Oid(1), 7, 4);
        assert_eq!((changes.last(Oid(1), 7), changes.last(Oid(1), 8), changes.last(Oid(2), 7)), (5, 0, 0));
        changes.note_many(9);
        assert_eq!((changes.last(Oid(1), 7), changes.last(Oid(3), -1)), (9, 9));
        changes.note_new_rows(Oid(3), 12);
        assert_eq!(
            (changes.last(Oid(3), 7), changes.origin(Oid(3), 7), changes.origin(Oid(1), 7)),
            (9, 12, 9)
        );
        changes.note_new_numbers(13);
        assert_eq!(
            (changes.last(Oid(3), 7), changes.origin(Oid(3), 7), changes.origin(Oid(1), 7)),
            (9, 13, 13)
        );
    }
}
