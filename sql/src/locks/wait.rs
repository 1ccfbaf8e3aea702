//! Waiting for a lock: in its queue, until it is granted, the wait is interrupted, its time is up, or it turns out to be
//! part of a circle.
//!
//! Source: `src/backend/storage/lmgr/proc.c` (`ProcSleep`), `deadlock.c` (`DeadLockReport`).

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::table::{Edge, Outcome};
use super::{Lifetime, LockManager, LockMode, LockTag};
use crate::backend::{Backend, WaitEvent};
use crate::{Result, SqlError, clock, error};

/// How long to wait, and what ends the wait.
pub struct Patience<'a> {
    /// After how long a circle is looked for (`deadlock_timeout`).
    pub deadlock: Duration,
    /// After how long to give up (`lock_timeout`).
    pub timeout: Option<Duration>,
    /// When the statement is out of time.
    pub deadline: Option<Instant>,
    /// Asked whenever the backend is woken: its error ends the wait.
    pub interrupted: &'a (dyn Fn() -> Result<()> + Send + Sync),
}

/// A place in a queue; leaving it early gives the place up.
struct Place<'a> {
    manager: &'a LockManager,
    owner: &'a Backend,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.manager.change(|table| table.withdraw(self.owner.pid));
    }
}

impl LockManager {
    /// Takes a lock, waiting for it in its queue. The wait shows in `pg_stat_activity` and `pg_locks`. Dropping the future
    /// leaves the queue.
    ///
    /// # Errors
    /// `40P01` when the wait is part of a circle, `55P03` when its time is up, what interrupts it.
    pub async fn acquire(
        &self,
        owner: &Arc<Backend>,
        tag: LockTag,
        mode: LockMode,
        lifetime: Lifetime,
        patience: &Patience<'_>,
    ) -> Result<()> {
        if self.note_weak(owner, tag, mode) {
            return Ok(());
        }
        let Outcome::Queued(ticket) = self.request(owner, tag, mode, lifetime, Some(clock::now())) else {
            return Ok(());
        };
        let _place = Place { manager: self, owner };
        let _shown = owner.waiting(WaitEvent { kind: "Lock", name: tag.wait_event() });
        let began = Instant::now();
        let give_up = patience.timeout.map(|timeout| began + timeout);
        let mut look = Some(began + patience.deadlock);
        // Requests set the latch; what else it was set for is not lost: it is set again afterwards.
        let mut was_set = false;
        let result = loop {
            was_set |= owner.latch.reset();
            if let Err(error) = (patience.interrupted)() {
                break Err(error);
            }
            if ticket.is_granted() {
                break Ok(());
            }
            let now = Instant::now();
            if give_up.is_some_and(|moment| now >= moment) {
                break Err(error!(LOCK_NOT_AVAILABLE, "canceling statement due to lock timeout"));
            }
            if look.is_some_and(|moment| now >= moment) {
                let table = self.table.lock();
                if let Some(circle) = table.circle(owner.pid) {
                    drop(table);
                    break Err(self.deadlock(&circle));
                }
                // Who waits with the right to write is in the way of whoever comes to commit later, and is to be told so
                // before them.
                let writer = LockTag::Writer(owner.database());
                let writes = table.holds(owner.pid, writer, LockMode::Exclusive);
                look = writes.then(|| now + patience.deadlock);
            }
            let until = [give_up, patience.deadline, look].into_iter().flatten().min();
            let timeout = until.map(|moment| moment.saturating_duration_since(now));
            tokio::select! {
                () = ticket.granted() => {}
                _ = owner.latch.wait(timeout) => {}
            }
        };
        if was_set {
            owner.latch.set();
        }
        result
    }

    /// As [`Self::acquire`], on a thread that may block.
    ///
    /// # Errors
    /// As there.
    pub fn acquire_blocking(
        &self,
        owner: &Arc<Backend>,
        tag: LockTag,
        mode: LockMode,
        lifetime: Lifetime,
        patience: &Patience<'_>,
    ) -> Result<()> {
        crate::blocking::block_on(self.acquire(owner, tag, mode, lifetime, patience))?
    }

    fn deadlock(&self, circle: &[Edge]) -> SqlError {
        let lines: Vec<String> = circle
            .iter()
            .map(|edge| {
                format!(
                    "Process {} waits for {}; blocked by process {}.",
                    edge.waiter,
                    edge.wait.tag.described(edge.wait.mode, self.transaction_of(edge.blocker)),
                    edge.blocker
                )
            })
            .collect();
        error!(T_R_DEADLOCK_DETECTED, "deadlock detected")
            .detail(lines.join("\n"))
            .hint("See server log for query details.")
    }

    /// The number of a backend's transaction; 0 for one without.
    pub(super) fn transaction_of(&self, pid: i32) -> u64 {
        self.backends.get(pid).and_then(|backend| backend.transaction_id()).unwrap_or(0)
    }
}
