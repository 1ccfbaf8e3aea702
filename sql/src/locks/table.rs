//! Who holds what and who waits for whom: a plain value, changed by requests, releases and withdrawals, without clock,
//! thread or session.
//!
//! A request is granted when it conflicts neither with a holder nor with one who waits before it, so nobody is
//! overtaken for ever. One exception, PostgreSQL's: whoever already holds a lock on the same thing goes before waiters
//! that wait for that very lock; behind them it could never come to its turn.
//!
//! Locks of a transaction are kept in order of their level, the number of savepoints that were set when they were taken:
//! rolling back to a savepoint gives back what was taken after it.
//!
//! Source: `src/backend/storage/lmgr/lock.c`, `proc.c` (`ProcSleep`).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::mode::LockMode;
use super::tag::LockTag;
use super::ticket::Ticket;
use crate::Oid;

/// How long a lock is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lifetime {
    /// Until the transaction ends, or is rolled back to a savepoint before it.
    Transaction,
    /// Until it is given back as often as it was taken, or the session ends.
    Session,
}

/// What a backend had of a thing when it was granted a lock on it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum HadBefore {
    Nothing,
    /// A lock in another mode.
    Other,
    /// This lock.
    Same,
}

/// What became of a request.
pub(super) enum Outcome {
    /// The backend has the lock.
    Granted(HadBefore),
    /// It would have to wait.
    Refused,
    Queued(Arc<Ticket>),
}

/// A request.
#[derive(Clone, Copy)]
pub(super) struct Request {
    pub(super) pid: i32,
    pub(super) tag: LockTag,
    pub(super) mode: LockMode,
    pub(super) lifetime: Lifetime,
    /// How many savepoints are set.
    pub(super) level: u32,
}

struct Holder {
    pid: i32,
    mode: LockMode,
    lifetime: Lifetime,
    /// How often a session has taken it; 1 for transactions.
    count: u32,
}

struct Waiter {
    request: Request,
    ticket: Arc<Ticket>,
}

#[derive(Default)]
struct Lock {
    holders: Vec<Holder>,
    queue: VecDeque<Waiter>,
}

/// What a backend waits for.
#[derive(Clone, Copy)]
pub(super) struct Wait {
    pub(super) tag: LockTag,
    pub(super) mode: LockMode,
    /// µs since 2000-01-01 UTC.
    pub(super) since: i64,
}

#[derive(Default)]
struct Owner {
    /// What its transaction has taken, and at which level.
    transaction: Vec<(LockTag, LockMode, u32)>,
    /// What its session has taken.
    session: Vec<(LockTag, LockMode)>,
    wait: Option<Wait>,
}

/// One arrow of a circle of waiters.
#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub(super) waiter: i32,
    pub(super) wait: Wait,
    pub(super) blocker: i32,
}

#[derive(Default)]
pub(super) struct Table {
    locks: HashMap<LockTag, Lock, RandomState>,
    owners: HashMap<i32, Owner, RandomState>,
    /// Strong locks on relations that are no longer held or awaited, for the manager's counters.
    pub(super) strong_gone: Vec<LockTag>,
}

impl Lock {
    /// Whether somebody else, a holder or one of the first so many waiters, is in the way of a request.
    fn blocks(&self, pid: i32, mode: LockMode, waiters: usize) -> bool {
        self.blockers(pid, mode, waiters).next().is_some()
    }

    fn blockers(&self, pid: i32, mode: LockMode, waiters: usize) -> impl Iterator<Item = i32> {
        let holders = self.holders.iter().map(|holder| (holder.pid, holder.mode));
        let waiting = self.queue.iter().take(waiters).map(|waiter| (waiter.request.pid, waiter.request.mode));
        let in_the_way =
            move |(other, held): (i32, LockMode)| (other != pid && mode.conflicts(held)).then_some(other);
        holders.chain(waiting).filter_map(in_the_way)
    }

    /// Where a request stands in the queue.
    fn place(&self, pid: i32) -> usize {
        let own = |mode: LockMode| self.holders.iter().any(|h| h.pid == pid && h.mode.conflicts(mode));
        let before = self.queue.iter().position(|waiter| own(waiter.request.mode));
        before.unwrap_or(self.queue.len())
    }

    fn holder(&mut self, pid: i32, mode: LockMode, lifetime: Lifetime) -> Option<&mut Holder> {
        self.holders.iter_mut().find(|h| (h.pid, h.mode, h.lifetime) == (pid, mode, lifetime))
    }
}

