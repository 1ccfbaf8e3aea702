//! SPI on a session: the server's side of every [`SpiRequest`], for workers of both kinds.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sql::bound::OutputColumn;
use sql::parse::ParsedStatement;
use sql::session::{CommandTag, Completion, Destination, Format, OutputRow, RowShape, Session};
use sql::{Oid, Report, Result, SqlError, SqlState};

use super::{Access, SpiArgument, SpiCode, SpiColumn, SpiCommand, SpiRequest, SpiResult, SpiTable};

/// The statement and the portal that SPI commands run in: the unnamed ones, which each command replaces.
const UNNAMED: &str = "";

/// A session used through SPI. Notices that its commands raise are kept for the log.
pub(crate) struct SpiSession {
    pub(crate) session: Session,
    pub(crate) notices: Vec<Report>,
    /// The prepared commands.
    plans: HashMap<String, Arc<SpiPlan>>,
}

/// What is known of a prepared command.
struct SpiPlan {
    /// Whether it may run depends on how it is used. None for an empty text, which does nothing.
    statement: Option<ParsedStatement>,
    /// The columns of its result, if it has any.
    columns: Option<Arc<[SpiColumn]>>,
}

impl SpiSession {
    /// Statements run through SPI have no statement timeout, and only the worker itself says what it is doing.
    pub(crate) fn new(mut session: Session) -> Self {
        session.set_statement_timeout_enabled(false);
        session.set_activity_reported(false);
        Self { session, notices: Vec::new(), plans: HashMap::new() }
    }

    /// Carries out one request. What it has read is on disk when the worker hears of it.
    pub(crate) async fn call(&mut self, request: SpiRequest) -> Result<SpiResult> {
        let result = self.carry_out(request).await;
        self.session.settle().await?;
        result
    }

    async fn carry_out(&mut self, request: SpiRequest) -> Result<SpiResult> {
        match request {
            SpiRequest::Begin => self.control("BEGIN", SpiCode::OkConnect).await,
            SpiRequest::Commit => self.control("COMMIT", SpiCode::OkFinish).await,
            SpiRequest::Rollback => self.control("ROLLBACK", SpiCode::OkFinish).await,
            SpiRequest::Execute(command) => self.execute(command).await,
            SpiRequest::Prepare(plan, text, types) => self.prepare(&plan, &text, &types).await,
            SpiRequest::ExecutePlan(command) => self.execute_plan(command).await,
            SpiRequest::FreePlan(plan) => {
                self.session.close_statement(&plan);
                self.plans.remove(&plan);
                Ok(SpiResult::of(SpiCode::OkUtility))
            }
            SpiRequest::CursorOpen(name, command) => self.cursor_open(&name, command).await,
            SpiRequest::CursorOpenPlan(name, command) => self.cursor_open_plan(&name, command).await,
            SpiRequest::CursorFetch(name, count) => self.pass_over_cursor("FETCH", &name, count).await,
            SpiRequest::CursorMove(name, count) => self.pass_over_cursor("MOVE", &name, count).await,
            SpiRequest::CursorClose(name) => {
                self.control(&format!("CLOSE {}", quoted(&name)), SpiCode::OkUtility).await
            }
            SpiRequest::BeginSubtransaction(name) => {
                self.control(&format!("SAVEPOINT {}", quoted(&name)), SpiCode::OkUtility).await
            }
            SpiRequest::ReleaseSubtransaction(name) => {
                self.control(&format!("RELEASE SAVEPOINT {}", quoted(&name)), SpiCode::OkUtility).await
            }
            SpiRequest::RollbackSubtransaction(name) => {
                let undo = format!("ROLLBACK TO SAVEPOINT {0}; RELEASE SAVEPOINT {0}", quoted(&name));
                self.control(&undo, SpiCode::OkUtility).await
            }
        }
    }

    /// Runs a statement of our own that a worker may not run itself.
    async fn control(&mut self, text: &str, code: SpiCode) -> Result<SpiResult> {
        let mut collect = Collect::new(&mut self.notices, u64::MAX);
        self.session.simple_query(text, &mut collect).await?;
        let processed = collect.tag.as_ref().and_then(|tag| tag.rows).unwrap_or(0);
        Ok(SpiResult { code, processed, ..collect.into_result() })
    }

