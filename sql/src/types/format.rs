//! How types are spelled in SQL, with their modifiers: `character varying(80)`, `timestamp(3) without time zone`.
//!
//! Source: `src/backend/utils/adt/format_type.c` and the `typmodin`/`typmodout` functions.

use crate::bound::TypeMod;
use crate::catalog::Catalog;
use crate::oid::types;
use crate::{Oid, Result, error};

use super::names::quote_identifier;
use super::text::MODIFIER_HEADER;

/// The most characters of varchar(n) and char(n) (PostgreSQL's `MaxAttrSize`).
const LENGTH_MAX: i32 = 10_485_760;
/// The most bits of bit(n) (PostgreSQL's `MaxAttrSize * BITS_PER_BYTE`).
const BITS_MAX: i32 = 83_886_080;
/// The most digits of numeric(p,s).
const NUMERIC_PRECISION_MAX: i32 = 1000;
/// The farthest scale of numeric(p,s), to either side.
const NUMERIC_SCALE_MAX: i32 = 1000;
/// The most fractional digits of seconds.
const SECOND_PRECISION_MAX: i32 = 6;
/// The half of an interval's modifier that says "all fields".
const INTERVAL_FULL_RANGE: i32 = 0x7FFF;
/// The half of an interval's modifier that says "no precision".
const INTERVAL_FULL_PRECISION: i32 = 0xFFFF;

/// The fields of an interval by their mask (`1 << field`, with PostgreSQL's field numbers).
const INTERVAL_RANGES: &[(i32, &str)] = &[
    (1 << 2, " year"),
    (1 << 1, " month"),
    (1 << 3, " day"),
    (1 << 10, " hour"),
    (1 << 11, " minute"),
    (1 << 12, " second"),
    (1 << 2 | 1 << 1, " year to month"),
    (1 << 3 | 1 << 10, " day to hour"),
    (1 << 3 | 1 << 10 | 1 << 11, " day to minute"),
    (1 << 3 | 1 << 10 | 1 << 11 | 1 << 12, " day to second"),
    (1 << 10 | 1 << 11, " hour to minute"),
    (1 << 10 | 1 << 11 | 1 << 12, " hour to second"),
    (1 << 11 | 1 << 12, " minute to second"),
    (INTERVAL_FULL_RANGE, ""),
];

/// The words of types that the grammar spells otherwise than the catalog: before the modifier and after it.
fn spelling(ty: Oid) -> Option<(&'static str, &'static str)> {
    Some(match ty {
        types::BOOL => ("boolean", ""),
        types::INT8 => ("bigint", ""),
        types::INT2 => ("smallint", ""),
        types::INT4 => ("integer", ""),
        types::FLOAT4 => ("real", ""),
        types::FLOAT8 => ("double precision", ""),
        types::BPCHAR => ("character", ""),
        types::VARCHAR => ("character varying", ""),
        types::NUMERIC => ("numeric", ""),
        types::TIME => ("time", " without time zone"),
        types::TIMETZ => ("time", " with time zone"),
        types::TIMESTAMP => ("timestamp", " without time zone"),
        types::TIMESTAMPTZ => ("timestamp", " with time zone"),
        types::INTERVAL => ("interval", ""),
        types::BIT => ("bit", ""),
        types::VARBIT => ("bit varying", ""),
        _ => return None,
    })
}

/// The SQL spelling of a type: `character varying(80)`, `integer[]`, `sales.mood`. Without a modifier `char(n)` is
/// `character`, as in messages; the SQL function `format_type(bpchar, -1)` tells the difference itself.
pub fn format_type(ty: TypeMod, catalog: &Catalog, search_path: &[Oid]) -> String {
    if ty.oid == Oid::INVALID {
        return "-".to_owned();
    }
    if let Some((before, after)) = spelling(ty.oid) {
        return format!("{before}{}{after}", modifier_text(ty.oid, ty.modifier));
    }
    let Some(row) = catalog.type_(ty.oid) else { return "???".to_owned() };
    if row.typlen == -1 && row.typelem.is_valid() && row.typstorage != 'p' {
        let element = TypeMod { oid: row.typelem, modifier: ty.modifier };
        return format!("{}[]", format_type(element, catalog, search_path));
    }
    let name = quote_identifier(&row.typname);
    let first = search_path.iter().find_map(|schema| catalog.type_named(*schema, &row.typname));
    match catalog.namespace(row.typnamespace) {
        Some(schema) if first.is_none_or(|t| t.oid != ty.oid) => {
            format!("{}.{name}", quote_identifier(&schema.nspname))
        }
        _ => name,
    }
}

