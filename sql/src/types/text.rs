//! Character strings: text, varchar, char(n), name, "char", cstring, unknown, and other types that are plain text to us.
//!
//! A `char(n)` is stored padded, as in PostgreSQL, because output sees no modifier; its functions compare trimmed text.
//! Within a column all values have one length, so its indexes order them by bytes; they differ from PostgreSQL's order
//! only where a text has characters below the blank.
//!
//! Source: `src/backend/utils/adt/varchar.c`, `varlena.c`, `name.c`, `char.c`.

use bytes::BytesMut;

use crate::oid::types;
use crate::{Oid, Result, Value, ValueRef, error, interrupt};

use super::{StorageForm, TypeContext, TypeEntry, exact_bytes, wrong_form};

/// The longest name in bytes (PostgreSQL's `NAMEDATALEN` - 1).
pub const NAME_LENGTH_MAX: usize = 63;

/// What a modifier of a character type counts beyond the length (PostgreSQL's `VARHDRSZ`).
pub const MODIFIER_HEADER: i32 = 4;

const PG_NODE_TREE: Oid = Oid(194);

macro_rules! string {
    ($oid:expr, $array:expr, $input:expr) => {
        TypeEntry {
            oid: $oid,
            array: $array,
            form: StorageForm::Text,
            input: $input,
            output,
            receive: Some(|bytes, modifier, cx| {
                let input: super::Input = $input;
                input(utf8(bytes)?, modifier, cx)
            }),
            send: Some(send),
        }
    };
}

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    string!(types::TEXT, types::_TEXT, |text, _, _| Ok(Value::from(text))),
    string!(types::VARCHAR, types::_VARCHAR, |text, modifier, _| Ok(Value::from(truncate(text, modifier)))),
    string!(types::BPCHAR, types::_BPCHAR, |text, modifier, _| Ok(Value::Text(pad(
        truncate(text, modifier),
        modifier
    )))),
    string!(types::NAME, types::_NAME, |text, _, _| Ok(Value::from(truncate_name(text)))),
    string!(types::CSTRING, types::_CSTRING, |text, _, _| Ok(Value::from(text))),
    string!(types::UNKNOWN, Oid::INVALID, |text, _, _| Ok(Value::from(text))),
    string!(types::REFCURSOR, types::_REFCURSOR, |text, _, _| Ok(Value::from(text))),
    string!(types::XML, types::_XML, |_, _, _| Err(crate::SqlError::unsupported("type xml"))),
    string!(PG_NODE_TREE, Oid::INVALID, |_, _, _| Err(error!(
        FEATURE_NOT_SUPPORTED,
        "cannot accept a value of type pg_node_tree"
    ))),
    TypeEntry {
        oid: types::ACLITEM,
        array: types::_ACLITEM,
        form: StorageForm::Text,
        input: |text, _, cx| {
            let item = crate::catalog::privileges::parse_item(text, cx.catalog)?;
            Ok(Value::Text(crate::catalog::privileges::display_item(&item, cx.catalog)))
        },
        output,
        receive: None,
        send: None,
    },
    TypeEntry {
        oid: types::CHAR,
        array: types::_CHAR,
        form: StorageForm::Text,
        input: |text, _, _| Ok(char_from_byte(char_byte(text))),
        output: |value, _, out| {
            let text = text_of(value)?;
            out.push_str(text);
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(char_from_byte(exact_bytes::<1>(bytes)?[0]))),
        send: Some(|value, _, out| {
            out.extend_from_slice(&[char_byte(text_of(value)?)]);
            Ok(())
        }),
    },
];

/// The byte of a "char": the first of its text, zero for none.
pub fn char_byte(text: &str) -> u8 {
    match text.chars().next() {
        None => 0,
        Some(c) => c.to_string().as_bytes()[0],
    }
}

/// A "char" from its byte. Bytes above 127 are no text in UTF-8 and become the replacement character.
pub fn char_from_byte(byte: u8) -> Value {
    match byte {
        0 => Value::Text(String::new()),
        1..=127 => Value::Text(char::from(byte).to_string()),
        _ => Value::Text(char::REPLACEMENT_CHARACTER.to_string()),
    }
}

/// The text in a stored value.
///
/// # Errors
/// `XX000` when it is none.
pub fn text_of(value: ValueRef<'_>) -> Result<&str> {
    match value {
        ValueRef::Text(text) => Ok(text),
        _ => Err(wrong_form("text")),
    }
}

