//! The slots: one fixed array of `max_worker_processes` entries, static and dynamic workers together.
//!
//! A session that launches a worker only fills a slot and wakes the supervisor; it never calls it. Who may write what:
//! registering claims a free slot (state, record, a new generation); from then on only the supervisor changes the
//! state, except that anyone holding the [`Handle`] may ask for termination. A handle is a slot number and a generation,
//! so that a slot's next tenant is never mistaken for the last one.
//!
//! Source: `src/backend/postmaster/bgworker.c`, the comment above `BackgroundWorkerSlot`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use sql::Result;
use sql::backend::BackendTable;
use tokio::sync::Notify;

use crate::Registration;
use crate::next::State;

/// Names one registration for ever: its slot, and which of the slot's tenants it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// The slot.
    pub slot: usize,
    /// Which tenant.
    pub generation: u64,
}

/// Bits of a handle's number that tell the slot: `max_worker_processes` is at most 262143.
const SLOT_BITS: u32 = 18;

impl Handle {
    /// The handle as one number, for SQL.
    pub fn to_number(self) -> i64 {
        ((self.generation << SLOT_BITS) | self.slot as u64) as i64
    }

    /// The handle of a number; any number is one, though perhaps nobody's.
    pub fn from_number(number: i64) -> Self {
        let number = number as u64;
        Self { slot: (number & ((1 << SLOT_BITS) - 1)) as usize, generation: number >> SLOT_BITS }
    }
}

/// What a registrant may know about its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// `BGWH_STARTED`: it runs, as this process.
    Started(i32),
    /// `BGWH_NOT_YET_STARTED`.
    NotYetStarted,
    /// `BGWH_STOPPED`: finished, crashed, between restarts, or never to start.
    Stopped,
    /// `BGWH_POSTMASTER_DIED`: the server stops and nothing more will be known.
    PostmasterDied,
}

impl Status {
    /// The word that SQL functions return for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::NotYetStarted => "not yet started",
            Self::Stopped => "stopped",
            Self::PostmasterDied => "postmaster died",
        }
    }
}

/// One slot in use.
#[derive(Clone, Debug)]
pub struct Tenant {
    /// Which tenant of the slot this is.
    pub generation: u64,
    /// The record.
    pub registration: Arc<Registration>,
    /// Where it is in its life.
    pub state: State,
    /// Its process while it runs.
    pub pid: Option<i32>,
    /// Whether its registrant has asked to end it for good.
    pub terminate: bool,
    /// Whether its present body has been told to end, by whomever.
    pub told_to_end: Arc<AtomicBool>,
    /// How many times it has been started.
    pub starts: u64,
}

/// The array with what is needed to wait for changes in it.
pub struct Slots {
    inner: Mutex<Inner>,
    /// Sessions wait here, on their own threads, for a worker to start or stop.
    changed: Condvar,
    /// The supervisor waits here for work.
    pub(crate) wake: Notify,
    backends: Arc<BackendTable>,
}

struct Inner {
    tenants: Vec<Option<Tenant>>,
    generations: Vec<u64>,
    /// Slots in the order in which the supervisor looks at them: the newest first, as in PostgreSQL, whose list grows
    /// at its head.
    order: Vec<usize>,
    stopping: bool,
}

/// How often a session that waits for a worker looks whether it has been cancelled itself.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// How long a registration that finds all slots taken waits for a worker that has been told to end.
const ENDING_WAIT: Duration = Duration::from_millis(500);

