//! Bodies being walked over: every step is checked against what is there, and nothing is copied.
//!
//! Source: texts of `src/backend/libpq/pqformat.c` and `src/backend/utils/mb/mbutils.c`.

use pgwire::messages::data::{FORMAT_CODE_BINARY, FORMAT_CODE_TEXT};
use sql::session::Format;
use sql::{Result, SqlError, error};

/// A body and how far it has been walked.
pub(super) struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { rest: body }
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8> {
        let (byte, rest) =
            self.rest.split_first().ok_or_else(|| error!(PROTOCOL_VIOLATION, "no data left in message"))?;
        self.rest = rest;
        Ok(*byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or_else(insufficient)?;
        self.rest = rest;
        Ok(*taken)
    }

    pub(super) fn int32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// A count of things that follow, unsigned as PostgreSQL reads it.
    pub(super) fn count(&mut self) -> Result<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// Text up to a zero byte.
    pub(super) fn text(&mut self) -> Result<&'a str> {
        let end = memchr::memchr(0, self.rest);
        let end = end.ok_or_else(|| error!(PROTOCOL_VIOLATION, "invalid string in message"))?;
        let text = utf8(&self.rest[..end])?;
        self.rest = &self.rest[end + 1..];
        Ok(text)
    }

    /// Format codes with their count.
    pub(super) fn formats(&mut self) -> Result<Vec<Format>> {
        let count = self.count()?;
        let format = |_| match self.array().map(i16::from_be_bytes)? {
            FORMAT_CODE_TEXT => Ok(Format::Text),
            FORMAT_CODE_BINARY => Ok(Format::Binary),
            code => Err(error!(INVALID_PARAMETER_VALUE, "unsupported format code: {code}")),
        };
        (0..count).map(format).collect()
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<()> {
        if self.rest.is_empty() {
            return Ok(());
        }
        Err(error!(PROTOCOL_VIOLATION, "invalid message format"))
    }
}

pub(super) fn insufficient() -> SqlError {
    error!(PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// Text of a client.
///
/// # Errors
/// `22021` naming the first bytes that are not UTF-8, as PostgreSQL shows them.
pub(super) fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|error| {
        let bad = &bytes[error.valid_up_to()..];
        let shown = sequence_length(bad[0]).min(bad.len());
        let hex: Vec<String> = bad[..shown].iter().map(|byte| format!("0x{byte:02x}")).collect();
        error!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", hex.join(" "))
    })
}

/// How many bytes the character that begins so would have.
fn sequence_length(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}
