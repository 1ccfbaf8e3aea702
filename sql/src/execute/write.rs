//! Writing one row: NOT NULL, checks, then the write itself, whose refusal by a unique index is told in PostgreSQL's
//! words. Foreign keys are noted down and looked at later (`foreign_keys`).

use std::sync::Arc;

use storage::{Connection, ErrorKind};

use super::foreign_keys::Pending;
use super::run::engine_error;
use super::table::Table;
use super::written::{What, Written};
use crate::bound::LockStrength;
use crate::catalog::Index;
use crate::lower::quoted;
use crate::session::StatementContext;
use crate::{Result, SqlError, Value, ValueRef, error};

/// The longest part of a value that DETAIL of a failing row shows, in bytes (PostgreSQL's `maxfieldlen`).
const FAILING_VALUE_LENGTH_MAX: usize = 64;

/// Writes rows of one table.
pub(crate) struct Writer<'a> {
    pub(crate) connection: &'a mut Connection,
    pub(crate) context: &'a Arc<StatementContext>,
    pub(crate) table: &'a Table,
    /// Checks and actions of foreign keys to be done at the statement's end.
    pub(crate) pending: &'a mut Vec<Pending>,
}

impl Writer<'_> {
    /// Refuses NULLs where there must be none.
    ///
    /// # Errors
    /// `23502` with the failing row.
    pub(crate) fn check_not_null(&self, row: &[Value]) -> Result<()> {
        for (attribute, value) in self.table.attributes.iter().zip(row) {
            if attribute.attnotnull && !attribute.attisdropped && value.is_null() {
                let message = format!(
                    "null value in column \"{}\" of relation \"{}\" violates not-null constraint",
                    attribute.attname,
                    self.table.name()
                );
                return Err(SqlError::new(crate::SqlState::NOT_NULL_VIOLATION, message)
                    .detail(self.failing_row(row))
                    .concerning(self.table.concerning(None, Some(&attribute.attname))));
            }
        }
        Ok(())
    }

    /// The error of a CHECK constraint that does not hold.
    pub(crate) fn check_violation(&self, constraint: &str, row: &[Value]) -> SqlError {
        error!(
            CHECK_VIOLATION,
            "new row for relation \"{}\" violates check constraint \"{constraint}\"",
            self.table.name()
        )
        .detail(self.failing_row(row))
        .concerning(self.table.concerning(Some(constraint), None))
    }

    fn failing_row(&self, row: &[Value]) -> String {
        let fields: Vec<String> = self
            .table
            .live()
            .map(|i| {
                let mut text = self.text(i, &row[i]);
                if text.len() > FAILING_VALUE_LENGTH_MAX {
                    let end = (0..=FAILING_VALUE_LENGTH_MAX).rev().find(|end| text.is_char_boundary(*end));
                    text.truncate(end.unwrap_or(0));
                    text.push_str("...");
                }
                text
            })
            .collect();
        format!("Failing row contains ({}).", fields.join(", "))
    }

    /// A column's value as text, `null` for NULL.
    fn text(&self, column: usize, value: &Value) -> String {
        value_text(self.context, self.table.attributes[column].atttypid, value)
    }

    /// Inserts a whole row; its row number.
    ///
    /// # Errors
    /// `23505` naming the index.
    pub(crate) fn insert(&mut self, row: &[Value]) -> Result<i64> {
        self.lock_keys(row, |_| true)?;
        let number = self.next_row_number()?;
        if let Err(error) = self.insert_as(number, row) {
            // Another row has the number all the same: numbers are looked for anew. Else a key is there twice.
            let taken =
                matches!(&error.kind, ErrorKind::Unique { columns, .. } if self.is_row_number(columns));
            if !taken {
                return Err(self.write_error(error, row, None));
            }
            self.context.session.services.forget_row_numbers(self.table.oid);
            let number = self.next_row_number()?;
            self.insert_as(number, row).map_err(engine_error)?;
        }
        let rowid = self.connection.last_insert_rowid();
        self.context.session.services.remember_new_row(self.table.oid);
        self.log(&self.table.insert_sql, || {
            (What::Inserted, {
                std::iter::once(Value::Integer(rowid)).chain(live_values(self.table, row).cloned()).collect()
            })
        });
        self.note_new_row(row, None);
        Ok(rowid)
    }

    fn insert_as(&mut self, number: Option<i64>, row: &[Value]) -> storage::Result<()> {
        let mut statement = self.connection.prepare_kept(&self.table.insert_sql)?;
        let number = number.map_or(ValueRef::Null, ValueRef::Integer);
        let values = std::iter::once(number).chain(live_values(self.table, row).map(Value::as_ref));
        for (place, value) in (1..).zip(values) {
            self.connection.bind(&mut statement, place, value)?;
        }
        let done = self.connection.step(&mut statement).map(drop);
        if done.is_err() {
            self.connection.reset(&mut statement);
        }
        done
    }

    /// The number for a new row; none when the engine may choose.
    fn next_row_number(&mut self) -> Result<Option<i64>> {
        let (connection, table) = (&mut *self.connection, self.table);
        let highest = &mut || table.highest_row(connection);
        self.context.session.services.next_row_number(table.oid, highest)
    }

    /// Whether these columns of a failed uniqueness are the row number, which no constraint knows.
    fn is_row_number(&self, columns: &[String]) -> bool {
        matches!(columns, [one] if quoted(one) == self.table.rowid)
    }

    /// Changes some columns of a row. `old` and `new` are whole rows when foreign keys need them, else empty.
    ///
    /// # Errors
    /// `23505` naming the index.
    pub(crate) fn update(
        &mut self,
        sql: &Arc<str>,
        rowid: i64,
        columns: &[usize],
        values: &[Value],
        old: &[Value],
        new: &[Value],
    ) -> Result<bool> {
        // What is written as it was does not count (`HeapDetermineColumnsInfo`).
        let changed = |column: &usize| old.is_empty() || old[*column] != new[*column];
        let changed: Vec<usize> = columns.iter().copied().filter(changed).collect();
        let strength = self.table.strength_of_update(&changed);
        self.lock(rowid, strength)?;
        if self.table.unique.iter().any(|index| self.table.may_move(index, &changed)) {
            let row = if new.is_empty() { &self.row_with(rowid, columns, values)? } else { new };
            self.lock_keys(row, |index| self.table.may_move(index, &changed))?;
        }
        let mut statement = self.connection.prepare_kept(sql).map_err(engine_error)?;
        for (place, value) in values.iter().enumerate() {
            self.connection.bind(&mut statement, place + 1, value.as_ref()).map_err(engine_error)?;
        }
        self.connection
            .bind(&mut statement, values.len() + 1, ValueRef::Integer(rowid))
            .map_err(engine_error)?;
        if let Err(error) = self.connection.step(&mut statement) {
            self.connection.reset(&mut statement);
            let row = self.row_with(rowid, columns, values)?;
            return Err(self.write_error(error, &row, Some(rowid)));
        }
        drop(statement);
        let changed = self.connection.changes() > 0;
        if changed {
            let in_key = strength == LockStrength::Update;
            if in_key {
                self.context.session.services.remember_new_row(self.table.oid);
            }
            self.log(sql, || {
                let values = values.iter().cloned().chain([Value::Integer(rowid)]).collect();
                (if in_key { What::Moved } else { What::Updated(columns.into()) }, values)
            });
        }
        if changed && !new.is_empty() {
            self.note_new_row(new, Some(old));
            self.note_old_row(old, Some(new));
        }
        Ok(changed)
    }

    /// Deletes a row; whether it was there.
    pub(crate) fn delete(&mut self, rowid: i64, old: &[Value]) -> Result<bool> {
        self.lock(rowid, LockStrength::Update)?;
        let (sql, row) = (&self.table.delete_sql, [Value::Integer(rowid)]);
        let deleted = self.connection.execute(sql, &row).map_err(engine_error)? > 0;
        if deleted {
            self.log(sql, || (What::Deleted, row.into()));
        }
        if deleted && !old.is_empty() {
            self.note_old_row(old, None);
        }
        Ok(deleted)
    }

    /// Notes that a whole row is to be inserted; whether there was room for that.
    ///
    /// # Errors
    /// Those of looking for a row number.
    pub(crate) fn note_insert(&mut self, row: &[Value]) -> Result<bool> {
        let Some(number) = self.next_row_number()? else { return Ok(false) };
        self.context.session.services.remember_new_row(self.table.oid);
        let values = std::iter::once(Value::Integer(number)).chain(live_values(self.table, row).cloned());
        Ok(self.note(What::Inserted, &self.table.insert_sql, values.collect()))
    }

    /// Locks a row and notes that columns of it, which no key has, are to be changed; whether there was room for that.
    ///
    /// # Errors
    /// As [`crate::session::SessionServices::lock_row`].
    pub(crate) fn note_update(
        &mut self,
        sql: &Arc<str>,
        rowid: i64,
        columns: &Arc<[usize]>,
        mut values: Vec<Value>,
    ) -> Result<bool> {
        self.lock(rowid, self.table.strength_of_update(columns))?;
        values.push(Value::Integer(rowid));
        Ok(self.note(What::Updated(columns.clone()), sql, values))
    }

    /// Locks a row and notes that it is to be deleted; whether there was room for that.
    ///
    /// # Errors
    /// As [`Self::note_update`].
    pub(crate) fn note_delete(&mut self, rowid: i64) -> Result<bool> {
        self.lock(rowid, LockStrength::Update)?;
        Ok(self.note(What::Deleted, &self.table.delete_sql, vec![Value::Integer(rowid)]))
    }

    fn note(&self, what: What, sql: &Arc<str>, values: Vec<Value>) -> bool {
        let written = Written {
            relation: self.table.oid,
            indexes_compute: self.table.indexes_compute,
            what,
            sql: sql.clone(),
            values,
        };
        self.context.session.services.note_write(written)
    }

    /// Keeps what has been done, for a transaction that may have to do it again.
    fn log(&self, sql: &Arc<str>, done: impl FnOnce() -> (What, Vec<Value>)) {
        let services = &self.context.session.services;
        if services.logs_writes() {
            let (what, values) = done();
            services.log_write(Written {
                relation: self.table.oid,
                indexes_compute: self.table.indexes_compute,
                what,
                sql: sql.clone(),
                values,
            });
        }
    }

    /// Locks a row before it is changed: others may have locked it without the right to write, and those who are about to
    /// must see that it changes.
    fn lock(&self, rowid: i64, strength: LockStrength) -> Result<()> {
        self.context.session.services.lock_changed_row(self.table.oid, rowid, strength)
    }

    /// Makes sure that no other transaction is changing a row, which may take it or its key away.
    ///
    /// # Errors
    /// As [`crate::session::SessionServices::await_changes_of_row`].
    pub(crate) fn await_changes(&self, rowid: i64) -> Result<()> {
        self.context.session.services.await_changes_of_row(self.table.oid, rowid)
    }

    /// Locks the keys that a new row takes in some unique indexes: another transaction that has taken one of them need not
    /// be seen yet ([`crate::execute::WriteLog`]).
    fn lock_keys(&self, row: &[Value], of: impl Fn(&Index) -> bool) -> Result<()> {
        for index in self.table.unique.iter().filter(|index| of(index)) {
            if let Some(key) = self.table.key_number(&self.context.catalog, index, row) {
                self.context.session.services.lock_key(index.indexrelid, key)?;
            }
        }
        Ok(())
    }

    /// A row of the table by its number, all columns.
    pub(crate) fn row(&mut self, rowid: i64) -> Result<Option<Vec<Value>>> {
        let rows =
            self.connection.query(&self.table.row_sql(), &[Value::Integer(rowid)]).map_err(engine_error)?;
        Ok(rows.into_iter().next())
    }

    fn row_with(&mut self, rowid: i64, columns: &[usize], values: &[Value]) -> Result<Vec<Value>> {
        let mut row = self.row(rowid)?.unwrap_or_else(|| vec![Value::Null; self.table.attributes.len()]);
        for (column, value) in columns.iter().zip(values) {
            row[*column] = value.clone();
        }
        Ok(row)
    }

    /// The unique index whose key this row shares with another, and that other's row number.
    pub(crate) fn conflicting(
        &mut self,
        row: &[Value],
        among: &[crate::Oid],
        except: Option<i64>,
    ) -> Result<Option<(Arc<Index>, i64)>> {
        for index in &self.table.unique {
            if !among.is_empty() && !among.contains(&index.indexrelid) {
                continue;
            }
            let Some((sql, keys)) = lookup_sql(self.context, self.table, index, row) else { continue };
            let found = self.connection.query(&sql, &keys).map_err(engine_error)?;
            for row in found {
                if let Some(Value::Integer(rowid)) = row.first()
                    && except != Some(*rowid)
                {
                    return Ok(Some((index.clone(), *rowid)));
                }
            }
        }
        Ok(None)
    }

    /// A refused write in PostgreSQL's words.
    fn write_error(&mut self, error: storage::Error, row: &[Value], rowid: Option<i64>) -> SqlError {
        let ErrorKind::Unique { columns, index, .. } = &error.kind else { return engine_error(error) };
        let found = match self.conflicting(row, &[], rowid) {
            Ok(Some((found, other))) => {
                // It may be about to go.
                if let Err(awaited) = self.await_changes(other) {
                    return awaited;
                }
                Some(found)
            }
            Ok(None) => {
                self.table.unique.iter().find(|i| self.is_called(i, columns, index.as_deref())).cloned()
            }
            Err(error) => return error,
        };
        match found {
            Some(index) => self.unique_violation(&index, row),
            None => engine_error(error),
        }
    }

    fn is_called(&self, index: &Index, columns: &[String], name: Option<&str>) -> bool {
        if let Some(name) = name {
            return self.context.catalog.physical_name(index.indexrelid).is_some_and(|n| &*n == name);
        }
        let own = index.indkey.iter().map(|attnum| self.column_name(*attnum));
        own.eq(columns.iter().map(String::as_str))
    }

    fn column_name(&self, attnum: i16) -> &str {
        self.table.attributes.iter().find(|a| a.attnum == attnum).map_or("", |a| a.attname.as_str())
    }

    fn unique_violation(&self, index: &Index, row: &[Value]) -> SqlError {
        let name =
            self.context.catalog.class(index.indexrelid).map(|c| c.relname.clone()).unwrap_or_default();
        let error = error!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"{name}\"")
            .concerning(self.table.concerning(Some(&name), None));
        if index.indkey.contains(&0) {
            return error;
        }
        let count = usize::try_from(index.indnkeyatts).unwrap_or(0);
        error.detail(format!("Key {} already exists.", self.key_text(&index.indkey[..count], row)))
    }

    /// `(a, b)=(1, 2)`.
    pub(crate) fn key_text(&self, attnums: &[i16], row: &[Value]) -> String {
        key_text(self.context, self.table, attnums, row)
    }

    /// A row has come to be: its references must exist.
    fn note_new_row(&mut self, new: &[Value], old: Option<&[Value]>) {
        for constraint in &self.table.references {
            super::foreign_keys::note_reference(self.pending, self.table, constraint, new, old);
        }
    }

    /// A row has gone, or its key has: what refers to it must follow.
    fn note_old_row(&mut self, old: &[Value], new: Option<&[Value]>) {
        for constraint in &self.table.referenced {
            super::foreign_keys::note_referenced(self.pending, self.table, constraint, old, new);
        }
    }
}

