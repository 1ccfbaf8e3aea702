//! SQLite's page cache, with an eye on it: which commits' pages a connection looks at.
//!
//! A commit can be read before it is on disk. Who must not pass on what could still vanish has to know whether
//! it has looked at such a thing, and exactly: if every reader waited for the last commit, a writer would wait
//! for its predecessor's flush while it holds the write lock. SQLite asks its cache for every page that it
//! looks at, each time anew, be it cached or to be read; so the cache is the place to take note, and it may
//! stay warm from one transaction to the next. [`crate::clock`] knows which commit has written a page.
//!
//! For the same reason it knows which pages others have written since the connection's last snapshot. SQLite empties a
//! connection's cache at its next snapshot after others have committed; here only those pages go ([`Reads::keep`]).
//!
//! It is SQLite's own cache, wrapped. The wrapper also gives it its size: SQLite is told of a smaller one, see
//! [`crate::engine`].

use std::cell::RefCell;
use std::ffi::{c_int, c_uint};
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use rusqlite::ffi;

use crate::clock::CommitClock;

/// By how much a connection's page cache is larger than what SQLite is told.
pub(crate) const CACHE_FACTOR: u32 = 64;
/// The same for those of scratch tables.
const SCRATCH_CACHE_FACTOR: u32 = 16;

/// SQLite's own cache.
static BASE: OnceLock<Methods> = OnceLock::new();

/// The methods that are passed on, none of which SQLite leaves out.
struct Methods {
    create: unsafe extern "C" fn(c_int, c_int, c_int) -> *mut ffi::sqlite3_pcache,
    set_size: unsafe extern "C" fn(*mut ffi::sqlite3_pcache, c_int),
    count: unsafe extern "C" fn(*mut ffi::sqlite3_pcache) -> c_int,
    fetch: unsafe extern "C" fn(*mut ffi::sqlite3_pcache, c_uint, c_int) -> *mut ffi::sqlite3_pcache_page,
    unpin: unsafe extern "C" fn(*mut ffi::sqlite3_pcache, *mut ffi::sqlite3_pcache_page, c_int),
    rekey: unsafe extern "C" fn(*mut ffi::sqlite3_pcache, *mut ffi::sqlite3_pcache_page, c_uint, c_uint),
    truncate: unsafe extern "C" fn(*mut ffi::sqlite3_pcache, c_uint),
    destroy: unsafe extern "C" fn(*mut ffi::sqlite3_pcache),
    shrink: unsafe extern "C" fn(*mut ffi::sqlite3_pcache),
}

thread_local! {
    /// What watches the caches that are made on this thread just now.
    static WATCHING: RefCell<Option<Arc<Reads>>> = const { RefCell::new(None) };
}

/// What one connection has looked at. It is touched only by the thread inside the connection's handle.
pub(crate) struct Reads {
    clock: Arc<CommitClock>,
    /// The latest commit that has written a page which was looked at.
    latest: AtomicU64,
    /// A commit that the snapshot cannot show more than.
    newest: AtomicU64,
    /// The position in [`crate::written_pages`] from which on pages may differ from what is cached.
    cached: AtomicU64,
    /// The same for the snapshot that is about to be taken; [`NONE`] when none is.
    coming: AtomicU64,
}

/// No position.
const NONE: u64 = u64::MAX;
/// SQLite's first page: it empties a cache by dropping what comes from there on.
const FIRST_PAGE: c_uint = 1;

/// A cache as SQLite is given it.
struct Cache {
    base: *mut ffi::sqlite3_pcache,
    /// None for those of scratch tables.
    reads: Option<Arc<Reads>>,
}

impl Reads {
    pub(crate) fn new(clock: Arc<CommitClock>) -> Arc<Self> {
        let (latest, newest) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Arc::new(Self { clock, latest, newest, cached: AtomicU64::new(0), coming: AtomicU64::new(NONE) })
    }

    /// What has been looked at until now concerns nobody any more.
    pub(crate) fn forget(&self) {
        self.latest.store(0, Ordering::Relaxed);
    }

