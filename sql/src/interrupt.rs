//! Where long work of the host asks whether it is to stop, and how it leaves behind what it has gathered.
//!
//! The engine asks by itself while it runs a statement, but not while host code works: an aggregate's result, an array's
//! text, a statement's plan. Whoever runs a statement lets its thread attend to requests (`storage::Interrupt::attend`),
//! and each loop over what a client's data or text may make long calls [`check`] at each turn. What is not stopped within
//! a millisecond elsewhere must ask here.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{Result, SqlError, error};

/// From how many on things are dropped on another thread: that takes a millisecond or so, and a statement that has been
/// stopped is to answer.
const MANY: usize = 10_000;

/// How many bytes are copied between two looks.
const PIECE_BYTES: usize = 1 << 20;

/// How many bytes are worked on between two looks where each takes some nanoseconds.
const WORK_BYTES: usize = 64 << 10;

/// After how many turns of a loop of some nanoseconds each a look is taken.
const LOOP_TURNS: u32 = 4096;

/// The longest text that is built (PostgreSQL's `MaxAllocSize`).
const TEXT_BYTES_MAX: usize = 0x3FFF_FFFF;

/// Asks whether what this thread does is to stop.
///
/// # Errors
/// `57014`, in the words of a cancel request; the session says the true reason.
pub(crate) fn check() -> Result<()> {
    if storage::must_stop() { Err(SqlError::canceled()) } else { Ok(()) }
}

/// As [`check`], for items on their way through an iterator.
pub(crate) fn checked<T>(item: T) -> Result<T> {
    check().map(|()| item)
}

/// Counts the turns of a loop whose body is cheaper than a look.
#[derive(Default)]
pub(crate) struct Turns(u32);

impl Turns {
    /// To be called at each turn.
    ///
    /// # Errors
    /// As [`check`].
    pub(crate) fn turn(&mut self) -> Result<()> {
        self.0 = self.0.wrapping_add(1);
        if self.0.is_multiple_of(LOOP_TURNS) { check() } else { Ok(()) }
    }
}

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

/// Drops something on another thread, or here when there is none to be had.
fn drop_elsewhere(thing: impl Send + 'static) {
    let dropping = std::thread::Builder::new().name("drop".to_owned()).spawn(move || drop(thing));
    if let Err(error) = dropping {
        tracing::debug!(%error, "no thread to free memory");
    }
}

/// Drops things, on another thread when they are many.
pub(crate) fn discard<T: Send + 'static>(things: Vec<T>) {
    if things.len() >= MANY {
        drop_elsewhere(things);
    }
}

/// How many things are sorted between two looks.
const SORTED_AT_ONCE: usize = 1024;

/// Things in order, those that are equal as they came.
///
/// # Errors
/// As [`check`].
pub(crate) fn sorted<T: Send + 'static>(
    mut things: Vec<T>,
    order: &impl Fn(&T, &T) -> Ordering,
) -> Result<Vec<T>> {
    if things.len() <= SORTED_AT_ONCE {
        things.sort_by(order);
        return Ok(things);
    }
    let mut second: Things<T> = things.split_off(things.len() / 2).into();
    let mut first: Things<T> = things.into();
    first = sorted(std::mem::take(&mut *first), order)?.into();
    second = sorted(std::mem::take(&mut *second), order)?.into();
    let mut merged: Things<T> = Vec::with_capacity(first.len() + second.len()).into();
    let (mut left, mut right) = (first.into_iter().peekable(), second.into_iter().peekable());
    loop {
        check()?;
        let next = match (left.peek(), right.peek()) {
            (Some(from_left), Some(from_right)) if order(from_left, from_right).is_gt() => right.next(),
            (None, _) => right.next(),
            _ => left.next(),
        };
        match next {
            Some(next) => merged.push(next),
            None => return Ok(std::mem::take(&mut *merged)),
        }
    }
}

/// Things that are dropped as by [`discard`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Things<T: Send + 'static>(Vec<T>);

impl<T: Send + 'static> Default for Things<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Send + 'static> From<Vec<T>> for Things<T> {
    fn from(things: Vec<T>) -> Self {
        Self(things)
    }
}

impl<T: Send + 'static> std::ops::Deref for Things<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T: Send + 'static> std::ops::DerefMut for Things<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T: Send + 'static> IntoIterator for Things<T> {
    type Item = T;
    type IntoIter = Many<T>;
    fn into_iter(mut self) -> Many<T> {
        std::mem::take(&mut self.0).into()
    }
}

impl<T: Send + 'static> Drop for Things<T> {
    fn drop(&mut self) {
        discard(std::mem::take(&mut self.0));
    }
}

/// Gathers what comes; when one fails, those before it are dropped as by [`discard`].
///
/// # Errors
/// The first of the items.
pub(crate) fn gather<T: Send + 'static>(items: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut gathered = Gathered(VecDeque::with_capacity(items.size_hint().0));
    for item in items {
        gathered.push_back(item?);
    }
    Ok(std::mem::take(&mut gathered.0).into())
}

/// Things that come one by one, of which the oldest may go again. Dropped as by [`discard`].
pub(crate) struct Gathered<T: Send + 'static>(VecDeque<T>);

impl<T: Send + 'static> Default for Gathered<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Send + 'static> std::ops::Deref for Gathered<T> {
    type Target = VecDeque<T>;
    fn deref(&self) -> &VecDeque<T> {
        &self.0
    }
}

