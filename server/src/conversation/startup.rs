//! The beginning of a connection: encryption, the startup packet, cancel requests. Pure parts first: the packet's
//! reading; then the steps that talk.
//!
//! Source: PostgreSQL manual, "Start-up"; `src/backend/postmaster/postmaster.c` (`ProcessStartupPacket`).

use std::collections::BTreeMap;

use bytes::{Buf, BytesMut};
use sql::{Result, Severity, SqlError, error};
use tokio::io::AsyncWriteExt;
use tokio_rustls::TlsAcceptor;

use super::codec::{FirstPacket, first_packet};
use super::frame::next_startup_packet;
use super::wire::{Stream, Wire};
use crate::server::Shared;

const MINOR_NEWEST: u16 = 0;
/// The first byte of a TLS handshake: a client that speaks TLS without asking first.
const TLS_HANDSHAKE: u8 = 0x16;
const RESERVED_OPTION_PREFIX: &str = "_pq_.";

/// The first packet of a connection.
#[derive(Debug, PartialEq)]
pub(super) enum Packet {
    Tls,
    Gss,
    Cancel { pid: i32, secret: i32 },
    Startup(Startup),
}

/// What a client says of itself at start.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Startup {
    pub(crate) user: String,
    pub(crate) database: String,
    /// The other settings, `options` taken apart.
    pub(crate) settings: Vec<(String, String)>,
    /// Whether the client asked for a newer protocol than 3.0.
    newer: bool,
    /// Options of the protocol that the server does not know.
    unknown: Vec<String>,
}

/// Reads a startup packet, its length included.
///
/// # Errors
/// FATAL `08P01`, `0A000`, `28000`.
pub(super) fn read_packet(packet: BytesMut) -> Result<Packet> {
    match first_packet(packet)? {
        FirstPacket::Tls => Ok(Packet::Tls),
        FirstPacket::Gss => Ok(Packet::Gss),
        FirstPacket::Cancel { pid, secret } => Ok(Packet::Cancel { pid, secret }),
        FirstPacket::Startup { minor, parameters } => {
            let mut startup = read_startup(parameters)?;
            startup.newer = minor > MINOR_NEWEST;
            Ok(Packet::Startup(startup))
        }
        FirstPacket::Unsupported(major, minor) => Err(error!(
            FEATURE_NOT_SUPPORTED,
            "unsupported frontend protocol {major}.{minor}: server supports 3.0 to 3.0"
        )),
    }
}

/// `options` come first, as in PostgreSQL: a setting of its own wins over one among them.
fn read_startup(mut parameters: BTreeMap<String, String>) -> Result<Startup> {
    let mut startup = Startup::default();
    if let Some(options) = parameters.remove("options") {
        startup.settings = read_options(&options)?;
    }
    for (name, value) in parameters {
        match name.as_str() {
            "user" => startup.user = value,
            "database" => startup.database = value,
            "replication" if sql::settings::parse_boolean(&value) == Some(false) => {}
            "replication" => return Err(SqlError::unsupported("replication")),
            _ if name.starts_with(RESERVED_OPTION_PREFIX) => startup.unknown.push(name),
            _ => startup.settings.push((name, value)),
        }
    }
    if startup.user.is_empty() {
        return Err(error!(
            INVALID_AUTHORIZATION_SPECIFICATION,
            "no PostgreSQL user name specified in startup packet"
        ));
    }
    if startup.database.is_empty() {
        startup.database.clone_from(&startup.user);
    }
    Ok(startup)
}

/// Takes `-c name=value --other-name=value` apart. A backslash keeps the character after it, spaces too.
fn read_options(text: &str) -> Result<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let word = words.last_mut().expect("there is always a word");
        match character {
            '\\' => word.extend(characters.next()),
            space if space.is_whitespace() => words.push(String::new()),
            other => word.push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    let mut settings = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let assignment = if word == "-c" {
            words.next()
        } else {
            word.strip_prefix("--").or_else(|| word.strip_prefix("-c")).map(str::to_owned)
        };
        let pair = assignment.as_deref().and_then(|assignment| assignment.split_once('='));
        match pair {
            Some((name, value)) => settings.push((name.replace('-', "_"), value.to_owned())),
            None => {
                return Err(error!(SYNTAX_ERROR, "invalid command-line argument for server process: {word}")
                    .hint("Try \"postgres --help\" for more information."));
            }
        }
    }
    Ok(settings)
}

/// What became of a new connection.
pub(super) enum Opened {
    /// The client wants a session.
    Startup(Box<Wire>, Startup),
    /// Nothing more is to be done: it was a cancel request, or the client went away.
    Done,
    /// The client is to be told why not.
    Refused(Box<Wire>, SqlError),
}

/// Talks until there is a startup packet: TLS, GSSAPI refusal, cancel requests.
pub(super) async fn open(stream: Stream, shared: &Shared) -> Opened {
    let mut wire = Box::new(Wire::new(stream));
    loop {
        if !wire.stream.is_tls() && wire.input.first() == Some(&TLS_HANDSHAKE) {
            wire = match direct_tls(wire, shared).await {
                Some(wire) => wire,
                None => return Opened::Done,
            };
            continue;
        }
        let body = match next_startup_packet(&mut wire.input) {
            Ok(Some(body)) => body,
            Ok(None) if wire.read_more().await => continue,
            Ok(None) => return Opened::Done,
            Err(error) => return Opened::Refused(wire, error),
        };
        let is_tls = wire.stream.is_tls();
        match read_packet(body).map_err(|error| error.severity(Severity::Fatal)) {
            Err(error) => return Opened::Refused(wire, error),
            Ok(Packet::Cancel { pid, secret }) => {
                shared.cancel(pid, secret);
                return Opened::Done;
            }
            Ok(Packet::Startup(startup)) => {
                if startup.newer || !startup.unknown.is_empty() {
                    let unknown = startup.unknown.clone();
                    wire.output.negotiate_protocol_version(MINOR_NEWEST, unknown);
                }
                return Opened::Startup(wire, startup);
            }
            Ok(Packet::Gss) => {
                if answer(&mut wire, false).await.is_none() {
                    return Opened::Done;
                }
            }
            Ok(Packet::Tls) if is_tls => {
                let error =
                    error!(PROTOCOL_VIOLATION, "unsupported frontend protocol 1234.5679: already encrypted");
                return Opened::Refused(wire, error.severity(Severity::Fatal));
            }
            Ok(Packet::Tls) => match requested_tls(wire, shared).await {
                Ok(Some(next)) => wire = next,
                Ok(None) => return Opened::Done,
                Err((wire, error)) => return Opened::Refused(wire, error),
            },
        }
    }
}

