//! Composite values and `record`; and how values are packed inside others.
//!
//! Storage is keyed TEXT: the fields' nested keys, then `count|`, for a row of a subquery `=` and the packed names, and for
//! each field the OID of its type and its packed value, since a `record` must be written without knowing its declaration.
//!
//! A packed value names its class by a letter: `n`, `i12;`, `r1.5;`, `t5:bytes`, `b2:0aff`.
//!
//! Source: `src/backend/utils/adt/rowtypes.c`.

use std::fmt::Write;

use bytes::{Buf, BufMut, BytesMut};

use crate::bound::TypeMod;
use crate::catalog::Attribute;
use crate::{Oid, Result, SqlError, Value, ValueRef, error, interrupt};

use super::array::send_field;
use super::integer::is_space;
use super::{TypeContext, key, wrong_form};

/// Stands before the names of fields.
const NAMES: char = '=';

/// A composite value: each field's type and value in storage form.
pub type Fields = Vec<(Oid, Value)>;

/// Appends a packed value.
///
/// # Errors
/// `57014` when the statement is to stop.
pub fn pack(out: &mut String, value: ValueRef<'_>) -> Result<()> {
    match value {
        ValueRef::Null => out.push('n'),
        ValueRef::Integer(i) => write!(out, "i{i};").expect("a String takes anything"),
        ValueRef::Real(r) => write!(out, "r{r:?};").expect("a String takes anything"),
        ValueRef::Text(text) => {
            write!(out, "t{}:", text.len()).expect("a String takes anything");
            interrupt::append(out, text)?;
        }
        ValueRef::Blob(bytes) => super::bytes::push_hex(out, &format!("b{}:", bytes.len()), bytes)?,
    }
    Ok(())
}

/// Takes a packed value from the front of a text.
///
/// # Errors
/// `XX000`.
pub fn unpack(text: &mut &str) -> Result<Value> {
    try_unpack(text).ok_or_else(|| wrong_form("a packed value"))
}

fn try_unpack(text: &mut &str) -> Option<Value> {
    let kind = text.chars().next()?;
    let rest = &text[kind.len_utf8()..];
    if kind == 'n' {
        *text = rest;
        return Some(Value::Null);
    }
    let (number, rest) = rest.split_once(if matches!(kind, 'i' | 'r') { ';' } else { ':' })?;
    let (value, rest) = match kind {
        'i' => (Value::Integer(number.parse().ok()?), rest),
        'r' => (Value::Real(number.parse().ok()?), rest),
        't' => {
            let (body, rest) = rest.split_at_checked(number.parse().ok()?)?;
            (Value::from(body), rest)
        }
        'b' => {
            let (body, rest) = rest.split_at_checked(number.parse::<usize>().ok()?.checked_mul(2)?)?;
            (Value::Blob(super::bytes::parse_hex(body).ok()?), rest)
        }
        _ => return None,
    };
    *text = rest;
    Some(value)
}

/// The fields of a stored composite value.
///
/// # Errors
/// `XX000` when it is none.
pub fn fields(value: ValueRef<'_>) -> Result<Fields> {
    let (_, display) = key::split(value, "a composite type")?;
    let (count, mut body) = head(display)?;
    if body.starts_with(NAMES) {
        body = &body[NAMES.len_utf8()..];
        for _ in 0..count {
            unpack(&mut body)?;
        }
    }
    let mut fields = Vec::with_capacity(count);
    for _ in 0..count {
        let (ty, rest) = body.split_once(':').ok_or_else(|| wrong_form("a composite type"))?;
        body = rest;
        let ty = ty.parse().map_err(|_| wrong_form("a composite type"))?;
        fields.push((Oid(ty), unpack(&mut body)?));
    }
    Ok(fields)
}

/// How many fields there are, and what follows.
fn head(display: &str) -> Result<(usize, &str)> {
    let (count, body) = display.split_once('|').ok_or_else(|| wrong_form("a composite type"))?;
    Ok((count.parse().map_err(|_| wrong_form("a composite type"))?, body))
}

