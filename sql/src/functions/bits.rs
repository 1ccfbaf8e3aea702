//! Functions of bit and varbit, which are stored as TEXT of `0` and `1`.
//!
//! Source: `src/backend/utils/adt/varbit.c`.

use crate::{Result, Value, error, interrupt};

use super::Function;
use super::arguments::{boolean, int4, integer, native, scalar, text};
use super::strings::window;

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("bit", |_, v| {
        let (bits, length) = (text(v[0])?, int4(v[1])?);
        let Some(wanted) = usize::try_from(length).ok().filter(|wanted| *wanted != bits.len()) else {
            return Ok(Value::from(bits));
        };
        if !boolean(v[2])? {
            return Err(error!(
                STRING_DATA_LENGTH_MISMATCH,
                "bit string length {} does not match type bit({wanted})",
                bits.len()
            ));
        }
        Ok(Value::Text(format!("{:0<wanted$}", &bits[..wanted.min(bits.len())])))
    }),
    scalar("varbit", |_, v| {
        let (bits, length) = (text(v[0])?, int4(v[1])?);
        let Some(most) = usize::try_from(length).ok().filter(|most| *most < bits.len()) else {
            return Ok(Value::from(bits));
        };
        if !boolean(v[2])? {
            return Err(error!(
                STRING_DATA_RIGHT_TRUNCATION,
                "bit string too long for type bit varying({most})"
            ));
        }
        Ok(Value::from(&bits[..most]))
    }),
    scalar("bit_and", |_, v| combine(text(v[0])?, text(v[1])?, "AND", |a, b| a & b)),
    scalar("bit_or", |_, v| combine(text(v[0])?, text(v[1])?, "OR", |a, b| a | b)),
    scalar("bitxor", |_, v| combine(text(v[0])?, text(v[1])?, "XOR", |a, b| a ^ b)),
    scalar("bitnot", |_, v| {
        interrupt::mapped(text(v[0])?, |bit| if bit == '1' { '0' } else { '1' }).map(Value::Text)
    }),
    native("bitcat", "({0} || {1})"),
    scalar("bitshiftleft", |_, v| Ok(Value::Text(shift_left(text(v[0])?, int4(v[1])?.into())))),
    scalar("bitshiftright", |_, v| Ok(Value::Text(shift_left(text(v[0])?, -i64::from(int4(v[1])?))))),
    native("bitlength", "length({0})"),
    native("bit_length(bit)", "length({0})"),
    native("bitoctetlength", "((length({0}) + 7) / 8)"),
    scalar("bit_bit_count", |_, v| {
        let ones = |piece: &[u8]| piece.iter().map(|bit| i64::from(*bit == b'1')).sum::<i64>();
        let bits = text(v[0])?.as_bytes();
        interrupt::pieces(bits).map(|piece| piece.map(ones)).sum::<Result<i64>>().map(Value::Integer)
    }),
    scalar("bitgetbit", |_, v| {
        let bits = text(v[0])?;
        let at = index(int4(v[1])?, bits.len())?;
        Ok(Value::from(bits.as_bytes()[at] == b'1'))
    }),
    scalar("bitsetbit", |_, v| {
        let mut bits = interrupt::copied_text(text(v[0])?)?;
        let at = index(int4(v[1])?, bits.len())?;
        let new = match int4(v[2])? {
            0 => "0",
            1 => "1",
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "new bit must be 0 or 1")),
        };
        bits.replace_range(at..=at, new);
        Ok(Value::Text(bits))
    }),
    scalar("bitposition", |_, v| {
        let (source, searched) = (text(v[0])?, text(v[1])?);
        let found = if source.is_empty() { None } else { interrupt::find(source, searched)? };
        Ok(Value::Integer(found.map_or(0, |at| at as i64 + 1)))
    }),
    scalar("bitsubstr", |_, v| substring(text(v[0])?, int4(v[1])?, Some(int4(v[2])?))),
    scalar("bitsubstr_no_len", |_, v| substring(text(v[0])?, int4(v[1])?, None)),
    scalar("bitoverlay", |_, v| overlay(text(v[0])?, text(v[1])?, int4(v[2])?, int4(v[3])?)),
    scalar("bitoverlay_no_len", |_, v| {
        let replacement = text(v[1])?;
        overlay(text(v[0])?, replacement, int4(v[2])?, replacement.len() as i32)
    }),
    scalar("bitfromint4", |_, v| Ok(Value::Text(from_integer(integer(v[0])?, int4(v[1])?)))),
    scalar("bitfromint8", |_, v| Ok(Value::Text(from_integer(integer(v[0])?, int4(v[1])?)))),
    scalar("bittoint4", |_, v| {
        let bits = text(v[0])?;
        if bits.len() > 32 {
            return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"));
        }
        Ok(Value::Integer((to_integer(bits) as u32 as i32).into()))
    }),
    scalar("bittoint8", |_, v| {
        let bits = text(v[0])?;
        if bits.len() > 64 {
            return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "bigint out of range"));
        }
        Ok(Value::Integer(to_integer(bits) as i64))
    }),
];

