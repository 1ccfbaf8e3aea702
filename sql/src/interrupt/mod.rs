//! Where long work of the host asks whether it is to stop, and how it leaves behind what it has gathered.
//!
//! The engine asks by itself while it runs a statement, but not while host code works: an aggregate's result, an array's
//! text, a statement's plan. Whoever runs a statement lets its thread attend to requests (`storage::Interrupt::attend`),
//! and each loop over what a client's data or text may make long calls [`check`] at each turn. What is not stopped within
//! a millisecond elsewhere must ask here.

mod aside;
mod text;

pub(crate) use aside::*;
pub(crate) use text::*;

use std::cmp::Ordering;

use crate::{Result, SqlError};

/// After how many turns of a loop of some nanoseconds each a look is taken.
const LOOP_TURNS: u32 = 4096;

/// How many things are sorted between two looks.
const SORTED_AT_ONCE: usize = 1024;

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
    first = sorted(first.finish(), order)?.into();
    second = sorted(second.finish(), order)?.into();
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
            None => return Ok(merged.finish()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
