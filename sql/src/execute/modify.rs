//! INSERT, UPDATE, DELETE and MERGE over rows that the engine has computed.
//!
//! All parts of a statement compute their rows before any of them writes, so that each sees the state from before the
//! statement; then they write in order. Only INSERT with ON CONFLICT and MERGE's later rows look at what has been written
//! since: they must.

use std::collections::HashSet;
use std::sync::Arc;

use storage::Connection;

use super::foreign_keys::{self, Pending};
use super::run::{self, Places};
use super::table::Table;
use super::write::Writer;
use crate::interrupt::{self, Many};
use crate::lower::{
    ConflictPlan, MainPlan, MergeClausePlan, MergeStep, ModifyKind, ModifyPlan, Plan, RowText,
};
use crate::session::StatementContext;
use crate::{Result, SqlError, Value, error};

/// The savepoint around a data-modifying statement.
const STATEMENT_SAVEPOINT: &str = "statement";

/// What a data-modifying statement has done.
pub(crate) struct Modified {
    /// How many rows were written, for the command tag.
    pub(crate) count: u64,
    /// What RETURNING gives, or the rows of a query with data-modifying parts.
    pub(crate) rows: Vec<Vec<Value>>,
}

/// Runs a plan that changes tables. Deferred checks are added to `deferred`.
///
/// # Errors
/// Those of constraints and functions; then nothing has changed.
pub(crate) fn run(
    connection: &mut Connection,
    plan: &Plan,
    parameters: &[Value],
    context: &Arc<StatementContext>,
    deferred: &mut Vec<Pending>,
) -> Result<Modified> {
    connection.set_context(Some(context.clone()));
    if let Some(modify) = one_write(plan) {
        return run_one_write(connection, modify, parameters, context, deferred);
    }
    in_savepoint(connection, context, |connection| {
        run_inside(connection, plan, parameters, context, deferred)
    })
}

/// Runs a step that is undone as a whole when it fails.
fn in_savepoint<T>(
    connection: &mut Connection,
    context: &StatementContext,
    step: impl FnOnce(&mut Connection) -> Result<T>,
) -> Result<T> {
    connection.savepoint(STATEMENT_SAVEPOINT).map_err(run::engine_error)?;
    let logged = context.session.services.logged_writes();
    match step(connection) {
        Ok(modified) => {
            connection.release(STATEMENT_SAVEPOINT).map_err(run::engine_error)?;
            Ok(modified)
        }
        Err(error) => {
            context.session.services.undo_writes(logged);
            // After a failure of the disk the engine may have rolled back more; then there is no savepoint any more.
            if connection.rollback_to(STATEMENT_SAVEPOINT).is_ok() {
                connection.release(STATEMENT_SAVEPOINT).map_err(run::engine_error)?;
            }
            Err(error)
        }
    }
}

/// Whether a plan computes all its rows before it writes the first: until then it can be begun anew.
pub(crate) fn computes_first(plan: &Plan) -> bool {
    one_write(plan).is_some()
}

/// The statement, when nothing is written before all its rows are computed.
fn one_write(plan: &Plan) -> Option<&ModifyPlan> {
    match &plan.main {
        MainPlan::Modify(modify) if plan.parts.is_empty() && !plan.may_write => match modify.kind {
            ModifyKind::Insert(None) | ModifyKind::Update | ModifyKind::Delete => Some(modify),
            ModifyKind::Insert(Some(_)) | ModifyKind::Merge(_) => None,
        },
        _ => None,
    }
}

/// Computes the rows, then writes them. One row that nothing is looked at for afterwards needs no savepoint: the engine
/// undoes its write by itself.
fn run_one_write(
    connection: &mut Connection,
    modify: &ModifyPlan,
    parameters: &[Value],
    context: &Arc<StatementContext>,
    deferred: &mut Vec<Pending>,
) -> Result<Modified> {
    let mut pending = Vec::new();
    let mut step = Step::new(modify, parameters, context);
    let rows = step.compute(connection, &mut pending)?;
    storage::take_time();
    let table = &modify.table;
    if step.changes.len() <= 1 && table.references.is_empty() && table.referenced.is_empty() {
        step.write(connection, &mut pending)?;
    } else {
        in_savepoint(connection, context, |connection| {
            step.write(connection, &mut pending)?;
            foreign_keys::settle(connection, context, pending, Some(deferred))
        })?;
    }
    Ok(Modified { count: step.count, rows })
}

