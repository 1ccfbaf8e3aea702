//! Referential integrity: what a written row asks of other tables, done at the end of its statement, or of its transaction
//! when the constraint is deferred.
//!
//! A new row in the referencing table must find its key (23503); an old row in the referenced table takes its followers
//! with it (CASCADE, SET NULL, SET DEFAULT) or is refused while it has any. Actions write rows, too, and so may ask for
//! more: the queue is worked off until it is empty.
//!
//! Source: `src/backend/utils/adt/ri_triggers.c`.

use std::sync::Arc;

use storage::Connection;

use super::computed::Computed;
use super::run::engine_error;
use super::stored::CatalogExpressions;
use super::table::Table;
use super::write::{Writer, key_text};
use crate::bound::LockStrength;
use crate::catalog::Constraint;
use crate::interrupt::{self, Many};
use crate::lower::quoted;
use crate::session::StatementContext;
use crate::types::{StorageForm, storage_form};
use crate::{Result, SqlError, Value, error};

/// `confupdtype`, `confdeltype`.
const RESTRICT: char = 'r';
const CASCADE: char = 'c';
const SET_NULL: char = 'n';
const SET_DEFAULT: char = 'd';

/// `confmatchtype`.
const MATCH_FULL: char = 'f';

/// Something to look at.
#[derive(Clone)]
pub(crate) enum Pending {
    /// A row refers to a key, which must be there.
    Reference { constraint: Arc<Constraint>, row: Vec<Value> },
    /// A key is gone (`new` absent) or has changed: those who refer to it must follow.
    Referenced { constraint: Arc<Constraint>, old: Vec<Value>, new: Option<Vec<Value>> },
}

impl Pending {
    fn constraint(&self) -> &Arc<Constraint> {
        match self {
            Self::Reference { constraint, .. } | Self::Referenced { constraint, .. } => constraint,
        }
    }

    /// Whether it may wait for the end of the transaction: actions and RESTRICT never do.
    pub(crate) fn is_deferred(&self) -> bool {
        let constraint = self.constraint();
        constraint.condeferred
            && match self {
                Self::Reference { .. } => true,
                Self::Referenced { new, .. } => action(constraint, new.is_some()) == 'a',
            }
    }
}

fn action(constraint: &Constraint, update: bool) -> char {
    if update { constraint.confupdtype } else { constraint.confdeltype }
}

fn columns(attnums: Option<&Vec<i16>>) -> Vec<usize> {
    attnums.into_iter().flatten().filter_map(|n| usize::try_from(n - 1).ok()).collect()
}

fn key(row: &[Value], columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|c| row.get(*c).cloned().unwrap_or_default()).collect()
}

/// A row of the referencing table has been written.
pub(crate) fn note_reference(
    pending: &mut Vec<Pending>,
    _table: &Table,
    constraint: &Arc<Constraint>,
    new: &[Value],
    old: Option<&[Value]>,
) {
    let own = columns(constraint.conkey.as_ref());
    let values = key(new, &own);
    let unchanged = old.is_some_and(|old| key(old, &own) == values);
    // MATCH SIMPLE: a NULL anywhere refers to nothing. MATCH FULL: only NULLs do.
    let refers_to_nothing = match constraint.confmatchtype {
        MATCH_FULL => values.iter().all(Value::is_null),
        _ => values.iter().any(Value::is_null),
    };
    if !unchanged && !refers_to_nothing {
        pending.push(Pending::Reference { constraint: constraint.clone(), row: new.to_vec() });
    }
}

/// A row of the referenced table has been changed or deleted.
pub(crate) fn note_referenced(
    pending: &mut Vec<Pending>,
    _table: &Table,
    constraint: &Arc<Constraint>,
    old: &[Value],
    new: Option<&[Value]>,
) {
    let theirs = columns(constraint.confkey.as_ref());
    let values = key(old, &theirs);
    let unchanged = new.is_some_and(|new| key(new, &theirs) == values);
    if !unchanged && !values.iter().any(Value::is_null) {
        let new = new.map(<[Value]>::to_vec);
        pending.push(Pending::Referenced { constraint: constraint.clone(), old: old.to_vec(), new });
    }
}

