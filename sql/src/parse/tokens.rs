//! The lexer: a query string to tokens, by the rules of PostgreSQL's `scan.l`: operators end where a comment begins and
//! lose trailing signs, adjacent string literals merge across a line end only, identifiers are folded and cut at 63
//! bytes. sqlparser's own lexer serves many dialects and cannot say PostgreSQL's errors, so it is not used.
//!
//! Every token knows its place in bytes (for texts) and in characters from 1 (for error positions).

use std::borrow::Cow;

use super::keywords::{self, Category};
use crate::{Result, SqlError, SqlState, error, interrupt};

/// The longest name, in bytes: `NAMEDATALEN - 1`.
pub(super) const NAME_BYTES_MAX: usize = 63;

/// What a token is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// A word, folded, with what it may name and whether it may label a column without AS.
    Word(String, Category, bool),
    /// A delimited identifier.
    Quoted(String),
    /// A whole number.
    Integer(String),
    /// A number with a point or an exponent, or too large for the protocol's integers: still its text.
    Decimal(String),
    /// `$n`.
    Parameter(String),
    /// A string in any of its spellings, unescaped.
    Text(String),
    /// `N'…'`.
    National(String),
    /// `B'…'`.
    Bits(String),
    /// `X'…'`.
    Hex(String),
    /// One or more operator characters.
    Operator(String),
    /// One of `( ) [ ] , ; : . :: .. := =>`.
    Symbol(&'static str),
    /// What the lexer cannot read; nothing follows it. The error comes when the grammar gets here, for an error of
    /// grammar before it comes first.
    Invalid(SqlError),
    /// After the last token.
    End,
}

/// A token and its place.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// First byte in the query string.
    pub(super) start: usize,
    /// One past the last byte.
    pub(super) end: usize,
    /// First character in the query string, from 1.
    pub(super) position: usize,
}

/// The tokens of a query string, the last one being `End` or `Invalid`.
pub(super) fn tokenize(text: &str) -> Vec<Token> {
    let mut lexer =
        Lexer { text, bytes: text.as_bytes(), at: 0, counted: 0, characters: 0, ascii: text.is_ascii() };
    let mut tokens = Vec::with_capacity(text.len() / 4 + 2);
    loop {
        let blanks = lexer.skip_blanks();
        let start = lexer.at;
        let position = lexer.position(start);
        let kind = blanks.and_then(|()| lexer.next_kind()).and_then(interrupt::checked);
        let kind = kind.unwrap_or_else(Kind::Invalid);
        let last = matches!(kind, Kind::End | Kind::Invalid(_));
        tokens.push(Token { kind, start, end: lexer.at.min(text.len()).max(start), position });
        if last {
            return tokens;
        }
    }
}

struct Lexer<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Up to which byte characters have been counted, and how many there are: positions only grow.
    counted: usize,
    characters: usize,
    ascii: bool,
}

/// Which escapes a quoted literal has.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    None,
    Backslash,
}

