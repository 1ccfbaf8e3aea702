//! What a transaction has written, row by row, as data: enough to write it once more on a newer state of the file.
//!
//! A transaction keeps the right to write only while it needs it (`session/aside.rs`). When others have written
//! meanwhile, its own changes are gone from the engine and are made again from here. That they still fit is not luck: the
//! rows they change and the keys they take are locked, the tables cannot be altered, and row numbers are given out once.

use std::sync::Arc;

use storage::Connection;

use super::run::engine_error;
use crate::lower::OwnChanges;
use crate::{Oid, Result, SqlError, Value, interrupt};

/// How many rows are kept; a transaction that writes more keeps the right to write to its end.
const ROWS_MAX: usize = 100_000;
/// How many bytes of values are kept, the same.
const BYTES_MAX: usize = 64 << 20;
/// How many changes are noted before they are made; one that comes when there are more is made at once.
const NOTED_MAX: usize = 500;
/// How many bytes of values they have, the same.
const NOTED_BYTES_MAX: usize = 1 << 20;

/// How many changed rows of a table a query sees while they are only noted.
const SEEN_ROWS_MAX: usize = 4;

/// What has been done to a row.
pub(crate) enum What {
    Inserted,
    /// The columns at these positions, none of a key, were given values.
    Updated(Arc<[usize]>),
    /// A key was given another value, which may be the row's number.
    Moved,
    Deleted,
}

/// One row inserted, changed or deleted.
pub struct Written {
    /// The table.
    pub(crate) relation: Oid,
    /// Whether the engine calls the host for one of its indexes.
    pub(crate) indexes_compute: bool,
    pub(crate) what: What,
    /// The engine's statement that has done it.
    pub(crate) sql: Arc<str>,
    /// Its parameters. The row's number is the first for a row that was inserted, else the last.
    pub(crate) values: Vec<Value>,
}

/// The changes of one transaction, in order.
#[derive(Default)]
pub(crate) struct WriteLog {
    entries: Vec<Written>,
    bytes: usize,
}

impl WriteLog {
    /// Takes in a change; false when it would be too many.
    pub(crate) fn push(&mut self, written: Written) -> bool {
        self.bytes += written.bytes();
        self.entries.push(written);
        self.entries.len() <= ROWS_MAX && self.bytes <= BYTES_MAX
    }

    /// Takes in a change that has not been made yet, unless it would be too many.
    pub(crate) fn note(&mut self, written: Written) -> bool {
        self.has_room() && self.push(written)
    }

    /// Whether so few changes are kept that more can be noted.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.len() < NOTED_MAX && self.bytes < NOTED_BYTES_MAX
    }

    /// How many changes there are.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Forgets all changes but the first so many.
    pub(crate) fn truncate(&mut self, kept: usize) {
        if kept == 0 {
            *self = Self::default();
            return;
        }
        let undone = self.entries.split_off(kept.min(self.entries.len()));
        self.bytes -= undone.iter().map(Written::bytes).sum::<usize>();
        interrupt::discard(undone);
    }

    /// The tables that were changed, each once for changes in a row.
    pub(crate) fn relations(&self) -> impl Iterator<Item = Oid> {
        let mut last = Oid::INVALID;
        self.entries.iter().filter_map(move |entry| {
            (std::mem::replace(&mut last, entry.relation) != entry.relation).then_some(entry.relation)
        })
    }

    /// The tables for whose indexes the engine calls the host.
    pub(crate) fn computing_tables(&self) -> impl Iterator<Item = Oid> {
        self.entries.iter().filter(|entry| entry.indexes_compute).map(|entry| entry.relation)
    }

    /// What a query of a table must be told to see the changes of it, and the parameters that tell it. Nothing when they
    /// are too many, or some are new rows.
    pub(crate) fn own_changes(&self, relation: Oid) -> Option<(OwnChanges, Vec<Value>)> {
        let mut rows: Vec<ChangedRow<'_>> = Vec::new();
        for written in self.entries.iter().filter(|written| written.relation == relation) {
            let (number, values) = written.values.split_last()?;
            let known = rows.iter().position(|row| row.number == number);
            if known.is_none() {
                rows.push(ChangedRow { number, values: Some(Vec::new()) });
            }
            let last = rows.len() - 1;
            let row = &mut rows[known.unwrap_or(last)];
            match &written.what {
                What::Inserted | What::Moved => return None,
                What::Updated(columns) => columns.iter().zip(values).for_each(|(column, value)| {
                    row.set(*column, value);
                }),
                What::Deleted => row.values = None,
            }
            if rows.len() > SEEN_ROWS_MAX {
                return None;
            }
        }
        let (mut own, mut parameters) =
            (OwnChanges { relation, updated: Vec::new(), deleted: 0 }, Vec::new());
        for ChangedRow { number, values } in &rows {
            let Some(values) = values else { continue };
            own.updated.push(values.iter().map(|(column, _)| *column).collect());
            parameters.push((*number).clone());
            parameters.extend(values.iter().map(|(_, value)| (*value).clone()));
        }
        let deleted = rows.iter().filter(|row| row.values.is_none());
        own.deleted = deleted.clone().count();
        parameters.extend(deleted.map(|row| row.number.clone()));
        Some((own, parameters))
    }

    /// Makes some of the changes again.
    ///
    /// # Errors
    /// Those of the storage engine; `XX000` when a row is not there, which its lock should have kept.
    pub(crate) fn replay(&self, connection: &mut Connection, range: std::ops::Range<usize>) -> Result<()> {
        for written in self.entries.get(range).unwrap_or_default() {
            if connection.execute(&written.sql, &written.values).map_err(engine_error)? != 1 {
                return Err(SqlError::internal("a row that this transaction has locked is gone"));
            }
        }
        Ok(())
    }
}

