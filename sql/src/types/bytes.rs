//! bytea and uuid, both BLOBs, which SQLite orders as PostgreSQL does.
//!
//! Source: `src/backend/utils/adt/varlena.c`, `encode.c`, `uuid.c`.

use std::fmt::Write;

use crate::interrupt::{self, Turns};
use crate::oid::types;
use crate::{Result, Value, ValueRef, error};

use super::{StorageForm, TypeEntry, exact_bytes, invalid_syntax, wrong_form};

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::BYTEA,
        array: types::_BYTEA,
        form: StorageForm::Blob,
        input: |text, _, _| parse(text).map(Value::Blob),
        output: |value, cx, out| {
            let bytes = blob(value)?;
            if cx.format.bytea_escape { push_escaped(out, bytes) } else { push_hex(out, "\\x", bytes) }
        },
        receive: Some(|bytes, _, _| interrupt::copied(bytes).map(Value::Blob)),
        send: Some(|value, _, out| {
            interrupt::pieces(blob(value)?)
                .try_for_each(|piece| piece.map(|piece| out.extend_from_slice(piece)))
        }),
    },
    TypeEntry {
        oid: types::UUID,
        array: types::_UUID,
        form: StorageForm::Blob,
        input: |text, _, _| {
            parse_uuid(text).map(|u| Value::Blob(u.to_vec())).ok_or_else(|| invalid_syntax("uuid", text))
        },
        output: |value, _, out| {
            let bytes = blob(value)?;
            for (index, byte) in bytes.iter().enumerate() {
                if matches!(index, 4 | 6 | 8 | 10) {
                    out.push('-');
                }
                write!(out, "{byte:02x}").expect("a String takes anything");
            }
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(Value::Blob(exact_bytes::<16>(bytes)?.to_vec()))),
        send: Some(|value, _, out| {
            out.extend_from_slice(blob(value)?);
            Ok(())
        }),
    },
];

/// The bytes in a stored value.
///
/// # Errors
/// `XX000` when it has none.
pub fn blob(value: ValueRef<'_>) -> Result<&[u8]> {
    match value {
        ValueRef::Blob(bytes) => Ok(bytes),
        _ => Err(wrong_form("bytea")),
    }
}

/// Reads bytea in hex (`\x0aff`) or escape form (`a\\b\001`).
///
/// # Errors
/// `22P02`, `22023`.
pub fn parse(text: &str) -> Result<Vec<u8>> {
    match text.strip_prefix("\\x") {
        Some(digits) => parse_hex(digits),
        None => parse_escaped(text),
    }
}

/// Reads hexadecimal digits, two for a byte; blanks may stand between bytes.
///
/// # Errors
/// `22023`.
pub fn parse_hex(digits: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(digits.len() / 2);
    let mut characters = digits.chars();
    let mut turns = Turns::default();
    while let Some(high) = characters.next() {
        turns.turn()?;
        if matches!(high, ' ' | '\n' | '\t' | '\r') {
            continue;
        }
        let high_digit = hex_digit(high)?;
        let Some(low) = characters.next() else {
            return Err(error!(INVALID_PARAMETER_VALUE, "invalid hexadecimal data: odd number of digits"));
        };
        bytes.push(high_digit << 4 | hex_digit(low)?);
    }
    Ok(bytes)
}

fn hex_digit(c: char) -> Result<u8> {
    match c.to_digit(16) {
        Some(digit) => Ok(digit as u8),
        None => Err(error!(INVALID_PARAMETER_VALUE, "invalid hexadecimal digit: \"{c}\"")),
    }
}

/// Reads the escape form: `\\` for a backslash, `\nnn` for a byte in octal.
///
/// # Errors
/// `22P02`.
pub fn parse_escaped(text: &str) -> Result<Vec<u8>> {
    let source = text.as_bytes();
    let mut bytes = Vec::with_capacity(source.len());
    let mut at = 0;
    let mut turns = Turns::default();
    while at < source.len() {
        turns.turn()?;
        match &source[at..] {
            [b'\\', b'\\', ..] => {
                bytes.push(b'\\');
                at += 2;
            }
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                bytes.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                at += 4;
            }
            [b'\\', ..] => {
                return Err(error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type bytea"));
            }
            [byte, ..] => {
                bytes.push(*byte);
                at += 1;
            }
            [] => break,
        }
    }
    Ok(bytes)
}

/// Appends bytes in hexadecimal after a prefix.
///
/// # Errors
/// `57014` when the statement is to stop.
pub fn push_hex(out: &mut String, prefix: &str, bytes: &[u8]) -> Result<()> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.reserve(prefix.len() + bytes.len() * 2);
    out.push_str(prefix);
    for piece in interrupt::pieces(bytes) {
        let digits = piece?.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        out.extend(digits.map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
    Ok(())
}

/// Appends bytes in escape form.
///
/// # Errors
/// `57014` when the statement is to stop.
pub fn push_escaped(out: &mut String, bytes: &[u8]) -> Result<()> {
    let mut turns = Turns::default();
    for &byte in bytes {
        turns.turn()?;
        match byte {
            b'\\' => out.push_str("\\\\"),
            0x20..=0x7E => out.push(char::from(byte)),
            _ => write!(out, "\\{byte:03o}").expect("a String takes anything"),
        }
    }
    Ok(())
}

/// Reads a UUID: 32 hexadecimal digits, a hyphen allowed after each four, braces allowed around it.
pub fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let body = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?,
        None => text,
    };
    let mut rest = body.as_bytes();
    let mut uuid = [0; 16];
    for (index, byte) in uuid.iter_mut().enumerate() {
        let (high, low) = (*rest.first()?, *rest.get(1)?);
        *byte = (char::from(high).to_digit(16)? << 4 | char::from(low).to_digit(16)?) as u8;
        rest = &rest[2..];
        if index % 2 == 1 && index < 15 && rest.first() == Some(&b'-') {
            rest = &rest[1..];
        }
    }
    rest.is_empty().then_some(uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_bytea() {
        assert_eq!(parse("\\x 0aFF").unwrap(), [0x0A, 0xFF]);
        assert_eq!(parse("a\\\\b\\001").unwrap(), b"a\\b\x01");
        assert_eq!(parse("\\x0").unwrap_err().message(), "invalid hexadecimal data: odd number of digits");
        assert_eq!(parse("\\xzz").unwrap_err().message(), "invalid hexadecimal digit: \"z\"");
        assert_eq!(parse("a\\b").unwrap_err().message(), "invalid input syntax for type bytea");
        let mut out = String::new();
        push_escaped(&mut out, b"a\\\xff\n").unwrap();
        assert_eq!(out, "a\\\\\\377\\012");
    }

    #[test]
    fn forms_of_uuid() {
        let uuid = parse_uuid("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11").unwrap();
        assert_eq!(parse_uuid("{A0EEBC999c0b4ef8bb6d6bb9bd380a11}"), Some(uuid));
        assert_eq!(parse_uuid("{a0eebc99-9c0b4ef8-bb6d6bb9-bd380a11}"), Some(uuid));
        assert_eq!(parse_uuid("a0e-ebc999c0b4ef8bb6d6bb9bd380a11"), None);
    }
}
