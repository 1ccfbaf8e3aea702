//! SQLite made safe: files, transactions, durability, locks, rows.
//!
//! This is the only crate that names SQLite. It knows rows, values, transactions, interrupts and functions by
//! name; it has never heard of PostgreSQL, OIDs or SQLSTATE.

mod cache;
mod clock;
mod connection;
mod database;
mod engine;
mod error;
mod failure;
mod flush;
mod function;
mod handle;
mod host_table;
mod host_value;
mod interrupt;
mod log_file;
mod open_files;
mod page_cache;
mod registration;
mod returned;
mod scratch_file;
mod statement;
mod transaction;
mod value;
mod written_pages;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests;

pub use connection::Connection;
pub use database::{Database, DatabaseOptions, PooledConnection, WriteLock};
pub use error::{Error, ErrorKind, Result};
pub use function::{
    AggregateFunction, AggregateState, CallContext, Collation, HostError, RowIterator, ScalarFunction,
    TableFunction, TableScan,
};
pub use interrupt::{Attention, Interrupt, has_run_out, must_stop, take_time};
pub use statement::{RowRef, Statement};
pub use value::{Value, ValueRef};
