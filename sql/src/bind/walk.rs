//! Walking bound trees: the direct parts of an expression, and the expressions of a query.

use crate::bound::{
    Call, CteBody, Distinct, Expr, ExprKind, FrameBound, FromItem, MergeAction, MergeClause, Modify,
    ModifyAction, Query, QueryBody, Select, SubqueryKind, Subscript, Window,
};

/// Calls `visit` with each direct part of an expression; with the expressions of a subquery, too.
pub(super) fn each_part<'e>(expr: &'e Expr, visit: &mut dyn FnMut(&'e Expr)) {
    let call = |call: &'e Call, visit: &mut dyn FnMut(&'e Expr)| call.arguments.iter().for_each(&mut *visit);
    match &expr.kind {
        ExprKind::Call(inner) | ExprKind::SetReturning(inner) | ExprKind::NullIf(inner) => call(inner, visit),
        ExprKind::IsDistinct { equality, .. } => call(equality, visit),
        ExprKind::ConvertViaText(part)
        | ExprKind::Relabel(part)
        | ExprKind::ToDomain(part)
        | ExprKind::Not(part) => {
            visit(part);
        }
        ExprKind::ConvertArray { array, element } => {
            visit(array);
            visit(element);
        }
        ExprKind::And(parts) | ExprKind::Or(parts) | ExprKind::Coalesce(parts) | ExprKind::Row(parts) => {
            parts.iter().for_each(visit);
        }
        ExprKind::Extreme { operands: parts, .. } | ExprKind::Array { elements: parts, .. } => {
            parts.iter().for_each(visit);
        }
        ExprKind::IsNull { operand, .. } | ExprKind::IsTruth { operand, .. } => visit(operand),
        ExprKind::Case { operand, arms, otherwise } => {
            operand.iter().for_each(|part| visit(part));
            for (test, result) in arms {
                visit(test);
                visit(result);
            }
            otherwise.iter().for_each(|part| visit(part));
        }
        ExprKind::RowCompare { left, right, .. } => left.iter().chain(right).for_each(visit),
        ExprKind::Subscript { base, subscripts } => {
            visit(base);
            for subscript in subscripts {
                match subscript {
                    Subscript::Index(index) => visit(index),
                    Subscript::Slice(lower, upper) => lower.iter().chain(upper).for_each(&mut *visit),
                }
            }
        }
        ExprKind::Field { base, .. } => visit(base),
        ExprKind::AssignField { base, value, .. } => {
            visit(base);
            visit(value);
        }
        ExprKind::AssignSubscript { base, value, .. } => {
            visit(base);
            visit(value);
        }
        ExprKind::ArrayCompare { scalar, array, .. } => {
            visit(scalar);
            visit(array);
        }
        ExprKind::Subquery(subquery) => {
            if let SubqueryKind::Compare { left, .. } = &subquery.kind {
                left.iter().for_each(&mut *visit);
            }
            each_in_query(&subquery.query, visit);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.arguments.iter().chain(&aggregate.direct).for_each(&mut *visit);
            aggregate.order_by.iter().for_each(|key| visit(&key.expr));
            aggregate.filter.iter().for_each(visit);
        }
        ExprKind::Window(window) => window.arguments.iter().chain(&window.filter).for_each(visit),
        ExprKind::Constant(_)
        | ExprKind::Parameter(_)
        | ExprKind::Column { .. }
        | ExprKind::WholeRow(_)
        | ExprKind::SystemColumn { .. }
        | ExprKind::Placeholder
        | ExprKind::Grouping(_)
        | ExprKind::SqlValue(_)
        | ExprKind::Default
        | ExprKind::Excluded(_) => {}
    }
}

/// Calls `visit` with each outermost expression of a query and of the queries inside it.
pub(super) fn each_in_query<'e>(query: &'e Query, visit: &mut dyn FnMut(&'e Expr)) {
    for cte in &query.ctes {
        match &cte.body {
            CteBody::Query(query) => each_in_query(query, visit),
            CteBody::Modify(modify) => each_in_modify(modify, visit),
        }
    }
    match &query.body {
        QueryBody::Select(select) => each_in_select(select, visit),
        QueryBody::SetOperation { left, right, .. } => {
            each_in_query(left, visit);
            each_in_query(right, visit);
        }
        QueryBody::Values(rows) => rows.iter().flatten().for_each(&mut *visit),
    }
    query.limit.iter().chain(&query.offset).for_each(visit);
}

fn each_in_select<'e>(select: &'e Select, visit: &mut dyn FnMut(&'e Expr)) {
    if let Some(from) = &select.from {
        each_in_from(from, visit);
    }
    select.filter.iter().chain(&select.having).chain(&select.group_by.keys).for_each(&mut *visit);
    select.targets.iter().for_each(|target| visit(&target.expr));
    select.windows.iter().for_each(|window| each_in_window(window, visit));
    match &select.distinct {
        Distinct::No | Distinct::All | Distinct::On(_) => {}
    }
}

/// Calls `visit` with each expression of a window.
pub(super) fn each_in_window<'e>(window: &'e Window, visit: &mut dyn FnMut(&'e Expr)) {
    window.partition_by.iter().for_each(&mut *visit);
    window.order_by.iter().for_each(|key| visit(&key.expr));
    for bound in window.frame.iter().flat_map(|frame| [&frame.start, &frame.end]) {
        if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
            visit(offset);
        }
    }
}

