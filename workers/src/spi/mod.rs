//! The server programming interface: how a worker runs SQL. A unit of work is: begin, execute, look at the result,
//! commit. The trait has one required method, [`Spi::call`]; everything else is said in terms of it, so that a worker in
//! a process of its own (where a call travels over a socket) and one inside the server (where it is a method call on the
//! session) cannot behave differently.
//!
//! Source: PostgreSQL manual, "Server Programming Interface"; `src/backend/executor/spi.c`.

mod result;
mod session;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sql::{Oid, Result};

pub use result::{FromSpi, SpiCode, SpiColumn, SpiResult, SpiTable};
pub(crate) use session::SpiSession;

/// Whether a command may write (`read_only` of `SPI_execute`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Access {
    /// Only SELECT is allowed; the snapshot is the transaction's.
    ReadOnly,
    /// Anything is allowed; each command sees what the ones before it did.
    ReadWrite,
}

/// An argument for `$1`, `$2`, …: its type and its text form, `None` for NULL.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpiArgument {
    /// `pg_type.oid`; zero leaves it to the server.
    pub type_oid: u32,
    /// The value as the type's input function reads it.
    pub value: Option<String>,
}

/// One command to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpiCommand {
    /// SQL text; several statements only without arguments.
    pub text: String,
    /// The values of `$1`, `$2`, ….
    pub arguments: Vec<SpiArgument>,
    /// Whether it may write.
    pub access: Access,
    /// The most rows to process, zero for no limit (`count`). Negative: `SPI_ERROR_ARGUMENT`.
    pub rows_max: i64,
}

/// What a worker may ask of its session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SpiRequest {
    /// Start a transaction (`StartTransactionCommand`, `SPI_connect`, `PushActiveSnapshot`).
    Begin,
    /// End it, keeping its effects (`SPI_finish`, `PopActiveSnapshot`, `CommitTransactionCommand`).
    Commit,
    /// End it without effects.
    Rollback,
    /// Run a command (`SPI_execute`, `SPI_execute_with_args`).
    Execute(SpiCommand),
    /// Prepare a command under a name (`SPI_prepare`, `SPI_keepplan`): its text and argument types.
    Prepare(String, String, Vec<u32>),
    /// Run a prepared command (`SPI_execute_plan`): the command's text is the plan's name.
    ExecutePlan(SpiCommand),
    /// Forget a prepared command (`SPI_freeplan`).
    FreePlan(String),
    /// Open a cursor on a query (`SPI_cursor_open_with_args`): its name and the query.
    CursorOpen(String, SpiCommand),
    /// Open a cursor on a prepared command (`SPI_cursor_open`): its name and the command, whose text is the plan's name.
    CursorOpenPlan(String, SpiCommand),
    /// Fetch so many rows from a cursor, backwards when negative (`SPI_cursor_fetch`).
    CursorFetch(String, i64),
    /// Pass over so many rows of a cursor, backwards when negative (`SPI_cursor_move`).
    CursorMove(String, i64),
    /// Close a cursor (`SPI_cursor_close`).
    CursorClose(String),
    /// Begin a subtransaction of this name (`BeginInternalSubTransaction`).
    BeginSubtransaction(String),
    /// End it, keeping its effects.
    ReleaseSubtransaction(String),
    /// End it without effects; the transaction can go on after an error.
    RollbackSubtransaction(String),
}

/// How a worker runs SQL.
///
/// # Errors
/// Each method returns the SQL error of the command. Outside a subtransaction an error leaves the transaction failed:
/// roll back, or let the error end the worker, which rolls back too.
#[async_trait]
pub trait Spi: Send {
    /// Carries out one request.
    async fn call(&mut self, request: SpiRequest) -> Result<SpiResult>;

    /// Starts a transaction.
    async fn begin(&mut self) -> Result<()> {
        self.call(SpiRequest::Begin).await.map(drop)
    }

    /// Commits the transaction.
    async fn commit(&mut self) -> Result<()> {
        self.call(SpiRequest::Commit).await.map(drop)
    }

