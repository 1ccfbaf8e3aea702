//! The backend table: who is connected. Each client connection, worker and auxiliary process has one row here; it writes
//! its own row and anyone may read all. `pg_stat_activity`, `pg_terminate_backend` and `pg_cancel_backend` need nothing
//! else.
//!
//! Source: `src/backend/utils/activity/backend_status.c`, `src/backend/storage/ipc/procsignal.c`, `latch.c`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use storage::Interrupt;
use tokio::sync::Notify;

use crate::locks::LockOwner;
use crate::{Oid, Result, Severity, error};

/// The first pid given to a backend that is no process of its own: above what Linux gives to processes
/// (`/proc/sys/kernel/pid_max` is at most 2^22), so that no number means two things.
pub const FIRST_VIRTUAL_PID: i32 = (1 << 22) + 1;

/// What a backend is, shown as `backend_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// A client connection.
    Client,
    /// A background worker, with its `bgw_type`.
    Worker(String),
    /// A part of the server itself, such as `checkpointer`.
    Auxiliary(&'static str),
}

impl BackendKind {
    /// The text of `pg_stat_activity.backend_type`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Client => "client backend",
            Self::Worker(kind) => kind,
            Self::Auxiliary(kind) => kind,
        }
    }
}

/// The state of a backend (`pg_stat_activity.state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum State {
    Active,
    Idle,
    IdleInTransaction,
    IdleInTransactionAborted,
    FastPath,
    Disabled,
}

impl State {
    /// As `pg_stat_activity` shows it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Idle => "idle",
            Self::IdleInTransaction => "idle in transaction",
            Self::IdleInTransactionAborted => "idle in transaction (aborted)",
            Self::FastPath => "fastpath function call",
            Self::Disabled => "disabled",
        }
    }
}

/// What a backend waits for (`wait_event_type`, `wait_event`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitEvent {
    /// `Client`, `Lock`, `IPC`, `Timeout`, `Extension`, `Activity`, `IO`, ….
    pub kind: &'static str,
    /// The event's name in its kind.
    pub name: &'static str,
}

/// What a backend is doing. Times are µs since 2000-01-01 UTC.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The database.
    pub database: Option<(Oid, String)>,
    /// The role.
    pub user: Option<(Oid, String)>,
    /// `application_name`.
    pub application_name: String,
    /// The client's address; absent for Unix sockets and workers.
    pub client_address: Option<IpAddr>,
    /// The client's port, -1 for a Unix socket.
    pub client_port: Option<i32>,
    /// Start of the running transaction.
    pub transaction_start: Option<i64>,
    /// Start of the running or last query.
    pub query_start: Option<i64>,
    /// When `state` changed last.
    pub state_change: Option<i64>,
    /// The state; absent until the first report.
    pub state: Option<State>,
    /// The running or last query, cut at `track_activity_query_size` by whoever reports it.
    pub query: String,
    /// What it waits for.
    pub wait_event: Option<WaitEvent>,
}

/// How to reach a backend that is an operating system process of its own.
pub type SignalProcess = Box<dyn Fn(Signal) + Send + Sync>;

/// The requests that one backend makes to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Stop the running statement (SIGINT).
    Cancel,
    /// End (SIGTERM).
    Terminate,
    /// Read the settings again (SIGHUP).
    Reload,
}

/// One row of the table.
pub struct Backend {
    /// The number that `pg_backend_pid` gives.
    pub pid: i32,
    /// What must be shown to cancel (`BackendKeyData`).
    pub secret: i32,
    /// What it is.
    pub kind: BackendKind,
    /// When it started, µs since 2000-01-01 UTC.
    pub started: i64,
    /// Whether `pg_stat_activity` shows it: a worker that never connects to a database has no row.
    pub visible: AtomicBool,
    /// What it is doing.
    pub activity: Mutex<Activity>,
    /// Where it waits; set by every request.
    pub latch: Latch,
    transaction_id: AtomicU64,
    xmin: AtomicU64,
    local_transaction: AtomicU32,
    terminate: AtomicBool,
    cancel: AtomicBool,
    reload: AtomicBool,
    interrupt: Mutex<Option<Interrupt>>,
    process: Option<SignalProcess>,
    deadlines: Mutex<Deadlines>,
    /// Its own part of the lock manager.
    pub locks: LockOwner,
    database: AtomicU32,
}

/// When what a backend does must end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deadlines {
    /// The running statement (`statement_timeout`).
    pub statement: Option<Instant>,
    /// The running transaction, and with it the session (`transaction_timeout`).
    pub transaction: Option<Instant>,
}