impl Slots {
    /// So many free slots.
    pub fn new(count: usize, backends: Arc<BackendTable>) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                tenants: vec![None; count],
                generations: vec![0; count],
                order: Vec::new(),
                stopping: false,
            }),
            changed: Condvar::new(),
            wake: Notify::new(),
            backends,
        })
    }

    /// Registers a worker (`RegisterDynamicBackgroundWorker`, and the counted part of `RegisterBackgroundWorker`):
    /// `None` when all slots are taken. Not transactional: a rollback of the caller does not undo it.
    ///
    /// The slot of a worker that has been told to end counts as free: its end is waited for, on the calling thread, for a
    /// moment. PostgreSQL refuses then; that a slot is free at once is what the documents promise.
    ///
    /// # Errors
    /// `22023` for a record that makes no sense.
    pub fn register(&self, registration: Registration) -> Result<Option<Handle>> {
        let registration = Arc::new(registration.checked()?);
        let mut inner = self.inner.lock();
        let deadline = Instant::now() + ENDING_WAIT;
        let slot = loop {
            if inner.stopping {
                return Ok(None);
            }
            if let Some(slot) = inner.tenants.iter().position(Option::is_none) {
                break slot;
            }
            let is_ending = inner.tenants.iter().flatten().any(Self::is_ending);
            if !is_ending || Instant::now() >= deadline {
                return Ok(None);
            }
            self.changed.wait_for(&mut inner, WAIT_SLICE);
        };
        inner.generations[slot] += 1;
        let generation = inner.generations[slot];
        inner.tenants[slot] = Some(Tenant {
            generation,
            registration,
            state: State::Pending,
            pid: None,
            terminate: false,
            told_to_end: Arc::default(),
            starts: 0,
        });
        inner.order.insert(0, slot);
        drop(inner);
        self.wake.notify_one();
        Ok(Some(Handle { slot, generation }))
    }

    fn is_ending(tenant: &Tenant) -> bool {
        let runs = matches!(tenant.state, State::Starting { .. } | State::Running { .. });
        tenant.terminate || runs && tenant.told_to_end.load(Ordering::SeqCst)
    }

    /// What is known of a worker now (`GetBackgroundWorkerPid`).
    pub fn status(&self, handle: Handle) -> Status {
        self.inner.lock().status(handle)
    }

    /// Asks to end a worker for good (`TerminateBackgroundWorker`). Safe when it is gone already.
    pub fn terminate(&self, handle: Handle) {
        if let Some(tenant) = self.inner.lock().tenant_mut(handle) {
            tenant.terminate = true;
            self.wake.notify_one();
        }
    }

    /// Waits on the calling thread until the worker is past its start (`WaitForBackgroundWorkerStartup`), or until
    /// `interrupted` says so: then `None`.
    pub fn wait_for_startup(&self, handle: Handle, interrupted: impl Fn() -> bool) -> Option<Status> {
        self.wait_while(handle, |status| status == Status::NotYetStarted, interrupted)
    }

    /// Waits on the calling thread until the worker does not run (`WaitForBackgroundWorkerShutdown`).
    pub fn wait_for_shutdown(&self, handle: Handle, interrupted: impl Fn() -> bool) -> Option<Status> {
        self.wait_while(handle, |s| !matches!(s, Status::Stopped | Status::PostmasterDied), interrupted)
    }

    fn wait_while(
        &self,
        handle: Handle,
        go_on: impl Fn(Status) -> bool,
        stop: impl Fn() -> bool,
    ) -> Option<Status> {
        let mut inner = self.inner.lock();
        loop {
            let status = inner.status(handle);
            if !go_on(status) {
                return Some(status);
            }
            if stop() {
                return None;
            }
            self.changed.wait_for(&mut inner, WAIT_SLICE);
        }
    }

    /// A copy of all tenants with their handles, in the supervisor's order.
    pub fn tenants(&self) -> Vec<(Handle, Tenant)> {
        let inner = self.inner.lock();
        let with_handle = |&slot: &usize| {
            inner.tenants[slot].clone().map(|tenant| (Handle { slot, generation: tenant.generation }, tenant))
        };
        inner.order.iter().filter_map(with_handle).collect()
    }

    /// How many slots there are.
    pub fn capacity(&self) -> usize {
        self.inner.lock().tenants.len()
    }

    /// From now on nothing can be registered; waiters of workers that will never start are told so.
    pub(crate) fn stop(&self) {
        self.inner.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Changes a tenant, if the handle is still its, and tells all who wait: the notify pid's latch is set when the
    /// worker starts or stops.
    pub(crate) fn update(&self, handle: Handle, change: impl FnOnce(&mut Tenant)) {
        let mut inner = self.inner.lock();
        let Some(tenant) = inner.tenant_mut(handle) else { return };
        let pid_before = tenant.pid;
        change(tenant);
        let notify = (tenant.pid != pid_before).then_some(tenant.registration.notify_pid).flatten();
        if tenant.state == State::Gone {
            inner.tenants[handle.slot] = None;
            inner.order.retain(|slot| *slot != handle.slot);
        }
        drop(inner);
        self.changed.notify_all();
        if let Some(backend) = notify.and_then(|pid| self.backends.get(pid)) {
            backend.latch.set();
        }
    }

    /// The state of a tenant, if the handle is still its.
    pub(crate) fn tenant(&self, handle: Handle) -> Option<Tenant> {
        self.inner.lock().tenant_mut(handle).cloned()
    }

    /// How many workers have a process or are about to have one.
    pub(crate) fn running(&self) -> usize {
        let live = |t: &&Tenant| matches!(t.state, State::Starting { .. } | State::Running { .. });
        self.inner.lock().tenants.iter().flatten().filter(live).count()
    }

    /// The moment until which a sleeping worker waits, for tests and views.
    pub fn due(&self, handle: Handle) -> Option<Instant> {
        match self.tenant(handle)?.state {
            State::Sleeping { due } => Some(due),
            _ => None,
        }
    }
}

