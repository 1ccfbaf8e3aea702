//! Frames: where one message ends and the next begins. A frame is a type byte, a length that counts itself, a body.
//!
//! A length is checked against the limit of its type as soon as five bytes are there, so that nobody makes the server
//! wait for or keep a gigabyte under the name of a Sync. The body is cut out exactly; what a message leaves unread in
//! its body is an error, not the start of the next message.

use bytes::{Buf, BytesMut};
use sql::{Result, SqlError, error};

/// The longest body of messages that carry text or data from users.
pub(crate) const LONG_BODY_MAX: usize = 0x3fff_fffb;
/// The longest body of the other messages.
pub(crate) const SHORT_BODY_MAX: usize = 9_996;
/// The longest message before a session is authenticated, passwords included.
pub(crate) const STARTUP_BODY_MAX: usize = 65_531;
/// The longest startup packet.
pub(crate) const STARTUP_PACKET_MAX: usize = 10_000;

/// A message as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The type byte.
    pub(crate) kind: u8,
    /// The body, without type and length.
    pub(crate) body: BytesMut,
}

/// The longest body of a message of this type; `None` for types that clients do not send.
fn body_max(kind: u8) -> Option<usize> {
    match kind {
        b'Q' | b'P' | b'B' | b'F' | b'd' => Some(LONG_BODY_MAX),
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' | b'p' => Some(SHORT_BODY_MAX),
        _ => None,
    }
}

/// Cuts the next frame out of what has arrived, or tells that it is not complete.
///
/// # Errors
/// FATAL `08P01`: after these the stream has no meaning.
pub(crate) fn next_frame(input: &mut BytesMut) -> Result<Option<Frame>> {
    let Some(&kind) = input.first() else { return Ok(None) };
    let Some(max) = body_max(kind) else {
        return Err(fatal(error!(PROTOCOL_VIOLATION, "invalid frontend message type {kind}")));
    };
    cut(input, kind, max)
}

/// As [`next_frame`], for the password messages of authentication.
///
/// # Errors
/// FATAL `08P01`.
pub(crate) fn next_password_frame(input: &mut BytesMut) -> Result<Option<Frame>> {
    match input.first() {
        None => Ok(None),
        Some(b'p') => cut(input, b'p', STARTUP_BODY_MAX),
        Some(other) => {
            Err(fatal(error!(PROTOCOL_VIOLATION, "expected password response, got message type {other}")))
        }
    }
}

fn cut(input: &mut BytesMut, kind: u8, max: usize) -> Result<Option<Frame>> {
    const HEADER: usize = 5;
    const LENGTH_ITSELF: usize = 4;
    let Some(header) = input.first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([header[1], header[2], header[3], header[4]]) as usize;
    let body = match length.checked_sub(LENGTH_ITSELF) {
        Some(body) if body <= max => body,
        _ => return Err(fatal(error!(PROTOCOL_VIOLATION, "invalid message length"))),
    };
    if input.len() < HEADER + body {
        input.reserve(HEADER + body - input.len());
        return Ok(None);
    }
    input.advance(HEADER);
    Ok(Some(Frame { kind, body: input.split_to(body) }))
}

/// Cuts a startup packet: a length and a body, without a type. The packet keeps its length.
///
/// # Errors
/// FATAL `08P01 invalid length of startup packet`.
pub(crate) fn next_startup_packet(input: &mut BytesMut) -> Result<Option<BytesMut>> {
    const LENGTH_ITSELF: usize = 4;
    const CODE: usize = 4;
    let Some(length) = input.first_chunk::<4>() else { return Ok(None) };
    let length = u32::from_be_bytes(*length) as usize;
    if !(LENGTH_ITSELF + CODE..=STARTUP_PACKET_MAX).contains(&length) {
        return Err(fatal(error!(PROTOCOL_VIOLATION, "invalid length of startup packet")));
    }
    if input.len() < length {
        return Ok(None);
    }
    Ok(Some(input.split_to(length)))
}

fn fatal(error: SqlError) -> SqlError {
    error.severity(sql::Severity::Fatal)
}
