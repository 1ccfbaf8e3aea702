//! Bytes in, messages or errors out. Malformed input must give an error, never a panic, never a wrong reading.

use bytes::{BufMut, BytesMut};
use sql::session::{CommandTag, Completion};

use super::codec::{Output, decode};
use super::frame::{next_frame, next_startup_packet};
use super::startup::read_packet;
use super::*;

/// A frame's bytes.
fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short body");
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// Reads all messages, one line for each; an error ends the reading.
fn read(bytes: &[u8]) -> String {
    let mut input = BytesMut::from(bytes);
    let mut lines = Vec::new();
    loop {
        match next_frame(&mut input) {
            Ok(Some(frame)) => lines.push(match decode(&frame) {
                Ok(message) => format!("{message:?}"),
                Err(error) => format!("{} {}", error.code(), error.message()),
            }),
            Ok(None) => break,
            Err(error) => {
                lines.push(format!("{} {} {}", error.0.severity.as_str(), error.code(), error.message()));
                break;
            }
        }
    }
    if !input.is_empty() && lines.is_empty() {
        lines.push("waits".into());
    }
    lines.join("\n")
}

#[test]
fn good_messages() {
    for (bytes, expected) in [
        (frame(b'Q', b"select 1\0"), "Query(\"select 1\")"),
        (frame(b'S', b""), "Sync"),
        (frame(b'E', b"p\0\0\0\0\0"), "Execute { portal: \"p\", rows_max: None }"),
        (frame(b'E', b"\0\xff\xff\xff\xff"), "Execute { portal: \"\", rows_max: None }"),
        (frame(b'E', b"\0\0\0\0\x05"), "Execute { portal: \"\", rows_max: Some(5) }"),
        (frame(b'D', b"Sx\0"), "Describe(Statement, \"x\")"),
        (
            frame(b'P', b"\0select $1\0\0\x01\0\0\0\x17"),
            "Parse { name: \"\", query: \"select $1\", parameters: [#23] }",
        ),
        ([frame(b'C', b"P\0"), frame(b'X', b"")].concat(), "Close(Portal, \"\")\nTerminate"),
        (frame(b'Q', b"select 1\0")[..7].to_vec(), "waits"),
    ] {
        assert_eq!(read(&bytes), expected);
    }
}

#[test]
fn malformed_messages_are_refused_with_postgresqls_words() {
    for (bytes, expected) in [
        (frame(b'z', b""), "FATAL 08P01 invalid frontend message type 122"),
        (b"Q\0\0\0\x03".to_vec(), "FATAL 08P01 invalid message length"),
        (b"S\0\x10\0\0".to_vec(), "FATAL 08P01 invalid message length"),
        (b"Q\xff\xff\xff\xff".to_vec(), "FATAL 08P01 invalid message length"),
        (frame(b'Q', b"select 1"), "08P01 invalid string in message"),
        (frame(b'Q', b"select 1\0X\0\0\0\x04"), "08P01 invalid message format"),
        (frame(b'Q', b"select '\xc3\x28'\0"), "22021 invalid byte sequence for encoding \"UTF8\": 0xc3 0x28"),
        (frame(b'Q', b"\xff\0"), "22021 invalid byte sequence for encoding \"UTF8\": 0xff"),
        (frame(b'P', b"name\0select 1\0\0"), "08P01 insufficient data left in message"),
        (frame(b'B', b"\0\0\0\0\0\x02\0\0\0\x01a"), "08P01 insufficient data left in message"),
        (frame(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe"), "08P01 insufficient data left in message"),
        (frame(b'B', b"\0\0\0\x01\0\x02\0\0\0\0"), "22023 unsupported format code: 2"),
        (frame(b'D', b"Q\0"), "08P01 invalid DESCRIBE message subtype 81"),
        (frame(b'D', b""), "08P01 no data left in message"),
    ] {
        assert_eq!(read(&bytes), expected);
    }
}

/// A small generator, so that a failure can be replayed from its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("it is below a usize")
    }
}

#[test]
fn no_mutation_makes_the_readers_panic() {
    const SEED: u64 = 0x5eed_0015;
    const ROUNDS: usize = 20_000;
    let good: Vec<Vec<u8>> = vec![
        frame(b'Q', b"select 1\0"),
        frame(b'P', b"s\0select $1\0\0\x02\0\0\0\x17\0\0\0\x19"),
        frame(b'B', b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\0"),
        frame(b'E', b"p\0\0\0\0\x05"),
        frame(b'D', b"Ss\0"),
        frame(b'f', b"no\0"),
        b"\0\0\0\x16\0\x03\0\0user\0amy\0a\0b\0\0".to_vec(),
    ];
    let mut random = Random(SEED);
    for round in 0..ROUNDS {
        let mut bytes = good[random.below(good.len())].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = u8::try_from(random.below(256)).expect("below 256"),
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, u8::try_from(random.below(256)).expect("below 256")),
            }
        }
        let outcome = std::panic::catch_unwind(|| {
            read(&bytes);
            let mut input = BytesMut::from(&bytes[..]);
            if let Ok(Some(packet)) = next_startup_packet(&mut input) {
                let _ = read_packet(packet);
            }
        });
        assert!(outcome.is_ok(), "seed {SEED:#x}, round {round}: {bytes:?}");
    }
}

#[test]
fn messages_of_the_server() {
    let mut output = Output::default();
    output.completion(&Completion::Complete(CommandTag { command: "SELECT".into(), rows: Some(5) }));
    output.ready_for_query(TransactionStatus::Failed);
    output.report(&error!(SYNTAX_ERROR, "bad").at(7).0);
    let mut expected = BytesMut::new();
    expected.put_slice(&frame(b'C', b"SELECT 5\0"));
    expected.put_slice(&frame(b'Z', b"E"));
    expected.put_slice(&frame(b'E', b"SERROR\0VERROR\0C42601\0Mbad\0P7\0\0"));
    assert_eq!(output.buffer, expected);
}
