//! What clients say in a session and while they prove who they are: bodies to messages. Nothing here does I/O, and
//! nothing here panics, whatever the bytes.
//!
//! Source: PostgreSQL manual, "Message Formats"; texts of `src/backend/tcop/postgres.c`, `src/backend/libpq/auth-sasl.c`.

use bytes::{Bytes, BytesMut};
use pgwire::messages::copy::{CopyData, CopyFail};
use pgwire::messages::data::FORMAT_CODE_BINARY;
use pgwire::messages::startup::{Password, SASLInitialResponse, SASLResponse};
use pgwire::messages::{extendedquery, simplequery};
use sql::session::Format;
use sql::{Oid, Result, error};

use super::check::{Walk, insufficient, utf8};
use super::read;
use crate::conversation::frame::Frame;

/// A message of a client in a session.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Message {
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
pub(in super::super) struct Bind {
    pub(in super::super) portal: String,
    pub(in super::super) statement: String,
    pub(in super::super) parameter_formats: Vec<Format>,
    pub(in super::super) parameters: Vec<Option<Bytes>>,
    pub(in super::super) result_formats: Vec<Format>,
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Target {
    Statement,
    Portal,
}

/// Reads a frame.
///
/// # Errors
/// `08P01` for a body that is not of its type's form, `22021` for text that is not UTF-8.
pub(in super::super) fn decode(frame: Frame) -> Result<Message> {
    let Frame { kind, body } = frame;
    // These may have any body.
    match kind {
        b'F' => return Ok(Message::FunctionCall),
        b'd' => return read::<CopyData>(body).map(|copy| Message::CopyData(copy.data)),
        b'X' => return Ok(Message::Terminate),
        _ => {}
    }
    check(kind, &body)?;
    Ok(match kind {
        b'Q' => Message::Query(read::<simplequery::Query>(body)?.query),
        b'P' => {
            let parse: extendedquery::Parse = read(body)?;
            let parameters = parse.type_oids.into_iter().map(Oid).collect();
            Message::Parse { name: parse.name.unwrap_or_default(), query: parse.query, parameters }
        }
        b'B' => Message::Bind(bind(read(body)?)),
        b'D' => {
            let describe: extendedquery::Describe = read(body)?;
            Message::Describe(target(describe.target_type), describe.name.unwrap_or_default())
        }
        b'C' => {
            let close: extendedquery::Close = read(body)?;
            Message::Close(target(close.target_type), close.name.unwrap_or_default())
        }
        b'E' => {
            let execute: extendedquery::Execute = read(body)?;
            // Zero and less mean no limit.
            let rows_max = u64::try_from(execute.max_rows).ok().filter(|rows| *rows > 0);
            Message::Execute { portal: execute.name.unwrap_or_default(), rows_max }
        }
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(read::<CopyFail>(body)?.message),
        other => return Err(error!(PROTOCOL_VIOLATION, "invalid frontend message type {other}")),
    })
}

/// Whether a body has its type's form, to its end.
fn check(kind: u8, body: &[u8]) -> Result<()> {
    let mut walk = Walk::new(body);
    match kind {
        b'Q' | b'f' => drop(walk.text()?),
        b'P' => {
            walk.text()?;
            walk.text()?;
            for _ in 0..walk.count()? {
                walk.int32()?;
            }
        }
        b'B' => check_bind(&mut walk)?,
        b'D' => check_target(&mut walk, "DESCRIBE")?,
        b'C' => check_target(&mut walk, "CLOSE")?,
        b'E' => {
            walk.text()?;
            walk.int32()?;
        }
        _ => {}
    }
    walk.end()
}

fn check_bind(walk: &mut Walk<'_>) -> Result<()> {
    const NULL_LENGTH: i32 = -1;
    walk.text()?;
    walk.text()?;
    let formats = walk.formats()?;
    let count = walk.count()?;
    if formats > 1 && formats != count {
        return Err(error!(
            PROTOCOL_VIOLATION,
            "bind message has {formats} parameter formats but {count} parameters"
        ));
    }
    for _ in 0..count {
        match walk.int32()? {
            NULL_LENGTH => {}
            length => drop(walk.bytes(usize::try_from(length).map_err(|_| insufficient())?)?),
        }
    }
    walk.formats().map(drop)
}

fn check_target(walk: &mut Walk<'_>, what: &str) -> Result<()> {
    match walk.byte()? {
        extendedquery::TARGET_TYPE_BYTE_STATEMENT | extendedquery::TARGET_TYPE_BYTE_PORTAL => {}
        other => return Err(error!(PROTOCOL_VIOLATION, "invalid {what} message subtype {other}")),
    }
    walk.text().map(drop)
}

fn target(kind: u8) -> Target {
    match kind {
        extendedquery::TARGET_TYPE_BYTE_STATEMENT => Target::Statement,
        _ => Target::Portal,
    }
}

fn bind(bind: extendedquery::Bind) -> Bind {
    Bind {
        portal: bind.portal_name.unwrap_or_default(),
        statement: bind.statement_name.unwrap_or_default(),
        parameter_formats: formats(&bind.parameter_format_codes),
        parameters: bind.parameters,
        result_formats: formats(&bind.result_column_format_codes),
    }
}

fn formats(codes: &[i16]) -> Vec<Format> {
    codes.iter().map(|code| if *code == FORMAT_CODE_BINARY { Format::Binary } else { Format::Text }).collect()
}

/// A PasswordMessage.
///
/// # Errors
/// `08P01`, `22021`.
pub(in super::super) fn password(body: BytesMut) -> Result<String> {
    let mut walk = Walk::new(&body);
    walk.text()?;
    walk.end()?;
    Ok(read::<Password>(body)?.password)
}

/// A SASLInitialResponse: mechanism and the client's first message.
///
/// # Errors
/// `08P01`, `22021`.
pub(in super::super) fn sasl_initial_response(body: BytesMut) -> Result<(String, String)> {
    let malformed = || error!(PROTOCOL_VIOLATION, "malformed SCRAM message");
    let mut walk = Walk::new(&body);
    walk.text()?;
    let length = usize::try_from(walk.int32()?).map_err(|_| malformed())?;
    utf8(walk.bytes(length)?)?;
    walk.end()?;
    let response: SASLInitialResponse = read(body)?;
    let data = response.data.ok_or_else(malformed)?;
    Ok((response.auth_method, utf8(&data)?.to_owned()))
}

/// A SASLResponse.
///
/// # Errors
/// `22021`.
pub(in super::super) fn sasl_response(body: BytesMut) -> Result<String> {
    let response: SASLResponse = read(body)?;
    Ok(utf8(&response.data)?.to_owned())
}
