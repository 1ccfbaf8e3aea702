//! What clients say in a session and while they prove who they are: bodies to messages. Nothing here does I/O, and
//! nothing here panics, whatever the bytes.
//!
//! Source: PostgreSQL manual, "Message Formats"; texts of `src/backend/tcop/postgres.c`, `src/backend/libpq/auth-sasl.c`.

use bytes::BytesMut;
use pgwire::messages::extendedquery::{TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT};
use pgwire::messages::startup::{Password, SASLInitialResponse, SASLResponse};
use sql::session::Format;
use sql::{Oid, Result, error};

use super::check::{Walk, insufficient, utf8};
use super::read;
use crate::conversation::frame::Frame;

/// A message of a client in a session. Texts and values are slices of its frame.
#[derive(Debug, PartialEq)]
pub(in super::super) enum Message<'a> {
    /// Simple query.
    Query(&'a str),
    /// Makes a prepared statement.
    Parse {
        name: &'a str,
        query: &'a str,
        parameters: Vec<Oid>,
    },
    /// Makes a portal.
    Bind(Bind<'a>),
    /// Asks for the shape of a statement or portal.
    Describe(Target, &'a str),
    /// Runs a portal; no limit or the most rows to give.
    Execute {
        portal: &'a str,
        rows_max: Option<u64>,
    },
    /// Forgets a statement or portal.
    Close(Target, &'a str),
    /// Asks for all pending replies.
    Flush,
    /// Ends a series of extended messages.
    Sync,
    /// The obsolete function call.
    FunctionCall,
    /// COPY data, its end, or the client's giving it up. They mean something while a COPY runs only.
    CopyData,
    CopyDone,
    CopyFail(&'a str),
    /// The end.
    Terminate,
}

/// The body of a Bind message.
#[derive(Debug, PartialEq)]
pub(in super::super) struct Bind<'a> {
    pub(in super::super) portal: &'a str,
    pub(in super::super) statement: &'a str,
    pub(in super::super) parameter_formats: Vec<Format>,
    pub(in super::super) parameters: Vec<Option<&'a [u8]>>,
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
pub(in super::super) fn decode(frame: &Frame) -> Result<Message<'_>> {
    // These may have any body.
    match frame.kind {
        b'F' => return Ok(Message::FunctionCall),
        b'd' => return Ok(Message::CopyData),
        b'X' => return Ok(Message::Terminate),
        _ => {}
    }
    let mut body = Walk::new(&frame.body);
    let message = match frame.kind {
        b'Q' => Message::Query(body.text()?),
        b'P' => {
            let (name, query) = (body.text()?, body.text()?);
            let types = (0..body.count()?).map(|_| Ok(Oid(body.int32()?.cast_unsigned())));
            Message::Parse { name, query, parameters: types.collect::<Result<_>>()? }
        }
        b'B' => Message::Bind(bind(&mut body)?),
        b'D' => Message::Describe(target(&mut body, "DESCRIBE")?, body.text()?),
        b'C' => Message::Close(target(&mut body, "CLOSE")?, body.text()?),
        b'E' => {
            let portal = body.text()?;
            // Zero and less mean no limit.
            let rows_max = u64::try_from(body.int32()?).ok().filter(|rows| *rows > 0);
            Message::Execute { portal, rows_max }
        }
        b'H' => Message::Flush,
        b'S' => Message::Sync,
        b'c' => Message::CopyDone,
        b'f' => Message::CopyFail(body.text()?),
        other => return Err(error!(PROTOCOL_VIOLATION, "invalid frontend message type {other}")),
    };
    body.end()?;
    Ok(message)
}

fn bind<'a>(body: &mut Walk<'a>) -> Result<Bind<'a>> {
    const NULL_LENGTH: i32 = -1;
    let (portal, statement) = (body.text()?, body.text()?);
    let parameter_formats = body.formats()?;
    let (formats, count) = (parameter_formats.len(), body.count()?);
    if formats > 1 && formats != count {
        return Err(error!(
            PROTOCOL_VIOLATION,
            "bind message has {formats} parameter formats but {count} parameters"
        ));
    }
    let parameter = |_| match body.int32()? {
        NULL_LENGTH => Ok(None),
        length => body.bytes(usize::try_from(length).map_err(|_| insufficient())?).map(Some),
    };
    let parameters = (0..count).map(parameter).collect::<Result<_>>()?;
    Ok(Bind { portal, statement, parameter_formats, parameters, result_formats: body.formats()? })
}

fn target(body: &mut Walk<'_>, what: &str) -> Result<Target> {
    match body.byte()? {
        TARGET_TYPE_BYTE_STATEMENT => Ok(Target::Statement),
        TARGET_TYPE_BYTE_PORTAL => Ok(Target::Portal),
        other => Err(error!(PROTOCOL_VIOLATION, "invalid {what} message subtype {other}")),
    }
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
