//! Bodies of functions written in SQL that are run by themselves (`routines` has those that become part of the calling
//! query): their statements bound with the types of a call, the last one's columns
//! converted to the declared result.
//!
//! Source: `src/backend/executor/functions.c`.

use std::sync::Arc;

use sqlparser::ast;

use super::coerce::Context;
use super::position::At;
use super::routines::body_text;
use super::{BindContext, Binder, Typed, bind_in};
use crate::bound::*;
use crate::catalog::Procedure;
use crate::oid::types;
use crate::parse::{self, Node, ParsedStatement};
use crate::{Oid, Result, SqlError, error};

/// The statements of a function written in SQL.
///
/// # Errors
/// `42601`; `0A000` for commands that are no queries.
pub(super) fn statements(procedure: &Procedure) -> Result<Vec<ParsedStatement>> {
    parse::parse(&body_text(procedure))
}

/// Binds the body of a function for a call with these types of arguments and result.
///
/// # Errors
/// Those of its statements; `42P13` when the last one does not give the declared result.
pub fn bind_function_body(
    procedure: &Procedure,
    arguments: &[Oid],
    result: Oid,
    context: &BindContext<'_>,
) -> Result<Vec<BoundStatement>> {
    let parsed = statements(procedure)?;
    let mut bound = Vec::with_capacity(parsed.len());
    for statement in &parsed {
        let Node::Sql(tree) = &statement.node else {
            return Err(SqlError::unsupported("a command in a function written in SQL"));
        };
        let own = BindContext { text: &statement.text, parameters: arguments, ..*context };
        let mut binder = Binder::new(&own);
        let parameter = |(index, ty): (usize, &Oid)| {
            let kind = ExprKind::Parameter(index + 1);
            binder.with_type_collation(Typed::new(kind, TypeMod::plain(*ty), At::NOWHERE)).expr
        };
        let parameters: Vec<Expr> = arguments.iter().enumerate().map(parameter).collect();
        binder.enter_routine(procedure, &parameters);
        bound.push(bind_in(binder, tree).map_err(without_position)?);
    }
    if result != types::VOID {
        let wanted = wanted_columns(procedure, result, context);
        let name = crate::types::format_type(TypeMod::plain(result), context.catalog, context.search_path);
        let last = bound.pop().filter(|last| !columns(&last.statement).is_empty());
        let last = last.ok_or_else(|| {
            mismatch(&name, "Function's final statement must be SELECT or INSERT/UPDATE/DELETE RETURNING.")
        })?;
        bound.push(convert(last, &wanted, result, &name, context)?);
    }
    Ok(bound)
}

/// A position in a body says nothing about the statement that calls it.
fn without_position(mut error: SqlError) -> SqlError {
    error.0.position = None;
    error
}

fn mismatch(result: &str, detail: &str) -> SqlError {
    error!(INVALID_FUNCTION_DEFINITION, "return type mismatch in function declared to return {result}")
        .detail(detail)
}

/// The types of a function's OUT parameters and table columns.
fn output_types(procedure: &Procedure) -> Vec<Oid> {
    let (Some(all), Some(modes)) = (&procedure.proallargtypes, &procedure.proargmodes) else {
        return Vec::new();
    };
    all.iter().zip(modes).filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't')).map(|(ty, _)| *ty).collect()
}

/// What the last statement must give; empty when any columns will do.
fn wanted_columns(procedure: &Procedure, result: Oid, context: &BindContext<'_>) -> Vec<Oid> {
    if result == types::RECORD {
        return output_types(procedure)
            .into_iter()
            .filter(|ty| !super::coerce::is_polymorphic(*ty))
            .collect();
    }
    match context.catalog.type_(result).filter(|ty| ty.typrelid.is_valid()) {
        Some(row) => {
            let attributes = context.catalog.attributes(row.typrelid);
            attributes.iter().filter(|a| a.attnum > 0 && !a.attisdropped).map(|a| a.atttypid).collect()
        }
        None => vec![result],
    }
}

fn columns(statement: &Statement) -> &[OutputColumn] {
    match statement {
        Statement::Query(query) => &query.columns,
        Statement::Modify(modify) => &modify.columns,
    }
}