impl<T: Send + 'static> std::ops::DerefMut for Gathered<T> {
    fn deref_mut(&mut self) -> &mut VecDeque<T> {
        &mut self.0
    }
}

impl<T: Send + 'static> Drop for Gathered<T> {
    fn drop(&mut self) {
        discard(Vec::from(std::mem::take(&mut self.0)));
    }
}

/// From how many bytes on memory is given back on another thread.
const MUCH_BYTES: usize = 4 << 20;

/// Gives memory back, on another thread when it is much: the system takes it page by page.
pub(crate) fn give_back<T: Copy + Send + 'static>(memory: Vec<T>) {
    if memory.capacity() * size_of::<T>() >= MUCH_BYTES {
        drop_elsewhere(memory);
    }
}

/// How long the text of a statement is whose trees are dropped on another thread, in bytes.
const LONG_TEXT_BYTES: usize = 256 << 10;

/// For how long a tree has been worked on that is dropped on another thread.
const LONG_WORK: Duration = Duration::from_millis(2);

/// What has been made of a statement's text. Of a long one it is dropped on another thread: a tree of a hundred thousand
/// nodes takes tens of milliseconds, and a statement that has been stopped is to answer.
pub(crate) struct MadeOfText<T: Send + 'static> {
    made: Option<T>,
    measure: Measure,
}

/// By what it is known how large a tree is.
enum Measure {
    IsLong(bool),
    WorkedOnSince(Instant),
}

impl<T: Send + 'static> MadeOfText<T> {
    pub(crate) fn new(made: T, text: &str) -> Self {
        Self { made: Some(made), measure: Measure::IsLong(text.len() >= LONG_TEXT_BYTES) }
    }

    /// For one whose text is not at hand: it is long when the work that is done on it, and nothing else, takes long.
    pub(crate) fn worked_on(made: T) -> Self {
        Self { made: Some(made), measure: Measure::WorkedOnSince(Instant::now()) }
    }
}

impl<T: Send + 'static> std::ops::Deref for MadeOfText<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.made.as_ref().expect("taken only when dropped")
    }
}

impl<T: Send + 'static> std::ops::DerefMut for MadeOfText<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.made.as_mut().expect("taken only when dropped")
    }
}

impl<T: Send + 'static> Drop for MadeOfText<T> {
    fn drop(&mut self) {
        let long = match self.measure {
            Measure::IsLong(long) => long,
            Measure::WorkedOnSince(begun) => begun.elapsed() >= LONG_WORK,
        };
        if let (Some(made), true) = (self.made.take(), long) {
            drop_elsewhere(made);
        }
    }
}

/// Things that are taken one by one; those that are left are dropped as by [`discard`].
pub(crate) struct Many<T: Send + 'static>(std::vec::IntoIter<T>);

impl<T: Send + 'static> From<Vec<T>> for Many<T> {
    fn from(things: Vec<T>) -> Self {
        Self(things.into_iter())
    }
}

impl<T: Send + 'static> Iterator for Many<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<T: Send + 'static> Drop for Many<T> {
    fn drop(&mut self) {
        if self.0.len() >= MANY {
            drop_elsewhere(std::mem::take(&mut self.0));
        }
    }
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
    fn sorting_is_stable() {
        for count in [0, 1, SORTED_AT_ONCE, SORTED_AT_ONCE + 1, 5 * SORTED_AT_ONCE + 7] {
            let things: Vec<_> = (0..count).map(|i| (i * 7919 % 97, i)).collect();
            let mut expected = things.clone();
            expected.sort_by_key(|thing| thing.0);
            assert_eq!(
                sorted(things, &|a: &(usize, usize), b: &(usize, usize)| a.0.cmp(&b.0)).unwrap(),
                expected
            );
        }
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

    #[test]
    fn work_stops_when_its_thread_is_told_to() {
        check().unwrap();
        let interrupt = storage::Interrupt::default();
        let attention = interrupt.attend(None);
        check().unwrap();
        interrupt.set();
        assert_eq!(check().unwrap_err(), SqlError::canceled());
        assert!((0..10).map(checked).collect::<Result<Vec<_>>>().is_err());
        drop(attention);
        check().unwrap();
    }

    struct Told(std::sync::mpsc::Sender<std::thread::ThreadId>);

    impl Drop for Told {
        fn drop(&mut self) {
            let _ = self.0.send(std::thread::current().id());
        }
    }

    #[test]
    fn what_a_long_text_became_is_dropped_elsewhere() {
        let (sender, receiver) = std::sync::mpsc::channel();
        drop(MadeOfText::new(Told(sender.clone()), "SELECT 1"));
        assert_eq!(receiver.recv().unwrap(), std::thread::current().id());
        drop(MadeOfText::new(Told(sender), &" ".repeat(LONG_TEXT_BYTES)));
        assert_ne!(receiver.recv().unwrap(), std::thread::current().id());
    }

    #[test]
    fn what_is_left_of_many_is_dropped_elsewhere() {
        let (sender, receiver) = std::sync::mpsc::channel();
        let mut many = Many::from((0..=MANY).map(|_| Told(sender.clone())).collect::<Vec<_>>());
        drop(many.next());
        assert_eq!(receiver.recv().unwrap(), std::thread::current().id());
        drop((many, sender));
        let rest: Vec<_> = receiver.iter().collect();
        assert_eq!(rest.len(), MANY);
        assert!(rest.iter().all(|thread| *thread != std::thread::current().id()));
    }
}
