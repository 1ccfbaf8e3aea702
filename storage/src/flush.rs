//! The shared flush: how a commit gets onto the disk, once for all that wait.
//!
//! SQLite commits with `synchronous=NORMAL`: it writes the frames of a transaction to the log (`-wal`),
//! ending with a commit frame, and does not flush. Readers see the transaction from then on. [`CommitClock`]
//! counts such commits; each gets its number when SQLite reports it, which is after its frames are in the
//! kernel. A flush notes the clock, calls `fdatasync` on the log, and then everything up to the noted number
//! is durable. So a committer whose number is `n` waits for a flush that *began after* its commit, whoever
//! makes it; many committers share one.
//!
//! Why that is sound:
//! - *Which descriptor.* One of our own, read-only, on the log, opened once. `fdatasync` works on the file,
//!   not the descriptor: it writes all dirty pages of the log and what of its metadata is needed to read them
//!   back, whoever wrote them. The descriptor stays open from before the first commit, so the kernel reports
//!   a failed write to it even when the write happened in the background. SQLite takes no POSIX locks on the
//!   log, so closing ours in the end drops none; a descriptor on the database file itself would, and is never
//!   opened.
//! - *The file stays the same.* SQLite deletes the log when the last connection closes; the database keeps
//!   one open from first to last. A log that has lost its name all the same (someone removed it) cannot keep
//!   a promise: abort.
//! - *Order.* A log's frames are checksummed in a chain from its header, so recovery keeps the longest whole
//!   prefix and cuts at the first frame that is torn or stale. Commit `n` lies before `n + 1`; one flush
//!   after both covers both.
//! - *Restart of the log.* Frames are overwritten only after a checkpoint has copied them to the database
//!   file and SQLite has flushed that; before copying it flushes the log. Both are done in `NORMAL` exactly
//!   as in `FULL`, as is the flush of a restarted log's header.
//!
//! What a crash leaves: before the frames are written, nothing of the transaction; before the flush ends, the
//! transaction or a prefix of the log without it, and nobody was told that it would stay; after the flush,
//! the transaction. The name of the log is made durable once, when it is opened, by flushing its directory.
//!
//! A flush that fails ends the process at once. The kernel marks pages clean when writing them failed; a
//! second `fdatasync` would succeed and mean nothing. After a restart recovery reads what is really there.
//!
//! Visibility precedes durability: another session may read a commit before it is on disk. One that must not
//! act on what could still vanish waits for [`crate::Database::committed`] at the time of its snapshot.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use crate::Result;
use crate::failure;

/// A flush that usually takes less than this is made by the committer itself; a hop to another thread and
/// back would cost about as much. A slower one is made by a thread, so that the committer's reactor goes on
/// with other work.
const INLINE_FLUSH_MAX: Duration = Duration::from_micros(400);

/// Counts the commits of a database. 0 is "none yet".
#[derive(Default)]
pub(crate) struct CommitClock(AtomicU64);

