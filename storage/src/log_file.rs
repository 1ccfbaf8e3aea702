//! SQLite's way to its files, with an eye on the log: which pages are written into it, and in how many pieces.
//!
//! [`crate::clock`] is told of each before the commit that writes it can be seen; [`crate::page_cache`] asks it when
//! a page is looked at. A page that comes from the database file was copied there by a checkpoint, which has flushed
//! the log first.
//!
//! SQLite writes a page as two pieces, a frame's header and the page, one right after the other. A header that is appended
//! waits for its page, and both are one write ([`Appending`]). A header that is written over an older one, as those of a
//! large transaction are in the end, comes without a page and is written at once.
//!
//! It is `unix-excl` under another name. Files other than logs, and logs of databases that were not
//! [`watch`]ed, are left to it entirely; a log's file gets methods that note and pass on. What is noted lies in
//! the file's memory behind what `unix-excl` keeps there.

use std::cell::RefCell;
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

/// Bytes of a frame's header. No page is as small.
const FRAME_HEADER_BYTES: usize = 24;

/// What is kept of one connection's log. Touched only by the thread inside the connection's handle.
struct Noted {
    clock: Arc<CommitClock>,
    base: *const ffi::sqlite3_io_methods,
    appending: RefCell<Appending>,
}

/// Where a connection appends frames to the log, and the frame that it is just appending.
#[derive(Default)]
struct Appending {
    /// Where the last frame ends that the connection has appended since the log began. What it writes before this is
    /// written over something.
    end: i64,
    /// A header without its page, and where it is to be.
    header: Option<i64>,
    frame: Vec<u8>,
}

/// What is to be done with a piece that SQLite writes.
#[derive(Debug, PartialEq, Eq)]
enum Piece {
    /// It waits for the next one.
    Kept,
    /// It goes to the file as it is.
    Through,
    /// With the header before it, it is a frame, which begins there.
    Frame(i64),
}

impl Appending {
    fn take(&mut self, bytes: &[u8], position: i64) -> Piece {
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        if let Some(start) = self.header.take() {
            // SQLite writes the page next, or it has failed to.
            if position == start + FRAME_HEADER_BYTES as i64 {
                self.frame.extend_from_slice(bytes);
                self.end = position + length;
                return Piece::Frame(start);
            }
        }
        // The log's own header: it begins anew.
        if position == 0 {
            self.end = 0;
        }
        if bytes.len() != FRAME_HEADER_BYTES || position < self.end {
            return Piece::Through;
        }
        self.frame.clear();
        self.frame.extend_from_slice(bytes);
        self.header = Some(position);
        Piece::Kept
    }
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
        let noted = Noted { clock, base: methods, appending: RefCell::default() };
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
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), usize::try_from(amount).unwrap_or(0));
        if let Ok(header) = <&[u8; FRAME_HEADER_BYTES]>::try_from(bytes) {
            let (page, size) = read_frame_header(header);
            noted.clock.write_page(page, size);
        }
        let Some(write) = (*noted.base).xWrite else { return ffi::SQLITE_IOERR };
        let mut appending = noted.appending.borrow_mut();
        match appending.take(bytes, position) {
            Piece::Kept => ffi::SQLITE_OK,
            Piece::Through => write(file, buffer, amount, position),
            Piece::Frame(start) => {
                let Ok(amount) = c_int::try_from(appending.frame.len()) else { return ffi::SQLITE_IOERR };
                write(file, appending.frame.as_ptr().cast(), amount, start)
            }
        }
    }
}

/// The page that a frame's header announces, and, at the end of a commit, how many pages the database then has.
///
/// Source: <https://www.sqlite.org/fileformat2.html#walformat>.
fn read_frame_header(header: &[u8; FRAME_HEADER_BYTES]) -> (u32, Option<u32>) {
    let number = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    (number(0), Some(number(4)).filter(|size| *size > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_waits_for_its_page_and_for_nothing_else() {
        let mut appending = Appending::default();
        let (header, page) = ([9; FRAME_HEADER_BYTES], [1; 100]);
        let log_header = [0; 32];
        assert_eq!(read_frame_header(&header), (0x0909_0909, Some(0x0909_0909)));
        assert_eq!(read_frame_header(&[0; FRAME_HEADER_BYTES]), (0, None));
        assert_eq!(appending.take(&log_header, 0), Piece::Through);
        for frame in 0..3 {
            let start = 32 + frame * 124;
            assert_eq!(appending.take(&header, start), Piece::Kept);
            assert_eq!(appending.take(&page, start + 24), Piece::Frame(start));
            assert_eq!(appending.frame.len(), 124);
        }
        // Written once more: a page, a header.
        assert_eq!(appending.take(&page, 32 + 24), Piece::Through);
        assert_eq!(appending.take(&header, 32 + 124), Piece::Through);
        assert_eq!(appending.take(&header, 32 + 2 * 124), Piece::Through);
        // After a rollback: each piece by itself, until what is there is passed.
        assert_eq!(appending.take(&header, 32 + 124), Piece::Through);
        assert_eq!(appending.take(&page, 32 + 124 + 24), Piece::Through);
        assert_eq!(appending.take(&header, 32 + 3 * 124), Piece::Kept);
        // A header whose page never came is not taken for that of another one.
        assert_eq!(appending.take(&header, 32 + 4 * 124), Piece::Kept);
        assert_eq!(appending.take(&page, 32 + 4 * 124 + 24), Piece::Frame(32 + 4 * 124));
        // The log begins anew.
        assert_eq!(appending.take(&log_header, 0), Piece::Through);
        assert_eq!(appending.take(&header, 32), Piece::Kept);
    }
}
