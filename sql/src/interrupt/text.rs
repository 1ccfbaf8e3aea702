//! Texts and bytes that may be large: gone through, copied and built in pieces, with a look between them whether to stop.

use super::{check, checked, give_back};
use crate::{Result, SqlError, error};

/// How many bytes are copied between two looks.
const PIECE_BYTES: usize = 1 << 20;

/// How many bytes are worked on between two looks where each takes some nanoseconds.
const WORK_BYTES: usize = 64 << 10;

/// The longest text that is built (PostgreSQL's `MaxAllocSize`).
const TEXT_BYTES_MAX: usize = 0x3FFF_FFFF;

/// Bytes in pieces, with a look before each.
pub(crate) fn pieces(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8]>> {
    bytes.chunks(WORK_BYTES).map(checked)
}

/// A text in pieces, with a look before each.
pub(crate) fn text_pieces(text: &str) -> impl DoubleEndedIterator<Item = Result<&str>> {
    TextPieces(text)
}

struct TextPieces<'a>(&'a str);

impl<'a> Iterator for TextPieces<'a> {
    type Item = Result<&'a str>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let (piece, rest) = self.0.split_at(self.0.floor_char_boundary(WORK_BYTES));
        self.0 = rest;
        Some(checked(piece))
    }
}

impl DoubleEndedIterator for TextPieces<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let start = self.0.floor_char_boundary(self.0.len().saturating_sub(WORK_BYTES));
        let (rest, piece) = self.0.split_at(start);
        self.0 = rest;
        Some(checked(piece))
    }
}

/// The characters of a text, each made another.
///
/// # Errors
/// As [`check`].
pub(crate) fn mapped(text: &str, mut one: impl FnMut(char) -> char) -> Result<String> {
    let mut out = Text::with_capacity(text.len());
    for piece in text_pieces(text) {
        out.extend(piece?.chars().map(&mut one));
    }
    Ok(out.finish())
}

/// Where a text that is searched for first stands.
///
/// # Errors
/// As [`check`].
pub(crate) fn find(text: &str, searched: &str) -> Result<Option<usize>> {
    if searched.is_empty() {
        return Ok(Some(0));
    }
    Places::new(text, searched).next().transpose()
}

/// The places of a text inside another that do not overlap, with a look before each and after so much of the text. What
/// is searched for is not empty.
struct Places<'a, 's> {
    text: &'a str,
    searched: &'s str,
    /// Where the window begins, and the places in it.
    start: usize,
    window: std::str::MatchIndices<'a, &'s str>,
    /// Where the next window begins, unless a match reaches into it. Places from there on belong to it.
    stop: usize,
}

impl<'a, 's> Places<'a, 's> {
    fn new(text: &'a str, searched: &'s str) -> Self {
        let mut places =
            Self { text, searched, start: 0, window: text[..0].match_indices(searched), stop: 0 };
        places.open(0);
        places
    }

    fn open(&mut self, start: usize) {
        self.start = start;
        self.stop = match start + WORK_BYTES {
            stop if stop < self.text.len() => self.text.ceil_char_boundary(stop),
            _ => self.text.len(),
        };
        // What begins before the stop may end after it.
        let end = self.text.ceil_char_boundary(self.stop + self.searched.len());
        self.window = self.text[start..end].match_indices(self.searched);
    }
}

impl Iterator for Places<'_, '_> {
    type Item = Result<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Err(error) = check() {
                return Some(Err(error));
            }
            let found = self.window.next().map(|(at, _)| self.start + at);
            if let Some(at) = found.filter(|at| *at < self.stop) {
                let after = at + self.searched.len();
                if after > self.stop {
                    self.open(after);
                }
                return Some(Ok(at));
            }
            if self.stop == self.text.len() {
                return None;
            }
            self.open(self.stop);
        }
    }
}

/// The parts of a text between separators, which are not empty, with a look before each.
pub(crate) fn split<'a>(text: &'a str, separator: &str) -> impl Iterator<Item = Result<&'a str>> {
    let mut places = Places::new(text, separator);
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = from.take()?;
        let place = match places.next().transpose() {
            Ok(place) => place,
            Err(error) => return Some(Err(error)),
        };
        from = place.map(|at| at + separator.len());
        Some(Ok(&text[start..place.unwrap_or(text.len())]))
    })
}

/// A text so many times.
///
/// # Errors
/// As [`check`]; `54000` for a text that becomes too long.
pub(crate) fn repeated(text: &str, count: usize) -> Result<String> {
    if text.len().saturating_mul(count) <= WORK_BYTES {
        return Ok(text.repeat(count));
    }
    let at_once = (WORK_BYTES / text.len()).clamp(1, count);
    let block = text.repeat(at_once);
    let mut out = Text::with_capacity(text.len() * count);
    for _ in 0..count / at_once {
        out.push_str(&block)?;
    }
    out.push_str(&text.repeat(count % at_once))?;
    Ok(out.finish())
}

/// A text that is built from parts, with a look after so much of it. What is left unfinished is given back as by
/// [`give_back`].
#[derive(Default)]
pub(crate) struct Text {
    text: String,
    /// How many bytes have come since the last look.
    since: usize,
}

