//! What a table computes of each of its rows, generated columns and checks, for rows that come without a statement's plan
//! ([`crate::lower::RowText`]): those of COPY, and those that a foreign key changes.

use std::sync::Arc;

use storage::Connection;

use super::run::{self, Places};
use super::stored::CatalogExpressions;
use super::table::Table;
use super::write::Writer;
use crate::bound::{Expr, RangeId};
use crate::catalog::Catalog;
use crate::lower::{StoredExpressions, Text};
use crate::session::StatementContext;
use crate::{Oid, Result, Value};

/// The range number of the row in its own texts.
pub(super) const ROW: RangeId = RangeId(0);

/// See the head of this file.
pub(crate) struct Computed {
    /// The positions of the generated columns.
    pub(super) generated: Vec<usize>,
    /// The names of the checks.
    checks: Vec<String>,
    /// Computes the former, then the latter.
    text: Option<Text>,
}

impl Computed {
    /// What a table computes.
    ///
    /// # Errors
    /// Those of binding its expressions.
    pub(super) fn new(catalog: &Catalog, stored: &CatalogExpressions<'_>, table: Oid) -> Result<Self> {
        let generated = stored.generated_columns(catalog, table, ROW)?;
        let checks = stored.table_checks(catalog, table, ROW)?;
        let mut expressions: Vec<Expr> = generated.iter().map(|(_, expr)| expr.clone()).collect();
        expressions.extend(checks.iter().map(|(_, check)| with_generated(check, &generated)));
        let text = match expressions.as_slice() {
            [] => None,
            list => Some(crate::lower::row_expressions(catalog, stored, ROW, table, list)?),
        };
        Ok(Self {
            generated: generated.into_iter().map(|(column, _)| column).collect(),
            checks: checks.into_iter().map(|(name, _)| name).collect(),
            text,
        })
    }

    /// Computes a row's generated columns and refuses one that may not be.
    ///
    /// # Errors
    /// `23502`, `23514`, those of the expressions.
    pub(super) fn complete(
        &self,
        connection: &mut Connection,
        context: &Arc<StatementContext>,
        table: &Table,
        row: &mut [Value],
    ) -> Result<()> {
        let mut results = Vec::new();
        if let Some(text) = &self.text {
            let mut computed = compute(connection, text, context, row)?;
            results = computed.split_off(self.generated.len());
            for (column, value) in self.generated.iter().zip(computed) {
                row[*column] = value;
            }
        }
        let writer = Writer { connection, context, table, pending: &mut Vec::new() };
        writer.check_not_null(row)?;
        match results.iter().position(|result| *result == Value::Integer(0)) {
            Some(failed) => Err(writer.check_violation(&self.checks[failed], row)),
            None => Ok(()),
        }
    }
}

/// What a text over one row gives.
pub(super) fn compute(
    connection: &mut Connection,
    text: &Text,
    context: &Arc<StatementContext>,
    row: &[Value],
) -> Result<Vec<Value>> {
    let places = Places { row, ..Places::new(context, &[]) };
    Ok(run::query(connection, text, &places)?.into_iter().next().unwrap_or_default())
}

/// A check with generated columns replaced by what computes them: they are not in the row yet.
fn with_generated(check: &Expr, generated: &[(usize, Expr)]) -> Expr {
    let mut check = check.clone();
    crate::lower::replace_columns(&mut check, &|range, column| {
        let found = generated.iter().find(|(generated, _)| range == ROW && *generated == column);
        found.map(|(_, expr)| expr.clone())
    });
    check
}
