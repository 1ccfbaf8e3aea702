//! Tables that the host lends to SQL text: the catalog's relations, sequences, and the rows that the modifying parts of a
//! statement have returned.

use std::sync::Arc;

use storage::{RowIterator, TableFunction, TableScan};

use super::host::{column_names, host_error};
use crate::bound::CteId;
use crate::catalog::Catalog;
use crate::session::StatementContext;
use crate::{Oid, Result, SqlError, Value};

/// The table that gives the rows of a built-in relation or of a sequence.
///
/// # Errors
/// `0A000` for a built-in relation that has no source of rows here.
pub(super) fn host_table(catalog: &Catalog, relation: Oid) -> Result<TableFunction> {
    let class = catalog.class(relation);
    let class = class.ok_or_else(|| SqlError::internal(format!("relation {relation} does not exist")))?;
    if class.relkind == 'S' {
        return Ok(sequence_table(relation));
    }
    crate::catalog::relation_source(relation)
        .cloned()
        .ok_or_else(|| SqlError::unsupported(format_args!("relation \"{}\"", class.relname)))
}

/// A sequence as a table of one row: `last_value`, `log_cnt`, `is_called`.
fn sequence_table(sequence: Oid) -> TableFunction {
    TableFunction {
        name: format!("sequence#{sequence}").into(),
        columns: ["last_value", "log_cnt", "is_called"].map(str::to_owned).into(),
        arguments: 0,
        keys: Arc::from([]),
        scan: Arc::new(move |call, _| {
            let context = StatementContext::lent(call.context)?;
            let services = context.session.services.clone();
            let (last, is_called) = services.sequence_position(sequence).map_err(host_error)?;
            let row = vec![Value::Integer(last), Value::Integer(0), Value::from(is_called)];
            Ok(Box::new(std::iter::once(Ok(row))) as RowIterator)
        }),
    }
}

/// The rows that a modifying part of WITH has returned.
pub(super) fn buffered_table(name: &str, cte: CteId, columns: usize) -> TableFunction {
    TableFunction {
        name: name.into(),
        columns: column_names(columns),
        arguments: 0,
        keys: Arc::from([]),
        scan: Arc::new(move |call: &mut storage::CallContext<'_>, _: TableScan<'_>| {
            let context = StatementContext::lent(call.context)?;
            let rows = context.buffered.lock().get(&cte).cloned().unwrap_or_default();
            let mut next = 0;
            let iterator = std::iter::from_fn(move || {
                let row = rows.get(next).cloned();
                next += 1;
                row.map(Ok)
            });
            Ok(Box::new(iterator) as RowIterator)
        }),
    }
}
