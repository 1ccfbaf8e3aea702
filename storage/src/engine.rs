//! What SQLite is told before it begins, for the whole process: above all how it sorts.
//!
//! SQLite sorts rows in one virtual machine instruction, during which nothing can stop it. With `temp_store=MEMORY`
//! all rows are sorted in one go, seconds for millions. With `temp_store=FILE` (the files are
//! [`crate::scratch_file`]s, in memory all the same) it sorts and puts away a piece whenever it has one of the size of
//! the page cache, and merges the pieces row by row. So the pieces are to be small, milliseconds each, but the page
//! cache is not: SQLite is told of a small one, and its allocator of pages ([`crate::page_cache`]) of one that is larger
//! by a factor.

use std::sync::Once;

use rusqlite::ffi;

use crate::page_cache;

/// The least that is sorted at a time, in pages: less than the told page cache, which decides.
const SORTED_PAGES_MIN: u32 = 64;

/// Configures SQLite. To be called before anything else of it.
pub(crate) fn configure() {
    static CONFIGURED: Once = Once::new();
    CONFIGURED.call_once(|| {
        // SAFETY: SQLite has not begun; if another user of the library in this process has begun it, it refuses and
        // changes nothing. Nobody else is in here.
        let code = unsafe {
            let mut code = page_cache::configure();
            if code == ffi::SQLITE_OK {
                code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_PMASZ, SORTED_PAGES_MIN);
            }
            if code == ffi::SQLITE_OK {
                // Its statistics of memory, which nobody asks for, take a lock at each allocation.
                code = ffi::sqlite3_config(ffi::SQLITE_CONFIG_MEMSTATUS, 0);
            }
            code
        };
        if code != ffi::SQLITE_OK {
            tracing::error!(code, "SQLite had begun before it was configured: no database can be opened");
        }
    });
}