/// Converts the columns of the last statement as in an assignment.
fn convert(
    bound: BoundStatement,
    wanted: &[Oid],
    result: Oid,
    name: &str,
    context: &BindContext<'_>,
) -> Result<BoundStatement> {
    let given: Vec<Oid> = columns(&bound.statement).iter().map(|column| column.ty.oid).collect();
    if wanted.is_empty() || given == wanted || given == [result] {
        return Ok(bound);
    }
    let scalar = wanted == [result];
    if given.len() != wanted.len() {
        return Err(mismatch(
            name,
            match (scalar, given.len() < wanted.len()) {
                (true, _) => "Final statement must return exactly one column.",
                (false, true) => "Final statement returns too few columns.",
                (false, false) => "Final statement returns too many columns.",
            },
        ));
    }
    let mut binder = Binder::new(context);
    binder.push_scope();
    let mut coerce = |position: usize, expr: Expr| -> Result<Expr> {
        let source = binder.format_type(expr.ty.oid);
        let typed = binder.with_expr_collation(expr, At::NOWHERE);
        match binder.coerce_to_target(typed, TypeMod::plain(wanted[position]), Context::Assignment)? {
            Some(Typed { expr, .. }) => Ok(expr),
            None if scalar => Err(mismatch(name, &format!("Actual return type is {source}."))),
            None => Err(mismatch(
                name,
                &format!(
                    "Final statement returns {source} instead of {} at column {}.",
                    binder.format_type(wanted[position]),
                    position + 1
                ),
            )),
        }
    };
    let BoundStatement { statement, parameters, views, inlined, records } = bound;
    let statement = match Arc::unwrap_or_clone(statement) {
        Statement::Query(query) => Statement::Query(Box::new(converted_query(*query, &mut coerce)?)),
        Statement::Modify(mut modify) => {
            let visible = modify.returning.iter_mut().filter(|target| !target.hidden);
            for (position, (target, column)) in visible.zip(&mut modify.columns).enumerate() {
                target.expr = coerce(position, target.expr.clone())?;
                column.ty = target.expr.ty;
            }
            Statement::Modify(modify)
        }
    };
    Ok(BoundStatement { statement: Arc::new(statement), parameters, views, inlined, records })
}

/// The number of the query that is converted, in the query around it: beyond those that binding gives.
const INNER: RangeId = RangeId(u32::MAX);

/// A query around another that converts its columns.
fn converted_query(inner: Query, coerce: &mut dyn FnMut(usize, Expr) -> Result<Expr>) -> Result<Query> {
    let mut targets = Vec::with_capacity(inner.columns.len());
    let mut columns = inner.columns.clone();
    for (position, column) in columns.iter_mut().enumerate() {
        let kind = ExprKind::Column { range: INNER, column: position };
        let expr = coerce(position, Expr { kind, ty: column.ty, collation: column.collation })?;
        column.ty = expr.ty;
        targets.push(Target { expr, name: column.name.clone(), hidden: false });
    }
    let select = Select {
        id: SelectId(u32::MAX),
        from: Some(FromItem::Subquery { range: INNER, query: Box::new(inner), lateral: false }),
        filter: None,
        group_by: GroupBy::default(),
        having: None,
        windows: Vec::new(),
        targets,
        distinct: Distinct::No,
    };
    Ok(Query {
        ctes: Vec::new(),
        body: QueryBody::Select(Box::new(select)),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    })
}

/// Whether a statement of a body changes tables, or may.
pub fn may_write(procedure: &Procedure) -> bool {
    let reads = |statement: &ParsedStatement| match &statement.node {
        Node::Sql(tree) => match &**tree {
            ast::Statement::Query(query) => only_reads(query),
            _ => false,
        },
        Node::Utility(_) => true,
    };
    procedure.provolatile == 'v' && statements(procedure).is_ok_and(|all| !all.iter().all(reads))
}

fn only_reads(query: &ast::Query) -> bool {
    let body = !matches!(
        &*query.body,
        ast::SetExpr::Insert(_) | ast::SetExpr::Update(_) | ast::SetExpr::Delete(_) | ast::SetExpr::Merge(_)
    );
    body && query.with.iter().flat_map(|with| &with.cte_tables).all(|cte| only_reads(&cte.query))
}
