//! Encodings and digests: `encode`, `decode`, `md5`, `sha256`, `convert_to`.
//!
//! Source: `src/backend/utils/adt/encode.c`, `cryptohashfuncs.c`, `src/backend/utils/mb/mbutils.c`.

use sha2::Digest;

use crate::interrupt::{self, Turns};
use crate::types::bytes::{blob, parse_escaped, parse_hex, push_escaped, push_hex};
use crate::types::text::utf8;
use crate::{Result, SqlError, Value, error};

use super::Function;
use super::arguments::{scalar, text};

/// The length of a line of base64, as MIME has it.
const LINE_LENGTH: usize = 76;
/// How many bytes are in a line.
const LINE_BYTES: usize = LINE_LENGTH / 4 * 3;
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The entries of this family.
pub(super) const FUNCTIONS: &[Function] = &[
    scalar("binary_encode", |_, v| {
        let (bytes, format) = (blob(v[0])?, text(v[1])?);
        let mut out = String::new();
        match format.to_ascii_lowercase().as_str() {
            "hex" => push_hex(&mut out, "", bytes)?,
            "escape" => push_zero_and_high_escaped(&mut out, bytes)?,
            "base64" => out = base64(bytes)?,
            _ => return Err(unknown(format)),
        }
        Ok(Value::Text(out))
    }),
    scalar("binary_decode", |_, v| {
        let (source, format) = (text(v[0])?, text(v[1])?);
        Ok(Value::Blob(match format.to_ascii_lowercase().as_str() {
            "hex" => parse_hex(source)?,
            "escape" => parse_escaped(source)?,
            "base64" => from_base64(source)?,
            _ => return Err(unknown(format)),
        }))
    }),
    scalar("md5_text", |_, v| md5_of(text(v[0])?.as_bytes())),
    scalar("md5_bytea", |_, v| md5_of(blob(v[0])?)),
    scalar("sha224_bytea", |_, v| digest::<sha2::Sha224>(blob(v[0])?)),
    scalar("sha256_bytea", |_, v| digest::<sha2::Sha256>(blob(v[0])?)),
    scalar("sha384_bytea", |_, v| digest::<sha2::Sha384>(blob(v[0])?)),
    scalar("sha512_bytea", |_, v| digest::<sha2::Sha512>(blob(v[0])?)),
    scalar("pg_convert_to", |_, v| {
        let source = text(v[0])?;
        match Encoding::named(text(v[1])?, "destination")? {
            Encoding::Utf8 => interrupt::copied(source.as_bytes()).map(Value::Blob),
            Encoding::Latin1 => {
                let mut turns = Turns::default();
                let byte = |c| turns.turn().and_then(|()| latin1(c));
                source.chars().map(byte).collect::<Result<Vec<_>>>().map(Value::Blob)
            }
        }
    }),
    scalar("pg_convert_from", |_, v| {
        let bytes = blob(v[0])?;
        match Encoding::named(text(v[1])?, "source")? {
            Encoding::Utf8 => interrupt::copied_text(utf8(bytes)?).map(Value::Text),
            Encoding::Latin1 => {
                let mut out = interrupt::Text::with_capacity(bytes.len());
                bytes.iter().try_for_each(|byte| out.push(char::from(*byte)))?;
                Ok(Value::Text(out.finish()))
            }
        }
    }),
    scalar("length_in_encoding", |_, v| {
        let bytes = blob(v[0])?;
        Ok(Value::Integer(match Encoding::named(text(v[1])?, "source")? {
            Encoding::Utf8 => utf8(bytes)?.chars().count() as i64,
            Encoding::Latin1 => bytes.len() as i64,
        }))
    }),
];

fn md5_of(bytes: &[u8]) -> Result<Value> {
    let mut context = md5::Context::new();
    for piece in interrupt::pieces(bytes) {
        context.consume(piece?);
    }
    Ok(Value::Text(format!("{:x}", context.finalize())))
}

fn digest<D: Digest>(bytes: &[u8]) -> Result<Value> {
    let mut digest = D::new();
    for piece in interrupt::pieces(bytes) {
        digest.update(piece?);
    }
    Ok(Value::Blob(digest.finalize().to_vec()))
}

