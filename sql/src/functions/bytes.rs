//! Functions of bytea and uuid.
//!
//! Source: `src/backend/utils/adt/varlena.c`, `uuid.c`.

use crate::interrupt::{self, Turns};
use crate::types::bytes::blob;
use crate::{Result, Value, error};

use super::Function;
use super::arguments::{int4, integer, native, scalar};
use super::strings::window;

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("byteacat", |_, v| joined([blob(v[0])?, blob(v[1])?])),
    native("byteaoctetlen", "length({0})"),
    native("bit_length(bytea)", "(length({0}) * 8)"),
    scalar("bytea_substr", |_, v| {
        interrupt::copied(substring(blob(v[0])?, int4(v[1])?, Some(int4(v[2])?))?).map(Value::Blob)
    }),
    scalar("bytea_substr_no_len", |_, v| {
        interrupt::copied(substring(blob(v[0])?, int4(v[1])?, None)?).map(Value::Blob)
    }),
    scalar("byteaoverlay", |_, v| overlay(blob(v[0])?, blob(v[1])?, int4(v[2])?, int4(v[3])?)),
    scalar("byteaoverlay_no_len", |_, v| {
        let replacement = blob(v[1])?;
        overlay(blob(v[0])?, replacement, int4(v[2])?, replacement.len() as i32)
    }),
    scalar("byteapos", |_, v| {
        let found = find(blob(v[0])?, blob(v[1])?)?;
        Ok(Value::Integer(found.map_or(0, |at| at as i64 + 1)))
    }),
    scalar("byteatrim", |_, v| trim(blob(v[0])?, blob(v[1])?, true, true)),
    scalar("bytealtrim", |_, v| trim(blob(v[0])?, blob(v[1])?, true, false)),
    scalar("byteartrim", |_, v| trim(blob(v[0])?, blob(v[1])?, false, true)),
    scalar("byteaGetByte", |_, v| {
        let bytes = blob(v[0])?;
        Ok(Value::Integer(bytes[index(int4(v[1])?.into(), bytes.len())?].into()))
    }),
    scalar("byteaSetByte", |_, v| {
        let mut bytes = interrupt::copied(blob(v[0])?)?;
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
        let mut bytes = interrupt::copied(blob(v[0])?)?;
        let at = index(integer(v[1])?, bytes.len() * 8)?;
        match int4(v[2])? {
            0 => bytes[at / 8] &= !(1 << (at % 8)),
            1 => bytes[at / 8] |= 1 << (at % 8),
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
        }
        Ok(Value::Blob(bytes))
    }),
    scalar("bytea_bit_count", |_, v| {
        let ones = |piece: &[u8]| piece.iter().map(|byte| i64::from(byte.count_ones())).sum::<i64>();
        interrupt::pieces(blob(v[0])?).map(|piece| piece.map(ones)).sum::<Result<i64>>().map(Value::Integer)
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
    joined([before, replacement, rest])
}

fn joined<const N: usize>(parts: [&[u8]; N]) -> Result<Value> {
    let mut out = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    for piece in parts.into_iter().flat_map(interrupt::pieces) {
        out.extend_from_slice(piece?);
    }
    Ok(Value::Blob(out))
}

/// Where the searched bytes first stand.
fn find(source: &[u8], searched: &[u8]) -> Result<Option<usize>> {
    let Some((first, rest)) = searched.split_first() else { return Ok(Some(0)) };
    let mut turns = Turns::default();
    for at in 0..(source.len() + 1).saturating_sub(searched.len()) {
        turns.turn()?;
        if source[at] == *first {
            // The comparison may be long.
            interrupt::check()?;
            if source[at + 1..].starts_with(rest) {
                return Ok(Some(at));
            }
        }
    }
    Ok(None)
}

fn trim(source: &[u8], set: &[u8], front: bool, back: bool) -> Result<Value> {
    let (mut rest, mut turns) = (source, Turns::default());
    while let Some((_, others)) = rest.split_first().filter(|(first, _)| front && set.contains(first)) {
        turns.turn()?;
        rest = others;
    }
    while let Some((_, others)) = rest.split_last().filter(|(last, _)| back && set.contains(last)) {
        turns.turn()?;
        rest = others;
    }
    interrupt::copied(rest).map(Value::Blob)
}

fn index(at: i64, length: usize) -> Result<usize> {
    usize::try_from(at).ok().filter(|at| *at < length).ok_or_else(|| {
        let last = length as i64 - 1;
        error!(ARRAY_SUBSCRIPT_ERROR, "index {at} out of valid range, 0..{last}")
    })
}
