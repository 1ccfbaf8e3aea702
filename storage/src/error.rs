//! What can go wrong below SQL, in words of what the caller can do about it.

use std::fmt;

use crate::HostError;

/// What a fallible operation of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the engine or of a host function.
#[derive(Debug)]
pub struct Error {
    /// What kind it is: what the caller decides on.
    pub kind: ErrorKind,
    /// SQLite's own words, for the log.
    pub message: String,
}

/// What an error means to the caller.
#[derive(Debug)]
pub enum ErrorKind {
    /// A host function refused; this is what it returned. Its statement had no effect that outlives its savepoint.
    Host(HostError),
    /// The statement was stopped through its [`crate::Interrupt`].
    Interrupted,
    /// The statement used up its instruction budget; run it again elsewhere with none.
    BudgetExhausted,
    /// A write on a snapshot that is no longer the newest. The transaction is still open and can be read.
    StaleSnapshot,
    /// A uniqueness rule was violated: the name of the SQLite index, or of the table when the rowid collided, with the
    /// columns SQLite names.
    Unique {
        /// The table as SQLite knows it.
        table: String,
        /// The columns as SQLite knows them; empty for an index on expressions.
        columns: Vec<String>,
        /// The index, when SQLite names it (indexes on expressions only).
        index: Option<String>,
    },
    /// The file is not a database, or a page of it is damaged.
    Corrupt,
    /// The disk is full.
    DiskFull,
    /// The operating system failed to read or write.
    Io,
    /// A limit of the engine was reached (too many columns, text too long, expression too deep).
    Limit,
    /// The directory or file is in use by another process.
    InUse,
    /// Anything else: a fault of ours.
    Other,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
