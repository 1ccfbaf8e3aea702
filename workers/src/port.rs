//! The way between a worker's body and the server: requests and replies as plain data. Inside the server a port is a
//! method call; in a process of its own it is a socket on which each message is a length and its bytes.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sql::{Report, Result, Severity, SqlError, SqlState};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::Registration;
use crate::spi::{SpiRequest, SpiResult};

/// The longest message between a worker process and the server, in bytes. A result that is longer must be fetched
/// through a cursor.
pub(crate) const MESSAGE_BYTES_MAX: usize = 256 << 20;

/// What a worker may ask of the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HostRequest {
    /// From a process, first of all: signals reach it from now on.
    Ready,
    /// Open the session.
    Connect {
        database: Option<String>,
        user: Option<String>,
        database_oid: u32,
        user_oid: u32,
        bypass_allow_connections: bool,
        bypass_login_check: bool,
    },
    /// Run SQL in it.
    Spi(SpiRequest),
    /// Write to the log.
    Log(LogRecord),
    /// Show what the worker is doing.
    Activity { busy: bool, query: Option<String> },
    /// The worker goes to sleep on its latch, or wakes up.
    Sleep(bool),
    /// The value of a setting.
    Setting(String),
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum HostReply {
    Done,
    Spi(SpiResult),
    Setting(Option<String>),
    Error(LogRecord),
}

impl HostReply {
    pub(crate) fn unexpected(&self) -> SqlError {
        SqlError::internal("the server answered a worker's request out of turn")
    }
}

/// What the server tells a new worker process first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) registration: Registration,
}

/// A message or error as plain data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LogRecord {
    severity: u8,
    code: [u8; 5],
    message: String,
    detail: Option<String>,
    hint: Option<String>,
    position: Option<usize>,
    context: Option<String>,
}

/// The severities by their number on the wire.
const SEVERITIES: [Severity; 12] = [
    Severity::Debug5,
    Severity::Debug4,
    Severity::Debug3,
    Severity::Debug2,
    Severity::Debug1,
    Severity::Log,
    Severity::Info,
    Severity::Notice,
    Severity::Warning,
    Severity::Error,
    Severity::Fatal,
    Severity::Panic,
];

impl From<&Report> for LogRecord {
    fn from(report: &Report) -> Self {
        let severity = SEVERITIES.iter().position(|severity| *severity == report.severity);
        Self {
            severity: severity.expect("every severity is in the list") as u8,
            code: report.code.0,
            message: report.message.clone(),
            detail: report.detail.clone(),
            hint: report.hint.clone(),
            position: report.position,
            context: report.context.clone(),
        }
    }
}

impl From<LogRecord> for Report {
    fn from(record: LogRecord) -> Self {
        let severity = SEVERITIES.get(usize::from(record.severity)).copied().unwrap_or(Severity::Error);
        let mut report = Report::new(severity, SqlState(record.code), record.message);
        report.detail = record.detail;
        report.hint = record.hint;
        report.position = record.position;
        report.context = record.context;
        report
    }
}

/// A way to the server.
#[async_trait]
pub(crate) trait Port: Send {
    /// Sends a request and waits for its reply.
    async fn call(&mut self, request: HostRequest) -> Result<HostReply>;
}

/// The way of a worker process: the socket that it inherits.
pub(crate) struct SocketPort {
    stream: UnixStream,
    /// A request whose reply nobody waited for any more; it must be read before the next one.
    unanswered: bool,
}

impl SocketPort {
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, unanswered: false }
    }
}

#[async_trait]
impl Port for SocketPort {
    async fn call(&mut self, request: HostRequest) -> Result<HostReply> {
        if self.unanswered {
            receive::<HostReply>(&mut self.stream).await?;
        }
        self.unanswered = true;
        send(&mut self.stream, &request).await?;
        let reply = receive(&mut self.stream).await?;
        self.unanswered = false;
        match reply {
            HostReply::Error(record) => Err(SqlError(Box::new(record.into()))),
            reply => Ok(reply),
        }
    }
}

/// Sends one message.
pub(crate) async fn send<T: Serialize>(stream: &mut UnixStream, message: &T) -> Result<()> {
    let body = postcard::to_stdvec(message).map_err(|error| SqlError::internal(error.to_string()))?;
    if body.len() > MESSAGE_BYTES_MAX {
        return Err(SqlError::new(
            SqlState::PROGRAM_LIMIT_EXCEEDED,
            format!("message between worker and server exceeds {MESSAGE_BYTES_MAX} bytes"),
        ));
    }
    let mut frame = Vec::with_capacity(4 + body.len());
    frame.extend_from_slice(&(body.len() as u32).to_be_bytes());
    frame.extend_from_slice(&body);
    stream.write_all(&frame).await.map_err(|_| lost())
}

/// Receives one message.
pub(crate) async fn receive<T: for<'a> Deserialize<'a>>(stream: &mut UnixStream) -> Result<T> {
    let length = stream.read_u32().await.map_err(|_| lost())? as usize;
    if length > MESSAGE_BYTES_MAX {
        return Err(lost());
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.map_err(|_| lost())?;
    postcard::from_bytes(&body).map_err(|_| lost())
}

/// The other side is gone.
pub(crate) fn lost() -> SqlError {
    SqlError::new(SqlState::CONNECTION_FAILURE, "connection between worker and server was lost")
        .severity(Severity::Fatal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_survive_the_socket() {
        let (mut here, mut there) = UnixStream::pair().expect("sockets");
        let request = HostRequest::Setting("worker_spi.naptime".to_owned());
        send(&mut here, &request).await.expect("sent");
        assert_eq!(receive::<HostRequest>(&mut there).await.expect("received"), request);
        drop(there);
        assert_eq!(
            receive::<HostReply>(&mut here).await.expect_err("closed").code(),
            SqlState::CONNECTION_FAILURE
        );
    }

    #[test]
    fn errors_keep_what_they_say() {
        let error = sql::error!(UNIQUE_VIOLATION, "duplicate key")
            .detail("Key (a)=(1) already exists.")
            .hint("h")
            .at(3);
        let back: Report = LogRecord::from(&*error.0).into();
        assert_eq!(back, *error.0);
    }
}
