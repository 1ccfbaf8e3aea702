//! SQLite's way to its files, with an eye on the log: which pages are written into it.
//!
//! [`crate::clock`] is told of each before the commit that writes it can be seen; [`crate::page_cache`] asks it when
//! a page is looked at. A page that comes from the database file was copied there by a checkpoint, which has flushed
//! the log first.
//!
//! It is `unix-excl` under another name. Files other than logs, and logs of databases that were not
//! [`watch`]ed, are left to it entirely; a log's file gets methods that note and pass on. What is noted lies in
//! the file's memory behind what `unix-excl` keeps there.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, LazyLock, OnceLock, Weak};

use parking_lot::Mutex;
use rusqlite::ffi;

use crate::clock::CommitClock;
use crate::{Result, engine, failure, scratch_file};

/// The name under which it is registered.
pub(crate) const VFS: &CStr = c"postilion";
/// What it passes everything on to.
const BASE: &CStr = c"unix-excl";

/// The clocks of logs that are watched, by the log's path.
static WATCHED: LazyLock<Mutex<HashMap<PathBuf, Weak<CommitClock>>>> = LazyLock::new(Mutex::default);

/// [`BASE`] as SQLite has it; null until [`register`].
static BASE_VFS: AtomicPtr<ffi::sqlite3_vfs> = AtomicPtr::new(ptr::null_mut());

/// What is kept of one connection's log.
struct Noted {
    clock: Arc<CommitClock>,
    base: *const ffi::sqlite3_io_methods,
}

/// Keeps a log watched.
pub(crate) struct Watch(PathBuf);

/// Watches a log that is opened from now on.
pub(crate) fn watch(log: &Path, clock: &Arc<CommitClock>) -> Result<Watch> {
    register()?;
    WATCHED.lock().insert(log.to_owned(), Arc::downgrade(clock));
    Ok(Watch(log.to_owned()))
}

impl Drop for Watch {
    fn drop(&mut self) {
        WATCHED.lock().remove(&self.0);
    }
}

fn register() -> Result<()> {
    static REGISTERED: OnceLock<c_int> = OnceLock::new();
    let code = *REGISTERED.get_or_init(|| {
        engine::configure();
        // SAFETY: the name is a C string. SQLite's own VFS lives as long as the process, and so does its copy.
        unsafe {
            let base = ffi::sqlite3_vfs_find(BASE.as_ptr());
            if base.is_null() {
                return ffi::SQLITE_NOTFOUND;
            }
            BASE_VFS.store(base, Ordering::Release);
            let mut own = ptr::read(base);
            own.zName = VFS.as_ptr();
            own.pNext = ptr::null_mut();
            let size = noted_offset() + size_of::<Noted>();
            own.szOsFile = c_int::try_from(size).unwrap_or(c_int::MAX);
            own.xOpen = Some(open);
            ffi::sqlite3_vfs_register(Box::leak(Box::new(own)), 0)
        }
    });
    if code == ffi::SQLITE_OK {
        Ok(())
    } else {
        Err(failure::fault("SQLite's file system is not as expected"))
    }
}

/// Where [`Noted`] lies in a file's memory. To be asked after [`register`].
fn noted_offset() -> usize {
    // SAFETY: set by `register`; SQLite's own VFS lives as long as the process.
    let size = unsafe { (*BASE_VFS.load(Ordering::Acquire)).szOsFile };
    usize::try_from(size).unwrap_or(0).next_multiple_of(align_of::<Noted>())
}

/// What is kept of a log that [`open`] has made.
///
/// # Safety
/// `file` is one, and open.
unsafe fn noted<'a>(file: *mut ffi::sqlite3_file) -> &'a Noted {
    // SAFETY: `open` has written it there, behind what the base keeps; it stays until `close`.
    unsafe { &*file.cast::<u8>().add(noted_offset()).cast::<Noted>() }
}

unsafe extern "C" fn open(
    _own: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    given: *mut c_int,
) -> c_int {
    // SAFETY: SQLite's call, passed on with the VFS that it is for. The file's memory is as large as `register`
    // has asked for.
    unsafe {
        if name.is_null() {
            return scratch_file::open(file, flags, given);
        }
        let base = BASE_VFS.load(Ordering::Acquire);
        let Some(open_base) = (*base).xOpen else { return ffi::SQLITE_CANTOPEN };
        let code = open_base(base, name, file, flags, given);
        if code != ffi::SQLITE_OK || flags & ffi::SQLITE_OPEN_WAL == 0 {
            return code;
        }
        let path = Path::new(OsStr::from_bytes(CStr::from_ptr(name).to_bytes()));
        let Some(clock) = WATCHED.lock().get(path).and_then(Weak::upgrade) else { return code };
        let methods = (*file).pMethods;
        let noted = Noted { clock, base: methods };
        ptr::write(file.cast::<u8>().add(noted_offset()).cast::<Noted>(), noted);
        (*file).pMethods = own_methods(methods);
        code
    }
}

/// The methods of watched logs. All logs have the same base.
///
/// # Safety
/// `base` are the methods of an open file.
unsafe fn own_methods(base: *const ffi::sqlite3_io_methods) -> *const ffi::sqlite3_io_methods {
    static METHODS: OnceLock<ffi::sqlite3_io_methods> = OnceLock::new();
    METHODS.get_or_init(|| {
        // SAFETY: the methods of a file are SQLite's for as long as the process lives.
        let mut methods = unsafe { ptr::read(base) };
        methods.xClose = Some(close);
        methods.xWrite = Some(write);
        methods
    })
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once, and does not use it afterwards; so what is kept of it is dropped once.
    unsafe {
        let noted = ptr::read(ptr::from_ref(noted(file)));
        (*noted.base).xClose.map_or(ffi::SQLITE_IOERR, |close_base| close_base(file))
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    position: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's call on a log that `open` has made, passed on; the buffer is of that size.
    unsafe {
        let noted = noted(file);
        if let Some(page) = page_of_frame(buffer, amount) {
            noted.clock.write_page(page);
        }
        (*noted.base)
            .xWrite
            .map_or(ffi::SQLITE_IOERR, |write_base| write_base(file, buffer, amount, position))
    }
}

/// The page that the frame's header just written announces, in its first four bytes. Pages are written by themselves.
///
/// Source: <https://www.sqlite.org/fileformat2.html#walformat>.
///
/// # Safety
/// `buffer` has `amount` bytes.
unsafe fn page_of_frame(buffer: *const c_void, amount: c_int) -> Option<u32> {
    const FRAME_HEADER_BYTES: c_int = 24;
    // SAFETY: the caller's promise; no page is as small.
    (amount == FRAME_HEADER_BYTES).then(|| u32::from_be_bytes(unsafe { ptr::read(buffer.cast::<[u8; 4]>()) }))
}
