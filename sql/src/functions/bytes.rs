//! Functions of bytea and uuid.
//!
//! Source: `src/backend/utils/adt/varlena.c`, `uuid.c`.

use crate::types::bytes::blob;
use crate::{Result, Value, error};

use super::Function;
use super::arguments::{int4, integer, native, scalar};
use super::strings::window;

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("byteacat", |_, v| Ok(Value::Blob([blob(v[0])?, blob(v[1])?].concat()))),
    native("byteaoctetlen", "length({0})"),
    native("bit_length(bytea)", "(length({0}) * 8)"),
    scalar("bytea_substr", |_, v| {
        substring(blob(v[0])?, int4(v[1])?, Some(int4(v[2])?)).map(|b| Value::Blob(b.to_vec()))
    }),
    scalar("bytea_substr_no_len", |_, v| {
        substring(blob(v[0])?, int4(v[1])?, None).map(|b| Value::Blob(b.to_vec()))
    }),
    scalar("byteaoverlay", |_, v| overlay(blob(v[0])?, blob(v[1])?, int4(v[2])?, int4(v[3])?)),
    scalar("byteaoverlay_no_len", |_, v| {
        let replacement = blob(v[1])?;
        overlay(blob(v[0])?, replacement, int4(v[2])?, replacement.len() as i32)
    }),
    scalar("byteapos", |_, v| {
        let (source, searched) = (blob(v[0])?, blob(v[1])?);
        let found = match searched.is_empty() {
            true => Some(0),
            false => source.windows(searched.len()).position(|w| w == searched),
        };
        Ok(Value::Integer(found.map_or(0, |at| at as i64 + 1)))
    }),
    scalar("byteatrim", |_, v| Ok(Value::Blob(trim(blob(v[0])?, blob(v[1])?, true, true).to_vec()))),
    scalar("bytealtrim", |_, v| Ok(Value::Blob(trim(blob(v[0])?, blob(v[1])?, true, false).to_vec()))),
    scalar("byteartrim", |_, v| Ok(Value::Blob(trim(blob(v[0])?, blob(v[1])?, false, true).to_vec()))),
    scalar("byteaGetByte", |_, v| {
        let bytes = blob(v[0])?;
        Ok(Value::Integer(bytes[index(int4(v[1])?.into(), bytes.len())?].into()))
    }),
    scalar("byteaSetByte", |_, v| {
        let mut bytes = blob(v[0])?.to_vec();
        let at = index(int4(v[1])?.into(), bytes.len())?;
        bytes[at] = int4(v[2])? as u8;
        Ok(Value::Blob(bytes))
    }),
    scalar("byteaGetBit", |_, v| {
        let bytes = blob(v[0])?;
        let at = index(integer(v[1])?, bytes.len() * 8)?;
        Ok(Value::Integer((bytes[at / 8] >> (at % 8) & 1).into()))
    }),
    scalar("byteaSetBit", |_, v| {
        let mut bytes = blob(v[0])?.to_vec();
        let at = index(integer(v[1])?, bytes.len() * 8)?;
        match int4(v[2])? {
            0 => bytes[at / 8] &= !(1 << (at % 8)),
            1 => bytes[at / 8] |= 1 << (at % 8),
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
        }
        Ok(Value::Blob(bytes))
    }),
    scalar("bytea_bit_count", |_, v| {
        Ok(Value::Integer(blob(v[0])?.iter().map(|b| i64::from(b.count_ones())).sum()))
    }),
    scalar("gen_random_uuid", |_, _| Ok(Value::Blob(uuid::Uuid::new_v4().as_bytes().to_vec()))),
];

fn substring(source: &[u8], start: i32, length: Option<i32>) -> Result<&[u8]> {
    let (first, end) = window(start, length)?;
    let end = end.unwrap_or(source.len()).min(source.len());
    Ok(source.get(first..end).unwrap_or_default())
}

fn overlay(source: &[u8], replacement: &[u8], start: i32, length: i32) -> Result<Value> {
    if start <= 0 {
        return Err(error!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let (before, rest) = (substring(source, 1, Some(start - 1))?, substring(source, after, None)?);
    Ok(Value::Blob([before, replacement, rest].concat()))
}

fn trim<'a>(source: &'a [u8], set: &[u8], front: bool, back: bool) -> &'a [u8] {
    let outside = |byte: &u8| !set.contains(byte);
    let from = if front { source.iter().position(outside).unwrap_or(source.len()) } else { 0 };
    let to = if back { source.iter().rposition(outside).map_or(0, |at| at + 1) } else { source.len() };
    source.get(from..to).unwrap_or_default()
}

fn index(at: i64, length: usize) -> Result<usize> {
    usize::try_from(at).ok().filter(|at| *at < length).ok_or_else(|| {
        let last = length as i64 - 1;
        error!(ARRAY_SUBSCRIPT_ERROR, "index {at} out of valid range, 0..{last}")
    })
}
