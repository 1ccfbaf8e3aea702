//! A session: what lasts longer than a statement. Wire connections and workers both use it; it is the SPI. There is no
//! second way to run SQL.

//!
//! | file | what |
//! |---|---|
//! | `connect` | who may enter, with which settings |
//! | `transaction`, `control` | the transaction, and the commands that steer it |
//! | `work` | taking snapshots and the write lock, committing, rolling back |
//! | `visibility` | what has been read may be told when it is on disk |
//! | `statement` | one statement: parsed, planned, run |
//! | `locking` | the locks that statements need, and what happens when they are taken |
//! | `pump` | rows from the engine to the destination, on this thread or another |
//! | `simple`, `extended` | the two protocols |
//! | `utility` | which command goes where |
//! | `command` | commands that change what exists, run again after waits |
//! | `setting`, `prepared`, `cursor`, `copy`, `explain`, `channel`, `database` | the session's own commands |
//! | `maintenance`, `integrity` | CHECKPOINT, VACUUM, ANALYZE, REINDEX; whether the file is whole |
//! | `services` | what SQL functions ask of their session |
//! | `environment` | what plans depend on besides the statement |
//! | `cache`, `template` | parsed texts and plans; plans that serve all texts of one shape |

mod aside;
mod cache;
mod channel;
mod command;
mod connect;
mod context;
mod control;
mod copy;
mod cursor;
mod database;
mod environment;
mod explain;
mod extended;
mod integrity;
mod lock_table;
mod locking;
mod maintenance;
mod maintenance_options;
mod named;
mod prepared;
mod pump;
mod reindex;
mod services;
mod setting;
mod simple;
mod statement;
mod template;
#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests;
mod transaction;
mod utility;
mod visibility;
mod work;

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;

use crate::backend::{Backend, BackendKind, Registration, SignalProcess};
use crate::bound::OutputColumn;
use crate::cluster::{Cluster, OpenDatabase};
use crate::{Oid, Report, Result, ValueRef};

pub(crate) use cache::{ParseCache, PlanCache};
pub(crate) use statement::command_word;

pub use context::{
    CursorRow, Exporter, NoServices, PreparedStatementRow, SessionServices, SessionShared, StatementContext,
};

/// Who asks for a session.
pub struct ConnectRequest {
    /// The database; `None` for none (shared catalogs only).
    pub database: Option<String>,
    /// The role; `None` for the bootstrap superuser.
    pub user: Option<String>,
    /// Settings from the startup packet (`application_name`, `options`, …), applied as `SET` by the session.
    pub settings: Vec<(String, String)>,
    /// What connects.
    pub kind: BackendKind,
    /// For a process of its own: its pid and how to signal it.
    pub process: Option<(i32, SignalProcess)>,
    /// The client's address and port.
    pub client: Option<(std::net::IpAddr, u16)>,
    /// Whether a database that allows no connections is entered all the same.
    pub bypass_allow_connections: bool,
    /// Whether a role without LOGIN is accepted.
    pub bypass_login_check: bool,
}

/// Text or binary, for one parameter or column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Format {
    /// The type's text form.
    #[default]
    Text,
    /// The type's binary form.
    Binary,
}

/// Where a session stands, as ReadyForQuery tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// No transaction block.
    Idle,
    /// Inside one.
    InTransaction,
    /// Inside one that has failed.
    Failed,
}

/// What Describe answers.
#[derive(Clone, Debug)]
pub struct Description {
    /// The parameters' types.
    pub parameters: Vec<Oid>,
    /// The result's columns; `None` for a statement that returns no rows.
    pub columns: Option<Arc<[OutputColumn]>>,
}

/// How an execution ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The statement is done: its tag (`SELECT 5`) with the count of rows.
    Complete(CommandTag),
    /// The row limit was reached; the portal can go on.
    Suspended,
    /// The query string was empty.
    Empty,
}

/// A command tag: the word and, for some commands, a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTag {
    /// `SELECT`, `INSERT 0`, `CREATE TABLE`, ….
    pub command: String,
    /// Rows processed, for commands whose tag tells it.
    pub rows: Option<u64>,
}

/// Columns and their formats, as RowDescription needs them.
pub struct RowShape<'a> {
    /// The columns.
    pub columns: &'a [OutputColumn],
    /// The format of each.
    pub formats: &'a [Format],
}

/// One row on its way out: values in storage form with what is needed to write them.
pub struct OutputRow<'a> {
    /// The shape.
    pub shape: &'a RowShape<'a>,
    /// The values.
    pub values: &'a [ValueRef<'a>],
    /// What writing them depends on.
    pub types: crate::types::TypeContext<'a>,
}