/// A modifier as text, `(10,2)`; empty for none (the `typmodout` functions).
pub fn modifier_text(ty: Oid, modifier: i32) -> String {
    match ty {
        _ if modifier < 0 => String::new(),
        types::VARCHAR | types::BPCHAR if modifier > MODIFIER_HEADER => {
            format!("({})", modifier - MODIFIER_HEADER)
        }
        types::NUMERIC if modifier >= MODIFIER_HEADER => {
            let (precision, scale) = numeric_precision_scale(modifier);
            format!("({precision},{scale})")
        }
        types::TIME | types::TIMETZ | types::TIMESTAMP | types::TIMESTAMPTZ => format!("({modifier})"),
        types::BIT | types::VARBIT => format!("({modifier})"),
        types::INTERVAL => {
            let (fields, precision) = (modifier >> 16 & 0x7FFF, modifier & 0xFFFF);
            let words =
                INTERVAL_RANGES.iter().find(|(mask, _)| *mask == fields).map_or("", |(_, words)| *words);
            match precision {
                INTERVAL_FULL_PRECISION => words.to_owned(),
                _ => format!("{words}({precision})"),
            }
        }
        _ => String::new(),
    }
}

/// The precision and scale in a modifier of numeric, which is not -1.
pub(super) fn numeric_precision_scale(modifier: i32) -> (i32, i32) {
    let bits = modifier - MODIFIER_HEADER;
    // The scale has eleven bits and a sign.
    let scale = ((bits & 0x7FF) ^ 1024) - 1024;
    (bits >> 16 & 0xFFFF, scale)
}

/// A modifier as `format_type` shows it and the grammar reads it: from `(10,2)` to 655366 for this type. An interval
/// has a mask of its fields first (`1 << field` with PostgreSQL's numbers: year 2, month 1, day 3, hour 10, minute 11,
/// second 12; 0x7FFF for all), then perhaps a precision, as PostgreSQL's grammar hands them over.
///
/// # Errors
/// `22023` and `42601` as PostgreSQL's `typmodin` functions raise them.
pub fn modifier_from_arguments(ty: Oid, arguments: &[i32]) -> Result<i32> {
    match ty {
        types::VARCHAR => bounded("varchar", arguments, LENGTH_MAX).map(|n| n + MODIFIER_HEADER),
        types::BPCHAR => bounded("char", arguments, LENGTH_MAX).map(|n| n + MODIFIER_HEADER),
        types::BIT => bounded("bit", arguments, BITS_MAX),
        types::VARBIT => bounded("varbit", arguments, BITS_MAX),
        types::NUMERIC => numeric_modifier(arguments),
        types::TIME | types::TIMETZ | types::TIMESTAMP | types::TIMESTAMPTZ => match arguments {
            [precision] => second_precision(ty, *precision),
            _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid type modifier")),
        },
        types::INTERVAL => interval_modifier(arguments),
        _ => Err(error!(
            SYNTAX_ERROR,
            "type modifier is not allowed for type \"{}\"",
            spelling(ty).map_or_else(|| ty.to_string(), |(before, _)| before.to_owned())
        )),
    }
}

fn bounded(name: &str, arguments: &[i32], maximum: i32) -> Result<i32> {
    match arguments {
        [length] if *length < 1 => {
            Err(error!(INVALID_PARAMETER_VALUE, "length for type {name} must be at least 1"))
        }
        [length] if *length > maximum => {
            Err(error!(INVALID_PARAMETER_VALUE, "length for type {name} cannot exceed {maximum}"))
        }
        [length] => Ok(*length),
        _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid type modifier")),
    }
}