    /// Rolls the transaction back.
    async fn rollback(&mut self) -> Result<()> {
        self.call(SpiRequest::Rollback).await.map(drop)
    }

    /// Runs a command; at most `rows_max` rows, zero for all.
    async fn execute(&mut self, text: &str, access: Access, rows_max: i64) -> Result<SpiResult> {
        self.execute_with_arguments(text, Vec::new(), access, rows_max).await
    }

    /// Runs a command with values for `$1`, `$2`, ….
    async fn execute_with_arguments(
        &mut self,
        text: &str,
        arguments: Vec<SpiArgument>,
        access: Access,
        rows_max: i64,
    ) -> Result<SpiResult> {
        self.call(SpiRequest::Execute(SpiCommand { text: text.to_owned(), arguments, access, rows_max }))
            .await
    }

    /// Prepares a command; it lasts until freed, across transactions.
    async fn prepare(&mut self, plan: &str, text: &str, types: &[Oid]) -> Result<()> {
        let types = types.iter().map(|oid| oid.0).collect();
        self.call(SpiRequest::Prepare(plan.to_owned(), text.to_owned(), types)).await.map(drop)
    }

    /// Runs a prepared command.
    async fn execute_plan(
        &mut self,
        plan: &str,
        arguments: Vec<SpiArgument>,
        access: Access,
        rows_max: i64,
    ) -> Result<SpiResult> {
        self.call(SpiRequest::ExecutePlan(SpiCommand { text: plan.to_owned(), arguments, access, rows_max }))
            .await
    }

    /// Forgets a prepared command.
    async fn free_plan(&mut self, plan: &str) -> Result<()> {
        self.call(SpiRequest::FreePlan(plan.to_owned())).await.map(drop)
    }

    /// Begins a subtransaction: errors after it can be undone alone.
    async fn begin_subtransaction(&mut self, name: &str) -> Result<()> {
        self.call(SpiRequest::BeginSubtransaction(name.to_owned())).await.map(drop)
    }

    /// Keeps what a subtransaction did.
    async fn release_subtransaction(&mut self, name: &str) -> Result<()> {
        self.call(SpiRequest::ReleaseSubtransaction(name.to_owned())).await.map(drop)
    }

    /// Undoes what a subtransaction did.
    async fn rollback_subtransaction(&mut self, name: &str) -> Result<()> {
        self.call(SpiRequest::RollbackSubtransaction(name.to_owned())).await.map(drop)
    }

    /// Opens a cursor on a query.
    async fn cursor_open(
        &mut self,
        name: &str,
        text: &str,
        arguments: Vec<SpiArgument>,
        access: Access,
    ) -> Result<()> {
        let command = SpiCommand { text: text.to_owned(), arguments, access, rows_max: 0 };
        self.call(SpiRequest::CursorOpen(name.to_owned(), command)).await.map(drop)
    }

    /// Opens a cursor on a prepared query.
    async fn cursor_open_plan(
        &mut self,
        name: &str,
        plan: &str,
        arguments: Vec<SpiArgument>,
        access: Access,
    ) -> Result<()> {
        let command = SpiCommand { text: plan.to_owned(), arguments, access, rows_max: 0 };
        self.call(SpiRequest::CursorOpenPlan(name.to_owned(), command)).await.map(drop)
    }

    /// Fetches rows from a cursor, backwards when `count` is negative.
    async fn cursor_fetch(&mut self, name: &str, count: i64) -> Result<SpiResult> {
        self.call(SpiRequest::CursorFetch(name.to_owned(), count)).await
    }

    /// Passes over rows of a cursor; `processed` says how many there were.
    async fn cursor_move(&mut self, name: &str, count: i64) -> Result<SpiResult> {
        self.call(SpiRequest::CursorMove(name.to_owned(), count)).await
    }

    /// Closes a cursor.
    async fn cursor_close(&mut self, name: &str) -> Result<()> {
        self.call(SpiRequest::CursorClose(name.to_owned())).await.map(drop)
    }
}
