//! The supervisor: one loop that looks at the slots, has workers started, one each turn, and takes note of their ends.
//! It decides nothing itself: [`crate::next`] does; it only acts. It never waits for a worker, a session or a lock that
//! either of them holds, so that neither can wedge it.
//!
//! Source: `maybe_start_bgworkers`, `reaper` in PostgreSQL's `src/backend/postmaster/postmaster.c`.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sql::backend::Signal;
use sql::cluster::Cluster;
use sql::{Report, Severity, SqlState};
use tokio::sync::{mpsc, watch};

use crate::host::{Log, Origin, SignalWorker};
use crate::launch::{Launcher, Note};
use crate::next::{self, Action, Event, Exit, Rules, State};
use crate::slots::{Handle, Slots, Tenant};
use crate::{Loader, StartTime};

/// How long the loop sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(60);

/// Notes from running workers that may wait for the loop.
const NOTES_MAX: usize = 1024;

/// What the server tells the supervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The server has come so far; `None` while it recovers.
    Reached(Option<StartTime>),
    /// The server stops: workers are asked to end, and none is started any more.
    Stopping,
}

/// The supervisor's other end, held by the server.
pub struct Supervisor {
    phase: watch::Sender<Phase>,
    slots: Arc<Slots>,
    reload: Arc<AtomicBool>,
    done: tokio::task::JoinHandle<()>,
}

impl Supervisor {
    /// Starts the loop on the current runtime. Static workers have been registered in `slots` before.
    pub fn start(cluster: Arc<Cluster>, slots: Arc<Slots>, loader: Arc<Loader>, log: Log) -> Self {
        let (phase, reached) = watch::channel(Phase::Reached(None));
        let (notes, inbox) = mpsc::channel(NOTES_MAX);
        let launcher = Launcher::new(cluster.clone(), loader, log.clone(), notes);
        let reload = Arc::new(AtomicBool::new(false));
        let state = Loop {
            cluster,
            slots: slots.clone(),
            launcher,
            log,
            live: HashMap::new(),
            inbox,
            reached,
            reload: reload.clone(),
        };
        Self { phase, slots, reload, done: tokio::spawn(state.run()) }
    }

    /// Tells the supervisor how far the server has come.
    pub fn reached(&self, start_time: StartTime) {
        self.phase.send_replace(Phase::Reached(Some(start_time)));
        self.slots.wake.notify_one();
    }

    /// Sends a reload to the running workers that have no row in the backend table, where the server reaches the others.
    pub fn reload(&self) {
        self.reload.store(true, Ordering::SeqCst);
        self.slots.wake.notify_one();
    }

    /// Asks all workers to end and waits until they have.
    pub async fn stop(self) {
        self.phase.send_replace(Phase::Stopping);
        self.slots.stop();
        self.slots.wake.notify_one();
        if self.done.await.is_err() {
            tracing::error!("the worker supervisor ended by a panic");
        }
    }
}

struct Loop {
    cluster: Arc<Cluster>,
    slots: Arc<Slots>,
    launcher: Launcher,
    log: Log,
    live: HashMap<Handle, Live>,
    inbox: mpsc::Receiver<(Handle, Note)>,
    reached: watch::Receiver<Phase>,
    reload: Arc<AtomicBool>,
}

/// What the loop keeps of a running worker.
struct Live {
    pid: i32,
    signal: SignalWorker,
}

impl Loop {
    async fn run(mut self) {
        loop {
            let phase = *self.reached.borrow_and_update();
            if phase == Phase::Stopping {
                self.stop_all();
                if self.slots.running() == 0 {
                    return;
                }
            }
            self.take_reload();
            self.take_terminate_requests();
            let launched = self.launch_one(phase);
            let sleep = if launched { Duration::ZERO } else { self.sleep_time(phase) };
            tokio::select! {
                biased;
                Some((handle, note)) = self.inbox.recv() => self.take_note(handle, note),
                () = self.slots.wake.notified() => {}
                _ = self.reached.changed() => {}
                () = tokio::time::sleep(sleep) => {}
            }
            // The one launch of this turn may have used a processor for milliseconds: whoever waits for one goes first.
            tokio::task::yield_now().await;
        }
    }

    /// Starts the first worker whose turn it is; whether there was one.
    fn launch_one(&mut self, phase: Phase) -> bool {
        let Phase::Reached(reached) = phase else { return false };
        for (handle, tenant) in self.slots.tenants() {
            if self.feed(handle, &tenant, Event::Turn(reached)) == Some(Action::Launch) {
                return true;
            }
        }
        false
    }

