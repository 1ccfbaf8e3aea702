//! `bool` and `void`.
//!
//! Source: `src/backend/utils/adt/bool.c`.

use bytes::{BufMut, BytesMut};

use crate::oid::types;
use crate::{Oid, Result, Value, ValueRef};

use super::{StorageForm, TypeContext, TypeEntry, exact_bytes, invalid_syntax, wrong_form};

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    TypeEntry {
        oid: types::BOOL,
        array: types::_BOOL,
        form: StorageForm::Integer,
        input: |text, _, _| parse(text).map(Value::from).ok_or_else(|| invalid_syntax("boolean", text)),
        output: |value, _, out| {
            out.push(if truth(value)? { 't' } else { 'f' });
            Ok(())
        },
        receive: Some(|bytes, _, _| Ok(Value::from(exact_bytes::<1>(bytes)? != [0]))),
        send: Some(|value, _, out| {
            out.put_u8(truth(value)?.into());
            Ok(())
        }),
    },
    TypeEntry {
        oid: types::VOID,
        array: Oid::INVALID,
        form: StorageForm::Text,
        input: |_, _, _| Ok(Value::Text(String::new())),
        output: |_, _, _| Ok(()),
        receive: Some(|_, _, _| Ok(Value::Text(String::new()))),
        send: Some(send_nothing),
    },
];

fn send_nothing(_: ValueRef<'_>, _: &TypeContext<'_>, _: &mut BytesMut) -> Result<()> {
    Ok(())
}

fn truth(value: ValueRef<'_>) -> Result<bool> {
    match value {
        ValueRef::Integer(i) => Ok(i != 0),
        _ => Err(wrong_form("boolean")),
    }
}

/// The boolean that a word, or a unique beginning of one, means; surrounding blanks do not count.
pub(super) fn parse(text: &str) -> Option<bool> {
    let word = text.trim_matches(super::integer::is_space).to_ascii_lowercase();
    match word.as_str() {
        "" | "o" => None,
        "1" | "on" => Some(true),
        "0" | "of" | "off" => Some(false),
        word if "true".starts_with(word) || "yes".starts_with(word) => Some(true),
        word if "false".starts_with(word) || "no".starts_with(word) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_their_beginnings() {
        for yes in ["t", "tr", "TRUE", " y ", "yes", "on", "1"] {
            assert_eq!(parse(yes), Some(true), "{yes}");
        }
        for no in ["f", "fals", "n", "NO", "of", "off", "0"] {
            assert_eq!(parse(no), Some(false), "{no}");
        }
        for neither in ["", "o", "truee", "2", "tru e"] {
            assert_eq!(parse(neither), None, "{neither}");
        }
    }
}