impl<'a> Lexer<'a> {
    fn byte(&self, ahead: usize) -> u8 {
        self.bytes.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// The character position, from 1, of a byte offset.
    fn position(&mut self, offset: usize) -> usize {
        if self.ascii {
            return offset + 1;
        }
        if offset < self.counted {
            return self.text[..offset].chars().count() + 1;
        }
        self.characters += self.text[self.counted..offset].chars().count();
        self.counted = offset;
        self.characters + 1
    }

    fn fail(&mut self, message: &str, start: usize, end: usize) -> SqlError {
        let position = self.position(start);
        error!(SYNTAX_ERROR, "{message} at or near \"{}\"", &self.text[start..end]).at(position)
    }

    fn skip_blanks(&mut self) -> Result<()> {
        loop {
            match self.byte(0) {
                b' ' | b'\t' | b'\n' | b'\r' | 0x0c => self.at += 1,
                b'-' if self.byte(1) == b'-' => self.skip_line(),
                b'/' if self.byte(1) == b'*' => self.skip_comment()?,
                _ => return Ok(()),
            }
        }
    }

    fn skip_line(&mut self) {
        while self.at < self.bytes.len() && !matches!(self.byte(0), b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn skip_comment(&mut self) -> Result<()> {
        let start = self.at;
        let mut depth = 0_usize;
        while self.at < self.bytes.len() {
            match (self.byte(0), self.byte(1)) {
                (b'/', b'*') => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', b'/') => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return Ok(());
                    }
                }
                _ => self.at += 1,
            }
        }
        Err(self.fail("unterminated /* comment", start, self.text.len()))
    }

    fn next_kind(&mut self) -> Result<Kind> {
        if self.at >= self.bytes.len() {
            return Ok(Kind::End);
        }
        let byte = self.byte(0);
        match byte {
            b'\'' => self.quoted_text(0, Escapes::None).map(Kind::Text),
            b'"' => self.quoted_identifier(0).and_then(|name| self.named(name)),
            b'0'..=b'9' => self.number(),
            b'.' if self.byte(1).is_ascii_digit() => self.number(),
            b'$' => self.dollar(),
            b'(' | b')' | b'[' | b']' | b',' | b';' | b':' | b'.' => Ok(self.symbol()),
            _ if is_operator(byte) => Ok(self.operator()),
            b'a'..=b'z' | b'A'..=b'Z' | b'_' | 0x80.. => self.word(),
            _ => {
                let end = self.at + 1;
                Err(self.fail("syntax error", self.at, end))
            }
        }
    }

    fn symbol(&mut self) -> Kind {
        let symbol = match (self.byte(0), self.byte(1)) {
            (b':', b':') => "::",
            (b':', b'=') => ":=",
            (b'.', b'.') => "..",
            (b'(', _) => "(",
            (b')', _) => ")",
            (b'[', _) => "[",
            (b']', _) => "]",
            (b',', _) => ",",
            (b';', _) => ";",
            (b':', _) => ":",
            _ => ".",
        };
        self.at += symbol.len();
        Kind::Symbol(symbol)
    }

    fn operator(&mut self) -> Kind {
        let start = self.at;
        let mut end = start;
        while end < self.bytes.len() && is_operator(self.bytes[end]) {
            let next = self.bytes.get(end + 1).copied();
            if matches!((self.bytes[end], next), (b'-', Some(b'-')) | (b'/', Some(b'*'))) && end > start {
                break;
            }
            end += 1;
        }
        // A sign at the end belongs to what follows, unless the operator has a character that SQL's own have not.
        while end - start > 1
            && matches!(self.bytes[end - 1], b'+' | b'-')
            && !self.bytes[start..end - 1].iter().any(|byte| b"~!@#^&|`?%".contains(byte))
        {
            end -= 1;
        }
        self.at = end;
        match &self.text[start..end] {
            "=>" => Kind::Symbol("=>"),
            "!=" => Kind::Operator("<>".to_owned()),
            operator => Kind::Operator(operator.to_owned()),
        }
    }

    fn number(&mut self) -> Result<Kind> {
        let start = self.at;
        let digits = |lexer: &mut Self| {
            while lexer.byte(0).is_ascii_digit() {
                lexer.at += 1;
            }
        };
        digits(self);
        let mut whole = true;
        if self.byte(0) == b'.' && self.byte(1) != b'.' {
            whole = false;
            self.at += 1;
            digits(self);
        }
        if matches!(self.byte(0), b'e' | b'E') {
            let sign = usize::from(matches!(self.byte(1), b'+' | b'-'));
            if self.byte(1 + sign).is_ascii_digit() {
                whole = false;
                self.at += 1 + sign;
                digits(self);
            } else if sign == 0 && is_identifier_part(self.byte(1)) {
                return Err(self.junk("trailing junk after numeric literal", start));
            } else {
                let end = self.at + 1 + sign;
                return Err(self.fail(
                    "trailing junk after numeric literal",
                    start,
                    end.min(self.text.len()),
                ));
            }
        }
        if is_identifier_start(self.byte(0)) {
            return Err(self.junk("trailing junk after numeric literal", start));
        }
        let text = self.text[start..self.at].to_owned();
        Ok(if whole { Kind::Integer(text) } else { Kind::Decimal(text) })
    }

    /// An identifier right behind a number, which the message shows whole.
    fn junk(&mut self, message: &str, start: usize) -> SqlError {
        while self.at < self.bytes.len() && is_identifier_part(self.byte(0)) {
            self.at += 1;
        }
        let end = self.at;
        self.fail(message, start, end)
    }

    fn character_length(&self) -> usize {
        self.text[self.at..].chars().next().map_or(0, char::len_utf8)
    }

    fn dollar(&mut self) -> Result<Kind> {
        let start = self.at;
        if self.byte(1).is_ascii_digit() {
            self.at += 1;
            while self.byte(0).is_ascii_digit() {
                self.at += 1;
            }
            if is_identifier_start(self.byte(0)) {
                return Err(self.junk("trailing junk after parameter", start));
            }
            return Ok(Kind::Parameter(self.text[start..self.at].to_owned()));
        }
        let mut end = start + 1;
        if self.bytes.get(end).copied().is_some_and(is_identifier_start) {
            while self
                .bytes
                .get(end)
                .copied()
                .is_some_and(|byte| is_identifier_start(byte) || byte.is_ascii_digit())
            {
                end += 1;
            }
        }
        if self.bytes.get(end) != Some(&b'$') {
            return Err(self.fail("syntax error", start, start + 1));
        }
        let tag = &self.text[start..=end];
        let body = end + 1;
        match self.text[body..].find(tag) {
            Some(length) => {
                self.at = body + length + tag.len();
                Ok(Kind::Text(self.text[body..body + length].to_owned()))
            }
            None => Err(self.fail("unterminated dollar-quoted string", start, self.text.len())),
        }
    }

    fn word(&mut self) -> Result<Kind> {
        match (self.byte(0), self.byte(1), self.byte(2)) {
            (b'e' | b'E', b'\'', _) => return self.quoted_text(1, Escapes::Backslash).map(Kind::Text),
            (b'b' | b'B', b'\'', _) => return self.raw("unterminated bit string literal").map(Kind::Bits),
            (b'x' | b'X', b'\'', _) => {
                return self.raw("unterminated hexadecimal string literal").map(Kind::Hex);
            }
            (b'n' | b'N', b'\'', _) => return self.quoted_text(1, Escapes::None).map(Kind::National),
            (b'u' | b'U', b'&', b'\'') => {
                let start = self.at;
                let text = self.quoted_text(2, Escapes::None)?;
                return self.unicode(&text, start, 3).map(Kind::Text);
            }
            (b'u' | b'U', b'&', b'"') => {
                let start = self.at;
                let name = self.quoted_identifier(2)?;
                let name = self.unicode(&name, start, 3)?;
                return self.named(name);
            }
            _ => {}
        }
        let start = self.at;
        while self.at < self.bytes.len() && is_identifier_part(self.byte(0)) {
            self.at += 1;
        }
        let folded = truncate(self.text[start..self.at].to_ascii_lowercase());
        let (category, bare) = keywords::look_up(&folded);
        Ok(Kind::Word(folded, category, bare))
    }

    #[allow(clippy::unnecessary_wraps, reason = "the end of a chain of fallible steps")]
    fn named(&mut self, name: String) -> Result<Kind> {
        Ok(Kind::Quoted(truncate(name)))
    }

    fn quoted_identifier(&mut self, prefix: usize) -> Result<String> {
        let start = self.at;
        self.at += prefix + 1;
        let mut name = String::new();
        loop {
            let Some(length) = self.text[self.at..].find('"') else {
                return Err(self.fail("unterminated quoted identifier", start, self.text.len()));
            };
            name.push_str(&self.text[self.at..self.at + length]);
            self.at += length + 1;
            if self.byte(0) != b'"' {
                break;
            }
            name.push('"');
            self.at += 1;
        }
        if name.is_empty() {
            let end = self.at;
            return Err(self.fail("zero-length delimited identifier", start, end));
        }
        Ok(name)
    }

    fn raw(&mut self, unterminated: &str) -> Result<String> {
        let start = self.at;
        self.at += 2;
        let mut text = String::new();
        loop {
            let Some(length) = self.text[self.at..].find('\'') else {
                return Err(self.fail(unterminated, start, self.text.len()));
            };
            text.push_str(&self.text[self.at..self.at + length]);
            self.at += length + 1;
            if !self.continues() {
                return Ok(text);
            }
        }
    }

    /// A literal in quotes, with its continuations on following lines.
    fn quoted_text(&mut self, prefix: usize, escapes: Escapes) -> Result<String> {
        let start = self.at;
        self.at += prefix + 1;
        let mut bytes = Vec::new();
        let mut escaped_bytes = false;
        loop {
            if self.at >= self.bytes.len() {
                return Err(self.fail("unterminated quoted string", start, self.text.len()));
            }
            match self.byte(0) {
                b'\'' if self.byte(1) == b'\'' => {
                    bytes.push(b'\'');
                    self.at += 2;
                }
                b'\'' => {
                    self.at += 1;
                    if !self.continues() {
                        break;
                    }
                }
                b'\\' if escapes == Escapes::Backslash => escaped_bytes |= self.escape(start, &mut bytes)?,
                byte => {
                    bytes.push(byte);
                    self.at += 1;
                }
            }
        }
        if escaped_bytes {
            super::errors::check_encoding(&bytes)?;
        }
        String::from_utf8(bytes).map_err(|_| SqlError::internal("a literal lost its encoding"))
    }

    /// After a closing quote: whether the literal goes on behind a line end, and if so, steps into it.
    fn continues(&mut self) -> bool {
        let mut ahead = self.at;
        let mut line_end = false;
        while let Some(&byte) = self.bytes.get(ahead) {
            match byte {
                b'\n' | b'\r' => {
                    line_end = true;
                    ahead += 1;
                }
                b' ' | b'\t' | 0x0c => ahead += 1,
                b'-' if self.bytes.get(ahead + 1) == Some(&b'-') => {
                    while self.bytes.get(ahead).is_some_and(|byte| !matches!(byte, b'\n' | b'\r')) {
                        ahead += 1;
                    }
                }
                b'\'' if line_end => {
                    self.at = ahead + 1;
                    return true;
                }
                _ => return false,
            }
        }
        false
    }

    /// One backslash escape; true when it made a raw byte.
    fn escape(&mut self, start: usize, bytes: &mut Vec<u8>) -> Result<bool> {
        let escape = self.at;
        let byte = self.byte(1);
        self.at += 2;
        match byte {
            b'b' => bytes.push(8),
            b'f' => bytes.push(12),
            b'n' => bytes.push(b'\n'),
            b'r' => bytes.push(b'\r'),
            b't' => bytes.push(b'\t'),
            b'0'..=b'7' => {
                let mut value = u32::from(byte - b'0');
                for _ in 0..2 {
                    if !matches!(self.byte(0), b'0'..=b'7') {
                        break;
                    }
                    value = value * 8 + u32::from(self.byte(0) - b'0');
                    self.at += 1;
                }
                bytes.push((value & 0xff) as u8);
                return Ok(true);
            }
            b'x' if self.byte(0).is_ascii_hexdigit() => {
                let length = 1 + usize::from(self.byte(1).is_ascii_hexdigit());
                let value = u8::from_str_radix(&self.text[self.at..self.at + length], 16).unwrap_or(0);
                self.at += length;
                bytes.push(value);
                return Ok(true);
            }
            b'u' | b'U' => self.unicode_escape(escape, byte, bytes)?,
            _ if self.at > self.bytes.len() => {
                return Err(self.fail("unterminated quoted string", start, self.text.len()));
            }
            other => bytes.push(other),
        }
        Ok(false)
    }

    fn unicode_escape(&mut self, escape: usize, letter: u8, bytes: &mut Vec<u8>) -> Result<()> {
        let first = self.hexadecimal(escape, letter)?;
        let value = if (0xd800..0xdc00).contains(&first) {
            let next = self.at;
            let second = match (self.byte(0), self.byte(1)) {
                (b'\\', letter @ (b'u' | b'U')) => {
                    self.at += 2;
                    self.hexadecimal(next, letter)?
                }
                _ => 0,
            };
            if !(0xdc00..0xe000).contains(&second) {
                let end = self.at.max(next + usize::from(next < self.text.len()));
                return Err(self.fail("invalid Unicode surrogate pair", next.min(self.text.len()), end));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        match char::from_u32(value).filter(|&character| character != '\0') {
            Some(character) => {
                bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                Ok(())
            }
            None if (0xdc00..0xe000).contains(&value) => {
                let end = self.at;
                Err(self.fail("invalid Unicode surrogate pair", escape, end))
            }
            None => {
                let end = self.at;
                Err(self.fail("invalid Unicode escape value", escape, end))
            }
        }
    }

    fn hexadecimal(&mut self, escape: usize, letter: u8) -> Result<u32> {
        let length = if letter == b'u' { 4 } else { 8 };
        let digits = self.text.get(self.at..self.at + length);
        match digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit())) {
            Some(digits) => {
                self.at += length;
                Ok(u32::from_str_radix(digits, 16).unwrap_or(u32::MAX))
            }
            None => {
                let position = self.position(escape);
                Err(SqlError::new(SqlState::INVALID_ESCAPE_SEQUENCE, "invalid Unicode escape")
                    .hint("Unicode escapes must be \\uXXXX or \\UXXXXXXXX.")
                    .at(position))
            }
        }
    }

    /// Decodes `U&` text, with the UESCAPE clause that may follow it.
    fn unicode(&mut self, text: &str, start: usize, prefix: usize) -> Result<String> {
        let escape = self.uescape()?.unwrap_or('\\');
        let mut decoded = String::with_capacity(text.len());
        let mut rest = text;
        let mut high: Option<u32> = None;
        while let Some(character) = rest.chars().next() {
            let place = start + prefix + (text.len() - rest.len());
            rest = &rest[character.len_utf8()..];
            let value = if character != escape {
                u32::from(character)
            } else if rest.starts_with(escape) {
                rest = &rest[escape.len_utf8()..];
                u32::from(escape)
            } else {
                let (length, digits) =
                    if rest.starts_with('+') { (7, rest.get(1..7)) } else { (4, rest.get(..4)) };
                let Some(digits) =
                    digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
                else {
                    let position = self.position(place.min(self.text.len()));
                    return Err(SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape")
                        .hint("Unicode escapes must be \\XXXX or \\+XXXXXX.")
                        .at(position));
                };
                rest = &rest[length..];
                u32::from_str_radix(digits, 16).unwrap_or(u32::MAX)
            };
            let value = match (high.take(), value) {
                (None, 0xd800..0xdc00) => {
                    high = Some(value);
                    continue;
                }
                (Some(high), 0xdc00..0xe000) => 0x10000 + ((high - 0xd800) << 10) + (value - 0xdc00),
                (None, value) if !(0xdc00..0xe000).contains(&value) => value,
                _ => return Err(self.surrogate(place)),
            };
            match char::from_u32(value).filter(|&character| character != '\0') {
                Some(character) => decoded.push(character),
                None => {
                    let position = self.position(place.min(self.text.len()));
                    return Err(
                        SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode escape value").at(position)
                    );
                }
            }
        }
        if high.is_some() {
            return Err(self.surrogate(start + prefix + text.len()));
        }
        Ok(decoded)
    }

    fn surrogate(&mut self, place: usize) -> SqlError {
        let position = self.position(place.min(self.text.len()));
        SqlError::new(SqlState::SYNTAX_ERROR, "invalid Unicode surrogate pair").at(position)
    }

    fn uescape(&mut self) -> Result<Option<char>> {
        let before = self.at;
        self.skip_blanks()?;
        let is_clause =
            self.text.get(self.at..self.at + 7).is_some_and(|word| word.eq_ignore_ascii_case("uescape"))
                && !is_identifier_part(self.byte(7));
        if !is_clause {
            self.at = before;
            return Ok(None);
        }
        self.at += 7;
        self.skip_blanks()?;
        let start = self.at;
        if self.byte(0) != b'\'' {
            let end = self.text.len().min(start + self.character_length());
            return Err(self.fail("UESCAPE must be followed by a simple string literal", start, end));
        }
        let text = self.quoted_text(0, Escapes::None)?;
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(escape), None)
                if !escape.is_ascii_hexdigit()
                    && !"+'\"".contains(escape)
                    && !escape.is_ascii_whitespace() =>
            {
                Ok(Some(escape))
            }
            _ => {
                let end = self.at;
                Err(self.fail("invalid Unicode escape character", start, end))
            }
        }
    }
}

fn is_operator(byte: u8) -> bool {
    b"~!@#^&|`?+-*/%<>=".contains(&byte)
}

fn is_identifier_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_identifier_part(byte: u8) -> bool {
    is_identifier_start(byte) || byte.is_ascii_digit() || byte == b'$'
}

/// The name, cut to what a name may have, at a character's border.
fn truncate(mut name: String) -> String {
    if name.len() > NAME_BYTES_MAX {
        let cut = (0..=NAME_BYTES_MAX).rev().find(|&cut| name.is_char_boundary(cut)).unwrap_or(0);
        name.truncate(cut);
    }
    name
}

/// The name in double quotes where it needs them, as `quote_identifier` gives it.
pub(super) fn quote_identifier(name: &str) -> Cow<'_, str> {
    let plain = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        && matches!(keywords::look_up(name).0, Category::Free | Category::Unreserved);
    if plain { Cow::Borrowed(name) } else { Cow::Owned(format!("\"{}\"", name.replace('"', "\"\""))) }
}
