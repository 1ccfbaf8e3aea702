//! Walking the bound tree: one place knows where expressions and queries stand inside each other, so that a pass only
//! says what it does with those it cares about.

use crate::bound::*;

/// Calls `visit` with each expression directly inside `expr`, subqueries' expressions excluded.
pub(crate) fn children_mut(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut expr.kind {
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
        ExprKind::Call(call) | ExprKind::SetReturning(call) | ExprKind::NullIf(call) => {
            call.arguments.iter_mut().for_each(visit);
        }
        ExprKind::IsDistinct { equality, .. } => equality.arguments.iter_mut().for_each(visit),
        ExprKind::ConvertViaText(inner)
        | ExprKind::Relabel(inner)
        | ExprKind::ToDomain(inner)
        | ExprKind::Not(inner)
        | ExprKind::IsNull { operand: inner, .. }
        | ExprKind::IsTruth { operand: inner, .. }
        | ExprKind::Field { base: inner, .. } => visit(inner),
        ExprKind::ConvertArray { array, element } => {
            visit(array);
            visit(element);
        }
        ExprKind::And(list) | ExprKind::Or(list) | ExprKind::Coalesce(list) | ExprKind::Row(list) => {
            list.iter_mut().for_each(visit);
        }
        ExprKind::Extreme { operands, .. } => operands.iter_mut().for_each(visit),
        ExprKind::Array { elements, .. } => elements.iter_mut().for_each(visit),
        ExprKind::Case { operand, arms, otherwise } => {
            operand.iter_mut().for_each(|e| visit(e));
            for (condition, result) in arms {
                visit(condition);
                visit(result);
            }
            otherwise.iter_mut().for_each(|e| visit(e));
        }
        ExprKind::RowCompare { left, right, .. } => {
            left.iter_mut().for_each(&mut *visit);
            right.iter_mut().for_each(visit);
        }
        ExprKind::Subscript { base, subscripts } => {
            visit(base);
            subscripts_mut(subscripts, visit);
        }
        ExprKind::AssignSubscript { base, subscripts, value } => {
            visit(base);
            subscripts_mut(subscripts, visit);
            visit(value);
        }
        ExprKind::AssignField { base, value, .. } => {
            visit(base);
            visit(value);
        }
        ExprKind::ArrayCompare { scalar, array, .. } => {
            visit(scalar);
            visit(array);
        }
        ExprKind::Subquery(subquery) => {
            if let SubqueryKind::Compare { left, test, .. } = &mut subquery.kind {
                left.iter_mut().for_each(&mut *visit);
                visit(test);
            }
        }
        ExprKind::Aggregate(call) => {
            call.arguments.iter_mut().for_each(&mut *visit);
            call.direct.iter_mut().for_each(&mut *visit);
            call.order_by.iter_mut().for_each(|key| visit(&mut key.expr));
            call.filter.iter_mut().for_each(visit);
        }
        ExprKind::Window(call) => {
            call.arguments.iter_mut().for_each(&mut *visit);
            call.filter.iter_mut().for_each(visit);
        }
    }
}

fn subscripts_mut(subscripts: &mut [Subscript], visit: &mut dyn FnMut(&mut Expr)) {
    for subscript in subscripts {
        match subscript {
            Subscript::Index(index) => visit(index),
            Subscript::Slice(lower, upper) => {
                lower.iter_mut().for_each(&mut *visit);
                upper.iter_mut().for_each(&mut *visit);
            }
        }
    }
}

/// Calls `visit` with `expr` and every expression below it, innermost first; expressions of subqueries included.
pub(crate) fn every_expr_mut(expr: &mut Expr, visit: &mut dyn FnMut(&mut Expr)) {
    children_mut(expr, &mut |child| every_expr_mut(child, visit));
    if let ExprKind::Subquery(subquery) = &mut expr.kind {
        query_exprs_mut(&mut subquery.query, visit);
    }
    visit(expr);
}

/// Calls `visit` with every expression of a statement, innermost first.
pub(crate) fn statement_exprs_mut(statement: &mut Statement, visit: &mut dyn FnMut(&mut Expr)) {
    match statement {
        Statement::Query(query) => query_exprs_mut(query, visit),
        Statement::Modify(modify) => modify_exprs_mut(modify, visit),
    }
}

/// Calls `visit` with every expression of a query, innermost first.
pub(crate) fn query_exprs_mut(query: &mut Query, visit: &mut dyn FnMut(&mut Expr)) {
    for cte in &mut query.ctes {
        cte_exprs_mut(cte, visit);
    }
    match &mut query.body {
        QueryBody::Select(select) => select_exprs_mut(select, visit),
        QueryBody::SetOperation { left, right, .. } => {
            query_exprs_mut(left, visit);
            query_exprs_mut(right, visit);
        }
        QueryBody::Values(rows) => rows.iter_mut().flatten().for_each(|e| every_expr_mut(e, visit)),
    }
    query.limit.iter_mut().chain(&mut query.offset).for_each(|e| every_expr_mut(e, visit));
}

fn cte_exprs_mut(cte: &mut Cte, visit: &mut dyn FnMut(&mut Expr)) {
    match &mut cte.body {
        CteBody::Query(query) => query_exprs_mut(query, visit),
        CteBody::Modify(modify) => modify_exprs_mut(modify, visit),
    }
}