/// Works the queue off. Deferred checks go to `deferred`, unless there is none: then they are done, too.
///
/// # Errors
/// `23503` with PostgreSQL's DETAIL.
pub(crate) fn settle(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    mut pending: Vec<Pending>,
    mut deferred: Option<&mut Vec<Pending>>,
) -> Result<()> {
    while !pending.is_empty() {
        for one in Many::from(std::mem::take(&mut pending)) {
            interrupt::check()?;
            if let Some(deferred) = deferred.as_deref_mut()
                && one.is_deferred()
            {
                deferred.push(one);
                continue;
            }
            settle_one(connection, context, &one, &mut pending)?;
        }
    }
    Ok(())
}

/// Does checks that were deferred: these have no actions.
///
/// # Errors
/// As [`settle`].
pub(crate) fn settle_deferred(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    deferred: &[Pending],
) -> Result<()> {
    let mut pending = Vec::new();
    for one in deferred {
        interrupt::check()?;
        settle_one(connection, context, one, &mut pending)?;
    }
    settle(connection, context, pending, None)
}

fn settle_one(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    one: &Pending,
    pending: &mut Vec<Pending>,
) -> Result<()> {
    match one {
        Pending::Reference { constraint, row } => check_reference(connection, context, constraint, row),
        Pending::Referenced { constraint, old, new } => {
            follow(connection, context, constraint, old, new.as_deref(), pending)
        }
    }
}

fn condition(context: &StatementContext, table: &Table, columns: &[usize]) -> String {
    let tests: Vec<String> = columns
        .iter()
        .enumerate()
        .map(|(i, column)| {
            let attribute = &table.attributes[*column];
            let keyed = storage_form(&context.catalog, attribute.atttypid) == StorageForm::Keyed;
            let collate = if keyed { " COLLATE \"pgkey\"" } else { "" };
            format!("{}{collate} = ?{}", quoted(&attribute.attname), i + 1)
        })
        .collect();
    tests.join(" AND ")
}

fn exists(
    connection: &mut Connection,
    context: &StatementContext,
    table: &Table,
    columns: &[usize],
    values: &[Value],
) -> Result<bool> {
    Ok(find(connection, context, table, columns, values)?.is_some())
}

/// The number of a row with these values.
fn find(
    connection: &mut Connection,
    context: &StatementContext,
    table: &Table,
    columns: &[usize],
    values: &[Value],
) -> Result<Option<i64>> {
    let condition = condition(context, table, columns);
    let sql = format!("SELECT {} FROM {} WHERE {condition} LIMIT 1", table.rowid, table.physical);
    let rows = connection.query(&sql, values).map_err(engine_error)?;
    Ok(rows.first().and_then(|row| row.first()).and_then(|value| match value {
        Value::Integer(rowid) => Some(*rowid),
        _ => None,
    }))
}

fn check_reference(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    constraint: &Constraint,
    row: &[Value],
) -> Result<()> {
    let table = Table::new(&context.catalog, constraint.conrelid)?;
    let referenced = Table::new(&context.catalog, constraint.confrelid)?;
    let own = columns(constraint.conkey.as_ref());
    let values = key(row, &own);
    let violation = |detail: String| {
        error!(
            FOREIGN_KEY_VIOLATION,
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            table.name(),
            constraint.conname
        )
        .detail(detail)
        .concerning(table.concerning(Some(&constraint.conname), None))
    };
    if values.iter().any(Value::is_null) {
        return Err(violation("MATCH FULL does not allow mixing of null and nonnull key values.".to_owned()));
    }
    // A row that has changed or gone since asks for nothing any more.
    if !exists(connection, context, &table, &own, &values)? {
        return Ok(());
    }
    // The referenced row stays while this transaction runs: nobody may even intend to take it away.
    let keys = columns(constraint.confkey.as_ref());
    if let Some(rowid) = find(connection, context, &referenced, &keys, &values)? {
        return context.session.lock_row(referenced.oid, rowid, LockStrength::KeyShare);
    }
    let attnums = constraint.conkey.as_deref().unwrap_or_default();
    Err(violation(format!(
        "Key {} is not present in table \"{}\".",
        key_text(context, &table, attnums, row),
        referenced.name()
    )))
}

