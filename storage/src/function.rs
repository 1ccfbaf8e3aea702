//! Functions, aggregates, collations and tables that the host lends to SQLite. They are registered on a connection when
//! a statement first needs them, because registering everything would make each connection slow to open.

use std::any::Any;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::{Connection, Value, ValueRef};

/// What a host function returns when it refuses. It travels to the caller of the statement unchanged, as
/// [`crate::ErrorKind::Host`].
pub type HostError = Box<dyn std::error::Error + Send + Sync>;

/// What a host function sees besides its arguments.
pub struct CallContext<'a> {
    /// What [`Connection::set_context`] lent to the statement.
    pub context: Option<&'a Arc<dyn Any + Send + Sync>>,
    /// The connection that runs the statement, for statements inside statements.
    pub connection: &'a mut Connection,
}

/// A function of a row's values.
#[derive(Clone)]
pub struct ScalarFunction {
    /// Its name in SQL text; unique among all functions.
    pub name: Arc<str>,
    /// Whether equal arguments give equal results, so that it may stand in an index and be factored out of loops.
    pub deterministic: bool,
    /// What it does. Called with any number of arguments.
    #[allow(clippy::type_complexity, reason = "the type is said once, here")]
    pub body: Arc<dyn Fn(&mut CallContext<'_>, &[ValueRef<'_>]) -> Result<Value, HostError> + Send + Sync>,
}

/// A function of many rows' values; also usable as a window function.
#[derive(Clone)]
pub struct AggregateFunction {
    /// Its name in SQL text; unique among all functions.
    pub name: Arc<str>,
    /// Makes the state for one group.
    pub start: Arc<dyn Fn() -> Box<dyn AggregateState> + Send + Sync>,
}

/// The state of one group of an aggregate.
pub trait AggregateState: Send {
    /// Takes one row's arguments in.
    fn step(&mut self, call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError>;
    /// Takes one row's arguments out again, as a moving window frame asks.
    fn inverse(&mut self, call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError>;
    /// The result over the rows now inside. May be called many times (window frames).
    fn value(&self, call: &mut CallContext<'_>) -> Result<Value, HostError>;
}

/// An ordering of text.
#[derive(Clone)]
pub struct Collation {
    /// Its name in SQL text.
    pub name: Arc<str>,
    /// The ordering: total, and stable over time, since indexes are kept in it.
    pub compare: fn(&str, &str) -> Ordering,
}

/// The rows a table function gives, one at a time.
pub type RowIterator = Box<dyn Iterator<Item = Result<Vec<Value>, HostError>> + Send>;

/// How SQLite asks a table function for rows.
pub struct TableScan<'a> {
    /// The arguments, for a function called as `name(a, b)`.
    pub arguments: &'a [ValueRef<'a>],
    /// The key that was chosen, an index into [`TableFunction::keys`], with a value for each of its columns.
    pub key: Option<(usize, &'a [ValueRef<'a>])>,
}

/// A function that gives rows, called in FROM as `name(a, b)` or, without arguments, as a table `name`
/// (an eponymous virtual table).
#[derive(Clone)]
pub struct TableFunction {
    /// Its name in SQL text; unique among all tables.
    pub name: Arc<str>,
    /// The names of its visible columns.
    pub columns: Arc<[String]>,
    /// How many arguments it takes: hidden columns which every scan must bind. A plan without them is not offered.
    pub arguments: usize,
    /// The sets of columns (positions) by which it can look rows up with `=`. Rows it gives for a key need not match
    /// it: SQLite checks again.
    pub keys: Arc<[Vec<usize>]>,
    /// Begins a scan.
    #[allow(clippy::type_complexity, reason = "the type is said once, here")]
    pub scan:
        Arc<dyn Fn(&mut CallContext<'_>, TableScan<'_>) -> Result<RowIterator, HostError> + Send + Sync>,
}
