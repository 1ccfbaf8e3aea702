//! One database file: its connections, its write lock, its flushes, its checkpoints.
//!
//! Promises:
//! - The file is open once: a second [`Database::open`], here or in another process, is [`ErrorKind::InUse`].
//! - A commit that [`Database::flush_to`] has waited for survives any crash (see [`crate::flush`] for why).
//! - Writers queue, in order, for the [`WriteLock`]; SQLite's own lock is never contended, so nothing here
//!   ever polls.
//! - What a killed process left in the log is recovered by the next open.

use std::ffi::c_int;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::ffi;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::CommitClock;
use crate::failure;
use crate::flush::Flusher;
use crate::handle::Handle;
use crate::log_file;
use crate::open_files::OpenFile;
use crate::{Connection, Error, ErrorKind, Result, Value};

/// A log larger than this is cut to nothing when a checkpoint begins it anew. A smaller one is overwritten from its start:
/// a flush of what overwrites takes half the time of one for which the file system has to find room.
const LOG_KEPT_BYTES_MAX: u64 = 64 << 20;

/// A log shorter than this is not begun anew on purpose: it is so by the next writer when everything happens to be copied.
pub(crate) const LOG_BEGUN_ANEW_BYTES_MIN: u64 = 16 << 20;
/// How long a checkpoint waits for the right to write, without which it cannot begin the log anew.
const RIGHT_WAIT: Duration = Duration::from_millis(100);
/// How long it then waits, with that right, for statements to end that read from the log.
const READERS_WAIT: Duration = Duration::from_millis(3);
/// How many pages it may copy while it has that right; more are copied before.
const PAGES_COPIED_WITH_RIGHT_MAX: u64 = 256;
/// How often it copies what has come meanwhile, until so few are left.
const COPIES_MAX: usize = 4;

/// How many idle connections keep their page caches: about as many as there are reactors, which use those that were
/// used last.
const WARM_CONNECTIONS_MAX: usize = 4;

/// Bytes of the log's own header and of each frame's (<https://www.sqlite.org/fileformat2.html#walformat>).
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// How to open a database.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Make the file when it is missing.
    pub create: bool,
    /// How many idle connections are kept for reuse.
    pub idle_connections_max: usize,
}

/// One SQLite file, opened once in this process.
pub struct Database {
    options: DatabaseOptions,
    path: PathBuf,
    log: PathBuf,
    commits: Arc<CommitClock>,
    flusher: Flusher,
    writers: Arc<Semaphore>,
    /// The commit up to which checkpoints have copied.
    copied_commit: AtomicU64,
    /// How many pages of the present log have been copied, while some are left.
    copied_pages: AtomicU64,
    page_bytes: u64,
    lent: AtomicUsize,
    closed: AtomicBool,
    idle: Mutex<Idle>,
    /// What keeps the file locked and the log in place; none after [`Self::close`]. Fields are dropped in
    /// this order, so the claim outlives the last connection.
    keeper: Mutex<Option<Keeper>>,
}

/// The connection that is open from first to last, which also makes checkpoints, and the claim on the file.
struct Keeper {
    connection: Connection,
    _watch: log_file::Watch,
    _claim: OpenFile,
}

/// The pool.
#[derive(Default)]
struct Idle {
    readers: Vec<Connection>,
    /// The one that writers use, one after the other: SQLite empties the page cache of a connection when others have
    /// written, and what it has written itself stays.
    writer: Option<Connection>,
}

/// A connection lent by the pool; dropping it gives it back, rolled back and without context.
pub struct PooledConnection {
    connection: Option<Connection>,
    database: Arc<Database>,
    writes: bool,
}

impl std::ops::Deref for PooledConnection {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("taken only when dropped")
    }
}

impl std::ops::DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("taken only when dropped")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(mut connection) = self.connection.take()
            && connection.recycle()
        {
            self.database.take_in(connection, self.writes);
        }
        self.database.lent.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The right to write to a database. One exists at a time; waiters are served in order. Dropping it passes it
/// on.
pub struct WriteLock {
    _permit: OwnedSemaphorePermit,
}

