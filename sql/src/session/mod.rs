//! A session: what lasts longer than a statement. Wire connections and workers both use it; it is the SPI. There is no
//! second way to run SQL.

mod context;

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::backend::{BackendKind, SignalProcess};
use crate::bound::OutputColumn;
use crate::cluster::Cluster;
use crate::{Oid, Report, Result, SqlError, ValueRef};

pub use context::{SessionShared, StatementContext};

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
    pub columns: Option<Vec<OutputColumn>>,
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
    _cluster: Arc<Cluster>,
}

impl Session {
    /// Opens a session.
    ///
    /// # Errors
    /// FATAL `3D000`, `28000`, `55000`, `42501`, `57P03`, `53300` with PostgreSQL's texts.
    pub async fn connect(_cluster: &Arc<Cluster>, _request: ConnectRequest) -> Result<Self> {
        unimplemented!()
    }

    /// This session's row in the backend table.
    pub fn backend(&self) -> &Arc<crate::backend::Backend> {
        unimplemented!()
    }

    /// What functions may see of the session: its settings, its backend row, the cluster.
    pub fn shared(&self) -> &Arc<SessionShared> {
        unimplemented!()
    }

    /// Where the session stands.
    pub fn transaction_status(&self) -> TransactionStatus {
        unimplemented!()
    }

    /// The settings whose changes clients are told about, with their values, for the start of a connection.
    pub fn reported_parameters(&self) -> Vec<(&'static str, String)> {
        unimplemented!()
    }

    /// Runs the statements of one simple Query message, which form one implicit transaction. Each statement's completion
    /// goes to `destination`; the first error ends the run and is returned.
    pub async fn simple_query(&mut self, _sql: &str, _destination: &mut dyn Destination) -> Result<()> {
        unimplemented!()
    }

    /// Parse: makes a prepared statement. The empty name is the unnamed statement. `parameters` may be shorter than the
    /// statement's; zero leaves a type to the server.
    pub async fn parse(&mut self, _name: &str, _sql: &str, _parameters: &[Oid]) -> Result<()> {
        unimplemented!()
    }

    /// Bind: makes a portal from a prepared statement. `parameters` are the values in their formats, `None` for NULL.
    /// Format lists have no, one or all entries, as in the protocol.
    pub async fn bind(
        &mut self,
        _portal: &str,
        _statement: &str,
        _parameter_formats: &[Format],
        _parameters: &[Option<&[u8]>],
        _result_formats: &[Format],
    ) -> Result<()> {
        unimplemented!()
    }

    /// Describe of a prepared statement.
    pub async fn describe_statement(&mut self, _name: &str) -> Result<Description> {
        unimplemented!()
    }

    /// Describe of a portal: its columns with the formats that Bind asked for.
    pub async fn describe_portal(&mut self, _name: &str) -> Result<Option<(Vec<OutputColumn>, Vec<Format>)>> {
        unimplemented!()
    }

    /// Execute: runs a portal for at most `rows_max` rows (`None`: all).
    pub async fn execute(
        &mut self,
        _portal: &str,
        _rows_max: Option<u64>,
        _destination: &mut dyn Destination,
    ) -> Result<()> {
        unimplemented!()
    }

    /// Close of a prepared statement; none of that name is no error.
    pub fn close_statement(&mut self, _name: &str) {
        unimplemented!()
    }

    /// Close of a portal; none of that name is no error.
    pub fn close_portal(&mut self, _name: &str) {
        unimplemented!()
    }

    /// Sync: ends the implicit transaction of extended messages, committing it unless a message has failed.
    pub async fn sync(&mut self, _destination: &mut dyn Destination) -> Result<()> {
        unimplemented!()
    }

    /// A message has failed: the transaction is aborted, or rolled back when it was implicit.
    pub fn fail(&mut self, _error: &SqlError) {
        unimplemented!()
    }
}
