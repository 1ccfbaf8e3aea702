//! UPDATE and DELETE, and assignments to columns wherever they stand.
//!
//! Source: `src/backend/parser/analyze.c` (`transformUpdateStmt`), `parse_target.c` (`transformAssignedExpr`).

use sqlparser::ast;

use super::coerce::Context;
use super::position::At;
use super::query::is_default;
use super::scope::{Clause, ident_name};
use super::views::TargetTable;
use super::{Binder, Typed};
use crate::bound::{
    Cte, Expr, ExprKind, FromItem, Modify, ModifyAction, OutputColumn, Query, QueryBody, SubqueryExpr,
    SubqueryKind, Subscript, Target, TypeMod,
};
use crate::catalog::Attribute;
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

/// What stands behind a column's name in an assignment.
enum Step<'t> {
    Field(&'t ast::Ident),
    Subscripts(Vec<&'t ast::ObjectNamePartFunction>),
}

impl Binder<'_> {
    /// Binds a data-modifying statement one level further in.
    pub(super) fn modify(&mut self, statement: &ast::Statement, with: Option<&ast::With>) -> Result<Modify> {
        self.in_new_scope(|binder| {
            let ctes = match with {
                Some(with) => binder.with_clause(with)?,
                None => Vec::new(),
            };
            match statement {
                ast::Statement::Insert(insert) => binder.insert(insert, ctes),
                ast::Statement::Update(update) => binder.update(update, ctes),
                ast::Statement::Delete(delete) => binder.delete(delete, ctes),
                ast::Statement::Merge(merge) => binder.merge(merge, ctes),
                _ => Err(SqlError::internal("the binder takes queries and data-modifying statements")),
            }
        })
    }

    fn update(&mut self, update: &ast::Update, ctes: Vec<Cte>) -> Result<Modify> {
        let ast::TableFactor::Table { name, alias, .. } = &update.table.relation else {
            return Err(SqlError::unsupported("this target of UPDATE"));
        };
        let target =
            self.target_table(name, alias.as_ref().map(|alias| ident_name(&alias.name)), "update")?;
        let from = match &update.from {
            Some(
                ast::UpdateTableFromKind::BeforeSet(tables) | ast::UpdateTableFromKind::AfterSet(tables),
            ) => self.modify_from(&target, tables)?,
            None => self.modify_from(&target, &[])?,
        };
        let filter = self.modify_filter(&target, update.selection.as_ref())?;
        let assignments =
            self.in_clause(Clause::UpdateSource, |binder| binder.assignments(&target, &update.assignments))?;
        let (returning, columns) = self.returning(update.returning.as_deref())?;
        let action = ModifyAction::Update { from, filter, assignments };
        Ok(Modify { ctes, target: target.relation, range: target.range, action, returning, columns })
    }

    fn delete(&mut self, delete: &ast::Delete, ctes: Vec<Cte>) -> Result<Modify> {
        let tables = match &delete.from {
            ast::FromTable::WithFromKeyword(tables) | ast::FromTable::WithoutKeyword(tables) => tables,
        };
        let [ast::TableWithJoins { relation: ast::TableFactor::Table { name, alias, .. }, .. }] =
            tables.as_slice()
        else {
            return Err(SqlError::unsupported("this target of DELETE"));
        };
        let target =
            self.target_table(name, alias.as_ref().map(|alias| ident_name(&alias.name)), "delete from")?;
        let using = self.modify_from(&target, delete.using.as_deref().unwrap_or_default())?;
        let filter = self.modify_filter(&target, delete.selection.as_ref())?;
        let (returning, columns) = self.returning(delete.returning.as_deref())?;
        let action = ModifyAction::Delete { using, filter };
        Ok(Modify { ctes, target: target.relation, range: target.range, action, returning, columns })
    }

    /// The other tables of UPDATE and DELETE; the target's name is visible beside theirs, but not to them.
    fn modify_from(
        &mut self,
        target: &TargetTable,
        tables: &[ast::TableWithJoins],
    ) -> Result<Option<FromItem>> {
        self.add_items(vec![target.names.clone()], true, false)?;
        self.from_clause(tables)
    }

    /// WHERE, with the condition of the view that is the target.
    fn modify_filter(&mut self, target: &TargetTable, tree: Option<&ast::Expr>) -> Result<Option<Expr>> {
        let own = match tree {
            Some(ast::Expr::Prefixed { .. }) => return Err(SqlError::unsupported("WHERE CURRENT OF")),
            Some(tree) => Some(self.in_clause(Clause::Where, |binder| binder.condition(tree, "WHERE"))?.expr),
            None => None,
        };
        Ok(match (target.filter.clone(), own) {
            (Some(view), Some(own)) => Some(Typed::boolean(ExprKind::And(vec![view, own]), At::NOWHERE).expr),
            (view, own) => view.or(own),
        })
    }

    /// RETURNING.
    pub(super) fn returning(
        &mut self,
        items: Option<&[ast::SelectItem]>,
    ) -> Result<(Vec<Target>, Vec<OutputColumn>)> {
        let Some(items) = items else { return Ok((Vec::new(), Vec::new())) };
        let mut entries = self.in_clause(Clause::Returning, |binder| binder.target_list(items))?;
        for index in 0..entries.len() {
            self.settle_entry(index, &mut entries)?;
        }
        Ok(self.finish_targets(entries))
    }

    /// Binds SET.
    pub(super) fn assignments(
        &mut self,
        target: &TargetTable,
        trees: &[ast::Assignment],
    ) -> Result<Vec<(usize, Expr)>> {
        let mut bound: Vec<(usize, Expr)> = Vec::with_capacity(trees.len());
        for tree in trees {
            match &tree.target {
                ast::AssignmentTarget::ColumnName(name) => {
                    let value = &tree.value;
                    self.assignment(target, name, &mut bound, |binder, column| {
                        binder.set_value(value, column)
                    })?;
                }
                ast::AssignmentTarget::Tuple(names) => {
                    self.tuple_assignment(target, names, &tree.value, &mut bound)?
                }
            }
        }
        Ok(bound)
    }

    fn tuple_assignment(
        &mut self,
        target: &TargetTable,
        names: &[ast::ObjectName],
        value: &ast::Expr,
        bound: &mut Vec<(usize, Expr)>,
    ) -> Result<()> {
        let mismatch = |binder: &Self, at: At| {
            error!(SYNTAX_ERROR, "number of columns does not match number of values").at(binder.position(at))
        };
        let items: Vec<ast::Expr> = match value {
            ast::Expr::Tuple(items) => items.clone(),
            ast::Expr::Nested(inner) if names.len() == 1 => vec![(**inner).clone()],
            ast::Expr::Subquery(query) => {
                for (index, name) in names.iter().enumerate() {
                    let count = names.len();
                    self.assignment(target, name, bound, |binder, _| {
                        binder.column_of_subquery(query, index, count).map(Some)
                    })?;
                }
                return Ok(());
            }
            ast::Expr::Function(ast::Function { args: ast::FunctionArguments::List(list), .. })
                if super::expressions::is_row(value) =>
            {
                list.args
                    .iter()
                    .filter_map(|argument| match argument {
                        ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                        _ => None,
                    })
                    .collect()
            }
            other => {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "source for a multiple-column UPDATE item must be a sub-SELECT or ROW() expression"
                )
                .at(self.position(super::query::first_at(other))));
            }
        };
        if items.len() != names.len() {
            return Err(mismatch(self, super::query::first_at(value)));
        }
        for (name, item) in names.iter().zip(&items) {
            self.assignment(target, name, bound, |binder, column| binder.set_value(item, column))?;
        }
        Ok(())
    }

    /// One column of `(a, b) = (SELECT …)`: a subquery over that one.
    fn column_of_subquery(&mut self, tree: &ast::Query, index: usize, count: usize) -> Result<Typed> {
        let at = self.query_at(tree);
        let query: Query = self.query(tree, true)?;
        if query.columns.len() != count {
            return Err(error!(SYNTAX_ERROR, "number of columns does not match number of values")
                .at(self.before_query(at)));
        }
        let column = query.columns[index].clone();
        let (ty, range) = (column.ty, self.new_range());
        let value = Expr { kind: ExprKind::Column { range, column: index }, ty, collation: column.collation };
        let from = FromItem::Subquery { range, query: Box::new(query), lateral: false };
        let columns = vec![column];
        let select = self.select_of(Some(from), vec![value], &columns);
        let query = Query {
            ctes: Vec::new(),
            body: QueryBody::Select(Box::new(select)),
            order_by: Vec::new(),
            limit: None,
            offset: None,
            with_ties: false,
            locks: Vec::new(),
            columns,
        };
        let kind = ExprKind::Subquery(Box::new(SubqueryExpr { kind: SubqueryKind::Scalar, query }));
        Ok(Typed::new(kind, ty, at))
    }

    /// A value of SET; nothing for DEFAULT.
    fn set_value(&mut self, tree: &ast::Expr, _column: &Attribute) -> Result<Option<Typed>> {
        if is_default(tree) { Ok(None) } else { self.expr(tree).map(Some) }
    }

    /// Assigns to one column, or to a part of it.
    fn assignment(
        &mut self,
        target: &TargetTable,
        name: &ast::ObjectName,
        bound: &mut Vec<(usize, Expr)>,
        value: impl FnOnce(&mut Self, &Attribute) -> Result<Option<Typed>>,
    ) -> Result<()> {
        let Some(ast::ObjectNamePart::Identifier(ident)) = name.0.first() else {
            return Err(SqlError::internal("an assignment names a column"));
        };
        let column = ident_name(ident);
        let position = self.target_column(target, &column, At::new(ident.span.start))?;
        let attributes = self.catalog().attributes(target.relation);
        let attribute = &attributes[position];
        let previous = bound.iter().position(|(other, _)| *other == position);
        let steps = steps(&name.0[1..]);
        if previous.is_some() && steps.is_empty() {
            return Err(error!(SYNTAX_ERROR, "multiple assignments to same column \"{column}\""));
        }
        let value = value(self, attribute)?;
        let kind = match (attribute.attgenerated, attribute.attidentity) {
            ('s', _) => Some("a generated column"),
            (_, 'a') => Some("an identity column defined as GENERATED ALWAYS"),
            _ => None,
        };
        if let (Some(kind), true) = (kind, value.is_some()) {
            return Err(error!(GENERATED_ALWAYS, "column \"{column}\" can only be updated to DEFAULT")
                .detail(format!("Column \"{column}\" is {kind}.")));
        }
        let expr = match value {
            None if attribute.attgenerated == 's' => return Ok(()),
            None => self.column_default(target.relation, attribute)?,
            Some(value) if steps.is_empty() => self.assign_to_column(value, attribute, &column)?.expr,
            Some(value) => {
                let base = match previous {
                    Some(index) => bound[index].1.clone(),
                    None => Expr {
                        kind: ExprKind::Column { range: target.range, column: position },
                        ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                        collation: attribute.attcollation,
                    },
                };
                self.assign_part(base, &steps, value, &column)?
            }
        };
        match previous {
            Some(index) => bound[index].1 = expr,
            None => bound.push((position, expr)),
        }
        Ok(())
    }

    /// The value with one part replaced.
    fn assign_part(&mut self, base: Expr, steps: &[Step<'_>], value: Typed, column: &str) -> Result<Expr> {
        let Some((first, rest)) = steps.split_first() else {
            let ty = base.ty;
            return Ok(self.assign_value(value, ty, column)?.expr);
        };
        let (ty, collation, at) = (base.ty, base.collation, value.at);
        let kind = match first {
            Step::Field(ident) => {
                let name = ident_name(ident);
                let shape = self.record_shape(&base).ok_or_else(|| {
                    error!(
                        DATATYPE_MISMATCH,
                        "cannot assign to field \"{name}\" of column \"{column}\" because its type {} is not a composite type",
                        self.format_type(ty.oid)
                    )
                    .at(self.position_of(ident.span.start))
                })?;
                let field = shape.iter().position(|field| field.name == name).ok_or_else(|| {
                    error!(
                        UNDEFINED_COLUMN,
                        "cannot assign to field \"{name}\" of column \"{column}\" because there is no such column in data type {}",
                        self.format_type(ty.oid)
                    )
                    .at(self.position_of(ident.span.start))
                })?;
                let inner = super::coerce::field_of(&base, field, &shape[field], at).expr;
                let value = self.assign_part(inner, rest, value, column)?;
                ExprKind::AssignField { base: Box::new(base), field, value: Box::new(value) }
            }
            Step::Subscripts(parts) => {
                let json = self.base_type(ty.oid).oid == types::JSONB;
                let subscripts = self.assigned_subscripts(parts, json)?;
                let sliced = subscripts.iter().any(|subscript| matches!(subscript, Subscript::Slice(..)));
                let inner = match (json, sliced) {
                    (true, _) => types::JSONB,
                    (false, true) => ty.oid,
                    (false, false) => self.base_element_type(ty.oid).ok_or_else(|| {
                        error!(
                            DATATYPE_MISMATCH,
                            "cannot subscript type {} because it does not support subscripting",
                            self.format_type(ty.oid)
                        )
                    })?,
                };
                let part = Expr {
                    kind: ExprKind::Subscript {
                        base: Box::new(base.clone()),
                        subscripts: subscripts.clone(),
                    },
                    ty: TypeMod { oid: inner, modifier: ty.modifier },
                    collation,
                };
                let value = if rest.is_empty() {
                    self.assign_subscripted(value, part.ty, column)?
                } else {
                    self.assign_part(part, rest, value, column)?
                };
                ExprKind::AssignSubscript { base: Box::new(base), subscripts, value: Box::new(value) }
            }
        };
        Ok(Expr { kind, ty, collation })
    }

    fn assign_subscripted(&mut self, value: Typed, ty: TypeMod, column: &str) -> Result<Expr> {
        let (source, at) = (value.type_oid(), value.at);
        match self.coerce_to_target(value, ty, Context::Assignment)? {
            Some(value) => Ok(value.expr),
            None => Err(error!(
                DATATYPE_MISMATCH,
                "subscripted assignment to \"{column}\" requires type {} but expression is of type {}",
                self.format_type(ty.oid),
                self.format_type(source)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(self.position(at))),
        }
    }

    fn assigned_subscripts(
        &mut self,
        parts: &[&ast::ObjectNamePartFunction],
        json: bool,
    ) -> Result<Vec<Subscript>> {
        let mut subscripts = Vec::with_capacity(parts.len());
        for part in parts {
            let mut bounds = Vec::with_capacity(part.args.len());
            for argument in &part.args {
                bounds.push(match argument {
                    ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(tree)) => {
                        Some(if json { self.json_index(tree)? } else { self.array_index(tree)? })
                    }
                    _ => None,
                });
            }
            let mut bounds = bounds.into_iter();
            let first = bounds.next().flatten();
            subscripts.push(if part.name.value == "[:]" {
                Subscript::Slice(first, bounds.next().flatten())
            } else {
                Subscript::Index(first.ok_or_else(|| SqlError::internal("a subscript has an index"))?)
            });
        }
        Ok(subscripts)
    }

    /// The position of a column of the target.
    ///
    /// # Errors
    /// `42703` when there is none.
    pub(super) fn target_column(&self, target: &TargetTable, name: &str, at: At) -> Result<usize> {
        let found = target.columns.iter().find(|(column, _)| column == name);
        match found {
            Some((_, Some(position))) => Ok(*position),
            Some((_, None)) => Err(error!(
                FEATURE_NOT_SUPPORTED,
                "cannot update column \"{name}\" of view \"{}\"", target.written
            )
            .detail("View columns that are not columns of their base relation are not updatable.")),
            None if super::scope::is_system_column(name) => {
                Err(error!(FEATURE_NOT_SUPPORTED, "cannot assign to system column \"{name}\"")
                    .at(self.position(at)))
            }
            None => Err(error!(
                UNDEFINED_COLUMN,
                "column \"{name}\" of relation \"{}\" does not exist", target.written
            )
            .at(self.position(at))),
        }
    }

    pub(super) fn assign_to_column(
        &mut self,
        value: Typed,
        attribute: &Attribute,
        column: &str,
    ) -> Result<Typed> {
        let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
        self.assign_value(value, ty, column)
    }

    /// Converts a value for a column by an assignment cast.
    ///
    /// # Errors
    /// `42804` when there is none.
    pub(super) fn assign_value(&mut self, value: Typed, ty: TypeMod, column: &str) -> Result<Typed> {
        let (source, at) = (value.type_oid(), value.at);
        self.coerce_to_target(value, ty, Context::Assignment)?.ok_or_else(|| {
            error!(
                DATATYPE_MISMATCH,
                "column \"{column}\" is of type {} but expression is of type {}",
                self.format_type(ty.oid),
                self.format_type(source)
            )
            .hint("You will need to rewrite or cast the expression.")
            .at(self.position(at))
        })
    }

    /// The value that a column gets when a statement gives none.
    pub(super) fn column_default(&mut self, relation: Oid, attribute: &Attribute) -> Result<Expr> {
        let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
        if attribute.attisdropped {
            return Ok(self.null_of(TypeMod::plain(types::INT4)));
        }
        if attribute.attgenerated != 's' {
            if attribute.attidentity != '\0'
                && attribute.attidentity != ' '
                && attribute.attidentity.is_alphabetic()
            {
                return self.identity_value(relation, attribute);
            }
            let stored =
                self.catalog().default_expression(relation, attribute.attnum).map(|row| row.adbin.clone());
            let domain = || {
                self.type_row(attribute.atttypid)
                    .and_then(|row| row.typdefaultbin.clone().or_else(|| row.typdefault.clone()))
            };
            if let Some(text) = stored {
                return self.stored_expression(&text, ty, &attribute.attname);
            }
            if let Some(text) = domain() {
                return self.stored_expression(&text, ty, &attribute.attname);
            }
        }
        let null =
            Typed::new(ExprKind::Constant(crate::Value::Null), TypeMod::plain(types::UNKNOWN), At::NOWHERE);
        let typed = self.coerce(null, TypeMod::plain(ty.oid), Context::Implicit)?;
        Ok(typed.expr)
    }
}

/// A column's name taken apart: subscripts that follow each other belong together.
fn steps(parts: &[ast::ObjectNamePart]) -> Vec<Step<'_>> {
    let mut steps: Vec<Step<'_>> = Vec::new();
    for part in parts {
        match part {
            ast::ObjectNamePart::Identifier(ident) => steps.push(Step::Field(ident)),
            ast::ObjectNamePart::Function(function) => match steps.last_mut() {
                Some(Step::Subscripts(subscripts)) => subscripts.push(function),
                _ => steps.push(Step::Subscripts(vec![function])),
            },
        }
    }
    steps
}