    async fn pass_over_cursor(&mut self, verb: &str, cursor: &str, count: i64) -> Result<SpiResult> {
        let direction = if count < 0 { "BACKWARD" } else { "FORWARD" };
        let text = format!("{verb} {direction} {} FROM {}", count.unsigned_abs(), quoted(cursor));
        self.control(&text, SpiCode::OkFetch).await
    }

    /// `SPI_execute`: each statement of the text in turn; the result is the last one's.
    async fn execute(&mut self, command: SpiCommand) -> Result<SpiResult> {
        if command.rows_max < 0 || command.text.contains('\0') {
            return Ok(SpiResult::of(SpiCode::ErrorArgument));
        }
        let statements = sql::parse::parse(&command.text)?;
        let mut result = SpiResult::of(SpiCode::OkRewritten);
        for statement in &statements {
            if let Some(refused) = refusal(statement, command.access, command.rows_max)? {
                return Ok(SpiResult::of(refused));
            }
            let types: Vec<Oid> = command.arguments.iter().map(|argument| Oid(argument.type_oid)).collect();
            self.session.parse(UNNAMED, &statement.text, &types).await?;
            let columns = self.columns_of(UNNAMED).await?;
            result = self.run(UNNAMED, columns, &command.arguments, command.rows_max).await?;
            result.code = code_of_statement(statement, result.code);
        }
        Ok(result)
    }

    async fn prepare(&mut self, plan: &str, text: &str, types: &[u32]) -> Result<SpiResult> {
        let types: Vec<Oid> = types.iter().copied().map(Oid).collect();
        self.session.parse(plan, text, &types).await?;
        let statement = sql::parse::parse(text)?.pop();
        let columns = self.columns_of(plan).await?;
        self.plans.insert(plan.to_owned(), Arc::new(SpiPlan { statement, columns }));
        Ok(SpiResult::of(SpiCode::OkUtility))
    }

    async fn execute_plan(&mut self, command: SpiCommand) -> Result<SpiResult> {
        if command.rows_max < 0 {
            return Ok(SpiResult::of(SpiCode::ErrorArgument));
        }
        let plan = self.plans.get(&command.text).cloned();
        let statement = plan.as_ref().and_then(|plan| plan.statement.as_ref());
        if let Some(statement) = statement
            && let Some(refused) = refusal(statement, command.access, command.rows_max)?
        {
            return Ok(SpiResult::of(refused));
        }
        let columns = plan.as_ref().and_then(|plan| plan.columns.clone());
        let mut result = self.run(&command.text, columns, &command.arguments, command.rows_max).await?;
        if let Some(statement) = statement {
            result.code = code_of_statement(statement, result.code);
        }
        Ok(result)
    }

    /// The columns that a prepared statement gives.
    async fn columns_of(&mut self, statement: &str) -> Result<Option<Arc<[SpiColumn]>>> {
        let description = self.session.describe_statement(statement).await?;
        Ok(description.columns.as_deref().map(spi_columns))
    }

    /// Binds and runs a prepared statement that gives these columns.
    async fn run(
        &mut self,
        statement: &str,
        columns: Option<Arc<[SpiColumn]>>,
        arguments: &[SpiArgument],
        rows_max: i64,
    ) -> Result<SpiResult> {
        let values: Vec<Option<&[u8]>> =
            arguments.iter().map(|argument| argument.value.as_deref().map(str::as_bytes)).collect();
        self.session.bind(UNNAMED, statement, &[], &values, &[]).await?;
        let limit = u64::try_from(rows_max).ok().filter(|limit| *limit > 0);
        let mut collect = Collect::new(&mut self.notices, limit.unwrap_or(u64::MAX));
        collect.table = columns.map(|columns| SpiTable { columns, rows: Vec::new() });
        let run = self.session.execute(UNNAMED, limit, &mut collect).await;
        let result = collect.into_result();
        self.session.close_portal(UNNAMED);
        run.map(|()| result)
    }

