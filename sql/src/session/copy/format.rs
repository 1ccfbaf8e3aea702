//! COPY's text and CSV formats, as pure functions: bytes to records, values to lines.
//!
//! Source: `src/backend/commands/copyfromparse.c`, `copyto.c`; manual, COPY, "File Formats".

use crate::parse::Definition;
use crate::{Result, SqlError, error};

/// How data is spelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CopyFormat {
    pub(super) binary: bool,
    pub(super) csv: bool,
    pub(super) delimiter: u8,
    pub(super) null: String,
    pub(super) header: bool,
    pub(super) quote: u8,
    pub(super) escape: u8,
    /// Whether rows may be loaded as if they had always been there, which only a table allows that nobody else can see.
    /// It says nothing for COPY TO.
    pub(super) freeze: bool,
}

/// A record: the text it was read from, and its fields, `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: u64,
    pub(super) text: String,
    pub(super) fields: Vec<Option<String>>,
}

impl CopyFormat {
    /// Reads the options of a COPY.
    ///
    /// # Errors
    /// `22023`, `42601`, `0A000` as PostgreSQL's `ProcessCopyOptions` raises them.
    pub(super) fn from_options(options: &[Definition]) -> Result<Self> {
        let text = |name: &str| {
            let option = options.iter().find(|option| option.name == name)?;
            Some(option.value.as_ref().map_or_else(String::new, |value| value.text()))
        };
        const KNOWN: [&str; 8] =
            ["format", "delimiter", "null", "header", "quote", "escape", "encoding", "freeze"];
        const REFUSED: [&str; 3] = ["force_quote", "force_not_null", "force_null"];
        if let Some(unknown) = options.iter().find(|option| !KNOWN.contains(&option.name.as_str())) {
            if REFUSED.contains(&unknown.name.as_str()) {
                return Err(SqlError::unsupported(format!("COPY option \"{}\"", unknown.name)));
            }
            return Err(
                error!(SYNTAX_ERROR, "option \"{}\" not recognized", unknown.name).at(unknown.position)
            );
        }
        let truth = |value: String| !matches!(value.as_str(), "false" | "off" | "0");
        if let Some(encoding) = text("encoding")
            && !matches!(encoding.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "unicode")
        {
            return Err(SqlError::unsupported(format!("COPY ENCODING {encoding}")));
        }
        let (binary, csv) = match text("format").as_deref() {
            None | Some("text") => (false, false),
            Some("csv") => (false, true),
            Some("binary") => (true, false),
            Some(other) => {
                return Err(error!(INVALID_PARAMETER_VALUE, "COPY format \"{other}\" not recognized"));
            }
        };
        if let Some(name) = ["delimiter", "null"].into_iter().find(|name| binary && text(name).is_some()) {
            let name = name.to_uppercase();
            return Err(error!(SYNTAX_ERROR, "cannot specify {name} in BINARY mode"));
        }
        let header = text("header").is_some_and(truth);
        if binary && header {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot specify HEADER in BINARY mode"));
        }
        let byte = |name: &str, default: u8| match text(name) {
            None => Ok(default),
            Some(value) if value.len() == 1 => Ok(value.as_bytes()[0]),
            Some(_) => Err(error!(FEATURE_NOT_SUPPORTED, "COPY {name} must be a single one-byte character")),
        };
        let quote = byte("quote", b'"')?;
        Ok(Self {
            binary,
            csv,
            delimiter: byte("delimiter", if csv { b',' } else { b'\t' })?,
            null: text("null").unwrap_or_else(|| if csv { String::new() } else { "\\N".to_owned() }),
            header,
            quote,
            escape: byte("escape", quote)?,
            freeze: text("freeze").is_some_and(truth),
        })
    }

