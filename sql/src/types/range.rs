//! Ranges: `[1,10)`, over any ordered type.
//!
//! Storage is keyed TEXT. The key has a byte for "empty", then for each bound the nested key of its value between marks
//! for "without bound", so that ranges order by lower and then upper bound, the empty range first. The display form is
//! the flags (`e` empty; `[` or `(`, `]` or `)`), then the packed bounds, NULL for none.
//!
//! Ranges over whole numbers and dates are kept in PostgreSQL's canonical form `[a,b)`.
//!
//! Source: `src/backend/utils/adt/rangetypes.c`.

use bytes::{Buf, BufMut, BytesMut};

use crate::bound::TypeMod;
use crate::oid::types;
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

use super::array::send_field;
use super::integer::is_space;
use super::record::{pack, push_quoted, unpack};
use super::{StorageForm, TypeContext, key};

/// One end of a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// Its value in storage form; NULL when the range has no end here.
    pub value: Value,
    /// Whether the value itself belongs to the range.
    pub inclusive: bool,
}

/// A range.
#[derive(Clone, Debug, PartialEq)]
pub enum Range {
    /// The range of nothing.
    Empty,
    /// From a lower to an upper bound.
    Between(Bound, Bound),
}

impl Range {
    /// The range in a stored value.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub fn from_value(value: ValueRef<'_>) -> Result<Self> {
        let (_, display) = key::split(value, "a range")?;
        let mut characters = display.chars();
        let first = characters.next();
        if first == Some('e') {
            return Ok(Self::Empty);
        }
        let last = characters.next();
        let mut body = characters.as_str();
        let lower = Bound { value: unpack(&mut body)?, inclusive: first == Some('[') };
        let upper = Bound { value: unpack(&mut body)?, inclusive: last == Some(']') };
        Ok(Self::Between(lower, upper))
    }

    /// The range in storage form, in canonical form for discrete types.
    ///
    /// # Errors
    /// `22000` when the lower bound is above the upper; `22003` when a bound cannot be moved.
    pub fn to_value(&self, subtype: Oid, cx: &TypeContext<'_>) -> Result<Value> {
        let form = super::storage_form(cx.catalog, subtype);
        Ok(match self.canonical(subtype, form)? {
            Self::Empty => Value::Text(format!("\u{2}{}e", key::KEY_SEPARATOR)),
            Self::Between(lower, upper) => {
                let mut stored = "\u{3}".to_owned();
                push_bound_key(&mut stored, &lower, true, form);
                push_bound_key(&mut stored, &upper, false, form);
                stored.push(key::KEY_SEPARATOR);
                stored.push(if lower.inclusive { '[' } else { '(' });
                stored.push(if upper.inclusive { ']' } else { ')' });
                pack(&mut stored, lower.value.as_ref())?;
                pack(&mut stored, upper.value.as_ref())?;
                Value::Text(stored)
            }
        })
    }

    fn canonical(&self, subtype: Oid, form: StorageForm) -> Result<Self> {
        let Self::Between(lower, upper) = self.clone() else { return Ok(Self::Empty) };
        let (mut lower, mut upper) = (lower, upper);
        lower.inclusive &= !lower.value.is_null();
        upper.inclusive &= !upper.value.is_null();
        if !lower.value.is_null() && !upper.value.is_null() {
            let order = nested(&lower.value, form).cmp(&nested(&upper.value, form));
            match order {
                std::cmp::Ordering::Greater => {
                    return Err(error!(
                        DATA_EXCEPTION,
                        "range lower bound must be less than or equal to range upper bound"
                    ));
                }
                std::cmp::Ordering::Equal if !(lower.inclusive && upper.inclusive) => return Ok(Self::Empty),
                _ => {}
            }
        }
        if let Some((maximum, name)) = discrete(subtype) {
            step(&mut lower, false, maximum, name)?;
            step(&mut upper, true, maximum, name)?;
            if !lower.value.is_null() && lower.value == upper.value {
                return Ok(Self::Empty);
            }
        }
        Ok(Self::Between(lower, upper))
    }
}

fn nested(value: &Value, form: StorageForm) -> String {
    let mut nested = String::new();
    key::push_value(&mut nested, form, value.as_ref());
    nested
}

