//! Values across the border to SQLite.
//!
//! Text is validated on its way in, although only we write it: another program may have edited the file while
//! the server was down, and a cast of a blob to text is not checked by SQLite. What is not UTF-8 arrives as a
//! blob, so a function refuses it as the wrong type instead of meeting undefined behaviour. Validation costs
//! about 1 ns in 16 bytes.
//!
//! Text and blobs on their way out are copied by SQLite (`SQLITE_TRANSIENT`): handing over our own allocation
//! would need its capacity at the time it is freed, which SQLite does not keep.

use std::ffi::{c_int, c_uchar};
use std::{ptr, slice};

use rusqlite::ffi;

use crate::handle::VALUE_BYTES_MAX;
use crate::{ValueRef, interrupt, scratch_file};

const UTF8: c_uchar = ffi::SQLITE_UTF8 as c_uchar;

/// How many bytes of a result are copied between two looks whether to stop.
const COPY_BYTES: usize = 1 << 20;

/// Arguments up to this many are looked at without an allocation.
const INLINE_ARGUMENTS: usize = 8;

/// Column `index` of the row a statement stands at.
///
/// # Safety
/// The statement is live and stands at a row which has that column; the row stays until `'a` ends; this
/// thread is inside its handle.
pub(crate) unsafe fn column<'a>(raw: *mut ffi::sqlite3_stmt, index: usize) -> ValueRef<'a> {
    let index = index as c_int;
    // SAFETY: the caller's promise; a column's pointers live until the next step or reset, or a conversion,
    // and nothing here converts: each is asked for in the type that it has.
    unsafe {
        match ffi::sqlite3_column_type(raw, index) {
            ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_column_int64(raw, index)),
            ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_column_double(raw, index)),
            ffi::SQLITE_TEXT => {
                let start = ffi::sqlite3_column_text(raw, index);
                text(bytes(start, ffi::sqlite3_column_bytes(raw, index)))
            }
            ffi::SQLITE_BLOB => {
                let start = ffi::sqlite3_column_blob(raw, index);
                ValueRef::Blob(bytes(start.cast(), ffi::sqlite3_column_bytes(raw, index)))
            }
            _ => ValueRef::Null,
        }
    }
}

/// One argument of a function.
///
/// # Safety
/// The value is live and unchanged until `'a` ends, as the arguments of a callback are until it returns.
unsafe fn argument<'a>(raw: *mut ffi::sqlite3_value) -> ValueRef<'a> {
    // SAFETY: the caller's promise, and as for `column`.
    unsafe {
        match ffi::sqlite3_value_type(raw) {
            ffi::SQLITE_INTEGER => ValueRef::Integer(ffi::sqlite3_value_int64(raw)),
            ffi::SQLITE_FLOAT => ValueRef::Real(ffi::sqlite3_value_double(raw)),
            ffi::SQLITE_TEXT => {
                let start = ffi::sqlite3_value_text(raw);
                text(bytes(start, ffi::sqlite3_value_bytes(raw)))
            }
            ffi::SQLITE_BLOB => {
                let start = ffi::sqlite3_value_blob(raw);
                ValueRef::Blob(bytes(start.cast(), ffi::sqlite3_value_bytes(raw)))
            }
            _ => ValueRef::Null,
        }
    }
}

