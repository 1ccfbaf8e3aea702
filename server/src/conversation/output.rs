//! What the server says: messages to bytes, in one buffer. Nothing here does I/O.
//!
//! A row's values are written straight into the buffer from their stored form; each message's length is filled in when
//! its end is known.
//!
//! Source: PostgreSQL manual, "Message Formats".

use bytes::{BufMut, BytesMut};
use sql::bound::OutputColumn;
use sql::catalog::Catalog;
use sql::session::{CommandTag, Completion, Format, OutputRow, TransactionStatus};
use sql::{ObjectNames, Oid, Report, Result, Severity, SqlState, types};

/// So many bytes are collected before they are sent although more will follow.
pub(crate) const FLUSH_THRESHOLD: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back when it has been sent.
const KEPT_CAPACITY_MAX: usize = 4 * FLUSH_THRESHOLD;
const NULL_LENGTH: i32 = -1;

/// The buffer of messages to a client.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) buffer: BytesMut,
    scratch: String,
}

impl Output {
    /// Whether so much has been collected that it should be sent.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= FLUSH_THRESHOLD
    }

    /// Forgets what has been sent, and memory that only a large result needed.
    pub(crate) fn clear(&mut self) {
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_CAPACITY_MAX {
            self.buffer = BytesMut::new();
        }
    }

    /// Writes one message: its type, its length, and what `body` writes.
    fn message(&mut self, kind: u8, body: impl FnOnce(&mut BytesMut)) {
        let start = self.begin(kind);
        body(&mut self.buffer);
        self.end(start);
    }

    fn begin(&mut self, kind: u8) -> usize {
        self.buffer.put_u8(kind);
        let start = self.buffer.len();
        self.buffer.put_i32(0);
        start
    }

    /// Fills in the length at `start`, which counts itself.
    fn end(&mut self, start: usize) {
        let length = i32::try_from(self.buffer.len() - start).expect("values are limited to 1 GB");
        self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
    }

    pub(crate) fn authentication_ok(&mut self) {
        self.message(b'R', |out| out.put_i32(0));
    }

    pub(crate) fn authentication_cleartext(&mut self) {
        self.message(b'R', |out| out.put_i32(3));
    }

    pub(crate) fn authentication_sasl(&mut self, mechanisms: &[&str]) {
        self.message(b'R', |out| {
            out.put_i32(10);
            mechanisms.iter().for_each(|name| put_text(out, name));
            out.put_u8(0);
        });
    }

    pub(crate) fn authentication_sasl_continue(&mut self, data: &str) {
        self.message(b'R', |out| {
            out.put_i32(11);
            out.put_slice(data.as_bytes());
        });
    }

    pub(crate) fn authentication_sasl_final(&mut self, data: &str) {
        self.message(b'R', |out| {
            out.put_i32(12);
            out.put_slice(data.as_bytes());
        });
    }

    pub(crate) fn negotiate_protocol_version(&mut self, newest_minor: i32, unknown_options: &[String]) {
        self.message(b'v', |out| {
            out.put_i32(newest_minor);
            out.put_i32(i32::try_from(unknown_options.len()).unwrap_or(i32::MAX));
            unknown_options.iter().for_each(|name| put_text(out, name));
        });
    }

    pub(crate) fn backend_key_data(&mut self, pid: i32, secret: i32) {
        self.message(b'K', |out| {
            out.put_i32(pid);
            out.put_i32(secret);
        });
    }

    pub(crate) fn parameter_status(&mut self, name: &str, value: &str) {
        self.message(b'S', |out| {
            put_text(out, name);
            put_text(out, value);
        });
    }

    pub(crate) fn ready_for_query(&mut self, status: TransactionStatus) {
        let status = match status {
            TransactionStatus::Idle => b'I',
            TransactionStatus::InTransaction => b'T',
            TransactionStatus::Failed => b'E',
        };
        self.message(b'Z', |out| out.put_u8(status));
    }

    /// Messages without a body.
    pub(crate) fn parse_complete(&mut self) {
        self.message(b'1', |_| {});
    }
    pub(crate) fn bind_complete(&mut self) {
        self.message(b'2', |_| {});
    }
    pub(crate) fn close_complete(&mut self) {
        self.message(b'3', |_| {});
    }
    pub(crate) fn no_data(&mut self) {
        self.message(b'n', |_| {});
    }
    pub(crate) fn copy_done(&mut self) {
        self.message(b'c', |_| {});
    }

    pub(crate) fn parameter_description(&mut self, types: &[Oid]) {
        self.message(b't', |out| {
            out.put_u16(u16::try_from(types.len()).unwrap_or(u16::MAX));
            types.iter().for_each(|ty| out.put_u32(ty.0));
        });
    }

    /// RowDescription. A format list has an entry for each column, or none for all text.
    pub(crate) fn row_description(&mut self, columns: &[OutputColumn], formats: &[Format]) {
        let catalog = Catalog::built_in();
        self.message(b'T', |out| {
            out.put_u16(u16::try_from(columns.len()).unwrap_or(u16::MAX));
            for (index, column) in columns.iter().enumerate() {
                let (table, attribute) = column.origin.unwrap_or((Oid(0), 0));
                put_text(out, &column.name);
                out.put_u32(table.0);
                out.put_i16(attribute);
                out.put_u32(column.ty.oid.0);
                out.put_i16(type_length(&catalog, column.ty.oid));
                out.put_i32(column.ty.modifier);
                out.put_i16(format_code(formats.get(index).copied().unwrap_or_default()));
            }
        });
    }

    /// DataRow, from stored values.
    ///
    /// # Errors
    /// What writing a value raises; the half-written message is taken back.
    pub(crate) fn data_row(&mut self, row: &OutputRow<'_>) -> Result<()> {
        let start = self.begin(b'D');
        match self.row_values(row) {
            Ok(()) => {
                self.end(start);
                Ok(())
            }
            Err(error) => {
                self.buffer.truncate(start - 1);
                Err(error)
            }
        }
    }

    fn row_values(&mut self, row: &OutputRow<'_>) -> Result<()> {
        self.buffer.put_u16(u16::try_from(row.values.len()).unwrap_or(u16::MAX));
        for (index, (value, column)) in row.values.iter().zip(row.shape.columns).enumerate() {
            if value.is_null() {
                self.buffer.put_i32(NULL_LENGTH);
                continue;
            }
            let start = self.buffer.len();
            self.buffer.put_i32(0);
            match row.shape.formats.get(index).copied().unwrap_or_default() {
                Format::Text => {
                    self.scratch.clear();
                    types::output(column.ty.oid, *value, &row.types, &mut self.scratch)?;
                    self.buffer.put_slice(self.scratch.as_bytes());
                }
                Format::Binary => types::send(column.ty.oid, *value, &row.types, &mut self.buffer)?,
            }
            let length = i32::try_from(self.buffer.len() - start - 4).expect("values are limited to 1 GB");
            self.buffer[start..start + 4].copy_from_slice(&length.to_be_bytes());
        }
        Ok(())
    }

    /// CommandComplete, PortalSuspended or EmptyQueryResponse.
    pub(crate) fn completion(&mut self, completion: &Completion) {
        match completion {
            Completion::Complete(tag) => self.message(b'C', |out| put_text(out, &tag_text(tag))),
            Completion::Suspended => self.message(b's', |_| {}),
            Completion::Empty => self.message(b'I', |_| {}),
        }
    }

    pub(crate) fn notification(&mut self, pid: i32, channel: &str, payload: &str) {
        self.message(b'A', |out| {
            out.put_i32(pid);
            put_text(out, channel);
            put_text(out, payload);
        });
    }

    pub(crate) fn copy_in(&mut self, columns: usize, format: Format) {
        self.copy_response(b'G', columns, format);
    }

    pub(crate) fn copy_out(&mut self, columns: usize, format: Format) {
        self.copy_response(b'H', columns, format);
    }

    fn copy_response(&mut self, kind: u8, columns: usize, format: Format) {
        self.message(kind, |out| {
            out.put_u8(u8::from(format == Format::Binary));
            out.put_u16(u16::try_from(columns).unwrap_or(u16::MAX));
            (0..columns).for_each(|_| out.put_i16(format_code(format)));
        });
    }

    pub(crate) fn copy_data(&mut self, data: &[u8]) {
        self.message(b'd', |out| out.put_slice(data));
    }

    /// ErrorResponse, or NoticeResponse for severities below ERROR.
    pub(crate) fn report(&mut self, report: &Report) {
        let kind = if report.severity >= Severity::Error { b'E' } else { b'N' };
        self.message(kind, |out| put_report(out, report));
    }
}

