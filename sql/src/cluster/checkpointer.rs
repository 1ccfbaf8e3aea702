//! Checkpoints: the logs of open databases are copied into their files while nobody waits for it.
//!
//! Two things happen here which PostgreSQL keeps apart as well. A log that has grown by a few megabytes is copied at
//! once, so that it stays short and can be begun anew: readers look through it. That is what PostgreSQL's background
//! writer does for its buffers, and is counted and kept silent like that (`buffers_clean`). A *checkpoint* copies every
//! log: every `checkpoint_timeout`, when one has reached `max_wal_size` all the same, and when CHECKPOINT asks. It is
//! counted and, with `log_checkpoints`, logged.
//!
//! A reader that keeps an old snapshot stops copying at what it sees, and the log grows until it ends. Nothing can be
//! done about that but to say who it is; the server's log does when the log passes `max_wal_size`.
//!
//! The thread waits for the disk, so it is one of its own, visible as the backend `checkpointer`.
//!
//! Source: `src/backend/postmaster/checkpointer.c`, `src/backend/access/transam/xlog.c` (`LogCheckpointEnd`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{Cluster, OpenDatabase, storage_error};
use crate::backend::{BackendKind, WaitEvent};
use crate::settings::id;
use crate::{Result, clock};

/// How often it looks (PostgreSQL's background writer: `bgwriter_delay`, 200 ms).
const INTERVAL: Duration = Duration::from_millis(200);
/// How large a log must be to be copied between checkpoints.
const LOG_BYTES_MIN: u64 = 4 << 20;
/// How often a log that cannot be reused is complained of.
const COMPLAINT_INTERVAL: Duration = Duration::from_secs(60);

/// What `pg_stat_bgwriter` tells of.
#[derive(Default)]
pub(crate) struct CheckpointCounters {
    /// Checkpoints because it was time.
    pub(crate) timed: AtomicU64,
    /// Checkpoints because a log was long, or somebody asked.
    pub(crate) requested: AtomicU64,
    /// How long checkpoints have taken, µs. Writing and flushing are one step of the engine.
    pub(crate) write_us: AtomicU64,
    /// Pages copied by checkpoints.
    pub(crate) pages: AtomicU64,
    /// Pages copied between checkpoints.
    pub(crate) pages_between: AtomicU64,
}

/// Why a checkpoint is made, as the log tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Time,
    LogSize,
    Command,
    Shutdown,
}

impl Cause {
    fn words(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::LogSize => "wal",
            Self::Command => "immediate force wait",
            Self::Shutdown => "shutdown immediate",
        }
    }
}

impl Cluster {
    /// Copies every log as far as readers allow. It waits for the disk.
    ///
    /// # Errors
    /// Those of the storage engine, after the other logs have been tried.
    pub(crate) fn checkpoint(&self, cause: Cause) -> Result<()> {
        let logged = self.settings.boolean(id::LOG_CHECKPOINTS);
        if logged {
            tracing::info!(target: "log", "checkpoint starting: {}", cause.words());
        }
        let started = Instant::now();
        let (mut copied, mut left, mut result) = (0, 0, Ok(()));
        for database in self.open_databases() {
            match database.copy_logs() {
                Ok((pages, remaining)) => (copied, left) = (copied + pages, left + remaining),
                Err(error) => result = Err(storage_error(error)),
            }
        }
        let taken = started.elapsed();
        let counters = &self.checkpoints;
        match cause {
            Cause::Time => counters.timed.fetch_add(1, Ordering::Relaxed),
            _ => counters.requested.fetch_add(1, Ordering::Relaxed),
        };
        counters.pages.fetch_add(copied, Ordering::Relaxed);
        counters.write_us.fetch_add(u64::try_from(taken.as_micros()).unwrap_or(0), Ordering::Relaxed);
        if logged && result.is_ok() {
            let seconds = taken.as_secs_f64();
            tracing::info!(
                target: "log",
                "checkpoint complete: wrote {copied} buffers; total={seconds:.3} s; {left} buffers left to readers",
            );
        }
        result
    }
}

impl OpenDatabase {
    /// Copies the logs of the database and its sequences; the pages copied and those that readers hold back.
    fn copy_logs(&self) -> storage::Result<(u64, u64)> {
        let (copied, left) = self.store.checkpoint()?;
        self.sequences.checkpoint()?;
        Ok((copied, left))
    }
}