/// Says whether the connection is going to be encrypted.
async fn answer(wire: &mut Wire, encrypted: bool) -> Option<()> {
    if encrypted {
        wire.output.accept_encryption();
    } else {
        wire.output.refuse_encryption();
    }
    wire.flush().await.ok()
}

/// An SSLRequest: `S` and a handshake, or `N`.
async fn requested_tls(
    mut wire: Box<Wire>,
    shared: &Shared,
) -> Result<Option<Box<Wire>>, (Box<Wire>, SqlError)> {
    let configuration = shared.tls().filter(|_| matches!(wire.stream, Stream::Tcp(_)));
    let Some(configuration) = configuration else {
        return Ok(answer(&mut wire, false).await.map(|()| wire));
    };
    if !wire.input.is_empty() {
        // Somebody between client and server may have put it there.
        let error = error!(PROTOCOL_VIOLATION, "received unencrypted data after SSL request")
            .detail("This could be either a client-software bug or evidence of an attempted man-in-the-middle attack.");
        return Err((wire, error.severity(Severity::Fatal)));
    }
    if answer(&mut wire, true).await.is_none() {
        return Ok(None);
    }
    Ok(handshake(wire, configuration).await)
}

/// A client that speaks TLS at once, as libpq 17 with `sslnegotiation=direct`.
async fn direct_tls(wire: Box<Wire>, shared: &Shared) -> Option<Box<Wire>> {
    let configuration = shared.tls()?;
    let wire = handshake(wire, configuration).await?;
    // Without the protocol's name another protocol's client could be made to talk to us.
    let named = match &wire.stream {
        Stream::Tls(stream) => stream.get_ref().1.alpn_protocol().is_some(),
        _ => false,
    };
    named.then_some(wire)
}

async fn handshake(
    wire: Box<Wire>,
    configuration: std::sync::Arc<rustls::ServerConfig>,
) -> Option<Box<Wire>> {
    let Wire { stream: Stream::Tcp(stream), mut input, .. } = *wire else { return None };
    let acceptor = TlsAcceptor::from(configuration);
    let read_ahead = input.split().freeze();
    let stream = if read_ahead.has_remaining() {
        replay_handshake(acceptor, stream, &read_ahead).await?
    } else {
        acceptor.accept(stream).await.ok()?
    };
    Some(Box::new(Wire::new(Stream::Tls(Box::new(stream)))))
}

/// A handshake whose beginning has been read already.
async fn replay_handshake(
    acceptor: TlsAcceptor,
    stream: tokio::net::TcpStream,
    read_ahead: &[u8],
) -> Option<tokio_rustls::server::TlsStream<tokio::net::TcpStream>> {
    let mut left = read_ahead;
    let accept = acceptor.accept_with(stream, |connection| {
        while !left.is_empty() {
            if connection.read_tls(&mut left).is_err() {
                break;
            }
        }
        let _ = connection.process_new_packets();
    });
    accept.await.ok()
}

/// Tells a client why it is refused, and closes.
pub(super) async fn refuse(wire: &mut Wire, error: &SqlError) {
    wire.output.report(&error.0);
    // The client may be gone; then there is nobody to tell.
    let _ = wire.flush().await;
    match &mut wire.stream {
        Stream::Tcp(stream) => drop(stream.shutdown().await),
        Stream::Tls(stream) => drop(stream.shutdown().await),
        Stream::Unix(stream) => drop(stream.shutdown().await),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_taken_apart_as_postgresql_does() {
        let read = |text: &str| {
            read_options(text).map(|pairs| format!("{pairs:?}")).map_err(|error| error.to_string())
        };
        assert_eq!(
            read("-c a=1 --b-c=x\\ y -cd.e=2"),
            Ok(r#"[("a", "1"), ("b_c", "x y"), ("d.e", "2")]"#.into())
        );
        assert!(read("-x").is_err());
    }

    #[test]
    fn packets() {
        let packet = |body: &[u8]| {
            let length = u32::try_from(body.len() + 4).expect("a short packet");
            read_packet(BytesMut::from([&length.to_be_bytes()[..], body].concat().as_slice()))
        };
        let startup = packet(b"\x00\x03\x00\x02user\0amy\0_pq_.x\x001\0\0").expect("a startup packet");
        let Packet::Startup(startup) = startup else { panic!("{startup:?}") };
        assert_eq!((startup.database.as_str(), startup.newer, startup.unknown.len()), ("amy", true, 1));
        assert_eq!(
            packet(b"\x04\xd2\x16\x2e\0\0\0\x05\0\0\0\x07").ok(),
            Some(Packet::Cancel { pid: 5, secret: 7 })
        );
        assert!(packet(b"\x00\x03\x00\x00user\0amy\0").is_err(), "no terminator");
        assert!(packet(b"\x00\x02\x00\x00").is_err(), "protocol 2");
    }
}