fn combine(a: &str, b: &str, word: &str, operator: fn(u8, u8) -> u8) -> Result<Value> {
    if a.len() != b.len() {
        return Err(error!(STRING_DATA_LENGTH_MISMATCH, "cannot {word} bit strings of different sizes"));
    }
    // The digits differ in their lowest bit only, which is all that AND and OR may change.
    let mut others = b.bytes();
    interrupt::mapped(a, |a| char::from(b'0' | operator(a as u8, others.next().unwrap_or(b'0')) & 1))
        .map(Value::Text)
}

/// The bits moved to the left (to the right: negative), zeros following.
fn shift_left(bits: &str, distance: i64) -> String {
    let gap = usize::try_from(distance.unsigned_abs()).unwrap_or(usize::MAX).min(bits.len());
    let zeros = "0".repeat(gap);
    if distance >= 0 {
        format!("{}{zeros}", &bits[gap..])
    } else {
        format!("{zeros}{}", &bits[..bits.len() - gap])
    }
}

fn index(at: i32, length: usize) -> Result<usize> {
    usize::try_from(at).ok().filter(|at| *at < length).ok_or_else(|| {
        error!(ARRAY_SUBSCRIPT_ERROR, "bit index {at} out of valid range (0..{})", length as i64 - 1)
    })
}

fn substring(bits: &str, start: i32, length: Option<i32>) -> Result<Value> {
    let (first, end) = window(start, length)?;
    let end = end.unwrap_or(bits.len()).min(bits.len());
    Ok(Value::from(bits.get(first..end).unwrap_or_default()))
}

fn overlay(bits: &str, replacement: &str, start: i32, length: i32) -> Result<Value> {
    if start <= 0 {
        return Err(error!(SUBSTRING_ERROR, "negative substring length not allowed"));
    }
    let after = start
        .checked_add(length)
        .ok_or_else(|| error!(NUMERIC_VALUE_OUT_OF_RANGE, "integer out of range"))?;
    let before = bits.len().min(start as usize - 1);
    let after = usize::try_from(after).unwrap_or(0).saturating_sub(1).min(bits.len());
    Ok(Value::Text(format!("{}{replacement}{}", &bits[..before], &bits[after..])))
}

/// The lowest bits of a number, its sign repeated where there are more; bit(1) without a length.
fn from_integer(value: i64, length: i32) -> String {
    let length = usize::try_from(length).ok().filter(|length| *length > 0).unwrap_or(1);
    let bit = |place: usize| if value >> place.min(63) & 1 == 1 { '1' } else { '0' };
    (0..length).rev().map(bit).collect()
}

fn to_integer(bits: &str) -> u64 {
    bits.bytes().fold(0, |value, bit| value << 1 | u64::from(bit == b'1'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_shifts() {
        assert_eq!(from_integer(5, 4), "0101");
        assert_eq!(from_integer(-1, 70).len(), 70);
        assert_eq!(to_integer("11111111"), 255);
        assert_eq!((shift_left("1100", 1), shift_left("1100", -1)), ("1000".into(), "0110".into()));
        assert_eq!(shift_left("11", 9), "00");
    }
}
