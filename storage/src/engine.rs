//! What SQLite is told before it begins, for the whole process: how it sorts.
//!
//! SQLite sorts rows in one virtual machine instruction, during which nothing can stop it. With `temp_store=MEMORY`
//! all rows are sorted in one go, seconds for millions. With `temp_store=FILE` (the files are
//! [`crate::scratch_file`]s, in memory all the same) it sorts and puts away a piece whenever it has one of the size of
//! the page cache, and merges the pieces row by row. So the pieces are to be small, milliseconds each, but the page
//! cache is not: SQLite is told of a small one, and its allocator of pages of one that is larger by a factor.

use std::ffi::c_int;
use std::sync::{Once, OnceLock};

use rusqlite::ffi;

/// By how much the page cache is larger than what SQLite is told.
pub(crate) const CACHE_FACTOR: u32 = 16;

/// The least that is sorted at a time, in pages: less than the told page cache, which decides.
const SORTED_PAGES_MIN: u32 = 64;

/// How SQLite's own page cache is given its size, in pages.
type SetSize = unsafe extern "C" fn(*mut ffi::sqlite3_pcache, c_int);
static SET_SIZE: OnceLock<SetSize> = OnceLock::new();

/// Configures SQLite. To be called before anything else of it.
pub(crate) fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        // SAFETY: SQLite has not begun; if another user of the library in this process has begun it, it refuses and
        // changes nothing. The options take what is given: it copies the methods.
        let code = unsafe {
            let mut methods = std::mem::zeroed::<ffi::sqlite3_pcache_methods2>();
            let mut code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_GETPCACHE2, &raw mut methods);
            if let (ffi::SQLITE_OK, Some(set)) = (code, methods.xCachesize) {
                SET_SIZE.get_or_init(|| set);
                methods.xCachesize = Some(set_size);
                code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_PCACHE2, &raw const methods);
            }
            if code == ffi::SQLITE_OK {
                ffi::sqlite3_config(ffi::SQLITE_CONFIG_PMASZ, SORTED_PAGES_MIN)
            } else {
                code
            }
        };
        if code != ffi::SQLITE_OK {
            tracing::warn!(code, "SQLite had begun before it was configured: its page caches are small");
        }
    });
}

unsafe extern "C" fn set_size(cache: *mut ffi::sqlite3_pcache, pages: c_int) {
    let factor = c_int::try_from(CACHE_FACTOR).unwrap_or(1);
    if let Some(set) = SET_SIZE.get() {
        // SAFETY: SQLite's call on a cache that its own methods have made, passed on.
        unsafe { set(cache, pages.saturating_mul(factor)) };
    }
}