    async fn cursor_open(&mut self, name: &str, command: SpiCommand) -> Result<SpiResult> {
        let statements = sql::parse::parse(&command.text)?;
        let [statement] = statements.as_slice() else {
            return Err(sql::error!(INVALID_CURSOR_DEFINITION, "cannot open multi-query plan as cursor"));
        };
        check_cursor(statement, command.access)?;
        let types: Vec<Oid> = command.arguments.iter().map(|argument| Oid(argument.type_oid)).collect();
        self.session.parse(UNNAMED, &statement.text, &types).await?;
        self.open(name, UNNAMED, &command.arguments).await
    }

    async fn cursor_open_plan(&mut self, name: &str, command: SpiCommand) -> Result<SpiResult> {
        if let Some(statement) = self.plans.get(&command.text).and_then(|plan| plan.statement.as_ref()) {
            check_cursor(statement, command.access)?;
        }
        self.open(name, &command.text, &command.arguments).await
    }

    /// Binds a prepared statement to a named portal: the cursor.
    async fn open(&mut self, cursor: &str, statement: &str, arguments: &[SpiArgument]) -> Result<SpiResult> {
        let values: Vec<Option<&[u8]>> =
            arguments.iter().map(|argument| argument.value.as_deref().map(str::as_bytes)).collect();
        self.session.bind(cursor, statement, &[], &values, &[]).await?;
        self.session.make_scrollable(cursor)?;
        Ok(SpiResult::of(SpiCode::OkCursor))
    }
}

/// Whether a statement can be read through a cursor (`SPI_is_cursor_plan`).
///
/// # Errors
/// `42P11` when it gives no rows, `0A000` for a write under read-only access.
fn check_cursor(statement: &ParsedStatement, access: Access) -> Result<()> {
    let tag = statement.tag();
    if !statement.returns_rows() {
        return Err(sql::error!(INVALID_CURSOR_DEFINITION, "cannot open {tag} query as cursor"));
    }
    refusal(statement, access, 0).map(drop)
}

/// Why a statement may not be run through SPI, if so.
///
/// # Errors
/// `0A000` for a write under read-only access, and for a row limit on a write that returns rows: SQLite has changed
/// every row before it returns the first, where PostgreSQL stops changing them.
fn refusal(statement: &ParsedStatement, access: Access, rows_max: i64) -> Result<Option<SpiCode>> {
    let tag = statement.tag();
    if statement.is_transaction_control() {
        return Ok(Some(SpiCode::ErrorTransaction));
    }
    if statement.copies_with_client() {
        return Ok(Some(SpiCode::ErrorCopy));
    }
    if access == Access::ReadOnly && tag != "SELECT" {
        return Err(sql::error!(FEATURE_NOT_SUPPORTED, "{tag} is not allowed in a non-volatile function"));
    }
    if rows_max > 0 && statement.returns_rows() && matches!(tag, "INSERT" | "UPDATE" | "DELETE" | "MERGE") {
        return Err(sql::error!(
            FEATURE_NOT_SUPPORTED,
            "{tag} ... RETURNING with a row limit is not supported"
        ));
    }
    if matches!(tag, "VACUUM" | "CREATE DATABASE" | "DROP DATABASE") {
        return Err(SqlError::new(
            SqlState::ACTIVE_SQL_TRANSACTION,
            format!("{tag} cannot be executed from a function"),
        ));
    }
    Ok(None)
}

/// Columns as a worker sees them.
fn spi_columns(columns: &[OutputColumn]) -> Arc<[SpiColumn]> {
    let column = |column: &OutputColumn| SpiColumn { name: column.name.clone(), type_oid: column.ty.oid.0 };
    columns.iter().map(column).collect()
}

/// A name as a quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Collects a command's rows in memory.
struct Collect<'a> {
    notices: &'a mut Vec<Report>,
    rows_max: u64,
    table: Option<SpiTable>,
    tag: Option<CommandTag>,
}

impl<'a> Collect<'a> {
    fn new(notices: &'a mut Vec<Report>, rows_max: u64) -> Self {
        Self { notices, rows_max, table: None, tag: None }
    }

