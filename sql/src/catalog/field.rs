//! The columns of catalog rows: how each Rust type of a field is read from and written as PostgreSQL's text form, and
//! kept in the database file.
//!
//! A list that may be NULL is an array (`{1,2}`); one that may not is an `int2vector` or `oidvector` (`1 2`).

use std::borrow::Cow;

use super::row::KeyPart;
use crate::{Oid, Value, ValueRef};

/// A column's value.
pub(crate) trait Field: Sized {
    /// From PostgreSQL's text form; nothing when it does not fit.
    fn from_text(text: Option<&str>) -> Option<Self>;
    /// As PostgreSQL's text form.
    fn to_text(&self) -> Option<String>;
    /// From what [`Self::to_stored`] gave.
    fn from_stored(value: &Value) -> Option<Self>;
    /// As the database file keeps it.
    fn to_stored(&self) -> Value;
    /// As part of a key.
    fn part(&self) -> KeyPart<'_>;
}

/// A value that is there.
pub(crate) trait Scalar: Sized {
    fn parse(text: &str) -> Option<Self>;
    fn print(&self) -> String;
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Text(text) => Self::parse(text),
            _ => None,
        }
    }
    fn store(&self) -> Value {
        Value::Text(self.print())
    }
    fn key_part(&self) -> KeyPart<'_> {
        KeyPart::Text(Cow::Owned(self.print()))
    }
}

impl<T: Scalar> Field for Option<T> {
    fn from_text(text: Option<&str>) -> Option<Self> {
        text.map_or(Some(None), |text| T::parse(text).map(Some))
    }
    fn to_text(&self) -> Option<String> {
        self.as_ref().map(T::print)
    }
    fn from_stored(value: &Value) -> Option<Self> {
        if value.is_null() { Some(None) } else { T::read(value.as_ref()).map(Some) }
    }
    fn to_stored(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::store)
    }
    fn part(&self) -> KeyPart<'_> {
        self.as_ref().map_or(KeyPart::Null, T::key_part)
    }
}

macro_rules! fields {
    ($($type:ty)*) => {
        $(impl Field for $type {
            fn from_text(text: Option<&str>) -> Option<Self> {
                Self::parse(text?)
            }
            fn to_text(&self) -> Option<String> {
                Some(self.print())
            }
            fn from_stored(value: &Value) -> Option<Self> {
                Self::read(value.as_ref())
            }
            fn to_stored(&self) -> Value {
                self.store()
            }
            fn part(&self) -> KeyPart<'_> {
                self.key_part()
            }
        })*
    };
}

fields! { bool i16 i32 i64 f64 Oid char String }

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl Scalar for $type {
            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
            fn print(&self) -> String {
                self.to_string()
            }
            fn read(value: ValueRef<'_>) -> Option<Self> {
                match value {
                    ValueRef::Integer(number) => number.try_into().ok(),
                    _ => None,
                }
            }
            fn store(&self) -> Value {
                Value::Integer(i64::from(*self))
            }
            fn key_part(&self) -> KeyPart<'_> {
                KeyPart::Number(i64::from(*self))
            }
        })*
    };
}

integers! { i16 i32 i64 }

impl Scalar for Oid {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Oid)
    }
    fn print(&self) -> String {
        self.0.to_string()
    }
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(number) => number.try_into().ok().map(Oid),
            _ => None,
        }
    }
    fn store(&self) -> Value {
        Value::Integer(self.0.into())
    }
    fn key_part(&self) -> KeyPart<'_> {
        (*self).into()
    }
}

impl Scalar for bool {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "t" => Some(true),
            "f" => Some(false),
            _ => None,
        }
    }
    fn print(&self) -> String {
        if *self { "t" } else { "f" }.to_owned()
    }
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Integer(number) => Some(number != 0),
            _ => None,
        }
    }
    fn store(&self) -> Value {
        Value::Integer((*self).into())
    }
    fn key_part(&self) -> KeyPart<'_> {
        KeyPart::Number((*self).into())
    }
}

impl Scalar for f64 {
    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn print(&self) -> String {
        self.to_string()
    }
    fn read(value: ValueRef<'_>) -> Option<Self> {
        match value {
            ValueRef::Real(real) => Some(real),
            #[allow(clippy::cast_precision_loss, reason = "whole floats are small in catalogs")]
            ValueRef::Integer(number) => Some(number as f64),
            _ => None,
        }
    }
    fn store(&self) -> Value {
        Value::Real(*self)
    }
    fn key_part(&self) -> KeyPart<'_> {
        let bits = self.to_bits().cast_signed();
        // Negative floats order backwards by their bits.
        KeyPart::Number(if bits < 0 { bits ^ i64::MAX } else { bits })
    }
}

