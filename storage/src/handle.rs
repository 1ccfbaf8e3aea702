//! A SQLite handle and everything that hangs on it: made, configured and closed here, shared by the
//! connection and its statements.
//!
//! Every handle is opened the same way: VFS `unix-excl` by way of [`crate::log_file`] (the index of the log lives on the heap, the file
//! lock belongs to this process until its last handle closes), no mutexes of SQLite's own (see
//! [`crate::returned`]), WAL with `synchronous=NORMAL` (see [`crate::flush`]), no automatic checkpoints, no
//! foreign keys (they are the host's).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::ffi;

use crate::cache::StatementCache;
use crate::clock::CommitClock;
use crate::failure::{self, Failure};
use crate::interrupt::{Stop, TICK_INSTRUCTIONS, Watch};
use crate::page_cache::{CACHE_FACTOR, Reads};
use crate::returned::{Returned, ReturnedStatements};
use crate::{Error, ErrorKind, Result};
use crate::{engine, log_file, scratch_file};

/// The longest text, blob or row, in bytes. A single function call cannot be interrupted, so this also bounds
/// its time.
pub(crate) const VALUE_BYTES_MAX: c_int = 256 << 20;
/// The most parameters a statement may have (SQLite's own limit as built).
pub(crate) const PARAMETERS_MAX: c_int = 32_766;
/// The deepest expression; each level takes C stack while a statement is compiled.
pub(crate) const EXPRESSION_DEPTH_MAX: c_int = 1000;
/// Page cache of one connection, in KiB. SQLite is told a part of it: see [`crate::engine`].
const CACHE_KIB: u32 = 32 << 10;
/// A page of a database, in KiB.
const PAGE_KIB: u32 = 4;
/// How long SQLite itself waits for one of its locks. Writers queue for [`crate::WriteLock`], so all that is
/// left are moments of recovery and log restarts; the wait is there for those, and its end would be a fault
/// of ours.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Which host functions a handle knows.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) functions: HashSet<Arc<str>, foldhash::fast::RandomState>,
    pub(crate) tables: HashSet<Arc<str>, foldhash::fast::RandomState>,
    /// One or two.
    pub(crate) collations: Vec<Arc<str>>,
}

/// What [`crate::Connection::set_context`] lends.
pub(crate) type Context = Arc<dyn Any + Send + Sync>;

/// See the head of this file. *Inside* a handle is the thread that runs an operation of its connection, or drops it.
pub(crate) struct Handle {
    raw: NonNull<ffi::sqlite3>,
    pub(crate) returned: ReturnedStatements,
    pub(crate) cache: RefCell<StatementCache>,
    pub(crate) watch: Watch,
    pub(crate) context: RefCell<Option<Context>>,
    pub(crate) known: RefCell<Known>,
    pub(crate) commits: Arc<CommitClock>,
    pub(crate) reads: Arc<Reads>,
    /// The number of this handle's last commit that wrote. Atomic, because a thread that drops a statement
    /// may count one.
    pub(crate) last_commit: AtomicU64,
    /// Whether a writing statement ran in the open transaction.
    pub(crate) changed: Cell<bool>,
    /// How many rows the handle had changed when the transaction began.
    pub(crate) changes_before: Cell<i64>,
    /// How many statements are in the middle of their rows.
    pub(crate) running: Cell<usize>,
    /// How many times statements in the middle of their rows were ended by a rollback.
    pub(crate) rollbacks: Cell<u64>,
    failure: RefCell<Option<Failure>>,
    discarding: Cell<bool>,
}

