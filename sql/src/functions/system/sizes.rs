//! Sizes, and how they are written. Manual, "Database Object Size Functions".
//!
//! SQLite keeps all tables of a database in one file. The size of a relation is what its pages take there, which the
//! engine tells where it was built to (`dbstat`); a database's is that of its file.

use crate::catalog::{Database, Tablespace};
use crate::execute::engine_error;
use crate::functions::arguments::{from_oid, integer, known, oid, rows, scalar, text};
use crate::functions::{Function, FunctionCall};
use crate::session::StatementContext;
use crate::types::integer::is_space;
use crate::types::numeric::Numeric;
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

/// `pg_global`: what all databases share.
const GLOBAL_TABLESPACE: Oid = Oid(1664);
/// A sequence has one page of PostgreSQL's. Here it is a row of a file that has all of them.
const SEQUENCE_BYTES: i64 = 8192;
/// The units of `pg_size_pretty`: name, bits of a unit, the limit below which it is used.
const UNITS: [(&str, u32); 6] = [("bytes", 0), ("kB", 10), ("MB", 20), ("GB", 30), ("TB", 40), ("PB", 50)];
/// A unit is used up to so many of it.
const UNIT_LIMIT: i128 = 10 * 1024;

/// A number of bytes in words, as `pg_size_pretty` rounds it.
pub(crate) fn pretty(bytes: i128) -> String {
    if bytes.abs() < UNIT_LIMIT {
        return format!("{bytes} bytes");
    }
    // One bit more than the unit is kept until the end, to round halves away from zero.
    for (position, (name, bits)) in UNITS.iter().enumerate().skip(1) {
        let doubled = bytes / (1 << (bits - 1));
        if doubled.abs() < UNIT_LIMIT * 2 - 1 || position == UNITS.len() - 1 {
            let rounded = if doubled >= 0 { (doubled + 1) / 2 } else { (doubled - 1) / 2 };
            return format!("{rounded} {name}");
        }
    }
    unreachable!("the last unit takes every size")
}

/// A size in words as a number of bytes: a number as C writes it, perhaps with an exponent, and a unit.
///
/// # Errors
/// `22023`, `22003`.
pub(crate) fn parse(text: &str) -> Result<i64> {
    let invalid = || error!(INVALID_PARAMETER_VALUE, "invalid size: \"{text}\"");
    let trimmed = text.trim_matches(is_space);
    let (number, unit) = trimmed.split_at(number_length(trimmed).ok_or_else(invalid)?);
    let unit = unit.trim_start_matches(is_space);
    let bits = if unit.is_empty() {
        0
    } else {
        let found = UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
        found.map(|(_, bits)| *bits).ok_or_else(|| {
            invalid()
                .detail(format!("Invalid size unit: \"{unit}\"."))
                .hint("Valid units are \"bytes\", \"kB\", \"MB\", \"GB\", \"TB\", and \"PB\".")
        })?
    };
    let bytes = Numeric::parse(number)?.multiply(&Numeric::integer(1_i64 << bits))?;
    bytes.to_integer("bigint", i64::MIN, i64::MAX)
}

/// How many bytes the number at the front of a text has; an `e` with no digits behind it belongs to the unit.
fn number_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let signs = |from: usize| usize::from(matches!(bytes.get(from), Some(b'+' | b'-')));
    let start = signs(0);
    let mut count = digits(start);
    let mut end = start + count;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        count += fraction;
        end += 1 + fraction;
    }
    if count == 0 {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let exponent = end + 1 + signs(end + 1);
        match digits(exponent) {
            0 => {}
            count => end = exponent + count,
        }
    }
    Some(end)
}

/// The bytes of a relation's pages; NULL when there is no such relation. A table without rows has none: the engine's page
/// that says so is not counted.
fn relation_size(call: &mut FunctionCall<'_>, relation: Oid) -> Result<Option<i64>> {
    let catalog = &call.context.catalog;
    let Some(class) = catalog.class(relation) else { return Ok(None) };
    let kept = matches!(class.relkind, 'r' | 'i' | 'S' | 't' | 'm') && relation >= crate::oid::FIRST_NORMAL;
    let Some(name) = catalog.physical_name(relation).filter(|_| kept) else { return Ok(Some(0)) };
    if class.relkind == 'S' {
        return Ok(Some(SEQUENCE_BYTES));
    }
    let cells_min = i64::from(class.relkind != 'i');
    // Page by page, not summed up by the engine, which would not ask meanwhile whether it is to stop.
    let sum = "SELECT CASE WHEN sum(ncell) >= ?2 THEN sum(pgsize) ELSE 0 END FROM dbstat WHERE name = ?1";
    let rows = call.connection.query(sum, &[Value::Text(name.to_string()), cells_min.into()]);
    Ok(Some(number(&rows.map_err(engine_error)?)?))
}