/// Calls `visit` with each expression of a FROM item.
pub(super) fn each_in_from<'e>(from: &'e FromItem, visit: &mut dyn FnMut(&'e Expr)) {
    match from {
        FromItem::Relation { .. } | FromItem::Cte { .. } => {}
        FromItem::Subquery { query, .. } => each_in_query(query, visit),
        FromItem::Functions { calls, .. } => calls.iter().for_each(|call| visit(&call.call)),
        FromItem::Join { left, right, on, .. } => {
            each_in_from(left, visit);
            each_in_from(right, visit);
            on.iter().for_each(visit);
        }
    }
}

/// Calls `visit` with each outermost expression of a data-modifying statement.
pub(super) fn each_in_modify<'e>(modify: &'e Modify, visit: &mut dyn FnMut(&'e Expr)) {
    for cte in &modify.ctes {
        match &cte.body {
            CteBody::Query(query) => each_in_query(query, visit),
            CteBody::Modify(modify) => each_in_modify(modify, visit),
        }
    }
    modify.returning.iter().for_each(|target| visit(&target.expr));
    match &modify.action {
        ModifyAction::Insert { source, on_conflict, .. } => {
            each_in_query(source, visit);
            if let Some((assignments, filter)) =
                on_conflict.as_ref().and_then(|conflict| conflict.update.as_ref())
            {
                assignments.iter().for_each(|(_, value)| visit(value));
                filter.iter().for_each(visit);
            }
        }
        ModifyAction::Update { from, filter, assignments } => {
            from.iter().for_each(|from| each_in_from(from, visit));
            filter.iter().for_each(&mut *visit);
            assignments.iter().for_each(|(_, value)| visit(value));
        }
        ModifyAction::Delete { using, filter } => {
            using.iter().for_each(|from| each_in_from(from, visit));
            filter.iter().for_each(visit);
        }
        ModifyAction::Merge { source, on, clauses } => {
            each_in_from(source, visit);
            visit(on);
            clauses.iter().for_each(|clause| each_in_merge_clause(clause, visit));
        }
    }
}

fn each_in_merge_clause<'e>(clause: &'e MergeClause, visit: &mut dyn FnMut(&'e Expr)) {
    clause.condition.iter().for_each(&mut *visit);
    match &clause.action {
        Some(MergeAction::Insert(values)) => values.iter().for_each(visit),
        Some(MergeAction::Update(assignments)) => assignments.iter().for_each(|(_, value)| visit(value)),
        Some(MergeAction::Delete) | None => {}
    }
}

/// Calls `visit` with each direct part of an expression that is no subquery, to change it.
pub(super) fn each_part_mut(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut expr.kind {
        ExprKind::Call(call) | ExprKind::NullIf(call) | ExprKind::SetReturning(call) => {
            call.arguments.iter_mut().for_each(visit);
        }
        ExprKind::IsDistinct { equality, .. } => equality.arguments.iter_mut().for_each(visit),
        ExprKind::ConvertViaText(part)
        | ExprKind::Relabel(part)
        | ExprKind::ToDomain(part)
        | ExprKind::Not(part) => {
            visit(part);
        }
        ExprKind::ConvertArray { array, element } => {
            visit(array);
            visit(element);
        }
        ExprKind::And(parts) | ExprKind::Or(parts) | ExprKind::Coalesce(parts) | ExprKind::Row(parts) => {
            parts.iter_mut().for_each(visit);
        }
        ExprKind::Extreme { operands: parts, .. } | ExprKind::Array { elements: parts, .. } => {
            parts.iter_mut().for_each(visit);
        }
        ExprKind::IsNull { operand, .. } | ExprKind::IsTruth { operand, .. } => visit(operand),
        ExprKind::Case { operand, arms, otherwise } => {
            operand.iter_mut().for_each(|part| visit(part));
            for (test, result) in arms {
                visit(test);
                visit(result);
            }
            otherwise.iter_mut().for_each(|part| visit(part));
        }
        ExprKind::RowCompare { left, right, .. } => left.iter_mut().chain(right).for_each(visit),
        ExprKind::Subscript { base, subscripts } => {
            visit(base);
            for subscript in subscripts {
                match subscript {
                    Subscript::Index(index) => visit(index),
                    Subscript::Slice(lower, upper) => lower.iter_mut().chain(upper).for_each(&mut *visit),
                }
            }
        }
        ExprKind::Field { base, .. } => visit(base),
        ExprKind::ArrayCompare { scalar, array, .. } => {
            visit(scalar);
            visit(array);
        }
        ExprKind::AssignField { base, value, .. } | ExprKind::AssignSubscript { base, value, .. } => {
            visit(base);
            visit(value);
        }
        ExprKind::Aggregate(aggregate) => {
            aggregate.arguments.iter_mut().chain(&mut aggregate.direct).for_each(&mut *visit);
            aggregate.order_by.iter_mut().for_each(|key| visit(&mut key.expr));
            aggregate.filter.iter_mut().for_each(visit);
        }
        ExprKind::Window(window) => window.arguments.iter_mut().chain(&mut window.filter).for_each(visit),
        ExprKind::Subquery(_)
        | ExprKind::Constant(_)
        | ExprKind::Parameter(_)
        | ExprKind::Column { .. }
        | ExprKind::WholeRow(_)
        | ExprKind::SystemColumn { .. }
        | ExprKind::Placeholder
        | ExprKind::Grouping(_)
        | ExprKind::SqlValue(_)
        | ExprKind::Default
        | ExprKind::Excluded(_) => {}
    }
}
