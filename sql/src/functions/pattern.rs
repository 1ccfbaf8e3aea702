//! LIKE and ILIKE.
//!
//! Source: `src/backend/utils/adt/like.c`, `like_match.c`.

use crate::interrupt::{self, Turns};
use crate::types::bytes::blob;
use crate::{Result, Value, error};

use super::Function;
use super::arguments::{scalar, text};
use super::strings::lower;

macro_rules! like {
    ($($symbol:literal: $matcher:ident, $wanted:literal;)*) => {
        &[$(scalar($symbol, |_, v| Ok(Value::from($matcher(text(v[0])?, text(v[1])?)? == $wanted))),)*
            scalar("bytealike", |_, v| Ok(Value::from(like_bytes(blob(v[0])?, blob(v[1])?)?))),
            scalar("byteanlike", |_, v| Ok(Value::from(!like_bytes(blob(v[0])?, blob(v[1])?)?))),
            scalar("like_escape", |_, v| like_escape(text(v[0])?, text(v[1])?).map(Value::Text)),
        ]
    };
}

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = like! {
    "textlike": like, true;
    "textnlike": like, false;
    "texticlike": like_ignoring_case, true;
    "texticnlike": like_ignoring_case, false;
    "namelike": like, true;
    "namenlike": like, false;
    "nameiclike": like_ignoring_case, true;
    "nameicnlike": like_ignoring_case, false;
};

/// One element of a pattern.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Element<T> {
    /// This very character.
    Exactly(T),
    /// `_`.
    One,
    /// `%`.
    Any,
    /// An escape character with nothing behind it: an error only where a character would have to match it.
    Dangling,
}

fn elements<T: Copy>(
    pattern: impl Iterator<Item = T>,
    is: impl Fn(T, u8) -> bool,
) -> Result<Vec<Element<T>>> {
    let mut elements = Vec::new();
    let mut pattern = pattern;
    let mut turns = Turns::default();
    while let Some(c) = pattern.next() {
        turns.turn()?;
        elements.push(match c {
            c if is(c, b'\\') => pattern.next().map_or(Element::Dangling, Element::Exactly),
            c if is(c, b'_') => Element::One,
            c if is(c, b'%') => Element::Any,
            c => Element::Exactly(c),
        });
    }
    Ok(elements)
}

/// Whether the whole value matches: greedy with one point to return to, so its time is at most the product of lengths.
fn matches<T: Copy + PartialEq>(value: &[T], pattern: &[Element<T>]) -> Result<bool> {
    let (mut at, mut element) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    let mut turns = Turns::default();
    while at < value.len() {
        turns.turn()?;
        match pattern.get(element) {
            Some(Element::Any) => {
                retry = Some((element + 1, at));
                element += 1;
            }
            Some(Element::One) => (at, element) = (at + 1, element + 1),
            Some(Element::Exactly(c)) if *c == value[at] => (at, element) = (at + 1, element + 1),
            Some(Element::Dangling) => {
                return Err(error!(
                    INVALID_ESCAPE_SEQUENCE,
                    "LIKE pattern must not end with escape character"
                ));
            }
            _ => match retry {
                Some((after, from)) => {
                    (at, element) = (from + 1, after);
                    retry = Some((after, from + 1));
                }
                None => return Ok(false),
            },
        }
    }
    Ok(pattern[element..].iter().all(|e| *e == Element::Any))
}

fn like(value: &str, pattern: &str) -> Result<bool> {
    // Bytes do as long as `_` does not have to know characters.
    if value.is_ascii() || !pattern.contains('_') {
        return like_bytes(value.as_bytes(), pattern.as_bytes());
    }
    let mut characters = Vec::with_capacity(value.len());
    for piece in interrupt::text_pieces(value) {
        characters.extend(piece?.chars());
    }
    matches(&characters, &elements(pattern.chars(), |c, b| c == char::from(b))?)
}

fn like_ignoring_case(value: &str, pattern: &str) -> Result<bool> {
    like(&interrupt::mapped(value, lower)?, &interrupt::mapped(pattern, lower)?)
}

fn like_bytes(value: &[u8], pattern: &[u8]) -> Result<bool> {
    matches(value, &elements(pattern.iter().copied(), |c, b| c == b)?)
}

/// The pattern with a backslash for its escape character.
fn like_escape(pattern: &str, escape: &str) -> Result<String> {
    let mut characters = escape.chars();
    let (escape, more) = (characters.next(), characters.next());
    if more.is_some() {
        return Err(error!(INVALID_ESCAPE_SEQUENCE, "invalid escape string")
            .hint("Escape string must be empty or one character."));
    }
    let Some(escape) = escape else { return Ok(pattern.replace('\\', "\\\\")) };
    if escape == '\\' {
        return Ok(pattern.to_owned());
    }
    let mut out = interrupt::Text::with_capacity(pattern.len());
    let mut escaped = false;
    for c in pattern.chars() {
        match c {
            c if c == escape && !escaped => {
                out.push('\\')?;
                escaped = true;
                continue;
            }
            '\\' if !escaped => out.push_str("\\\\")?,
            c => out.push(c)?,
        }
        escaped = false;
    }
    Ok(out.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (value, pattern, expected) in [
            ("abc", "abc", true),
            ("abc", "a%", true),
            ("abc", "_b_", true),
            ("abc", "c", false),
            ("", "%", true),
            ("", "_", false),
            ("é", "_", true),
            ("a%c", "a\\%c", true),
            ("abc", "a\\%c", false),
            ("aaab", "%a%b", true),
            ("mississippi", "%iss%ip%", true),
            ("ABC", "abc", false),
        ] {
            assert_eq!(like(value, pattern).unwrap(), expected, "{value} like {pattern}");
        }
        assert!(like_ignoring_case("ÀBC", "àb%").unwrap());
        assert_eq!(
            like("ab", "a\\").unwrap_err().message(),
            "LIKE pattern must not end with escape character"
        );
        assert_eq!(like_escape("a#%b\\", "#").unwrap(), "a\\%b\\\\");
    }
}
