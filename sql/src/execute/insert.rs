//! Rows that come from outside SQL text, as COPY FROM has them: given columns are taken as they are, the others get their
//! defaults, and then each row goes the way of every inserted row.

use std::sync::Arc;

use storage::Connection;

use super::computed::{Computed, ROW, compute};
use super::foreign_keys::{self, Pending};
use super::run;
use super::stored::{CatalogExpressions, Names};
use super::table::Table;
use super::write::Writer;
use crate::bind::BindContext;
use crate::bound::TypeMod;
use crate::lower::{HostFunction, StoredExpressions, Text};
use crate::session::StatementContext;
use crate::{Oid, Result, Value};

/// Inserts rows of some columns into a table.
pub(crate) struct RowInserter {
    table: Table,
    /// Positions of the given columns.
    given: Vec<usize>,
    /// Columns that are not given and have a default, with the text that computes all of them.
    defaults: Vec<usize>,
    default_text: Option<Text>,
    computed: Computed,
    /// What the engine calls for the table's indexes.
    functions: Vec<HostFunction>,
    /// Whether the connection knows them.
    functions_known: bool,
    pending: Vec<Pending>,
}

impl RowInserter {
    /// Prepares to insert rows with values for these columns (positions from 0) into a table.
    ///
    /// # Errors
    /// Those of binding defaults, checks and generated columns.
    pub(crate) fn new(context: &BindContext<'_>, table: Oid, given: Vec<usize>) -> Result<Self> {
        let stored = CatalogExpressions { catalog: context.catalog, format: context.format };
        let catalog = context.catalog;
        let table = Table::new(catalog, table)?;
        let mut defaults = Vec::new();
        let mut expressions = Vec::new();
        for column in table.live().filter(|column| !given.contains(column)) {
            let attribute = &table.attributes[column];
            let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
            let generated = attribute.attgenerated == 's';
            if let Some(default) = catalog.default_expression(table.oid, attribute.attnum)
                && !generated
            {
                defaults.push(column);
                expressions.push(stored.bind(&default.adbin, &Names::None, Some(ty))?);
            } else if let Some(sequence) = stored.identity_sequence(table.oid, attribute) {
                defaults.push(column);
                expressions.push(super::stored::next_value(sequence, ty.oid));
            }
        }
        let default_text = match expressions.as_slice() {
            [] => None,
            list => Some(crate::lower::row_expressions(catalog, &stored, ROW, table.oid, list)?),
        };
        let computed = Computed::new(catalog, &stored, table.oid)?;
        let functions = stored.index_functions(catalog, table.oid)?;
        let (functions_known, pending) = (false, Vec::new());
        Ok(Self { table, given, defaults, default_text, computed, functions, functions_known, pending })
    }

    /// The next row may be inserted on another connection.
    pub(crate) fn change_connection(&mut self) {
        self.functions_known = false;
    }

    /// Inserts one row; `values` are those of the given columns, in their order.
    ///
    /// # Errors
    /// Those of constraints: `23502`, `23514`, `23505`.
    pub(crate) fn insert(
        &mut self,
        connection: &mut Connection,
        context: &Arc<StatementContext>,
        values: Vec<Value>,
    ) -> Result<()> {
        if !std::mem::replace(&mut self.functions_known, true) {
            for function in &self.functions {
                function.ensure(connection).map_err(run::engine_error)?;
            }
        }
        let mut row = vec![Value::Null; self.table.attributes.len()];
        for (column, value) in self.given.iter().zip(values) {
            row[*column] = value;
        }
        if let Some(text) = &self.default_text {
            let computed = compute(connection, text, context, &row)?;
            for (column, value) in self.defaults.iter().zip(computed) {
                row[*column] = value;
            }
        }
        self.computed.complete(connection, context, &self.table, &mut row)?;
        let mut writer = Writer { connection, context, table: &self.table, pending: &mut self.pending };
        writer.insert(&row)?;
        Ok(())
    }

    /// Does what foreign keys ask at the statement's end. It may be asked again after a failure.
    ///
    /// # Errors
    /// `23503`.
    pub(crate) fn finish(
        &self,
        connection: &mut Connection,
        context: &Arc<StatementContext>,
        deferred: &mut Vec<Pending>,
    ) -> Result<()> {
        let known = deferred.len();
        let settled = foreign_keys::settle(connection, context, self.pending.clone(), Some(deferred));
        settled.inspect_err(|_| deferred.truncate(known))
    }
}
