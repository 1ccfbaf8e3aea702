//! int2vector and oidvector: the catalogs' short lists of numbers, stored as their text (`1 2 3`).
//!
//! Source: `src/backend/utils/adt/int.c`, `oid.c`.

use bytes::{BufMut, BytesMut};

use crate::oid::types;
use crate::{Oid, Result, Value, ValueRef};

use super::text::text_of;
use super::{Input, StorageForm, TypeEntry, array, integer, text};

macro_rules! vector {
    ($oid:ident, $array:ident, $element:ident, $width:literal, $parse:expr) => {
        TypeEntry {
            oid: types::$oid,
            array: types::$array,
            form: StorageForm::Text,
            input: {
                const INPUT: Input = |text, _, _| parse(text, $parse);
                INPUT
            },
            output: text::output,
            receive: Some(|bytes, _, cx| {
                let array = array::decode_binary(types::$element, -1, bytes, cx)?;
                let words: Vec<_> = array
                    .elements
                    .iter()
                    .map(|e| integer::integer(e.as_ref(), "vector"))
                    .collect::<Result<_>>()?;
                Ok(Value::Text(join(&words)))
            }),
            send: Some(|value, _, out| send(value, types::$element, $width, out)),
        }
    };
}

/// The types of this family.
pub const TYPES: &[TypeEntry] = &[
    vector!(INT2VECTOR, _INT2VECTOR, INT2, 2, |word| integer::parse_signed(
        word,
        "smallint",
        i16::MIN.into(),
        i16::MAX.into()
    )),
    vector!(OIDVECTOR, _OIDVECTOR, OID, 4, |word| integer::parse_unsigned(word, "oid")),
];

/// The type of a vector's elements.
pub(super) fn element_type(vector: Oid) -> Option<Oid> {
    match vector {
        types::INT2VECTOR => Some(types::INT2),
        types::OIDVECTOR => Some(types::OID),
        _ => None,
    }
}

/// The numbers of a stored vector.
///
/// # Errors
/// `XX000` when the value is none.
pub fn numbers(value: ValueRef<'_>) -> Result<Vec<i64>> {
    let text = text_of(value)?;
    text.split_ascii_whitespace().map(|w| w.parse().map_err(|_| super::wrong_form("vector"))).collect()
}

fn parse(text: &str, parse: fn(&str) -> Result<i64>) -> Result<Value> {
    let words: Vec<_> =
        text.split(integer::is_space).filter(|w| !w.is_empty()).map(parse).collect::<Result<_>>()?;
    Ok(Value::Text(join(&words)))
}

fn join(numbers: &[i64]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Vectors travel as arrays of one dimension from 0.
fn send(value: ValueRef<'_>, element: Oid, width: usize, out: &mut BytesMut) -> Result<()> {
    let numbers = numbers(value)?;
    out.put_i32(1);
    out.put_i32(0);
    out.put_u32(element.0);
    out.put_i32(numbers.len() as i32);
    out.put_i32(0);
    for number in numbers {
        out.put_i32(width as i32);
        out.extend_from_slice(&number.to_be_bytes()[8 - width..]);
    }
    Ok(())
}