/// Where results go (PostgreSQL's `DestReceiver`): a wire connection, a worker's result table. It is told in legal order:
/// columns, rows, completion, for each statement; notices at any time.
#[async_trait]
pub trait Destination: Send {
    /// Rows of this shape follow. Called for simple queries only: Describe has told extended ones.
    fn columns(&mut self, shape: &RowShape<'_>) -> Result<()>;
    /// How much has been written so far: what [`Self::take_back`] goes back to.
    fn sent(&self) -> u64;
    /// Takes back all that has been written since [`Self::sent`] gave this; false when some of it has gone already.
    fn take_back(&mut self, sent: u64) -> bool;
    /// One row. Whether the buffer is so full that [`Self::flush`] should be called before more.
    fn row(&mut self, row: &OutputRow<'_>) -> Result<bool>;
    /// Sends what is buffered.
    async fn flush(&mut self) -> Result<()>;
    /// The statement is done. Not called for errors: they are returned.
    fn complete(&mut self, completion: &Completion);
    /// A notice, warning or info message.
    fn notice(&mut self, report: &Report);
    /// A setting that clients are told about has changed.
    fn parameter(&mut self, name: &str, value: &str);
    /// A notification has arrived.
    fn notification(&mut self, pid: i32, channel: &str, payload: &str);
    /// COPY … FROM STDIN begins: `columns` columns, all text or all binary.
    async fn copy_in(&mut self, columns: usize, format: Format) -> Result<()>;
    /// The next piece of COPY data; `None` at its end. An error (57014) when the client gives up.
    async fn copy_data(&mut self) -> Result<Option<Bytes>>;
    /// COPY … TO STDOUT begins.
    fn copy_out(&mut self, columns: usize, format: Format) -> Result<()>;
    /// A piece of COPY output; whether to flush, as for rows.
    fn copy_row(&mut self, data: &[u8]) -> Result<bool>;
    /// COPY … TO STDOUT is done.
    fn copy_done(&mut self);
}

/// A session.
pub struct Session {
    // Dropped in this order: what the transaction holds goes before the backend's row.
    transaction: Option<Box<transaction::Transaction>>,
    portals: named::Named<extended::Portal>,
    statements: named::Named<Arc<prepared::Prepared>>,
    shared: Arc<SessionShared>,
    services: Arc<services::Services>,
    database: Arc<OpenDatabase>,
    /// What plans depended on lately.
    environment: Option<Arc<environment::Environment>>,
    /// Room for the shapes of texts.
    scratch: template::Scratch,
    /// When what runs must end: the statement's deadline or the transaction's.
    deadline: Option<Instant>,
    /// When the transaction must end.
    transaction_deadline: Option<Instant>,
    statement_timeout_enabled: bool,
    /// Whether statements show in `pg_stat_activity`.
    activity_reported: bool,
    /// What has been read and not told yet.
    untold: visibility::Untold,
    /// Whether what the running statement has read is not told, or is noted already.
    reads_untold: bool,
    /// The latest commit that runs which were given up depend on: the failure of their statement may tell of them.
    passed_over: u64,
    /// Whether the running statement is one of several in its query string.
    among_others: bool,
    /// The start of the running message, µs since 2000-01-01 UTC.
    statement_time: i64,
    registration: Registration,
}

impl Session {
    /// This session's row in the backend table.
    pub fn backend(&self) -> &Arc<Backend> {
        &self.registration.backend
    }

    /// What the session shares with the functions that its statements call.
    pub fn shared(&self) -> &Arc<SessionShared> {
        &self.shared
    }

    /// The cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.shared.cluster
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        match &self.transaction {
            Some(transaction) if transaction.explicit && transaction.failed => TransactionStatus::Failed,
            Some(transaction) if transaction.explicit => TransactionStatus::InTransaction,
            _ => TransactionStatus::Idle,
        }
    }

    /// When the transaction must have ended, and the session with it (`transaction_timeout`).
    pub fn transaction_deadline(&self) -> Option<Instant> {
        self.transaction_deadline
    }

    /// The settings whose changes clients are told about, with their values, for the start of a connection.
    pub fn reported_parameters(&self) -> Vec<(&'static str, String)> {
        self.shared.settings.lock().take_reported_changes()
    }

    /// Whether `statement_timeout` counts; workers bound their time themselves.
    pub fn set_statement_timeout_enabled(&mut self, enabled: bool) {
        self.statement_timeout_enabled = enabled;
    }

    /// Whether each statement shows in `pg_stat_activity`; a worker reports itself what it does.
    pub fn set_activity_reported(&mut self, reported: bool) {
        self.activity_reported = reported;
    }

    /// Takes over the server's settings after a reload, and tells the client what has changed.
    pub fn reload_settings(&mut self, destination: &mut dyn Destination) {
        self.shared.settings.lock().refresh();
        self.report_parameters(destination);
    }

    /// Tells the client about settings that have changed.
    fn report_parameters(&self, destination: &mut dyn Destination) {
        let changes = self.shared.settings.lock().take_reported_changes();
        for (name, value) in changes {
            if name == "application_name" {
                self.backend().activity.lock().application_name.clone_from(&value);
            }
            destination.parameter(name, &value);
        }
    }

    /// Tells the client what functions and commands had to say.
    fn report_notices(&self, destination: &mut dyn Destination) {
        let notices = std::mem::take(&mut *self.shared.notices.lock());
        for notice in notices {
            destination.notice(&notice);
        }
    }

    /// A warning or notice of the session's own.
    fn notice(&self, severity: crate::Severity, code: crate::SqlState, message: impl Into<String>) {
        self.shared.notices.lock().push(Report::new(severity, code, message));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.portals.clear();
        self.abort();
        let pid = self.backend().pid;
        let cluster = &self.shared.cluster;
        cluster.notifications.forget(pid);
        self.release_locks(work::NO_COMMIT);
        cluster.locks.release_session(self.backend());
    }
}