fn unknown(format: &str) -> SqlError {
    error!(INVALID_PARAMETER_VALUE, "unrecognized encoding: \"{format}\"")
}

/// The encodings that text can be converted to and from.
enum Encoding {
    Utf8,
    Latin1,
}

impl Encoding {
    fn named(name: &str, role: &str) -> Result<Self> {
        let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
        match plain.to_ascii_lowercase().as_str() {
            "utf8" | "unicode" => Ok(Self::Utf8),
            "latin1" | "iso88591" => Ok(Self::Latin1),
            _ => Err(error!(INVALID_PARAMETER_VALUE, "invalid {role} encoding name \"{name}\"")),
        }
    }
}

fn latin1(c: char) -> Result<u8> {
    u8::try_from(u32::from(c)).map_err(|_| {
        let mut bytes = [0; 4];
        let shown: Vec<_> = c.encode_utf8(&mut bytes).bytes().map(|b| format!("0x{b:02x}")).collect();
        error!(
            UNTRANSLATABLE_CHARACTER,
            "character with byte sequence {} in encoding \"UTF8\" has no equivalent in encoding \"LATIN1\"",
            shown.join(" ")
        )
    })
}

/// `encode(…, 'escape')` leaves more characters as they are than the text form of bytea does.
fn push_zero_and_high_escaped(out: &mut String, bytes: &[u8]) -> Result<()> {
    let mut turns = Turns::default();
    for byte in bytes {
        turns.turn()?;
        match byte {
            1..=0x7F if *byte != b'\\' => out.push(char::from(*byte)),
            _ => push_escaped(out, std::slice::from_ref(byte))?,
        }
    }
    Ok(())
}

fn base64(bytes: &[u8]) -> Result<String> {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4 + bytes.len() / LINE_BYTES);
    let mut turns = Turns::default();
    for (index, chunk) in bytes.chunks(3).enumerate() {
        turns.turn()?;
        if index > 0 && index * 4 % LINE_LENGTH == 0 {
            out.push('\n');
        }
        let word =
            chunk.iter().enumerate().fold(0_u32, |word, (at, byte)| word | u32::from(*byte) << (16 - 8 * at));
        for place in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * place)) as usize & 63];
            out.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    Ok(out)
}

fn from_base64(source: &str) -> Result<Vec<u8>> {
    let mut out = Vec::with_capacity(source.len() / 4 * 3);
    let (mut word, mut count, mut padding) = (0_u32, 0, 0);
    let mut turns = Turns::default();
    for c in source.chars() {
        turns.turn()?;
        if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        }
        let digit = match ALPHABET.iter().position(|a| char::from(*a) == c) {
            _ if c == '=' && count >= 2 => {
                padding += 1;
                0
            }
            Some(_) if padding > 0 => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "unexpected \"=\" while decoding base64 sequence"
                ));
            }
            Some(digit) => digit,
            None if c == '=' => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "unexpected \"=\" while decoding base64 sequence"
                ));
            }
            None => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "invalid symbol \"{c}\" found while decoding base64 sequence"
                ));
            }
        };
        word = word << 6 | digit as u32;
        count += 1;
        if count == 4 {
            out.extend_from_slice(&word.to_be_bytes()[1..4 - padding.min(2)]);
            (word, count) = (0, 0);
        }
    }
    if count != 0 {
        return Err(error!(INVALID_PARAMETER_VALUE, "invalid base64 end sequence")
            .hint("Input data is missing padding, is truncated, or is otherwise corrupted."));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_there_and_back() {
        for (plain, encoded) in
            [("", ""), ("a", "YQ=="), ("ab", "YWI="), ("abc", "YWJj"), ("abcd", "YWJjZA==")]
        {
            assert_eq!(base64(plain.as_bytes()).unwrap(), encoded);
            assert_eq!(from_base64(encoded).unwrap(), plain.as_bytes());
        }
        assert_eq!(base64(&[0; 60]).unwrap().lines().map(str::len).collect::<Vec<_>>(), [76, 4]);
        assert_eq!(from_base64("YQ=").unwrap_err().message(), "invalid base64 end sequence");
        assert_eq!(
            from_base64("Y!").unwrap_err().message(),
            "invalid symbol \"!\" found while decoding base64 sequence"
        );
    }
}
