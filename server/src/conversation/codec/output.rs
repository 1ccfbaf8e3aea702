//! What the server says: messages to bytes, in one buffer. Nothing here does I/O.
//!
//! Messages are pgwire's structures, but for those of every query: rows, their description and the command's tag are
//! written straight into the buffer, rows from their stored form, and the length is filled in when the end is known.
//!
//! Source: PostgreSQL manual, "Message Formats".

use bytes::{BufMut, BytesMut};
use pgwire::messages::copy::{CopyDone, CopyInResponse, CopyOutResponse, MESSAGE_TYPE_BYTE_COPY_DATA};
use pgwire::messages::data::{
    FORMAT_CODE_BINARY, FORMAT_CODE_TEXT, MESSAGE_TYPE_BYTE_DATA_ROW, MESSAGE_TYPE_BYTE_ROW_DESCRITION,
    NoData, ParameterDescription,
};
use pgwire::messages::extendedquery::{BindComplete, CloseComplete, ParseComplete, PortalSuspended};
use pgwire::messages::response::{
    self, EmptyQueryResponse, ErrorResponse, MESSAGE_TYPE_BYTE_COMMAND_COMPLETE, NoticeResponse,
    NotificationResponse, ReadyForQuery, SslResponse,
};
use pgwire::messages::startup::{
    Authentication, BackendKeyData, NegotiateProtocolVersion, ParameterStatus, SecretKey,
};
use sql::bound::OutputColumn;
use sql::session::{Completion, Format, OutputRow, TransactionStatus};
use sql::{ObjectNames, Oid, Report, Result, Severity, types};

use super::WireMessage;

/// So many bytes are collected before they are sent although more will follow.
pub(crate) const FLUSH_THRESHOLD: usize = 64 * 1024;
/// A buffer that has grown beyond this is given back when it has been sent.
const KEPT_CAPACITY_MAX: usize = 4 * FLUSH_THRESHOLD;
const NULL_LENGTH: i32 = -1;
/// Bytes of a length, of a count of things, and of what RowDescription says of a column besides its name.
const LENGTH_BYTES: usize = 4;
const COUNT_BYTES: usize = 2;
const COLUMN_BYTES: usize = 18;

/// The buffer of messages to a client.
#[derive(Default)]
pub(crate) struct Output {
    pub(crate) buffer: BytesMut,
    scratch: String,
    /// How many bytes the buffer has held and forgotten so far.
    forgotten: u64,
}

impl Output {
    /// Whether so much has been collected that it should be sent.
    pub(crate) fn is_full(&self) -> bool {
        self.buffer.len() >= FLUSH_THRESHOLD
    }

    /// Forgets what has been sent, and memory that only a large result needed.
    pub(crate) fn clear(&mut self) {
        self.forgotten += self.buffer.len() as u64;
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_CAPACITY_MAX {
            self.buffer = BytesMut::new();
        }
    }

    /// How many bytes have been written so far.
    pub(crate) fn written(&self) -> u64 {
        self.forgotten + self.buffer.len() as u64
    }

    /// Takes back what has been written since [`Self::written`] gave this; false when some of it has been sent.
    pub(crate) fn take_back(&mut self, written: u64) -> bool {
        match written.checked_sub(self.forgotten).map(usize::try_from) {
            Some(Ok(kept)) => {
                self.buffer.truncate(kept);
                true
            }
            _ => false,
        }
    }

    /// Writes one message. One that the structure's own limits refuse is taken back: the stream stays whole.
    fn write<M: WireMessage>(&mut self, message: &M) {
        let start = self.buffer.len();
        if let Err(error) = message.encode(&mut self.buffer) {
            self.buffer.truncate(start);
            tracing::error!("could not write a message: {error}");
        }
    }

    /// Begins a message that is written piece by piece; where its length is.
    fn begin(&mut self, kind: u8) -> usize {
        self.buffer.extend_from_slice(&[kind, 0, 0, 0, 0]);
        self.buffer.len() - LENGTH_BYTES
    }

    /// Begins a message whose body begins with a count.
    fn begin_counted(&mut self, kind: u8, count: usize) -> usize {
        let [high, low] = u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes();
        self.buffer.extend_from_slice(&[kind, 0, 0, 0, 0, high, low]);
        self.buffer.len() - LENGTH_BYTES - COUNT_BYTES
    }

    /// Fills in the length at `start`, which counts itself.
    fn end(&mut self, start: usize) {
        let length = i32::try_from(self.buffer.len() - start).expect("values are limited to 1 GB");
        self.buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }

    pub(crate) fn refuse_encryption(&mut self) {
        self.write(&SslResponse::Refuse);
    }

    pub(crate) fn accept_encryption(&mut self) {
        self.write(&SslResponse::Accept);
    }

    pub(crate) fn authentication_ok(&mut self) {
        self.write(&Authentication::Ok);
    }

    pub(crate) fn authentication_cleartext(&mut self) {
        self.write(&Authentication::CleartextPassword);
    }

    pub(crate) fn authentication_sasl(&mut self, mechanisms: &[&str]) {
        self.write(&Authentication::SASL(mechanisms.iter().map(|name| text(name)).collect()));
    }

    pub(crate) fn authentication_sasl_continue(&mut self, data: String) {
        self.write(&Authentication::SASLContinue(data.into()));
    }

    pub(crate) fn authentication_sasl_final(&mut self, data: String) {
        self.write(&Authentication::SASLFinal(data.into()));
    }

    pub(crate) fn negotiate_protocol_version(&mut self, newest_minor: u16, unknown_options: Vec<String>) {
        self.write(&NegotiateProtocolVersion::new(newest_minor.into(), unknown_options));
    }

    pub(crate) fn backend_key_data(&mut self, pid: i32, secret: i32) {
        self.write(&BackendKeyData::new(pid, SecretKey::I32(secret)));
    }

    pub(crate) fn parameter_status(&mut self, name: &str, value: &str) {
        self.write(&ParameterStatus::new(text(name), text(value)));
    }

    pub(crate) fn ready_for_query(&mut self, status: TransactionStatus) {
        self.write(&ReadyForQuery::new(match status {
            TransactionStatus::Idle => response::TransactionStatus::Idle,
            TransactionStatus::InTransaction => response::TransactionStatus::Transaction,
            TransactionStatus::Failed => response::TransactionStatus::Error,
        }));
    }

    pub(crate) fn parse_complete(&mut self) {
        self.write(&ParseComplete::new());
    }

    pub(crate) fn bind_complete(&mut self) {
        self.write(&BindComplete::new());
    }

    pub(crate) fn close_complete(&mut self) {
        self.write(&CloseComplete::new());
    }

    pub(crate) fn no_data(&mut self) {
        self.write(&NoData::new());
    }

    pub(crate) fn copy_done(&mut self) {
        self.write(&CopyDone::new());
    }

    pub(crate) fn parameter_description(&mut self, types: &[Oid]) {
        self.write(&ParameterDescription::new(types.iter().map(|ty| ty.0).collect()));
    }

    /// RowDescription. A format list has an entry for each column, or none for all text.
    pub(crate) fn row_description(&mut self, columns: &[OutputColumn], formats: &[Format]) {
        let start = self.begin_counted(MESSAGE_TYPE_BYTE_ROW_DESCRITION, columns.len());
        for (index, column) in columns.iter().enumerate() {
            let (table, attribute) = column.origin.unwrap_or((Oid(0), 0));
            self.text(&column.name);
            let mut rest = [0; COLUMN_BYTES];
            let mut to = &mut rest[..];
            to.put_u32(table.0);
            to.put_i16(attribute);
            to.put_u32(column.ty.oid.0);
            to.put_i16(types::length(column.ty.oid));
            to.put_i32(column.ty.modifier);
            to.put_i16(format_code(formats.get(index).copied().unwrap_or_default()));
            self.buffer.extend_from_slice(&rest);
        }
        self.end(start);
    }

    /// Text and the zero byte that ends it; one inside would end it early, so there it is cut.
    fn text(&mut self, text: &str) {
        let bytes = text.as_bytes();
        self.buffer.put_slice(bytes.split(|byte| *byte == 0).next().unwrap_or_default());
        self.buffer.put_u8(0);
    }