impl Text {
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), since: 0 }
    }

    /// Appends a character.
    ///
    /// # Errors
    /// As [`check`]; `54000` for a text that becomes too long.
    pub(crate) fn push(&mut self, c: char) -> Result<()> {
        self.text.push(c);
        self.count(c.len_utf8())
    }

    /// Appends a text.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub(crate) fn push_str(&mut self, text: &str) -> Result<()> {
        if text.len() < WORK_BYTES {
            self.text.push_str(text);
            return self.count(text.len());
        }
        let (length, more) = (self.text.len(), text.len());
        if length + more > TEXT_BYTES_MAX {
            return Err(too_long(length, more));
        }
        append(&mut self.text, text)
    }

    /// Appends characters that are few.
    pub(crate) fn extend(&mut self, characters: impl Iterator<Item = char>) {
        self.text.extend(characters);
    }

    fn count(&mut self, bytes: usize) -> Result<()> {
        self.since += bytes;
        if self.since < WORK_BYTES {
            return Ok(());
        }
        self.since = 0;
        if self.text.len() > TEXT_BYTES_MAX {
            return Err(too_long(self.text.len() - bytes, bytes));
        }
        check()
    }

    pub(crate) fn finish(mut self) -> String {
        std::mem::take(&mut self.text)
    }
}

impl Drop for Text {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.text).into_bytes());
    }
}

fn too_long(length: usize, more: usize) -> SqlError {
    error!(PROGRAM_LIMIT_EXCEEDED, "out of memory")
        .detail(format!("Cannot enlarge string buffer containing {length} bytes by {more} more bytes."))
}

/// A copy of bytes.
///
/// # Errors
/// As [`check`].
pub(crate) fn copied(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::with_capacity(bytes.len());
    for piece in bytes.chunks(PIECE_BYTES) {
        check()?;
        copy.extend_from_slice(piece);
    }
    Ok(copy)
}

/// A copy of a text.
///
/// # Errors
/// As [`check`].
pub(crate) fn copied_text(text: &str) -> Result<String> {
    let mut copy = String::with_capacity(text.len());
    append(&mut copy, text)?;
    Ok(copy)
}

/// Appends to a text.
///
/// # Errors
/// As [`check`].
pub(crate) fn append(text: &mut String, mut rest: &str) -> Result<()> {
    while !rest.is_empty() {
        check()?;
        let (piece, next) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
        text.push_str(piece);
        rest = next;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_do_not_depend_on_the_pieces_searched() {
        let piece = WORK_BYTES;
        for (unit, searched) in [("a", "aa"), ("é", "éé"), ("ab", "ba"), ("xyz,", ","), ("aab", "aabaab")]
        {
            for length in [0, 1, 2, piece - 1, piece, piece + 1, 2 * piece + 3] {
                let text = unit.repeat(length / unit.len() + 1);
                let places: Vec<_> = Places::new(&text, searched).map(Result::unwrap).collect();
                assert!(
                    places.iter().copied().eq(text.match_indices(searched).map(|(at, _)| at)),
                    "{unit} {length}"
                );
                let parts: Vec<_> = split(&text, searched).map(Result::unwrap).collect();
                assert!(parts.into_iter().eq(text.split(searched)), "{unit} {length}");
                assert_eq!(find(&text, searched).unwrap(), text.find(searched));
            }
        }
        let far = format!("{}needle", "é".repeat(piece));
        assert_eq!(find(&far, "needle").unwrap(), Some(2 * piece));
        let long = "ab".repeat(piece);
        assert_eq!(find(&format!("b{long}c"), &format!("{long}c")).unwrap(), Some(1));
    }

    #[test]
    fn texts_in_pieces_are_whole() {
        let text = "aé日🦀".repeat(WORK_BYTES / 5);
        let pieces: Vec<_> = text_pieces(&text).map(Result::unwrap).collect();
        assert!(pieces.len() > 1);
        assert_eq!(pieces.concat(), text);
        let mut backwards: Vec<_> = text_pieces(&text).rev().map(Result::unwrap).collect();
        backwards.reverse();
        assert_eq!(backwards.concat(), text);
        assert_eq!(mapped(&text, |c| c).unwrap(), text);
        for (text, count) in [("", 5), ("abc", 0), ("abc", WORK_BYTES), (text.as_str(), 3)] {
            assert_eq!(repeated(text, count).unwrap(), text.repeat(count));
        }
    }

    #[test]
    fn building_a_text_stops_and_has_a_limit() {
        let mut text = Text::default();
        text.push_str(&"x".repeat(3 * WORK_BYTES)).unwrap();
        let long = "y".repeat(WORK_BYTES);
        assert_eq!(
            too_long(7, 5).0.detail.unwrap(),
            "Cannot enlarge string buffer containing 7 bytes by 5 more bytes."
        );
        let interrupt = storage::Interrupt::default();
        let _attention = interrupt.attend(None);
        interrupt.set();
        text.push('z').unwrap();
        assert_eq!(text.push_str(&long).unwrap_err(), SqlError::canceled());
        assert_eq!((0..=WORK_BYTES).try_for_each(|_| text.push('z')).unwrap_err(), SqlError::canceled());
    }
}