// SAFETY: everything but `returned` (an atomic and a mutex) is touched only by the thread inside, or by
// the one thread that uses the connection, which is not `Sync`. SQLite's handles are not bound to a thread.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    /// Another connection to a file that the process has open.
    pub(crate) fn open(path: &Path, commits: Arc<CommitClock>) -> Result<Arc<Self>> {
        Self::open_with(path, 0, BUSY_WAIT, commits)
    }

    /// The first connection to a file, which may be made. It does not wait for locks: they would be another
    /// process's, and are [`ErrorKind::InUse`].
    pub(crate) fn open_first(path: &Path, create: bool, commits: Arc<CommitClock>) -> Result<Arc<Self>> {
        let flags = if create { ffi::SQLITE_OPEN_CREATE } else { 0 };
        Self::open_with(path, flags, Duration::ZERO, commits)
    }

    fn open_with(path: &Path, flags: c_int, wait: Duration, commits: Arc<CommitClock>) -> Result<Arc<Self>> {
        let reads = Reads::new(Arc::clone(&commits));
        let handle = reads.watch(|| {
            let handle = Self::with_raw(open_raw(path, flags, log_file::VFS)?, commits, Arc::clone(&reads));
            handle.limit();
            handle.set_busy_wait(wait);
            handle.configure().map_err(|error| handle.in_use_if_busy(error))?;
            Ok::<_, Error>(Arc::new(handle))
        })?;
        if !reads.are_noted() {
            return Err(failure::fault("another user of SQLite in this process has configured it first"));
        }
        handle.listen();
        Ok(handle)
    }

    /// A handle on a file that is being written as a copy: no settings, no hooks, flushed as SQLite does by
    /// itself.
    pub(crate) fn bare(path: &Path) -> Result<Self> {
        let commits: Arc<CommitClock> = Arc::default();
        let reads = Reads::new(Arc::clone(&commits));
        Ok(Self::with_raw(open_raw(path, 0, c"unix")?, commits, reads))
    }

    fn with_raw(raw: NonNull<ffi::sqlite3>, commits: Arc<CommitClock>, reads: Arc<Reads>) -> Self {
        Self {
            raw,
            returned: ReturnedStatements::default(),
            cache: RefCell::default(),
            watch: Watch::default(),
            context: RefCell::default(),
            known: RefCell::default(),
            commits,
            reads,
            last_commit: AtomicU64::new(0),
            changed: Cell::new(false),
            changes_before: Cell::new(0),
            running: Cell::new(0),
            rollbacks: Cell::new(0),
            failure: RefCell::default(),
            discarding: Cell::new(false),
        }
    }

    /// SQLite's pointer. To be followed inside only.
    pub(crate) fn raw(&self) -> *mut ffi::sqlite3 {
        self.raw.as_ptr()
    }

    fn limit(&self) {
        let limits = [
            (ffi::SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX),
            (ffi::SQLITE_LIMIT_VARIABLE_NUMBER, PARAMETERS_MAX),
            (ffi::SQLITE_LIMIT_EXPR_DEPTH, EXPRESSION_DEPTH_MAX),
        ];
        for (limit, value) in limits {
            // SAFETY: the handle is live and not shared yet.
            unsafe { ffi::sqlite3_limit(self.raw(), limit, value) };
        }
    }

    fn configure(&self) -> Result<()> {
        let off = [
            ffi::SQLITE_DBCONFIG_ENABLE_FKEY,
            ffi::SQLITE_DBCONFIG_DQS_DML,
            ffi::SQLITE_DBCONFIG_DQS_DDL,
            ffi::SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION,
        ];
        for option in off {
            let none = ptr::null_mut::<c_int>();
            // SAFETY: these options take an int and a pointer for the answer, which may be null.
            let code = unsafe { ffi::sqlite3_db_config(self.raw(), option, 0 as c_int, none) };
            self.check(code)?;
        }
        self.execute_text(&format!(
            "PRAGMA synchronous=NORMAL; PRAGMA temp_store=FILE; \
             PRAGMA cache_size=-{}; PRAGMA cache_spill={}",
            CACHE_KIB / CACHE_FACTOR,
            CACHE_KIB / PAGE_KIB
        ))
    }

    /// While a file is being opened, a lock that is taken means another process. Inside.
    pub(crate) fn in_use_if_busy(&self, error: Error) -> Error {
        // SAFETY: the handle is live.
        let code = unsafe { ffi::sqlite3_errcode(self.raw()) };
        match code & 0xff {
            ffi::SQLITE_BUSY => Error { kind: ErrorKind::InUse, ..error },
            _ => error,
        }
    }

    pub(crate) fn set_busy_wait(&self, wait: Duration) {
        let milliseconds = c_int::try_from(wait.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the handle is live.
        unsafe { ffi::sqlite3_busy_timeout(self.raw(), milliseconds) };
    }

    fn listen(self: &Arc<Self>) {
        let this = Arc::as_ptr(self).cast_mut().cast::<c_void>();
        // SAFETY: the hooks get a pointer to this handle's heap place, which outlives the SQLite handle that
        // holds them: it closes it when it is dropped.
        unsafe {
            ffi::sqlite3_progress_handler(self.raw(), TICK_INSTRUCTIONS, Some(on_tick), this);
            ffi::sqlite3_wal_hook(self.raw(), Some(on_commit), this);
        }
    }

    /// Runs fixed text of ours, without rows.
    pub(crate) fn execute_text(&self, sql: &str) -> Result<()> {
        let sql = CString::new(sql).map_err(|_| failure::fault("statement with a NUL"))?;
        // SAFETY: the handle is live, the text ends in NUL, nobody is called back.
        let code =
            unsafe { ffi::sqlite3_exec(self.raw(), sql.as_ptr(), None, ptr::null_mut(), ptr::null_mut()) };
        self.check(code)
    }

    /// An error unless the code says that all is well.
    pub(crate) fn check(&self, code: c_int) -> Result<()> {
        if code == ffi::SQLITE_OK { Ok(()) } else { Err(self.error(code)) }
    }

    /// The error for a code that SQLite just gave: the host's own, if host code was the cause.
    pub(crate) fn error(&self, code: c_int) -> Error {
        let failure = self.failure.take();
        match (code & 0xff, failure) {
            (ffi::SQLITE_INTERRUPT, _) => self.watch.take_stop().into(),
            _ if code == scratch_file::STOPPED => Stop::Interrupted.into(),
            (_, Some(failure)) => failure.into(),
            // SAFETY: the caller is inside and the handle is live.
            (_, None) => failure::from_code(code, unsafe { failure::last_words(self.raw()) }),
        }
    }

    /// Keeps what went wrong in host code for the statement's return; the first cause wins.
    pub(crate) fn fail(&self, failure: Failure) {
        self.failure.borrow_mut().get_or_insert(failure);
    }

    /// Whether host code failed in the statement that is running.
    pub(crate) fn has_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    /// Takes what went wrong in host code.
    pub(crate) fn take_failure(&self) -> Option<Failure> {
        self.failure.take()
    }

    /// Whether statements are being put away: aggregates are then ended only to free them, and no host code
    /// runs.
    pub(crate) fn is_discarding(&self) -> bool {
        self.discarding.get()
    }

    fn discard<R>(&self, work: impl FnOnce() -> R) -> R {
        let before = self.discarding.replace(true);
        let result = work();
        self.discarding.set(before);
        result
    }

    /// Resets a statement. A writing one that is left in the middle commits here when no transaction is open,
    /// and SQLite would tell the hook only at the next commit; so it is counted here.
    pub(crate) fn reset(&self, raw: *mut ffi::sqlite3_stmt) {
        // SAFETY: a live statement of this handle; the caller is inside.
        let busy = unsafe { ffi::sqlite3_stmt_busy(raw) != 0 };
        // SAFETY: as above.
        let writing = busy && unsafe { ffi::sqlite3_stmt_readonly(raw) == 0 };
        if busy {
            self.running.set(self.running.get().saturating_sub(1));
        }
        // SAFETY: as above. The code repeats an error already told.
        self.discard(|| unsafe { ffi::sqlite3_reset(raw) });
        if writing && self.is_autocommit() {
            self.count_commit(None);
        }
    }

    fn count_commit(&self, frames: Option<u64>) {
        self.last_commit.store(self.commits.advance(frames), Ordering::Release);
    }

    fn finalize(&self, raw: *mut ffi::sqlite3_stmt) {
        // SAFETY: as for reset; nobody keeps the pointer, its owner gave it back.
        self.discard(|| unsafe { ffi::sqlite3_finalize(raw) });
    }

    /// Makes a statement ready for its next user and keeps it in the cache. Inside.
    pub(crate) fn put_away(&self, returned: Returned) {
        self.reset(returned.raw);
        // SAFETY: as for reset.
        unsafe { ffi::sqlite3_clear_bindings(returned.raw) };
        if let Some(evicted) = self.cache.borrow_mut().put(returned.sql, returned.raw, returned.origin) {
            self.finalize(evicted);
        }
    }

    /// Puts away what was dropped. Inside.
    pub(crate) fn put_away_returned(&self) {
        if self.returned.any() {
            self.returned.take().into_iter().for_each(|returned| self.put_away(returned));
        }
    }

    /// Resets every statement that is in the middle of its rows. Inside, and not from host
    /// functions.
    pub(crate) fn reset_all(&self) {
        self.rollbacks.set(self.rollbacks.get() + 1);
        let mut raw = ptr::null_mut();
        loop {
            // SAFETY: null or a live statement of this live handle.
            raw = unsafe { ffi::sqlite3_next_stmt(self.raw(), raw) };
            if raw.is_null() {
                return;
            }
            // SAFETY: as above.
            if unsafe { ffi::sqlite3_stmt_busy(raw) } != 0 {
                self.reset(raw);
            }
        }
    }

    /// Whether neither a transaction is open nor a statement in the middle of its rows. Inside.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.running.get() == 0 && self.is_autocommit()
    }

    /// Whether the next statement takes a snapshot. Inside.
    pub(crate) fn is_without_snapshot(&self) -> bool {
        // SAFETY: the handle is live; the name is a C string.
        let state = || unsafe { ffi::sqlite3_txn_state(self.raw(), c"main".as_ptr()) };
        self.is_at_rest() || state() == ffi::SQLITE_TXN_NONE
    }

    /// Whether no transaction is open.
    pub(crate) fn is_autocommit(&self) -> bool {
        // SAFETY: the handle is live.
        unsafe { ffi::sqlite3_get_autocommit(self.raw()) != 0 }
    }
}

