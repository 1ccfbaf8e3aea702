//! The helper functions of `information_schema`, which PostgreSQL writes in SQL. They are keyed by signature.
//!
//! Source: `src/backend/catalog/information_schema.sql`.

use crate::functions::arguments::{Rows, int4, integer, known, oid, rows, scalar};
use crate::functions::{Function, FunctionCall};
use crate::oid::types;
use crate::types::array::Array;
use crate::types::record;
use crate::{Oid, Result, Value, ValueRef};

/// What a text type's modifier counts in front of the length.
const LENGTH_HEADER: i32 = 4;

fn modified(arguments: &[ValueRef<'_>]) -> Result<(Oid, i32)> {
    Ok((oid(arguments[0])?, int4(arguments[1])?))
}

fn length(ty: Oid, modifier: i32) -> Option<i32> {
    match ty {
        _ if modifier == -1 => None,
        types::BPCHAR | types::VARCHAR => Some(modifier - LENGTH_HEADER),
        types::BIT | types::VARBIT => Some(modifier),
        _ => None,
    }
}

/// The longest text in bytes: four for each character of UTF-8.
fn octets(ty: Oid, modifier: i32) -> Option<i64> {
    const UNBOUNDED: i64 = 1 << 30;
    match ty {
        types::TEXT | types::BPCHAR | types::VARCHAR if modifier == -1 => Some(UNBOUNDED),
        types::BPCHAR | types::VARCHAR => Some(i64::from(modifier - LENGTH_HEADER) * 4),
        types::TEXT => Some(UNBOUNDED),
        _ => None,
    }
}

fn precision(ty: Oid, modifier: i32) -> Option<i32> {
    match ty {
        types::INT2 => Some(16),
        types::INT4 => Some(32),
        types::INT8 => Some(64),
        types::NUMERIC if modifier == -1 => None,
        types::NUMERIC => Some(((modifier - LENGTH_HEADER) >> 16) & 0xFFFF),
        types::FLOAT4 => Some(24),
        types::FLOAT8 => Some(53),
        _ => None,
    }
}

fn radix(ty: Oid) -> Option<i64> {
    match ty {
        types::INT2 | types::INT4 | types::INT8 | types::FLOAT4 | types::FLOAT8 => Some(2),
        types::NUMERIC => Some(10),
        _ => None,
    }
}

fn scale(ty: Oid, modifier: i32) -> Option<i32> {
    match ty {
        types::INT2 | types::INT4 | types::INT8 => Some(0),
        types::NUMERIC if modifier == -1 => None,
        types::NUMERIC => Some((modifier - LENGTH_HEADER) & 0xFFFF),
        _ => None,
    }
}

fn datetime_precision(ty: Oid, modifier: i32) -> Option<i32> {
    match ty {
        types::DATE => Some(0),
        types::TIME | types::TIMESTAMP | types::TIMETZ | types::TIMESTAMPTZ => {
            Some(if modifier < 0 { 6 } else { modifier })
        }
        types::INTERVAL => {
            Some(if modifier < 0 || modifier & 0xFFFF == 0xFFFF { 6 } else { modifier & 0xFFFF })
        }
        _ => None,
    }
}

/// The fields of an interval type, upper-case (`YEAR TO MONTH`).
fn interval_type(call: &FunctionCall<'_>, ty: Oid, modifier: i32) -> Option<String> {
    if ty != types::INTERVAL {
        return None;
    }
    let name = crate::types::format_type(
        crate::bound::TypeMod { oid: ty, modifier },
        &call.context.catalog,
        &call.context.search_path,
    );
    let fields = name.strip_prefix("interval")?.split('(').next()?.trim();
    (!fields.is_empty()).then(|| fields.to_ascii_uppercase())
}

/// `pg_attribute` and `pg_type` rows as composites: the type of a column, or the type under its domain.
fn true_type(arguments: &[ValueRef<'_>], modifier: bool) -> Result<Value> {
    const ATTRIBUTE_TYPE: usize = 2;
    const ATTRIBUTE_MODIFIER: usize = 8;
    const TYPE_KIND: usize = 6;
    const TYPE_BASE: usize = 24;
    const TYPE_MODIFIER: usize = 25;
    let (attribute, ty) = (record::fields(arguments[0])?, record::fields(arguments[1])?);
    let is_domain = matches!(ty.get(TYPE_KIND), Some((_, Value::Text(kind))) if kind == "d");
    let (fields, position) = match (is_domain, modifier) {
        (true, false) => (&ty, TYPE_BASE),
        (true, true) => (&ty, TYPE_MODIFIER),
        (false, false) => (&attribute, ATTRIBUTE_TYPE),
        (false, true) => (&attribute, ATTRIBUTE_MODIFIER),
    };
    Ok(fields.get(position).map(|(_, value)| value.clone()).unwrap_or_default())
}

fn expand_array(_: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    if arguments[0].is_null() {
        return Ok(known(Vec::new()));
    }
    let elements = match Array::from_value(arguments[0]) {
        Ok(array) => array.elements,
        // int2vector and oidvector: numbers between blanks.
        Err(error) => match arguments[0] {
            ValueRef::Text(text) if text.bytes().all(|b| b.is_ascii_digit() || b == b' ' || b == b'-') => {
                text.split_whitespace()
                    .filter_map(|part| part.parse::<i64>().ok())
                    .map(Value::Integer)
                    .collect::<Vec<_>>()
                    .into()
            }
            _ => return Err(error),
        },
    };
    let numbered = elements.into_iter().enumerate();
    Ok(Box::new(numbered.map(|(position, element)| Ok(vec![element, (position as i64 + 1).into()]))))
}

/// The position, from 1, of a column in an index.
fn index_position(call: &FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (index, column) = (oid(arguments[0])?, integer(arguments[1])?);
    let found = call.context.catalog.index(index);
    let position = found.and_then(|index| index.indkey.iter().position(|key| i64::from(*key) == column));
    Ok(position.map(|position| position as i64 + 1).into())
}

/// The helpers.
pub const FUNCTIONS: &[Function] = &[
    rows("_pg_expandarray(anyarray)", expand_array),
    scalar("_pg_index_position(oid,int2)", |call, a| index_position(call, a)),
    scalar("_pg_truetypid(pg_attribute,pg_type)", |_, a| true_type(a, false)),
    scalar("_pg_truetypmod(pg_attribute,pg_type)", |_, a| true_type(a, true)),
    scalar("_pg_char_max_length(oid,int4)", |_, a| {
        let (ty, modifier) = modified(a)?;
        Ok(length(ty, modifier).map(i64::from).into())
    }),
    scalar("_pg_char_octet_length(oid,int4)", |_, a| {
        let (ty, modifier) = modified(a)?;
        Ok(octets(ty, modifier).into())
    }),
    scalar("_pg_numeric_precision(oid,int4)", |_, a| {
        let (ty, modifier) = modified(a)?;
        Ok(precision(ty, modifier).map(i64::from).into())
    }),
    scalar("_pg_numeric_precision_radix(oid,int4)", |_, a| Ok(radix(modified(a)?.0).into())),
    scalar("_pg_numeric_scale(oid,int4)", |_, a| {
        let (ty, modifier) = modified(a)?;
        Ok(scale(ty, modifier).map(i64::from).into())
    }),
    scalar("_pg_datetime_precision(oid,int4)", |_, a| {
        let (ty, modifier) = modified(a)?;
        Ok(datetime_precision(ty, modifier).map(i64::from).into())
    }),
    scalar("_pg_interval_type(oid,int4)", |call, a| {
        let (ty, modifier) = modified(a)?;
        Ok(interval_type(call, ty, modifier).into())
    }),
];