fn follow(
    connection: &mut Connection,
    context: &Arc<StatementContext>,
    constraint: &Constraint,
    old: &[Value],
    new: Option<&[Value]>,
    pending: &mut Vec<Pending>,
) -> Result<()> {
    let table = Table::new(&context.catalog, constraint.conrelid)?;
    let referenced = Table::new(&context.catalog, constraint.confrelid)?;
    let own = columns(constraint.conkey.as_ref());
    let theirs = columns(constraint.confkey.as_ref());
    let values = key(old, &theirs);
    let action = action(constraint, new.is_some());
    // Another row may have taken the key's place meanwhile.
    if action != RESTRICT && exists(connection, context, &referenced, &theirs, &values)? {
        return Ok(());
    }
    match action {
        CASCADE | SET_NULL | SET_DEFAULT => {}
        _ => {
            let Some(follower) = find(connection, context, &table, &own, &values)? else { return Ok(()) };
            // It may be about to go.
            context.session.lock_row(table.oid, follower, LockStrength::KeyShare)?;
            return Err(still_referenced(context, constraint, &table, &referenced, old));
        }
    }
    let sql = format!(
        "SELECT {}, {} FROM {} WHERE {}",
        table.rowid,
        table.all_columns(),
        table.physical,
        condition(context, &table, &own)
    );
    let followers = connection.query(&sql, &values).map_err(engine_error)?;
    if action == CASCADE && new.is_none() {
        let mut writer = Writer { connection, context, table: &table, pending };
        for mut follower in followers {
            let Value::Integer(rowid) = follower.remove(0) else { continue };
            writer.delete(rowid, &follower)?;
        }
        return Ok(());
    }
    if followers.is_empty() {
        return Ok(());
    }
    let stored = CatalogExpressions { catalog: &context.catalog, format: &context.format };
    let computed = Computed::new(&context.catalog, &stored, table.oid)?;
    for mut follower in followers {
        let Value::Integer(rowid) = follower.remove(0) else { continue };
        let replaced = if action == CASCADE { new.map(|new| key(new, &theirs)) } else { None };
        let mut changed = match &constraint.confdelsetcols {
            Some(some) if new.is_none() && !some.is_empty() => columns(Some(some)),
            _ => own.clone(),
        };
        let values = match replaced {
            Some(values) => values,
            None if action == SET_DEFAULT => default_values(context, &table, &changed)?,
            None => vec![Value::Null; changed.len()],
        };
        let mut row = follower.clone();
        for (column, value) in changed.iter().zip(&values) {
            row[*column] = value.clone();
        }
        computed.complete(connection, context, &table, &mut row)?;
        changed.extend(computed.generated.iter().filter(|column| row[**column] != follower[**column]));
        let values: Vec<Value> = changed.iter().map(|column| row[*column].clone()).collect();
        let update = table.update_sql(&changed);
        let mut writer = Writer { connection, context, table: &table, pending };
        writer.update(&update, rowid, &changed, &values, &follower, &row)?;
    }
    Ok(())
}

fn default_values(context: &Arc<StatementContext>, table: &Table, columns: &[usize]) -> Result<Vec<Value>> {
    columns
        .iter()
        .map(|column| {
            let attribute = &table.attributes[*column];
            match context.catalog.default_expression(table.oid, attribute.attnum) {
                None => Ok(Value::Null),
                Some(default) => super::stored::constant_default(context, attribute, &default.adbin),
            }
        })
        .collect()
}

fn still_referenced(
    context: &StatementContext,
    constraint: &Constraint,
    table: &Table,
    referenced: &Table,
    old: &[Value],
) -> SqlError {
    let attnums = constraint.confkey.as_deref().unwrap_or_default();
    error!(
        FOREIGN_KEY_VIOLATION,
        "update or delete on table \"{}\" violates foreign key constraint \"{}\" on table \"{}\"",
        referenced.name(),
        constraint.conname,
        table.name()
    )
    .detail(format!(
        "Key {} is still referenced from table \"{}\".",
        key_text(context, referenced, attnums, old),
        table.name()
    ))
    .concerning(table.concerning(Some(&constraint.conname), None))
}
