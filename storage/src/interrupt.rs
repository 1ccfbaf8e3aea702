//! What ends a statement before its end: an interrupt, a deadline, a budget.
//!
//! SQLite calls the progress handler after every so many virtual machine instructions, of nested statements
//! too. That is preferred to `sqlite3_interrupt`, which also kills new statements while a suspended one of
//! the same connection is open.
//!
//! The handler is not called while host code works, nor while SQLite sorts, and host code also works before and
//! after SQLite does. Whoever runs a statement therefore lets the thread attend to the interrupt
//! ([`Interrupt::attend`]), and each loop that may take long asks [`must_stop`].

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// After how many instructions the progress handler is called. The unit of [`crate::Connection::set_budget`].
pub(crate) const TICK_INSTRUCTIONS: i32 = 1000;

/// At every which question [`must_stop`] looks at the clock, which costs more than a step of most loops.
const CLOCK_LOOKS: u32 = 16;

/// Stops a statement from another thread. Clones share one flag.
///
/// A writing statement that is stopped takes its whole transaction along, savepoints too: SQLite undoes it at
/// once. [`crate::Connection::in_transaction`] tells.
#[derive(Clone, Default)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// Asks the connection's running statement, and each later one until
    /// [`crate::Connection::clear_interrupt`], to end with [`crate::ErrorKind::Interrupted`]. Begin, commit
    /// and rollback run regardless.
    pub fn set(&self) {
        self.flag.store(true, Ordering::Relaxed);
    }

    /// Lets [`must_stop`] answer on this thread for this interrupt and a deadline, until what is given is dropped.
    pub fn attend(&self, deadline: Option<Instant>) -> Attention {
        self.attend_until(deadline, None)
    }

    /// As [`Self::attend`], for a thread that has time only until then: [`must_stop`] answers from then on, too, and
    /// [`has_run_out`] tells why. The work is then to be begun anew elsewhere.
    pub fn attend_until(&self, deadline: Option<Instant>, patience: Option<Instant>) -> Attention {
        let flag = Arc::clone(&self.flag);
        attend_to(Some(Attended { flag, deadline, patience, has_run_out: false, asked: 0 }))
    }
}

/// What a thread attends to.
struct Attended {
    flag: Arc<AtomicBool>,
    deadline: Option<Instant>,
    /// Until when it has time.
    patience: Option<Instant>,
    /// Whether it has been told to stop because its time was over.
    has_run_out: bool,
    /// How many times it has been asked.
    asked: u32,
}

thread_local! {
    static ATTENDED: RefCell<Option<Attended>> = const { RefCell::new(None) };
}

/// While this lives its thread attends to something; then to what it had attended to before.
#[must_use = "the thread attends while this lives"]
pub struct Attention {
    before: Option<Attended>,
    /// It belongs to its thread.
    not_send: PhantomData<*const ()>,
}

impl Drop for Attention {
    fn drop(&mut self) {
        let before = self.before.take();
        ATTENDED.with(|attended| attended.replace(before));
    }
}

fn attend_to(next: Option<Attended>) -> Attention {
    let before = ATTENDED.with(|attended| attended.replace(next));
    Attention { before, not_send: PhantomData }
}

/// Lets the thread attend to nothing: what it does now is done to its end.
pub(crate) fn attend_to_nothing() -> Attention {
    attend_to(None)
}

/// Whether what this thread works for is to be stopped. To be asked at each turn of a loop that may take more than a
/// millisecond: it costs a nanosecond or two. Never without [`Interrupt::attend`].
pub fn must_stop() -> bool {
    ATTENDED.with_borrow_mut(|attended| {
        let Some(attended) = attended else { return false };
        if attended.flag.load(Ordering::Relaxed) {
            return true;
        }
        attended.asked = attended.asked.wrapping_add(1);
        if attended.asked % CLOCK_LOOKS != 1 {
            return attended.has_run_out;
        }
        let is_over = |moment: Option<Instant>| moment.is_some_and(|moment| Instant::now() >= moment);
        attended.has_run_out |= is_over(attended.patience);
        attended.has_run_out || is_over(attended.deadline)
    })
}

/// What this thread does from here on it does not begin anew elsewhere: [`Interrupt::attend_until`]'s time has no end any
/// more.
pub fn take_time() {
    ATTENDED.with_borrow_mut(|attended| {
        if let Some(attended) = attended.as_mut().filter(|attended| !attended.has_run_out) {
            attended.patience = None;
        }
    });
}

/// Whether [`must_stop`] has told this thread to stop because its own time was over
/// ([`Interrupt::attend_until`]).
pub fn has_run_out() -> bool {
    ATTENDED.with_borrow(|attended| attended.as_ref().is_some_and(|attended| attended.has_run_out))
}

/// Why a statement was stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stop {
    /// The flag was set, or the deadline has passed.
    Interrupted,
    /// The budget is used up.
    BudgetExhausted,
}

/// What the progress handler looks at. All but the flag belongs to the thread that is inside the handle.
#[derive(Default)]
pub(crate) struct Watch {
    flag: RefCell<Arc<AtomicBool>>,
    deadline: Cell<Option<Instant>>,
    budget: Cell<Option<u32>>,
    shielded: Cell<bool>,
    writing: Cell<bool>,
    writes_shielded: Cell<bool>,
    stopped: Cell<Option<Stop>>,
}

impl Watch {
    /// A handle on the flag.
    pub(crate) fn interrupt(&self) -> Interrupt {
        Interrupt { flag: Arc::clone(&self.flag.borrow()) }
    }

    /// Lowers the flag.
    pub(crate) fn clear_interrupt(&self) {
        self.flag.borrow().store(false, Ordering::Relaxed);
    }