/// The thread and how to stop it.
pub(super) struct Checkpointer {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. It does not keep the cluster alive.
    pub(super) fn start(cluster: &Arc<Cluster>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (weak, stopped) = (Arc::downgrade(cluster), stop.clone());
        let thread =
            std::thread::Builder::new().name("checkpointer".into()).spawn(move || run(&weak, &stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops the thread after what it is doing.
    pub(super) fn stop(mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        // The last owner of the cluster may be the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the checkpointer has panicked");
        }
    }
}

fn run(cluster: &Weak<Cluster>, stop: &(Mutex<bool>, Condvar)) {
    let Some(backends) = cluster.upgrade().map(|cluster| cluster.backends.clone()) else { return };
    let registration = backends.register(BackendKind::Auxiliary("checkpointer"), 0, clock::now(), None);
    let mut round = Round { last_checkpoint: Instant::now(), last_complaint: None };
    let mut stopped = stop.0.lock();
    while !*stopped {
        let waiting = registration.backend.waiting(WaitEvent { kind: "Activity", name: "CheckpointerMain" });
        stop.1.wait_for(&mut stopped, INTERVAL);
        drop(waiting);
        let Some(cluster) = cluster.upgrade().filter(|_| !*stopped) else { return };
        MutexGuard::unlocked(&mut stopped, || {
            if let Err(error) = round.look(&cluster) {
                tracing::error!("checkpoint failed: {}", error.message());
            }
            drop(cluster);
        });
    }
}

/// What the thread remembers from look to look.
struct Round {
    last_checkpoint: Instant,
    last_complaint: Option<Instant>,
}

impl Round {
    fn look(&mut self, cluster: &Cluster) -> Result<()> {
        let log_bytes_max = u64::from(cluster.settings.integer(id::MAX_WAL_SIZE).unsigned_abs()) << 20;
        let timeout = u64::from(cluster.settings.integer(id::CHECKPOINT_TIMEOUT).unsigned_abs());
        let databases = cluster.open_databases();
        for database in &databases {
            if database.store.log_used_bytes() >= LOG_BYTES_MIN.min(log_bytes_max / 2)
                && database.store.has_uncopied_commits()
            {
                let (pages, _) = database.copy_logs().map_err(storage_error)?;
                cluster.checkpoints.pages_between.fetch_add(pages, Ordering::Relaxed);
            }
        }
        let long = databases.iter().find(|database| {
            database.store.log_used_bytes() >= log_bytes_max && database.store.has_uncopied_commits()
        });
        let due = self.last_checkpoint.elapsed() >= Duration::from_secs(timeout);
        if let Some(database) = long {
            self.complain(cluster, database);
        }
        // Without anything to copy there is no checkpoint, as in PostgreSQL.
        let something = databases.iter().any(|database| database.store.has_uncopied_commits());
        if due {
            self.last_checkpoint = Instant::now();
        }
        if due && something {
            return cluster.checkpoint(Cause::Time);
        }
        if long.is_some() {
            return cluster.checkpoint(Cause::LogSize);
        }
        Ok(())
    }

    /// Says who keeps a log from being begun anew.
    fn complain(&mut self, cluster: &Cluster, database: &OpenDatabase) {
        if self.last_complaint.is_some_and(|last| last.elapsed() < COMPLAINT_INTERVAL) {
            return;
        }
        self.last_complaint = Some(Instant::now());
        let oldest = cluster
            .sessions_in(database.oid, 0)
            .into_iter()
            .filter_map(|backend| {
                let started = backend.activity.lock().transaction_start?;
                Some((started, backend.pid))
            })
            .min();
        let megabytes = database.store.log_used_bytes() >> 20;
        let name = cluster.database_name(database.oid).unwrap_or_default();
        match oldest {
            Some((_, pid)) => tracing::warn!(
                "the write-ahead log of database \"{name}\" has grown to {megabytes} MB, because the transaction of \
                 process {pid} holds an old snapshot"
            ),
            None => tracing::warn!(
                "the write-ahead log of database \"{name}\" has grown to {megabytes} MB; consider increasing \
                 \"max_wal_size\""
            ),
        }
    }
}
