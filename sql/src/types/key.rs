//! Keyed TEXT: an order key, the byte 0x01, a display form. Types whose order is not that of any SQLite storage class,
//! or whose equal values look different (`1.10` and `1.1`), are stored so.
//!
//! Keys use the bytes 0x02–0x7F only, so that they are UTF-8 text and never contain the separator, and compare bytewise.
//! The key of a value inside another (an element of an array) must not be a prefix of another's: the functions here
//! that append to keys keep that.

use std::cmp::Ordering;
use std::sync::{Arc, LazyLock};

use storage::Collation;

use crate::{Result, Value, ValueRef};

use super::{StorageForm, wrong_form};

/// The collation of keyed TEXT: compares the bytes before 0x01.
pub const KEY_COLLATION: &str = "pgkey";

/// The byte between key and display form.
pub const KEY_SEPARATOR: char = '\u{1}';

const SEPARATOR: u8 = 1;

/// The lowest byte a key may have: ends nested keys.
pub const TERMINATOR: char = '\u{2}';

/// Marks an escaped low byte in a nested key.
const LOW_ESCAPE: u8 = 0x03;
/// The last byte that is written as [`LOW_ESCAPE`] and another.
const LAST_LOW: u8 = 0x04;
/// The first byte that is written as one of four high marks and another.
const FIRST_HIGH: u8 = 0x7C;
/// What six-bit digits are counted from.
const DIGIT_ZERO: u8 = 0x30;

/// The collation as the engine knows it.
pub fn key_collation() -> &'static Collation {
    static COLLATION: LazyLock<Collation> =
        LazyLock::new(|| Collation { name: Arc::from(KEY_COLLATION), compare });
    &COLLATION
}

/// The order of two keyed texts: that of the bytes before their separators.
pub fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (left.as_bytes(), right.as_bytes());
    let common = left.iter().zip(right).position(|(l, r)| l != r || *l == SEPARATOR);
    match common {
        Some(at) if left[at] == right[at] => Ordering::Equal,
        // The separator is below every byte of a key, so the shorter key is the lesser one.
        Some(at) => left[at].cmp(&right[at]),
        None => left.len().cmp(&right.len()),
    }
}

/// A keyed text from its halves.
pub fn join(key: &str, display: &str) -> Value {
    let mut text = String::with_capacity(key.len() + 1 + display.len());
    text.push_str(key);
    text.push(KEY_SEPARATOR);
    text.push_str(display);
    Value::Text(text)
}

/// The key and the display form of a keyed text.
///
/// # Errors
/// `XX000` when there is no separator.
pub fn split<'a>(value: ValueRef<'a>, what: &str) -> Result<(&'a str, &'a str)> {
    match value {
        ValueRef::Text(text) => text.split_once(KEY_SEPARATOR).ok_or_else(|| wrong_form(what)),
        _ => Err(wrong_form(what)),
    }
}

/// Appends a key for any value of a form, prefix-free, in the order of values; NULL comes last, as PostgreSQL orders
/// NULLs inside arrays and rows.
pub fn push_value(key: &mut String, form: StorageForm, value: ValueRef<'_>) {
    match (form, value) {
        (_, ValueRef::Null) => key.push('\u{7F}'),
        (StorageForm::Real, ValueRef::Text(_)) => key.push('\u{7E}'),
        (StorageForm::Real, ValueRef::Integer(i)) => push_real(key, i as f64),
        (_, ValueRef::Integer(i)) => push_integer(key, i),
        (_, ValueRef::Real(r)) => push_real(key, r),
        (StorageForm::Keyed, ValueRef::Text(text)) => {
            let nested = text.split(KEY_SEPARATOR).next().unwrap_or_default();
            push_bytes(key, nested.as_bytes());
        }
        (_, ValueRef::Text(text)) => push_bytes(key, text.as_bytes()),
        (_, ValueRef::Blob(bytes)) => push_bytes(key, bytes),
    }
}