/// Computes the changes of a plan that can be noted ([`Plan::can_be_noted`]), locks their rows, and notes them for later
/// instead of making them: the connection only reads. Nothing when they are too many for that; what has been noted is then
/// to be undone.
///
/// # Errors
/// As [`run`].
pub(crate) fn note(
    connection: &mut Connection,
    plan: &Plan,
    parameters: &[Value],
    context: &Arc<StatementContext>,
) -> Result<Option<Modified>> {
    connection.set_context(Some(context.clone()));
    let Some(modify) = one_write(plan) else { return Ok(None) };
    let mut pending = Vec::new();
    let mut step = Step::new(modify, parameters, context);
    let rows = step.compute(connection, &mut pending)?;
    storage::take_time();
    let noted = step.note(connection)?;
    Ok(noted.then_some(Modified { count: step.count, rows }))
}

/// As [`run`], inside another statement, whose context the connection has and whose failure undoes this one too.
pub(super) fn run_inside(
    connection: &mut Connection,
    plan: &Plan,
    parameters: &[Value],
    context: &Arc<StatementContext>,
    deferred: &mut Vec<Pending>,
) -> Result<Modified> {
    let mut pending = Vec::new();
    let mut computed = Vec::new();
    for part in &plan.parts {
        let mut step = Step::new(&part.modify, parameters, context);
        let rows = step.compute(connection, &mut pending)?;
        context.buffered.lock().insert(part.cte, Arc::new(rows));
        computed.push(step);
    }
    let mut modified = Modified { count: 0, rows: Vec::new() };
    let main = match &plan.main {
        MainPlan::Query(text) => {
            modified.rows = run::query(connection, text, &Places::new(context, parameters))?;
            modified.rows.iter_mut().for_each(|row| row.truncate(plan.columns.len()));
            modified.count = modified.rows.len() as u64;
            None
        }
        MainPlan::Modify(plan) => {
            let mut step = Step::new(plan, parameters, context);
            modified.rows = step.compute(connection, &mut pending)?;
            Some(step)
        }
    };
    for step in &mut computed {
        step.write(connection, &mut pending)?;
    }
    if let Some(mut step) = main {
        step.write(connection, &mut pending)?;
        modified.count = step.count;
    }
    foreign_keys::settle(connection, context, pending, Some(deferred))?;
    context.buffered.lock().clear();
    Ok(modified)
}

/// A row that is still to be written.
enum Change {
    Insert(Vec<Value>),
    /// Row number, changed columns' values, the whole old and new rows (empty when nobody needs them).
    Update {
        rowid: i64,
        values: Vec<Value>,
        old: Vec<Value>,
        new: Vec<Value>,
    },
    Delete {
        rowid: i64,
        old: Vec<Value>,
    },
}

/// One part of a statement on its way.
struct Step<'a> {
    plan: &'a ModifyPlan,
    table: &'a Table,
    parameters: &'a [Value],
    context: &'a Arc<StatementContext>,
    /// Columns that UPDATE writes: the assigned ones and generated ones.
    columns: Vec<usize>,
    changes: Vec<Change>,
    count: u64,
}

impl<'a> Step<'a> {
    fn new(plan: &'a ModifyPlan, parameters: &'a [Value], context: &'a Arc<StatementContext>) -> Self {
        let columns = plan.values.clone();
        Self { plan, table: &plan.table, parameters, context, columns, changes: Vec::new(), count: 0 }
    }

