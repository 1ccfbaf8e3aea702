//! The first packet of a connection, which has no type byte: a request for encryption, a cancel request, or a startup.

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::{GssEncRequest, SecretKey, SslRequest, Startup};
use sql::{Result, SqlError, error};

use super::check::Walk;
use super::read;

/// Bytes of a packet's length, which counts itself.
const LENGTH_BYTES: usize = 4;
const CANCEL_BYTES: usize = 16;

/// What a client says first.
#[derive(Debug, PartialEq)]
pub(in super::super) enum FirstPacket {
    Tls,
    Gss,
    Cancel {
        pid: i32,
        secret: i32,
    },
    Startup {
        minor: u16,
        parameters: BTreeMap<String, String>,
    },
    /// A protocol of another age: its major and minor version.
    Unsupported(u16, u16),
}

/// Reads a whole packet, its length included.
///
/// # Errors
/// `08P01`, `22021`.
pub(in super::super) fn first_packet(mut packet: BytesMut) -> Result<FirstPacket> {
    if SslRequest::is_ssl_request_packet(&packet) {
        return Ok(FirstPacket::Tls);
    }
    if GssEncRequest::is_gss_enc_request_packet(&packet) {
        return Ok(FirstPacket::Gss);
    }
    if CancelRequest::is_cancel_request_packet(&packet) {
        return cancel(packet);
    }
    let mut walk = Walk::new(&packet);
    walk.bytes(LENGTH_BYTES)?;
    let (major, minor) = (walk.count()? as u16, walk.count()? as u16);
    if !(Startup::PG_PROTOCOL_EARLIEST..=Startup::PG_PROTOCOL_LATEST).contains(&major) {
        return Ok(FirstPacket::Unsupported(major, minor));
    }
    check_parameters(&mut walk).map_err(|error| match error.code() {
        sql::SqlState::PROTOCOL_VIOLATION => bad_layout(),
        _ => error,
    })?;
    packet.advance(LENGTH_BYTES);
    let Startup { parameters, .. } = read::<Startup>(packet)?;
    Ok(FirstPacket::Startup { minor, parameters })
}

/// Names and values, ended by an empty name.
fn check_parameters(walk: &mut Walk<'_>) -> Result<()> {
    while !walk.text()?.is_empty() {
        walk.text()?;
    }
    walk.end()
}

fn bad_layout() -> SqlError {
    error!(PROTOCOL_VIOLATION, "invalid startup packet layout: expected terminator as last byte")
}

fn cancel(mut packet: BytesMut) -> Result<FirstPacket> {
    if packet.len() != CANCEL_BYTES {
        return Err(error!(PROTOCOL_VIOLATION, "invalid length of startup packet"));
    }
    packet.advance(LENGTH_BYTES);
    let CancelRequest { pid, secret_key, .. } = read::<CancelRequest>(packet)?;
    let secret = SecretKey::as_i32(&secret_key).unwrap_or_default();
    Ok(FirstPacket::Cancel { pid, secret })
}