impl Table {
    /// Takes a lock, or queues up for it if `wait` says since when.
    pub(super) fn request(&mut self, request: Request, wait: Option<i64>) -> Outcome {
        let Request { pid, tag, mode, lifetime, .. } = request;
        let lock = self.locks.entry(tag).or_default();
        if let Some(holder) = lock.holder(pid, mode, lifetime) {
            holder.count += u32::from(lifetime == Lifetime::Session);
            return Outcome::Granted(HadBefore::Same);
        }
        let place = lock.place(pid);
        if !lock.blocks(pid, mode, place) {
            let had_other = lock.holders.iter().any(|holder| holder.pid == pid);
            self.grant(request);
            return Outcome::Granted(if had_other { HadBefore::Other } else { HadBefore::Nothing });
        }
        let Some(since) = wait else { return Outcome::Refused };
        let ticket = Arc::new(Ticket::default());
        lock.queue.insert(place, Waiter { request, ticket: ticket.clone() });
        self.owners.entry(pid).or_default().wait = Some(Wait { tag, mode, since });
        Outcome::Queued(ticket)
    }

    /// Notes down that a backend has a lock that nobody could have refused it.
    pub(super) fn grant(&mut self, request: Request) {
        let Request { pid, tag, mode, lifetime, level } = request;
        let lock = self.locks.entry(tag).or_default();
        if lock.holder(pid, mode, lifetime).is_some() {
            return;
        }
        lock.holders.push(Holder { pid, mode, lifetime, count: 1 });
        let owner = self.owners.entry(pid).or_default();
        match lifetime {
            Lifetime::Transaction => owner.transaction.push((tag, mode, level)),
            Lifetime::Session => owner.session.push((tag, mode)),
        }
    }

    /// Leaves the queue; nothing if the lock has been granted meanwhile.
    pub(super) fn withdraw(&mut self, pid: i32) {
        let Some(wait) = self.owners.get_mut(&pid).and_then(|owner| owner.wait.take()) else { return };
        if let Some(lock) = self.locks.get_mut(&wait.tag) {
            lock.queue.retain(|waiter| waiter.request.pid != pid);
        }
        self.note_gone(wait.tag, wait.mode);
        self.serve(wait.tag);
        self.forget_idle(pid);
    }

    /// Gives a session's lock back once; whether it was held.
    pub(super) fn unlock(&mut self, pid: i32, tag: LockTag, mode: LockMode) -> bool {
        let held = self.locks.get_mut(&tag).and_then(|lock| lock.holder(pid, mode, Lifetime::Session));
        let Some(holder) = held else { return false };
        holder.count -= 1;
        if holder.count == 0 {
            if let Some(owner) = self.owners.get_mut(&pid) {
                owner.session.retain(|held| *held != (tag, mode));
            }
            self.drop_holder(pid, tag, mode, Lifetime::Session);
            self.forget_idle(pid);
        }
        true
    }

    /// Gives back what a transaction has taken at a higher level than this; all of it for `None`. Tells of each lock
    /// before it is gone.
    pub(super) fn release_transaction(
        &mut self,
        pid: i32,
        above: Option<u32>,
        mut tell: impl FnMut(LockTag, LockMode),
    ) {
        let Some(owner) = self.owners.get_mut(&pid) else { return };
        let released = match above {
            None => std::mem::take(&mut owner.transaction),
            Some(level) => {
                let all = std::mem::take(&mut owner.transaction);
                let (kept, released) = all.into_iter().partition(|(_, _, taken)| *taken <= level);
                owner.transaction = kept;
                released
            }
        };
        for (tag, mode, _) in released {
            tell(tag, mode);
            self.drop_holder(pid, tag, mode, Lifetime::Transaction);
        }
        self.forget_idle(pid);
    }

    /// Savepoints above a level are gone: what was taken since counts as taken at that level.
    pub(super) fn merge_levels(&mut self, pid: i32, level: u32) {
        if let Some(owner) = self.owners.get_mut(&pid) {
            owner.transaction.iter_mut().for_each(|(_, _, taken)| *taken = (*taken).min(level));
        }
    }

    /// Gives back one lock of a transaction before its end.
    pub(super) fn release(&mut self, pid: i32, tag: LockTag, mode: LockMode) {
        if let Some(owner) = self.owners.get_mut(&pid) {
            owner.transaction.retain(|(held, in_mode, _)| (*held, *in_mode) != (tag, mode));
        }
        self.drop_holder(pid, tag, mode, Lifetime::Transaction);
        self.forget_idle(pid);
    }

    /// Gives back what a session has taken outside transactions.
    pub(super) fn release_session(&mut self, pid: i32) {
        let Some(owner) = self.owners.get_mut(&pid) else { return };
        for (tag, mode) in std::mem::take(&mut owner.session) {
            self.drop_holder(pid, tag, mode, Lifetime::Session);
        }
        self.forget_idle(pid);
    }

    fn drop_holder(&mut self, pid: i32, tag: LockTag, mode: LockMode, lifetime: Lifetime) {
        if let Some(lock) = self.locks.get_mut(&tag) {
            lock.holders.retain(|h| (h.pid, h.mode, h.lifetime) != (pid, mode, lifetime));
        }
        self.note_gone(tag, mode);
        self.serve(tag);
    }

    fn note_gone(&mut self, tag: LockTag, mode: LockMode) {
        if mode.excludes_weak() && matches!(tag, LockTag::Relation(..)) {
            self.strong_gone.push(tag);
        }
    }