/// Wakes a thread that waits outside any reactor.
struct Unpark(std::thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Database {
    /// Opens the file, makes it when asked to, and recovers what a killed process left in its log.
    pub fn open(path: &Path, options: DatabaseOptions) -> Result<Arc<Self>> {
        let claim = OpenFile::claim(path)?;
        let path = claim.path().clone();
        let log = log_path(&path);
        let commits = Arc::new(CommitClock::default());
        let watch = log_file::watch(&log, &commits)?;
        let (connection, page_bytes) = open_keeper(&path, options.create, &commits)?;
        sync_directory(&path)?;
        let flusher = Flusher::open(&log, Arc::clone(&commits))?;
        let keeper = Mutex::new(Some(Keeper { connection, _watch: watch, _claim: claim }));
        let writers = Arc::new(Semaphore::new(1));
        Ok(Arc::new(Self {
            options,
            path,
            log,
            commits,
            flusher,
            writers,
            copied_commit: AtomicU64::new(0),
            copied_pages: AtomicU64::new(0),
            page_bytes,
            lent: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            idle: Mutex::default(),
            keeper,
        }))
    }

    /// The file.
    pub fn path(&self) -> &PathBuf {
        &self.path
    }

    /// A connection, from the pool or newly opened.
    pub fn connection(self: &Arc<Self>) -> Result<PooledConnection> {
        // The one used last: its cache is warm.
        self.lend(false, |idle| idle.readers.pop())
    }

    /// As [`Self::connection`], for whoever has the right to write and is about to: the one that was lent last for this,
    /// if it is back.
    pub fn writing_connection(self: &Arc<Self>, _right: &WriteLock) -> Result<PooledConnection> {
        self.lend(true, |idle| idle.writer.take())
    }

    fn lend(
        self: &Arc<Self>,
        writes: bool,
        take: impl FnOnce(&mut Idle) -> Option<Connection>,
    ) -> Result<PooledConnection> {
        // Counted first, so that `close` either sees it or has happened.
        self.lent.fetch_add(1, Ordering::SeqCst);
        let lent = self.idle_or_new(take);
        if lent.is_err() {
            self.lent.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(PooledConnection { connection: Some(lent?), database: Arc::clone(self), writes })
    }

    fn idle_or_new(&self, take: impl FnOnce(&mut Idle) -> Option<Connection>) -> Result<Connection> {
        // Not asked of the keeper, which a checkpoint holds for as long as the disk takes.
        if self.closed.load(Ordering::SeqCst) {
            return Err(closed());
        }
        let idle = take(&mut self.idle.lock());
        match idle {
            Some(connection) => Ok(connection),
            None => Ok(Connection::owner(Handle::open(&self.path, Arc::clone(&self.commits))?)),
        }
    }

    fn take_in(&self, connection: Connection, writes: bool) {
        let mut idle = self.idle.lock();
        if writes && idle.writer.is_none() {
            idle.writer = Some(connection);
        } else if idle.readers.len() < self.options.idle_connections_max {
            if idle.readers.len() >= WARM_CONNECTIONS_MAX {
                connection.empty_cache();
            }
            idle.readers.push(connection);
        } else {
            drop(idle);
            drop(connection);
        }
    }

    /// Closes the connections in the pool that nobody uses.
    pub fn shrink(&self) {
        let idle = std::mem::take(&mut *self.idle.lock());
        drop(idle);
    }

    /// How many connections are lent, and how many wait in the pool.
    pub fn connection_counts(&self) -> (usize, usize) {
        let idle = self.idle.lock();
        (self.lent.load(Ordering::SeqCst), idle.readers.len() + usize::from(idle.writer.is_some()))
    }

    /// Waits for the right to write. Dropping the future leaves the queue.
    pub async fn write_lock(self: &Arc<Self>) -> WriteLock {
        let permit = Arc::clone(&self.writers).acquire_owned().await;
        WriteLock { _permit: permit.expect("the queue is never closed") }
    }

    /// As [`Self::write_lock`], on this thread.
    pub fn write_lock_blocking(self: &Arc<Self>) -> WriteLock {
        self.write_lock_until(None).expect("it is waited for without an end")
    }

    /// As [`Self::write_lock_blocking`], at most until then.
    fn write_lock_until(self: &Arc<Self>, deadline: Option<Instant>) -> Option<WriteLock> {
        let mut awaited = std::pin::pin!(self.write_lock());
        let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(lock) = awaited.as_mut().poll(&mut context) {
                return Some(lock);
            }
            match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                None => std::thread::park(),
                Some(Duration::ZERO) => return None,
                Some(left) => std::thread::park_timeout(left),
            }
        }
    }

    /// The right to write, if nobody has or awaits it.
    pub fn try_write_lock(self: &Arc<Self>) -> Option<WriteLock> {
        let permit = Arc::clone(&self.writers).try_acquire_owned().ok()?;
        Some(WriteLock { _permit: permit })
    }

    /// Waits until everything committed before this call is on disk. Concurrent callers share a flush. The
    /// error never comes: a flush that fails ends the process.
    pub async fn flush(&self) -> Result<()> {
        self.flush_to(self.committed()).await
    }

    /// As [`Self::flush`], on this thread.
    pub fn flush_blocking(&self) {
        self.flusher.flush_blocking();
    }

    /// As [`Self::flush`], up to the commit with this number ([`Connection::last_commit`]). At once for one
    /// that is on disk.
    pub async fn flush_to(&self, commit: u64) -> Result<()> {
        self.flusher.flush_to(commit).await;
        Ok(())
    }

    /// The number of the last commit of all connections; 0 before the first since the file was opened.
    pub fn committed(&self) -> u64 {
        self.commits.now()
    }

    /// The number up to which commits are on disk.
    pub fn durable(&self) -> u64 {
        self.commits.durable()
    }

    /// The commit to wait for ([`Self::flush_to`]) when something is to be told that came by this one, which may be on its
    /// way: an earlier one, when that is the last that must outlive a crash.
    pub fn kept(&self, commit: u64) -> u64 {
        commit.min(self.commits.required())
    }

    /// Whether what came by this commit may be told: it is on disk, or is not to be waited for.
    pub fn is_kept(&self, commit: u64) -> bool {
        self.durable() >= self.kept(commit)
    }

    /// Whether everything that must outlive a crash is on disk: nobody depends on anything.
    pub fn is_settled(&self) -> bool {
        self.commits.durable() >= self.commits.required()
    }

    /// How many flushes were made since the file was opened.
    pub fn flush_count(&self) -> u64 {
        self.flusher.flushes()
    }

    /// Copies the log into the database file as far as readers allow; the pages copied this time and those
    /// remaining.
    /// It waits for the disk, so it belongs on a thread of its own. A reader that holds an old snapshot stops
    /// it at that point.
    ///
    /// When everything is copied, the next writer starts the log anew from its beginning. While others write
    /// all the time, everything never is; so a long log is begun anew on purpose, with the right to write. A
    /// statement that reads from the log for longer is in the way of that, and is no error.
    pub fn checkpoint(self: &Arc<Self>) -> Result<(u64, u64)> {
        let keeper = self.keeper.lock();
        let connection = &keeper.as_ref().ok_or_else(closed)?.connection;
        let before = self.commits.now();
        let (pages, copied) = run_checkpoint(connection, ffi::SQLITE_CHECKPOINT_PASSIVE)?;
        let fresh = copied.saturating_sub(self.copied_pages.swap(copied, Ordering::SeqCst));
        if pages == copied {
            self.copied_commit.fetch_max(before, Ordering::SeqCst);
            self.copied_pages.store(0, Ordering::SeqCst);
        }
        let (more, left) = self.begin_log_anew(connection, (pages, copied))?;
        Ok((fresh + more, left))
    }

    /// Whether there are commits that no checkpoint has copied for certain.
    pub fn has_uncopied_commits(&self) -> bool {
        self.commits.now() > self.copied_commit.load(Ordering::SeqCst)
    }

    /// Bytes of the log that commits have filled since it was last begun anew.
    pub fn log_used_bytes(&self) -> u64 {
        LOG_HEADER_BYTES + self.commits.frames() * (FRAME_HEADER_BYTES + self.page_bytes)
    }

    /// Whether the log's file is so long that it is to be cut. What commits have filled may be little of it: the rest is what
    /// a transaction has written that was rolled back, or is still under way.
    pub fn log_is_oversized(&self) -> bool {
        self.log_size_bytes().is_ok_and(|bytes| bytes > LOG_KEPT_BYTES_MAX)
    }

    /// After a first copy of so many pages of so many: copies those that have come meanwhile until few are left, then these
    /// with the right to write, and lets the next writer begin the log at its start. The pages copied, and those left.
    fn begin_log_anew(
        self: &Arc<Self>,
        connection: &Connection,
        (mut pages, mut copied): (u64, u64),
    ) -> Result<(u64, u64)> {
        let before = copied;
        let long = self.log_is_oversized();
        if !long && self.log_used_bytes() < LOG_BEGUN_ANEW_BYTES_MIN {
            return Ok((0, pages.saturating_sub(copied)));
        }
        for _ in 0..COPIES_MAX {
            let done = copied;
            if self.frames_left(copied) <= PAGES_COPIED_WITH_RIGHT_MAX {
                break;
            }
            (pages, copied) = run_checkpoint(connection, ffi::SQLITE_CHECKPOINT_PASSIVE)?;
            if copied == done {
                break;
            }
        }
        if self.frames_left(copied) <= PAGES_COPIED_WITH_RIGHT_MAX
            && let Some(_right) = self.write_lock_until(Some(Instant::now() + RIGHT_WAIT))
        {
            let mode = if long { ffi::SQLITE_CHECKPOINT_TRUNCATE } else { ffi::SQLITE_CHECKPOINT_RESTART };
            let now = self.commits.now();
            connection.handle.set_busy_wait(READERS_WAIT);
            let done = run_checkpoint(connection, mode);
            connection.handle.set_busy_wait(Duration::ZERO);
            // A log that was cut has no pages.
            let (pages_now, copied_now) = done?;
            if long && pages_now == 0 {
                self.commits.forget_frames();
            }
            (pages, copied) = (pages_now, copied_now.max(copied));
            if pages_now <= copied {
                self.copied_commit.fetch_max(now, Ordering::SeqCst);
            }
        }
        self.copied_pages.store(if pages <= copied { 0 } else { copied }, Ordering::SeqCst);
        Ok((copied.saturating_sub(before), pages.saturating_sub(copied)))
    }

    /// How many frames of the log no checkpoint has copied.
    fn frames_left(&self, copied: u64) -> u64 {
        self.commits.frames().saturating_sub(copied)
    }

    /// Writes a consistent copy to a new file, which is on disk when this returns. Writers go on meanwhile.
    /// It waits for the disk, so it belongs on a thread of its own.
    pub fn copy_to(self: &Arc<Self>, path: &Path) -> Result<()> {
        let mut source = self.connection()?;
        // Ours for a moment, to refuse a file that is there; no database, so no lock is lost with it.
        File::create_new(path).map_err(|error| failure::from_io("could not create the copy", &error))?;
        source.begin_read()?;
        let copied = copy_pages(&source, path).and_then(|()| sync_directory(path));
        copied.inspect_err(|_| drop(fs::remove_file(path)))
    }

    /// Bytes of the file and its log.
    pub fn size_bytes(&self) -> Result<u64> {
        Ok(file_size(&self.path)? + self.log_size_bytes()?)
    }

    /// Bytes of the log. What a checkpoint has copied is counted until it is overwritten or cut.
    pub fn log_size_bytes(&self) -> Result<u64> {
        match file_size(&self.log) {
            Err(_) if self.closed.load(Ordering::SeqCst) => Ok(0),
            size => size,
        }
    }

    /// Flushes, copies the log into the file, closes all connections and gives the file up; a stopped
    /// server's file is plain SQLite without a log. Refused with [`ErrorKind::InUse`] while connections are
    /// lent. A second call does nothing.
    pub fn close(&self) -> Result<()> {
        let mut keeper = self.keeper.lock();
        // Said before the count is looked at, as `connection` counts before it looks: one of the two sees the
        // other.
        self.closed.store(true, Ordering::SeqCst);
        if self.lent.load(Ordering::SeqCst) > 0 {
            self.closed.store(keeper.is_none(), Ordering::SeqCst);
            let message = "connections are still in use".to_owned();
            return Err(Error { kind: ErrorKind::InUse, message });
        }
        let Some(open) = keeper.as_ref() else {
            return Ok(());
        };
        self.shrink();
        self.flusher.flush_blocking();
        run_checkpoint(&open.connection, ffi::SQLITE_CHECKPOINT_TRUNCATE)?;
        // One that nobody waits for may still be under way.
        self.flusher.end();
        *keeper = None;
        Ok(())
    }
}

