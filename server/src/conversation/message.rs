//! What clients say: bodies to messages. Nothing here does I/O, and nothing here panics, whatever the bytes.
//!
//! Source: PostgreSQL manual, "Message Formats"; texts of `src/backend/libpq/pqformat.c`, `src/backend/tcop/postgres.c`.

use bytes::Bytes;
use sql::session::Format;
use sql::{Oid, Result, SqlError, error};

use super::frame::Frame;

/// A message of a client in a session.
#[derive(Debug, PartialEq)]
pub(crate) enum Message {
    /// Simple query.
    Query(String),
    /// Makes a prepared statement.
    Parse {
        name: String,
        query: String,
        parameters: Vec<Oid>,
    },
    /// Makes a portal.
    Bind(Bind),
    /// Asks for the shape of a statement or portal.
    Describe(Target, String),
    /// Runs a portal; no limit or the most rows to give.
    Execute {
        portal: String,
        rows_max: Option<u64>,
    },
    /// Forgets a statement or portal.
    Close(Target, String),
    /// Asks for all pending replies.
    Flush,
    /// Ends a series of extended messages.
    Sync,
    /// The obsolete function call.
    FunctionCall,
    /// COPY data, its end, or the client's giving it up. They mean something while a COPY runs only.
    CopyData(Bytes),
    CopyDone,
    CopyFail(String),
    /// The end.
    Terminate,
}

/// The body of a Bind message. The values are slices of the frame.
#[derive(Debug, PartialEq)]
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) parameter_formats: Vec<Format>,
    pub(crate) parameters: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<Format>,
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// Reads a frame.
///
/// # Errors
/// `08P01` for a body that is not of its type's form, `22021` for text that is not UTF-8.
pub(crate) fn decode(frame: Frame) -> Result<Message> {
    let mut body = Body { bytes: frame.body, at: 0 };
    let message = match frame.kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => decode_parse(&mut body)?,
        b'B' => Message::Bind(decode_bind(&mut body)?),
        b'D' => decode_target(&mut body, "DESCRIBE").map(|(target, name)| Message::Describe(target, name))?,
        b'C' => decode_target(&mut body, "CLOSE").map(|(target, name)| Message::Close(target, name))?,
        b'E' => {
            let portal = body.text()?;
            // Zero and less mean no limit.
            let rows_max = u64::try_from(body.int32()?).ok().filter(|rows| *rows > 0);
            Message::Execute { portal, rows_max }
        }
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'F' => return Ok(Message::FunctionCall),
        b'd' => return Ok(Message::CopyData(body.bytes)),
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(body.text()?),
        b'X' => return Ok(Message::Terminate),
        other => return Err(error!(PROTOCOL_VIOLATION, "invalid frontend message type {other}")),
    };
    body.end()?;
    Ok(message)
}

fn decode_parse(body: &mut Body) -> Result<Message> {
    let name = body.text()?;
    let query = body.text()?;
    let count = body.count()?;
    let parameters = (0..count).map(|_| Ok(Oid(body.int32()?.cast_unsigned()))).collect::<Result<_>>()?;
    Ok(Message::Parse { name, query, parameters })
}

fn decode_bind(body: &mut Body) -> Result<Bind> {
    let portal = body.text()?;
    let statement = body.text()?;
    let parameter_formats = body.formats()?;
    let count = body.count()?;
    if parameter_formats.len() > 1 && parameter_formats.len() != count {
        return Err(error!(
            PROTOCOL_VIOLATION,
            "bind message has {} parameter formats but {count} parameters",
            parameter_formats.len()
        ));
    }
    let parameters = (0..count)
        .map(|_| match body.int32()? {
            -1 => Ok(None),
            length => body.take(usize::try_from(length).map_err(|_| insufficient())?).map(Some),
        })
        .collect::<Result<_>>()?;
    let result_formats = body.formats()?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats })
}

fn decode_target(body: &mut Body, what: &str) -> Result<(Target, String)> {
    let target = match body.byte()? {
        b'S' => Target::Statement,
        b'P' => Target::Portal,
        other => return Err(error!(PROTOCOL_VIOLATION, "invalid {what} message subtype {other}")),
    };
    Ok((target, body.text()?))
}

/// A body being read. Every read is checked against what is there.
pub(crate) struct Body {
    pub(crate) bytes: Bytes,
    pub(crate) at: usize,
}

impl Body {
    /// The next bytes, without copying them.
    pub(crate) fn take(&mut self, length: usize) -> Result<Bytes> {
        let end =
            self.at.checked_add(length).filter(|end| *end <= self.bytes.len()).ok_or_else(insufficient)?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8> {
        let byte =
            *self.bytes.get(self.at).ok_or_else(|| error!(PROTOCOL_VIOLATION, "no data left in message"))?;
        self.at += 1;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>()).copied();
        let taken = taken.ok_or_else(insufficient)?;
        self.at += N;
        Ok(taken)
    }

    pub(crate) fn int32(&mut self) -> Result<i32> {
        self.array().map(i32::from_be_bytes)
    }

    /// A count of things that follow, unsigned as PostgreSQL reads it.
    fn count(&mut self) -> Result<usize> {
        self.array().map(u16::from_be_bytes).map(usize::from)
    }

    /// Text up to a zero byte.
    pub(crate) fn text(&mut self) -> Result<String> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|byte| *byte == 0)
            .ok_or_else(|| error!(PROTOCOL_VIOLATION, "invalid string in message"))?;
        let text = utf8(&rest[..end])?.to_owned();
        self.at += end + 1;
        Ok(text)
    }

    fn formats(&mut self) -> Result<Vec<Format>> {
        let count = self.count()?;
        (0..count)
            .map(|_| match self.array().map(i16::from_be_bytes)? {
                0 => Ok(Format::Text),
                1 => Ok(Format::Binary),
                code => Err(error!(INVALID_PARAMETER_VALUE, "unsupported format code: {code}")),
            })
            .collect()
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<()> {
        if self.at == self.bytes.len() {
            Ok(())
        } else {
            Err(error!(PROTOCOL_VIOLATION, "invalid message format"))
        }
    }
}

fn insufficient() -> SqlError {
    error!(PROTOCOL_VIOLATION, "insufficient data left in message")
}

/// Text of a client.
///
/// # Errors
/// `22021` naming the first bytes that are not UTF-8, as PostgreSQL shows them.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str> {
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
