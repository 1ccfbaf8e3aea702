//! The server's log: reports as lines on stderr, in PostgreSQL's shape or as JSON (`log_destination`).
//!
//! Everything that is logged is an [`sql::Report`] and goes through [`Logger::report`], which decides by
//! `log_min_messages` and leaves the shape to `line.rs` and `json.rs`. Events of `tracing`, from any crate, are turned
//! into reports by `events.rs`; a panic is logged by a hook. A line is written with one call, so that lines of different
//! threads never mix. A log that cannot be written is no reason to stop.

mod events;
mod json;
mod line;

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use sql::settings::{ServerSettings, id, time_zone};
use sql::{Report, Severity, SqlState};

/// The log.
pub struct Logger {
    settings: Arc<ServerSettings>,
    /// Number of lines written by the server itself, for `%l`.
    lines: AtomicU64,
    started: SystemTime,
}

/// Who writes a line, for `log_line_prefix` and the JSON keys. What is not known yet is `None`.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// The backend's pid; the server's own when absent.
    pub(crate) pid: Option<i32>,
    pub(crate) user: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) application_name: String,
    /// The client's address and port; `None` for Unix sockets.
    pub(crate) client: Option<(IpAddr, u16)>,
    /// Whether this is a session at all, rather than the server itself.
    pub(crate) is_session: bool,
    pub(crate) backend_type: &'static str,
    /// When the session started.
    pub(crate) started: Option<SystemTime>,
    /// The tag of what runs (`SELECT`, `idle`, `authentication`).
    pub(crate) activity: String,
    pub(crate) lines: AtomicU64,
}

/// One line to be written.
struct Line<'a> {
    report: &'a Report,
    origin: &'a Origin,
    /// The statement to show, when `log_min_error_statement` asks for it.
    statement: Option<&'a str>,
    number: u64,
    now: SystemTime,
    server_started: SystemTime,
    verbose: bool,
    terse: bool,
    zone: jiff::tz::TimeZone,
}

/// The severities in the order in which `log_min_messages` compares them: LOG stands above ERROR.
fn rank(severity: Severity) -> u8 {
    match severity {
        Severity::Debug5 => 0,
        Severity::Debug4 => 1,
        Severity::Debug3 => 2,
        Severity::Debug2 => 3,
        Severity::Debug1 => 4,
        Severity::Info => 5,
        Severity::Notice => 6,
        Severity::Warning => 7,
        Severity::Error => 8,
        Severity::Log => 9,
        Severity::Fatal => 10,
        Severity::Panic => 11,
    }
}

/// The severity that a setting's value names.
fn severity_named(name: &str) -> Severity {
    match name {
        "debug5" => Severity::Debug5,
        "debug4" => Severity::Debug4,
        "debug3" => Severity::Debug3,
        "debug2" => Severity::Debug2,
        "debug1" => Severity::Debug1,
        "info" => Severity::Info,
        "notice" => Severity::Notice,
        "error" => Severity::Error,
        "log" => Severity::Log,
        "fatal" => Severity::Fatal,
        "panic" => Severity::Panic,
        _ => Severity::Warning,
    }
}

impl Logger {
    /// A log that follows these settings.
    pub fn new(settings: Arc<ServerSettings>) -> Arc<Self> {
        Arc::new(Self { settings, lines: AtomicU64::new(0), started: SystemTime::now() })
    }

    /// Sends panics and `tracing` events to this log. For the binary: a process has one of each.
    pub fn install(self: &Arc<Self>) {
        events::install(self.clone());
        let log = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let text = panic.payload_as_str().unwrap_or("a panic without a message");
            let mut report =
                Report::new(Severity::Warning, SqlState::INTERNAL_ERROR, format!("internal fault: {text}"));
            report.context = Some(format!("at {place}"));
            log.server(&report);
        }));
    }

    /// Logs a LOG line of the server itself.
    pub fn log(&self, message: impl Into<String>) {
        self.server(&Report::new(Severity::Log, SqlState::SUCCESSFUL_COMPLETION, message));
    }

    /// Logs a report of the server itself.
    pub fn server(&self, report: &Report) {
        let origin = Origin { backend_type: "postmaster", ..Origin::default() };
        self.write(report, &origin, None, self.lines.fetch_add(1, Ordering::Relaxed) + 1);
    }

    /// Logs a report of a session, with the statement that it concerns.
    pub(crate) fn session(&self, report: &Report, origin: &Origin, statement: Option<&str>) {
        self.write(report, origin, statement, origin.lines.fetch_add(1, Ordering::Relaxed) + 1);
    }

    /// Whether reports of this severity are logged.
    pub fn logs(&self, severity: Severity) -> bool {
        rank(severity) >= rank(severity_named(&self.settings.text(id::LOG_MIN_MESSAGES)))
    }

    fn write(&self, report: &Report, origin: &Origin, statement: Option<&str>, number: u64) {
        if !self.logs(report.severity) {
            return;
        }
        let with_statement = rank(report.severity)
            >= rank(severity_named(&self.settings.text(id::LOG_MIN_ERROR_STATEMENT)))
            && report.severity != Severity::Log;
        let verbosity = self.settings.text(id::LOG_ERROR_VERBOSITY);
        let line = Line {
            report,
            origin,
            statement: statement.filter(|_| with_statement),
            number,
            now: SystemTime::now(),
            server_started: self.started,
            verbose: verbosity == "verbose",
            terse: verbosity == "terse",
            zone: time_zone(&self.settings.text(id::LOG_TIMEZONE)),
        };
        let destinations = self.settings.text(id::LOG_DESTINATION);
        let mut text = String::new();
        if destinations.contains("stderr") {
            line::write(&line, &self.settings.text(id::LOG_LINE_PREFIX), &mut text);
        }
        if destinations.contains("jsonlog") {
            json::write(&line, &mut text);
        }
        // There is nobody to tell when stderr is closed.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }
}

impl Origin {
    /// The session's number: when it started and its pid, in hexadecimal (`%c`).
    fn session_id(&self, server_started: SystemTime) -> String {
        let seconds =
            self.started.unwrap_or(server_started).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        format!("{seconds:x}.{:x}", self.pid())
    }

    fn pid(&self) -> i32 {
        self.pid.unwrap_or_else(|| i32::try_from(std::process::id()).unwrap_or(0))
    }
}

/// `2026-11-21 03:04:05.678 UTC`, with or without the milliseconds.
fn moment(time: SystemTime, zone: &jiff::tz::TimeZone, milliseconds: bool) -> String {
    let Ok(timestamp) = jiff::Timestamp::try_from(time) else { return String::new() };
    let format = if milliseconds { "%Y-%m-%d %H:%M:%S.%3f %Z" } else { "%Y-%m-%d %H:%M:%S %Z" };
    timestamp.to_zoned(zone.clone()).strftime(format).to_string()
}

/// A moment in a zone of the time zone database, for texts of log lines.
pub(crate) fn moment_text(time: SystemTime, zone: &str) -> String {
    moment(time, &time_zone(zone), false)
}
