//! UNION, INTERSECT, EXCEPT: arms of equal width whose columns get common types.
//!
//! Source: `src/backend/parser/analyze.c` (`transformSetOperationStmt`).

use sqlparser::ast::{self, SetExpr};

use super::coerce::Context;
use super::common_type::common_modifier;
use super::position::At;
use super::query::Placed;
use super::targets::Entry;
use super::{Binder, Typed};
use crate::bound::{
    Distinct, ExprKind, FromItem, GroupBy, OutputColumn, Query, QueryBody, Select, SetOperation, Target,
    TypeMod,
};
use crate::{Result, SqlError, error};

/// A column's type as the recursive query that it belongs to has announced it.
type Announced = Option<Vec<OutputColumn>>;

impl Binder<'_> {
    /// Binds a query whose body is a set operation, at the current level.
    pub(super) fn set_operation_query(&mut self, tree: &ast::Query) -> Result<Placed> {
        let mut placed = self.set_operation(&tree.body)?;
        self.finish_set_operation(&mut placed, tree)?;
        Ok(placed)
    }

    /// ORDER BY and LIMIT of a set operation.
    pub(super) fn finish_set_operation(&mut self, placed: &mut Placed, tree: &ast::Query) -> Result<()> {
        let entries: Vec<Entry> = placed
            .query
            .columns
            .iter()
            .zip(&placed.places)
            .map(|(column, at)| Entry {
                typed: super::expressions::implicit(
                    Typed::new(ExprKind::Default, column.ty, *at),
                    column.collation,
                ),
                name: column.name.clone(),
                hidden: false,
            })
            .collect();
        if let Some(order_by) = &tree.order_by {
            placed.query.order_by = self.output_order(order_by, &entries, "UNION")?;
        }
        let limits = self.limits(tree)?;
        placed.query.limit = limits.limit;
        placed.query.offset = limits.offset;
        placed.query.with_ties = limits.with_ties;
        if let Some(lock) = tree.locks.first() {
            let words = super::row_locks::lock_words(crate::parse::lock_strength(lock));
            return Err(error!(FEATURE_NOT_SUPPORTED, "{words} is not allowed with UNION/INTERSECT/EXCEPT"));
        }
        Ok(())
    }

    fn set_operation(&mut self, body: &SetExpr) -> Result<Placed> {
        let SetExpr::SetOperation { left, op, set_quantifier, right } = body else {
            return self.arm(body);
        };
        self.deeper(|binder| {
            let left = binder.set_operation(left)?;
            let right = binder.set_operation(right)?;
            let all = matches!(set_quantifier, ast::SetQuantifier::All);
            binder.combine(set_operator(*op)?, all, left, right, &None)
        })
    }

    /// An arm: a query of its own, whose untyped literals wait for the other arms.
    pub(super) fn arm(&mut self, body: &SetExpr) -> Result<Placed> {
        match body {
            SetExpr::Query(query) => self.placed_query(query, false),
            SetExpr::SetOperation { .. } => self.set_operation(body),
            other => {
                let query = ast::Query {
                    with: None,
                    body: Box::new(other.clone()),
                    order_by: None,
                    limit_clause: None,
                    fetch: None,
                    locks: Vec::new(),
                    for_clause: None,
                    settings: None,
                    format_clause: None,
                    pipe_operators: Vec::new(),
                };
                self.placed_query(&query, false)
            }
        }
    }

    /// Joins two arms; `announced` holds the columns that a recursive query has promised.
    pub(super) fn combine(
        &mut self,
        operation: SetOperation,
        all: bool,
        mut left: Placed,
        mut right: Placed,
        announced: &Announced,
    ) -> Result<Placed> {
        let word = match operation {
            SetOperation::Union => "UNION",
            SetOperation::Intersect => "INTERSECT",
            SetOperation::Except => "EXCEPT",
        };
        if left.query.columns.len() != right.query.columns.len() {
            let at = right.places.first().copied().unwrap_or(At::NOWHERE);
            return Err(error!(SYNTAX_ERROR, "each {word} query must have the same number of columns")
                .at(self.position(at)));
        }
        let mut columns = Vec::with_capacity(left.query.columns.len());
        let mut targets = Vec::with_capacity(columns.capacity());
        for index in 0..left.query.columns.len() {
            let first = self.column_stand_in(&left, index);
            let second = self.column_stand_in(&right, index);
            let common = self.common_type(&[&first, &second], word)?;
            if !all {
                self.require_equality(common, first.at)?;
            }
            for side in [&first, &second] {
                if !self.can_coerce_one(side.type_oid(), common, Context::Implicit) {
                    return Err(error!(
                        CANNOT_COERCE,
                        "{word} could not convert type {} to {}",
                        self.format_type(side.type_oid()),
                        self.format_type(common)
                    )
                    .at(self.position(side.at)));
                }
            }
            let modifier = common_modifier([first.expr.ty, second.expr.ty].into_iter());
            let ty = TypeMod { oid: common, modifier };
            let derived = self.derive([&first, &second])?;
            let shell = self.collate_result(Typed::new(ExprKind::Default, ty, first.at), derived);
            let name = left.query.columns[index].name.clone();
            columns.push(OutputColumn { name, ty, collation: shell.expr.collation, origin: None });
            targets.push(ty);
        }
        if let Some(announced) = announced {
            self.check_announced(announced, &columns, &left.places)?;
        }
        left.query = self.convert_columns(left.query, &targets, &left.places)?;
        right.query = self.convert_columns(right.query, &targets, &right.places)?;
        let query = Query {
            ctes: Vec::new(),
            body: QueryBody::SetOperation {
                operation,
                all,
                left: Box::new(left.query),
                right: Box::new(right.query),
            },
            order_by: Vec::new(),
            limit: None,
            offset: None,
            with_ties: false,
            locks: Vec::new(),
            columns,
        };
        Ok(Placed { query, places: left.places })
    }

    /// A stand-in for an arm's column; literals themselves, so that they can still get a type.
    fn column_stand_in(&self, arm: &Placed, index: usize) -> Typed {
        let column = &arm.query.columns[index];
        let at = arm.places.get(index).copied().unwrap_or(At::NOWHERE);
        super::expressions::implicit(Typed::new(ExprKind::Default, column.ty, at), column.collation)
    }

    /// The types of a recursive query must be those of its first arm.
    fn check_announced(
        &self,
        announced: &[OutputColumn],
        columns: &[OutputColumn],
        places: &[At],
    ) -> Result<()> {
        for (index, (first, overall)) in announced.iter().zip(columns).enumerate() {
            if first.ty != overall.ty {
                let name =
                    |ty: TypeMod| crate::types::format_type(ty, self.catalog(), self.context.search_path);
                return Err(error!(
                    DATATYPE_MISMATCH,
                    "recursive query \"{}\" column {} has type {} in non-recursive term but type {} overall",
                    self.recursive_name.clone().unwrap_or_default(),
                    index + 1,
                    name(first.ty),
                    name(overall.ty)
                )
                .hint("Cast the output of the non-recursive term to the correct type.")
                .at(self.position(places.get(index).copied().unwrap_or(At::NOWHERE))));
            }
        }
        Ok(())
    }

    /// Converts the columns of a query to types: in place where that cannot change what the query means, else around it.
    pub(super) fn convert_columns(
        &mut self,
        mut query: Query,
        targets: &[TypeMod],
        places: &[At],
    ) -> Result<Query> {
        let needed = |query: &Query| {
            query.columns.iter().zip(targets).any(|(column, target)| column.ty.oid != target.oid)
        };
        if !needed(&query) {
            return Ok(query);
        }
        let simple = query.order_by.is_empty()
            && query.ctes.is_empty()
            && query.limit.is_none()
            && query.offset.is_none();
        match &mut query.body {
            QueryBody::Select(select) => {
                let simple = simple && select.distinct == Distinct::No;
                for (index, target) in targets.iter().enumerate() {
                    let expr = &mut select.targets[index].expr;
                    let untyped = expr.ty.oid == crate::oid::types::UNKNOWN;
                    if expr.ty.oid != target.oid && (simple || untyped) {
                        let converted = self.convert_expr(expr.clone(), *target, places.get(index))?;
                        query.columns[index].ty = converted.ty;
                        query.columns[index].collation = converted.collation;
                        query.columns[index].origin = None;
                        *expr = converted;
                    }
                }
            }
            QueryBody::Values(rows) => {
                for row in rows {
                    for (value, target) in row.iter_mut().zip(targets) {
                        if value.ty.oid != target.oid {
                            *value = self.convert_expr(value.clone(), *target, None)?;
                        }
                    }
                }
                for (column, target) in query.columns.iter_mut().zip(targets) {
                    column.ty = TypeMod::plain(target.oid);
                }
            }
            QueryBody::SetOperation { .. } => {}
        }
        if needed(&query) { self.wrap_converted(query, targets) } else { Ok(query) }
    }

    fn convert_expr(
        &mut self,
        expr: crate::bound::Expr,
        target: TypeMod,
        place: Option<&At>,
    ) -> Result<crate::bound::Expr> {
        let typed = self.with_expr_collation(expr, place.copied().unwrap_or(At::NOWHERE));
        Ok(self.coerce(typed, TypeMod::plain(target.oid), Context::Implicit)?.expr)
    }

    /// `SELECT convert(column), … FROM (query)`.
    fn wrap_converted(&mut self, query: Query, targets: &[TypeMod]) -> Result<Query> {
        let range = self.new_range();
        let id = self.new_select();
        let mut columns = query.columns.clone();
        let mut bound = Vec::with_capacity(targets.len());
        for (column, target) in targets.iter().enumerate() {
            let output = &mut columns[column];
            let source = crate::bound::Expr {
                kind: ExprKind::Column { range, column },
                ty: output.ty,
                collation: output.collation,
            };
            let expr =
                if output.ty.oid == target.oid { source } else { self.convert_expr(source, *target, None)? };
            output.ty = expr.ty;
            output.collation = expr.collation;
            bound.push(Target { expr, name: output.name.clone(), hidden: false });
        }
        let select = Select {
            id,
            from: Some(FromItem::Subquery { range, query: Box::new(query), lateral: false }),
            filter: None,
            group_by: GroupBy::default(),
            having: None,
            windows: Vec::new(),
            targets: bound,
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

    /// Types the untyped columns of a query as text.
    pub(super) fn settle_columns(&mut self, query: Query) -> Result<Query> {
        let targets: Vec<TypeMod> = query
            .columns
            .iter()
            .map(|column| {
                if column.ty.oid == crate::oid::types::UNKNOWN {
                    TypeMod::plain(crate::oid::types::TEXT)
                } else {
                    column.ty
                }
            })
            .collect();
        self.convert_columns(query, &targets, &[])
    }
}

/// The set operation that a word stands for.
pub(super) fn set_operator(operator: ast::SetOperator) -> Result<SetOperation> {
    match operator {
        ast::SetOperator::Union => Ok(SetOperation::Union),
        ast::SetOperator::Intersect => Ok(SetOperation::Intersect),
        ast::SetOperator::Except => Ok(SetOperation::Except),
        ast::SetOperator::Minus => Err(SqlError::unsupported("MINUS")),
    }
}