fn numeric_modifier(arguments: &[i32]) -> Result<i32> {
    let (precision, scale) = match arguments {
        [precision] => (*precision, 0),
        [precision, scale] => (*precision, *scale),
        _ => return Err(error!(INVALID_PARAMETER_VALUE, "invalid NUMERIC type modifier")),
    };
    if !(1..=NUMERIC_PRECISION_MAX).contains(&precision) {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC precision {precision} must be between 1 and {NUMERIC_PRECISION_MAX}"
        ));
    }
    if scale.abs() > NUMERIC_SCALE_MAX {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "NUMERIC scale {scale} must be between -{NUMERIC_SCALE_MAX} and {NUMERIC_SCALE_MAX}"
        ));
    }
    Ok((precision << 16 | scale & 0x7FF) + MODIFIER_HEADER)
}

fn second_precision(ty: Oid, precision: i32) -> Result<i32> {
    if precision < 0 {
        let name = if matches!(ty, types::TIME | types::TIMETZ) { "TIME" } else { "TIMESTAMP" };
        let zone = if matches!(ty, types::TIMETZ | types::TIMESTAMPTZ) { " WITH TIME ZONE" } else { "" };
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "{name}({precision}){zone} precision must not be negative"
        ));
    }
    Ok(precision.min(SECOND_PRECISION_MAX))
}

fn interval_modifier(arguments: &[i32]) -> Result<i32> {
    let invalid = || error!(INVALID_PARAMETER_VALUE, "invalid INTERVAL type modifier");
    let (fields, precision) = match arguments {
        [INTERVAL_FULL_RANGE] => return Ok(-1),
        [fields] => (*fields, INTERVAL_FULL_PRECISION),
        [_, precision] if *precision < 0 => {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "INTERVAL({precision}) precision must not be negative"
            ));
        }
        [fields, precision] => (*fields, (*precision).min(SECOND_PRECISION_MAX)),
        _ => return Err(invalid()),
    };
    if !INTERVAL_RANGES.iter().any(|(mask, _)| *mask == fields) {
        return Err(invalid());
    }
    Ok(fields << 16 | precision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modifiers_come_back_as_text() {
        let table: &[(Oid, &[i32], i32, &str)] = &[
            (types::VARCHAR, &[80], 84, "(80)"),
            (types::NUMERIC, &[10, 2], 655_366, "(10,2)"),
            (types::NUMERIC, &[5], 327_684, "(5,0)"),
            (types::NUMERIC, &[5, -2], 329_730, "(5,-2)"),
            (types::TIMESTAMP, &[3], 3, "(3)"),
            (types::BIT, &[3], 3, "(3)"),
            (types::INTERVAL, &[4], 327_679, " year"),
            (types::INTERVAL, &[0x1000, 3], 268_435_459, " second(3)"),
            (types::INTERVAL, &[0x7FFF, 2], 2_147_418_114, "(2)"),
        ];
        for (ty, arguments, modifier, text) in table {
            let made = modifier_from_arguments(*ty, arguments).unwrap();
            assert_eq!(modifier_text(*ty, made), *text);
            assert_eq!(made, *modifier, "{text}");
        }
    }

    #[test]
    fn refused_modifiers() {
        let message = |ty, arguments: &[i32]| modifier_from_arguments(ty, arguments).unwrap_err().0.message;
        assert_eq!(message(types::VARCHAR, &[0]), "length for type varchar must be at least 1");
        assert_eq!(message(types::BPCHAR, &[99_999_999]), "length for type char cannot exceed 10485760");
        assert_eq!(message(types::NUMERIC, &[0]), "NUMERIC precision 0 must be between 1 and 1000");
        assert_eq!(message(types::NUMERIC, &[5, 1001]), "NUMERIC scale 1001 must be between -1000 and 1000");
        assert_eq!(message(types::INTERVAL, &[3]), "invalid INTERVAL type modifier");
    }
}
