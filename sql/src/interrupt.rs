//! Where long work of the host asks whether it is to stop, and how it leaves behind what it has gathered.
//!
//! The engine asks by itself while it runs a statement, but not while host code works: an aggregate's result, an array's
//! text, a statement's plan. Whoever runs a statement lets its thread attend to requests (`storage::Interrupt::attend`),
//! and each loop over what a client's data or text may make long calls [`check`] at each turn. What is not stopped within
//! a millisecond elsewhere must ask here.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{Result, SqlError};

/// From how many on things are dropped on another thread: that takes a millisecond or so, and a statement that has been
/// stopped is to answer.
const MANY: usize = 10_000;

/// How many bytes are copied between two looks.
const PIECE_BYTES: usize = 1 << 20;

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
