//! The shared flush: how a commit gets onto the disk, once for all that wait.
//!
//! SQLite commits with `synchronous=NORMAL`: it writes the frames of a transaction to the log (`-wal`),
//! ending with a commit frame, and does not flush. Readers see the transaction from then on. The
//! [`CommitClock`] counts such commits; each gets its number when SQLite reports it, which is after its frames
//! are in the kernel. A flush notes the clock, calls `fdatasync` on the log, and then everything up to the
//! noted number is durable. So a committer whose number is `n` waits for a flush that *began after* its
//! commit, whoever makes it; many committers share one.
//!
//! Flushes overlap. A committer that finds one under way which began before its commit does not wait for its
//! end: another begins, as long as not too many are under way. So a commit waits for little more than one
//! flush, where it would wait for one and a half if flushes took turns. When all are busy, the next that ends
//! begins anew for everybody who waits by then. How many are too many depends on the disk ([`SLOW`]): clients
//! whose commits one slow flush has ended together commit together again, one just after the other, and each
//! that finds all flushes busy waits for two; a quick flush is cheaper to wait for than to make.
//!
//! Why that is sound:
//! - *Which descriptors.* Ours, read-only, on the log, one for each flush that may be under way, all opened
//!   before the first commit. `fdatasync` works on the file, not the descriptor: it writes all dirty pages of
//!   the log, waits for those that someone else is just writing, and for what of the metadata is needed to
//!   read them back. The kernel reports a failed write once to each descriptor that was open, even when the
//!   write happened in the background; with one descriptor for two flushes, one of them could hear nothing of
//!   the other's failure. SQLite takes no POSIX locks on the log, so closing ours in the end drops none; a
//!   descriptor on the database file itself would, and is never opened.
//! - *Overlap.* Each flush by itself covers the number noted before it began, whatever others do meanwhile.
//!   They may end in any order: durable is the greatest number of those that have ended, and a flush that
//!   ends late adds nothing and takes nothing away.
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
//! Visibility precedes durability: another connection may read a commit before it is on disk. What it may not
//! do is tell: [`crate::Connection::depends_on`] says for which commit to wait first.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::Result;
use crate::clock::CommitClock;
use crate::failure;

/// How many flushes of one log may be under way while they are quick. More would shorten the wait further by ever
/// less (a wait is `1 + 1 / (2 * n)` flushes for commits that come evenly), and each is work.
const QUICK_FLUSHES_MAX: usize = 4;
/// The same while they are slow.
const FLUSHES_MAX: usize = 16;
/// What a slow flush takes.
const SLOW: Duration = Duration::from_millis(1);

/// How long [`Flusher::flush_blocking`] waits before it looks again for a descriptor.
const DESCRIPTOR_WAIT: Duration = Duration::from_micros(100);

/// See the head of this file. Dropping it waits for the flushes under way, and ends its threads.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
}

struct Shared {
    /// The log's name, for the last words.
    path: PathBuf,
    commits: Arc<CommitClock>,
    state: Mutex<State>,
    /// Wakes a thread that has nothing to do.
    work: Condvar,
    /// Wakes who waits until no flush is under way.
    quiet: Condvar,
    flushes: AtomicU64,
}

struct State {
    /// The log's descriptors that no flush uses.
    idle: Vec<File>,
    /// How many flushes are under way.
    under_way: usize,
    /// Whether the last flush that has ended was a slow one.
    slow: bool,
    /// What the youngest flush covers.
    begun: u64,
    /// Whether a flush has been asked for that has not begun.
    asked: bool,
    threads: usize,
    threads_idle: usize,
    /// Who waits for which commit, in the order of commits.
    waiting: VecDeque<(u64, oneshot::Sender<()>)>,
    ended: bool,
}

impl State {
    /// Whether someone waits for a commit that no flush covers.
    fn is_awaited(&self) -> bool {
        self.waiting.back().is_some_and(|(commit, _)| *commit > self.begun)
    }

    /// Whether another flush may begin.
    fn has_room(&self) -> bool {
        let most = if self.slow { FLUSHES_MAX } else { QUICK_FLUSHES_MAX };
        self.under_way < most && !self.idle.is_empty()
    }

    /// A descriptor for another flush, if one may begin.
    fn take(&mut self) -> Option<File> {
        if self.ended || !self.has_room() {
            return None;
        }
        self.under_way += 1;
        self.idle.pop()
    }
}