/// The text of a command's tag.
fn tag_text(tag: &CommandTag) -> String {
    match tag.rows {
        Some(rows) => format!("{} {rows}", tag.command),
        None => tag.command.clone(),
    }
}

fn put_report(out: &mut BytesMut, report: &Report) {
    let ObjectNames { schema, table, column, data_type, constraint } = &report.object;
    let position = report.position.map(|position| position.to_string());
    let (internal_position, internal_query) = match &report.internal {
        Some((position, query)) => (Some(position.to_string()), Some(query.clone())),
        None => (None, None),
    };
    let fields = [
        (b'D', &report.detail),
        (b'H', &report.hint),
        (b'P', &position),
        (b'p', &internal_position),
        (b'q', &internal_query),
        (b'W', &report.context),
        (b's', schema),
        (b't', table),
        (b'c', column),
        (b'd', data_type),
        (b'n', constraint),
    ];
    put_field(out, b'S', report.severity.as_str());
    put_field(out, b'V', report.severity.as_str());
    put_field(out, b'C', state_text(&report.code).as_str());
    put_field(out, b'M', &report.message);
    for (kind, value) in fields {
        if let Some(value) = value {
            put_field(out, kind, value);
        }
    }
    out.put_u8(0);
}

fn state_text(state: &SqlState) -> String {
    state.to_string()
}

fn put_field(out: &mut BytesMut, kind: u8, value: &str) {
    out.put_u8(kind);
    put_text(out, value);
}

/// Text with the zero byte that ends it; a zero byte inside would end it early, so there it is cut.
fn put_text(out: &mut BytesMut, text: &str) {
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    out.put_slice(&text.as_bytes()[..end]);
    out.put_u8(0);
}

fn format_code(format: Format) -> i16 {
    match format {
        Format::Text => 0,
        Format::Binary => 1,
    }
}

/// `typlen`: bytes of fixed-size types, -1 for others.
fn type_length(catalog: &Catalog, ty: Oid) -> i16 {
    const VARIABLE: i16 = -1;
    catalog.type_(ty).map_or(VARIABLE, |row| row.typlen)
}
