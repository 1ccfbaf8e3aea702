//! Execution: running a plan on an engine connection. Everything here is synchronous and knows no session: it gets a
//! connection, a plan, parameters and a context, and gives rows or a count.
//!
//! | file | what |
//! |---|---|
//! | `run` | texts: functions registered, places bound, errors taken back out of the engine |
//! | `table` | what writing to a table must know of it |
//! | `physical` | tables and indexes of the catalog as tables and indexes of SQLite |
//! | `modify` | INSERT, UPDATE, DELETE, MERGE over rows that the engine has computed |
//! | `write` | one row at a time: constraints, then the write |
//! | `row_reader` | rows by their numbers |
//! | `computed` | generated columns and checks of rows without a plan of their own |
//! | `insert` | rows from outside SQL text, as of COPY |
//! | `sql_function` | bodies of functions written in SQL |
//! | `foreign_keys` | referential integrity at the end of a statement or transaction |

//!
//! A session's way through it: [`make_plan`], then [`Cursor::open`] for plans that only read or [`modify`](run_modify)
//! for those that change tables; deferred checks are kept for [`settle_deferred`] before the commit.

mod computed;
mod foreign_keys;
mod insert;
mod modify;
pub mod physical;
mod row_reader;
pub(crate) mod run;
pub(crate) mod sql_function;
mod stored;
pub(crate) mod table;
mod write;
mod written;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use storage::{Connection, RowRef};

use crate::bind::BindContext;
use crate::bound::BoundStatement;
use crate::lower::{MainPlan, OwnChanges, Plan};
use crate::session::StatementContext;
use crate::{Result, SqlError, Value};

pub(crate) use foreign_keys::Pending;
pub(crate) use insert::RowInserter;
pub(crate) use modify::{Modified, computes_first, note as note_modify, run as run_modify};
pub(crate) use row_reader::RowReader;
pub(crate) use run::{engine_error, is_budget_exhausted, is_stale_catalog, stale_catalog};
pub use sql_function::SqlFunctions;
pub use stored::CatalogExpressions;
pub(crate) use stored::{ensure_functions_of, ensure_index_functions, index_texts};
pub(crate) use written::WriteLog;
pub use written::Written;

/// Makes a bound statement ready for the engine; what it was bound with must still hold.
///
/// # Errors
/// `0A000` naming the construct that cannot be lowered; those of binding stored expressions.
pub fn make_plan(statement: &BoundStatement, context: &BindContext<'_>) -> Result<Plan> {
    let stored = CatalogExpressions { catalog: context.catalog, format: context.format };
    crate::lower::plan(statement, context.catalog, &stored)
}

/// As [`make_plan`], for a query of a table of which the transaction has changed rows that are not in the engine.
///
/// # Errors
/// As there.
pub(crate) fn make_plan_with(
    statement: &BoundStatement,
    context: &BindContext<'_>,
    own: &OwnChanges,
) -> Result<Plan> {
    let stored = CatalogExpressions { catalog: context.catalog, format: context.format };
    crate::lower::plan_with(statement, context.catalog, &stored, Some(own))
}

/// A plan that only reads, on its way. It belongs to the connection on which it was opened; dropping it ends it.
pub(crate) struct Cursor {
    statement: storage::Statement,
    columns: usize,
}

impl Cursor {
    /// Binds the places of a reading plan; no row has been computed yet.
    ///
    /// # Errors
    /// `XX000` for a plan that changes tables.
    pub(crate) fn open(
        connection: &mut Connection,
        plan: &Plan,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<Self> {
        let MainPlan::Query(text) = &plan.main else {
            return Err(SqlError::internal("a cursor over a statement that changes tables"));
        };
        connection.set_context(Some(context.clone()));
        let mut statement = run::prepare(connection, text)?;
        run::bind(connection, &mut statement, &text.bindings, &run::Places::new(context, parameters))?;
        Ok(Self { statement, columns: plan.columns.len() })
    }

    /// How many columns of each row the client sees; what follows is for the engine only.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Runs to the next row. The connection must have this statement's context: see [`Connection::set_context`].
    ///
    /// # Errors
    /// Those of the functions the statement calls; `57014` when it is interrupted.
    pub(crate) fn next<'a>(&'a mut self, connection: &'a mut Connection) -> Result<Option<RowRef<'a>>> {
        connection.step(&mut self.statement).map_err(engine_error)
    }

    /// Ends it, as dropping it does, but at once.
    pub(crate) fn close(self, connection: &mut Connection) {
        connection.finish(self.statement);
    }
}

/// Does the checks that a transaction has put off, before it commits. They write nothing, and may be done again after a
/// failure.
///
/// # Errors
/// `23503` with PostgreSQL's DETAIL.
pub(crate) fn settle_deferred(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    deferred: &[Pending],
) -> Result<()> {
    connection.set_context(Some(context.clone()));
    foreign_keys::settle_deferred(connection, context, deferred)
}
