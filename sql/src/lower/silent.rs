//! Statements whose success tells a client nothing of what the tables hold: so their answer needs not wait until what
//! they have read on the way is on disk (see `session::visibility`).
//!
//! `INSERT INTO log VALUES (1, 'text', CURRENT_TIMESTAMP)`, into a table without unique indexes, checks and foreign keys.

use super::walk::any_expr;
use crate::bound::*;
use crate::catalog::Catalog;
use crate::execute::table::Table;

/// Whether a statement inserts rows which its own text gives, into a table where no constraint looks at other rows.
pub(super) fn tells_nothing(modify: &Modify, table: &Table, catalog: &Catalog) -> bool {
    let ModifyAction::Insert { source, on_conflict: None, .. } = &modify.action else { return false };
    let QueryBody::Values(rows) = &source.body else { return false };
    let plain = source.ctes.is_empty() && source.limit.is_none() && source.offset.is_none();
    let alone = table.unique.is_empty() && table.references.is_empty() && modify.columns.is_empty();
    plain
        && alone
        && rows.iter().flatten().all(|value| {
            // Asked first: most values are these, and the walk copies what it looks into.
            matches!(value.kind, ExprKind::Constant(_) | ExprKind::Parameter(_))
                || !any_expr(value, &|expr| may_look(expr, catalog))
        })
}

/// Whether an expression may depend on more than its operands and the statement's time.
fn may_look(expr: &Expr, catalog: &Catalog) -> bool {
    match &expr.kind {
        ExprKind::Constant(_)
        | ExprKind::Parameter(_)
        | ExprKind::SqlValue(_)
        | ExprKind::Relabel(_)
        | ExprKind::ConvertViaText(_) => false,
        ExprKind::Call(call) => {
            let function = catalog.function(call.function);
            !function.is_some_and(|row| row.oid < crate::oid::FIRST_NORMAL && is_pure(row.provolatile, call))
        }
        _ => true,
    }
}

/// An immutable function looks at nothing; of the stable ones, conversions of times look at settings only.
fn is_pure(volatility: char, call: &Call) -> bool {
    const TIMESTAMPTZ_TO_TIMESTAMP: crate::Oid = crate::Oid(2027);
    volatility == 'i' || call.function == TIMESTAMPTZ_TO_TIMESTAMP
}
