//! COPY's binary format, as pure functions: bytes to rows of fields, fields to bytes.
//!
//! Source: manual, COPY, "Binary Format"; `src/backend/commands/copyfromparse.c`.

use bytes::{Buf, BufMut, BytesMut};

use crate::{Result, SqlError, error};

/// What every file begins with.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";

/// The length of signature, flags and the length of the header's extension.
const HEADER_BYTES: usize = SIGNATURE.len() + 8;

/// The flags that mean that a reader cannot go on without knowing them.
const CRITICAL_FLAGS: u32 = 0xFFFF_0000;

/// The field count that ends the data.
const TRAILER: i16 = -1;

/// A row's fields, each in its type's binary form; `None` for NULL.
pub(super) type Fields = Vec<Option<Vec<u8>>>;

/// The header.
pub(super) fn header() -> Vec<u8> {
    let mut out = SIGNATURE.to_vec();
    out.extend_from_slice(&[0; 8]);
    out
}

/// The end of the data.
pub(super) fn trailer() -> Vec<u8> {
    TRAILER.to_be_bytes().to_vec()
}

/// One row. `fields` appends each field with its length.
///
/// # Errors
/// Those of writing a field.
pub(super) fn row(count: usize, fields: impl FnOnce(&mut BytesMut) -> Result<()>) -> Result<BytesMut> {
    let mut out = BytesMut::new();
    out.put_i16(i16::try_from(count).map_err(|_| SqlError::internal("too many columns"))?);
    fields(&mut out)?;
    Ok(out)
}

/// Cuts a stream of bytes into rows.
pub(super) struct BinaryReader {
    columns: usize,
    pending: BytesMut,
    begun: bool,
    ended: bool,
}

impl BinaryReader {
    pub(super) fn new(columns: usize) -> Self {
        Self { columns, pending: BytesMut::new(), begun: false, ended: false }
    }

    /// Takes more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The rows that are complete; with `last`, nothing may be left.
    ///
    /// # Errors
    /// `22P04`.
    pub(super) fn rows(&mut self, last: bool) -> Result<Vec<Fields>> {
        let mut rows = Vec::new();
        if !self.begun {
            self.begun = self.read_header()?;
            if !self.begun && last {
                return Err(error!(BAD_COPY_FILE_FORMAT, "COPY file signature not recognized"));
            }
        }
        while self.begun && !self.ended {
            let Some((row, length)) = self.row()? else { break };
            self.pending.advance(length);
            match row {
                Some(row) => rows.push(row),
                None => self.ended = true,
            }
        }
        if self.ended && !self.pending.is_empty() {
            return Err(error!(BAD_COPY_FILE_FORMAT, "received copy data after EOF marker"));
        }
        if last && !self.pending.is_empty() {
            return Err(error!(BAD_COPY_FILE_FORMAT, "unexpected EOF in COPY data"));
        }
        Ok(rows)
    }

    /// Takes the header when it is complete; whether it was.
    fn read_header(&mut self) -> Result<bool> {
        let known = self.pending.len().min(SIGNATURE.len());
        if self.pending[..known] != SIGNATURE[..known] {
            return Err(error!(BAD_COPY_FILE_FORMAT, "COPY file signature not recognized"));
        }
        let Some(mut rest) = self.pending.get(SIGNATURE.len()..HEADER_BYTES) else { return Ok(false) };
        let (flags, extension) = (rest.get_u32(), rest.get_i32());
        if flags & CRITICAL_FLAGS != 0 {
            return Err(error!(BAD_COPY_FILE_FORMAT, "unrecognized critical flags in COPY file header"));
        }
        let extension = usize::try_from(extension)
            .map_err(|_| error!(BAD_COPY_FILE_FORMAT, "invalid COPY file header (wrong length)"))?;
        if self.pending.len() < HEADER_BYTES + extension {
            return Ok(false);
        }
        self.pending.advance(HEADER_BYTES + extension);
        Ok(true)
    }

    /// The row that begins here, `None` inside for the trailer, with its length; nothing when it is incomplete.
    #[allow(clippy::type_complexity, reason = "taken apart at once")]
    fn row(&self) -> Result<Option<(Option<Fields>, usize)>> {
        let mut rest = &self.pending[..];
        let Ok(count) = rest.try_get_i16() else { return Ok(None) };
        if count == TRAILER {
            return Ok(Some((None, self.pending.len() - rest.len())));
        }
        if usize::try_from(count) != Ok(self.columns) {
            let expected = self.columns;
            return Err(error!(BAD_COPY_FILE_FORMAT, "row field count is {count}, expected {expected}"));
        }
        let mut fields = Vec::with_capacity(self.columns);
        for _ in 0..self.columns {
            let Ok(length) = rest.try_get_i32() else { return Ok(None) };
            if length == -1 {
                fields.push(None);
                continue;
            }
            let length =
                usize::try_from(length).map_err(|_| error!(BAD_COPY_FILE_FORMAT, "invalid field size"))?;
            let Some((field, after)) = rest.split_at_checked(length) else { return Ok(None) };
            fields.push(Some(field.to_vec()));
            rest = after;
        }
        Ok(Some((Some(fields), self.pending.len() - rest.len())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_wherever_the_pieces_end() {
        let mut bytes = header();
        let written = row(2, |out| {
            out.put_i32(1);
            out.put_u8(7);
            out.put_i32(-1);
            Ok(())
        });
        bytes.extend_from_slice(&written.expect("two columns"));
        bytes.extend(trailer());
        for cut in 0..bytes.len() {
            let mut reader = BinaryReader::new(2);
            reader.push(&bytes[..cut]);
            let mut rows = reader.rows(false).expect("good so far");
            reader.push(&bytes[cut..]);
            rows.extend(reader.rows(true).expect("good"));
            assert_eq!(rows, [[Some(vec![7]), None]], "cut at {cut}");
        }
        let mut reader = BinaryReader::new(1);
        reader.push(&bytes);
        assert_eq!(reader.rows(true).expect_err("two fields").message(), "row field count is 2, expected 1");
    }
}