    /// See [`crate::Connection::set_deadline`].
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        self.deadline.set(deadline);
    }

    /// See [`crate::Connection::set_budget`].
    pub(crate) fn set_budget(&self, ticks: Option<u32>) {
        self.budget.set(ticks);
    }

    /// Forgets everything; interrupts handed out so far have no effect on what runs from now on.
    pub(crate) fn renew(&self) {
        let mut flag = self.flag.borrow_mut();
        match Arc::get_mut(&mut flag) {
            Some(unshared) => *unshared.get_mut() = false,
            None => *flag = Arc::default(),
        }
        self.deadline.set(None);
        self.budget.set(None);
        self.writes_shielded.set(false);
    }

    /// See [`crate::Connection::shield_writes`].
    pub(crate) fn shield_writes(&self, shielded: bool) {
        self.writes_shielded.set(shielded);
    }

    /// Whether statements run regardless of the rest; gives the old setting, to be put back.
    pub(crate) fn shield(&self, shielded: bool) -> bool {
        self.shielded.replace(shielded)
    }

    /// Tells that a statement begins to run, and whether it writes; gives the old setting, to be put back.
    pub(crate) fn enter_statement(&self, writes: bool) -> bool {
        self.writing.replace(self.writing.get() || writes)
    }

    /// Puts back what [`Self::enter_statement`] gave.
    pub(crate) fn leave_statement(&self, writing: bool) {
        self.writing.set(writing);
    }

    /// Whether a statement may go on; the progress handler's question at each tick.
    pub(crate) fn tick(&self) -> bool {
        if self.shielded.get() || (self.writing.get() && self.writes_shielded.get()) {
            return true;
        }
        let stop = self.interrupted().or_else(|| self.spend());
        if stop.is_some() {
            self.stopped.set(stop);
        }
        stop.is_none()
    }

    /// Whether a statement may begin. Short ones never see a tick.
    pub(crate) fn may_begin(&self) -> Option<Stop> {
        if self.shielded.get() { None } else { self.interrupted() }
    }

    /// Whether a running statement may make another row.
    pub(crate) fn may_continue(&self) -> Option<Stop> {
        let raised = !self.shielded.get() && self.flag.borrow().load(Ordering::Relaxed);
        raised.then_some(Stop::Interrupted)
    }

    fn interrupted(&self) -> Option<Stop> {
        let raised = self.flag.borrow().load(Ordering::Relaxed);
        let late = || self.deadline.get().is_some_and(|deadline| Instant::now() >= deadline);
        (raised || late()).then_some(Stop::Interrupted)
    }

    /// A writing statement is not stopped for its budget: SQLite would undo the whole transaction with it,
    /// and it could not be run again elsewhere.
    fn spend(&self) -> Option<Stop> {
        let left = self.budget.get().filter(|_| !self.writing.get())?;
        self.budget.set(Some(left.saturating_sub(1)));
        (left <= 1).then_some(Stop::BudgetExhausted)
    }

    /// Whether a statement has been stopped and its end is under way.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// The end of the stopped statement is over.
    pub(crate) fn forget_stop(&self) {
        self.stopped.set(None);
    }

    /// Why the last stopped statement was stopped; asked once.
    pub(crate) fn take_stop(&self) -> Stop {
        self.stopped.take().unwrap_or(Stop::Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_by_reading_only() {
        let watch = Watch::default();
        watch.set_budget(Some(2));
        assert!(watch.tick());
        let before = watch.enter_statement(true);
        assert!(watch.tick() && watch.tick() && watch.tick());
        watch.leave_statement(before);
        assert!(!watch.tick());
        assert_eq!(watch.take_stop(), Stop::BudgetExhausted);
    }

    #[test]
    fn shielded_writes_run_to_their_end() {
        let watch = Watch::default();
        watch.shield_writes(true);
        watch.interrupt().set();
        let before = watch.enter_statement(true);
        assert!(watch.tick());
        watch.leave_statement(before);
        assert!(!watch.tick());
        assert_eq!(watch.may_begin(), Some(Stop::Interrupted));
    }

    #[test]
    fn a_thread_has_time_until_then_or_takes_it() {
        let (interrupt, now) = (Interrupt::default(), Instant::now());
        let attention = interrupt.attend_until(None, Some(now));
        assert!(!has_run_out());
        assert!(must_stop() && must_stop() && has_run_out());
        take_time();
        assert!(has_run_out(), "what has been told to stop stops");
        drop(attention);
        let _attention = interrupt.attend_until(None, Some(now));
        take_time();
        assert!(!must_stop() && !has_run_out());
        interrupt.set();
        assert!(must_stop() && !has_run_out());
    }

    #[test]
    fn a_thread_attends_to_the_innermost() {
        assert!(!must_stop());
        let (outer, inner) = (Interrupt::default(), Interrupt::default());
        let attention = outer.attend(None);
        outer.set();
        assert!(must_stop());
        let within = inner.attend(None);
        assert!(!must_stop());
        drop(within);
        let undisturbed = attend_to_nothing();
        assert!(!must_stop());
        drop(undisturbed);
        assert!(must_stop());
        drop(attention);
        assert!(!must_stop());
    }

    #[test]
    fn the_clock_is_looked_at_at_some_questions() {
        let _attention = Interrupt::default().attend(Some(Instant::now()));
        assert!((0..=CLOCK_LOOKS).any(|_| must_stop()));
    }

    #[test]
    fn a_renewed_watch_ignores_old_interrupts() {
        let watch = Watch::default();
        let old = watch.interrupt();
        watch.renew();
        old.set();
        assert!(watch.tick());
        watch.interrupt().set();
        assert!(!watch.tick());
        watch.shield(true);
        assert!(watch.tick());
    }
}