/// The number that a query of the engine has for its only row.
fn number(rows: &[Vec<Value>]) -> Result<i64> {
    match rows.first().map(Vec::as_slice) {
        Some([Value::Integer(number)]) => Ok(*number),
        _ => Err(SqlError::internal("the engine does not tell a size")),
    }
}

fn indexes_size(call: &mut FunctionCall<'_>, table: Oid) -> Result<Option<i64>> {
    if call.context.catalog.class(table).is_none() {
        return Ok(None);
    }
    let indexes = call.context.catalog.indexes(table);
    indexes.iter().try_fold(Some(0), |sum, index| {
        let size = relation_size(call, index.indexrelid)?.unwrap_or(0);
        Ok(sum.map(|sum| sum + size))
    })
}

fn database_size(call: &mut FunctionCall<'_>, database: Oid) -> Result<Value> {
    if database != call.context.session.database {
        return Ok(call.context.session.services.database_size(database)?.into());
    }
    let bytes = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size";
    let rows = call.connection.query(bytes, &[]).map_err(engine_error)?;
    Ok(number(&rows)?.into())
}

fn database_named(context: &StatementContext, name: &str) -> Result<Oid> {
    match context.catalog.database_named(name) {
        Some(database) => Ok(database.oid),
        None => Err(error!(UNDEFINED_DATABASE, "database \"{name}\" does not exist")),
    }
}

/// The bytes of everything in a tablespace. All databases are in `pg_default`; `pg_global` has what they share.
fn tablespace_size(call: &mut FunctionCall<'_>, tablespace: Oid) -> Result<Value> {
    let databases = call.context.catalog.relation::<Database>();
    if tablespace == GLOBAL_TABLESPACE {
        return Ok(call.context.session.services.database_size(Oid::INVALID)?.into());
    }
    let mut sum = 0;
    for database in databases.rows().filter(|database| database.dattablespace == tablespace) {
        sum += integer(database_size(call, database.oid)?.as_ref())?;
    }
    Ok(sum.into())
}

fn size(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let fork = arguments.get(1).map_or(Ok("main"), |fork| text(*fork))?;
    match fork {
        "main" => Ok(relation_size(call, oid(arguments[0])?)?.into()),
        "fsm" | "vm" | "init" => Ok(0.into()),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid fork name")
            .hint("Valid fork names are \"main\", \"fsm\", \"vm\", and \"init\".")),
    }
}

/// The bytes a value takes, as PostgreSQL would count its text or number.
fn column_size(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    const SHORT_HEADER: usize = 1;
    const LONG_HEADER: usize = 4;
    const SHORT_MAX: usize = 126;
    if arguments[0].is_null() {
        return Ok(Value::Null);
    }
    let length = call.context.catalog.type_(call.types.arguments[0]).map_or(-1, |ty| ty.typlen);
    if length > 0 {
        return Ok(i64::from(length).into());
    }
    let bytes = match arguments[0] {
        ValueRef::Text(text) => text.len(),
        ValueRef::Blob(bytes) => bytes.len(),
        _ => 8,
    };
    Ok(((bytes + if bytes <= SHORT_MAX { SHORT_HEADER } else { LONG_HEADER }) as i64).into())
}

