//! The type `json`: text that is checked and kept as written. Its parser also serves `jsonb`; the tree it makes keeps,
//! for each value, the piece of text it was read from, because `json` functions hand that back unchanged.
//!
//! Source: `src/common/jsonapi.c`, `src/backend/utils/adt/json.c`.

use std::borrow::Cow;

use bytes::BytesMut;

use crate::oid::types;
use crate::{Result, SqlError, Value, ValueRef, error, interrupt};

use super::{StorageForm, TypeContext, TypeEntry, wrong_form};

/// How deep arrays and objects may nest.
const DEPTH_MAX: usize = 4000;
/// How much of a line CONTEXT shows.
const CONTEXT_LENGTH: usize = 50;

/// A value and the text it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Node<'a> {
    /// The text, without space around it.
    pub raw: &'a str,
    /// The value.
    pub tree: Tree<'a>,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number; its text is the node's.
    Number,
    /// A string without its escapes.
    String(Cow<'a, str>),
    /// An array.
    Array(Vec<Node<'a>>),
    /// An object: keys in order, duplicates included.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

/// What the parser expects, for the words of its errors.
#[derive(Clone, Copy, PartialEq)]
enum Expected {
    Value,
    Key,
    ArrayStart,
    ArrayNext,
    ObjectStart,
    Colon,
    ObjectNext,
    End,
}

impl Expected {
    fn as_str(self) -> &'static str {
        match self {
            Self::Value => "JSON value",
            Self::Key => "string",
            Self::ArrayStart => "array element or \"]\"",
            Self::ArrayNext => "\",\" or \"]\"",
            Self::ObjectStart => "string or \"}\"",
            Self::Colon => "\":\"",
            Self::ObjectNext => "\",\" or \"}\"",
            Self::End => "end of input",
        }
    }
}

/// Reads a text.
///
/// # Errors
/// `22P02` with the place in CONTEXT; `54001` for too deep nesting.
pub fn parse(text: &str) -> Result<Node<'_>> {
    let mut parser = Parser { text, at: 0, depth: 0 };
    let node = parser.value(Expected::Value)?;
    parser.skip_space();
    if parser.at < text.len() { Err(parser.unexpected(Expected::End)) } else { Ok(node) }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn skip_space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, expected: Expected) -> Result<Node<'a>> {
        interrupt::check()?;
        let first = self.peek();
        let start = self.at;
        let tree = match first {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::array)?,
            Some(b'"') => Tree::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(byte) if is_word(byte) => self.word(expected)?,
            _ => return Err(self.unexpected(expected)),
        };
        Ok(Node { raw: &self.text[start..self.at], tree })
    }

    fn nested(&mut self, body: fn(&mut Self) -> Result<Tree<'a>>) -> Result<Tree<'a>> {
        self.at += 1;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(error!(STATEMENT_TOO_COMPLEX, "stack depth limit exceeded"));
        }
        let tree = body(self)?;
        self.depth -= 1;
        Ok(tree)
    }

    fn array(&mut self) -> Result<Tree<'a>> {
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(Tree::Array(elements));
        }
        loop {
            let expected = if elements.is_empty() { Expected::ArrayStart } else { Expected::Value };
            elements.push(self.value(expected)?);
            if self.take(b']') {
                return Ok(Tree::Array(elements));
            }
            if !self.take(b',') {
                return Err(self.unexpected(Expected::ArrayNext));
            }
        }
    }

    fn object(&mut self) -> Result<Tree<'a>> {
        let mut pairs = Vec::new();
        if self.take(b'}') {
            return Ok(Tree::Object(pairs));
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.unexpected(if pairs.is_empty() {
                    Expected::ObjectStart
                } else {
                    Expected::Key
                }));
            }
            let key = self.string()?;
            if !self.take(b':') {
                return Err(self.unexpected(Expected::Colon));
            }
            pairs.push((key, self.value(Expected::Value)?));
            if self.take(b'}') {
                return Ok(Tree::Object(pairs));
            }
            if !self.take(b',') {
                return Err(self.unexpected(Expected::ObjectNext));
            }
        }
    }

    fn word(&mut self, expected: Expected) -> Result<Tree<'a>> {
        let end = self.word_end();
        let tree = match &self.text[self.at..end] {
            "true" => Tree::Bool(true),
            "false" => Tree::Bool(false),
            "null" => Tree::Null,
            _ => return Err(self.unexpected(expected)),
        };
        self.at = end;
        Ok(tree)
    }

    fn word_end(&self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        self.at + rest.iter().take_while(|b| is_word(**b)).count()
    }

    fn number(&mut self) -> Result<Tree<'a>> {
        let bytes = self.text.as_bytes();
        let digits = |mut at: usize| {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            at
        };
        let mut at = self.at + usize::from(bytes[self.at] == b'-');
        let mut valid = bytes.get(at).is_some_and(u8::is_ascii_digit);
        at = if bytes.get(at) == Some(&b'0') { at + 1 } else { digits(at) };
        if bytes.get(at) == Some(&b'.') {
            let end = digits(at + 1);
            valid &= end > at + 1;
            at = end;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let start = at + 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
            let end = digits(start);
            valid &= end > start;
            at = end;
        }
        while bytes.get(at).is_some_and(|b| is_word(*b)) {
            valid = false;
            at += 1;
        }
        if !valid {
            let token = &self.text[self.at..at];
            return Err(self.fault(at, format!("Token \"{token}\" is invalid.")));
        }
        self.at = at;
        Ok(Tree::Number)
    }

    fn string(&mut self) -> Result<Cow<'a, str>> {
        let (text, mut out) = (self.text, Cow::Borrowed(""));
        let bytes = text.as_bytes();
        let mut at = self.at + 1;
        loop {
            match bytes.get(at) {
                None => {
                    return Err(self
                        .fault(self.text.len(), format!("Token \"{}\" is invalid.", &self.text[self.at..])));
                }
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(out);
                }
                Some(byte) if *byte < 0x20 => {
                    return Err(self.fault(at, format!("Character with value 0x{byte:02x} must be escaped.")));
                }
                Some(b'\\') => at = self.escape(at, out.to_mut())?,
                Some(_) => {
                    let mut end = at;
                    for piece in interrupt::pieces(&bytes[at..]) {
                        let piece = piece?;
                        let stop = piece.iter().position(|b| matches!(b, b'"' | b'\\') || *b < 0x20);
                        end += stop.unwrap_or(piece.len());
                        if stop.is_some() {
                            break;
                        }
                    }
                    out += &text[at..end];
                    at = end;
                }
            }
        }
    }

    /// Reads the escape that begins at a backslash; gives the place after it.
    fn escape(&self, at: usize, out: &mut String) -> Result<usize> {
        let Some(character) = self.text[at + 1..].chars().next() else {
            return Err(
                self.fault(self.text.len(), format!("Token \"{}\" is invalid.", &self.text[self.at..]))
            );
        };
        out.push(match character {
            '"' | '\\' | '/' => character,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => return self.unicode_escape(at, out),
            other => {
                let end = at + 1 + other.len_utf8();
                return Err(self.fault(end, format!("Escape sequence \"\\{other}\" is invalid.")));
            }
        });
        Ok(at + 2)
    }

    fn unicode_escape(&self, at: usize, out: &mut String) -> Result<usize> {
        let unit = |at: usize| -> Result<u32> {
            let digits =
                self.text.get(at + 2..at + 6).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
            digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).ok_or_else(|| {
                let valid = self.text.as_bytes()[at + 2..]
                    .iter()
                    .take(4)
                    .take_while(|b| b.is_ascii_hexdigit())
                    .count();
                let end = (at + 3 + valid).min(self.text.len());
                let end = (end..=self.text.len()).find(|end| self.text.is_char_boundary(*end)).unwrap_or(end);
                self.fault(end, "\"\\u\" must be followed by four hexadecimal digits.".to_owned())
            })
        };
        let first = unit(at)?;
        if (0xDC00..0xE000).contains(&first) {
            return Err(self.fault(at + 6, "Unicode low surrogate must follow a high surrogate.".to_owned()));
        }
        if !(0xD800..0xDC00).contains(&first) {
            out.extend(char::from_u32(first));
            return Ok(at + 6);
        }
        if !self.text[at + 6..].starts_with("\\u") {
            return Err(self.fault(at + 6, "Unicode low surrogate must follow a high surrogate.".to_owned()));
        }
        let second = unit(at + 6)?;
        if (0xD800..0xDC00).contains(&second) {
            return Err(
                self.fault(at + 12, "Unicode high surrogate must not follow a high surrogate.".to_owned())
            );
        }
        if !(0xDC00..0xE000).contains(&second) {
            return Err(self.fault(at + 12, "Unicode low surrogate must follow a high surrogate.".to_owned()));
        }
        out.extend(char::from_u32(0x10000 + ((first & 0x3FF) << 10 | (second & 0x3FF))));
        Ok(at + 12)
    }

    /// The error for what stands here.
    fn unexpected(&mut self, expected: Expected) -> SqlError {
        let Some(first) = self.peek() else {
            return self.fault(self.text.len(), "The input string ended unexpectedly.".to_owned());
        };
        let word = is_word(first) && first != b'-' && !first.is_ascii_digit();
        let end = match first {
            b'"' | b'-' | b'0'..=b'9' => {
                let start = self.at;
                let read = if first == b'"' { self.string().map(drop) } else { self.number().map(drop) };
                if let Err(error) = read {
                    return error;
                }
                let end = self.at;
                self.at = start;
                end
            }
            _ if word => self.word_end(),
            _ => self.at + self.text[self.at..].chars().next().map_or(1, char::len_utf8),
        };
        let token = &self.text[self.at..end];
        let known = matches!(token, "true" | "false" | "null" | "{" | "}" | "[" | "]" | "," | ":")
            || matches!(first, b'"' | b'-' | b'0'..=b'9');
        let detail = if known {
            format!("Expected {}, but found \"{token}\".", expected.as_str())
        } else {
            format!("Token \"{token}\" is invalid.")
        };
        self.fault(end, detail)
    }

    /// `22P02` with CONTEXT that shows the line up to the end of the bad token.
    fn fault(&self, end: usize, detail: String) -> SqlError {
        let line_start = self.text[..end].rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[..line_start].matches('\n').count() + 1;
        let mut start = line_start;
        while end - start >= CONTEXT_LENGTH {
            start += self.text[start..].chars().next().map_or(1, char::len_utf8);
        }
        if start <= line_start + 3 {
            start = line_start;
        }
        let before = if start > line_start { "..." } else { "" };
        let rest = self.text.as_bytes().get(end);
        let after = if rest.is_some_and(|b| !matches!(b, b'\n' | b'\r')) { "..." } else { "" };
        error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type json")
            .detail(detail)
            .context(format!("JSON data, line {line}: {before}{}{after}", &self.text[start..end]))
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

/// Appends a string with quotes and escapes.
pub fn quote(text: &str, out: &mut String) {
    use std::fmt::Write;
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn input(text: &str, _modifier: i32, _cx: &TypeContext<'_>) -> Result<Value> {
    parse(text)?;
    Ok(text.into())
}

fn output(value: ValueRef<'_>, _cx: &TypeContext<'_>, out: &mut String) -> Result<()> {
    match value {
        ValueRef::Text(text) => out.push_str(text),
        _ => return Err(wrong_form("json")),
    }
    Ok(())
}

fn receive(bytes: &[u8], modifier: i32, cx: &TypeContext<'_>) -> Result<Value> {
    input(super::text::utf8(bytes)?, modifier, cx)
}

fn send(value: ValueRef<'_>, cx: &TypeContext<'_>, out: &mut BytesMut) -> Result<()> {
    let mut text = String::new();
    output(value, cx, &mut text)?;
    out.extend_from_slice(text.as_bytes());
    Ok(())
}

/// The type.
pub const TYPES: &[TypeEntry] = &[TypeEntry {
    oid: types::JSON,
    array: types::_JSON,
    form: StorageForm::Text,
    input,
    output,
    receive: Some(receive),
    send: Some(send),
}];

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (String, String) {
        let error = parse(text).unwrap_err();
        (error.0.detail.unwrap_or_default(), error.0.context.unwrap_or_default())
    }

    #[test]
    fn faults_have_postgresqls_words() {
        let pair = |detail: &str, context: &str| (detail.to_owned(), context.to_owned());
        assert_eq!(fault(""), pair("The input string ended unexpectedly.", "JSON data, line 1: "));
        assert_eq!(fault("{bad}"), pair("Token \"bad\" is invalid.", "JSON data, line 1: {bad..."));
        assert_eq!(fault("[1,]"), pair("Expected JSON value, but found \"]\".", "JSON data, line 1: [1,]"));
        assert_eq!(
            fault("{\"a\" 1}"),
            pair("Expected \":\", but found \"1\".", "JSON data, line 1: {\"a\" 1...")
        );
        assert_eq!(fault("1 2"), pair("Expected end of input, but found \"2\".", "JSON data, line 1: 1 2"));
        assert_eq!(fault("01"), pair("Token \"01\" is invalid.", "JSON data, line 1: 01"));
        assert_eq!(
            fault("\"\\x\""),
            pair("Escape sequence \"\\x\" is invalid.", "JSON data, line 1: \"\\x...")
        );
    }

    #[test]
    fn nodes_keep_their_text() {
        let node = parse(" {\"a\": [1, 2.50 ], \"b\\u00e9\": null} ").unwrap();
        let Tree::Object(pairs) = node.tree else { panic!("an object") };
        assert_eq!(pairs[0].1.raw, "[1, 2.50 ]");
        assert_eq!(pairs[1].0, "bé");
    }
}