    /// A snapshot is about to be taken.
    pub(crate) fn take_snapshot(&self) {
        self.newest.store(u64::MAX, Ordering::Relaxed);
        // Asked before: the snapshot has everything of the commits before this position.
        self.coming.store(self.clock.written_lately().settled(), Ordering::Relaxed);
    }

    /// The snapshot has been taken: pages that are written from now on are looked at as they were.
    pub(crate) fn snapshot_taken(&self) {
        self.newest.store(self.clock.now() + 1, Ordering::Relaxed);
        self.coming.store(NONE, Ordering::Relaxed);
    }

    /// The latest commit of which something may have been looked at.
    pub(crate) fn latest(&self) -> u64 {
        self.latest.load(Ordering::Relaxed).min(self.newest.load(Ordering::Relaxed))
    }

    /// Opens a connection, and takes note of what it looks at from now on.
    pub(crate) fn watch<T>(self: &Arc<Self>, open: impl FnOnce() -> T) -> T {
        let before = WATCHING.replace(Some(Arc::clone(self)));
        let opened = open();
        WATCHING.set(before);
        opened
    }

    /// Whether the connection's cache has been made while it was [`Self::watch`]ed.
    pub(crate) fn are_noted(self: &Arc<Self>) -> bool {
        const HANDLE: usize = 1;
        const OPENING: usize = 1;
        Arc::strong_count(self) > HANDLE + OPENING
    }

    fn look_at(&self, page: u32) {
        // The first page that is looked at is one of the snapshot, and so is what SQLite has left in the cache.
        if self.coming.load(Ordering::Relaxed) != NONE {
            self.begin_snapshot();
        }
        let commit = self.clock.last_written(page);
        if commit > self.latest.load(Ordering::Relaxed) {
            self.latest.store(commit, Ordering::Relaxed);
        }
    }

    /// The position of what was cached until now, at the beginning of a snapshot.
    fn begin_snapshot(&self) -> Option<u64> {
        let coming = self.coming.swap(NONE, Ordering::Relaxed);
        (coming != NONE).then(|| self.cached.swap(coming, Ordering::Relaxed))
    }

    /// Drops what others may have changed, where SQLite wants to drop everything. False when it has to.
    ///
    /// It is done at the beginning of a snapshot only, before SQLite has looked at a page. At any other moment, as
    /// after a failed write, there can be pages in the cache that are no commit's.
    ///
    /// # Safety
    /// The cache is this connection's, no page of it is in use, and SQLite has asked for it to be emptied.
    unsafe fn keep(&self, cache: *mut ffi::sqlite3_pcache) -> bool {
        let Some(position) = self.begin_snapshot() else { return false };
        self.clock.written_lately().since(position, |page| {
            // SAFETY: the caller's promise; a page that is found is given back at once, to be forgotten.
            unsafe {
                let found = (base().fetch)(cache, page, 0);
                if !found.is_null() {
                    (base().unpin)(cache, found, 1);
                }
            }
        })
    }
}

/// Puts the wrapper in the place of SQLite's own cache. To be called before anything else of SQLite.
///
/// # Safety
/// No other thread configures SQLite meanwhile.
pub(crate) unsafe fn configure() -> c_int {
    // SAFETY: the structure is plain data, for which zeros are good; SQLite fills it in, and copies the one it is given.
    unsafe {
        let mut methods = std::mem::zeroed::<ffi::sqlite3_pcache_methods2>();
        let code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut methods);
        let Some(base) = (code == ffi::SQLITE_OK).then(|| known(&methods)).flatten() else {
            return ffi::SQLITE_MISUSE;
        };
        BASE.get_or_init(|| base);
        methods.xCreate = Some(create);
        methods.xCachesize = Some(set_size);
        methods.xPagecount = Some(count);
        methods.xFetch = Some(fetch);
        methods.xUnpin = Some(unpin);
        methods.xRekey = Some(rekey);
        methods.xTruncate = Some(truncate);
        methods.xDestroy = Some(destroy);
        methods.xShrink = Some(shrink);
        ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw const methods)
    }
}

