//! Running texts: functions registered, places bound, errors taken back out of the engine.

use std::sync::Arc;

use storage::{Connection, ErrorKind, Statement};

use crate::lower::{Binding, Text};
use crate::session::StatementContext;
use crate::{Result, SqlError, Value, ValueRef, error, interrupt};

/// What a text's places may stand for.
#[derive(Clone, Copy)]
pub(crate) struct Places<'a> {
    pub(crate) context: &'a Arc<StatementContext>,
    /// `$1`, `$2`, ….
    pub(crate) parameters: &'a [Value],
    /// The row that [`Binding::RowValue`] means.
    pub(crate) row: &'a [Value],
    /// The row that [`Binding::Excluded`] means.
    pub(crate) excluded: &'a [Value],
    /// What [`Binding::Extra`] means.
    pub(crate) extra: &'a [Value],
    /// What [`Binding::RowNumber`] means.
    pub(crate) row_number: i64,
}

impl<'a> Places<'a> {
    /// Places for the statement's parameters only.
    pub(crate) fn new(context: &'a Arc<StatementContext>, parameters: &'a [Value]) -> Self {
        Self { context, parameters, row: &[], excluded: &[], extra: &[], row_number: 0 }
    }
}

/// Prepares a text: its functions are made known first.
pub(crate) fn prepare(connection: &mut Connection, text: &Text) -> Result<Statement> {
    for function in &text.functions {
        function.ensure(connection).map_err(engine_error)?;
    }
    connection.prepare_kept(&text.sql).map_err(|e| {
        tracing::debug!(sql = %text.sql, error = %e, "the engine refused a text");
        engine_error(e)
    })
}

/// Gives the places of a statement their values.
pub(crate) fn bind(
    connection: &mut Connection,
    statement: &mut Statement,
    bindings: &[Binding],
    places: &Places<'_>,
) -> Result<()> {
    for (index, binding) in bindings.iter().enumerate() {
        let missing = || SqlError::internal("a place without a value");
        let computed;
        let value = match binding {
            Binding::Parameter(number) => places
                .parameters
                .get(number - 1)
                .map(Value::as_ref)
                .ok_or_else(|| error!(UNDEFINED_PARAMETER, "there is no parameter ${number}"))?,
            Binding::SqlValue(what) => {
                computed = crate::functions::sql_value(*what, places.context)?;
                computed.as_ref()
            }
            Binding::Excluded(column) => {
                places.excluded.get(*column).map(Value::as_ref).ok_or_else(missing)?
            }
            Binding::RowValue(column) => places.row.get(*column).map(Value::as_ref).ok_or_else(missing)?,
            Binding::Extra(column) => places.extra.get(*column).map(Value::as_ref).ok_or_else(missing)?,
            Binding::RowNumber => ValueRef::Integer(places.row_number),
        };
        connection.bind(statement, index + 1, value).map_err(engine_error)?;
    }
    Ok(())
}

/// Runs a text to its end; all its rows.
pub(crate) fn query(
    connection: &mut Connection,
    text: &Text,
    places: &Places<'_>,
) -> Result<Vec<Vec<Value>>> {
    let mut statement = prepare(connection, text)?;
    bind(connection, &mut statement, &text.bindings, places)?;
    let rows = rows(connection, &mut statement)?;
    connection.finish(statement);
    Ok(rows)
}

/// Steps a statement to its end; all its rows.
pub(crate) fn rows(connection: &mut Connection, statement: &mut Statement) -> Result<Vec<Vec<Value>>> {
    let mut rows = Vec::new();
    loop {
        match connection.step(statement) {
            Ok(Some(row)) => rows.push((0..row.len()).map(|i| row.get(i).to_owned()).collect()),
            Ok(None) => return Ok(rows),
            Err(error) => {
                interrupt::discard(rows);
                return Err(engine_error(error));
            }
        }
    }
}

/// An error of the engine in SQL's words. What a host function has refused comes back as it was.
pub(crate) fn engine_error(error: storage::Error) -> SqlError {
    match error.kind {
        ErrorKind::Host(host) => match host.downcast::<SqlError>() {
            Ok(sql) => *sql,
            Err(other) => match other.downcast::<storage::Error>() {
                Ok(inner) => engine_error(*inner),
                Err(other) => SqlError::internal(other.to_string()),
            },
        },
        ErrorKind::Interrupted => SqlError::canceled(),
        ErrorKind::BudgetExhausted => SqlError::internal(BUDGET_EXHAUSTED),
        ErrorKind::StaleSnapshot => {
            error!(T_R_SERIALIZATION_FAILURE, "could not serialize access due to concurrent update")
        }
        ErrorKind::Unique { .. } => {
            error!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint")
        }
        ErrorKind::Corrupt => error!(DATA_CORRUPTED, "database file is damaged: {}", error.message),
        ErrorKind::DiskFull => error!(DISK_FULL, "could not extend file: No space left on device"),
        ErrorKind::Io => error!(IO_ERROR, "could not read or write database file: {}", error.message),
        ErrorKind::Limit if error.message.contains("depth") => crate::parse::errors::too_deep(),
        ErrorKind::Limit => error!(PROGRAM_LIMIT_EXCEEDED, "{}", error.message),
        ErrorKind::InUse => error!(OBJECT_IN_USE, "{}", error.message),
        ErrorKind::Other => {
            known_complaint(&error.message).unwrap_or_else(|| SqlError::internal(error.message))
        }
    }
}

/// Complaints of the engine's own window functions, which PostgreSQL has words for.
fn known_complaint(message: &str) -> Option<SqlError> {
    const PRECEDING: &str = "frame starting offset must be a non-negative";
    const FOLLOWING: &str = "frame ending offset must be a non-negative";
    const NTILE: &str = "argument of ntile must be a positive integer";
    const NTH_VALUE: &str = "second argument to nth_value must be a positive integer";
    if message.starts_with(PRECEDING) {
        return Some(error!(
            INVALID_PRECEDING_OR_FOLLOWING_SIZE,
            "frame starting offset must not be negative"
        ));
    }
    if message.starts_with(FOLLOWING) {
        return Some(error!(INVALID_PRECEDING_OR_FOLLOWING_SIZE, "frame ending offset must not be negative"));
    }
    match message {
        NTILE => Some(error!(INVALID_ARGUMENT_FOR_NTILE, "argument of ntile must be greater than zero")),
        NTH_VALUE => {
            Some(error!(INVALID_ARGUMENT_FOR_NTH_VALUE, "argument of nth_value must be greater than zero"))
        }
        _ => None,
    }
}

/// Stands in an error for "plan and run again on the newest catalog"; never reaches a client.
const STALE_CATALOG: &str = "catalog changed while a statement began";

/// The statement's snapshot does not go with the catalog that it was planned on.
pub(crate) fn stale_catalog() -> SqlError {
    SqlError::internal(STALE_CATALOG)
}

/// Whether an error means that a statement must be planned again.
pub(crate) fn is_stale_catalog(error: &SqlError) -> bool {
    error.message() == STALE_CATALOG
}

/// Stands in an error for "run again where it may take its time"; never reaches a client.
const BUDGET_EXHAUSTED: &str = "instruction budget exhausted";

/// Whether an error means that a statement took too many instructions for the reactor thread.
pub(crate) fn is_budget_exhausted(error: &SqlError) -> bool {
    error.message() == BUDGET_EXHAUSTED
}