impl Deadlines {
    /// The nearest.
    pub fn next(&self) -> Option<Instant> {
        [self.statement, self.transaction].into_iter().flatten().min()
    }

    /// Asks whether one has passed.
    ///
    /// # Errors
    /// FATAL `25P04`; `57014`.
    pub fn check(&self) -> Result<()> {
        let Some(next) = self.next() else { return Ok(()) };
        let now = Instant::now();
        if now < next {
            return Ok(());
        }
        if self.transaction.is_some_and(|deadline| now >= deadline) {
            return Err(error!(TRANSACTION_TIMEOUT, "terminating connection due to transaction timeout")
                .severity(Severity::Fatal));
        }
        Err(error!(QUERY_CANCELED, "canceling statement due to statement timeout"))
    }
}

impl Backend {
    /// The database that it is in; zero for none.
    pub fn database(&self) -> Oid {
        Oid(self.database.load(Ordering::Relaxed))
    }

    /// Says which database it is in.
    pub fn enter_database(&self, database: Oid) {
        self.database.store(database.0, Ordering::Relaxed);
    }

    /// The number of the running transaction (`pg_stat_activity.backend_xid`); none before it has one.
    pub fn transaction_id(&self) -> Option<u64> {
        Some(self.transaction_id.load(Ordering::SeqCst)).filter(|number| *number != 0)
    }

    /// The oldest transaction whose effects the running one may not see (`backend_xmin`); none without a snapshot.
    pub fn xmin(&self) -> Option<u64> {
        Some(self.xmin.load(Ordering::SeqCst)).filter(|number| *number != 0)
    }

    /// The name of the running or last transaction for locks, whether it writes or not (`pg_locks.virtualtransaction`):
    /// the backend's number and that of the transaction in it. The second is zero before the first transaction.
    pub fn virtual_transaction(&self) -> String {
        format!("{}/{}", self.pid, self.local_transaction.load(Ordering::SeqCst))
    }

    /// The number of the running or last transaction in this backend.
    pub(crate) fn local_transaction(&self) -> u32 {
        self.local_transaction.load(Ordering::SeqCst)
    }

    /// A transaction begins: it gets a name for locks, and no number yet.
    pub(crate) fn begin_transaction(&self) {
        self.local_transaction.fetch_add(1, Ordering::SeqCst);
    }

    /// Says the running transaction's number; `None` when it has ended.
    pub(crate) fn set_transaction_id(&self, number: Option<u64>) {
        self.transaction_id.store(number.unwrap_or(0), Ordering::SeqCst);
    }

    /// Says what the snapshot begins with; `None` when there is none.
    pub(crate) fn set_xmin(&self, xmin: Option<u64>) {
        self.xmin.store(xmin.unwrap_or(0), Ordering::SeqCst);
    }

    /// When what runs is out of time, for functions that wait.
    pub fn deadlines(&self) -> Deadlines {
        *self.deadlines.lock()
    }

    /// Says when what runs is out of time.
    pub fn set_deadlines(&self, deadlines: Deadlines) {
        *self.deadlines.lock() = deadlines;
    }

    /// Delivers a request: sets its flag, stops a running statement where it must, and wakes the backend. A backend that
    /// is a process of its own decides itself what a request to end means: it is only told.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = &self.process {
            process(signal);
            if signal != Signal::Cancel {
                return;
            }
        }
        match signal {
            Signal::Cancel => self.cancel.store(true, Ordering::SeqCst),
            Signal::Terminate => self.terminate.store(true, Ordering::SeqCst),
            Signal::Reload => self.reload.store(true, Ordering::SeqCst),
        }
        if signal != Signal::Reload
            && let Some(interrupt) = &*self.interrupt.lock()
        {
            interrupt.set();
        }
        self.latch.set();
    }

    /// The other end is gone: what still runs for it stops, and the session ends.
    pub fn hang_up(&self) {
        self.terminate.store(true, Ordering::SeqCst);
        if let Some(interrupt) = &*self.interrupt.lock() {
            interrupt.set();
        }
        self.latch.set();
    }

    /// Whether the backend has been asked to end.
    pub fn terminate_requested(&self) -> bool {
        self.terminate.load(Ordering::SeqCst)
    }

    /// Whether the running statement has been asked to stop; asking takes the request away.
    pub fn take_cancel(&self) -> bool {
        self.cancel.swap(false, Ordering::SeqCst)
    }

    /// Whether the running statement has been asked to stop.
    pub fn cancel_requested(&self) -> bool {
        self.cancel.load(Ordering::SeqCst)
    }

    /// Whether the settings are to be read again; asking takes the request away.
    pub fn take_reload(&self) -> bool {
        self.reload.swap(false, Ordering::SeqCst)
    }

    /// Names the engine connection whose statement a cancel or terminate request must stop; `None` when nothing runs.
    /// A request that came just before is delivered at once.
    pub fn set_interrupt(&self, interrupt: Option<Interrupt>) {
        let mut slot = self.interrupt.lock();
        if let Some(interrupt) = &interrupt
            && (self.terminate_requested() || self.cancel_requested())
        {
            interrupt.set();
        }
        *slot = interrupt;
    }

    /// Reports what the backend waits for, until the guard is dropped.
    pub fn waiting(self: &Arc<Self>, event: WaitEvent) -> Waiting {
        self.activity.lock().wait_event = Some(event);
        Waiting { backend: self.clone() }
    }
}

