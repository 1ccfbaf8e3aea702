//! Messages and bytes. The structures of messages, and how each is written and read, are pgwire's; this module alone
//! names them.
//!
//! | file | what |
//! |---|---|
//! | `check.rs` | bodies being walked over, each step checked |
//! | `message.rs`, `packet.rs` | what clients say, in a session and before it |
//! | `output.rs` | what the server says |
//!
//! pgwire reads bodies that keep their form. Where one ends too early its reader panics, what is left over it leaves to
//! the next message, and text that is not UTF-8 it mends in silence. So every body is checked first, without copying
//! anything, and refused in PostgreSQL's words; the reader then meets only bodies that it can read to the end.
//!
//! What every statement says is not made into structures, which would copy each text: the messages of a session are slices
//! of their frames, and rows, of results and of COPY, are written into the buffer as they are.

mod check;
mod message;
mod output;
mod packet;

pub(super) use message::{Bind, Message, Target, decode, password, sasl_initial_response, sasl_response};
pub(super) use output::Output;
pub(super) use packet::{FirstPacket, first_packet};

use bytes::BytesMut;
use pgwire::messages::{DecodeContext, Message as WireMessage, ProtocolVersion};
use sql::{Result, error};

/// Reads a body that has been checked.
///
/// # Errors
/// `08P01`; the checks leave no way to it.
fn read<M: WireMessage>(mut body: BytesMut) -> Result<M> {
    /// The length of a message counts itself.
    const LENGTH_ITSELF: usize = 4;
    let length = body.len() + LENGTH_ITSELF;
    M::decode_body(&mut body, length, &DecodeContext::new(ProtocolVersion::PROTOCOL3_0))
        .map_err(|_| error!(PROTOCOL_VIOLATION, "invalid message format"))
}

#[cfg(test)]
mod tests {
    use pgwire::messages::extendedquery::Parse;
    use pgwire::messages::startup::Password;

    use super::*;

    #[test]
    fn checks_are_needed_where_the_reader_panics_or_mends() {
        let short = || BytesMut::from(&b"name\0select 1\0\0"[..]);
        assert!(std::panic::catch_unwind(|| read::<Parse>(short())).is_err(), "then the check can go");

        let latin = || BytesMut::from(&b"caf\xe9\0"[..]);
        assert_eq!(read::<Password>(latin()).map(|password| password.password), Ok("caf\u{fffd}".into()));
        let refused = password(latin()).expect_err("it is not UTF-8");
        assert_eq!(refused.code(), sql::SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    }
}