    /// Appends a row's line.
    pub(super) fn write(&self, fields: &[Option<String>], out: &mut Vec<u8>) {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                out.push(self.delimiter);
            }
            match field {
                None => out.extend_from_slice(self.null.as_bytes()),
                Some(text) if self.csv => self.write_csv(text, fields.len() == 1, out),
                Some(text) => self.write_escaped(text, out),
            }
        }
        out.push(b'\n');
    }

    fn write_csv(&self, text: &str, alone: bool, out: &mut Vec<u8>) {
        let special =
            |byte: u8| byte == self.delimiter || byte == self.quote || matches!(byte, b'\n' | b'\r');
        if text != self.null && !text.bytes().any(special) && !(alone && text == "\\.") {
            out.extend_from_slice(text.as_bytes());
            return;
        }
        out.push(self.quote);
        for byte in text.bytes() {
            if byte == self.quote || byte == self.escape {
                out.push(self.escape);
            }
            out.push(byte);
        }
        out.push(self.quote);
    }

    fn write_escaped(&self, text: &str, out: &mut Vec<u8>) {
        for byte in text.bytes() {
            let letter = match byte {
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                b'\\' => b'\\',
                other if other == self.delimiter => other,
                other => {
                    out.push(other);
                    continue;
                }
            };
            out.extend_from_slice(&[b'\\', letter]);
        }
    }
}

/// Cuts a stream of bytes into records.
pub(super) struct Reader {
    format: CopyFormat,
    pending: Vec<u8>,
    line: u64,
    ended: bool,
    header_left: bool,
}

impl Reader {
    pub(super) fn new(format: CopyFormat) -> Self {
        let header_left = format.header;
        Self { format, pending: Vec::new(), line: 0, ended: false, header_left }
    }

    /// The number of the line that is being read, from 1.
    pub(super) fn line(&self) -> u64 {
        self.line
    }

    /// Takes more bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
    }

    /// The records that are complete; with `last`, what is left as well.
    ///
    /// # Errors
    /// `22P04`, `22021`.
    pub(super) fn records(&mut self, last: bool) -> Result<Vec<Record>> {
        let pending = std::mem::take(&mut self.pending);
        let mut records = Vec::new();
        let mut start = 0;
        while !self.ended && start < pending.len() {
            let Some((end, next)) = self.record_end(&pending, start, last)? else { break };
            let lines = pending[start..end].iter().filter(|byte| **byte == b'\n').count() as u64;
            self.line += 1;
            let bytes = &pending[start..end];
            start = next;
            if bytes == b"\\." {
                self.ended = true;
            } else if !std::mem::take(&mut self.header_left) {
                records.push(self.record(bytes)?);
            }
            self.line += lines;
        }
        self.pending = pending[start..].to_vec();
        Ok(records)
    }

    /// Where the record that begins here ends, and where the next begins.
    fn record_end(&self, bytes: &[u8], start: usize, last: bool) -> Result<Option<(usize, usize)>> {
        let mut quoted = false;
        let mut index = start;
        while index < bytes.len() {
            let byte = bytes[index];
            if self.format.csv {
                if quoted && byte == self.format.escape && self.format.escape != self.format.quote {
                    index += 1;
                } else if byte == self.format.quote {
                    quoted = !quoted;
                }
            } else if byte == b'\\' {
                // `\.` is looked at as a line of its own; any other escaped byte, a newline too, is data.
                index += 1 + usize::from(bytes.get(index + 1) != Some(&b'.'));
                continue;
            }
            if byte == b'\n' && !quoted {
                let end = if index > start && bytes[index - 1] == b'\r' { index - 1 } else { index };
                return Ok(Some((end, index + 1)));
            }
            index += 1;
        }
        if quoted && last {
            return Err(error!(BAD_COPY_FILE_FORMAT, "unterminated CSV quoted field"));
        }
        Ok(last.then_some((bytes.len(), bytes.len())))
    }

    fn record(&self, bytes: &[u8]) -> Result<Record> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| crate::session::extended::invalid_utf8(bytes, error))?;
        let fields = if self.format.csv { self.csv_fields(bytes) } else { self.text_fields(bytes) };
        let fields = fields.into_iter().map(|field| field.map(into_text)).collect();
        Ok(Record { line: self.line, text: text.to_owned(), fields })
    }

    fn csv_fields(&self, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let (mut fields, mut field) = (Vec::new(), Vec::new());
        let (mut quoted, mut was_quoted) = (false, false);
        let mut index = 0;
        loop {
            let byte = bytes.get(index).copied();
            match byte {
                Some(byte) if quoted => {
                    let next = bytes.get(index + 1).copied();
                    if byte == self.format.escape
                        && next.is_some_and(|next| next == self.format.quote || next == self.format.escape)
                    {
                        field.extend(next);
                        index += 1;
                    } else if byte == self.format.quote {
                        quoted = false;
                    } else {
                        field.push(byte);
                    }
                }
                Some(byte) if byte == self.format.quote => (quoted, was_quoted) = (true, true),
                Some(byte) if byte != self.format.delimiter => field.push(byte),
                end => {
                    let null = !was_quoted && field == self.format.null.as_bytes();
                    let value = std::mem::take(&mut field);
                    fields.push((!null).then_some(value));
                    was_quoted = false;
                    if end.is_none() {
                        return fields;
                    }
                }
            }
            index += 1;
        }
    }

    fn text_fields(&self, bytes: &[u8]) -> Vec<Option<Vec<u8>>> {
        let mut fields = Vec::new();
        let mut start = 0;
        let mut index = 0;
        loop {
            match bytes.get(index) {
                Some(b'\\') => index += 1,
                Some(byte) if *byte != self.format.delimiter => {}
                end => {
                    let raw = &bytes[start..index.min(bytes.len())];
                    let null = raw == self.format.null.as_bytes();
                    fields.push((!null).then(|| unescape(raw)));
                    if end.is_none() {
                        return fields;
                    }
                    start = index + 1;
                }
            }
            index += 1;
        }
    }
}