    fn places(&self) -> Places<'_> {
        Places::new(self.context, self.parameters)
    }

    /// Runs the source and decides what will be written; what RETURNING gives.
    fn compute(
        &mut self,
        connection: &mut Connection,
        pending: &mut Vec<Pending>,
    ) -> Result<Vec<Vec<Value>>> {
        let rows = run::query(connection, &self.plan.source, &self.places())?;
        match &self.plan.kind {
            ModifyKind::Insert(None) => {
                Many::from(rows).map(|row| self.insert(connection, row)).collect_returned()
            }
            ModifyKind::Insert(Some(conflict)) => self.insert_or_update(connection, rows, conflict, pending),
            ModifyKind::Update => self.updates(connection, rows),
            ModifyKind::Delete => self.deletes(connection, rows),
            ModifyKind::Merge(clauses) => self.merge(connection, rows, clauses, pending),
        }
    }

    /// Generated columns, NOT NULL, checks and RETURNING of a new row; what RETURNING gives.
    fn finish_row(
        &self,
        connection: &mut Connection,
        row: &mut [Value],
        extra: &[Value],
        is_new: bool,
    ) -> Result<Option<Vec<Value>>> {
        let computed = match &self.plan.row {
            None => Vec::new(),
            Some(text) => self.row_text(connection, text, row, extra)?,
        };
        let Some(text) = &self.plan.row else {
            if is_new {
                self.check(connection, row, &[], &[])?;
            }
            return Ok(None);
        };
        for (column, value) in text.generated.iter().zip(&computed) {
            row[*column] = value.clone();
        }
        let checks = text.generated.len();
        let returning = checks + text.checks.len();
        if is_new {
            self.check(connection, row, &text.checks, &computed[checks..returning])?;
        }
        Ok((text.returning > 0).then(|| computed[returning..].to_vec()))
    }

    fn row_text(
        &self,
        connection: &mut Connection,
        text: &RowText,
        row: &[Value],
        extra: &[Value],
    ) -> Result<Vec<Value>> {
        let places = Places { row, extra, ..self.places() };
        let rows = run::query(connection, &text.text, &places)?;
        rows.into_iter().next().ok_or_else(|| SqlError::internal("a row text without a row"))
    }

    fn check(
        &self,
        connection: &mut Connection,
        row: &[Value],
        names: &[String],
        results: &[Value],
    ) -> Result<()> {
        let mut none = Vec::new();
        let writer = Writer { connection, context: self.context, table: self.table, pending: &mut none };
        writer.check_not_null(row)?;
        match results.iter().position(|result| *result == Value::Integer(0)) {
            Some(failed) => Err(writer.check_violation(&names[failed], row)),
            None => Ok(()),
        }
    }

    fn insert(&mut self, connection: &mut Connection, mut row: Vec<Value>) -> Result<Option<Vec<Value>>> {
        interrupt::check()?;
        row.truncate(self.table.attributes.len());
        let returned = self.finish_row(connection, &mut row, &[], true)?;
        self.changes.push(Change::Insert(row));
        Ok(returned)
    }

    /// ON CONFLICT looks at the rows written by the statement itself, so it writes at once.
    fn insert_or_update(
        &mut self,
        connection: &mut Connection,
        rows: Vec<Vec<Value>>,
        conflict: &ConflictPlan,
        pending: &mut Vec<Pending>,
    ) -> Result<Vec<Vec<Value>>> {
        let mut touched = HashSet::new();
        let mut returned = Vec::new();
        for mut row in Many::from(rows) {
            interrupt::check()?;
            row.truncate(self.table.attributes.len());
            let answer = self.finish_row(connection, &mut row, &[], true)?;
            let mut writer = Writer { connection, context: self.context, table: self.table, pending };
            let found = writer.conflicting(&row, &conflict.arbiters, None)?;
            let Some((_, rowid)) = found else {
                let rowid = writer.insert(&row)?;
                touched.insert(rowid);
                self.count += 1;
                returned.extend(answer);
                continue;
            };
            let Some((text, columns)) = &conflict.update else {
                // Whether the key is taken shows when nobody is changing its row (`check_exclusion_or_unique_constraint`).
                writer.await_changes(rowid)?;
                continue;
            };
            if touched.contains(&rowid) {
                return Err(error!(
                    CARDINALITY_VIOLATION,
                    "ON CONFLICT DO UPDATE command cannot affect row a second time"
                )
                .hint(
                    "Ensure that no rows proposed for insertion within the same command have duplicate \
                     constrained values.",
                ));
            }
            // Before WHERE is asked, which may then be about another version of it; and kept whatever that says
            // (`ExecOnConflictUpdate`).
            let strength = self.table.strength_of_update(&self.written_columns(columns));
            self.context.session.lock_row(self.table.oid, rowid, strength)?;
            let places =
                Places { excluded: &row, row_number: rowid, ..Places::new(self.context, self.parameters) };
            let values = run::query(writer.connection, text, &places)?;
            let Some(values) = values.into_iter().next() else { continue };
            if values[0] != Value::Integer(1) {
                continue;
            }
            touched.insert(rowid);
            let answer = self.update_now(connection, rowid, columns, &values[1..], pending)?;
            self.count += 1;
            returned.extend(answer);
        }
        Ok(returned)
    }

    /// The columns that an update of these writes: generated ones, too.
    fn written_columns(&self, assigned: &[usize]) -> Vec<usize> {
        let generated = self.plan.row.iter().flat_map(|text| &text.generated);
        assigned.iter().chain(generated).copied().collect()
    }

    /// Changes a row right away; what RETURNING gives.
    fn update_now(
        &self,
        connection: &mut Connection,
        rowid: i64,
        columns: &[usize],
        values: &[Value],
        pending: &mut Vec<Pending>,
    ) -> Result<Option<Vec<Value>>> {
        let mut none = Vec::new();
        let mut writer = Writer {
            connection: &mut *connection,
            context: self.context,
            table: self.table,
            pending: &mut none,
        };
        let old = writer.row(rowid)?.ok_or_else(|| SqlError::internal("the conflicting row is gone"))?;
        let mut new = old.clone();
        for (column, value) in columns.iter().zip(values) {
            new[*column] = value.clone();
        }
        let answer = self.finish_row(connection, &mut new, &[], true)?;
        let changed = self.written_columns(columns);
        let values: Vec<Value> = changed.iter().map(|column| new[*column].clone()).collect();
        let sql = self.table.update_sql(&changed);
        let mut writer = Writer { connection, context: self.context, table: self.table, pending };
        writer.update(&sql, rowid, &changed, &values, &old, &new)?;
        Ok(answer)
    }

    fn updates(&mut self, connection: &mut Connection, rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>> {
        let mut seen = HashSet::new();
        let mut returned = Vec::new();
        for row in Many::from(rows) {
            interrupt::check()?;
            let Some(Value::Integer(rowid)) = row.first().cloned() else { continue };
            // A row that several rows of FROM match is changed once.
            if !seen.insert(rowid) {
                continue;
            }
            let mut values = row[1..=self.columns.len()].to_vec();
            let (mut old, mut new) = (Vec::new(), Vec::new());
            match self.plan.old {
                Some(start) => {
                    old = row[start..start + self.table.attributes.len()].to_vec();
                    new = old.clone();
                    for (column, value) in self.columns.iter().zip(&values) {
                        new[*column] = value.clone();
                    }
                    returned.extend(self.finish_row(connection, &mut new, &row[self.plan.extra..], true)?);
                    values = self.columns.iter().map(|column| new[*column].clone()).collect();
                }
                None => self.check_assigned(connection, rowid, &values)?,
            }
            self.changes.push(Change::Update { rowid, values, old, new });
        }
        Ok(returned)
    }

    /// NOT NULL of the assigned columns; the whole row is only read to tell what is wrong with it.
    fn check_assigned(&self, connection: &mut Connection, rowid: i64, values: &[Value]) -> Result<()> {
        let refused =
            |(column, value): (&usize, &Value)| value.is_null() && self.table.attributes[*column].attnotnull;
        if !self.columns.iter().zip(values).any(refused) {
            return Ok(());
        }
        let mut none = Vec::new();
        let mut writer = Writer { connection, context: self.context, table: self.table, pending: &mut none };
        let mut row = writer.row(rowid)?.unwrap_or_default();
        for (column, value) in self.columns.iter().zip(values) {
            row[*column] = value.clone();
        }
        writer.check_not_null(&row)
    }

    fn deletes(&mut self, connection: &mut Connection, rows: Vec<Vec<Value>>) -> Result<Vec<Vec<Value>>> {
        let mut seen = HashSet::new();
        let mut returned = Vec::new();
        for row in Many::from(rows) {
            interrupt::check()?;
            let Some(Value::Integer(rowid)) = row.first().cloned() else { continue };
            if !seen.insert(rowid) {
                continue;
            }
            let mut old = match self.plan.old {
                Some(start) => row[start..start + self.table.attributes.len()].to_vec(),
                None => Vec::new(),
            };
            returned.extend(self.finish_row(connection, &mut old, &row[self.plan.extra..], false)?);
            self.changes.push(Change::Delete { rowid, old });
        }
        Ok(returned)
    }

    /// MERGE decides for each row of the join; its rows are written in that order.
    fn merge(
        &mut self,
        connection: &mut Connection,
        rows: Vec<Vec<Value>>,
        clauses: &[MergeClausePlan],
        pending: &mut Vec<Pending>,
    ) -> Result<Vec<Vec<Value>>> {
        let mut touched = HashSet::new();
        let mut returned = Vec::new();
        let start = self.plan.old.unwrap_or(2);
        for row in Many::from(rows) {
            interrupt::check()?;
            let Value::Integer(number) = row[1] else { continue };
            let clause = usize::try_from(number).ok().and_then(|n| clauses.get(n));
            let clause = clause.ok_or_else(|| SqlError::internal("an unknown MERGE clause"))?;
            if let Value::Integer(rowid) = row[0]
                && !matches!(clause.step, MergeStep::Nothing)
                && !touched.insert(rowid)
            {
                return Err(error!(CARDINALITY_VIOLATION, "MERGE command cannot affect row a second time")
                    .hint("Ensure that not more than one source row matches any one target row."));
            }
            let rowid = if let Value::Integer(rowid) = row[0] { rowid } else { 0 };
            match &clause.step {
                MergeStep::Nothing => continue,
                MergeStep::Insert(columns) => {
                    let mut new = row[clause.values..clause.values + columns.len()].to_vec();
                    returned.extend(self.finish_row(connection, &mut new, &[], true)?);
                    let mut writer = Writer { connection, context: self.context, table: self.table, pending };
                    writer.insert(&new)?;
                }
                MergeStep::Update(columns) => {
                    let values = row[clause.values..clause.values + columns.len()].to_vec();
                    returned.extend(self.update_now(connection, rowid, columns, &values, pending)?);
                }
                MergeStep::Delete => {
                    let mut old = row[start..start + self.table.attributes.len()].to_vec();
                    returned.extend(self.finish_row(connection, &mut old, &[], false)?);
                    let mut writer = Writer { connection, context: self.context, table: self.table, pending };
                    writer.delete(rowid, &old)?;
                }
            }
            self.count += 1;
        }
        Ok(returned)
    }

    /// Notes what has been decided; whether there was room for all of it.
    fn note(&mut self, connection: &mut Connection) -> Result<bool> {
        let mut none = Vec::new();
        let changes = std::mem::take(&mut self.changes);
        let update = if matches!(self.plan.kind, ModifyKind::Update) {
            self.table.update_sql(&self.columns)
        } else {
            Arc::from("")
        };
        let mut writer = Writer { connection, context: self.context, table: self.table, pending: &mut none };
        let columns: Arc<[usize]> = self.columns.as_slice().into();
        for change in Many::from(changes) {
            interrupt::check()?;
            let noted = match change {
                Change::Insert(row) => writer.note_insert(&row)?,
                Change::Update { rowid, values, .. } => {
                    writer.note_update(&update, rowid, &columns, values)?
                }
                Change::Delete { rowid, .. } => writer.note_delete(rowid)?,
            };
            if !noted {
                return Ok(false);
            }
            self.count += 1;
        }
        Ok(true)
    }

    /// Writes what has been decided.
    fn write(&mut self, connection: &mut Connection, pending: &mut Vec<Pending>) -> Result<()> {
        let changes = std::mem::take(&mut self.changes);
        if changes.is_empty() {
            return Ok(());
        }
        let update =
            if self.columns.is_empty() { Arc::from("") } else { self.table.update_sql(&self.columns) };
        let mut writer = Writer { connection, context: self.context, table: self.table, pending };
        for change in Many::from(changes) {
            interrupt::check()?;
            self.count += u64::from(match change {
                Change::Insert(row) => {
                    writer.insert(&row)?;
                    true
                }
                Change::Update { rowid, values, old, new } => {
                    writer.update(&update, rowid, &self.columns, &values, &old, &new)?
                }
                Change::Delete { rowid, old } => writer.delete(rowid, &old)?,
            });
        }
        Ok(())
    }
}

impl Drop for Step<'_> {
    fn drop(&mut self) {
        interrupt::discard(std::mem::take(&mut self.changes));
    }
}

/// Gathers what rows return, leaving out those that return nothing.
trait CollectReturned {
    fn collect_returned(self) -> Result<Vec<Vec<Value>>>;
}

impl<I: Iterator<Item = Result<Option<Vec<Value>>>>> CollectReturned for I {
    fn collect_returned(self) -> Result<Vec<Vec<Value>>> {
        self.filter_map(Result::transpose).collect()
    }
}