/// The names of the fields, where the value has brought them along.
///
/// # Errors
/// `XX000`.
pub fn names(value: ValueRef<'_>) -> Result<Option<Vec<String>>> {
    let (count, body) = head(key::split(value, "a composite type")?.1)?;
    let Some(mut body) = body.strip_prefix(NAMES) else { return Ok(None) };
    let name = |_| match unpack(&mut body)? {
        Value::Text(name) => Ok(name),
        _ => Err(wrong_form("a composite type")),
    };
    (0..count).map(name).collect::<Result<_>>().map(Some)
}

/// A composite value in storage form.
///
/// # Errors
/// `57014` when the statement is to stop.
pub fn to_value(fields: &[(Oid, Value)], cx: &TypeContext<'_>) -> Result<Value> {
    to_named_value(fields, &[], cx)
}

/// A composite value of no declared type whose fields have names: none, or one for each field.
///
/// # Errors
/// As [`to_value`].
pub fn to_named_value(fields: &[(Oid, Value)], names: &[String], cx: &TypeContext<'_>) -> Result<Value> {
    let mut stored = String::new();
    for (ty, value) in fields {
        key::push_value(&mut stored, super::storage_form(cx.catalog, *ty), value.as_ref());
    }
    stored.push(key::TERMINATOR);
    stored.push(key::KEY_SEPARATOR);
    write!(stored, "{}|", fields.len()).expect("a String takes anything");
    if !names.is_empty() {
        stored.push(NAMES);
        for name in names {
            pack(&mut stored, ValueRef::Text(name))?;
        }
    }
    for (ty, value) in fields {
        write!(stored, "{ty}:").expect("a String takes anything");
        pack(&mut stored, value.as_ref())?;
    }
    Ok(Value::Text(stored))
}

