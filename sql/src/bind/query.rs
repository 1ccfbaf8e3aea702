//! Queries: SELECT and VALUES with their clauses, in the order in which PostgreSQL binds them.
//!
//! Source: `src/backend/parser/analyze.c` (`transformSelectStmt`, `transformValuesClause`).

use sqlparser::ast::{self, SetExpr};

use super::position::At;
use super::row_locks::Clauses;
use super::scope::{Clause, name_parts};
use super::targets::Entry;
use super::{Binder, Typed};
use crate::bound::{Expr, GroupBy, OutputColumn, Query, QueryBody, Select, SortKey, Statement, TypeMod};
use crate::{Result, SqlError, error};

/// The first visible target of a query, looked for in its first arm.
pub(super) fn first_target(query: &Query) -> Option<&Expr> {
    targets(query).into_iter().next()
}

/// The visible targets of a query's first arm.
pub(super) fn targets(query: &Query) -> Vec<&Expr> {
    match &query.body {
        QueryBody::Select(select) => {
            select.targets.iter().filter(|target| !target.hidden).map(|target| &target.expr).collect()
        }
        QueryBody::SetOperation { left, .. } => targets(left),
        QueryBody::Values(rows) => rows.first().map(|row| row.iter().collect()).unwrap_or_default(),
    }
}

/// A query with the places of its columns, for errors about them.
pub(super) struct Placed {
    pub(super) query: Query,
    pub(super) places: Vec<At>,
}