/// The greatest value of a discrete bound type, and its name in messages.
fn discrete(subtype: Oid) -> Option<(i64, &'static str)> {
    match subtype {
        types::INT4 => Some((i32::MAX.into(), "integer")),
        types::INT8 => Some((i64::MAX, "bigint")),
        types::DATE => Some((i32::MAX.into(), "date")),
        _ => None,
    }
}

/// Moves a bound by one where its side's canonical form (`[` below, `)` above) is not the one it has.
fn step(bound: &mut Bound, inclusive: bool, maximum: i64, name: &str) -> Result<()> {
    if let Value::Integer(value) = bound.value
        && bound.inclusive == inclusive
    {
        if value >= maximum {
            return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "{name} out of range"));
        }
        bound.value = Value::Integer(value + 1);
        bound.inclusive = !inclusive;
    }
    Ok(())
}

fn push_bound_key(key: &mut String, bound: &Bound, lower: bool, form: StorageForm) {
    match (bound.value.is_null(), lower) {
        (true, true) => key.push('\u{2}'),
        (true, false) => key.push('\u{7F}'),
        (false, _) => {
            key.push('\u{10}');
            key::push_value(key, form, bound.value.as_ref());
            // Of two bounds at one value, `[` begins before `(` and `)` ends before `]`.
            key.push(if bound.inclusive == lower { '\u{2}' } else { '\u{3}' });
        }
    }
}

/// Reads a range from its text form.
///
/// # Errors
/// `22P02`, `22000`, and those of the bounds.
pub fn input(_range: Oid, subtype: Oid, text: &str, cx: &TypeContext<'_>) -> Result<Value> {
    let Some((lower, upper)) = split(text)? else { return Range::Empty.to_value(subtype, cx) };
    let bound = |(word, inclusive): (Option<String>, bool)| -> Result<Bound> {
        let value = match word {
            Some(word) => super::input(TypeMod::plain(subtype), &word, cx)?,
            None => Value::Null,
        };
        Ok(Bound { value, inclusive })
    };
    Range::Between(bound(lower)?, bound(upper)?).to_value(subtype, cx)
}

/// A bound as text and whether it is inclusive.
type Word = (Option<String>, bool);

/// The words of a range; `None` for `empty`.
fn split(text: &str) -> Result<Option<(Word, Word)>> {
    let malformed = |detail: &str| -> SqlError {
        error!(INVALID_TEXT_REPRESENTATION, "malformed range literal: \"{text}\"").detail(detail)
    };
    let body = text.trim_start_matches(is_space);
    if body.trim_end_matches(is_space).eq_ignore_ascii_case("empty") {
        return Ok(None);
    }
    let mut characters = body.chars().peekable();
    let lower_inclusive = match characters.next() {
        Some('[') => true,
        Some('(') => false,
        _ => return Err(malformed("Missing left parenthesis or bracket.")),
    };
    let end = || malformed("Unexpected end of input.");
    let lower = word(&mut characters).ok_or_else(end)?;
    if characters.next() != Some(',') {
        return Err(malformed("Missing comma after lower bound."));
    }
    let upper = word(&mut characters).ok_or_else(end)?;
    let upper_inclusive = match characters.next() {
        Some(']') => true,
        Some(')') => false,
        _ => return Err(malformed("Too many commas.")),
    };
    if !characters.all(is_space) {
        return Err(malformed("Junk after right parenthesis or bracket."));
    }
    Ok(Some(((lower, lower_inclusive), (upper, upper_inclusive))))
}

/// A bound's word up to what ends it: `Some(None)` for no bound; `None` when the text ends first.
fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<Option<String>> {
    if matches!(characters.peek()?, ',' | ')' | ']') {
        return Some(None);
    }
    let mut word = String::new();
    let mut quoted = false;
    loop {
        match *characters.peek()? {
            ',' | ')' | ']' | '(' | '[' if !quoted => return Some(Some(word)),
            '\\' => {
                characters.next();
                word.push(characters.next()?);
            }
            '"' => {
                characters.next();
                if quoted && characters.next_if_eq(&'"').is_some() {
                    word.push('"');
                } else {
                    quoted = !quoted;
                }
            }
            c => {
                characters.next();
                word.push(c);
            }
        }
    }
}