fn closed() -> Error {
    failure::fault("the database is closed")
}

/// SQLite's name for the log.
fn log_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The first connection: takes the file's lock, recovers, and switches to a log. And how large a page is.
fn open_keeper(path: &Path, create: bool, commits: &Arc<CommitClock>) -> Result<(Connection, u64)> {
    let handle = Handle::open_first(path, create, Arc::clone(commits)).map_err(|error| named(path, error))?;
    let opened = handle.execute_text("PRAGMA journal_mode=WAL; SELECT count(*) FROM sqlite_schema");
    opened.map_err(|error| named(path, handle.in_use_if_busy(error)))?;
    let mut connection = Connection::owner(handle);
    let page_bytes = match connection.query("PRAGMA page_size", &[])?.concat().as_slice() {
        [Value::Integer(bytes)] => u64::try_from(*bytes).ok(),
        _ => None,
    };
    let page_bytes = page_bytes.ok_or_else(|| failure::fault("the file has no page size"))?;
    let mode = connection.query("PRAGMA journal_mode", &[])?;
    if mode != [[Value::from("wal")]] {
        return Err(failure::fault(format!("the file cannot have a log: {mode:?}")));
    }
    Ok((connection, page_bytes))
}

fn named(path: &Path, error: Error) -> Error {
    Error { message: format!("could not open \"{}\": {}", path.display(), error.message), ..error }
}