/// Reads a composite value from its text form, `(1,"a b",)`.
///
/// # Errors
/// `22P02`, `0A000` for `record`, and those of the fields.
pub fn input(relation: Oid, text: &str, cx: &TypeContext<'_>) -> Result<Value> {
    if !relation.is_valid() {
        return Err(error!(FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented"));
    }
    let words = words(text, cx.catalog.attributes(relation).iter().filter(|a| !a.attisdropped).count())?;
    let mut words = words.into_iter();
    let mut fields = Vec::new();
    for attribute in cx.catalog.attributes(relation).iter().filter(|a| !a.attisdropped) {
        let value = match words.next().flatten() {
            Some(word) => super::input(declared(attribute), &word, cx)?,
            None => Value::Null,
        };
        fields.push((attribute.atttypid, value));
    }
    to_value(&fields, cx)
}

fn declared(attribute: &Attribute) -> TypeMod {
    TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod }
}

/// The words between the parentheses, exactly so many; `None` for NULL.
fn words(text: &str, count: usize) -> Result<Vec<Option<String>>> {
    let malformed = |detail: &str| -> SqlError {
        error!(INVALID_TEXT_REPRESENTATION, "malformed record literal: \"{text}\"").detail(detail)
    };
    let body = text
        .trim_start_matches(is_space)
        .strip_prefix('(')
        .ok_or_else(|| malformed("Missing left parenthesis."))?;
    let mut characters = body.chars().peekable();
    let mut words = Vec::new();
    for index in 0..count {
        if index > 0 {
            match characters.next_if_eq(&',') {
                Some(_) => {}
                None => return Err(malformed("Too few columns.")),
            }
        }
        if matches!(characters.peek(), Some(',' | ')')) {
            words.push(None);
            continue;
        }
        let word = word(&mut characters).ok_or_else(|| malformed("Unexpected end of input."))?;
        words.push(Some(word));
    }
    match characters.next() {
        Some(')') => {}
        _ => return Err(malformed("Too many columns.")),
    }
    if !characters.all(is_space) {
        return Err(malformed("Junk after right parenthesis."));
    }
    Ok(words)
}

/// One word, up to the comma or parenthesis that ends it; `None` when the text ends first.
fn word(characters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<String> {
    let mut word = String::new();
    let mut quoted = false;
    loop {
        match *characters.peek()? {
            ',' | ')' if !quoted => return Some(word),
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

/// Appends the text form of a composite value.
///
/// # Errors
/// `XX000`.
pub fn output(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    out.push('(');
    for (index, (ty, value)) in fields(value)?.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        if value.is_null() {
            continue;
        }
        push_quoted(out, &super::to_text(*ty, value.as_ref(), cx)?);
    }
    out.push(')');
    Ok(())
}

/// Appends a field of a composite value or a bound of a range, quoted where it must be.
pub(super) fn push_quoted(out: &mut String, text: &str) {
    let special = |c: char| matches!(c, '"' | '\\' | '(' | ')' | ',') || is_space(c);
    if !text.is_empty() && !text.contains(special) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push(c);
        }
        out.push(c);
    }
    out.push('"');
}

/// Reads a composite value from its binary form.
///
/// # Errors
/// `22P03`, `08P01`, `42804`, `0A000` for `record`.
pub fn receive(relation: Oid, mut bytes: &[u8], cx: &TypeContext<'_>) -> Result<Value> {
    if !relation.is_valid() {
        return Err(error!(FEATURE_NOT_SUPPORTED, "input of anonymous composite types is not implemented"));
    }
    let short = |_| error!(PROTOCOL_VIOLATION, "insufficient data left in message");
    let attributes = cx.catalog.attributes(relation);
    let columns: Vec<_> = attributes.iter().filter(|a| !a.attisdropped).collect();
    let count = bytes.try_get_i32().map_err(short)?;
    if count as usize != columns.len() {
        return Err(error!(
            DATATYPE_MISMATCH,
            "wrong number of columns: {count}, expected {}",
            columns.len()
        ));
    }
    let mut fields = Vec::with_capacity(columns.len());
    for column in columns {
        let sent = Oid(bytes.try_get_u32().map_err(short)?);
        if sent != column.atttypid {
            return Err(error!(
                DATATYPE_MISMATCH,
                "binary data has type {sent} instead of expected {} in record column {}",
                column.atttypid,
                column.attnum
            ));
        }
        let length = bytes.try_get_i32().map_err(short)?;
        let value = match usize::try_from(length) {
            Err(_) => Value::Null,
            Ok(length) => {
                let (field, rest) = bytes.split_at_checked(length).ok_or_else(|| {
                    error!(INVALID_BINARY_REPRESENTATION, "insufficient data left in message")
                })?;
                bytes = rest;
                super::receive(declared(column), field, cx)?
            }
        };
        fields.push((sent, value));
    }
    to_value(&fields, cx)
}

/// Appends the binary form of a composite value.
///
/// # Errors
/// `42883` when a field has none.
pub fn send(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let fields = fields(value)?;
    out.put_i32(fields.len() as i32);
    for (ty, value) in &fields {
        out.put_u32(ty.0);
        send_field(*ty, value.as_ref(), cx, out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_values_come_back() {
        let values = [
            Value::Null,
            Value::Integer(-5),
            Value::Real(1e300),
            Value::Real(f64::INFINITY),
            Value::from("a;b:\u{1}é"),
            Value::Blob(vec![0, 255]),
        ];
        let mut packed = String::new();
        values.iter().for_each(|v| pack(&mut packed, v.as_ref()).unwrap());
        let mut rest = packed.as_str();
        for value in &values {
            assert_eq!(unpack(&mut rest).unwrap(), *value);
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn words_of_literals() {
        assert_eq!(words("(,)", 2).unwrap(), [None, None]);
        assert_eq!(words("(1,\"a\"\"b\\\"c\")", 2).unwrap()[1].as_deref(), Some("a\"b\"c"));
        assert_eq!(words(" ( 1 , b ) ", 2).unwrap()[1].as_deref(), Some(" b "));
        for (text, detail) in [
            ("(1,2", "Unexpected end of input."),
            ("1,2)", "Missing left parenthesis."),
            ("(1,2,3)", "Too many columns."),
            ("(1)", "Too few columns."),
            ("(1,2)x", "Junk after right parenthesis."),
        ] {
            assert_eq!(words(text, 2).unwrap_err().0.detail.as_deref(), Some(detail), "{text}");
        }
    }
}
