//! The type `jsonb`: keys sorted and unique (the last value wins), numbers as numerics. Stored as keyed text: the key
//! sorts as PostgreSQL does, the display form is the text form.
//!
//! Order: Object > Array > Boolean > Number > String > Null; of arrays and objects the longer is greater; keys inside an
//! object stand in order of length, then bytes. An empty array at the top sorts below everything, as in PostgreSQL.
//!
//! Source: `src/backend/utils/adt/jsonb.c`, `compareJsonbContainers` in `jsonb_util.c`.

use std::borrow::Cow;

use bytes::{BufMut, BytesMut};

use crate::interrupt::{self, Things};
use crate::oid::types;
use crate::{Result, Value, ValueRef, error};

use super::json::{self, Node, Tree, quote};
use super::{StorageForm, TypeContext, TypeEntry, key};

/// The version byte of the binary form.
const BINARY_VERSION: u8 = 1;
/// What is added to exponents in keys, so that they are positive.
const EXPONENT_BIAS: i64 = 500_000;
/// Digits that a number may have before and after its point.
const WHOLE_DIGITS_MAX: i64 = 131_072;
const FRACTION_DIGITS_MAX: i64 = 16_383;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Jsonb {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number in numeric's text form: digits, perhaps a point, no exponent.
    Number(String),
    /// A string.
    String(String),
    /// An array.
    Array(Things<Jsonb>),
    /// An object: keys unique, by length, then bytes.
    Object(Things<(String, Jsonb)>),
}