impl Binder<'_> {
    /// Binds a statement that goes through the planner.
    pub(super) fn statement(&mut self, statement: &ast::Statement) -> Result<Statement> {
        match statement {
            ast::Statement::Query(query) => match &*query.body {
                SetExpr::Insert(inner)
                | SetExpr::Update(inner)
                | SetExpr::Delete(inner)
                | SetExpr::Merge(inner) => {
                    Ok(Statement::Modify(Box::new(self.modify(inner, query.with.as_ref())?)))
                }
                _ => Ok(Statement::Query(Box::new(self.query(query, true)?))),
            },
            other => Ok(Statement::Modify(Box::new(self.modify(other, None)?))),
        }
    }

    /// Binds a query one level further in. Untyped literals in its columns become text if `settle`.
    pub(super) fn query(&mut self, tree: &ast::Query, settle: bool) -> Result<Query> {
        Ok(self.placed_query(tree, settle)?.query)
    }

    pub(super) fn placed_query(&mut self, tree: &ast::Query, settle: bool) -> Result<Placed> {
        self.in_new_scope(|binder| binder.query_here(tree, settle))
    }

    /// Binds a query at the current, new level.
    pub(super) fn query_here(&mut self, tree: &ast::Query, settle: bool) -> Result<Placed> {
        let ctes = match &tree.with {
            Some(with) => self.with_clause(with)?,
            None => Vec::new(),
        };
        let mut placed = match &*tree.body {
            SetExpr::Select(select) => self.select(select, tree, settle)?,
            SetExpr::Values(values) => self.values(values, tree)?,
            SetExpr::SetOperation { .. } => self.set_operation_query(tree)?,
            SetExpr::Query(inner) => self.nested_query(inner, tree, settle)?,
            SetExpr::Table(table) => self.table_query(table, tree, settle)?,
            _ => {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "WITH clause containing a data-modifying statement must be at the top level"
                ));
            }
        };
        if !ctes.is_empty() {
            let inner = std::mem::replace(&mut placed.query.ctes, ctes);
            placed.query.ctes.extend(inner);
        }
        Ok(placed)
    }

    /// `TABLE t` is `SELECT * FROM t`.
    fn table_query(&mut self, table: &ast::Table, tree: &ast::Query, settle: bool) -> Result<Placed> {
        let parts =
            table.schema_name.iter().chain(&table.table_name).map(ast::Ident::new).collect::<Vec<_>>();
        let name = ast::ObjectName::from(parts);
        let class = self.relation(&name)?;
        let (item, names) = self.relation_item(&class, None, At::NOWHERE)?;
        self.add_items(names, false, true)?;
        let wildcard = [ast::SelectItem::Wildcard(ast::WildcardAdditionalOptions::default())];
        let entries = self.in_clause(Clause::SelectTarget, |binder| binder.target_list(&wildcard))?;
        self.finish_select(entries, Some(item), None, None, tree, settle, Shape::default())
    }

    /// `(SELECT …) ORDER BY …`: the inner query becomes a subquery when both have clauses.
    fn nested_query(&mut self, inner: &ast::Query, tree: &ast::Query, settle: bool) -> Result<Placed> {
        let plain = tree.order_by.is_none()
            && tree.limit_clause.is_none()
            && tree.fetch.is_none()
            && tree.locks.is_empty();
        if plain {
            return self.placed_query(inner, settle);
        }
        if inner.order_by.is_some() && tree.order_by.is_some() {
            return Err(error!(SYNTAX_ERROR, "multiple ORDER BY clauses not allowed"));
        }
        if inner.limit_clause.is_some() && tree.limit_clause.is_some() {
            return Err(error!(SYNTAX_ERROR, "multiple LIMIT clauses not allowed"));
        }
        // The outer clauses are the inner select's own.
        let mut merged = inner.clone();
        if merged.order_by.is_none() {
            merged.order_by.clone_from(&tree.order_by);
        }
        if merged.limit_clause.is_none() {
            merged.limit_clause.clone_from(&tree.limit_clause);
        }
        if merged.fetch.is_none() {
            merged.fetch.clone_from(&tree.fetch);
        }
        merged.locks.extend(tree.locks.iter().cloned());
        self.placed_query(&merged, settle)
    }

    /// Binds SELECT at the current level.
    fn select(&mut self, select: &ast::Select, tree: &ast::Query, settle: bool) -> Result<Placed> {
        if select.into.is_some() {
            return Err(error!(SYNTAX_ERROR, "SELECT ... INTO is not allowed here"));
        }
        let from = self.from_clause(&select.from)?;
        self.window_clause(&select.named_window)?;
        let entries =
            self.in_clause(Clause::SelectTarget, |binder| binder.target_list(&select.projection))?;
        let filter = match &select.selection {
            Some(tree) => Some(self.in_clause(Clause::Where, |binder| binder.condition(tree, "WHERE"))?.expr),
            None => None,
        };
        let shape = Shape {
            group_by: Some(&select.group_by),
            having: select.having.as_ref(),
            distinct: select.distinct.as_ref(),
        };
        let from_filter = filter;
        self.finish_select(entries, from, from_filter, None, tree, settle, shape)
    }

    /// What follows FROM, the select list and WHERE.
    #[allow(clippy::too_many_arguments, reason = "the parts of one SELECT")]
    fn finish_select(
        &mut self,
        mut entries: Vec<Entry>,
        from: Option<crate::bound::FromItem>,
        filter: Option<Expr>,
        having: Option<Typed>,
        tree: &ast::Query,
        settle: bool,
        shape: Shape<'_>,
    ) -> Result<Placed> {
        let mut having = match shape.having {
            Some(tree) => Some(self.in_clause(Clause::Having, |binder| binder.condition(tree, "HAVING"))?),
            None => having,
        };
        let sort = match &tree.order_by {
            Some(order_by) => self.order_by(order_by, &mut entries)?,
            None => Vec::new(),
        };
        let mut group_by = match shape.group_by {
            Some(group_by) => self.group_by(group_by, &mut entries)?,
            None => GroupBy::default(),
        };
        let distinct = self.distinct(shape.distinct, &mut entries, &sort)?;
        let limits = self.limits(tree)?;
        if settle {
            for index in 0..entries.len() {
                self.settle_entry(index, &mut entries)?;
            }
        }
        group_by.grouped = !group_by.sets.is_empty() || having.is_some() || self.scope_ref().has_aggregates;
        if group_by.grouped {
            self.check_grouping(&mut entries, having.as_mut(), &group_by)?;
        }
        let scope = self.scope_ref();
        let clauses = Clauses {
            distinct: &distinct,
            group_by: &group_by,
            having: having.is_some(),
            window_functions: scope.has_windows,
            returns_sets: scope.has_set_returning,
            with_ties: limits.with_ties,
        };
        let locks = self.checked_locks(tree, from.as_ref(), clauses)?;
        let places = entries.iter().filter(|entry| !entry.hidden).map(|entry| entry.typed.at).collect();
        let (targets, columns) = self.finish_targets(entries);
        let windows = std::mem::take(&mut self.scope().windows);
        let select = Select {
            id: self.scope_ref().select,
            from,
            filter,
            group_by,
            having: having.map(|having| having.expr),
            windows,
            targets,
            distinct,
        };
        let query = Query {
            ctes: Vec::new(),
            body: QueryBody::Select(Box::new(select)),
            order_by: sort,
            limit: limits.limit,
            offset: limits.offset,
            with_ties: limits.with_ties,
            locks,
            columns,
        };
        Ok(Placed { query, places })
    }

    /// Binds VALUES as a query of its own.
    fn values(&mut self, values: &ast::Values, tree: &ast::Query) -> Result<Placed> {
        let width = values.rows.first().map_or(0, |row| row.len());
        let mut columns: Vec<Vec<Typed>> = vec![Vec::with_capacity(values.rows.len()); width];
        for row in &values.rows {
            let bound = self.in_clause(Clause::Values, |binder| {
                row.iter().map(|tree| binder.expr(tree)).collect::<Result<Vec<_>>>()
            })?;
            if bound.len() != width {
                let at = bound.first().map_or(At::NOWHERE, |value| value.at);
                return Err(
                    error!(SYNTAX_ERROR, "VALUES lists must all be the same length").at(self.position(at))
                );
            }
            for (column, value) in columns.iter_mut().zip(bound) {
                column.push(value);
            }
        }
        let mut outputs = Vec::with_capacity(width);
        let mut places = Vec::with_capacity(width);
        let mut rows: Vec<Vec<Expr>> = vec![Vec::with_capacity(width); values.rows.len()];
        let mut entries = Vec::with_capacity(width);
        for (index, column) in columns.into_iter().enumerate() {
            places.push(column.first().map_or(At::NOWHERE, |value| value.at));
            let (column, ty) = self.unify(column, "VALUES")?;
            let derived = self.derive(&column)?;
            let name = format!("column{}", index + 1);
            let shell =
                self.collate_result(Typed::new(crate::bound::ExprKind::Default, ty, places[index]), derived);
            outputs.push(OutputColumn {
                name: name.clone(),
                ty,
                collation: shell.expr.collation,
                origin: None,
            });
            entries.push(Entry { typed: shell, name, hidden: false });
            for (row, value) in rows.iter_mut().zip(column) {
                row.push(value.expr);
            }
        }
        let order_by = match &tree.order_by {
            Some(order_by) => self.output_order(order_by, &entries, "VALUES")?,
            None => Vec::new(),
        };
        let limits = self.limits(tree)?;
        if !tree.locks.is_empty() {
            return Err(error!(FEATURE_NOT_SUPPORTED, "FOR UPDATE cannot be applied to VALUES"));
        }
        let query = Query {
            ctes: Vec::new(),
            body: QueryBody::Values(rows),
            order_by,
            limit: limits.limit,
            offset: limits.offset,
            with_ties: limits.with_ties,
            locks: Vec::new(),
            columns: outputs,
        };
        Ok(Placed { query, places })
    }

    /// ORDER BY of a query whose rows are not a select's: by names and numbers of its columns.
    pub(super) fn output_order(
        &mut self,
        order_by: &ast::OrderBy,
        entries: &[Entry],
        what: &str,
    ) -> Result<Vec<SortKey>> {
        let mut entries = entries.to_vec();
        let visible = entries.len();
        let ast::OrderByKind::Expressions(keys) = &order_by.kind else {
            return Err(SqlError::unsupported("ORDER BY ALL"));
        };
        let mut sort = Vec::with_capacity(keys.len());
        for key in keys {
            let refuse = |binder: &Self, at: At| {
                let error = error!(FEATURE_NOT_SUPPORTED, "invalid UNION/INTERSECT/EXCEPT ORDER BY clause")
                    .detail("Only result column names can be used, not expressions or functions.")
                    .hint(
                        "Add the expression/function to every SELECT, or move the UNION into a FROM clause.",
                    )
                    .at(binder.position(at));
                if what == "VALUES" {
                    SqlError::unsupported("ORDER BY an expression over VALUES")
                } else {
                    error
                }
            };
            let at = match &key.expr {
                ast::Expr::Identifier(ident) => super::scope::at_ident(ident),
                _ => At::NOWHERE,
            };
            let output_name = match &key.expr {
                ast::Expr::Identifier(ident) => {
                    let name = super::scope::ident_name(ident);
                    entries.iter().any(|entry| entry.name == name)
                }
                ast::Expr::Value(_) => true,
                _ => false,
            };
            if !output_name {
                if let ast::Expr::Identifier(ident) = &key.expr {
                    let name = super::scope::ident_name(ident);
                    return Err(self.undefined_column(None, &name, at));
                }
                let typed = self.expr(&key.expr);
                return Err(match typed {
                    Ok(typed) => refuse(self, typed.at),
                    Err(error) if what == "VALUES" => error,
                    Err(error) if error.code() == crate::SqlState::UNDEFINED_COLUMN => {
                        refuse(self, first_at(&key.expr))
                    }
                    Err(error) => error,
                });
            }
            let target = self.find_entry(&key.expr, &mut entries, Clause::OrderBy)?;
            if target >= visible {
                return Err(refuse(self, at));
            }
            let typed = &entries[target].typed;
            let (descending, nulls_first) = self.sort_direction(&key.options, typed.type_oid(), typed.at)?;
            if !sort.iter().any(|other: &SortKey| other.target == target) {
                sort.push(SortKey { target, descending, nulls_first });
            }
        }
        Ok(sort)
    }

    /// A constant NULL of a type.
    pub(super) fn null_of(&self, ty: TypeMod) -> Expr {
        self.constant(crate::Value::Null, ty, At::NOWHERE).expr
    }
}

/// The clauses of SELECT that follow WHERE.
#[derive(Default)]
struct Shape<'t> {
    group_by: Option<&'t ast::GroupByExpr>,
    having: Option<&'t ast::Expr>,
    distinct: Option<&'t ast::Distinct>,
}

/// Whether a tree is the word DEFAULT.
pub(super) fn is_default(tree: &ast::Expr) -> bool {
    matches!(tree, ast::Expr::Identifier(ident)
        if ident.quote_style.is_none() && ident.value.eq_ignore_ascii_case("default"))
}

/// Where an expression's first name stands.
pub(super) fn first_at(tree: &ast::Expr) -> At {
    use sqlparser::ast::Spanned;
    At::new(tree.span().start)
}

/// The name of a relation that a query's FROM may mention.
pub(super) fn mentions(tree: &ast::Query, name: &str) -> bool {
    use std::ops::ControlFlow;
    let visit = |relation: &ast::ObjectName| {
        let parts = name_parts(relation);
        if parts.len() == 1 && parts[0] == name { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    ast::visit_relations(tree, visit).is_break()
}