/// Writes a string as it is.
pub(super) fn output(value: ValueRef<'_>, _: &TypeContext<'_>, out: &mut String) -> Result<()> {
    interrupt::append(out, text_of(value)?)
}

fn send(value: ValueRef<'_>, _: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    for piece in interrupt::pieces(text_of(value)?.as_bytes()) {
        out.extend_from_slice(piece?);
    }
    Ok(())
}

/// The text in bytes from a client.
///
/// # Errors
/// `22021` for what is not UTF-8 or has a zero byte.
pub fn utf8(bytes: &[u8]) -> Result<&str> {
    let (at, length) = match std::str::from_utf8(bytes) {
        Ok(text) => match text.bytes().position(|b| b == 0) {
            None => return Ok(text),
            Some(zero) => (zero, 1),
        },
        Err(fault) => {
            let at = fault.valid_up_to();
            let wanted = match bytes[at] {
                0xC0..=0xDF => 2,
                0xE0..=0xEF => 3,
                0xF0..=0xF7 => 4,
                _ => 1,
            };
            (at, wanted.min(bytes.len() - at))
        }
    };
    let shown: Vec<_> = bytes[at..at + length].iter().map(|b| format!("0x{b:02x}")).collect();
    Err(error!(
        CHARACTER_NOT_IN_REPERTOIRE,
        "invalid byte sequence for encoding \"UTF8\": {}",
        shown.join(" ")
    ))
}

/// The length in characters that a modifier of varchar or char(n) allows.
pub fn length_limit(modifier: i32) -> Option<usize> {
    (modifier >= MODIFIER_HEADER).then(|| (modifier - MODIFIER_HEADER) as usize)
}

/// The text cut to the length of a modifier, as an explicit cast cuts it.
pub fn truncate(text: &str, modifier: i32) -> &str {
    match length_limit(modifier) {
        Some(limit) => first_characters(text, limit),
        None => text,
    }
}

/// The text with the blanks that char(n) of this modifier has at its end.
pub fn pad(text: &str, modifier: i32) -> String {
    let mut padded = text.to_owned();
    if let Some(limit) = length_limit(modifier) {
        let length = text.chars().count();
        padded.extend(std::iter::repeat_n(' ', limit.saturating_sub(length)));
    }
    padded
}

/// The text as assignment to `character varying(n)` or `character(n)` takes it: only blanks may be cut.
///
/// # Errors
/// `22001`.
pub fn fit<'a>(text: &'a str, modifier: i32, ty: &str) -> Result<&'a str> {
    let cut = truncate(text, modifier);
    if text[cut.len()..].bytes().any(|b| b != b' ') {
        let limit = modifier - MODIFIER_HEADER;
        return Err(error!(STRING_DATA_RIGHT_TRUNCATION, "value too long for type {ty}({limit})"));
    }
    Ok(cut)
}

/// The text's first characters.
pub fn first_characters(text: &str, count: usize) -> &str {
    let mut rest = text.chars();
    // Many characters are skipped at once, unlike with their indices.
    if let Some(before) = count.checked_sub(1) {
        rest.nth(before);
    }
    &text[..text.len() - rest.as_str().len()]
}

/// A name cut to [`NAME_LENGTH_MAX`] bytes, at the end of a character.
pub fn truncate_name(text: &str) -> &str {
    &text[..text.floor_char_boundary(NAME_LENGTH_MAX)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_count_characters() {
        assert_eq!(truncate("añejo", 6), "añ");
        assert_eq!(pad("ñ", 7), "ñ  ");
        assert_eq!(fit("abc  ", 7, "character varying").unwrap(), "abc");
        let refused = fit("abcd", 7, "character varying").unwrap_err();
        assert_eq!(refused.message(), "value too long for type character varying(3)");
        assert_eq!(refused.code().to_string(), "22001");
        assert_eq!(truncate_name(&"é".repeat(40)).len(), 62);
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(
            utf8(b"a\xe9b").unwrap_err().message(),
            "invalid byte sequence for encoding \"UTF8\": 0xe9 0x62"
        );
        assert_eq!(utf8(b"a\0").unwrap_err().message(), "invalid byte sequence for encoding \"UTF8\": 0x00");
    }
}