impl Inner {
    fn tenant_mut(&mut self, handle: Handle) -> Option<&mut Tenant> {
        self.tenants.get_mut(handle.slot)?.as_mut().filter(|tenant| tenant.generation == handle.generation)
    }

    fn status(&self, handle: Handle) -> Status {
        let tenant = self.tenants.get(handle.slot).and_then(Option::as_ref);
        match tenant.filter(|tenant| tenant.generation == handle.generation) {
            None => Status::Stopped,
            Some(Tenant { state: State::Pending | State::Starting { .. }, .. }) if self.stopping => {
                Status::Stopped
            }
            Some(Tenant { state: State::Pending | State::Starting { .. }, starts, .. }) if *starts <= 1 => {
                Status::NotYetStarted
            }
            Some(Tenant { pid: Some(pid), .. }) => Status::Started(*pid),
            Some(_) => Status::Stopped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(name: &str) -> Registration {
        Registration::new(name, "library", "main")
    }

    #[test]
    fn slots_run_out_and_come_back_with_a_new_generation() {
        let slots = Slots::new(2, Arc::default());
        let first = slots.register(worker("1")).expect("valid").expect("free");
        slots.register(worker("2")).expect("valid").expect("free");
        assert_eq!(slots.register(worker("3")).expect("valid"), None);

        slots.update(first, |tenant| tenant.state = State::Gone);
        let again = slots.register(worker("3")).expect("valid").expect("free again");
        assert_eq!((again.slot, again.generation), (first.slot, first.generation + 1));
        assert_eq!(slots.status(first), Status::Stopped);
        assert_eq!(slots.status(again), Status::NotYetStarted);
    }

    #[test]
    fn the_slot_of_a_worker_that_ends_is_waited_for() {
        let slots = Slots::new(1, Arc::default());
        let first = slots.register(worker("1")).expect("valid").expect("free");
        slots.terminate(first);
        let other = slots.clone();
        let second = std::thread::spawn(move || other.register(worker("2")));
        slots.update(first, |tenant| tenant.state = State::Gone);
        assert!(second.join().expect("no panic").expect("valid").is_some());
    }

    #[test]
    fn the_newest_is_looked_at_first() {
        let slots = Slots::new(3, Arc::default());
        for name in ["1", "2", "3"] {
            slots.register(worker(name)).expect("valid");
        }
        let names: Vec<_> = slots.tenants().iter().map(|(_, t)| t.registration.name.clone()).collect();
        assert_eq!(names, ["3", "2", "1"]);
    }

    #[test]
    fn handles_survive_the_trip_through_sql() {
        let handle = Handle { slot: 262_142, generation: 77 };
        assert_eq!(Handle::from_number(handle.to_number()), handle);
    }

    #[test]
    fn waiting_ends_with_the_start_with_the_stop_and_with_an_interrupt() {
        let slots = Slots::new(1, Arc::default());
        let handle = slots.register(worker("1")).expect("valid").expect("free");
        assert_eq!(slots.wait_for_startup(handle, || true), None);
        let other = slots.clone();
        let waiter = std::thread::spawn(move || other.wait_for_startup(handle, || false));
        slots.update(handle, |tenant| {
            tenant.state = State::Running { forget: false };
            tenant.pid = Some(7);
        });
        assert_eq!(waiter.join().expect("no panic"), Some(Status::Started(7)));
        slots.update(handle, |tenant| tenant.state = State::Gone);
        assert_eq!(slots.wait_for_shutdown(handle, || false), Some(Status::Stopped));
    }
}
