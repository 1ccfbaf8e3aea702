//! The registration record: what a library or a session says about a worker it wants to have run. The fields are those
//! of PostgreSQL's `BackgroundWorker`, the two signal handlers of its first version included.
//!
//! Source: `src/include/postmaster/bgworker.h`; PostgreSQL manual, "Background Worker Processes".

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sql::{Result, SqlError, SqlState};

/// Bytes of a name, type or function name that are kept (PostgreSQL's `BGW_MAXLEN`, its end mark not counted).
pub const NAME_BYTES_MAX: usize = 95;

/// Bytes of a library's name that are kept.
pub const LIBRARY_BYTES_MAX: usize = 1023;

/// Bytes of `extra` (PostgreSQL's `BGW_EXTRALEN`).
pub const EXTRA_BYTES_MAX: usize = 128;

/// The longest restart interval, in seconds: a thousand days.
pub const RESTART_SECONDS_MAX: i64 = 86_400_000;

/// The restart interval that PostgreSQL recommends, in seconds.
pub const DEFAULT_RESTART_SECONDS: i64 = 60;

/// What a worker is and how it is to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// `bgw_name`: free text for logs and the process title.
    pub name: String,
    /// `bgw_type`: the same for all workers of a kind; shown as `backend_type`. Empty: the name.
    pub kind: String,
    /// `bgw_flags`.
    pub access: Access,
    /// `bgw_start_time`: the server state that it waits for.
    pub start_time: StartTime,
    /// `bgw_restart_time`.
    pub restart: Restart,
    /// `bgw_library_name`: the library that has the function. It is looked up when the worker starts.
    pub library: String,
    /// `bgw_function_name`: the entry point in the library.
    pub function: String,
    /// `bgw_main_arg`: passed by value, since a worker may be another process.
    pub argument: i64,
    /// `bgw_extra`: bytes that the worker reads from its own record.
    pub extra: Vec<u8>,
    /// `bgw_notify_pid`: the backend whose latch is set when the worker starts or ends. Dynamic workers only.
    pub notify_pid: Option<i32>,
    /// `bgw_sighup`: what a reload of the settings does to it.
    pub on_reload: OnReload,
    /// `bgw_sigterm`: what a request to end does to it.
    pub on_terminate: OnTerminate,
}

/// What a worker may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Neither shared state nor a database: refused, as by PostgreSQL since version 15.
    None,
    /// Shared state (`BGWORKER_SHMEM_ACCESS`).
    SharedMemory,
    /// Shared state and, when it asks for it, one database
    /// (`BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION`).
    Database,
}

/// The state of the server from which a worker may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum StartTime {
    /// `BgWorkerStart_PostmasterStart`: at once; such a worker never connects to a database.
    PostmasterStart,
    /// `BgWorkerStart_ConsistentState`: as soon as a standby can be read.
    ConsistentState,
    /// `BgWorkerStart_RecoveryFinished`: when the server reads and writes normally.
    RecoveryFinished,
}

/// Whether a worker that failed is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Restart {
    /// `BGW_NEVER_RESTART`.
    Never,
    /// So many seconds after it ended.
    AfterSeconds(i64),
}

/// What a reload of the settings does to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnReload {
    /// Nothing.
    Ignore,
    /// Its latch is set and it can see that there was one.
    Flag,
}

/// What a request to end does to a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OnTerminate {
    /// It ends with FATAL 57P01 at the next point where it can be interrupted.
    Die,
    /// Its latch is set and it can see the request; it ends when it returns.
    Flag,
}