impl Jsonb {
    /// Reads a text.
    ///
    /// # Errors
    /// `22P02`, `22P05` for `\u0000`, `22003` for numbers that numeric cannot hold.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::from_node(json::parse(text)?)
    }

    /// The value of a parsed `json`.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub(crate) fn from_node(node: Node<'_>) -> Result<Self> {
        interrupt::check()?;
        Ok(match node.tree {
            Tree::Null => Self::Null,
            Tree::Bool(value) => Self::Bool(value),
            Tree::Number => Self::Number(plain_number(node.raw)?),
            Tree::String(text) => Self::String(checked(text)?),
            Tree::Array(elements) => {
                Self::Array(interrupt::gather(elements.into_iter().map(Self::from_node))?.into())
            }
            Tree::Object(pairs) => {
                let pairs =
                    pairs.into_iter().map(|(key, value)| Ok((checked(key)?, Self::from_node(value)?)));
                Self::object(interrupt::gather(pairs)?)?
            }
        })
    }

    /// An object of these pairs; of equal keys the last stays.
    ///
    /// # Errors
    /// `57014` when the statement is to stop.
    pub(crate) fn object(pairs: Vec<(String, Jsonb)>) -> Result<Self> {
        let mut kept: Things<(String, Jsonb)> = Vec::with_capacity(pairs.len()).into();
        for pair in interrupt::sorted(pairs, &|left: &(String, Jsonb), right| key_order(&left.0, &right.0))? {
            interrupt::check()?;
            match kept.last_mut() {
                Some(last) if last.0 == pair.0 => *last = pair,
                _ => kept.push(pair),
            }
        }
        Ok(Self::Object(kept))
    }

    /// A stored one.
    ///
    /// # Errors
    /// `XX000` when it is none.
    pub(crate) fn read(value: ValueRef<'_>) -> Result<Self> {
        Self::parse(key::split(value, "jsonb")?.1)
    }

    /// As it is stored.
    ///
    /// # Errors
    /// `57014` when the statement is to stop.
    pub(crate) fn store(&self) -> Result<Value> {
        let mut stored = String::new();
        match self {
            Self::Array(elements) if elements.is_empty() => stored.push('A'),
            value => value.push_key(&mut stored)?,
        }
        stored.push(key::KEY_SEPARATOR);
        self.write(&mut stored)?;
        Ok(Value::Text(stored))
    }

    /// The text form.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(crate) fn text(&self) -> Result<String> {
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(out)
    }

    /// What `->>` gives: strings bare, `null` as NULL.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(crate) fn bare_text(&self) -> Result<Option<String>> {
        match self {
            Self::Null => Ok(None),
            Self::String(text) => interrupt::copied_text(text).map(Some),
            other => other.text().map(Some),
        }
    }

    /// The value of a key.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(pairs) = self else { return None };
        let found = pairs.binary_search_by(|(key, _)| key_order(key, name)).ok()?;
        Some(&pairs[found].1)
    }

    /// The element of an index; below zero counts from the end.
    pub(crate) fn element(&self, index: i64) -> Option<&Self> {
        let Self::Array(elements) = self else { return None };
        elements.get(position(index, elements.len())?)
    }

    /// Whether it is an array or an object.
    pub(crate) fn is_container(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Object(_))
    }

    /// What `jsonb_typeof` says.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Number(_) => "number",
            Self::String(_) => "string",
            Self::Array(_) => "array",
            Self::Object(_) => "object",
        }
    }

    /// What equal values have in common, numbers being equal by value.
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(crate) fn key(&self) -> Result<String> {
        let mut key = String::new();
        self.push_key(&mut key)?;
        Ok(key)
    }

    fn write(&self, out: &mut String) -> Result<()> {
        interrupt::check()?;
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(text) => out.push_str(text),
            Self::String(text) => quote(text, out),
            Self::Array(elements) => {
                out.push('[');
                for (position, element) in elements.iter().enumerate() {
                    out.push_str(if position > 0 { ", " } else { "" });
                    element.write(out)?;
                }
                out.push(']');
            }
            Self::Object(pairs) => {
                out.push('{');
                for (position, (key, value)) in pairs.iter().enumerate() {
                    out.push_str(if position > 0 { ", " } else { "" });
                    quote(key, out);
                    out.push_str(": ");
                    value.write(out)?;
                }
                out.push('}');
            }
        }
        Ok(())
    }

    /// The text form over many lines (`jsonb_pretty`).
    ///
    /// # Errors
    /// As [`Self::store`].
    pub(crate) fn pretty(&self) -> Result<String> {
        let mut out = String::new();
        self.write_pretty(0, &mut out)?;
        Ok(out)
    }

    fn write_pretty(&self, depth: usize, out: &mut String) -> Result<()> {
        const INDENT: usize = 4;
        let line = |depth: usize, out: &mut String| {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', depth * INDENT));
        };
        let (open, close, count) = match self {
            Self::Array(elements) => ('[', ']', elements.len()),
            Self::Object(pairs) => ('{', '}', pairs.len()),
            scalar => return scalar.write(out),
        };
        out.push(open);
        for position in 0..count {
            out.push_str(if position > 0 { "," } else { "" });
            line(depth + 1, out);
            match self {
                Self::Object(pairs) => {
                    quote(&pairs[position].0, out);
                    out.push_str(": ");
                    pairs[position].1.write_pretty(depth + 1, out)?;
                }
                Self::Array(elements) => elements[position].write_pretty(depth + 1, out)?,
                _ => {}
            }
        }
        line(depth, out);
        out.push(close);
        Ok(())
    }

    /// Appends a key: a rank by type, then the content; no key is the beginning of another.
    fn push_key(&self, out: &mut String) -> Result<()> {
        interrupt::check()?;
        match self {
            Self::Null => out.push('a'),
            Self::String(text) => {
                out.push('b');
                key::push_bytes(out, text.as_bytes());
            }
            Self::Number(text) => {
                out.push('c');
                push_number(text, out);
            }
            Self::Bool(value) => out.push_str(if *value { "d1" } else { "d0" }),
            Self::Array(elements) => {
                out.push('e');
                key::push_integer(out, elements.len() as i64);
                elements.iter().try_for_each(|element| element.push_key(out))?;
            }
            Self::Object(pairs) => {
                out.push('f');
                key::push_integer(out, pairs.len() as i64);
                for (name, value) in pairs.iter() {
                    key::push_bytes(out, name.as_bytes());
                    value.push_key(out)?;
                }
            }
        }
        Ok(())
    }
}

/// The order of keys in an object: shorter ones first, then by bytes.
pub fn key_order(left: &str, right: &str) -> std::cmp::Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

/// The place of an index that may count from the end.
pub fn position(index: i64, length: usize) -> Option<usize> {
    let index = if index < 0 { index + length as i64 } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

fn checked(text: Cow<'_, str>) -> Result<String> {
    if text.contains('\0') {
        return Err(error!(UNTRANSLATABLE_CHARACTER, "unsupported Unicode escape sequence")
            .detail("\\u0000 cannot be converted to text."));
    }
    Ok(text.into_owned())
}

/// A JSON number in numeric's text form.
fn plain_number(text: &str) -> Result<String> {
    let overflow = || error!(NUMERIC_VALUE_OUT_OF_RANGE, "value overflows numeric format");
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i64>().map_err(|_| overflow())?),
        None => (text, 0),
    };
    let (negative, mantissa) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let point = whole.len() as i64 + exponent;
    if (point > WHOLE_DIGITS_MAX || digits.len() as i64 - point > FRACTION_DIGITS_MAX)
        && (digits.bytes().any(|b| b != b'0') || exponent.abs() > WHOLE_DIGITS_MAX)
    {
        return Err(overflow());
    }
    let (mut whole, mut fraction) = (String::new(), String::new());
    for place in 0..point.max(1) {
        let digit = (point > 0).then(|| digits.as_bytes().get(place as usize)).flatten();
        whole.push(digit.map_or('0', |digit| char::from(*digit)));
    }
    for _ in point..0 {
        fraction.push('0');
    }
    fraction.push_str(digits.get(point.max(0) as usize..).unwrap_or(""));
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        trimmed => trimmed,
    };
    let zero = whole == "0" && fraction.bytes().all(|b| b == b'0');
    let sign = if negative && !zero { "-" } else { "" };
    let dot = if fraction.is_empty() { "" } else { "." };
    Ok(format!("{sign}{whole}{dot}{fraction}"))
}

