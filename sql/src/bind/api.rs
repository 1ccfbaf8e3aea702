//! What other parts of the server bind: stored expressions, view queries, type names, assignments.

use std::sync::Arc;

use sqlparser::ast;

use super::coerce::Context;
use super::position::At;
use super::scope::Clause;
use super::{BindContext, Binder};
use crate::bound::{BoundStatement, Expr, OutputColumn, Query, QueryBody, RangeId, Statement, TypeMod};
use crate::{Oid, Result, error};

/// The number of the relation in an expression bound by [`bind_expression`].
pub const EXPRESSION_RANGE: RangeId = RangeId(1);

/// Binds an expression outside a query: a default, a CHECK constraint, an index expression or predicate, a policy. The
/// columns of `relation` can be named, as [`EXPRESSION_RANGE`]. With a target type the result is converted to it by an
/// assignment cast, or by an implicit one to boolean.
///
/// # Errors
/// As [`super::bind`]; `42804` when there is no such conversion.
pub fn bind_expression(
    expr: &ast::Expr,
    relation: Option<Oid>,
    target: Option<TypeMod>,
    context: &BindContext<'_>,
) -> Result<Expr> {
    let mut binder = Binder::new(context);
    binder.push_scope();
    if let Some(class) = relation.and_then(|oid| binder.catalog().class(oid)) {
        let range = binder.new_range();
        let names = binder.relation_names(&class, range);
        binder.add_items(vec![names], false, true)?;
        binder.scope().clause = Clause::CheckConstraint;
    } else {
        binder.scope().clause = Clause::ColumnDefault;
    }
    finish(binder, expr, target)
}

/// Binds the check of a domain: `VALUE` is [`crate::bound::ExprKind::Placeholder`] of the domain's base type.
///
/// # Errors
/// As [`bind_expression`].
pub fn bind_domain_check(expr: &ast::Expr, value: TypeMod, context: &BindContext<'_>) -> Result<Expr> {
    let mut binder = Binder::new(context);
    binder.push_scope();
    binder.domain_value = Some(value);
    binder.scope().clause = Clause::DomainCheck;
    finish(binder, expr, Some(TypeMod::plain(crate::oid::types::BOOL)))
}

fn finish(mut binder: Binder<'_>, expr: &ast::Expr, target: Option<TypeMod>) -> Result<Expr> {
    let typed = binder.expr(expr)?;
    let bound = match target {
        Some(ty) if ty.oid == crate::oid::types::BOOL => binder.coerce_to_boolean(typed, "CHECK")?,
        Some(ty) => {
            let (source, at) = (typed.type_oid(), typed.at);
            match binder.coerce_to_target(typed, ty, Context::Assignment)? {
                Some(typed) => typed,
                None => {
                    return Err(error!(
                        DATATYPE_MISMATCH,
                        "expression is of type {} but type {} is needed",
                        binder.format_type(source),
                        binder.format_type(ty.oid)
                    )
                    .hint("You will need to rewrite or cast the expression.")
                    .at(binder.position(at)));
                }
            }
        }
        None => binder.unknown_to_text(typed)?,
    };
    binder.parameters.finish(&binder)?;
    Ok(bound.expr)
}

/// The type that a type name means.
///
/// # Errors
/// `42704` when there is none; `22023` and `42601` for bad modifiers.
pub fn resolve_type(name: &ast::DataType, context: &BindContext<'_>) -> Result<TypeMod> {
    super::type_names::resolve(name, context)
}

/// Binds a query with its parameters' types.
///
/// # Errors
/// As [`super::bind`].
pub fn bind_query(query: &ast::Query, context: &BindContext<'_>) -> Result<(Query, Vec<Oid>)> {
    let mut binder = Binder::new(context);
    let bound = binder.query(query, true)?;
    let parameters = binder.parameters.finish(&binder)?;
    Ok((bound, parameters))
}

/// Converts a bound expression to a column's type by an assignment cast.
///
/// # Errors
/// `42804` naming the column when there is none.
pub fn assign(expr: Expr, target: TypeMod, column: &str, context: &BindContext<'_>) -> Result<Expr> {
    let mut binder = Binder::new(context);
    let typed = binder.with_expr_collation(expr, At::NOWHERE);
    Ok(binder.assign_value(typed, target, column)?.expr)
}

/// Binds a row of expressions, each converted to its type by an assignment cast: the arguments of EXECUTE.
///
/// # Errors
/// As [`super::bind`]; `42804` when there is no such conversion.
pub fn bind_values(values: &[(&ast::Expr, Oid)], context: &BindContext<'_>) -> Result<BoundStatement> {
    let mut binder = Binder::new(context);
    binder.push_scope();
    let (mut row, mut columns) = (Vec::new(), Vec::new());
    for (number, (value, ty)) in values.iter().enumerate() {
        let typed = binder.expr(value)?;
        let (source, at, target) = (typed.type_oid(), typed.at, TypeMod::plain(*ty));
        let typed = binder.coerce_to_target(typed, target, Context::Assignment)?.ok_or_else(|| {
            error!(
                DATATYPE_MISMATCH,
                "parameter ${} of type {} cannot be coerced to the expected type {}",
                number + 1,
                binder.format_type(source),
                binder.format_type(*ty)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(binder.position(at))
        })?;
        columns.push(OutputColumn {
            name: format!("column{}", number + 1),
            ty: typed.expr.ty,
            collation: typed.expr.collation,
            origin: None,
        });
        row.push(typed.expr);
    }
    let parameters = binder.parameters.finish(&binder)?;
    let query = Query {
        ctes: Vec::new(),
        body: QueryBody::Values(vec![row]),
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    };
    Ok(BoundStatement { statement: Arc::new(Statement::Query(Box::new(query))), parameters })
}