    fn into_result(self) -> SpiResult {
        let rows = self.table.as_ref().map_or(0, |table| table.rows.len() as u64);
        // A command stopped by its row limit has no tag: it can only be a query or a RETURNING.
        let (command, processed) = match &self.tag {
            Some(tag) => (tag.command.as_str(), tag.rows.unwrap_or(0)),
            None => ("SELECT", rows),
        };
        let returning = self.table.is_some();
        let code = code_of(command, returning);
        let processed = if code == SpiCode::OkUtility && command != "CREATE TABLE AS" && command != "SELECT" {
            0
        } else {
            processed
        };
        SpiResult { code, processed: processed.min(self.rows_max), table: self.table }
    }
}

/// The code for a statement whose command tag is another's: the rows of a new table are tagged as those of a query.
fn code_of_statement(statement: &ParsedStatement, code: SpiCode) -> SpiCode {
    match statement.tag() {
        "CREATE TABLE AS" | "CREATE MATERIALIZED VIEW" => SpiCode::OkUtility,
        _ => code,
    }
}

/// The code for a command tag, with or without rows.
fn code_of(command: &str, returning: bool) -> SpiCode {
    match (command.split(' ').next().unwrap_or_default(), returning) {
        ("SELECT" | "VALUES" | "SHOW" | "EXPLAIN", true) => SpiCode::OkSelect,
        ("SELECT", false) => SpiCode::OkSelInto,
        ("INSERT", false) => SpiCode::OkInsert,
        ("INSERT", true) => SpiCode::OkInsertReturning,
        ("UPDATE", false) => SpiCode::OkUpdate,
        ("UPDATE", true) => SpiCode::OkUpdateReturning,
        ("DELETE", false) => SpiCode::OkDelete,
        ("DELETE", true) => SpiCode::OkDeleteReturning,
        ("MERGE", _) => SpiCode::OkMerge,
        _ => SpiCode::OkUtility,
    }
}

#[async_trait]
impl Destination for Collect<'_> {
    fn columns(&mut self, shape: &RowShape<'_>) -> Result<()> {
        self.table = Some(SpiTable { columns: spi_columns(shape.columns), rows: Vec::new() });
        Ok(())
    }

    /// The rows, and one for there being a table.
    fn sent(&self) -> u64 {
        self.table.as_ref().map_or(0, |table| table.rows.len() as u64 + 1)
    }

    fn take_back(&mut self, sent: u64) -> bool {
        match (sent, &mut self.table) {
            (0, table) => *table = None,
            (sent, Some(table)) => table.rows.truncate(usize::try_from(sent - 1).unwrap_or(usize::MAX)),
            (_, None) => {}
        }
        true
    }

    fn row(&mut self, row: &OutputRow<'_>) -> Result<bool> {
        let mut values = Vec::with_capacity(row.values.len());
        for (value, column) in row.values.iter().zip(row.shape.columns) {
            values.push(if value.is_null() {
                None
            } else {
                let mut text = String::new();
                sql::types::output(column.ty.oid, *value, &row.types, &mut text)?;
                Some(text)
            });
        }
        self.table.get_or_insert_default().rows.push(values);
        Ok(false)
    }

    async fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    fn complete(&mut self, completion: &Completion) {
        if let Completion::Complete(tag) = completion {
            self.tag = Some(tag.clone());
        }
    }

    fn notice(&mut self, report: &Report) {
        self.notices.push(report.clone());
    }

    fn parameter(&mut self, _name: &str, _value: &str) {}

    /// A worker does not listen: nothing would consume its notifications.
    fn notification(&mut self, _pid: i32, _channel: &str, _payload: &str) {}

    async fn copy_in(&mut self, _columns: usize, _format: Format) -> Result<()> {
        Err(SqlError::internal("COPY reached a worker"))
    }

    async fn copy_data(&mut self) -> Result<Option<Bytes>> {
        Err(SqlError::internal("COPY reached a worker"))
    }

    fn copy_out(&mut self, _columns: usize, _format: Format) -> Result<()> {
        Err(SqlError::internal("COPY reached a worker"))
    }

    fn copy_row(&mut self, _data: &[u8]) -> Result<bool> {
        Err(SqlError::internal("COPY reached a worker"))
    }

    fn copy_done(&mut self) {}
}