impl Drop for Handle {
    /// Nobody else is left: the connection and all statements hold this. So nobody is inside either.
    fn drop(&mut self) {
        self.put_away_returned();
        let idle = self.cache.borrow_mut().drain();
        idle.into_iter().for_each(|raw| self.finalize(raw));
        self.discarding.set(true);
        // SAFETY: the handle is live and is not used again. All statements are finalized, so this cannot
        // refuse.
        let code = unsafe { ffi::sqlite3_close(self.raw()) };
        if code != ffi::SQLITE_OK {
            tracing::error!(code, "a SQLite handle could not be closed and is leaked");
        }
    }
}

/// SQLite's question at each tick whether to stop.
unsafe extern "C" fn on_tick(handle: *mut c_void) -> c_int {
    // SAFETY: `listen` gave a pointer to a handle that outlives the hook.
    let handle = unsafe { &*handle.cast_const().cast::<Handle>() };
    c_int::from(!handle.watch.tick())
}

/// SQLite's word that a commit has put frames into the log.
unsafe extern "C" fn on_commit(
    handle: *mut c_void,
    _database: *mut ffi::sqlite3,
    _name: *const c_char,
    frames: c_int,
) -> c_int {
    // SAFETY: as in `on_tick`.
    let handle = unsafe { &*handle.cast_const().cast::<Handle>() };
    handle.count_commit(u64::try_from(frames).ok());
    ffi::SQLITE_OK
}

/// Opens a SQLite file without any settings.
pub(crate) fn open_raw(path: &Path, flags: c_int, vfs: &CStr) -> Result<NonNull<ffi::sqlite3>> {
    engine::configure();
    let name = CString::new(path.as_os_str().as_bytes())
        .map_err(|_| failure::fault("the name of a database file holds a NUL"))?;
    let flags = flags | ffi::SQLITE_OPEN_READWRITE | ffi::SQLITE_OPEN_NOMUTEX | ffi::SQLITE_OPEN_EXRESCODE;
    let mut raw = ptr::null_mut();
    // SAFETY: both names end in NUL and outlive the call.
    let code = unsafe { ffi::sqlite3_open_v2(name.as_ptr(), &mut raw, flags, vfs.as_ptr()) };
    let Some(live) = NonNull::new(raw) else {
        return Err(failure::fault("out of memory"));
    };
    if code == ffi::SQLITE_OK {
        return Ok(live);
    }
    // SAFETY: even a handle that failed to open has words, and must be closed.
    let words = unsafe { failure::last_words(raw) };
    // SAFETY: as above.
    unsafe { ffi::sqlite3_close(raw) };
    Err(failure::from_code(code, words))
}