/// Appends an integer: the number of its digits, then its digits of six bits; negative ones complemented.
pub fn push_integer(key: &mut String, value: i64) {
    let magnitude = if value < 0 { !value } else { value } as u64;
    let digits = (u64::BITS - magnitude.leading_zeros()).div_ceil(6) as u8;
    let sign = if value < 0 { 0x3F - digits } else { 0x40 + digits };
    key.push(char::from(sign));
    for place in (0..digits).rev() {
        let digit = (magnitude >> (6 * place)) as u8 & 63;
        key.push(char::from(DIGIT_ZERO + if value < 0 { 63 - digit } else { digit }));
    }
}

/// Appends a double: its bits made ordered, in eleven digits of six bits.
pub fn push_real(key: &mut String, value: f64) {
    // Adding zero turns -0 into 0, which is equal to it.
    let bits = (value + 0.0).to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    for place in (0..11).rev() {
        key.push(char::from(DIGIT_ZERO + ((ordered >> (6 * place)) as u8 & 63)));
    }
}

/// Appends bytes and a terminator, escaping what keys may not contain.
pub fn push_bytes(key: &mut String, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        let plain = rest.iter().position(|byte| !(LAST_LOW + 1..FIRST_HIGH).contains(byte));
        let (run, others) = rest.split_at(plain.unwrap_or(rest.len()));
        key.push_str(std::str::from_utf8(run).expect("bytes of one-byte characters"));
        let Some((&byte, after)) = others.split_first() else { break };
        rest = after;
        match byte {
            0..=LAST_LOW => {
                key.push(char::from(LOW_ESCAPE));
                key.push(char::from(DIGIT_ZERO + byte));
            }
            FIRST_HIGH.. => {
                let above = byte - FIRST_HIGH;
                key.push(char::from(FIRST_HIGH + above / 64));
                key.push(char::from(DIGIT_ZERO + above % 64));
            }
            _ => unreachable!("such bytes are in runs"),
        }
    }
    key.push(TERMINATOR);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key_of(form: StorageForm, value: Value) -> String {
        let mut key = String::new();
        push_value(&mut key, form, value.as_ref());
        assert!(key.bytes().all(|b| (0x02..=0x7F).contains(&b)), "{key:?}");
        key
    }

    fn ascending(form: StorageForm, values: impl IntoIterator<Item = Value>) {
        let keys: Vec<_> = values.into_iter().map(|v| key_of(form, v)).collect();
        for pair in keys.windows(2) {
            assert!(pair[0] < pair[1], "{:?} is not below {:?}", pair[0], pair[1]);
            assert!(!pair[1].starts_with(&pair[0]), "{:?} is a prefix of {:?}", pair[0], pair[1]);
        }
    }

    #[test]
    fn nested_keys_keep_the_order_of_values() {
        let integers = [i64::MIN, -5_000_000_000, -65, -64, -2, -1, 0, 1, 63, 64, 4095, 4096, i64::MAX];
        ascending(StorageForm::Integer, integers.map(Value::Integer));
        let reals = [f64::NEG_INFINITY, -1e300, -1.5, -1e-300, 0.0, 1e-300, 1.0, 1.5, 1e300, f64::INFINITY];
        let nan = Value::Text("NaN".to_owned());
        ascending(StorageForm::Real, reals.map(Value::Real).into_iter().chain([nan, Value::Null]));
        let texts = [
            "", "\u{1}", "\u{2}", "\u{3}a", "\u{4}", "\u{5}", "a", "aa", "ab", "b", "{", "|", "}", "~",
            "\u{7f}", "é", "日", "🦀",
        ];
        ascending(StorageForm::Text, texts.map(Value::from));
    }

    #[test]
    fn the_collation_looks_at_keys_only() {
        assert_eq!(compare("ab\u{1}x", "ab\u{1}y"), Ordering::Equal);
        assert_eq!(compare("ab\u{1}x", "abc\u{1}y"), Ordering::Less);
        assert_eq!(compare("b\u{1}", "abc\u{1}"), Ordering::Greater);
    }
}
