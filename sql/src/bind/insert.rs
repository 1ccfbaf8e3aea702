//! INSERT: rows for the whole table, defaults filled in, and what is done about conflicts.
//!
//! Source: `src/backend/parser/analyze.c` (`transformInsertStmt`), `src/backend/rewrite/rewriteHandler.c`.

use sqlparser::ast::{self, SetExpr};

use super::position::At;
use super::query::is_default;
use super::scope::{Clause, NamespaceItem, ScopeColumn, ident_name, name_location, name_parts};
use super::views::TargetTable;
use super::{Binder, Typed};
use crate::bound::{
    Call, Cte, Distinct, Expr, ExprKind, FromItem, GroupBy, Modify, ModifyAction, OnConflict, OutputColumn,
    Query, QueryBody, Select, Target, TypeMod,
};
use crate::catalog::Attribute;
use crate::oid::{namespaces, relations, types};
use crate::{Oid, Result, SqlError, Value, error, parse};

/// A column of the target that INSERT names.
#[derive(Clone)]
struct Named {
    position: usize,
    name: String,
    at: At,
}

impl Binder<'_> {
    pub(super) fn insert(&mut self, insert: &ast::Insert, ctes: Vec<Cte>) -> Result<Modify> {
        let ast::TableObject::TableName(name) = &insert.table else {
            return Err(SqlError::unsupported("this target of INSERT"));
        };
        let alias = insert.table_alias.as_ref().map(|alias| ident_name(&alias.alias));
        let target = self.target_table(name, alias, "insert into")?;
        let named = self.insert_columns(&target, insert)?;
        let overriding = parse::overriding_system(insert);
        let source = match &insert.source {
            None => self.default_row(&target)?,
            Some(query) => self.insert_source(&target, &named, query, overriding)?,
        };
        self.scope().items.clear();
        self.add_items(vec![target.names.clone()], false, true)?;
        let on_conflict = match &insert.on {
            Some(ast::OnInsert::OnConflict(conflict)) => Some(self.on_conflict(&target, insert, conflict)?),
            Some(_) => return Err(SqlError::unsupported("ON DUPLICATE KEY UPDATE")),
            None => None,
        };
        self.scope().items.retain(|item| item.name != "excluded" || item.range.is_some());
        let (returning, columns) = self.returning(insert.returning.as_deref())?;
        let positions = named.iter().map(|column| column.position).collect();
        let action = ModifyAction::Insert { source: Box::new(source), on_conflict, named: positions };
        Ok(Modify { ctes, target: target.relation, range: target.range, action, returning, columns })
    }

    /// The columns that INSERT names: all when it has no list.
    fn insert_columns(&self, target: &TargetTable, insert: &ast::Insert) -> Result<Vec<Named>> {
        if insert.columns.is_empty() {
            return Ok(target
                .columns
                .iter()
                .filter_map(|(name, position)| {
                    Some(Named { position: (*position)?, name: name.clone(), at: At::NOWHERE })
                })
                .collect());
        }
        let mut named: Vec<Named> = Vec::with_capacity(insert.columns.len());
        for column in &insert.columns {
            if column.0.len() > 1 {
                return Err(SqlError::unsupported("a part of a column in INSERT"));
            }
            let at = At::new(name_location(column));
            let name = name_parts(column).pop().unwrap_or_default();
            let position = self.target_column(target, &name, at)?;
            if named.iter().any(|other| other.position == position) {
                return Err(error!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once")
                    .at(self.position(at)));
            }
            named.push(Named { position, name, at });
        }
        Ok(named)
    }

    fn insert_source(
        &mut self,
        target: &TargetTable,
        named: &[Named],
        query: &ast::Query,
        overriding: Option<bool>,
    ) -> Result<Query> {
        let plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none();
        match &*query.body {
            SetExpr::Values(values) if plain => self.insert_values(target, named, values, overriding),
            _ => self.insert_query(target, named, query, overriding),
        }
    }

    /// VALUES: each value goes to its column.
    fn insert_values(
        &mut self,
        target: &TargetTable,
        named: &[Named],
        values: &ast::Values,
        overriding: Option<bool>,
    ) -> Result<Query> {
        let clause = if values.rows.len() == 1 { Clause::ValuesSingle } else { Clause::Values };
        let width = values.rows.first().map_or(0, |row| row.len());
        let mut rows = Vec::with_capacity(values.rows.len());
        for row in &values.rows {
            let mut bound = Vec::with_capacity(row.len());
            for tree in row.iter() {
                bound.push(if is_default(tree) {
                    None
                } else {
                    Some(self.in_clause(clause, |binder| binder.expr(tree))?)
                });
            }
            if bound.len() != width {
                let at = bound.iter().flatten().next().map_or(At::NOWHERE, |value| value.at);
                return Err(
                    error!(SYNTAX_ERROR, "VALUES lists must all be the same length").at(self.position(at))
                );
            }
            let places: Vec<At> =
                bound.iter().map(|value| value.as_ref().map_or(At::NOWHERE, |value| value.at)).collect();
            let columns =
                self.matching_columns(named, &places, named.iter().any(|column| column.at != At::NOWHERE))?;
            rows.push(self.whole_row_of(target, columns, bound, overriding)?);
        }
        // A row that returns a set is a select of its own.
        let columns = self.table_columns(target);
        let body = match rows.as_slice() {
            [row] if row.iter().any(super::aggregates::contains_set) => {
                QueryBody::Select(Box::new(self.select_of(None, row.clone(), &columns)))
            }
            _ => QueryBody::Values(rows),
        };
        Ok(plain_query(body, columns))
    }

    /// As many columns as there are values.
    fn matching_columns<'n>(&self, named: &'n [Named], places: &[At], listed: bool) -> Result<&'n [Named]> {
        if places.len() > named.len() {
            return Err(error!(SYNTAX_ERROR, "INSERT has more expressions than target columns")
                .at(self.position(places[named.len()])));
        }
        if places.len() < named.len() && listed {
            return Err(error!(SYNTAX_ERROR, "INSERT has more target columns than expressions")
                .at(self.position(named[places.len()].at)));
        }
        Ok(&named[..places.len()])
    }

    /// SELECT: its columns go to the named ones.
    fn insert_query(
        &mut self,
        target: &TargetTable,
        named: &[Named],
        tree: &ast::Query,
        overriding: Option<bool>,
    ) -> Result<Query> {
        let placed = self.placed_query(tree, false)?;
        let listed = named.iter().any(|column| column.at != At::NOWHERE);
        let named = self.matching_columns(named, &placed.places, listed)?.to_vec();
        let attributes = self.catalog().attributes(target.relation);
        // Untyped literals get the types of the columns that they go to.
        let wanted: Vec<TypeMod> = placed
            .query
            .columns
            .iter()
            .zip(&named)
            .map(|(column, named)| {
                if column.ty.oid == types::UNKNOWN {
                    TypeMod::plain(attributes[named.position].atttypid)
                } else {
                    column.ty
                }
            })
            .collect();
        let query = self.convert_columns(placed.query, &wanted, &placed.places)?;
        let range = self.new_range();
        let values = query
            .columns
            .iter()
            .enumerate()
            .map(|(column, output)| {
                let typed = Typed::new(ExprKind::Column { range, column }, output.ty, placed.places[column]);
                Some(super::expressions::implicit(typed, output.collation))
            })
            .collect();
        let row = self.whole_row_of(target, &named, values, overriding)?;
        let columns = self.table_columns(target);
        let from = FromItem::Subquery { range, query: Box::new(query), lateral: false };
        let select = self.select_of(Some(from), row, &columns);
        Ok(plain_query(QueryBody::Select(Box::new(select)), columns))
    }

    /// DEFAULT VALUES.
    fn default_row(&mut self, target: &TargetTable) -> Result<Query> {
        let row = self.whole_row_of(target, &[], Vec::new(), None)?;
        let columns = self.table_columns(target);
        Ok(plain_query(QueryBody::Values(vec![row]), columns))
    }

    /// A value for every column of the table: the given ones converted, defaults for the others.
    fn whole_row_of(
        &mut self,
        target: &TargetTable,
        named: &[Named],
        values: Vec<Option<Typed>>,
        overriding: Option<bool>,
    ) -> Result<Vec<Expr>> {
        let attributes = self.catalog().attributes(target.relation);
        let mut row: Vec<Option<Expr>> = vec![None; attributes.len()];
        for (column, value) in named.iter().zip(values) {
            let attribute = &attributes[column.position];
            let Some(value) = value else { continue };
            let identity = attribute.attidentity;
            if attribute.attgenerated == 's' || (identity == 'a' && overriding.is_none()) {
                return Err(generated_always(attribute, &column.name));
            }
            if overriding == Some(false) && matches!(identity, 'a' | 'd') {
                continue;
            }
            row[column.position] = Some(self.assign_to_column(value, attribute, &column.name)?.expr);
        }
        let mut whole = Vec::with_capacity(row.len());
        for (value, attribute) in row.into_iter().zip(attributes.iter()) {
            whole.push(match value {
                Some(value) => value,
                None => self.column_default(target.relation, attribute)?,
            });
        }
        Ok(whole)
    }

    fn table_columns(&self, target: &TargetTable) -> Vec<OutputColumn> {
        self.catalog()
            .attributes(target.relation)
            .iter()
            .map(|attribute| OutputColumn {
                name: attribute.attname.clone(),
                ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                collation: attribute.attcollation,
                origin: None,
            })
            .collect()
    }

    pub(super) fn select_of(
        &mut self,
        from: Option<FromItem>,
        row: Vec<Expr>,
        columns: &[OutputColumn],
    ) -> Select {
        let targets = row
            .into_iter()
            .zip(columns)
            .map(|(expr, column)| Target { expr, name: column.name.clone(), hidden: false })
            .collect();
        Select {
            id: self.new_select(),
            from,
            filter: None,
            group_by: GroupBy::default(),
            having: None,
            windows: Vec::new(),
            targets,
            distinct: Distinct::No,
        }
    }

    /// An expression stored in the catalog for a column.
    pub(super) fn stored_expression(&mut self, text: &str, ty: TypeMod, column: &str) -> Result<Expr> {
        let tree = parse::parse_expression(text)?;
        self.in_stored_text(text, |binder| {
            binder.push_scope();
            let typed = binder.expr(&tree)?;
            Ok(binder.assign_value(typed, ty, column)?.expr)
        })
    }

    /// The next value of an identity column's sequence.
    pub(super) fn identity_value(&mut self, relation: Oid, attribute: &Attribute) -> Result<Expr> {
        let sequence = self.identity_sequence(relation, attribute.attnum).ok_or_else(|| {
            SqlError::internal(format!("no owned sequence found for column {}", attribute.attname))
        })?;
        let nextval = self
            .catalog()
            .functions_named("nextval")
            .iter()
            .find(|row| row.pronamespace == namespaces::PG_CATALOG)
            .map(|row| row.oid)
            .ok_or_else(|| SqlError::internal("nextval is built in"))?;
        let argument = self.constant(
            Value::Integer(i64::from(sequence.0)),
            TypeMod::plain(types::REGCLASS),
            At::NOWHERE,
        );
        let call = Call {
            function: nextval,
            arguments: vec![argument.expr],
            collation: Oid::INVALID,
            position: None,
        };
        let typed = Typed::new(ExprKind::Call(call), TypeMod::plain(types::INT8), At::NOWHERE);
        let ty = TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod };
        Ok(self.assign_value(typed, ty, &attribute.attname)?.expr)
    }

    /// The sequence that an identity column owns.
    fn identity_sequence(&self, relation: Oid, attnum: i16) -> Option<Oid> {
        self.catalog()
            .dependents(relations::PG_CLASS, relation)
            .iter()
            .find(|row| {
                row.classid == relations::PG_CLASS
                    && row.refobjsubid == i32::from(attnum)
                    && row.deptype == 'i'
                    && self.catalog().class(row.objid).is_some_and(|class| class.relkind == 'S')
            })
            .map(|row| row.objid)
    }

    /// Binds ON CONFLICT.
    fn on_conflict(
        &mut self,
        target: &TargetTable,
        insert: &ast::Insert,
        conflict: &ast::OnConflict,
    ) -> Result<OnConflict> {
        let arbiters = self.arbiters(target, insert, conflict)?;
        let update = match &conflict.action {
            ast::OnConflictAction::DoNothing => None,
            ast::OnConflictAction::DoUpdate(update) => {
                if conflict.conflict_target.is_none() {
                    return Err(error!(
                        SYNTAX_ERROR,
                        "ON CONFLICT DO UPDATE requires inference specification or constraint name"
                    )
                    .hint("For example, ON CONFLICT (column_name)."));
                }
                let excluded = self.excluded_names(target);
                self.add_items(vec![excluded], false, true)?;
                let assignments = self.in_clause(Clause::UpdateSource, |binder| {
                    binder.assignments(target, &update.assignments)
                })?;
                let filter = match &update.selection {
                    Some(tree) => {
                        Some(self.in_clause(Clause::Where, |binder| binder.condition(tree, "WHERE"))?.expr)
                    }
                    None => None,
                };
                Some((assignments, filter))
            }
        };
        Ok(OnConflict { arbiters, update })
    }

    /// The proposed row, under the name `excluded`.
    fn excluded_names(&self, target: &TargetTable) -> NamespaceItem {
        let attributes = self.catalog().attributes(target.relation);
        let columns = target
            .columns
            .iter()
            .filter_map(|(name, position)| {
                let position = (*position)?;
                let attribute = &attributes[position];
                Some(ScopeColumn {
                    name: name.clone(),
                    expr: Expr {
                        kind: ExprKind::Excluded(position),
                        ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                        collation: attribute.attcollation,
                    },
                    dropped: false,
                })
            })
            .collect();
        NamespaceItem {
            name: "excluded".to_owned(),
            relation: None,
            range: None,
            columns,
            row_type: target.names.row_type,
            scalar: false,
            system: None,
            relation_visible: true,
            columns_visible: true,
            lateral_only: false,
            lateral_ok: true,
        }
    }

    /// The unique indexes that decide what is a conflict.
    fn arbiters(
        &mut self,
        target: &TargetTable,
        insert: &ast::Insert,
        conflict: &ast::OnConflict,
    ) -> Result<Vec<Oid>> {
        match &conflict.conflict_target {
            None => Ok(Vec::new()),
            Some(ast::ConflictTarget::OnConstraint(name)) => {
                let wanted = name_parts(name).pop().unwrap_or_default();
                let constraints = self.catalog().constraints(target.relation);
                let found = constraints.iter().find(|row| row.conname == wanted).ok_or_else(|| {
                    error!(
                        UNDEFINED_OBJECT,
                        "constraint \"{wanted}\" for table \"{}\" does not exist", target.written
                    )
                })?;
                if !matches!(found.contype, 'p' | 'u' | 'x') {
                    return Err(error!(
                        WRONG_OBJECT_TYPE,
                        "constraint in ON CONFLICT clause has no associated index"
                    ));
                }
                Ok(vec![found.conindid])
            }
            Some(ast::ConflictTarget::Columns(columns)) => self.inferred_arbiters(target, insert, columns),
        }
    }

    fn inferred_arbiters(
        &mut self,
        target: &TargetTable,
        insert: &ast::Insert,
        columns: &[ast::Ident],
    ) -> Result<Vec<Oid>> {
        let mut positions = Vec::new();
        let mut exprs = Vec::new();
        for ident in columns {
            positions.push(
                self.target_column(target, &ident_name(ident), At::new(ident.span.start)).map_err(
                    |error| {
                        if error.code() == crate::SqlState::UNDEFINED_COLUMN {
                            self.undefined_column(None, &ident_name(ident), At::new(ident.span.start))
                        } else {
                            error
                        }
                    },
                )?,
            );
        }
        for tree in parse::conflict_expressions(insert).unwrap_or_default() {
            let typed = self.in_clause(Clause::IndexExpression, |binder| binder.expr(tree))?;
            match typed.expr.kind {
                ExprKind::Column { column, .. } => positions.push(column),
                _ => exprs.push(typed.expr),
            }
        }
        let predicate = match parse::conflict_predicate(insert) {
            Some(tree) => Some(self.in_clause(Clause::Where, |binder| binder.condition(tree, "WHERE"))?.expr),
            None => None,
        };
        let mut arbiters = Vec::new();
        for index in self.catalog().indexes(target.relation).iter() {
            if index.indisunique
                && index.indimmediate
                && self.index_matches(target, index, &positions, &exprs, predicate.as_ref())?
            {
                arbiters.push(index.indexrelid);
            }
        }
        if arbiters.is_empty() {
            return Err(error!(
                INVALID_COLUMN_REFERENCE,
                "there is no unique or exclusion constraint matching the ON CONFLICT specification"
            ));
        }
        Ok(arbiters)
    }

    fn index_matches(
        &mut self,
        target: &TargetTable,
        index: &crate::catalog::Index,
        positions: &[usize],
        exprs: &[Expr],
        predicate: Option<&Expr>,
    ) -> Result<bool> {
        let keys = usize::try_from(index.indnkeyatts).unwrap_or(0);
        let indexed: Vec<usize> = index
            .indkey
            .iter()
            .take(keys)
            .filter(|attnum| **attnum > 0)
            .map(|attnum| usize::try_from(*attnum - 1).unwrap_or_default())
            .collect();
        let same_columns = indexed.iter().all(|position| positions.contains(position))
            && positions.iter().all(|position| indexed.contains(position));
        if !same_columns || index.indexprs.is_some() == exprs.is_empty() {
            return Ok(false);
        }
        if let Some(text) = &index.indexprs {
            let stored = self.index_expressions(target, &format!("row({text})"))?;
            let stored: Vec<Expr> = match stored.kind {
                ExprKind::Row(fields) => fields,
                _ => vec![stored],
            };
            if !(stored.iter().all(|expr| exprs.contains(expr))
                && exprs.iter().all(|expr| stored.contains(expr)))
            {
                return Ok(false);
            }
        }
        match (&index.indpred, predicate) {
            (None, _) => Ok(true),
            (Some(_), None) => Ok(false),
            (Some(text), Some(predicate)) => {
                let stored = self.index_expressions(target, text)?;
                Ok(implies(predicate, &stored))
            }
        }
    }

    /// An expression of an index, over the target's columns.
    fn index_expressions(&mut self, target: &TargetTable, text: &str) -> Result<Expr> {
        let tree = parse::parse_expression(text)?;
        let names = target.names.clone();
        let level = self.scopes.len() - 1;
        self.in_stored_text(text, |binder| {
            binder.push_scope();
            for _ in 0..level {
                binder.push_scope();
            }
            binder.scope().items.push(names);
            Ok(binder.expr(&tree)?.expr)
        })
    }
}

/// Whether a condition is another, or contains it among its conjuncts.
fn implies(condition: &Expr, wanted: &Expr) -> bool {
    condition == wanted || matches!(&condition.kind, ExprKind::And(parts) if parts.contains(wanted))
}

fn generated_always(attribute: &Attribute, name: &str) -> SqlError {
    let error = error!(GENERATED_ALWAYS, "cannot insert a non-DEFAULT value into column \"{name}\"");
    if attribute.attgenerated == 's' {
        return error.detail(format!("Column \"{name}\" is a generated column."));
    }
    error
        .detail(format!("Column \"{name}\" is an identity column defined as GENERATED ALWAYS."))
        .hint("Use OVERRIDING SYSTEM VALUE to override.")
}

fn plain_query(body: QueryBody, columns: Vec<OutputColumn>) -> Query {
    Query {
        ctes: Vec::new(),
        body,
        order_by: Vec::new(),
        limit: None,
        offset: None,
        with_ties: false,
        locks: Vec::new(),
        columns,
    }
}
