//! SQLite made safe: files, transactions, durability, locks, rows.
//!
//! This is the only crate that names SQLite. It knows rows, values, transactions, interrupts and functions by name; it
//! has never heard of PostgreSQL, OIDs or SQLSTATE.

mod connection;
mod database;
mod error;
mod function;
mod value;

pub use connection::{Connection, Interrupt, RowRef, Statement};
pub use database::{Database, DatabaseOptions, PooledConnection, WriteLock};
pub use error::{Error, ErrorKind, Result};
pub use function::{
    AggregateFunction, AggregateState, CallContext, Collation, HostError, RowIterator, ScalarFunction,
    TableFunction, TableScan,
};
pub use value::{Value, ValueRef};
