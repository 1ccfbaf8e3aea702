//! What a bound expression or query refers to: the objects without which its kept text would mean nothing.

use std::collections::{BTreeSet, HashMap};

use super::dependency::ObjectAddress;
use super::table::attnum;
use crate::Oid;
use crate::bound::{Expr, ExprKind, FromItem, Query, QueryBody, RangeId};
use crate::lower::{every_expr_mut, every_query_mut, query_exprs_mut};
use crate::oid::{relations, types};

/// The functions, types and (as `regclass` constants) relations that an expression refers to.
pub(super) fn of_expression(expr: &Expr) -> Vec<ObjectAddress> {
    let mut found = BTreeSet::new();
    every_expr_mut(&mut expr.clone(), &mut |expr| note(expr, &HashMap::new(), &mut found));
    found.into_iter().collect()
}

/// The relations with the columns, the functions and the types that a query refers to.
pub(super) fn of_query(query: &Query) -> Vec<ObjectAddress> {
    let mut found = BTreeSet::new();
    let mut ranges = HashMap::new();
    let mut query = query.clone();
    every_query_mut(&mut query, &mut |query| {
        if let QueryBody::Select(select) = &query.body
            && let Some(from) = &select.from
        {
            relations_in(from, &mut ranges);
        }
    });
    for relation in ranges.values() {
        found.insert(ObjectAddress::new(relations::PG_CLASS, *relation));
    }
    query_exprs_mut(&mut query, &mut |expr| note(expr, &ranges, &mut found));
    found.into_iter().collect()
}

fn relations_in(item: &FromItem, ranges: &mut HashMap<RangeId, Oid>) {
    match item {
        FromItem::Relation { range, relation } => {
            ranges.insert(*range, *relation);
        }
        FromItem::Join { left, right, .. } => {
            relations_in(left, ranges);
            relations_in(right, ranges);
        }
        FromItem::Subquery { .. } | FromItem::Cte { .. } | FromItem::Functions { .. } => {}
    }
}

fn note(expr: &Expr, ranges: &HashMap<RangeId, Oid>, found: &mut BTreeSet<ObjectAddress>) {
    let mut function = |oid: Oid| {
        found.insert(ObjectAddress::new(relations::PG_PROC, oid));
    };
    match &expr.kind {
        ExprKind::Call(call) | ExprKind::SetReturning(call) | ExprKind::NullIf(call) => {
            function(call.function)
        }
        ExprKind::IsDistinct { equality, .. } => function(equality.function),
        ExprKind::ArrayCompare { function: oid, .. } => function(*oid),
        ExprKind::Aggregate(call) => function(call.function),
        ExprKind::Window(call) => function(call.function),
        ExprKind::Column { range, column } => {
            if let (Some(relation), Ok(attnum)) = (ranges.get(range), attnum(*column)) {
                found.insert(ObjectAddress::column(*relation, attnum));
            }
        }
        ExprKind::Constant(value) if expr.ty.oid == types::REGCLASS => {
            if let crate::Value::Integer(oid) = value
                && let Ok(oid) = u32::try_from(*oid)
            {
                found.insert(ObjectAddress::new(relations::PG_CLASS, Oid(oid)));
            }
        }
        ExprKind::ConvertViaText(_)
        | ExprKind::Relabel(_)
        | ExprKind::ToDomain(_)
        | ExprKind::Constant(_) => {
            found.insert(ObjectAddress::new(relations::PG_TYPE, expr.ty.oid));
        }
        _ => {}
    }
}