/// Sizes.
pub const FUNCTIONS: &[Function] = &[
    scalar("pg_size_pretty", |_, a| Ok(pretty(i128::from(integer(a[0])?)).into())),
    scalar("pg_size_pretty_numeric", |call, a| {
        let shown =
            crate::functions::arguments::to_text(crate::oid::types::NUMERIC, a[0], &call.type_context())?;
        let whole: i128 = shown.split('.').next().unwrap_or("0").parse().unwrap_or(0);
        // Below the first unit a numeric keeps its fraction.
        Ok(if whole.abs() < UNIT_LIMIT { format!("{shown} bytes") } else { pretty(whole) }.into())
    }),
    scalar("pg_size_bytes", |_, a| Ok(parse(text(a[0])?)?.into())),
    scalar("pg_relation_size", size),
    scalar("pg_relation_size(regclass)", size),
    scalar("pg_table_size", |call, a| Ok(relation_size(call, oid(a[0])?)?.into())),
    scalar("pg_indexes_size", |call, a| Ok(indexes_size(call, oid(a[0])?)?.into())),
    scalar("pg_total_relation_size", |call, a| {
        let relation = oid(a[0])?;
        let Some(size) = relation_size(call, relation)? else { return Ok(Value::Null) };
        Ok((size + indexes_size(call, relation)?.unwrap_or(0)).into())
    }),
    scalar("pg_database_size_oid", |call, a| {
        let database = oid(a[0])?;
        let exists = call.context.catalog.database(database).is_some();
        if exists { database_size(call, database) } else { Ok(Value::Null) }
    }),
    scalar("pg_database_size_name", |call, a| {
        let database = database_named(call.context, text(a[0])?)?;
        database_size(call, database)
    }),
    scalar("pg_tablespace_size_oid", |call, a| tablespace_size(call, oid(a[0])?)),
    scalar("pg_tablespace_size_name", |call, a| {
        let name = text(a[0])?;
        let spaces = call.context.catalog.relation::<Tablespace>();
        let found = spaces.rows().find(|space| space.spcname == name).map(|space| space.oid);
        let missing = || error!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist");
        tablespace_size(call, found.ok_or_else(missing)?)
    }),
    scalar("pg_tablespace_location", |_, _| Ok("".into())),
    rows("pg_tablespace_databases", |call, _| Ok(known(vec![vec![from_oid(call.context.session.database)]]))),
    scalar("pg_column_size", column_size),
    scalar("pg_column_compression", |_, _| Ok(Value::Null)),
    scalar("pg_relation_filenode", |call, a| {
        let class = call.context.catalog.class(oid(a[0])?);
        let kept = class.filter(|class| matches!(class.relkind, 'r' | 'i' | 'S' | 't' | 'm'));
        Ok(kept.map_or(Value::Null, |class| {
            from_oid(if class.relfilenode.is_valid() { class.relfilenode } else { class.oid })
        }))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_in_postgresql() {
        let cases = [
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (-12_345_678, "-12 MB"),
            (10_485_247, "10239 kB"),
            (10_485_248, "10 MB"),
            (1_610_612_736, "1536 MB"),
            (i128::from(i64::MAX), "8192 PB"),
        ];
        for (bytes, text) in cases {
            assert_eq!(pretty(bytes), text);
        }
        assert_eq!(parse("1.5 GB").unwrap(), 1_610_612_736);
        assert_eq!(parse(" 12 ").unwrap(), 12);
        let read = [
            ("1e3 kB", 1_024_000),
            ("1E+3kb", 1_024_000),
            ("1e-2 MB", 10_486),
            ("-.5 kB", -512),
            ("5. kB", 5120),
            ("2.5", 3),
            ("-2.5", -3),
            ("123.4567891234 TB", 135_742_175_169_068),
            ("9223372036854775807", i64::MAX),
        ];
        for (text, bytes) in read {
            assert_eq!(parse(text).unwrap(), bytes, "{text}");
        }
        let refused = [
            ("1 b", "22023", Some("b")),
            ("1.5.5 kB", "22023", Some(".5 kB")),
            ("1e kB", "22023", Some("e kB")),
            ("1 kB x", "22023", Some("kB x")),
            ("1e3.5 kB", "22023", Some(".5 kB")),
            (".", "22023", None),
            ("+ 5 kB", "22023", None),
            ("NaN", "22023", None),
            ("8192 PB", "22003", None),
            ("1e100000 PB", "22003", None),
        ];
        for (text, code, unit) in refused {
            let error = parse(text).unwrap_err();
            assert_eq!(error.code().to_string(), code, "{text}");
            assert_eq!(error.0.detail, unit.map(|unit| format!("Invalid size unit: \"{unit}\".")), "{text}");
        }
        assert_eq!(parse("1 XB").unwrap_err().message(), "invalid size: \"1 XB\"");
    }
}