impl Drop for WriteLog {
    fn drop(&mut self) {
        interrupt::discard(std::mem::take(&mut self.entries));
    }
}

/// A row with all that has been done to it.
struct ChangedRow<'a> {
    number: &'a Value,
    /// The values that its columns were given; none for a row that was deleted.
    values: Option<Vec<(usize, &'a Value)>>,
}

impl<'a> ChangedRow<'a> {
    fn set(&mut self, column: usize, value: &'a Value) {
        let Some(values) = &mut self.values else { return };
        match values.iter_mut().find(|(known, _)| *known == column) {
            Some((_, known)) => *known = value,
            None => values.push((column, value)),
        }
    }
}

impl Written {
    fn bytes(&self) -> usize {
        let inside = |value: &Value| match value {
            Value::Text(text) => text.len(),
            Value::Blob(bytes) => bytes.len(),
            _ => 0,
        };
        self.values.iter().map(|value| size_of::<Value>() + inside(value)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(relation: u32, text: &str) -> Written {
        let values = vec![Value::Text(text.to_owned())];
        Written {
            relation: Oid(relation),
            indexes_compute: false,
            what: What::Inserted,
            sql: Arc::from("x"),
            values,
        }
    }

    fn updated(row: i64, columns: &[usize], value: i64) -> Written {
        let what = What::Updated(columns.into());
        let values = columns.iter().map(|_| value).chain([row]).map(Value::Integer).collect();
        Written { relation: Oid(1), indexes_compute: false, what, sql: Arc::from("x"), values }
    }

    #[test]
    fn of_each_row_the_last_change_is_seen() {
        let mut log = WriteLog::default();
        for (row, columns, value) in [(7, &[1, 2][..], 10), (8, &[1], 20), (7, &[2, 3], 30)] {
            assert!(log.push(updated(row, columns, value)));
        }
        let deleted = vec![Value::Integer(8)];
        assert!(log.push(Written {
            relation: Oid(1),
            indexes_compute: false,
            what: What::Deleted,
            sql: Arc::from("x"),
            values: deleted
        }));
        let (own, parameters) = log.own_changes(Oid(1)).unwrap();
        assert_eq!((own.updated.as_slice(), own.deleted), (&[Arc::from([1, 2, 3])][..], 1));
        assert_eq!(parameters, [7, 10, 30, 30, 8].map(Value::Integer));
        assert!(log.push(written(1, "a new row")));
        assert!(log.own_changes(Oid(1)).is_none());
        assert!(log.own_changes(Oid(2)).is_some_and(|(own, _)| own.updated.is_empty()));
    }

    #[test]
    fn what_is_undone_is_forgotten() {
        let mut log = WriteLog::default();
        for relation in [1, 1, 2, 1] {
            assert!(log.push(written(relation, "four")));
        }
        assert_eq!(log.relations().collect::<Vec<_>>(), [Oid(1), Oid(2), Oid(1)]);
        log.truncate(2);
        log.truncate(9);
        assert_eq!((log.len(), log.bytes), (2, 2 * (size_of::<Value>() + 4)));
    }

    #[test]
    fn it_says_when_it_is_too_much() {
        let mut log = WriteLog::default();
        assert!(log.push(written(1, "")));
        assert!(!log.push(written(1, &"x".repeat(BYTES_MAX))));
    }
}
