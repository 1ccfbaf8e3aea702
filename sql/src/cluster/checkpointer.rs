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
//! A database whose log cannot be copied is let alone for a while, each time for longer: what is said of it goes to a log
//! that may be on the same full disk. A log that a transaction has made long that was rolled back is cut.
//!
//! The thread waits for the disk, so it is one of its own, visible as the backend `checkpointer`.
//!
//! Source: `src/backend/postmaster/checkpointer.c`, `src/backend/access/transam/xlog.c` (`LogCheckpointEnd`).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::{Cluster, OpenDatabase, storage_error};
use crate::backend::{BackendKind, WaitEvent};
use crate::settings::id;
use crate::{Oid, Result, SqlError, clock};

/// How often it looks (PostgreSQL's background writer: `bgwriter_delay`, 200 ms).
const INTERVAL: Duration = Duration::from_millis(200);
/// How large a log must be to be copied between checkpoints.
const LOG_BYTES_MIN: u64 = 4 << 20;
/// The longest time for which a database is let alone whose log cannot be copied.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often it tries to cut a log that is longer than its commits: while it tries nobody can write.
const CUT_INTERVAL: Duration = Duration::from_secs(2);
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
    let mut round = Round::new(Instant::now());
    let mut stopped = stop.0.lock();
    while !*stopped {
        let waiting = registration.backend.waiting(WaitEvent { kind: "Activity", name: "CheckpointerMain" });
        stop.1.wait_for(&mut stopped, INTERVAL);
        drop(waiting);
        let Some(cluster) = cluster.upgrade().filter(|_| !*stopped) else { return };
        MutexGuard::unlocked(&mut stopped, || {
            round.look(&cluster);
            drop(cluster);
        });
    }
}

/// What the thread remembers from look to look.
struct Round {
    last_checkpoint: Instant,
    last_complaint: Option<Instant>,
    last_cut: Instant,
    failures: Failures,
}

impl Round {
    fn new(now: Instant) -> Self {
        Self { last_checkpoint: now, last_complaint: None, last_cut: now, failures: Failures::default() }
    }

    fn look(&mut self, cluster: &Cluster) {
        let log_bytes_max = u64::from(cluster.settings.integer(id::MAX_WAL_SIZE).unsigned_abs()) << 20;
        let timeout = u64::from(cluster.settings.integer(id::CHECKPOINT_TIMEOUT).unsigned_abs());
        let all = cluster.open_databases();
        let cuts = self.last_cut.elapsed() >= CUT_INTERVAL;
        if cuts {
            self.last_cut = Instant::now();
        }
        let mut long = None;
        for database in &all {
            if self.failures.is_paused(database.oid, Instant::now()) {
                continue;
            }
            let is_long =
                |least| database.store.log_used_bytes() >= least && database.store.has_uncopied_commits();
            if is_long(LOG_BYTES_MIN.min(log_bytes_max / 2)) || cuts && database.store.log_is_oversized() {
                let copied = database.copy_logs().map_err(storage_error);
                let Some((pages, _)) = self.failures.note(database.oid, copied) else { continue };
                cluster.checkpoints.pages_between.fetch_add(pages, Ordering::Relaxed);
            }
            if is_long(log_bytes_max) {
                long = long.or(Some(database));
            }
        }
        let due = self.last_checkpoint.elapsed() >= Duration::from_secs(timeout);
        if let Some(database) = long {
            self.complain(cluster, database);
        }
        // Without anything to copy there is no checkpoint, as in PostgreSQL.
        let something = all.iter().any(|database| database.store.has_uncopied_commits());
        if due {
            self.last_checkpoint = Instant::now();
        }
        if due && something {
            if let Err(error) = cluster.checkpoint(Cause::Time) {
                say_failed(&error);
            }
        } else if let Some(database) = long {
            self.failures.note(database.oid, cluster.checkpoint(Cause::LogSize));
        }
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

fn say_failed(error: &SqlError) {
    tracing::error!("checkpoint failed: {}", error.message());
}

/// The databases whose logs could not be copied when that was last tried.
#[derive(Default)]
struct Failures(HashMap<Oid, Failure>);

struct Failure {
    pause: Duration,
    until: Instant,
}

impl Failures {
    /// Whether a database is still let alone.
    fn is_paused(&self, database: Oid, now: Instant) -> bool {
        self.0.get(&database).is_some_and(|failure| now < failure.until)
    }

    /// What has come of copying a database's log; an error is said.
    fn note<T>(&mut self, database: Oid, outcome: Result<T>) -> Option<T> {
        match outcome {
            Ok(copied) => {
                self.0.remove(&database);
                Some(copied)
            }
            Err(error) => {
                say_failed(&error);
                self.pause(database, Instant::now());
                None
            }
        }
    }

    /// Lets a database alone for twice as long as the last time.
    fn pause(&mut self, database: Oid, now: Instant) {
        let last = self.0.get(&database).map_or(INTERVAL, |failure| failure.pause);
        let pause = (last * 2).min(PAUSE_MAX);
        self.0.insert(database, Failure { pause, until: now + pause });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_that_fails_is_let_alone_for_longer_and_longer() {
        const HOUR: Duration = Duration::from_secs(3600);
        let (failing, other) = (Oid(1), Oid(2));
        let (mut failures, start) = (Failures::default(), Instant::now());
        let (mut now, mut tries) = (start, 0);
        while now < start + HOUR {
            if !failures.is_paused(failing, now) {
                failures.pause(failing, now);
                tries += 1;
            }
            assert!(!failures.is_paused(other, now));
            now += INTERVAL;
        }
        let most = HOUR.as_secs() / PAUSE_MAX.as_secs();
        assert!((most - 5..most + 10).contains(&tries), "{tries}");
        assert_eq!(failures.note(failing, Ok(7)), Some(7));
        assert!(!failures.is_paused(failing, now));
        failures.pause(failing, now);
        assert!(!failures.is_paused(failing, now + INTERVAL * 2));
    }
}