/// The values of the columns that exist.
fn live_values<'v>(table: &'v Table, row: &'v [Value]) -> impl Iterator<Item = &'v Value> {
    table.live().map(|column| &row[column])
}

/// A value as text, `null` for NULL.
pub(crate) fn value_text(context: &StatementContext, ty: crate::Oid, value: &Value) -> String {
    if value.is_null() {
        return "null".to_owned();
    }
    let mut text = String::new();
    match crate::types::output(ty, value.as_ref(), &context.type_context(), &mut text) {
        Ok(()) => text,
        Err(_) => "?".to_owned(),
    }
}

/// `(a, b)=(1, 2)`.
pub(crate) fn key_text(context: &StatementContext, table: &Table, attnums: &[i16], row: &[Value]) -> String {
    let columns: Vec<usize> = attnums.iter().filter_map(|n| usize::try_from(n - 1).ok()).collect();
    let names: Vec<&str> = columns.iter().map(|c| table.attributes[*c].attname.as_str()).collect();
    let values: Vec<String> =
        columns.iter().map(|c| value_text(context, table.attributes[*c].atttypid, &row[*c])).collect();
    format!("({})=({})", names.join(", "), values.join(", "))
}

/// The query for rows with this row's key in a unique index over columns; nothing when a NULL makes it distinct, or for
/// indexes on expressions and partial ones, which only SQLite itself checks.
fn lookup_sql(
    context: &StatementContext,
    table: &Table,
    index: &Index,
    row: &[Value],
) -> Option<(String, Vec<Value>)> {
    if index.indpred.is_some() {
        return None;
    }
    let count = usize::try_from(index.indnkeyatts).ok()?;
    let mut conditions = Vec::new();
    let mut values = Vec::new();
    for attnum in &index.indkey[..count] {
        let column = usize::try_from(attnum - 1).ok()?;
        let attribute = table.attributes.get(column)?;
        if row[column].is_null() && !index.indnullsnotdistinct {
            return None;
        }
        values.push(row[column].clone());
        let keyed = crate::types::storage_form(&context.catalog, attribute.atttypid)
            == crate::types::StorageForm::Keyed;
        let collate = if keyed { " COLLATE \"pgkey\"" } else { "" };
        let equal = if index.indnullsnotdistinct { "IS" } else { "=" };
        conditions.push(format!("{}{collate} {equal} ?{}", quoted(&attribute.attname), values.len()));
    }
    Some((
        format!("SELECT {} FROM {} WHERE {}", table.rowid, table.physical, conditions.join(" AND ")),
        values,
    ))
}
