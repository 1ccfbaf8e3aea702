//! The configuration file: PostgreSQL's syntax, from text to entries. Reading files is left to the caller, so that this
//! is text in, entries out.
//!
//! ```text
//! # a comment
//! work_mem = 64MB            # the equals sign may be left out
//! search_path = '"$user", public'
//! include_if_exists 'site.conf'
//! ```
//!
//! Source: `src/backend/utils/misc/guc-file.l`.

/// One `name = value` of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileEntry {
    /// The name as written.
    pub name: String,
    /// The value without its quotes.
    pub value: String,
    /// The line, from 1.
    pub line: u32,
}

/// A line that is not `name = value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// The line, from 1.
    pub line: u32,
    /// The token that cannot stand there; `None` for the end of the line.
    pub near: Option<String>,
}

/// After so many errors the rest of a file is not read.
const ERRORS_MAX: usize = 100;

/// Reads a file's text. A line with an error is skipped.
pub fn parse_file(text: &str) -> (Vec<FileEntry>, Vec<SyntaxError>) {
    let (mut entries, mut errors) = (Vec::new(), Vec::new());
    for (index, text) in text.lines().enumerate() {
        let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
        match parse_line(text) {
            Ok(Some((name, value))) => entries.push(FileEntry { name, value, line }),
            Ok(None) => {}
            Err(near) => errors.push(SyntaxError { line, near }),
        }
        if errors.len() >= ERRORS_MAX {
            break;
        }
    }
    (entries, errors)
}

/// One line: a name and a value, nothing, or the token in the way.
fn parse_line(text: &str) -> Result<Option<(String, String)>, Option<String>> {
    let (first, rest) = next_token(text);
    let name = match first {
        Token::End => return Ok(None),
        Token::Name(name) => name,
        other => return Err(other.text()),
    };
    let (mut token, mut rest) = next_token(rest);
    if token == Token::Equals {
        (token, rest) = next_token(rest);
    }
    let value = match token {
        Token::Name(text) | Token::Word(text) => text.to_owned(),
        Token::Quoted(text) => unquote(text),
        other => return Err(other.text()),
    };
    match next_token(rest).0 {
        Token::End => Ok(Some((name.to_owned(), value))),
        other => Err(other.text()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    End,
    Equals,
    /// A name, possibly with dots.
    Name(&'a str),
    /// A number with unit, or other unquoted text.
    Word(&'a str),
    /// A quoted text with its quotes.
    Quoted(&'a str),
    Other(&'a str),
}

impl Token<'_> {
    fn text(self) -> Option<String> {
        match self {
            Self::End => None,
            Self::Equals => Some("=".into()),
            Self::Name(text) | Self::Word(text) | Self::Quoted(text) | Self::Other(text) => Some(text.into()),
        }
    }
}

fn next_token(text: &str) -> (Token<'_>, &str) {
    let text = text.trim_start();
    let Some(first) = text.chars().next() else { return (Token::End, "") };
    let name_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '.') || !c.is_ascii();
    let word_part = |c: char| name_part(c) || matches!(c, '-' | ':' | '/' | '+');
    let taken = |part: &dyn Fn(char) -> bool| text.find(|c: char| !part(c)).unwrap_or(text.len());
    match first {
        '#' => (Token::End, ""),
        '=' => (Token::Equals, &text[1..]),
        '\'' => match quoted_end(text) {
            Some(end) => (Token::Quoted(&text[..end]), &text[end..]),
            None => (Token::Other(&text[..1]), &text[1..]),
        },
        _ if word_part(first) => {
            let (name_end, end) = (taken(&name_part), taken(&word_part));
            let is_name = !first.is_ascii_digit() && first != '.' && name_end == end;
            let word = &text[..end];
            (if is_name { Token::Name(word) } else { Token::Word(word) }, &text[end..])
        }
        _ => {
            let (other, rest) = text.split_at(first.len_utf8());
            (Token::Other(other), rest)
        }
    }
}

/// Where a text that begins with a quote ends; a quote is doubled or has a backslash before it inside.
fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\'') => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Takes the quotes off and resolves doubled quotes and backslash escapes.
fn unquote(text: &str) -> String {
    let inner = &text[1..text.len() - 1];
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' => {
                characters.next();
                value.push('\'');
            }
            '\\' => match characters.next() {
                Some('b') => value.push('\u{8}'),
                Some('f') => value.push('\u{c}'),
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(digit @ '0'..='7') => {
                    let mut code = digit.to_digit(8).unwrap_or(0);
                    for _ in 0..2 {
                        let Some(digit) = characters.peek().and_then(|c| c.to_digit(8)) else { break };
                        code = code * 8 + digit;
                        characters.next();
                    }
                    value.extend(char::from_u32(code & 0xff));
                }
                Some(other) => value.push(other),
                None => {}
            },
            other => value.push(other),
        }
    }
    value
}

/// A value as ALTER SYSTEM writes it.
pub(super) fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_postgresql_reads() {
        let text = "# top\nport = 5433 # here\nwork_mem 64MB\nsearch_path = '\"$user\", ''x'' \\n'\nmy.custom = a-b\n\n";
        let (entries, errors) = parse_file(text);
        assert!(errors.is_empty(), "{errors:?}");
        let pairs: Vec<(&str, &str, u32)> =
            entries.iter().map(|entry| (entry.name.as_str(), entry.value.as_str(), entry.line)).collect();
        assert_eq!(
            pairs,
            [
                ("port", "5433", 2),
                ("work_mem", "64MB", 3),
                ("search_path", "\"$user\", 'x' \n", 4),
                ("my.custom", "a-b", 5)
            ]
        );
    }

    #[test]
    fn errors_name_the_token() {
        let (entries, errors) = parse_file("port = = 1\nwork_mem\n5 = 3\nx = 'a' b\n");
        assert!(entries.is_empty());
        let near: Vec<Option<&str>> = errors.iter().map(|error| error.near.as_deref()).collect();
        assert_eq!(near, [Some("="), None, Some("5"), Some("b")]);
    }
}
