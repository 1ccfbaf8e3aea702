//! How bodies read their arguments and make their results: the storage classes of `types`, checked once here, so that
//! a body that meets a value of another class reports a fault of ours instead of guessing.

use crate::bound::TypeMod;
use crate::interrupt::Many;
use crate::types::{self, TypeContext};
use crate::{Oid, Result, SqlError, Value, ValueRef};

use super::{Body, Function, RowsBody, ScalarBody};

/// An entry evaluated by a scalar body.
pub(crate) const fn scalar(symbol: &'static str, body: ScalarBody) -> Function {
    Function { symbol, body: Body::Scalar(body) }
}

/// An entry evaluated by a body that may wait.
pub(crate) const fn waiting(symbol: &'static str, body: ScalarBody) -> Function {
    Function { symbol, body: Body::Waiting(body) }
}

/// An entry evaluated by SQLite.
pub(crate) const fn native(symbol: &'static str, text: &'static str) -> Function {
    Function { symbol, body: Body::Native(text) }
}

/// An entry that gives rows.
pub(crate) const fn rows(symbol: &'static str, body: RowsBody) -> Function {
    Function { symbol, body: Body::Rows(body) }
}

/// The rows of a set-returning body.
pub(crate) type Rows = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

/// Rows that are all known.
pub(crate) fn known(rows: Vec<Vec<Value>>) -> Rows {
    Box::new(Many::from(rows).map(Ok))
}

/// Rows of one value each, all known.
pub(crate) fn column(values: impl Into<Many<Value>>) -> Rows {
    let values: Many<Value> = values.into();
    Box::new(values.map(|value| Ok(vec![value])))
}

fn mismatch(wanted: &str, value: ValueRef<'_>) -> SqlError {
    SqlError::internal(format!("expected a stored {wanted}, found {value:?}"))
}

/// A value stored as INTEGER.
pub(crate) fn integer(value: ValueRef<'_>) -> Result<i64> {
    match value {
        ValueRef::Integer(i) => Ok(i),
        other => Err(mismatch("integer", other)),
    }
}

/// A value of type int4 or int2.
pub(crate) fn int4(value: ValueRef<'_>) -> Result<i32> {
    i32::try_from(integer(value)?).map_err(|_| mismatch("int4", value))
}

/// A value of type oid or a `reg*` type.
pub(crate) fn oid(value: ValueRef<'_>) -> Result<Oid> {
    u32::try_from(integer(value)?).map(Oid).map_err(|_| mismatch("oid", value))
}

/// A value of type bool.
pub(crate) fn boolean(value: ValueRef<'_>) -> Result<bool> {
    integer(value).map(|i| i != 0)
}

/// A value stored as TEXT.
pub(crate) fn text(value: ValueRef<'_>) -> Result<&str> {
    match value {
        ValueRef::Text(t) => Ok(t),
        other => Err(mismatch("text", other)),
    }
}

/// A value stored as REAL; NaN is the TEXT `NaN`.
pub(crate) fn real(value: ValueRef<'_>) -> Result<f64> {
    match value {
        ValueRef::Real(r) => Ok(r),
        ValueRef::Integer(i) => Ok(i as f64),
        ValueRef::Text("NaN") => Ok(f64::NAN),
        other => Err(mismatch("real", other)),
    }
}

/// An OID as a value.
pub(crate) fn from_oid(oid: Oid) -> Value {
    Value::Integer(i64::from(oid.0))
}

/// A double as a value.
pub(crate) fn from_real(real: f64) -> Value {
    if real.is_nan() { Value::Text("NaN".to_owned()) } else { Value::Real(real) }
}

/// The text form of a value of any type.
pub(crate) fn to_text(ty: Oid, value: ValueRef<'_>, cx: &TypeContext<'_>) -> Result<String> {
    let mut out = String::new();
    types::output(ty, value, cx, &mut out)?;
    Ok(out)
}

/// A one-dimensional array made of its elements' text forms.
pub(crate) fn array_of<S: AsRef<str>>(
    array: Oid,
    elements: impl IntoIterator<Item = Option<S>>,
    cx: &TypeContext<'_>,
) -> Result<Value> {
    types::input(TypeMod::plain(array), &array_literal(elements), cx)
}

/// The text form of a one-dimensional array; every element that is not NULL is quoted.
pub(crate) fn array_literal<S: AsRef<str>>(elements: impl IntoIterator<Item = Option<S>>) -> String {
    let mut out = String::from("{");
    for (position, element) in elements.into_iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        match element {
            None => out.push_str("NULL"),
            Some(element) => quote_into(&mut out, element.as_ref()),
        }
    }
    out.push('}');
    out
}

fn quote_into(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

/// The text forms of an array's elements, whatever its dimensions; `None` for NULL.
pub(crate) fn array_elements(
    array: Oid,
    value: ValueRef<'_>,
    cx: &TypeContext<'_>,
) -> Result<Vec<Option<String>>> {
    Ok(parse_array(&to_text(array, value, cx)?).leaves())
}

/// An array read back from its text form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArrayText {
    /// An element; `None` for NULL.
    Element(Option<String>),
    /// A dimension.
    Nested(Vec<ArrayText>),
}

impl ArrayText {
    /// The elements in storage order.
    pub(crate) fn leaves(self) -> Vec<Option<String>> {
        match self {
            Self::Element(element) => vec![element],
            Self::Nested(parts) => parts.into_iter().flat_map(Self::leaves).collect(),
        }
    }
}

/// Reads what a type's output function wrote for an array: never malformed.
pub(crate) fn parse_array(text: &str) -> ArrayText {
    let body = match text.find("={") {
        Some(bounds) if text.starts_with('[') => &text[bounds + 1..],
        _ => text,
    };
    let mut characters = body.chars().peekable();
    characters.next();
    parse_dimension(&mut characters)
}

fn parse_dimension(input: &mut std::iter::Peekable<std::str::Chars<'_>>) -> ArrayText {
    let mut parts = Vec::new();
    loop {
        match input.peek() {
            None => break,
            Some('}') => {
                input.next();
                break;
            }
            Some(',') => {
                input.next();
            }
            Some('{') => {
                input.next();
                parts.push(parse_dimension(input));
            }
            Some(_) => parts.push(ArrayText::Element(parse_element(input, &[',', '}']))),
        }
    }
    ArrayText::Nested(parts)
}

/// Reads one element (or field) up to one of the terminators, which is left in place. An unquoted `NULL` is NULL.
fn parse_element(
    input: &mut std::iter::Peekable<std::str::Chars<'_>>,
    terminators: &[char],
) -> Option<String> {
    let (mut out, mut quoted, mut inside) = (String::new(), false, false);
    while let Some(&c) = input.peek() {
        if !inside && terminators.contains(&c) {
            break;
        }
        input.next();
        match c {
            '"' if inside && input.peek() == Some(&'"') => out.extend(input.next()),
            '"' => {
                inside = !inside;
                quoted = true;
            }
            '\\' => out.extend(input.next()),
            c => out.push(c),
        }
    }
    (quoted || out != "NULL").then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_survive_their_text_form() {
        let elements =
            vec![Some("a".to_owned()), None, Some("NULL".to_owned()), Some("x\"y\\z,}".to_owned())];
        let literal = array_literal(elements.clone());
        assert_eq!(parse_array(&literal).leaves(), elements);
        assert_eq!(parse_array("[0:1]={1,NULL}").leaves(), [Some("1".to_owned()), None]);
        assert_eq!(parse_array("{}").leaves(), Vec::<Option<String>>::new());
    }
}
