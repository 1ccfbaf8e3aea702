//! bit and varbit, stored as TEXT of `0` and `1`, whose order is PostgreSQL's.
//!
//! Source: `src/backend/utils/adt/varbit.c`.

use bytes::{Buf, BufMut, BytesMut};

use crate::oid::types;
use crate::{Result, Value, ValueRef, error};

use super::text::{self, text_of};
use super::{StorageForm, TypeContext, TypeEntry};

/// The types of this family.
pub(super) const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::BIT,
        array: types::_BIT,
        form: StorageForm::Text,
        input: |text, modifier, _| Ok(Value::Text(fixed(parse(text)?, modifier))),
        output: text::output,
        receive: Some(|bytes, modifier, _| Ok(Value::Text(fixed(receive(bytes)?, modifier)))),
        send: Some(send),
    },
    TypeEntry {
        oid: types::VARBIT,
        array: types::_VARBIT,
        form: StorageForm::Text,
        input: |text, modifier, _| Ok(Value::Text(cut(parse(text)?, modifier))),
        output: text::output,
        receive: Some(|bytes, modifier, _| Ok(Value::Text(cut(receive(bytes)?, modifier)))),
        send: Some(send),
    },
];

/// The bits in binary (`b` may stand before) or hexadecimal (`x` before) digits.
fn parse(text: &str) -> Result<String> {
    if let Some(digits) = text.strip_prefix(['x', 'X']) {
        return digits
            .chars()
            .map(|c| match c.to_digit(16) {
                Some(digit) => Ok(format!("{digit:04b}")),
                None => Err(error!(INVALID_TEXT_REPRESENTATION, "\"{c}\" is not a valid hexadecimal digit")),
            })
            .collect();
    }
    let digits = text.strip_prefix(['b', 'B']).unwrap_or(text);
    match digits.chars().find(|c| !matches!(c, '0' | '1')) {
        Some(c) => Err(error!(INVALID_TEXT_REPRESENTATION, "\"{c}\" is not a valid binary digit")),
        None => Ok(digits.to_owned()),
    }
}

/// Cut or filled with zeros to the length of a modifier, as an explicit cast does.
fn fixed(bits: String, modifier: i32) -> String {
    match usize::try_from(modifier) {
        Ok(length) => format!("{:0<length$}", cut(bits, modifier)),
        Err(_) => bits,
    }
}

fn cut(mut bits: String, modifier: i32) -> String {
    if let Ok(length) = usize::try_from(modifier) {
        bits.truncate(length);
    }
    bits
}

fn receive(mut bytes: &[u8]) -> Result<String> {
    let length =
        bytes.try_get_i32().map_err(|_| error!(PROTOCOL_VIOLATION, "insufficient data left in message"))?;
    let length = usize::try_from(length)
        .ok()
        .filter(|length| length.div_ceil(8) == bytes.len())
        .ok_or_else(|| error!(INVALID_BINARY_REPRESENTATION, "invalid length in external bit string"))?;
    Ok((0..length).map(|bit| if bytes[bit / 8] >> (7 - bit % 8) & 1 == 1 { '1' } else { '0' }).collect())
}

fn send(value: ValueRef<'_>, _: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let bits = text_of(value)?.as_bytes();
    out.put_i32(bits.len() as i32);
    for chunk in bits.chunks(8) {
        let byte = chunk.iter().enumerate().fold(0, |byte, (at, bit)| byte | (bit - b'0') << (7 - at));
        out.put_u8(byte);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_binary_forms() {
        assert_eq!(parse("x1F").unwrap(), "00011111");
        assert_eq!(fixed(parse("101").unwrap(), 5), "10100");
        assert_eq!(parse("12").unwrap_err().message(), "\"2\" is not a valid binary digit");
        assert_eq!(receive(&[0, 0, 0, 10, 0b1010_1010, 0b1100_0000]).unwrap(), "1010101011");
    }
}
