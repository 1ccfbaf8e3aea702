//! The function table: what evaluates each function of `pg_proc`.
//!
//! `pg_proc` gives name, argument types, result, strictness and volatility (built-in rows are PostgreSQL's own). This
//! table gives the body, by `pg_proc.prosrc` (the C symbol in PostgreSQL), so that a reader who knows PostgreSQL finds
//! `int4pl` under its name. Operators and casts are functions like any other. A `pg_proc` row without an entry here
//! resolves, and is then refused with 0A000 by name.
//!
//! One file for each family, with one table or a few; [`FAMILIES`] lists them all. [`of`] finds the entry of a row.

mod aggregate;
pub(crate) mod arguments;
mod array;
mod bits;
mod bytes;
mod cast;
mod compare;
mod date_patterns;
mod datetime;
mod datetime_fields;
mod encoding;
mod float;
mod formatting;
mod hash;
mod integer;
mod interval;
mod json;
mod jsonb;
mod miscellaneous;
mod network;
mod number_patterns;
mod numeric;
mod pattern;
mod range;
mod regex;
mod series;
mod statistics;
mod strings;
pub mod system;
mod window;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use storage::{AggregateState, Connection};

use crate::catalog::{Catalog, Procedure};
use crate::oid::languages;
use crate::session::StatementContext;
use crate::types::TypeContext;
use crate::{Oid, Result, Value, ValueRef};

/// One entry: a symbol and what it does.
pub struct Function {
    /// `pg_proc.prosrc` of a function in language `internal`; for an aggregate (whose `prosrc` is `aggregate_dummy`)
    /// and a built-in in language `sql` its signature, `name(type,type)` with internal type names: `sum(int4)`,
    /// `count()`, `count(any)`, `array_agg(anynonarray)`.
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
    date_patterns::FUNCTIONS,
    number_patterns::FUNCTIONS,
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
    system::transactions::FUNCTIONS,
    aggregate::EXTREMES,
    aggregate::FUNCTIONS,
    array::FUNCTIONS,
    bits::FUNCTIONS,
    bytes::FUNCTIONS,
    cast::FUNCTIONS,
    compare::PLAIN,
    compare::KEYED,
    compare::TRIMMED,
    compare::EXTREMES,
    encoding::FUNCTIONS,
    float::ARITHMETIC,
    float::FUNCTIONS,
    formatting::FUNCTIONS,
    hash::FUNCTIONS,
    integer::ARITHMETIC,
    integer::OF_ONE_TYPE,
    integer::OTHERS,
    miscellaneous::FUNCTIONS,
    network::FUNCTIONS,
    numeric::FUNCTIONS,
    pattern::FUNCTIONS,
    range::FUNCTIONS,
    regex::OPERATORS,
    regex::FUNCTIONS,
    series::FUNCTIONS,
    statistics::SPREADS,
    statistics::FUNCTIONS,
    strings::FUNCTIONS,
    window::FUNCTIONS,
];

static BY_SYMBOL: LazyLock<HashMap<&'static str, &'static Function>> =
    LazyLock::new(|| FAMILIES.iter().flat_map(|family| family.iter()).map(|f| (f.symbol, f)).collect());

/// The entry for a symbol.
pub fn by_symbol(symbol: &str) -> Option<&'static Function> {
    BY_SYMBOL.get(symbol).copied()
}

/// The entry of a built-in `pg_proc` row: by `prosrc`, or by signature for aggregates and language `sql`.
pub fn of(procedure: &Procedure, catalog: &Catalog) -> Option<&'static Function> {
    if procedure.prosrc == "aggregate_dummy" || procedure.prolang == languages::SQL {
        return by_symbol(&signature(procedure, catalog));
    }
    by_symbol(&procedure.prosrc).or_else(|| miscellaneous::form_of_type(procedure, catalog))
}

/// `name(type,type)` with internal type names.
pub fn signature(procedure: &Procedure, catalog: &Catalog) -> String {
    let name = |ty: &Oid| catalog.type_(*ty).map_or_else(|| ty.to_string(), |row| row.typname.clone());
    let types: Vec<_> = procedure.proargtypes.iter().map(name).collect();
    format!("{}({})", procedure.proname, types.join(","))
}

pub use system::session::sql_value;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_entry_belongs_to_a_function_of_postgresql() {
        let catalog = Catalog::built_in();
        let mut known: HashSet<String> = HashSet::new();
        let mut covered = 0;
        for row in catalog.relation::<Procedure>().rows() {
            covered += usize::from(of(&row, &catalog).is_some());
            known.insert(row.prosrc.clone());
            known.insert(signature(&row, &catalog));
        }
        let (mut seen, mut unknown, mut twice) = (HashSet::new(), Vec::new(), Vec::new());
        for entry in FAMILIES.iter().flat_map(|family| family.iter()) {
            if !known.contains(entry.symbol) {
                unknown.push(entry.symbol);
            }
            if !seen.insert(entry.symbol) {
                twice.push(entry.symbol);
            }
        }
        assert!(unknown.is_empty(), "no functions of pg_proc: {unknown:?}");
        assert!(twice.is_empty(), "two bodies: {twice:?}");
        assert!(covered > 1500, "only {covered} rows have a body");
    }
}
