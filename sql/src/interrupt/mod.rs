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

use crate::{Result, SqlError};

/// After how many turns of a loop of some nanoseconds each a look is taken.
const LOOP_TURNS: u32 = 4096;

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
}
