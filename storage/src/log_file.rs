//! SQLite's way to its files, with an eye on the log: which pages are written into it, and in how many pieces.
//!
//! [`crate::clock`] is told of each before the commit that writes it can be seen; [`crate::page_cache`] asks it when
//! a page is looked at. A page that comes from the database file was copied there by a checkpoint, which has flushed
//! the log first.
//!
//! SQLite writes each page of a commit as two pieces, a frame's header and the page. Nobody reads them before the commit
//! is told in the log's index, which comes after the last of them. So frames are gathered, and written together when the
//! commit's last one is there ([`Gathered`]): its header says that it is. That write's failure is the commit's, as it
//! would have been. A crash in the middle of it leaves what a crash between the pieces would have left.
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
/// How many bytes of frames are gathered before they are written although more will come. (`unix-excl` writes less than
/// 128 KiB at once.)
const GATHERED_BYTES_MAX: usize = 64 << 10;

/// What is kept of one connection's log. Touched only by the thread inside the connection's handle.
struct Noted {
    clock: Arc<CommitClock>,
    base: *const ffi::sqlite3_io_methods,
    gathered: RefCell<Gathered>,
}

/// Frames that SQLite has written and the file does not have yet: all of one transaction, one after the other.
#[derive(Default)]
struct Gathered {
    /// Where the first begins.
    start: i64,
    bytes: Vec<u8>,
    /// Whether the last is only a header so far, and whether it is a commit's last.
    open: Option<LastOfCommit>,
}

/// Whether a frame is the last of a commit.
#[derive(Clone, Copy, PartialEq, Eq)]
struct LastOfCommit(bool);

impl Gathered {
    fn end(&self) -> i64 {
        self.start + i64::try_from(self.bytes.len()).unwrap_or(i64::MAX)
    }

    /// Whether something written here comes right after the last piece.
    fn goes_on_at(&self, position: i64) -> bool {
        self.bytes.is_empty() || position == self.end()
    }

    /// Takes in a frame's header; the last of a commit gives the database's size in its second four bytes.
    fn header(&mut self, header: [u8; FRAME_HEADER_BYTES], position: i64) {
        if self.bytes.is_empty() {
            self.start = position;
        }
        self.bytes.extend_from_slice(&header);
        self.open = Some(LastOfCommit(header[4..8] != [0; 4]));
    }

    /// Takes in the page of the frame that is open; whether all is to be written now.
    fn page(&mut self, page: &[u8]) -> bool {
        self.bytes.extend_from_slice(page);
        self.open.take() == Some(LastOfCommit(true)) || self.bytes.len() >= GATHERED_BYTES_MAX
    }

    /// Forgets all frames.
    fn clear(&mut self) {
        self.open = None;
        self.bytes.clear();
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
        let noted = Noted { clock, base: methods, gathered: RefCell::default() };
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
        methods.xRead = Some(read);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync);
        methods.xFileSize = Some(file_size);
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
    // SAFETY: SQLite's call on a log that `open` has made; the buffer is of that size.
    unsafe {
        let noted = noted(file);
        let length = usize::try_from(amount).unwrap_or(0);
        let bytes = std::slice::from_raw_parts(buffer.cast::<u8>(), length);
        let mut gathered = noted.gathered.borrow_mut();
        if !gathered.goes_on_at(position) {
            let code = write_gathered(file, noted, &mut gathered);
            if code != ffi::SQLITE_OK {
                return code;
            }
        }
        if let Ok(header) = <[u8; FRAME_HEADER_BYTES]>::try_from(bytes) {
            noted.clock.write_page(page_of_frame(&header));
            gathered.header(header, position);
            return ffi::SQLITE_OK;
        }
        if gathered.open.is_some() {
            return match gathered.page(bytes) {
                true => write_gathered(file, noted, &mut gathered),
                false => ffi::SQLITE_OK,
            };
        }
        // The log's own header, or a page that a transaction writes once more.
        match write_gathered(file, noted, &mut gathered) {
            ffi::SQLITE_OK => write_base(file, noted, bytes, position),
            code => code,
        }
    }
}

/// Writes what is gathered, and forgets it, be it written or not: SQLite gives the transaction up on a failure.
///
/// # Safety
/// `file` is a log that `open` has made, `noted` what is kept of it.
unsafe fn write_gathered(file: *mut ffi::sqlite3_file, noted: &Noted, gathered: &mut Gathered) -> c_int {
    if gathered.bytes.is_empty() {
        return ffi::SQLITE_OK;
    }
    // SAFETY: the caller's promise.
    let code = unsafe { write_base(file, noted, &gathered.bytes, gathered.start) };
    gathered.clear();
    code
}

/// # Safety
/// As for [`write_gathered`].
unsafe fn write_base(file: *mut ffi::sqlite3_file, noted: &Noted, bytes: &[u8], position: i64) -> c_int {
    let Ok(amount) = c_int::try_from(bytes.len()) else { return ffi::SQLITE_IOERR };
    // SAFETY: the caller's promise; the bytes outlive the call.
    unsafe {
        let write = (*noted.base).xWrite;
        write.map_or(ffi::SQLITE_IOERR, |write| write(file, bytes.as_ptr().cast(), amount, position))
    }
}

/// What is gathered is written, then the base is asked.
///
/// # Safety
/// `file` is a log that `open` has made.
unsafe fn after_gathered(
    file: *mut ffi::sqlite3_file,
    ask: impl FnOnce(&ffi::sqlite3_io_methods) -> Option<c_int>,
) -> c_int {
    // SAFETY: the caller's promise; the base's methods live as long as the process.
    unsafe {
        let noted = noted(file);
        let code = write_gathered(file, noted, &mut noted.gathered.borrow_mut());
        if code != ffi::SQLITE_OK {
            return code;
        }
        ask(&*noted.base).unwrap_or(ffi::SQLITE_IOERR)
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    position: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite's call on a log that `open` has made, passed on; so for those below.
    unsafe { after_gathered(file, |base| Some(base.xRead?(file, buffer, amount, position))) }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `read`.
    unsafe { after_gathered(file, |base| Some(base.xTruncate?(file, size))) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: see `read`.
    unsafe { after_gathered(file, |base| Some(base.xSync?(file, flags))) }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `read`.
    unsafe { after_gathered(file, |base| Some(base.xFileSize?(file, size))) }
}

/// The page that a frame's header announces, in its first four bytes.
///
/// Source: <https://www.sqlite.org/fileformat2.html#walformat>.
fn page_of_frame(header: &[u8; FRAME_HEADER_BYTES]) -> u32 {
    u32::from_be_bytes([header[0], header[1], header[2], header[3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_gathered_to_the_last_of_a_commit() {
        let mut gathered = Gathered::default();
        let header = |last: u8| {
            let mut header = [0; FRAME_HEADER_BYTES];
            (header[3], header[7]) = (9, last);
            header
        };
        assert_eq!(page_of_frame(&header(0)), 9);
        assert!(gathered.goes_on_at(32));
        gathered.header(header(0), 32);
        assert!(!gathered.page(&[1; 100]));
        assert!(gathered.goes_on_at(32 + 124) && !gathered.goes_on_at(32));
        gathered.header(header(7), 32 + 124);
        assert!(gathered.page(&[2; 100]), "it is the last");
        assert_eq!((gathered.start, gathered.bytes.len()), (32, 248));
        gathered.clear();
        assert!(gathered.goes_on_at(5));
        gathered.header(header(0), 5);
        assert!(gathered.page(&vec![0; GATHERED_BYTES_MAX]), "they are too many");
    }
}
