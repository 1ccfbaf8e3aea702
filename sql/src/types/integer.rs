//! Whole numbers and what is stored as one: int2, int4, int8, oid, xid, xid8, cid, tid, pg_lsn.
//!
//! Source: `src/backend/utils/adt/numutils.c`, `oid.c`, `xid.c`, `tid.c`, `pg_lsn.c`.

use std::fmt::Write;

use bytes::BufMut;

use crate::oid::types;
use crate::{Oid, Result, Value, ValueRef, error};

use super::{StorageForm, TypeEntry, exact_bytes, invalid_syntax, wrong_form};

/// `pg_lsn`, which the list of types does not name.
const PG_LSN: Oid = Oid(3220);
/// `pg_lsn[]`.
const PG_LSN_ARRAY: Oid = Oid(3221);

macro_rules! whole_number {
    ($oid:ident, $array:ident, $native:ty, $name:literal, $input:expr) => {
        TypeEntry {
            oid: types::$oid,
            array: types::$array,
            form: StorageForm::Integer,
            input: |text, _, _| $input(text).map(Value::Integer),
            output: |value, _, out| {
                out.push_str(itoa::Buffer::new().format(integer(value, $name)? as $native));
                Ok(())
            },
            receive: Some(|bytes, _, _| {
                Ok(Value::Integer(<$native>::from_be_bytes(exact_bytes(bytes)?) as i64))
            }),
            send: Some(|value, _, out| {
                out.extend_from_slice(&(integer(value, $name)? as $native).to_be_bytes());
                Ok(())
            }),
        }
    };
}

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    whole_number!(INT2, _INT2, i16, "smallint", |text| parse_signed(
        text,
        "smallint",
        i16::MIN.into(),
        i16::MAX.into()
    )),
    whole_number!(INT4, _INT4, i32, "integer", |text| parse_signed(
        text,
        "integer",
        i32::MIN.into(),
        i32::MAX.into()
    )),
    whole_number!(INT8, _INT8, i64, "bigint", |text| parse_signed(text, "bigint", i64::MIN, i64::MAX)),
    whole_number!(OID, _OID, u32, "oid", |text| parse_unsigned(text, "oid")),
    whole_number!(XID, _XID, u32, "xid", parse_lenient),
    whole_number!(CID, _CID, u32, "cid", parse_lenient),
    whole_number!(XID8, _XID8, u64, "xid8", parse_lenient),
    TypeEntry {
        oid: types::TID,
        array: types::_TID,
        form: StorageForm::Integer,
        input: |text, _, _| parse_tid(text).map(Value::Integer).ok_or_else(|| invalid_syntax("tid", text)),
        output: |value, _, out| {
            let tid = integer(value, "tid")?;
            write!(out, "({},{})", tid >> 16, tid & 0xFFFF).expect("a String takes anything");
            Ok(())
        },
        receive: Some(|bytes, _, _| {
            let [.., high, low] = exact_bytes::<6>(bytes)?;
            let block = u32::from_be_bytes(exact_bytes(&bytes[..4])?);
            Ok(Value::Integer(i64::from(block) << 16 | i64::from(u16::from_be_bytes([high, low]))))
        }),
        send: Some(|value, _, out| {
            let tid = integer(value, "tid")?;
            out.put_u32((tid >> 16) as u32);
            out.put_u16(tid as u16);
            Ok(())
        }),
    },
    TypeEntry {
        oid: PG_LSN,
        array: PG_LSN_ARRAY,
        form: StorageForm::Integer,
        input: |text, _, _| parse_lsn(text).map(Value::Integer).ok_or_else(|| invalid_syntax("pg_lsn", text)),
        output: |value, _, out| {
            let lsn = integer(value, "pg_lsn")?;
            write!(out, "{:X}/{:X}", (lsn >> 32) as u32, lsn as u32).expect("a String takes anything");
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(Value::Integer(i64::from_be_bytes(exact_bytes(bytes)?)))),
        send: Some(|value, _, out| {
            out.put_i64(integer(value, "pg_lsn")?);
            Ok(())
        }),
    },
];

/// The integer in a stored value.
///
/// # Errors
/// `XX000` when it is none.
pub fn integer(value: ValueRef<'_>, what: &str) -> Result<i64> {
    match value {
        ValueRef::Integer(i) => Ok(i),
        _ => Err(wrong_form(what)),
    }
}

/// What C's `isspace` counts as blank.
pub(crate) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t'..='\r')
}

/// Reads an integer as `pg_strtoint32` and its kin do: blanks, a sign, decimal digits, blanks.
///
/// # Errors
/// `22P02` for anything else, `22003` beyond the bounds.
pub fn parse_signed(text: &str, ty: &str, minimum: i64, maximum: i64) -> Result<i64> {
    let number = text.trim_matches(is_space);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid_syntax(ty, text));
    }
    match number.parse::<i64>() {
        Ok(value) if (minimum..=maximum).contains(&value) => Ok(value),
        _ => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type {ty}")),
    }
}

/// Reads an unsigned 32-bit number as `oidin` does: a negative one means its complement.
///
/// # Errors
/// `22P02` and `22003`.
pub(crate) fn parse_unsigned(text: &str, ty: &str) -> Result<i64> {
    let number = text.trim_matches(is_space);
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid_syntax(ty, text));
    }
    match number.parse::<i64>() {
        Ok(value) if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&value) => {
            Ok((value as u32).into())
        }
        _ => Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "value \"{text}\" is out of range for type {ty}")),
    }
}

/// Reads digits and ignores the rest, as the input functions of transaction numbers do.
fn parse_lenient(text: &str) -> Result<i64> {
    let digits = text.trim_start_matches(is_space);
    let end = digits.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    Ok(digits[..end].parse::<u64>().unwrap_or(if end == 0 { 0 } else { u64::MAX }) as i64)
}

fn parse_tid(text: &str) -> Option<i64> {
    let (block, item) = text.trim_matches(is_space).strip_prefix('(')?.strip_suffix(')')?.split_once(',')?;
    let block: u32 = block.trim().parse().ok()?;
    let item: u16 = item.trim().parse().ok()?;
    Some(i64::from(block) << 16 | i64::from(item))
}

fn parse_lsn(text: &str) -> Option<i64> {
    let (high, low) = text.split_once('/')?;
    let valid = |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
    if !valid(high) || !valid(low) {
        return None;
    }
    let high = u32::from_str_radix(high, 16).ok()?;
    let low = u32::from_str_radix(low, 16).ok()?;
    Some(((u64::from(high) << 32) | u64::from(low)) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_refusals() {
        let parse = |text| parse_signed(text, "integer", i32::MIN.into(), i32::MAX.into());
        assert_eq!(parse(" -42\t").unwrap(), -42);
        assert_eq!(parse("x").unwrap_err().message(), "invalid input syntax for type integer: \"x\"");
        assert_eq!(parse("").unwrap_err().code().to_string(), "22P02");
        let large = parse("99999999999").unwrap_err();
        assert_eq!(large.message(), "value \"99999999999\" is out of range for type integer");
        assert_eq!(parse_unsigned("-1", "oid").unwrap(), 4_294_967_295);
    }

    #[test]
    fn numbers_in_two_parts() {
        assert_eq!(parse_lsn("16/B374D848"), Some(0x16_B374_D848));
        assert_eq!(parse_lsn("16/"), None);
        assert_eq!(parse_tid("(1,2)"), Some(65538));
    }
}
