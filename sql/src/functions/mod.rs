//! The function table: what evaluates each function of `pg_proc`.
//!
//! `pg_proc` gives name, argument types, result, strictness and volatility (built-in rows are PostgreSQL's own). This
//! table gives the body, by `pg_proc.prosrc` (the C symbol in PostgreSQL), so that a reader who knows PostgreSQL finds
//! `int4pl` under its name. Operators and casts are functions like any other. A `pg_proc` row without an entry here
//! resolves, and is then refused with 0A000 by name.
//!
//! One file for each family; each ends in a table `FUNCTIONS`; [`FAMILIES`] lists them all.

pub(crate) mod arguments;
mod datetime;
mod datetime_fields;
mod formatting;
mod formatting_numbers;
mod interval;
mod json;
mod jsonb;
pub mod system;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use storage::{AggregateState, Connection};

use crate::session::StatementContext;
use crate::types::TypeContext;
use crate::{Oid, Result, Value, ValueRef};

/// One entry: a symbol and what it does.
pub struct Function {
    /// `pg_proc.prosrc` of a function in language `internal`; for a built-in in language `sql` its signature,
    /// `name(type,type)` with internal type names.
    pub symbol: &'static str,
    /// What it does.
    pub body: Body,
}

/// The ways in which a function is evaluated.
#[derive(Clone, Copy)]
pub enum Body {
    /// SQLite text with `{0}`, `{1}`, … for the arguments: only where SQLite means exactly the same, NULLs included
    /// (a strict function must give NULL for NULL by itself).
    Native(&'static str),
    /// Rust. Strict functions (`pg_proc.proisstrict`) are not called with NULLs.
    Scalar(ScalarBody),
    /// Rust that may wait (sleep, a lock, another process): its statement leaves the reactor thread first.
    Waiting(ScalarBody),
    /// An aggregate in Rust; makes the state of a group. Also serves as a window function through `inverse`.
    Aggregate(fn(&Arc<CallTypes>) -> Box<dyn AggregateState>),
    /// An aggregate or window function that SQLite has with exactly the same meaning, by its SQLite name.
    NativeWindow(&'static str),
    /// Rows: a set-returning function. Each row has one value for a scalar result, else one for each field.
    Rows(RowsBody),
}

/// The body of a scalar function.
pub type ScalarBody = fn(&mut FunctionCall<'_>, &[ValueRef<'_>]) -> Result<Value>;
/// The body of a set-returning function.
pub type RowsBody =
    fn(&mut FunctionCall<'_>, &[ValueRef<'_>]) -> Result<Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>>;

/// The actual types of one call site, polymorphic ones resolved.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CallTypes {
    /// `pg_proc.oid`.
    pub function: Oid,
    /// The arguments' types.
    pub arguments: Vec<Oid>,
    /// The result's type (of an element, for sets).
    pub result: Oid,
    /// The collation to compare by, zero for none.
    pub collation: Oid,
}

/// What a body sees besides its arguments.
pub struct FunctionCall<'a> {
    /// The session, its settings, the catalog as the statement sees it, the clock.
    pub context: &'a Arc<StatementContext>,
    /// The actual types.
    pub types: &'a CallTypes,
    /// The engine connection, for statements inside statements.
    pub connection: &'a mut Connection,
}

impl FunctionCall<'_> {
    /// What reading and writing values may look at.
    pub fn type_context(&self) -> TypeContext<'_> {
        self.context.type_context()
    }
}

/// All families.
pub const FAMILIES: &[&[Function]] = &[
    datetime::CLOCK,
    datetime::DATES,
    datetime::DATE_COMPARISONS,
    datetime::DATE_TIMESTAMP,
    datetime::DATE_TIMESTAMPTZ,
    datetime::FIELDS,
    datetime::OVERLAPS,
    datetime::TIMES,
    datetime::TIMESTAMPS,
    datetime::TIMESTAMPTZ_DATE,
    datetime::TIMESTAMPTZ_TIMESTAMP,
    datetime::TIMESTAMP_COMPARISONS,
    datetime::TIMESTAMP_DATE,
    datetime::TIMESTAMP_TIMESTAMPTZ,
    datetime::TIMETZ_COMPARISONS,
    datetime::TIME_COMPARISONS,
    datetime::ZONES,
    formatting::FUNCTIONS,
    formatting_numbers::FUNCTIONS,
    interval::COMPARISONS,
    interval::FUNCTIONS,
    json::FUNCTIONS,
    jsonb::COMPARISONS,
    jsonb::FUNCTIONS,
    system::control::FUNCTIONS,
    system::extensions::FUNCTIONS,
    system::information_schema::FUNCTIONS,
    system::objects::DEFINITIONS,
    system::objects::OBJECTS,
    system::privileges::ANY_COLUMN,
    system::privileges::DATABASE,
    system::privileges::FUNCTION,
    system::privileges::FUNCTIONS,
    system::privileges::LANGUAGE,
    system::privileges::PARAMETER,
    system::privileges::ROLE,
    system::privileges::SCHEMA,
    system::privileges::SEQUENCE,
    system::privileges::SERVER,
    system::privileges::TABLE,
    system::privileges::TABLESPACE,
    system::privileges::TYPE,
    system::privileges::WRAPPER,
    system::session::FUNCTIONS,
    system::settings::FUNCTIONS,
    system::sizes::FUNCTIONS,
    system::statistics::FUNCTIONS,
];

static BY_SYMBOL: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| FAMILIES.iter().flat_map(|family| family.iter()).map(|f| (f.symbol, f)).collect());

/// The entry for a symbol.
pub fn by_symbol(symbol: &str) -> Option<&'static Function> {
    BY_SYMBOL.get(symbol).copied()
}

pub use system::session::sql_value;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_symbol_has_one_body() {
        let mut seen = std::collections::HashSet::new();
        for function in FAMILIES.iter().flat_map(|family| family.iter()) {
            assert!(seen.insert(function.symbol), "{} has two bodies", function.symbol);
        }
    }
}