    /// DataRow, from stored values.
    ///
    /// # Errors
    /// What writing a value raises; the half-written message is taken back.
    pub(crate) fn data_row(&mut self, row: &OutputRow<'_>) -> Result<()> {
        let start = self.begin_counted(MESSAGE_TYPE_BYTE_DATA_ROW, row.values.len());
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
        for (index, (value, column)) in row.values.iter().zip(row.shape.columns).enumerate() {
            if value.is_null() {
                self.buffer.put_i32(NULL_LENGTH);
                continue;
            }
            match row.shape.formats.get(index).copied().unwrap_or_default() {
                Format::Text => {
                    self.scratch.clear();
                    types::output(column.ty.oid, *value, &row.types, &mut self.scratch)?;
                    self.buffer.put_i32(value_length(self.scratch.len()));
                    self.buffer.extend_from_slice(self.scratch.as_bytes());
                }
                Format::Binary => {
                    let start = self.buffer.len();
                    self.buffer.put_i32(0);
                    types::send(column.ty.oid, *value, &row.types, &mut self.buffer)?;
                    let length = value_length(self.buffer.len() - start - LENGTH_BYTES);
                    self.buffer[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
                }
            }
        }
        Ok(())
    }

    /// CommandComplete, PortalSuspended or EmptyQueryResponse.
    pub(crate) fn completion(&mut self, completion: &Completion) {
        match completion {
            Completion::Complete(tag) => {
                let start = self.begin(MESSAGE_TYPE_BYTE_COMMAND_COMPLETE);
                self.scratch.clear();
                self.scratch.push_str(&tag.command);
                if let Some(rows) = tag.rows {
                    self.scratch.push(' ');
                    self.scratch.push_str(itoa::Buffer::new().format(rows));
                }
                self.scratch.push('\0');
                self.buffer.extend_from_slice(self.scratch.as_bytes());
                self.end(start);
            }
            Completion::Suspended => self.write(&PortalSuspended::new()),
            Completion::Empty => self.write(&EmptyQueryResponse::new()),
        }
    }

    pub(crate) fn notification(&mut self, pid: i32, channel: &str, payload: &str) {
        self.write(&NotificationResponse::new(pid, text(channel), text(payload)));
    }

    pub(crate) fn copy_in(&mut self, columns: usize, format: Format) {
        let (overall, count, formats) = copy_formats(columns, format);
        self.write(&CopyInResponse::new(overall, count, formats));
    }

    pub(crate) fn copy_out(&mut self, columns: usize, format: Format) {
        let (overall, count, formats) = copy_formats(columns, format);
        self.write(&CopyOutResponse::new(overall, count, formats));
    }

    /// CopyData, from a piece of output.
    pub(crate) fn copy_data(&mut self, data: &[u8]) {
        let start = self.begin(MESSAGE_TYPE_BYTE_COPY_DATA);
        self.buffer.put_slice(data);
        self.end(start);
    }

    /// ErrorResponse, or NoticeResponse for severities below ERROR.
    pub(crate) fn report(&mut self, report: &Report) {
        if report.severity >= Severity::Error {
            self.write(&ErrorResponse::new(report_fields(report)));
        } else {
            self.write(&NoticeResponse::new(report_fields(report)));
        }
    }
}

fn copy_formats(columns: usize, format: Format) -> (i8, i16, Vec<i16>) {
    let code = format_code(format);
    let overall = if format == Format::Binary { 1 } else { 0 };
    (overall, i16::try_from(columns).unwrap_or(i16::MAX), vec![code; columns])
}

/// A report's fields by their letters.
fn report_fields(report: &Report) -> Vec<(u8, String)> {
    let ObjectNames { schema, table, column, data_type, constraint } = &report.object;
    let position = report.position.map(|position| position.to_string());
    let internal_position = report.internal.as_ref().map(|(position, _)| position.to_string());
    let internal_query = report.internal.as_ref().map(|(_, query)| query.as_str());
    let severity = report.severity.as_str();
    let code = report.code.to_string();
    let fields = [
        (b'S', Some(severity)),
        (b'V', Some(severity)),
        (b'C', Some(code.as_str())),
        (b'M', Some(report.message.as_str())),
        (b'D', report.detail.as_deref()),
        (b'H', report.hint.as_deref()),
        (b'P', position.as_deref()),
        (b'p', internal_position.as_deref()),
        (b'q', internal_query),
        (b'W', report.context.as_deref()),
        (b's', schema.as_deref()),
        (b't', table.as_deref()),
        (b'c', column.as_deref()),
        (b'd', data_type.as_deref()),
        (b'n', constraint.as_deref()),
    ];
    fields.into_iter().filter_map(|(letter, value)| Some((letter, text(value?)))).collect()
}

/// Text as a message can hold it: a zero byte would end it early, so there it is cut.
fn text(text: &str) -> String {
    text.split('\0').next().unwrap_or_default().to_owned()
}

fn format_code(format: Format) -> i16 {
    match format {
        Format::Text => FORMAT_CODE_TEXT,
        Format::Binary => FORMAT_CODE_BINARY,
    }
}

fn value_length(length: usize) -> i32 {
    i32::try_from(length).expect("values are limited to 1 GB")
}
