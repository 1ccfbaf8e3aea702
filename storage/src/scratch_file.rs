//! SQLite's temporary files, in memory: what it puts away while it sorts, undoes or remembers rows. Nothing temporary
//! goes to the disk, which could be full or have no place for it.
//!
//! A sort can be stopped here: it writes its pieces to such a file and reads them back, in a statement's own time. It
//! then fails with an error of its own, for which SQLite undoes the statement only, not the transaction.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::slice;

use rusqlite::ffi;

use crate::interrupt;

/// The code of a statement that was stopped at a file: an error like those of host functions.
pub(crate) const STOPPED: c_int = ffi::SQLITE_ERROR | (200 << 8);

/// Content is kept in pieces of this size, in bytes, so that growing never moves what is there.
const PIECE_BYTES: usize = 64 << 10;

/// The content of a file.
#[derive(Default)]
struct Content {
    pieces: Vec<Box<[u8]>>,
    length: usize,
}

impl Content {
    /// Copies out as much as there is from a position on; how many bytes.
    fn read(&self, mut position: usize, into: &mut [u8]) -> usize {
        let end = self.length.min(position.saturating_add(into.len()));
        let mut done = 0;
        while position < end {
            let inside = position % PIECE_BYTES;
            let count = (end - position).min(PIECE_BYTES - inside);
            let piece = &self.pieces[position / PIECE_BYTES];
            into[done..done + count].copy_from_slice(&piece[inside..inside + count]);
            (position, done) = (position + count, done + count);
        }
        done
    }

    fn write(&mut self, mut position: usize, mut from: &[u8]) {
        let end = position.saturating_add(from.len());
        while self.pieces.len() * PIECE_BYTES < end {
            self.pieces.push(vec![0; PIECE_BYTES].into_boxed_slice());
        }
        while !from.is_empty() {
            let inside = position % PIECE_BYTES;
            let (now, rest) = from.split_at(from.len().min(PIECE_BYTES - inside));
            self.pieces[position / PIECE_BYTES][inside..inside + now.len()].copy_from_slice(now);
            (position, from) = (position + now.len(), rest);
        }
        self.length = self.length.max(end);
    }

    fn truncate(&mut self, length: usize) {
        if length >= self.length {
            return;
        }
        self.pieces.truncate(length.div_ceil(PIECE_BYTES));
        if let Some(last) = self.pieces.last_mut() {
            // What is written beyond the end later leaves zeros between.
            let inside = length % PIECE_BYTES;
            if inside > 0 {
                last[inside..].fill(0);
            }
        }
        self.length = length;
    }
}

/// A file as SQLite has it.
#[repr(C)]
struct File {
    base: ffi::sqlite3_file,
    content: *mut Content,
    /// Whether reading and writing it may be stopped. What statements are undone from may not.
    stoppable: bool,
}

/// The content of a file of ours.
///
/// # Safety
/// `file` is one that [`open`] has made and that has not been closed; nobody else has its content.
unsafe fn content<'a>(file: *mut ffi::sqlite3_file) -> &'a mut Content {
    // SAFETY: the caller's promise.
    unsafe { &mut *(*file.cast::<File>()).content }
}

/// Whether what SQLite does with a file is to be stopped.
///
/// # Safety
/// As for [`content`].
unsafe fn stops(file: *mut ffi::sqlite3_file) -> bool {
    // SAFETY: the caller's promise.
    unsafe { (*file.cast::<File>()).stoppable && interrupt::must_stop() }
}

/// Opens a temporary file.
///
/// # Safety
/// `file` is memory of SQLite's for a file, at least as large as one of its own VFS; `given` is null or a place.
pub(crate) unsafe fn open(file: *mut ffi::sqlite3_file, flags: c_int, given: *mut c_int) -> c_int {
    debug_assert!(size_of::<File>() <= 64, "smaller than a file of SQLite's own");
    let content = Box::into_raw(Box::default());
    let stoppable = flags & ffi::SQLITE_OPEN_TEMP_JOURNAL != 0;
    // SAFETY: the caller's promise.
    unsafe {
        ptr::write(
            file.cast::<File>(),
            File { base: ffi::sqlite3_file { pMethods: &raw const METHODS }, content, stoppable },
        );
        if !given.is_null() {
            *given = flags;
        }
    }
    ffi::SQLITE_OK
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 1,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(lock),
    xCheckReservedLock: Some(check_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(none),
    xDeviceCharacteristics: Some(none),
    xShmMap: None,
    xShmLock: None,
    xShmBarrier: None,
    xShmUnmap: None,
    xFetch: None,
    xUnfetch: None,
};

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes a file once and does not use it afterwards.
    unsafe {
        drop(Box::from_raw((*file.cast::<File>()).content));
        (*file).pMethods = ptr::null();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    amount: c_int,
    position: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(amount), Ok(position)) = (usize::try_from(amount), usize::try_from(position)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: SQLite's call on a file of ours, with a buffer of that size.
    unsafe {
        if stops(file) {
            return STOPPED;
        }
        // It may not have been written yet.
        ptr::write_bytes(buffer.cast::<u8>(), 0, amount);
        let into = slice::from_raw_parts_mut(buffer.cast::<u8>(), amount);
        if content(file).read(position, into) == amount {
            ffi::SQLITE_OK
        } else {
            ffi::SQLITE_IOERR_SHORT_READ
        }
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    buffer: *const c_void,
    amount: c_int,
    position: ffi::sqlite3_int64,
) -> c_int {
    let (Ok(amount), Ok(position)) = (usize::try_from(amount), usize::try_from(position)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: as in `read`.
    unsafe {
        if stops(file) {
            return STOPPED;
        }
        content(file).write(position, slice::from_raw_parts(buffer.cast::<u8>(), amount));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's call on a file of ours.
    unsafe { content(file) }.truncate(usize::try_from(length).unwrap_or(0));
    ffi::SQLITE_OK
}

unsafe extern "C" fn sync(_file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: SQLite's call on a file of ours, with a place for the answer.
    unsafe { *size = ffi::sqlite3_int64::try_from(content(file).length).unwrap_or(0) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(_file: *mut ffi::sqlite3_file, _level: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_lock(_file: *mut ffi::sqlite3_file, locked: *mut c_int) -> c_int {
    // SAFETY: a place for the answer.
    unsafe { *locked = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(
    _file: *mut ffi::sqlite3_file,
    _operation: c_int,
    _argument: *mut c_void,
) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn none(_file: *mut ffi::sqlite3_file) -> c_int {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_read_as_it_was_written() {
        let mut content = Content::default();
        let text: Vec<u8> = (0..PIECE_BYTES * 3).map(|at| (at % 251) as u8).collect();
        content.write(0, &text[..10]);
        content.write(10, &text[10..]);
        let mut read = vec![0; 1000];
        assert_eq!(content.read(PIECE_BYTES - 500, &mut read), 1000);
        assert_eq!(read, text[PIECE_BYTES - 500..PIECE_BYTES + 500]);
        assert_eq!(content.read(text.len() - 1, &mut read), 1);
        assert_eq!(content.read(text.len() + 1, &mut read), 0);
    }

    #[test]
    fn what_is_cut_off_is_gone() {
        let mut content = Content::default();
        content.write(0, &[7; 100]);
        content.truncate(10);
        content.truncate(50);
        let mut read = [1; 20];
        assert_eq!(content.read(0, &mut read), 10);
        content.write(15, &[9]);
        assert_eq!(content.read(0, &mut read), 16);
        assert_eq!(read[..16], [7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 9]);
    }
}