/// `"char"`: the empty text is the zero byte.
impl Scalar for char {
    fn parse(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let first = characters.next().unwrap_or('\0');
        characters.next().is_none().then_some(first)
    }
    fn print(&self) -> String {
        if *self == '\0' { String::new() } else { self.to_string() }
    }
}

impl Scalar for String {
    fn parse(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }
    fn print(&self) -> String {
        self.clone()
    }
    fn key_part(&self) -> KeyPart<'_> {
        KeyPart::Text(Cow::Borrowed(self))
    }
}

impl<T: Scalar> Scalar for Vec<T> {
    fn parse(text: &str) -> Option<Self> {
        parse_array(text)?.iter().map(|element| T::parse(element)).collect()
    }
    fn print(&self) -> String {
        print_array(self.iter().map(T::print))
    }
}

macro_rules! vectors {
    ($($element:ty)*) => {
        $(impl Field for Vec<$element> {
            fn from_text(text: Option<&str>) -> Option<Self> {
                text?.split_ascii_whitespace().map(<$element>::parse).collect()
            }
            fn to_text(&self) -> Option<String> {
                Some(self.iter().map(<$element>::print).collect::<Vec<_>>().join(" "))
            }
            fn from_stored(value: &Value) -> Option<Self> {
                match value {
                    Value::Text(text) => Self::from_text(Some(text)),
                    _ => None,
                }
            }
            fn to_stored(&self) -> Value {
                self.to_text().into()
            }
            fn part(&self) -> KeyPart<'_> {
                KeyPart::Text(Cow::Owned(self.to_text().unwrap_or_default()))
            }
        })*
    };
}

vectors! { Oid i16 }

/// The elements of a one-dimensional array's text form. NULL elements do not occur in catalogs.
fn parse_array(text: &str) -> Option<Vec<String>> {
    let inner = text.strip_prefix('{')?.strip_suffix('}')?;
    if inner.is_empty() {
        return Some(Vec::new());
    }
    let mut elements = vec![String::new()];
    let (mut quoted, mut characters) = (false, inner.chars());
    while let Some(character) = characters.next() {
        let element = elements.last_mut()?;
        match character {
            '"' => quoted = !quoted,
            '\\' => element.push(characters.next()?),
            ',' if !quoted => elements.push(String::new()),
            other => element.push(other),
        }
    }
    (!quoted).then_some(elements)
}

/// The text form of a one-dimensional array, quoted where PostgreSQL quotes.
fn print_array(elements: impl Iterator<Item = String>) -> String {
    let mut text = String::from("{");
    for (index, element) in elements.enumerate() {
        if index > 0 {
            text.push(',');
        }
        let special = |c: char| matches!(c, '"' | '\\' | '{' | '}' | ',') || c.is_ascii_whitespace();
        if element.is_empty() || element.contains(special) || element.eq_ignore_ascii_case("null") {
            text.push('"');
            for character in element.chars() {
                if matches!(character, '"' | '\\') {
                    text.push('\\');
                }
                text.push(character);
            }
            text.push('"');
        } else {
            text.push_str(&element);
        }
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_vectors_round_trip() {
        for text in ["{}", "{a,b}", r#"{"",x}"#, r#"{"a b","c\"d\\e","{f}","g,h","NULL"}"#] {
            let list = Option::<Vec<String>>::from_text(Some(text)).unwrap();
            assert_eq!(list.to_text().as_deref(), Some(text));
        }
        let vector = Vec::<Oid>::from_text(Some("23 25")).unwrap();
        assert_eq!(vector, [Oid(23), Oid(25)]);
        assert_eq!(vector.to_text().as_deref(), Some("23 25"));
        assert_eq!(Vec::<i16>::from_text(Some("")), Some(Vec::new()));
        assert_eq!(Option::<Vec<Oid>>::from_text(None), Some(None));
    }

    #[test]
    fn the_empty_char_is_zero() {
        assert_eq!(<char as Field>::from_text(Some("")), Some('\0'));
        assert_eq!('\0'.to_stored(), Value::Text(String::new()));
        assert_eq!(<char as Field>::from_text(Some("ab")), None);
    }

    #[test]
    fn floats_keep_their_order_as_keys() {
        let floats = [f64::NEG_INFINITY, -2.5, -1.0, 0.0, 0.5, 1.0, 3.0];
        assert!(floats.windows(2).all(|pair| pair[0].part() < pair[1].part()));
    }
}