impl Registration {
    /// A worker with database access that starts when the server is ready, is never restarted, and ends when asked to.
    pub fn new(name: impl Into<String>, library: impl Into<String>, function: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: String::new(),
            access: Access::Database,
            start_time: StartTime::RecoveryFinished,
            restart: Restart::Never,
            library: library.into(),
            function: function.into(),
            argument: 0,
            extra: Vec::new(),
            notify_pid: None,
            on_reload: OnReload::Ignore,
            on_terminate: OnTerminate::Die,
        }
    }

    /// The record as it is kept: checked, texts cut to their sizes, an empty type replaced by the name.
    ///
    /// # Errors
    /// `22023` with PostgreSQL's texts, in PostgreSQL's order of checks.
    pub fn checked(mut self) -> Result<Self> {
        let refuse = |why: &str| {
            Err(SqlError::new(
                SqlState::INVALID_PARAMETER_VALUE,
                format!("background worker \"{}\": {why}", self.name),
            ))
        };
        if self.access == Access::None {
            return refuse("background workers without shared memory access are not supported");
        }
        if self.access == Access::Database && self.start_time == StartTime::PostmasterStart {
            return refuse("cannot request database access if starting at postmaster start");
        }
        if let Restart::AfterSeconds(seconds) = self.restart
            && !(0..=RESTART_SECONDS_MAX).contains(&seconds)
        {
            return refuse("invalid restart interval");
        }
        if self.kind.is_empty() {
            self.kind = self.name.clone();
        }
        for (text, bytes_max) in [
            (&mut self.name, NAME_BYTES_MAX),
            (&mut self.kind, NAME_BYTES_MAX),
            (&mut self.function, NAME_BYTES_MAX),
            (&mut self.library, LIBRARY_BYTES_MAX),
        ] {
            make_safe(text, bytes_max);
        }
        self.extra.truncate(EXTRA_BYTES_MAX);
        Ok(self)
    }

    /// The title of its process, as `ps` shows it.
    pub fn process_title(&self) -> String {
        format!("postgres: bgworker: {}", self.name)
    }
}

impl Access {
    /// The words for it in SQL.
    pub const NAMES: &[(&str, Self)] =
        &[("none", Self::None), ("shared_memory", Self::SharedMemory), ("database", Self::Database)];
}

impl StartTime {
    /// The words for it in SQL.
    pub const NAMES: &[(&str, Self)] = &[
        ("postmaster_start", Self::PostmasterStart),
        ("consistent_state", Self::ConsistentState),
        ("recovery_finished", Self::RecoveryFinished),
    ];
}

impl OnReload {
    /// The words for it in SQL.
    pub const NAMES: &[(&str, Self)] = &[("ignore", Self::Ignore), ("flag", Self::Flag)];
}

impl OnTerminate {
    /// The words for it in SQL.
    pub const NAMES: &[(&str, Self)] = &[("die", Self::Die), ("flag", Self::Flag)];
}

impl Restart {
    /// The interval, or nothing for never.
    pub fn interval(self) -> Option<Duration> {
        match self {
            Self::Never => None,
            Self::AfterSeconds(seconds) => Some(Duration::from_secs(seconds.unsigned_abs())),
        }
    }

    /// From PostgreSQL's number: -1 for never.
    pub fn from_seconds(seconds: i64) -> Self {
        if seconds == -1 { Self::Never } else { Self::AfterSeconds(seconds) }
    }
}

/// Cuts a text to `bytes_max` and replaces what is not printable ASCII, as the postmaster does with what sessions
/// hand it: these texts reach logs and process titles.
fn make_safe(text: &mut String, bytes_max: usize) {
    *text = text
        .chars()
        .map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' })
        .take(bytes_max)
        .collect();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Registration)) -> String {
        let mut record = Registration::new("w", "library", "main");
        change(&mut record);
        record.checked().map(|_| "accepted".to_owned()).unwrap_or_else(|e| format!("{} {e}", e.code()))
    }

    #[test]
    fn checks_have_postgresqls_texts_and_bounds() {
        let cases: [(fn(&mut Registration), &str); 7] = [
            (
                |r| r.access = Access::None,
                "22023 background worker \"w\": background workers without shared memory access are not supported",
            ),
            (
                |r| r.start_time = StartTime::PostmasterStart,
                "22023 background worker \"w\": cannot request database access if starting at postmaster start",
            ),
            (
                |r| r.restart = Restart::AfterSeconds(-2),
                "22023 background worker \"w\": invalid restart interval",
            ),
            (
                |r| r.restart = Restart::AfterSeconds(86_400_001),
                "22023 background worker \"w\": invalid restart interval",
            ),
            (|r| r.restart = Restart::AfterSeconds(86_400_000), "accepted"),
            (|r| r.restart = Restart::AfterSeconds(0), "accepted"),
            (|r| r.restart = Restart::from_seconds(-1), "accepted"),
        ];
        for (change, expected) in cases {
            assert_eq!(refused(change), expected);
        }
    }

    #[test]
    fn texts_are_cut_and_made_safe() {
        let record = Registration::new(format!("é\n{}", "x".repeat(200)), "l", "f").checked().expect("valid");
        assert_eq!(record.name, format!("??{}", "x".repeat(93)));
        assert_eq!(record.kind, record.name);
    }
}