/// One checkpoint; pages in the log and pages copied. A reader in the way is no error.
fn run_checkpoint(connection: &Connection, mode: c_int) -> Result<(u64, u64)> {
    connection.enter();
    let (mut pages, mut copied) = (0, 0);
    // SAFETY: a live handle, inside it; the name is a C string.
    let code = unsafe {
        let (raw, name) = (connection.handle.raw(), c"main".as_ptr());
        ffi::sqlite3_wal_checkpoint_v2(raw, name, mode, &mut pages, &mut copied)
    };
    if code & 0xff != ffi::SQLITE_BUSY {
        connection.handle.check(code)?;
    }
    Ok((u64::try_from(pages).unwrap_or(0), u64::try_from(copied).unwrap_or(0)))
}

/// SQLite's backup, all pages in one step, from the snapshot which the source has open.
fn copy_pages(source: &Connection, path: &Path) -> Result<()> {
    let target = Handle::bare(path)?;
    source.enter();
    // SAFETY: two live handles; this thread is inside one, and nobody else has the other.
    let code = unsafe {
        let main = c"main".as_ptr();
        let backup = ffi::sqlite3_backup_init(target.raw(), main, source.handle.raw(), main);
        if backup.is_null() {
            ffi::sqlite3_extended_errcode(target.raw())
        } else {
            ffi::sqlite3_backup_step(backup, -1);
            ffi::sqlite3_backup_finish(backup)
        }
    };
    target.check(code)
}

/// Makes the names of a file and its log durable.
fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| failure::from_io("could not flush the directory", &error))
}

fn file_size(path: &Path) -> Result<u64> {
    let metadata =
        fs::metadata(path).map_err(|error| failure::from_io("could not look at the file", &error))?;
    Ok(metadata.len())
}
