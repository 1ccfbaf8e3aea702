//! Subqueries used as expressions.
//!
//! Source: `src/backend/parser/parse_expr.c` (`transformSubLink`).

use sqlparser::ast::{self, Expr as Tree};

use super::expressions::{implicit, is_row};
use super::operators::OperatorName;
use super::position::{self, At};
use super::{Binder, Typed};
use crate::bound::{ExprKind, Query, SubqueryExpr, SubqueryKind, TypeMod};
use crate::oid::types;
use crate::{Result, error};

fn subquery_expr(kind: SubqueryKind, query: Query) -> ExprKind {
    ExprKind::Subquery(Box::new(SubqueryExpr { kind, query }))
}

impl Binder<'_> {
    /// `(SELECT …)` as a value.
    pub(super) fn scalar_subquery(&mut self, tree: &ast::Query) -> Result<Typed> {
        let query = self.query(tree, true)?;
        let at = self.query_at(tree);
        let [column] = query.columns.as_slice() else {
            return Err(
                error!(SYNTAX_ERROR, "subquery must return only one column").at(self.before_query(at))
            );
        };
        let (ty, collation) = (column.ty, column.collation);
        Ok(implicit(Typed::new(subquery_expr(SubqueryKind::Scalar, query), ty, at), collation))
    }

    /// `EXISTS (SELECT …)`.
    pub(super) fn exists(&mut self, tree: &ast::Query, negated: bool) -> Result<Typed> {
        let query = self.query(tree, true)?;
        let at = self.query_at(tree);
        let exists = Typed::boolean(subquery_expr(SubqueryKind::Exists, query), at);
        Ok(if negated { Typed::boolean(ExprKind::Not(Box::new(exists.expr)), at) } else { exists })
    }

    /// `ARRAY(SELECT …)`.
    pub(super) fn array_subquery(&mut self, tree: &ast::Query, at: At) -> Result<Typed> {
        let query = self.query(tree, true)?;
        let [column] = query.columns.as_slice() else {
            return Err(error!(SYNTAX_ERROR, "subquery must return only one column").at(self.position(at)));
        };
        let (ty, collation) = (column.ty, column.collation);
        let array = if self.element_type(ty.oid).is_some() { ty.oid } else { self.array_of(ty.oid)? };
        let typed = Typed::new(
            subquery_expr(SubqueryKind::Array, query),
            TypeMod { oid: array, modifier: ty.modifier },
            at,
        );
        Ok(implicit(typed, collation))
    }

    /// `a [NOT] IN (SELECT …)`.
    pub(super) fn in_subquery(&mut self, left: &Tree, query: &ast::Query, negated: bool) -> Result<Typed> {
        self.compare_subquery(left, &OperatorName::plain("="), query, true, negated)
    }

    /// `row op ANY|ALL (SELECT …)`.
    pub(super) fn compare_subquery(
        &mut self,
        left: &Tree,
        name: &OperatorName,
        tree: &ast::Query,
        any: bool,
        negated: bool,
    ) -> Result<Typed> {
        let left = if is_row(left) { self.row_fields(left)? } else { vec![self.expr(left)?] };
        let at = left.first().map_or(At::NOWHERE, |field| field.at);
        let query = self.query(tree, true)?;
        let place = position::of_operator(
            self.context.text,
            if name.symbol == "=" { "IN" } else { &name.symbol },
            Some(at),
            self.query_at(tree),
        );
        if left.len() < query.columns.len() {
            return Err(error!(SYNTAX_ERROR, "subquery has too many columns").at(place));
        }
        if left.len() > query.columns.len() {
            return Err(error!(SYNTAX_ERROR, "subquery has too few columns").at(place));
        }
        let range = self.new_range();
        let right = query
            .columns
            .iter()
            .enumerate()
            .map(|(column, output)| {
                implicit(Typed::new(ExprKind::Column { range, column }, output.ty, at), output.collation)
            })
            .collect();
        let operands: Vec<_> = left.iter().map(|field| field.expr.clone()).collect();
        let test = self.compare_rows(name, left, right)?;
        if test.type_oid() != types::BOOL {
            return Err(error!(
                DATATYPE_MISMATCH,
                "row comparison operator must yield type boolean, not type {}",
                self.format_type(test.type_oid())
            )
            .at(place));
        }
        let kind = SubqueryKind::Compare { any, left: operands, test: Box::new(test.expr), range };
        let typed = Typed::boolean(subquery_expr(kind, query), at);
        Ok(if negated { Typed::boolean(ExprKind::Not(Box::new(typed.expr)), at) } else { typed })
    }

    /// `(a, b) op (SELECT c, d …)` with a subquery of one row.
    pub(super) fn compare_row_subquery(
        &mut self,
        left: &Tree,
        name: &OperatorName,
        query: &ast::Query,
    ) -> Result<Typed> {
        // A subquery of at most one row: NULL for none, as ANY over no rows is false; both are not true.
        self.compare_subquery(left, name, query, true, false)
    }

    /// Where a query's first word stands, as far as its tree tells.
    pub(super) fn query_at(&self, tree: &ast::Query) -> At {
        if let Some(with) = &tree.with {
            return At::new(with.with_token.0.span.start);
        }
        self.body_at(&tree.body)
    }

    fn body_at(&self, body: &ast::SetExpr) -> At {
        match body {
            ast::SetExpr::Select(select) => At::new(select.select_token.0.span.start),
            ast::SetExpr::Query(query) => self.query_at(query),
            ast::SetExpr::SetOperation { left, .. } => self.body_at(left),
            _ => At::NOWHERE,
        }
    }

    /// The parenthesis before a query.
    pub(super) fn before_query(&self, at: At) -> Option<usize> {
        position::of_operator(self.context.text, "(", None, at)
    }
}
