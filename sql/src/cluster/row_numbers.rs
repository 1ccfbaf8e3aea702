//! Row numbers of tables, each given out once while the server runs.
//!
//! The engine would number a new row after the last one it sees; two transactions that have not committed would choose
//! the same. Numbers here are never taken back: a transaction that is rolled back leaves a gap. Tables whose primary key
//! is the row number take that instead.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::{Oid, Result, error};

/// The last number given out in each table that was inserted into.
#[derive(Default)]
pub(crate) struct RowNumbers {
    last: Mutex<HashMap<Oid, i64, foldhash::fast::RandomState>>,
}

impl RowNumbers {
    /// The next number of a table. The highest in use is only looked for at the first call.
    ///
    /// # Errors
    /// `54000` when there is none left; those of looking.
    pub(crate) fn next(&self, table: Oid, highest: impl FnOnce() -> Result<i64>) -> Result<i64> {
        if let Some(last) = self.last.lock().get_mut(&table) {
            return advance(last);
        }
        // Looked for without the lock. Whoever has been given a number since then has put the entry there.
        let highest = highest()?;
        advance(self.last.lock().entry(table).or_insert(highest))
    }

    /// The numbers of a table are looked for anew.
    pub(crate) fn forget(&self, table: Oid) {
        self.last.lock().remove(&table);
    }
}

fn advance(last: &mut i64) -> Result<i64> {
    let next = last.checked_add(1);
    *last = next.ok_or_else(|| {
        error!(PROGRAM_LIMIT_EXCEEDED, "a table has used up its row numbers")
            .hint("VACUUM (FULL) numbers its rows anew.")
    })?;
    Ok(*last)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;
    use crate::SqlState;

    #[test]
    fn numbers_go_on_from_the_highest_in_use() {
        let numbers = RowNumbers::default();
        assert_eq!(numbers.next(Oid(1), || Ok(7)).unwrap(), 8);
        assert_eq!(numbers.next(Oid(1), || Ok(100)).unwrap(), 9);
        assert_eq!(numbers.next(Oid(2), || Ok(0)).unwrap(), 1);
        numbers.forget(Oid(1));
        assert_eq!(numbers.next(Oid(1), || Ok(100)).unwrap(), 101);
    }

    #[test]
    fn they_end() {
        let refused = RowNumbers::default().next(Oid(1), || Ok(i64::MAX)).unwrap_err();
        assert_eq!(refused.code(), SqlState::PROGRAM_LIMIT_EXCEEDED);
    }
}