fn known(methods: &ffi::sqlite3_pcache_methods2) -> Option<Methods> {
    Some(Methods {
        create: methods.xCreate?,
        set_size: methods.xCachesize?,
        count: methods.xPagecount?,
        fetch: methods.xFetch?,
        unpin: methods.xUnpin?,
        rekey: methods.xRekey?,
        truncate: methods.xTruncate?,
        destroy: methods.xDestroy?,
        shrink: methods.xShrink?,
    })
}

/// SQLite's own cache. Its methods are known before SQLite is given ours.
fn base() -> &'static Methods {
    BASE.get().expect("set by `configure`, without which nobody calls this")
}

/// What [`create`] has made.
///
/// # Safety
/// `cache` is one, and not destroyed.
unsafe fn made<'a>(cache: *mut ffi::sqlite3_pcache) -> &'a Cache {
    // SAFETY: the caller's promise.
    unsafe { &*cache.cast_const().cast::<Cache>() }
}

unsafe extern "C" fn create(
    page_bytes: c_int,
    extra_bytes: c_int,
    purgeable: c_int,
) -> *mut ffi::sqlite3_pcache {
    // SAFETY: SQLite's call, passed on.
    let own = unsafe { (base().create)(page_bytes, extra_bytes, purgeable) };
    if own.is_null() {
        return ptr::null_mut();
    }
    // A thread that is ending opens nothing.
    let reads = WATCHING.try_with(|watching| watching.borrow().clone()).ok().flatten();
    Box::into_raw(Box::new(Cache { base: own, reads })).cast()
}

unsafe extern "C" fn destroy(cache: *mut ffi::sqlite3_pcache) {
    // SAFETY: SQLite destroys a cache once, and does not use it afterwards; `create` has made it in a box.
    unsafe {
        let cache = Box::from_raw(cache.cast::<Cache>());
        (base().destroy)(cache.base);
    }
}

unsafe extern "C" fn fetch(
    cache: *mut ffi::sqlite3_pcache,
    page: c_uint,
    make: c_int,
) -> *mut ffi::sqlite3_pcache_page {
    // SAFETY: SQLite's call on a cache that `create` has made, passed on.
    unsafe {
        let cache = made(cache);
        if let Some(reads) = &cache.reads {
            reads.look_at(page);
        }
        (base().fetch)(cache.base, page, make)
    }
}

unsafe extern "C" fn set_size(cache: *mut ffi::sqlite3_pcache, pages: c_int) {
    // SAFETY: as for `fetch`.
    let cache = unsafe { made(cache) };
    let factor = if cache.reads.is_some() { CACHE_FACTOR } else { SCRATCH_CACHE_FACTOR };
    let pages = pages.saturating_mul(c_int::try_from(factor).unwrap_or(1));
    // SAFETY: as for `fetch`.
    unsafe { (base().set_size)(cache.base, pages) }
}

unsafe extern "C" fn count(cache: *mut ffi::sqlite3_pcache) -> c_int {
    // SAFETY: as for `fetch`.
    unsafe { (base().count)(made(cache).base) }
}

unsafe extern "C" fn unpin(
    cache: *mut ffi::sqlite3_pcache,
    page: *mut ffi::sqlite3_pcache_page,
    discard: c_int,
) {
    // SAFETY: as for `fetch`.
    unsafe { (base().unpin)(made(cache).base, page, discard) }
}

unsafe extern "C" fn rekey(
    cache: *mut ffi::sqlite3_pcache,
    page: *mut ffi::sqlite3_pcache_page,
    from: c_uint,
    to: c_uint,
) {
    // SAFETY: as for `fetch`.
    unsafe { (base().rekey)(made(cache).base, page, from, to) }
}

unsafe extern "C" fn truncate(cache: *mut ffi::sqlite3_pcache, from: c_uint) {
    // SAFETY: as for `fetch`. SQLite says that no page is in use from there on.
    unsafe {
        let cache = made(cache);
        if from == FIRST_PAGE
            && let Some(reads) = &cache.reads
            && reads.keep(cache.base)
        {
            return;
        }
        (base().truncate)(cache.base, from)
    }
}

unsafe extern "C" fn shrink(cache: *mut ffi::sqlite3_pcache) {
    // SAFETY: as for `fetch`.
    unsafe { (base().shrink)(made(cache).base) }
}