impl CommitClock {
    /// Gives a commit its number. To be called after its frames are written.
    pub(crate) fn advance(&self) -> u64 {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The number of the last commit.
    pub(crate) fn now(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

/// See the head of this file.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    /// Wakes the thread for slow disks, which is made when it is first needed and ends with this.
    thread: OnceLock<Option<SyncSender<()>>>,
}

struct Shared {
    log: File,
    commits: Arc<CommitClock>,
    durable: AtomicU64,
    /// Whether a flush is under way; who sets it makes it.
    leading: AtomicBool,
    ended: Notify,
    /// How long flushes have taken lately, in nanoseconds.
    typical: AtomicU64,
    flushes: AtomicU64,
}

impl Flusher {
    /// Opens the log, which must exist and stay.
    pub(crate) fn open(log: &Path, commits: Arc<CommitClock>) -> Result<Self> {
        let file = File::open(log).map_err(|error| failure::from_io("could not open the log", &error))?;
        let shared = Shared {
            log: file,
            durable: AtomicU64::new(commits.now()),
            commits,
            leading: AtomicBool::new(false),
            ended: Notify::new(),
            typical: AtomicU64::new(0),
            flushes: AtomicU64::new(0),
        };
        shared.sync();
        Ok(Self { shared: Arc::new(shared), thread: OnceLock::new() })
    }

    /// The number up to which commits are on disk.
    pub(crate) fn durable(&self) -> u64 {
        self.shared.durable.load(Ordering::SeqCst)
    }

    /// How many flushes were made.
    pub(crate) fn flushes(&self) -> u64 {
        self.shared.flushes.load(Ordering::Relaxed)
    }

    /// Waits until commit `target` is on disk. Dropping the future leaves the waiting to others.
    pub(crate) async fn flush_to(&self, target: u64) {
        // There is nothing to wait for beyond the last commit.
        let target = target.min(self.shared.commits.now());
        if self.durable() >= target {
            return;
        }
        // Whoever else is ready on this reactor commits first, and shares the flush.
        tokio::task::yield_now().await;
        loop {
            // Listening begins before the look, so that an end between the two is not missed.
            let mut ended = pin!(self.shared.ended.notified());
            ended.as_mut().enable();
            if self.durable() >= target {
                return;
            }
            if !self.shared.leading.swap(true, Ordering::SeqCst) && self.lead() {
                continue;
            }
            ended.await;
        }
    }

    /// As [`Self::flush_to`] for everything committed, on this thread.
    pub(crate) fn flush_blocking(&self) {
        let target = self.shared.commits.now();
        while self.durable() < target {
            if self.shared.leading.swap(true, Ordering::SeqCst) {
                std::thread::sleep(INLINE_FLUSH_MAX);
            } else {
                self.shared.round();
            }
        }
    }

    /// Makes one flush: here if it is quick, and then says so; else by the thread.
    fn lead(&self) -> bool {
        let typical = Duration::from_nanos(self.shared.typical.load(Ordering::Relaxed));
        if typical > INLINE_FLUSH_MAX && self.thread().is_some_and(|thread| thread.try_send(()).is_ok()) {
            return false;
        }
        self.shared.round();
        true
    }

    fn thread(&self) -> Option<&SyncSender<()>> {
        let start = || {
            let (sender, receiver) = mpsc::sync_channel::<()>(1);
            let shared = Arc::clone(&self.shared);
            let run = move || receiver.iter().for_each(|()| shared.round());
            let spawned = std::thread::Builder::new().name("flush".to_owned()).spawn(run);
            spawned.inspect_err(|error| tracing::warn!(%error, "no thread for flushes")).ok().map(|_| sender)
        };
        self.thread.get_or_init(start).as_ref()
    }
}

impl Shared {
    /// One flush, made by whoever set `leading`.
    fn round(&self) {
        let covered = self.commits.now();
        let started = Instant::now();
        self.sync();
        self.note(started.elapsed());
        self.durable.fetch_max(covered, Ordering::SeqCst);
        self.leading.store(false, Ordering::SeqCst);
        self.ended.notify_waiters();
    }

    /// A moving average over about eight flushes.
    fn note(&self, taken: Duration) {
        let taken = u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX);
        let before = self.typical.load(Ordering::Relaxed);
        self.typical.store(before - before / 8 + taken / 8, Ordering::Relaxed);
        self.flushes.fetch_add(1, Ordering::Relaxed);
    }

    fn sync(&self) {
        // std calls the C library, where tests can put a slow or failing disk in between; rustix does not.
        if let Err(error) = self.log.sync_data() {
            tracing::error!(%error, "could not flush the log; what was committed may be lost, so the server stops");
            std::process::abort();
        }
        if self.log.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
            tracing::error!("the log was removed while in use; commits cannot be kept, so the server stops");
            std::process::abort();
        }
    }
}