/// Appends the text form of a range.
///
/// # Errors
/// `XX000`.
pub fn output(subtype: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    let Range::Between(lower, upper) = Range::from_value(value)? else {
        out.push_str("empty");
        return Ok(());
    };
    out.push(if lower.inclusive { '[' } else { '(' });
    for (index, bound) in [&lower, &upper].into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if !bound.value.is_null() {
            push_quoted(out, &super::to_text(subtype, bound.value.as_ref(), cx)?);
        }
    }
    out.push(if upper.inclusive { ']' } else { ')' });
    Ok(())
}

/// The flags of a range's binary form.
const EMPTY: u8 = 0x01;
const LOWER_INCLUSIVE: u8 = 0x02;
const UPPER_INCLUSIVE: u8 = 0x04;
const LOWER_INFINITE: u8 = 0x08;
const UPPER_INFINITE: u8 = 0x10;

/// Reads a range from its binary form: flags, then each bound there is with its length.
///
/// # Errors
/// `08P01`, `22P03`, `22000`, and those of the bounds.
pub fn receive(subtype: Oid, mut bytes: &[u8], cx: &TypeContext<'_>) -> Result<Value> {
    let flags = bytes.try_get_u8().map_err(|_| short())?;
    let mut bound = |infinite: u8, inclusive: u8| -> Result<Bound> {
        if flags & (EMPTY | infinite) != 0 {
            return Ok(Bound { value: Value::Null, inclusive: false });
        }
        let length = bytes.try_get_i32().ok().and_then(|length| usize::try_from(length).ok());
        let (value, rest) = length.and_then(|length| bytes.split_at_checked(length)).ok_or_else(short)?;
        bytes = rest;
        let value = super::receive(TypeMod::plain(subtype), value, cx)?;
        Ok(Bound { value, inclusive: flags & inclusive != 0 })
    };
    let lower = bound(LOWER_INFINITE, LOWER_INCLUSIVE)?;
    let upper = bound(UPPER_INFINITE, UPPER_INCLUSIVE)?;
    if !bytes.is_empty() {
        return Err(error!(PROTOCOL_VIOLATION, "invalid message format"));
    }
    let range = if flags & EMPTY != 0 { Range::Empty } else { Range::Between(lower, upper) };
    range.to_value(subtype, cx)
}

fn short() -> SqlError {
    error!(PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// Appends the binary form of a range.
///
/// # Errors
/// `42883` when the bounds have none.
pub fn send(subtype: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let Range::Between(lower, upper) = Range::from_value(value)? else {
        out.put_u8(EMPTY);
        return Ok(());
    };
    let flags = |bound: &Bound, infinite, inclusive| match (bound.value.is_null(), bound.inclusive) {
        (true, _) => infinite,
        (false, true) => inclusive,
        (false, false) => 0,
    };
    out.put_u8(
        flags(&lower, LOWER_INFINITE, LOWER_INCLUSIVE) | flags(&upper, UPPER_INFINITE, UPPER_INCLUSIVE),
    );
    for bound in [lower, upper].iter().filter(|bound| !bound.value.is_null()) {
        send_field(subtype, bound.value.as_ref(), cx, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_are_kept_half_open() {
        let between = |lower, upper, inclusive: (bool, bool)| {
            Range::Between(
                Bound { value: Value::Integer(lower), inclusive: inclusive.0 },
                Bound { value: Value::Integer(upper), inclusive: inclusive.1 },
            )
            .canonical(types::INT4, StorageForm::Integer)
        };
        let expected = Range::Between(
            Bound { value: Value::Integer(2), inclusive: true },
            Bound { value: Value::Integer(5), inclusive: false },
        );
        assert_eq!(between(1, 4, (false, true)).unwrap(), expected);
        assert_eq!(between(1, 1, (true, false)).unwrap(), Range::Empty);
        assert_eq!(between(1, 2, (false, false)).unwrap(), Range::Empty);
        assert_eq!(between(2, 1, (true, true)).unwrap_err().code().to_string(), "22000");
    }
}