/// What an escape may make of bytes need not be UTF-8 any more; it is shown as such.
fn into_text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Takes the backslashes out of a field of the text format.
fn unescape(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut index = 0;
    while index < raw.len() {
        let byte = raw[index];
        index += 1;
        if byte != b'\\' || index == raw.len() {
            out.push(byte);
            continue;
        }
        let escaped = raw[index];
        index += 1;
        out.push(match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let digits =
                    raw[index - 1..].iter().take(3).take_while(|digit| (b'0'..=b'7').contains(*digit));
                let digits: Vec<u8> = digits.copied().collect();
                index += digits.len() - 1;
                digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0'))
            }
            b'x' if raw.get(index).is_some_and(u8::is_ascii_hexdigit) => {
                let digits: Vec<u8> =
                    raw[index..].iter().take(2).take_while(|d| d.is_ascii_hexdigit()).copied().collect();
                index += digits.len();
                let text = std::str::from_utf8(&digits).unwrap_or("0");
                u8::from_str_radix(text, 16).unwrap_or(0)
            }
            other => other,
        });
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;

    fn format(csv: bool) -> CopyFormat {
        let word = |text: &str| crate::parse::DefinitionValue::Word(text.to_owned());
        let value = Some(word(if csv { "csv" } else { "text" }));
        CopyFormat::from_options(&[Definition { namespace: None, name: "format".into(), value, position: 1 }])
            .unwrap()
    }

    fn read(csv: bool, pieces: &[&str]) -> Vec<Vec<Option<String>>> {
        let mut reader = Reader::new(format(csv));
        let mut records = Vec::new();
        for piece in pieces {
            reader.push(piece.as_bytes());
            records.extend(reader.records(false).unwrap());
        }
        records.extend(reader.records(true).unwrap());
        records.into_iter().map(|record| record.fields).collect()
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn text_is_cut_at_tabs_and_newlines() {
        assert_eq!(
            read(false, &["1\ta", "b\n2\t\\N\n", "\\.\nrest"]),
            [[some("1"), some("ab")], [some("2"), None]]
        );
        assert_eq!(read(false, &["a\\tb\\n\\\\\\x41\\101\n"]), [[some("a\tb\n\\AA")]]);
    }

    #[test]
    fn csv_has_quotes() {
        let cut = read(true, &["1,\"a,\"\"b\"\"\n", "c\"\n,\"\"\r\n"]);
        assert_eq!(cut, [[some("1"), some("a,\"b\"\nc")], [None, some("")]]);
    }

    #[test]
    fn what_is_written_is_read_back() {
        for csv in [false, true] {
            let fields = vec![some("plain"), None, some("a,b\t\"c\"\n\\"), some("")];
            let mut out = Vec::new();
            format(csv).write(&fields, &mut out);
            assert_eq!(read(csv, &[std::str::from_utf8(&out).unwrap()]), [fields]);
        }
    }
}