/// A number's key: sign, exponent, digits without trailing zeros; the digits of negative ones are complemented.
fn push_number(text: &str, out: &mut String) {
    let (negative, magnitude) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    let digits = format!("{whole}{fraction}");
    let leading = digits.len() - digits.trim_start_matches('0').len();
    let significant = digits.trim_matches('0');
    if significant.is_empty() {
        out.push('2');
        return;
    }
    let exponent = whole.len() as i64 - leading as i64 + EXPONENT_BIAS;
    let body = format!("{exponent:07}{significant}");
    if negative {
        out.push('1');
        out.extend(body.bytes().map(|b| char::from(b'0' + b'9' - b)));
        out.push('~');
    } else {
        out.push('3');
        out.push_str(&body);
        out.push(key::TERMINATOR);
    }
}

fn input(text: &str, _modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    Jsonb::parse(text)?.store()
}

fn output(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    interrupt::append(out, key::split(value, "jsonb")?.1)
}

fn receive(bytes: &[u8], modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    match bytes.split_first() {
        Some((&BINARY_VERSION, text)) => input(super::text::utf8(text)?, modifier, cx),
        Some((version, _)) => {
            Err(crate::SqlError::internal(format!("unsupported jsonb version number {version}")))
        }
        None => Err(error!(PROTOCOL_VIOLATION, "no data left in message")),
    }
}

fn send(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    out.put_u8(BINARY_VERSION);
    out.extend_from_slice(key::split(value, "jsonb")?.1.as_bytes());
    Ok(())
}

/// The type.
pub const TYPES: &[TypeEntry] = &[TypeEntry {
    oid: types::JSONB,
    array: types::_JSONB,
    form: StorageForm::Keyed,
    input,
    output,
    receive: Some(receive),
    send: Some(send),
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        Jsonb::parse(text).unwrap().text().unwrap()
    }

    #[test]
    fn the_text_form_is_canonical() {
        assert_eq!(shown("{\"bb\":1, \"a\":[ 1.50,1e2 ], \"bb\":\"x\"}"), r#"{"a": [1.50, 100], "bb": "x"}"#);
        assert_eq!(
            shown("[-0, -0.0, 1E-3, 12.34e1, 00.1]".replace("00.1", "0.1").as_str()),
            "[0, 0.0, 0.001, 123.4, 0.1]"
        );
        assert_eq!(shown("\"\\u00e9\\n\""), "\"é\\n\"");
        assert_eq!(
            Jsonb::parse("\"\\u0000\"").unwrap_err().code(),
            crate::SqlState::UNTRANSLATABLE_CHARACTER
        );
    }

    #[test]
    fn keys_have_postgresqls_order() {
        let ascending = [
            "[]",
            "null",
            "\"\"",
            "\"a\"",
            "\"ab\"",
            "\"b\"",
            "-1e10",
            "-10.5",
            "-10",
            "-0.1",
            "0",
            "0.001",
            "1",
            "1.5",
            "10",
            "1e10",
            "false",
            "true",
            "[1]",
            "[2]",
            "[1, 1]",
            "{}",
            "{\"a\": 1}",
            "{\"a\": 2}",
            "{\"b\": 1}",
            "{\"a\": 1, \"b\": 1}",
        ];
        let keys: Vec<_> =
            ascending.iter().map(|text| Jsonb::parse(text).unwrap().store().unwrap()).collect();
        for (pair, texts) in keys.windows(2).zip(ascending.windows(2)) {
            let (Value::Text(left), Value::Text(right)) = (&pair[0], &pair[1]) else { panic!("text") };
            assert!(key::compare(left, right).is_lt(), "{texts:?}");
        }
        assert_eq!(Jsonb::parse("1.10").unwrap().key(), Jsonb::parse("1.1").unwrap().key());
    }
}
