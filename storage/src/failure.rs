//! From SQLite's result codes and words to [`Error`].

use std::any::Any;
use std::ffi::{CStr, c_int};

use rusqlite::ffi;

use crate::interrupt::Stop;
use crate::{Error, ErrorKind, HostError};

/// What went wrong in host code, kept until the statement that called it returns.
pub(crate) enum Failure {
    /// A host function refused.
    Host(HostError),
    /// Host code panicked, or broke its promise.
    Fault(String),
}

impl Failure {
    /// What a caught panic carried.
    pub(crate) fn from_panic(name: &str, payload: &(dyn Any + Send)) -> Self {
        let text = payload.downcast_ref::<&str>().copied();
        let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self::Fault(format!("host function \"{name}\" panicked: {}", text.unwrap_or("no message")))
    }
}

impl From<Failure> for Error {
    /// An engine error which a host function met in a nested statement and passed on is handed back as it
    /// was.
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Host(error) => match error.downcast::<Error>() {
                Ok(error) => *error,
                Err(error) => Self { message: error.to_string(), kind: ErrorKind::Host(error) },
            },
            Failure::Fault(message) => Self { kind: ErrorKind::Other, message },
        }
    }
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        let (kind, message) = match stop {
            Stop::Interrupted => (ErrorKind::Interrupted, "interrupted"),
            Stop::BudgetExhausted => (ErrorKind::BudgetExhausted, "instruction budget exhausted"),
        };
        Self { kind, message: message.to_owned() }
    }
}

/// A fault of ours, in our words.
pub(crate) fn fault(message: impl Into<String>) -> Error {
    Error { kind: ErrorKind::Other, message: message.into() }
}

/// The operating system's refusal.
pub(crate) fn from_io(what: &str, error: &std::io::Error) -> Error {
    let kind = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::DiskFull,
        _ => ErrorKind::Io,
    };
    Error { kind, message: format!("{what}: {error}") }
}

/// The error for a result code of SQLite and its words.
pub(crate) fn from_code(code: c_int, message: String) -> Error {
    Error { kind: kind_of(code, &message), message }
}

fn kind_of(code: c_int, message: &str) -> ErrorKind {
    match code {
        ffi::SQLITE_BUSY_SNAPSHOT => return ErrorKind::StaleSnapshot,
        ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID => {
            return unique_of(message);
        }
        _ => {}
    }
    match code & 0xff {
        ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => ErrorKind::Corrupt,
        ffi::SQLITE_FULL => ErrorKind::DiskFull,
        ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_READONLY | ffi::SQLITE_PERM => ErrorKind::Io,
        ffi::SQLITE_TOOBIG => ErrorKind::Limit,
        ffi::SQLITE_ERROR if is_limit(message) => ErrorKind::Limit,
        _ => ErrorKind::Other,
    }
}

/// How SQLite begins to say that a limit was reached, where it has no code for it.
const LIMIT_PHRASES: [&str; 10] = [
    "too many ",
    "Expression tree is too large",
    "parser stack overflow",
    "string or blob too big",
    "variable number must be",
    "at most 64 tables in a join",
    "LIKE or GLOB pattern too complex",
    "sub-select returns more than",
    "too many levels of trigger recursion",
    "table contains too many columns",
];

fn is_limit(message: &str) -> bool {
    LIMIT_PHRASES.iter().any(|phrase| message.starts_with(phrase))
}

/// Reads `UNIQUE constraint failed: t.a, t.b` and `UNIQUE constraint failed: index 'x'`. Names come unquoted:
/// a table's may hold dots, since it is everything before the last dot of the first item; a column's may hold
/// commas, since each item begins with the table.
fn unique_of(message: &str) -> ErrorKind {
    let names = message.split_once(": ").map_or(message, |(_, names)| names);
    if let Some(index) = names.strip_prefix("index '").and_then(|rest| rest.strip_suffix('\'')) {
        return ErrorKind::Unique {
            table: String::new(),
            columns: Vec::new(),
            index: Some(index.to_owned()),
        };
    }
    let first = names.split(", ").next().unwrap_or(names);
    let table = first.rsplit_once('.').map_or(first, |(table, _)| table);
    ErrorKind::Unique { table: table.to_owned(), columns: columns_of(names, table), index: None }
}

fn columns_of(names: &str, table: &str) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    for item in names.split(", ") {
        let column = item.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
        match (column, columns.last_mut()) {
            (Some(column), _) => columns.push(column.to_owned()),
            (None, Some(last)) => {
                last.push_str(", ");
                last.push_str(item);
            }
            (None, None) => columns.push(item.to_owned()),
        }
    }
    columns
}

/// SQLite's words for the last thing that failed on a handle.
///
/// # Safety
/// `database` is a live handle, and this thread is the one inside it.
pub(crate) unsafe fn last_words(database: *mut ffi::sqlite3) -> String {
    // SAFETY: SQLite gives a NUL-terminated string that lives until the next call on this handle.
    unsafe { CStr::from_ptr(ffi::sqlite3_errmsg(database)) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unique(message: &str) -> (String, Vec<String>, Option<String>) {
        match unique_of(message) {
            ErrorKind::Unique { table, columns, index } => (table, columns, index),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn unique_violations_are_read() {
        let (table, columns, index) = unique("UNIQUE constraint failed: t.a, t.b");
        assert_eq!((table.as_str(), columns, index), ("t", vec!["a".to_owned(), "b".to_owned()], None));
        let (table, columns, _) = unique("UNIQUE constraint failed: s.t.a, odd, s.t.b");
        assert_eq!((table.as_str(), columns), ("s.t", vec!["a, odd".to_owned(), "b".to_owned()]));
        let (_, columns, index) = unique("UNIQUE constraint failed: index 'lower_name'");
        assert_eq!((columns.len(), index.as_deref()), (0, Some("lower_name")));
    }

    #[test]
    fn codes_have_kinds() {
        assert!(matches!(kind_of(ffi::SQLITE_BUSY_SNAPSHOT, ""), ErrorKind::StaleSnapshot));
        assert!(matches!(kind_of(ffi::SQLITE_IOERR_FSYNC, ""), ErrorKind::Io));
        assert!(matches!(kind_of(ffi::SQLITE_CORRUPT_INDEX, ""), ErrorKind::Corrupt));
        assert!(matches!(kind_of(ffi::SQLITE_ERROR, "too many terms in compound SELECT"), ErrorKind::Limit));
        assert!(matches!(kind_of(ffi::SQLITE_ERROR, "no such table: t"), ErrorKind::Other));
    }
}