    fn forget_idle(&mut self, pid: i32) {
        let idle =
            |owner: &Owner| owner.transaction.is_empty() && owner.session.is_empty() && owner.wait.is_none();
        if self.owners.get(&pid).is_some_and(idle) {
            self.owners.remove(&pid);
        }
    }

    /// Grants what has become possible, in order.
    fn serve(&mut self, tag: LockTag) {
        let mut index = 0;
        while let Some(lock) = self.locks.get_mut(&tag) {
            let Some(waiter) = lock.queue.get(index) else { break };
            let request = waiter.request;
            if lock.blocks(request.pid, request.mode, index) {
                index += 1;
                continue;
            }
            let Some(waiter) = lock.queue.remove(index) else { break };
            if let Some(owner) = self.owners.get_mut(&request.pid) {
                owner.wait = None;
            }
            self.grant(request);
            waiter.ticket.grant();
        }
        if self.locks.get(&tag).is_some_and(|lock| lock.holders.is_empty() && lock.queue.is_empty()) {
            self.locks.remove(&tag);
        }
    }

    /// The backends that keep this one waiting, each once.
    pub(super) fn blockers(&self, pid: i32) -> Vec<i32> {
        let Some(wait) = self.wait(pid) else { return Vec::new() };
        let Some(lock) = self.locks.get(&wait.tag) else { return Vec::new() };
        let place = lock.queue.iter().position(|waiter| waiter.request.pid == pid).unwrap_or(0);
        let mut blockers: Vec<i32> = lock.blockers(pid, wait.mode, place).collect();
        blockers.sort_unstable();
        blockers.dedup();
        blockers
    }

    /// What a backend waits for.
    pub(super) fn wait(&self, pid: i32) -> Option<Wait> {
        self.owners.get(&pid).and_then(|owner| owner.wait)
    }

    /// The circle of waiters that a backend is part of, beginning with it.
    pub(super) fn circle(&self, pid: i32) -> Option<Vec<Edge>> {
        // For each backend reached: how it was reached.
        let mut reached: HashMap<i32, Edge> = HashMap::new();
        let mut open = VecDeque::from([pid]);
        while let Some(waiter) = open.pop_front() {
            let Some(wait) = self.wait(waiter) else { continue };
            for blocker in self.blockers(waiter) {
                let edge = Edge { waiter, wait, blocker };
                if blocker == pid {
                    return Some(path_to(edge, pid, &reached));
                }
                reached.entry(blocker).or_insert_with(|| {
                    open.push_back(blocker);
                    edge
                });
            }
        }
        None
    }

    /// Calls with each lock held or awaited: pid, thing, mode, and since when it is awaited.
    pub(super) fn each(&self, mut see: impl FnMut(i32, LockTag, LockMode, Option<i64>)) {
        for (tag, lock) in &self.locks {
            let mut seen: Vec<(i32, LockMode)> = Vec::new();
            for holder in &lock.holders {
                if !seen.contains(&(holder.pid, holder.mode)) {
                    seen.push((holder.pid, holder.mode));
                    see(holder.pid, *tag, holder.mode, None);
                }
            }
            for waiter in &lock.queue {
                let since = self.wait(waiter.request.pid).map(|wait| wait.since);
                see(waiter.request.pid, *tag, waiter.request.mode, since.or(Some(0)));
            }
        }
    }

    /// How many rows of each table a backend's transaction has locked one by one.
    pub(super) fn row_counts(&self, pid: i32) -> HashMap<Oid, u32, RandomState> {
        let mut counts = HashMap::default();
        let mut counted = HashSet::<LockTag, RandomState>::default();
        for (tag, ..) in self.owners.get(&pid).into_iter().flat_map(|owner| &owner.transaction) {
            if let LockTag::Row(_, relation, _) = tag
                && counted.insert(*tag)
            {
                *counts.entry(*relation).or_default() += 1;
            }
        }
        counts
    }

    /// Whether a backend holds or awaits anything.
    pub(super) fn knows(&self, pid: i32) -> bool {
        self.owners.contains_key(&pid)
    }

    /// Whether somebody else holds a lock that excludes this mode; who waits for one does not count.
    pub(super) fn is_held_against(&self, pid: i32, tag: LockTag, mode: LockMode) -> bool {
        self.locks.get(&tag).is_some_and(|lock| lock.blocks(pid, mode, 0))
    }

    /// Whether a backend holds a lock in a mode that covers this one.
    pub(super) fn holds(&self, pid: i32, tag: LockTag, mode: LockMode) -> bool {
        let lock = self.locks.get(&tag);
        lock.is_some_and(|lock| lock.holders.iter().any(|h| h.pid == pid && h.mode >= mode))
    }
}

/// The way to the last edge, from its beginning.
fn path_to(last: Edge, start: i32, reached: &HashMap<i32, Edge>) -> Vec<Edge> {
    let mut path = vec![last];
    let mut waiter = last.waiter;
    while waiter != start {
        let Some(edge) = reached.get(&waiter) else { break };
        path.push(*edge);
        waiter = edge.waiter;
    }
    path.reverse();
    path
}