/// A reported wait; dropping it ends the report.
pub struct Waiting {
    backend: Arc<Backend>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.backend.activity.lock().wait_event = None;
    }
}

/// Something to wait on: it is set by others and reset by its owner, who must look for work after each reset.
pub struct Latch {
    set: AtomicBool,
    notify: Notify,
}

impl Default for Latch {
    /// A new latch is set, so that its owner's first wait returns at once.
    fn default() -> Self {
        Self { set: AtomicBool::new(true), notify: Notify::new() }
    }
}

impl Latch {
    /// Sets the latch and wakes its owner.
    pub fn set(&self) {
        self.set.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    /// Resets the latch; whether it was set. Asked in one step, so that no setting is lost between the two.
    pub fn reset(&self) -> bool {
        self.set.swap(false, Ordering::SeqCst)
    }

    /// Waits until the latch is set, or for so long; whether it was set.
    pub async fn wait(&self, timeout: Option<Duration>) -> bool {
        let set = async {
            while !self.set.load(Ordering::SeqCst) {
                self.notify.notified().await;
            }
        };
        match timeout {
            None => {
                set.await;
                true
            }
            Some(timeout) => tokio::time::timeout(timeout, set).await.is_ok(),
        }
    }
}

/// The table.
pub struct BackendTable {
    rows: RwLock<BTreeMap<i32, Arc<Backend>>>,
    next_virtual: AtomicI32,
    /// Woken whenever a row goes away.
    pub left: Notify,
}

impl Default for BackendTable {
    fn default() -> Self {
        Self { rows: RwLock::default(), next_virtual: AtomicI32::new(FIRST_VIRTUAL_PID), left: Notify::new() }
    }
}

/// A row's life: dropping it removes the row, whatever ended the backend.
pub struct Registration {
    table: Arc<BackendTable>,
    /// The row.
    pub backend: Arc<Backend>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.table.rows.write().remove(&self.backend.pid);
        self.table.left.notify_waiters();
    }
}

impl BackendTable {
    /// Adds a row. `process` is given by backends that are processes of their own: their pid and how to signal them.
    pub fn register(
        self: &Arc<Self>,
        kind: BackendKind,
        secret: i32,
        started: i64,
        process: Option<(i32, SignalProcess)>,
    ) -> Registration {
        let (pid, process) = match process {
            Some((pid, signal)) => (pid, Some(signal)),
            None => (self.virtual_pid(), None),
        };
        let backend = Arc::new(Backend {
            pid,
            secret,
            kind,
            started,
            visible: AtomicBool::new(true),
            activity: Mutex::default(),
            latch: Latch::default(),
            transaction_id: AtomicU64::new(0),
            xmin: AtomicU64::new(0),
            local_transaction: AtomicU32::new(0),
            terminate: AtomicBool::new(false),
            cancel: AtomicBool::new(false),
            reload: AtomicBool::new(false),
            interrupt: Mutex::new(None),
            process,
            deadlines: Mutex::default(),
            locks: LockOwner::default(),
            database: AtomicU32::new(0),
        });
        self.rows.write().insert(pid, backend.clone());
        Registration { table: self.clone(), backend }
    }

    /// A number for a backend that is no process of its own.
    pub fn virtual_pid(&self) -> i32 {
        self.next_virtual.fetch_add(1, Ordering::Relaxed)
    }

    /// The row with this pid.
    pub fn get(&self, pid: i32) -> Option<Arc<Backend>> {
        self.rows.read().get(&pid).cloned()
    }

    /// All rows, by pid.
    pub fn all(&self) -> Vec<Arc<Backend>> {
        self.rows.read().values().cloned().collect()
    }
}
