//! One connection to SQLite, its statements and their rows.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use crate::{AggregateFunction, Collation, Result, ScalarFunction, TableFunction, Value, ValueRef};

/// A connection: one transaction at a time, used by one thread at a time (it is `Send`, not `Sync`).
pub struct Connection {}

/// A prepared statement. It belongs to the connection that made it and is used through that connection only, which is
/// what makes it safe to send between threads. Dropping it gives it back to the connection's cache.
pub struct Statement {}

/// The row that the last step produced; valid until the next.
pub struct RowRef<'a> {
    _statement: &'a Statement,
}

/// Stops a statement from another thread. Clones share one flag.
#[derive(Clone)]
pub struct Interrupt {}

impl Interrupt {
    /// Asks the connection's running statement, and each later one until [`Connection::clear_interrupt`], to end with
    /// [`crate::ErrorKind::Interrupted`].
    pub fn set(&self) {
        unimplemented!()
    }
}

impl Connection {
    /// Makes these functions known, once each by name; to be called before a statement that uses them is prepared.
    pub fn ensure_scalar(&mut self, _function: &ScalarFunction) -> Result<()> {
        unimplemented!()
    }
    /// As [`Self::ensure_scalar`], for an aggregate.
    pub fn ensure_aggregate(&mut self, _function: &AggregateFunction) -> Result<()> {
        unimplemented!()
    }
    /// As [`Self::ensure_scalar`], for a table function.
    pub fn ensure_table(&mut self, _function: &TableFunction) -> Result<()> {
        unimplemented!()
    }
    /// As [`Self::ensure_scalar`], for a collation.
    pub fn ensure_collation(&mut self, _collation: &Collation) -> Result<()> {
        unimplemented!()
    }

    /// Lends a value to all host functions called from now on, until it is replaced.
    pub fn set_context(&mut self, _context: Option<Arc<dyn Any + Send + Sync>>) {
        unimplemented!()
    }

    /// The handle that stops this connection's statements.
    pub fn interrupt(&self) -> Interrupt {
        unimplemented!()
    }
    /// Lets statements run again after an interrupt.
    pub fn clear_interrupt(&self) {
        unimplemented!()
    }
    /// Ends any statement that is still running at this moment with [`crate::ErrorKind::Interrupted`].
    pub fn set_deadline(&mut self, _deadline: Option<Instant>) {
        unimplemented!()
    }
    /// Ends the running statement with [`crate::ErrorKind::BudgetExhausted`] after about so many thousand virtual
    /// machine instructions; `None` for no limit. Counted anew from this call.
    pub fn set_budget(&mut self, _kilo_instructions: Option<u32>) {
        unimplemented!()
    }

    /// The statement for this text (one statement), from the cache or newly prepared.
    pub fn prepare(&mut self, _sql: &str) -> Result<Statement> {
        unimplemented!()
    }
    /// Gives parameter `index` (from 1) a value.
    pub fn bind(&mut self, _statement: &mut Statement, _index: usize, _value: ValueRef<'_>) -> Result<()> {
        unimplemented!()
    }
    /// Runs to the next row.
    pub fn step<'a>(&'a mut self, _statement: &'a mut Statement) -> Result<Option<RowRef<'a>>> {
        unimplemented!()
    }
    /// Makes the statement ready to be bound and run anew.
    pub fn reset(&mut self, _statement: &mut Statement) {
        unimplemented!()
    }
    /// Prepares, binds and runs to the end; how many rows it changed.
    pub fn execute(&mut self, _sql: &str, _parameters: &[Value]) -> Result<usize> {
        unimplemented!()
    }
    /// Prepares, binds and runs to the end, all rows.
    pub fn query(&mut self, _sql: &str, _parameters: &[Value]) -> Result<Vec<Vec<Value>>> {
        unimplemented!()
    }
    /// The rowid of the last row inserted.
    pub fn last_insert_rowid(&self) -> i64 {
        unimplemented!()
    }

    /// Begins a transaction that reads one snapshot, taken now.
    pub fn begin_read(&mut self) -> Result<()> {
        unimplemented!()
    }
    /// Begins a transaction that may write. The caller holds the database's [`crate::WriteLock`].
    pub fn begin_write(&mut self) -> Result<()> {
        unimplemented!()
    }
    /// Turns a read transaction into a writing one; [`crate::ErrorKind::StaleSnapshot`] when others have committed since.
    pub fn upgrade(&mut self) -> Result<()> {
        unimplemented!()
    }
    /// Ends the transaction, keeping its effects. They are in the log file but perhaps not on disk yet:
    /// see [`crate::Database::flush`].
    pub fn commit(&mut self) -> Result<()> {
        unimplemented!()
    }
    /// Ends the transaction without effects. Never fails: what SQLite has already rolled back stays so.
    pub fn rollback(&mut self) {
        unimplemented!()
    }
    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        unimplemented!()
    }
    /// Sets a savepoint inside the transaction.
    pub fn savepoint(&mut self, _name: &str) -> Result<()> {
        unimplemented!()
    }
    /// Forgets a savepoint, keeping what came after it.
    pub fn release(&mut self, _name: &str) -> Result<()> {
        unimplemented!()
    }
    /// Undoes what came after a savepoint, and keeps the savepoint.
    pub fn rollback_to(&mut self, _name: &str) -> Result<()> {
        unimplemented!()
    }
}

impl RowRef<'_> {
    /// How many columns it has.
    #[allow(clippy::len_without_is_empty, reason = "a row always has columns")]
    pub fn len(&self) -> usize {
        unimplemented!()
    }
    /// The value of column `index` (from 0).
    pub fn get(&self, _index: usize) -> ValueRef<'_> {
        unimplemented!()
    }
}
