//! What the success of a statement tells a client of what the tables hold. Its answer waits until that is on disk, and
//! need not wait for what the statement has merely come by on the way (see `session::visibility`).
//!
//! ```text
//! INSERT INTO log VALUES (1, 'text', CURRENT_TIMESTAMP)   into a table without unique indexes, checks, foreign keys: nothing
//! UPDATE account SET balance = balance + 1 WHERE id = 7   id is a key: what the row 7 holds, and that there is one
//! DELETE FROM account WHERE balance = 0                   what all rows hold
//! ```

use super::emit::is_plain_equality;
use super::walk::any_expr;
use crate::bound::*;
use crate::catalog::{Catalog, Index};
use crate::execute::table::Table;

/// What a client learns of the tables from a statement that has succeeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tells {
    /// Nothing that it has not said itself.
    Nothing,
    /// What one row holds, if one row was changed; else anything.
    ItsRow,
    /// Anything.
    Anything,
}

/// What such a statement tells. `computed` is what is computed for its rows and can be refused or returned: checks,
/// generated columns, RETURNING.
pub(super) fn tells<'e>(
    modify: &Modify,
    mut computed: impl Iterator<Item = &'e Expr>,
    table: &Table,
    catalog: &Catalog,
) -> Tells {
    let looks = |expr: &Expr| looks_beyond(expr, modify.range, catalog);
    if !modify.ctes.is_empty() {
        return Tells::Anything;
    }
    match &modify.action {
        ModifyAction::Insert { source, on_conflict: None, .. } => {
            let alone = table.unique.is_empty() && table.references.is_empty() && computed.next().is_none();
            if alone && inserts_given_values(source, looks) { Tells::Nothing } else { Tells::Anything }
        }
        ModifyAction::Update { from: None, filter: Some(filter), assignments } => {
            let own = names_one_row(filter, modify.range, table, catalog)
                && !looks(filter)
                && !assignments.iter().any(|(_, value)| looks(value))
                && !computed.any(looks);
            if own { Tells::ItsRow } else { Tells::Anything }
        }
        ModifyAction::Delete { using: None, filter: Some(filter) } => {
            let own =
                names_one_row(filter, modify.range, table, catalog) && !looks(filter) && !computed.any(looks);
            if own { Tells::ItsRow } else { Tells::Anything }
        }
        _ => Tells::Anything,
    }
}

fn inserts_given_values(source: &Query, looks: impl Fn(&Expr) -> bool) -> bool {
    let QueryBody::Values(rows) = &source.body else { return false };
    let plain = source.ctes.is_empty() && source.limit.is_none() && source.offset.is_none();
    plain && !rows.iter().flatten().any(looks)
}

/// Whether a condition gives a value to each column of a unique index over all rows.
fn names_one_row(filter: &Expr, range: RangeId, table: &Table, catalog: &Catalog) -> bool {
    let mut given = Vec::new();
    given_columns(filter, range, catalog, &mut given);
    let is_given = |attnum: &i16| usize::try_from(attnum - 1).is_ok_and(|column| given.contains(&column));
    let is_key = |index: &Index| {
        let keys = usize::try_from(index.indnkeyatts).ok().and_then(|count| index.indkey.get(..count));
        !index.computes() && keys.is_some_and(|keys| keys.iter().all(is_given))
    };
    table.unique.iter().any(|index| is_key(index))
}

/// The columns of a row that a condition compares with something outside of it, for equality.
fn given_columns(filter: &Expr, range: RangeId, catalog: &Catalog, given: &mut Vec<usize>) {
    match &filter.kind {
        ExprKind::And(conditions) => {
            conditions.iter().for_each(|condition| given_columns(condition, range, catalog, given));
        }
        ExprKind::Call(call) if is_plain_equality(catalog, call.function) => {
            let [left, right] = call.arguments.as_slice() else { return };
            for (side, other) in [(left, right), (right, left)] {
                if let Some(column) = column_of(side, range)
                    && !any_expr(other, &|expr| matches!(expr.kind, ExprKind::Column { .. }))
                {
                    given.push(column);
                }
            }
        }
        _ => {}
    }
}

fn column_of(expr: &Expr, own: RangeId) -> Option<usize> {
    match &expr.kind {
        ExprKind::Column { range, column } if *range == own => Some(*column),
        ExprKind::Relabel(inner) => column_of(inner, own),
        _ => None,
    }
}

/// Whether an expression may depend on more than a row, its other operands and the statement's time.
fn looks_beyond(expr: &Expr, row: RangeId, catalog: &Catalog) -> bool {
    // Asked first: most are these, and the walk copies what it looks into.
    !matches!(expr.kind, ExprKind::Constant(_) | ExprKind::Parameter(_))
        && any_expr(expr, &|part| !is_own(part, row, catalog))
}

/// Whether this part of an expression, its operands aside, depends on nothing else.
fn is_own(part: &Expr, row: RangeId, catalog: &Catalog) -> bool {
    match &part.kind {
        ExprKind::Column { range, .. } => *range == row,
        ExprKind::Constant(_)
        | ExprKind::Parameter(_)
        | ExprKind::SqlValue(_)
        | ExprKind::Relabel(_)
        | ExprKind::ConvertViaText(_)
        | ExprKind::And(_)
        | ExprKind::Or(_)
        | ExprKind::Not(_)
        | ExprKind::IsNull { .. }
        | ExprKind::IsTruth { .. }
        | ExprKind::Case { .. }
        | ExprKind::Placeholder
        | ExprKind::Coalesce(_) => true,
        ExprKind::Call(call) => {
            let function = catalog.function(call.function);
            function.is_some_and(|row| row.oid < crate::oid::FIRST_NORMAL && is_pure(row.provolatile, call))
        }
        _ => false,
    }
}

/// An immutable function looks at nothing; of the stable ones, conversions of times look at settings only.
fn is_pure(volatility: char, call: &Call) -> bool {
    const TIMESTAMPTZ_TO_TIMESTAMP: crate::Oid = crate::Oid(2027);
    volatility == 'i' || call.function == TIMESTAMPTZ_TO_TIMESTAMP
}
