//! What the drivers do not do: messages one by one, with pauses where a client may make them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::Server;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Protocol 3.0.
const VERSION: u32 = 3 << 16;

/// A connection whose messages are made by hand.
struct Wire(TcpStream);

impl Wire {
    fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("connects");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut wire = Self(stream);
        let body = [&VERSION.to_be_bytes()[..], b"user\0postgres\0database\0postgres\0\0"].concat();
        let length = u32::try_from(body.len() + 4).expect("a short packet");
        wire.0.write_all(&[&length.to_be_bytes(), &body[..]].concat()).expect("written");
        assert!(wire.answers().ends_with('Z'));
        wire
    }

    fn send(&mut self, messages: &[(u8, &[u8])]) {
        let mut bytes = Vec::new();
        for (kind, body) in messages {
            bytes.push(*kind);
            bytes.extend(u32::try_from(body.len() + 4).expect("a short message").to_be_bytes());
            bytes.extend(*body);
        }
        self.0.write_all(&bytes).expect("written");
    }

    fn query(&mut self, text: &str) -> String {
        self.send(&[(b'Q', &[text.as_bytes(), b"\0"].concat())]);
        self.answers()
    }

    /// Parse, Bind, Execute, Flush: the query of an extended series whose Sync is still to come.
    fn execute(&mut self, text: &str) -> String {
        let parse = [b"\0", text.as_bytes(), b"\0\0\0"].concat();
        self.send(&[(b'P', &parse), (b'B', &[0; 8]), (b'E', &[0; 5]), (b'H', b"")]);
        self.answers_until(b"CIE")
    }

    /// The answers up to ReadyForQuery or a fatal error.
    fn answers(&mut self) -> String {
        self.answers_until(b"Z")
    }

    /// The kinds of the answers up to one of these; of an error also its SQLSTATE.
    fn answers_until(&mut self, last: &[u8]) -> String {
        let mut kinds = String::new();
        loop {
            let mut head = [0; 5];
            if self.0.read_exact(&mut head).is_err() {
                return kinds + " closed";
            }
            let length = u32::from_be_bytes(head[1..].try_into().expect("four bytes"));
            let mut body = vec![0; length as usize - 4];
            self.0.read_exact(&mut body).expect("a whole message");
            kinds.push(char::from(head[0]));
            if head[0] == b'E' {
                let code = body.split(|byte| *byte == 0).find_map(|field| field.strip_prefix(b"C"));
                kinds += &format!("({})", String::from_utf8_lossy(code.expect("a SQLSTATE")));
            }
            if last.contains(&head[0]) {
                return kinds;
            }
        }
    }
}

#[test]
fn a_session_is_not_idle_before_sync() {
    let server = Server::start();
    let pause = Duration::from_millis(600);
    for (setting, begin, code) in [
        ("idle_session_timeout", "SELECT 1", "57P05"),
        ("idle_in_transaction_session_timeout", "BEGIN", "25P03"),
    ] {
        let mut wire = Wire::connect(&server);
        wire.query(&format!("SET {setting} = 200"));
        wire.query(begin);
        assert_eq!(wire.execute("SELECT 1"), "12DC", "{setting}");
        std::thread::sleep(pause);
        wire.send(&[(b'S', b"")]);
        assert_eq!(wire.answers(), "Z", "{setting}");
        // A failed series is no idle session either, and neither is one that has only been parsed.
        if begin != "BEGIN" {
            assert_eq!(wire.execute("SELECT 1/0"), "12E(22012)");
            std::thread::sleep(pause);
            wire.send(&[(b'S', b"")]);
            assert_eq!(wire.answers(), "Z");
            wire.send(&[(b'P', b"\0SELECT 1\0\0\0"), (b'H', b"")]);
            assert_eq!(wire.answers_until(b"1"), "1");
            std::thread::sleep(pause);
            wire.send(&[(b'S', b"")]);
            assert_eq!(wire.answers(), "Z");
        }
        assert_eq!(wire.answers(), format!("E({code}) closed"), "{setting}");
    }
}