    fn take_terminate_requests(&mut self) {
        for (handle, tenant) in self.slots.tenants() {
            if tenant.terminate
                && !matches!(
                    tenant.state,
                    State::Running { forget: true } | State::Starting { terminate: true }
                )
            {
                self.feed(handle, &tenant, Event::Terminate);
            }
        }
    }

    fn take_reload(&self) {
        if !self.reload.swap(false, Ordering::SeqCst) {
            return;
        }
        for live in self.live.values() {
            if self.cluster.backends.get(live.pid).is_none() {
                (live.signal)(Signal::Reload);
            }
        }
    }

    fn stop_all(&mut self) {
        for (handle, tenant) in self.slots.tenants() {
            if !matches!(tenant.state, State::Running { forget: true } | State::Starting { terminate: true })
            {
                self.feed(handle, &tenant, Event::Shutdown);
            }
        }
    }

    fn take_note(&mut self, handle: Handle, note: Note) {
        let Some(tenant) = self.slots.tenant(handle) else { return };
        match note {
            Note::Started { pid, signal } => {
                self.slots.update(handle, |tenant| tenant.pid = Some(pid));
                self.live.insert(handle, Live { pid, signal });
                self.feed(handle, &tenant, Event::Started);
            }
            Note::Failed(reason) => {
                self.report(
                    0,
                    &tenant,
                    Severity::Log,
                    format!("could not fork background worker process: {reason}"),
                );
                self.feed(handle, &tenant, Event::Failed);
            }
            Note::Ended { exit, how } => {
                let pid = self.live.remove(&handle).map_or(0, |live| live.pid);
                self.report_end(pid, &tenant, exit, &how);
                self.slots.update(handle, |tenant| tenant.pid = None);
                self.feed(handle, &tenant, Event::Ended(exit));
            }
        }
    }

    /// Lets [`next::next`] decide, keeps the new state, and does what it says.
    fn feed(&mut self, handle: Handle, tenant: &Tenant, event: Event) -> Option<Action> {
        let rules =
            Rules { start_time: tenant.registration.start_time, restart: tenant.registration.restart };
        let (state, action) = next::next(tenant.state, event, &rules, Instant::now());
        match action {
            Some(Action::Launch) => {
                let name = &tenant.registration.name;
                self.report(
                    0,
                    tenant,
                    Severity::Debug1,
                    format!("starting background worker process \"{name}\""),
                );
                self.slots.update(handle, |tenant| {
                    tenant.state = state;
                    tenant.starts += 1;
                });
                self.launcher.launch(handle, tenant);
                return action;
            }
            Some(Action::Terminate) => {
                if let Some(live) = self.live.get(&handle) {
                    (live.signal)(Signal::Terminate);
                }
            }
            Some(Action::Unregister) => {
                let name = &tenant.registration.name;
                self.report(
                    0,
                    tenant,
                    Severity::Debug1,
                    format!("unregistering background worker \"{name}\""),
                );
            }
            None => {}
        }
        if state != tenant.state {
            self.slots.update(handle, |tenant| tenant.state = state);
        }
        action
    }

    fn sleep_time(&self, phase: Phase) -> Duration {
        let Phase::Reached(reached) = phase else { return IDLE };
        let now = Instant::now();
        let due = |(_, tenant): &(Handle, Tenant)| {
            let rules =
                Rules { start_time: tenant.registration.start_time, restart: tenant.registration.restart };
            next::wait(tenant.state, reached, &rules, now)
        };
        self.slots.tenants().iter().filter_map(due).min().unwrap_or(IDLE)
    }

    fn report_end(&self, pid: i32, tenant: &Tenant, exit: Exit, how: &str) {
        let severity = if exit == Exit::Done { Severity::Debug1 } else { Severity::Log };
        let kind = &tenant.registration.kind;
        self.report(0, tenant, severity, format!("background worker \"{kind}\" (PID {pid}) {how}"));
    }

    /// Writes a line as the server itself.
    fn report(&self, pid: i32, _tenant: &Tenant, severity: Severity, message: String) {
        let origin = Origin { pid, kind: "postmaster".to_owned(), ..Origin::default() };
        (self.log)(&origin, &Report::new(severity, SqlState::SUCCESSFUL_COMPLETION, message));
    }
}
