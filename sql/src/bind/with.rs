//! WITH: queries under names, recursive ones, and those that modify data.
//!
//! Source: `src/backend/parser/parse_cte.c`.

use sqlparser::ast::{self, SetExpr};

use super::Binder;
use super::query::mentions;
use super::scope::{CteEntry, CteState, ident_name};
use super::set_operations::set_operator;
use crate::bound::{Cte, CteBody, OutputColumn, SetOperation};
use crate::{Result, error};

impl Binder<'_> {
    /// Binds a WITH list into the current level.
    pub(super) fn with_clause(&mut self, with: &ast::With) -> Result<Vec<Cte>> {
        for (index, cte) in with.cte_tables.iter().enumerate() {
            let name = ident_name(&cte.alias.name);
            if with.cte_tables[..index].iter().any(|other| ident_name(&other.alias.name) == name) {
                return Err(error!(DUPLICATE_ALIAS, "WITH query name \"{name}\" specified more than once")
                    .at(self.position_of(cte.alias.name.span.start)));
            }
        }
        // Names further down cannot be meant yet, which is worth a hint.
        for cte in &with.cte_tables {
            let entry = CteEntry {
                name: ident_name(&cte.alias.name),
                id: self.new_cte(),
                columns: Vec::new(),
                state: CteState::NotYet,
                references: 0,
            };
            self.scope().ctes.push(entry);
        }
        let first = self.scope_ref().ctes.len() - with.cte_tables.len();
        let mut bound = Vec::with_capacity(with.cte_tables.len());
        for (index, cte) in with.cte_tables.iter().enumerate() {
            bound.push(self.with_query(cte, with.recursive, first + index)?);
        }
        Ok(bound)
    }

    fn with_query(&mut self, tree: &ast::Cte, may_recurse: bool, index: usize) -> Result<Cte> {
        let name = ident_name(&tree.alias.name);
        let id = self.scope_ref().ctes[index].id;
        let recursive = may_recurse && mentions(&tree.query, &name);
        let mut cte = match &*tree.query.body {
            SetExpr::Insert(inner)
            | SetExpr::Update(inner)
            | SetExpr::Delete(inner)
            | SetExpr::Merge(inner) => self.modifying_query(tree, inner, &name, id, recursive)?,
            _ if recursive => self.recursive_query(tree, &name, id, index)?,
            _ => {
                let query = self.query(&tree.query, true)?;
                let columns = self.cte_columns(tree, &name, query.columns.clone())?;
                let body = CteBody::Query(Box::new(query));
                Cte { id, name: name.clone(), columns, body, materialized: None, recursive: false }
            }
        };
        cte.materialized =
            tree.materialized.as_ref().map(|how| matches!(how, ast::CteAsMaterialized::Materialized));
        let without = matches!(&cte.body, CteBody::Modify(modify) if modify.columns.is_empty());
        let entry = &mut self.scope().ctes[index];
        entry.columns.clone_from(&cte.columns);
        entry.state = if without { CteState::WithoutColumns } else { CteState::Ready };
        Ok(cte)
    }

    /// The columns of a WITH query under the names that its column list gives.
    fn cte_columns(
        &self,
        tree: &ast::Cte,
        name: &str,
        mut columns: Vec<OutputColumn>,
    ) -> Result<Vec<OutputColumn>> {
        let names = &tree.alias.columns;
        if names.len() > columns.len() {
            return Err(error!(
                INVALID_COLUMN_REFERENCE,
                "WITH query \"{name}\" has {} columns available but {} columns specified",
                columns.len(),
                names.len()
            )
            .at(self.position_of(tree.alias.name.span.start)));
        }
        for (column, definition) in columns.iter_mut().zip(names) {
            column.name = ident_name(&definition.name);
        }
        Ok(columns)
    }

    fn modifying_query(
        &mut self,
        tree: &ast::Cte,
        statement: &ast::Statement,
        name: &str,
        id: crate::bound::CteId,
        recursive: bool,
    ) -> Result<Cte> {
        let place = self.position_of(tree.alias.name.span.start);
        if recursive {
            return Err(error!(
                INVALID_RECURSION,
                "recursive query \"{name}\" must not contain data-modifying statements"
            )
            .at(place));
        }
        if self.scopes.len() > 1 {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "WITH clause containing a data-modifying statement must be at the top level"
            )
            .at(place));
        }
        let modify = self.modify(statement, tree.query.with.as_ref())?;
        let columns = self.cte_columns(tree, name, modify.columns.clone())?;
        Ok(Cte {
            id,
            name: name.to_owned(),
            columns,
            body: CteBody::Modify(Box::new(modify)),
            materialized: None,
            recursive: false,
        })
    }

    /// A query that refers to itself: the first arm gives the columns, the second may name them.
    fn recursive_query(
        &mut self,
        tree: &ast::Cte,
        name: &str,
        id: crate::bound::CteId,
        index: usize,
    ) -> Result<Cte> {
        let place = self.position_of(tree.alias.name.span.start);
        let malformed = || {
            error!(
                INVALID_RECURSION,
                "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
            )
            .at(place)
        };
        let SetExpr::SetOperation { left, op, set_quantifier, right } = &*tree.query.body else {
            return Err(malformed());
        };
        if set_operator(*op)? != SetOperation::Union {
            return Err(malformed());
        }
        if body_mentions(left, name) {
            return Err(error!(
                INVALID_RECURSION,
                "recursive reference to query \"{name}\" must not appear within its non-recursive term"
            )
            .at(self.relation_place(left, name)));
        }
        for (present, clause) in [
            (tree.query.order_by.is_some(), "ORDER BY"),
            (tree.query.limit_clause.is_some() || tree.query.fetch.is_some(), "LIMIT"),
            (!tree.query.locks.is_empty(), "FOR UPDATE/SHARE"),
        ] {
            if present {
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "{clause} in a recursive query is not implemented"
                ));
            }
        }
        let outer = self.recursive_name.replace(name.to_owned());
        let bound = self.in_new_scope(|binder| {
            let mut ctes = Vec::new();
            if let Some(with) = &tree.query.with {
                ctes = binder.with_clause(with)?;
            }
            let mut first = binder.arm(left)?;
            first.query = binder.settle_columns(first.query)?;
            let columns = binder.cte_columns(tree, name, first.query.columns.clone())?;
            let level = binder.scopes.len() - 2;
            let entry = &mut binder.scopes[level].ctes[index];
            entry.columns.clone_from(&columns);
            entry.state = CteState::Ready;
            let second = binder.arm(right)?;
            binder.check_recursive_term(right, name, &second.query)?;
            let all = matches!(set_quantifier, ast::SetQuantifier::All);
            let announced = Some(first.query.columns.clone());
            let mut placed = binder.combine(SetOperation::Union, all, first, second, &announced)?;
            placed.query.ctes = ctes;
            Ok((placed.query, columns))
        });
        self.recursive_name = outer;
        let (query, columns) = bound?;
        Ok(Cte {
            id,
            name: name.to_owned(),
            columns,
            body: CteBody::Query(Box::new(query)),
            materialized: None,
            recursive: true,
        })
    }

    /// What the recursive term may not contain.
    fn check_recursive_term(&self, tree: &SetExpr, name: &str, query: &crate::bound::Query) -> Result<()> {
        let references = count_mentions(tree, name);
        if references > 1 {
            return Err(error!(
                INVALID_RECURSION,
                "recursive reference to query \"{name}\" must not appear more than once"
            )
            .at(self.relation_place(tree, name)));
        }
        let crate::bound::QueryBody::Select(select) = &query.body else { return Ok(()) };
        if select.group_by.grouped && aggregate_in(select) {
            return Err(error!(
                INVALID_RECURSION,
                "aggregate functions are not allowed in a recursive query's recursive term"
            ));
        }
        if let SetExpr::Select(tree) = tree {
            for table in &tree.from {
                self.check_outer_joins(table, name)?;
            }
        }
        Ok(())
    }

    fn check_outer_joins(&self, table: &ast::TableWithJoins, name: &str) -> Result<()> {
        use ast::JoinOperator as J;
        let mut seen_left = factor_mentions(&table.relation, name);
        for join in &table.joins {
            let right = factor_mentions(&join.relation, name);
            let nullable = match &join.join_operator {
                J::Left(_) | J::LeftOuter(_) => right,
                J::Right(_) | J::RightOuter(_) => seen_left,
                J::FullOuter(_) => right || seen_left,
                _ => false,
            };
            if nullable {
                return Err(error!(
                    INVALID_RECURSION,
                    "recursive reference to query \"{name}\" must not appear within an outer join"
                )
                .at(self.factor_place(if right { &join.relation } else { &table.relation })));
            }
            seen_left |= right;
        }
        Ok(())
    }

    fn factor_place(&self, factor: &ast::TableFactor) -> Option<usize> {
        match factor {
            ast::TableFactor::Table { name, .. } => self.position_of(super::scope::name_location(name)),
            _ => None,
        }
    }

    fn relation_place(&self, tree: &SetExpr, name: &str) -> Option<usize> {
        use std::ops::ControlFlow;
        let mut place = None;
        let _ = ast::visit_relations(tree, |relation: &ast::ObjectName| {
            if super::scope::name_parts(relation) == [name] {
                place = Some(super::scope::name_location(relation));
            }
            ControlFlow::<()>::Continue(())
        });
        place.and_then(|place| self.position_of(place))
    }
}

fn aggregate_in(select: &crate::bound::Select) -> bool {
    select.targets.iter().any(|target| contains_aggregate(&target.expr, select.id))
        || select.having.iter().any(|having| contains_aggregate(having, select.id))
}

fn contains_aggregate(expr: &crate::bound::Expr, select: crate::bound::SelectId) -> bool {
    if matches!(&expr.kind, crate::bound::ExprKind::Aggregate(call) if call.level == select) {
        return true;
    }
    let mut found = false;
    super::walk::each_part(expr, &mut |part| found = found || contains_aggregate(part, select));
    found
}

fn body_mentions(tree: &SetExpr, name: &str) -> bool {
    count_mentions(tree, name) > 0
}

fn count_mentions<N: ast::Visit>(tree: &N, name: &str) -> usize {
    use std::ops::ControlFlow;
    let mut count = 0;
    let _ = ast::visit_relations(tree, |relation: &ast::ObjectName| {
        if super::scope::name_parts(relation) == [name] {
            count += 1;
        }
        ControlFlow::<()>::Continue(())
    });
    count
}

fn factor_mentions(factor: &ast::TableFactor, name: &str) -> bool {
    count_mentions(factor, name) > 0
}