/// Calls `visit` with every expression of a SELECT, innermost first.
pub(super) fn select_exprs_mut(select: &mut Select, visit: &mut dyn FnMut(&mut Expr)) {
    if let Some(from) = &mut select.from {
        from_exprs_mut(from, visit);
    }
    select.filter.iter_mut().for_each(|e| every_expr_mut(e, visit));
    select.group_by.keys.iter_mut().for_each(|e| every_expr_mut(e, visit));
    select.having.iter_mut().for_each(|e| every_expr_mut(e, visit));
    for window in &mut select.windows {
        window.partition_by.iter_mut().for_each(|e| every_expr_mut(e, visit));
        window.order_by.iter_mut().for_each(|key| every_expr_mut(&mut key.expr, visit));
    }
    select.targets.iter_mut().for_each(|target| every_expr_mut(&mut target.expr, visit));
}

/// Calls `visit` with every expression of a FROM item, innermost first.
pub(super) fn from_exprs_mut(item: &mut FromItem, visit: &mut dyn FnMut(&mut Expr)) {
    match item {
        FromItem::Relation { .. } | FromItem::Cte { .. } => {}
        FromItem::Subquery { query, .. } => query_exprs_mut(query, visit),
        FromItem::Functions { calls, .. } => {
            calls.iter_mut().for_each(|function| every_expr_mut(&mut function.call, visit));
        }
        FromItem::Join { left, right, on, .. } => {
            from_exprs_mut(left, visit);
            from_exprs_mut(right, visit);
            on.iter_mut().for_each(|e| every_expr_mut(e, visit));
        }
    }
}

/// Calls `visit` with every expression of a data-modifying statement, innermost first.
pub(super) fn modify_exprs_mut(modify: &mut Modify, visit: &mut dyn FnMut(&mut Expr)) {
    modify.ctes.iter_mut().for_each(|cte| cte_exprs_mut(cte, visit));
    match &mut modify.action {
        ModifyAction::Insert { source, on_conflict, .. } => {
            query_exprs_mut(source, visit);
            if let Some((assignments, filter)) = on_conflict.as_mut().and_then(|c| c.update.as_mut()) {
                assignments.iter_mut().for_each(|(_, e)| every_expr_mut(e, visit));
                filter.iter_mut().for_each(|e| every_expr_mut(e, visit));
            }
        }
        ModifyAction::Update { from, filter, assignments } => {
            from.iter_mut().for_each(|item| from_exprs_mut(item, visit));
            filter.iter_mut().for_each(|e| every_expr_mut(e, visit));
            assignments.iter_mut().for_each(|(_, e)| every_expr_mut(e, visit));
        }
        ModifyAction::Delete { using, filter } => {
            using.iter_mut().for_each(|item| from_exprs_mut(item, visit));
            filter.iter_mut().for_each(|e| every_expr_mut(e, visit));
        }
        ModifyAction::Merge { source, on, clauses } => {
            from_exprs_mut(source, visit);
            every_expr_mut(on, visit);
            for clause in clauses {
                clause.condition.iter_mut().for_each(|e| every_expr_mut(e, visit));
                match &mut clause.action {
                    Some(MergeAction::Insert(values)) => {
                        values.iter_mut().for_each(|e| every_expr_mut(e, visit))
                    }
                    Some(MergeAction::Update(assignments)) => {
                        assignments.iter_mut().for_each(|(_, e)| every_expr_mut(e, visit));
                    }
                    Some(MergeAction::Delete) | None => {}
                }
            }
        }
    }
    modify.returning.iter_mut().for_each(|target| every_expr_mut(&mut target.expr, visit));
}

/// Calls `visit` with every SELECT of a query, innermost first, those inside expressions included.
pub(crate) fn every_query_mut(query: &mut Query, visit: &mut dyn FnMut(&mut Query)) {
    // Subqueries in expressions first: collected through the expression walk, which reaches each of them once.
    let mut in_exprs = |expr: &mut Expr| {
        if let ExprKind::Subquery(subquery) = &mut expr.kind {
            direct_queries_mut(&mut subquery.query, visit);
        }
    };
    query_exprs_mut(query, &mut in_exprs);
    direct_queries_mut(query, visit);
}

/// As [`every_query_mut`], without the queries inside expressions.
pub(super) fn direct_queries_mut(query: &mut Query, visit: &mut dyn FnMut(&mut Query)) {
    for cte in &mut query.ctes {
        if let CteBody::Query(inner) = &mut cte.body {
            direct_queries_mut(inner, visit);
        }
    }
    match &mut query.body {
        QueryBody::Select(select) => {
            if let Some(from) = &mut select.from {
                from_queries_mut(from, visit);
            }
        }
        QueryBody::SetOperation { left, right, .. } => {
            direct_queries_mut(left, visit);
            direct_queries_mut(right, visit);
        }
        QueryBody::Values(_) => {}
    }
    visit(query);
}

/// Calls `visit` with the queries that stand in a FROM item, innermost first.
pub(super) fn from_queries_mut(item: &mut FromItem, visit: &mut dyn FnMut(&mut Query)) {
    match item {
        FromItem::Subquery { query, .. } => direct_queries_mut(query, visit),
        FromItem::Join { left, right, .. } => {
            from_queries_mut(left, visit);
            from_queries_mut(right, visit);
        }
        FromItem::Relation { .. } | FromItem::Cte { .. } | FromItem::Functions { .. } => {}
    }
}

/// Whether `test` holds for `expr` or anything below it, subqueries excluded.
pub(super) fn any_expr(expr: &Expr, test: &dyn Fn(&Expr) -> bool) -> bool {
    if test(expr) {
        return true;
    }
    // The walk takes `&mut`; looking needs a copy only of expressions that have children, which are small.
    let mut found = false;
    let mut copy = expr.clone();
    children_mut(&mut copy, &mut |child| found = found || any_expr(child, test));
    found
}
