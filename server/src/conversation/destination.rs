//! Where a session's results go: into the connection's buffer, as messages. The session says rows, tags and notices; only
//! this file turns them into messages, and only while a statement runs.

use async_trait::async_trait;
use bytes::Bytes;
use sql::backend::Backend;
use sql::session::{Completion, Destination, Format, OutputRow, RowShape};
use sql::{Report, Result, Severity, SqlError, error};

use super::codec::{Message, decode};
use super::wire::{Incoming, Wire};
use crate::log::{Logger, Origin};

/// The destination of one message's results.
pub(super) struct WireDestination<'a> {
    pub(super) wire: &'a mut Wire,
    pub(super) backend: &'a Backend,
    pub(super) log: &'a Logger,
    pub(super) origin: &'a Origin,
    /// Reports below this severity are not sent (`client_min_messages`).
    pub(super) least: Severity,
    /// The tags of the statements that have completed, for `log_statement`; none when nothing is logged.
    pub(super) tags: Option<Vec<String>>,
}

/// `08006`, when the client went away in the middle of a statement.
pub(super) fn connection_lost() -> SqlError {
    error!(CONNECTION_FAILURE, "connection to client lost").severity(Severity::Fatal)
}

/// `57P01`, for a session that has been told to end.
pub(super) fn terminated() -> SqlError {
    error!(ADMIN_SHUTDOWN, "terminating connection due to administrator command").severity(Severity::Fatal)
}

#[async_trait]
impl Destination for WireDestination<'_> {
    fn columns(&mut self, shape: &RowShape<'_>) -> Result<()> {
        self.wire.output.row_description(shape.columns, shape.formats);
        Ok(())
    }

    fn sent(&self) -> u64 {
        self.wire.output.written()
    }

    fn take_back(&mut self, sent: u64) -> bool {
        self.wire.output.take_back(sent)
    }

    fn row(&mut self, row: &OutputRow<'_>) -> Result<bool> {
        self.wire.output.data_row(row)?;
        Ok(self.wire.output.is_full())
    }

    async fn flush(&mut self) -> Result<()> {
        self.wire.flush().await.map_err(|_| connection_lost())
    }

    fn complete(&mut self, completion: &Completion) {
        if let (Completion::Complete(tag), Some(tags)) = (completion, &mut self.tags) {
            tags.push(tag.command.clone());
        }
        self.wire.output.completion(completion);
    }

    fn notice(&mut self, report: &Report) {
        if report.severity >= self.least || report.severity == Severity::Info {
            self.wire.output.report(report);
        }
        self.log.session(report, self.origin, None);
    }

    fn parameter(&mut self, name: &str, value: &str) {
        self.wire.output.parameter_status(name, value);
    }

    fn notification(&mut self, pid: i32, channel: &str, payload: &str) {
        self.wire.output.notification(pid, channel, payload);
    }

    async fn copy_in(&mut self, columns: usize, format: Format) -> Result<()> {
        self.wire.output.copy_in(columns, format);
        self.flush().await
    }

    async fn copy_data(&mut self) -> Result<Option<Bytes>> {
        loop {
            let incoming = tokio::select! {
                incoming = self.wire.next_frame() => incoming?,
                _ = self.backend.latch.wait(None) => {
                    self.backend.latch.reset();
                    if self.backend.terminate_requested() {
                        return Err(terminated());
                    }
                    if self.backend.take_cancel() {
                        return Err(SqlError::canceled());
                    }
                    continue;
                }
            };
            let frame = match incoming {
                Incoming::Frame(frame) => frame,
                Incoming::Closed => {
                    return Err(error!(
                        CONNECTION_FAILURE,
                        "unexpected EOF on client connection with an open transaction"
                    )
                    .severity(Severity::Fatal));
                }
            };
            match frame.kind {
                b'd' => return Ok(Some(frame.body.freeze())),
                // A client that pipelines has sent these without knowing that a COPY begins.
                b'H' | b'S' => continue,
                b'c' | b'f' => {}
                other => {
                    return Err(error!(
                        PROTOCOL_VIOLATION,
                        "unexpected message type 0x{other:02X} during COPY from stdin"
                    ));
                }
            }
            return match decode(&frame)? {
                Message::CopyFail(why) => Err(error!(QUERY_CANCELED, "COPY from stdin failed: {why}")),
                _ => Ok(None),
            };
        }
    }

    fn copy_out(&mut self, columns: usize, format: Format) -> Result<()> {
        self.wire.output.copy_out(columns, format);
        Ok(())
    }

    fn copy_row(&mut self, data: &[u8]) -> Result<bool> {
        self.wire.output.copy_data(data);
        Ok(self.wire.output.is_full())
    }

    fn copy_done(&mut self) {
        self.wire.output.copy_done();
    }
}