/// Shows a callback's arguments to `body`.
///
/// # Safety
/// `count` and `raw` are those of a callback that has not returned.
pub(crate) unsafe fn with_arguments<R>(
    count: c_int,
    raw: *mut *mut ffi::sqlite3_value,
    body: impl FnOnce(&[ValueRef<'_>]) -> R,
) -> R {
    let count = usize::try_from(count).unwrap_or(0);
    if count == 0 {
        return body(&[]);
    }
    // SAFETY: the caller's promise: an array of so many live values.
    let raw = unsafe { slice::from_raw_parts(raw, count) };
    // SAFETY: as above.
    let values = raw.iter().map(|raw| unsafe { argument(*raw) });
    if count > INLINE_ARGUMENTS {
        return body(&values.collect::<Vec<_>>());
    }
    let mut inline = [ValueRef::Null; INLINE_ARGUMENTS];
    inline.iter_mut().zip(values).for_each(|(place, value)| *place = value);
    body(&inline[..count])
}

/// Makes a value the result of a callback.
///
/// # Safety
/// The context is that of a callback that has not returned.
pub(crate) unsafe fn set_result(context: *mut ffi::sqlite3_context, value: ValueRef<'_>) {
    let copy = ffi::SQLITE_TRANSIENT();
    if let ValueRef::Text(_) | ValueRef::Blob(_) = value {
        // SAFETY: the caller's promise.
        if unsafe { set_long_result(context, value) } {
            return;
        }
    }
    // SAFETY: the caller's promise; SQLite copies text and blobs before it returns.
    unsafe {
        match value {
            ValueRef::Null => ffi::sqlite3_result_null(context),
            ValueRef::Integer(integer) => ffi::sqlite3_result_int64(context, integer),
            ValueRef::Real(real) => ffi::sqlite3_result_double(context, real),
            ValueRef::Text(text) => {
                ffi::sqlite3_result_text64(context, text.as_ptr().cast(), text.len() as u64, copy, UTF8);
            }
            ValueRef::Blob(blob) => {
                ffi::sqlite3_result_blob64(context, blob.as_ptr().cast(), blob.len() as u64, copy);
            }
        }
    }
}

/// As [`set_result`] for long text and blobs, which are copied piece by piece so that this can be stopped. False for
/// others, with nothing done.
///
/// # Safety
/// As for [`set_result`].
unsafe fn set_long_result(context: *mut ffi::sqlite3_context, value: ValueRef<'_>) -> bool {
    let (bytes, is_text) = match value {
        ValueRef::Text(text) => (text.as_bytes(), true),
        ValueRef::Blob(blob) => (blob, false),
        _ => return false,
    };
    let length = bytes.len() as u64;
    if bytes.len() <= COPY_BYTES || bytes.len() > VALUE_BYTES_MAX as usize {
        return false;
    }
    // SAFETY: the memory is as long as what is copied there, and is SQLite's to free from the moment it is given.
    unsafe {
        let memory = ffi::sqlite3_malloc64(length).cast::<u8>();
        if memory.is_null() {
            return false;
        }
        for (index, piece) in bytes.chunks(COPY_BYTES).enumerate() {
            if interrupt::must_stop() {
                ffi::sqlite3_free(memory.cast());
                ffi::sqlite3_result_error_code(context, scratch_file::STOPPED);
                return true;
            }
            ptr::copy_nonoverlapping(piece.as_ptr(), memory.add(index * COPY_BYTES), piece.len());
        }
        let free: ffi::sqlite3_destructor_type = Some(ffi::sqlite3_free);
        if is_text {
            ffi::sqlite3_result_text64(context, memory.cast_const().cast(), length, free, UTF8);
        } else {
            ffi::sqlite3_result_blob64(context, memory.cast_const().cast(), length, free);
        }
    }
    true
}

/// Makes a value a parameter of a statement; SQLite's code.
///
/// # Safety
/// The statement is live and this thread is inside its handle.
pub(crate) unsafe fn bind(raw: *mut ffi::sqlite3_stmt, index: c_int, value: ValueRef<'_>) -> c_int {
    let copy = ffi::SQLITE_TRANSIENT();
    // SAFETY: the caller's promise; SQLite copies text and blobs before it returns.
    unsafe {
        match value {
            ValueRef::Null => ffi::sqlite3_bind_null(raw, index),
            ValueRef::Integer(integer) => ffi::sqlite3_bind_int64(raw, index, integer),
            ValueRef::Real(real) => ffi::sqlite3_bind_double(raw, index, real),
            ValueRef::Text(text) => {
                ffi::sqlite3_bind_text64(raw, index, text.as_ptr().cast(), text.len() as u64, copy, UTF8)
            }
            ValueRef::Blob(blob) => {
                ffi::sqlite3_bind_blob64(raw, index, blob.as_ptr().cast(), blob.len() as u64, copy)
            }
        }
    }
}

/// # Safety
/// `start` is null, or that many bytes are there and stay until `'a` ends.
pub(crate) unsafe fn bytes<'a>(start: *const u8, length: c_int) -> &'a [u8] {
    match usize::try_from(length) {
        // SAFETY: the caller's promise.
        Ok(length) if length > 0 && !start.is_null() => unsafe { slice::from_raw_parts(start, length) },
        _ => &[],
    }
}

fn text(bytes: &[u8]) -> ValueRef<'_> {
    std::str::from_utf8(bytes).map_or(ValueRef::Blob(bytes), ValueRef::Text)
}
