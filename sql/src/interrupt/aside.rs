//! What a stopped statement leaves behind is freed aside: many things, much memory and large trees take tens of milliseconds,
//! and the statement is to answer.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::Result;

/// From how many on things are dropped on another thread: that takes a millisecond or so, and a statement that has been
/// stopped is to answer.
const MANY: usize = 10_000;

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

/// Many things, which can be dropped as by [`discard`].
pub(crate) trait Discard: Default {
    fn discard(self);
}

impl<T: Send + 'static> Discard for Vec<T> {
    fn discard(self) {
        discard(self);
    }
}

impl<T: Send + 'static> Discard for VecDeque<T> {
    fn discard(self) {
        discard(Vec::from(self));
    }
}

/// Things that are dropped so.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Discarded<C: Discard>(C);

/// Things that come one by one.
pub(crate) type Things<T> = Discarded<Vec<T>>;

/// The same, of which the oldest may go again.
pub(crate) type Gathered<T> = Discarded<VecDeque<T>>;

impl<C: Discard> Discarded<C> {
    /// The things, which are the caller's to drop.
    pub(crate) fn finish(mut self) -> C {
        std::mem::take(&mut self.0)
    }
}

impl<C: Discard> std::ops::Deref for Discarded<C> {
    type Target = C;
    fn deref(&self) -> &C {
        &self.0
    }
}

impl<C: Discard> std::ops::DerefMut for Discarded<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.0
    }
}

impl<C: Discard> Drop for Discarded<C> {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).discard();
    }
}

impl<T: Send + 'static> From<Vec<T>> for Things<T> {
    fn from(things: Vec<T>) -> Self {
        Self(things)
    }
}

impl<T: Send + 'static> IntoIterator for Things<T> {
    type Item = T;
    type IntoIter = Many<T>;
    fn into_iter(self) -> Many<T> {
        self.finish().into()
    }
}

/// Gathers what comes; when one fails, those before it are dropped as by [`discard`].
///
/// # Errors
/// The first of the items.
pub(crate) fn gather<T: Send + 'static>(items: impl Iterator<Item = Result<T>>) -> Result<Vec<T>> {
    let mut gathered: Things<T> = Vec::with_capacity(items.size_hint().0).into();
    for item in items {
        gathered.push(item?);
    }
    Ok(gathered.finish())
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