impl Flusher {
    /// Opens the log, which must exist and stay. What is in it is on disk when this returns.
    pub(crate) fn open(log: &Path, commits: Arc<CommitClock>) -> Result<Self> {
        let open = || File::open(log).map_err(|error| failure::from_io("could not open the log", &error));
        let idle: Vec<File> = (0..FLUSHES_MAX).map(|_| open()).collect::<Result<_>>()?;
        idle.iter().take(1).for_each(|file| sync(file, log));
        let state = State {
            idle,
            under_way: 0,
            slow: false,
            begun: commits.now(),
            asked: false,
            threads: 0,
            threads_idle: 0,
            waiting: VecDeque::new(),
            ended: false,
        };
        let (path, state) = (log.to_owned(), Mutex::new(state));
        let (work, quiet, flushes) = (Condvar::new(), Condvar::new(), AtomicU64::new(0));
        let shared = Shared { path, commits, state, work, quiet, flushes };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How many flushes were made.
    pub(crate) fn flushes(&self) -> u64 {
        self.shared.flushes.load(Ordering::Relaxed)
    }

    /// Waits until commit `target` is on disk. One that SQLite has not reported yet is waited for as well; when it fails,
    /// what came before it. Dropping the future leaves the waiting to others.
    pub(crate) async fn flush_to(&self, target: u64) {
        if self.shared.commits.durable() >= target {
            return;
        }
        let target = self.shared.commits.decided(target).await;
        if self.shared.commits.durable() >= target {
            return;
        }
        // Whoever else is ready on this reactor commits first, and shares the flush.
        tokio::task::yield_now().await;
        while self.shared.commits.durable() < target {
            let Some(ended) = self.shared.enter(target) else { return };
            // An end without word is the flusher's own: whoever waits holds it, so there is none.
            let _ = ended.await;
        }
    }

    /// As [`Self::flush_to`] for everything committed, on this thread.
    pub(crate) fn flush_blocking(&self) {
        let target = self.shared.commits.now();
        while self.shared.commits.durable() < target {
            let log = self.shared.state.lock().take();
            match log {
                Some(log) => {
                    self.shared.flush_with(log);
                    self.shared.pass_on();
                }
                None => std::thread::sleep(DESCRIPTOR_WAIT),
            }
        }
    }
}

impl Flusher {
    /// Begins no flush any more, and waits until none is under way: the log may be removed after this.
    pub(crate) fn end(&self) {
        let mut state = self.shared.state.lock();
        state.ended = true;
        self.shared.work.notify_all();
        while state.under_way > 0 {
            self.shared.quiet.wait(&mut state);
        }
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    /// Stands in line, and sees to it that a flush which covers the commit will begin; nothing when it is on disk by now.
    /// No flush is made on the caller's thread, however quick the disk: when it stalls for once, the reactor's other
    /// sessions go on.
    fn enter(self: &Arc<Self>, target: u64) -> Option<oneshot::Receiver<()>> {
        let mut state = self.state.lock();
        // A flush that ended between the caller's look and this one has called whom it found in line: not us.
        if self.commits.durable() >= target {
            return None;
        }
        let covered = state.begun >= target || state.asked;
        let (sender, receiver) = oneshot::channel();
        let place = state.waiting.partition_point(|(commit, _)| *commit <= target);
        state.waiting.insert(place, (target, sender));
        // When none may begin now, a thread goes on with this as soon as a flush ends; so there must be one.
        if !covered {
            let room = state.has_room();
            state.asked |= room;
            if state.threads_idle > 0 {
                self.work.notify_one();
            } else if state.threads == 0 || room && state.threads < FLUSHES_MAX {
                self.add_thread(&mut state);
            }
        }
        Some(receiver)
    }

    /// Lets a thread see to those who came while no flush could begin.
    fn pass_on(&self) {
        let state = self.state.lock();
        if state.asked || state.is_awaited() {
            self.work.notify_one();
        }
    }

    fn add_thread(self: &Arc<Self>, state: &mut State) {
        let shared = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("flush".to_owned()).spawn(move || shared.serve());
        match spawned {
            Ok(_) => state.threads += 1,
            // The commits must get to disk all the same.
            Err(error) if state.threads == 0 => {
                tracing::error!(%error, "no thread for flushes, so the server stops");
                std::process::abort();
            }
            Err(error) => tracing::warn!(%error, "no further thread for flushes"),
        }
    }

    /// What a thread does.
    fn serve(&self) {
        let mut state = self.state.lock();
        loop {
            if (state.asked || state.is_awaited()) && !state.ended {
                if let Some(log) = state.take() {
                    drop(state);
                    self.flush_with(log);
                    state = self.state.lock();
                    continue;
                }
            } else if state.ended {
                return;
            }
            state.threads_idle += 1;
            self.work.wait(&mut state);
            state.threads_idle -= 1;
        }
    }

    /// One flush, on this thread.
    fn flush_with(&self, log: File) {
        let covered = {
            let mut state = self.state.lock();
            let covered = self.commits.now();
            state.begun = state.begun.max(covered);
            state.asked = false;
            covered
        };
        let began = Instant::now();
        sync(&log, &self.path);
        let slow = began.elapsed() >= SLOW;
        self.flushes.fetch_add(1, Ordering::Relaxed);
        self.commits.flushed(covered);
        let mut state = self.state.lock();
        state.idle.push(log);
        state.under_way -= 1;
        if state.under_way == 0 {
            self.quiet.notify_all();
        }
        state.slow = slow;
        let durable = self.commits.durable();
        let ended = state.waiting.partition_point(|(commit, _)| *commit <= durable);
        let woken: Vec<_> = state.waiting.drain(..ended).collect();
        drop(state);
        // One whose receiver is gone has given up waiting.
        for (_, waiter) in woken {
            let _gone = waiter.send(());
        }
    }
}

/// Flushes, or ends the process.
fn sync(log: &File, path: &Path) {
    // std calls the C library, where tests can put a slow or failing disk in between; rustix does not.
    if let Err(error) = log.sync_data() {
        tracing::error!(target: "panic", "could not fdatasync file \"{}\": {error}", path.display());
        std::process::abort();
    }
    if log.metadata().is_ok_and(|metadata| metadata.nlink() == 0) {
        tracing::error!(target: "panic", "file \"{}\" was removed while in use", path.display());
        std::process::abort();
    }
}
