//! Whether a user may run a bound statement: which relations, columns and functions it touches, and as whom.
//!
//! What a view reads is its owner's affair; the view itself is the user's. The tree no longer knows views, so the binder
//! notes where their queries have gone ([`ViewUse`]).
//!
//! Source: `src/backend/executor/execMain.c` (`ExecCheckRTPerms`), `src/backend/rewrite/rewriteHandler.c`.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::walk::{each_in_modify, each_in_query, each_part};
use crate::bound::{
    BoundStatement, CteBody, Expr, ExprKind, FromItem, MergeAction, Modify, ModifyAction, Query, QueryBody,
    RangeId, Statement, ViewUse,
};
use crate::catalog::Catalog;
use crate::catalog::privileges::Privileges;
use crate::locks::LockMode;
use crate::oid::FIRST_NORMAL;
use crate::{Oid, Result, SqlError, error};

/// Checks that a user may run a statement. Superusers may run all.
///
/// # Errors
/// `42501` naming the first schema, relation or function that the user has no right to.
pub fn check_privileges(bound: &BoundStatement, catalog: &Catalog, user: Oid) -> Result<()> {
    if catalog.is_superuser(user) {
        return Ok(());
    }
    let needs = Needs::of(bound, catalog);
    needs.check_relations(user)?;
    needs.check_functions(user)
}

/// The relations of users that a statement reads or changes, each with the mode in which it is locked, in the order in
/// which all statements lock them.
pub fn locked_relations(bound: &BoundStatement, catalog: &Catalog) -> Vec<(Oid, LockMode)> {
    let needs = Needs::of(bound, catalog);
    let mut locked: BTreeMap<Oid, LockMode> = BTreeMap::new();
    for ((range, _), need) in &needs.ranges {
        if need.relation < FIRST_NORMAL {
            continue;
        }
        let mode = if needs.changed.contains(range) {
            LockMode::RowExclusive
        } else if needs.locked.contains(range) {
            LockMode::RowShare
        } else {
            LockMode::AccessShare
        };
        let known = locked.entry(need.relation).or_insert(mode);
        *known = mode.max(*known);
    }
    locked.into_iter().collect()
}

/// What must be allowed on one relation where it stands in the statement.
struct Need {
    relation: Oid,
    /// What must be allowed on the relation, or on each of the columns.
    wanted: Vec<(Privileges, BTreeSet<usize>)>,
}

impl Need {
    fn add(&mut self, privilege: Privileges, columns: impl IntoIterator<Item = usize>) {
        match self.wanted.iter_mut().find(|(known, _)| *known == privilege) {
            Some((_, known)) => known.extend(columns),
            None => self.wanted.push((privilege, columns.into_iter().collect())),
        }
    }
}

struct Needs<'a> {
    catalog: &'a Catalog,
    views: &'a [ViewUse],
    /// By range; a view that is changed stands beside its table's range.
    ranges: BTreeMap<(RangeId, bool), Need>,
    functions: BTreeSet<Oid>,
    /// Whose rows are locked.
    locked: HashSet<RangeId>,
    /// Whose rows are changed.
    changed: HashSet<RangeId>,
}

impl<'a> Needs<'a> {
    fn of(bound: &'a BoundStatement, catalog: &'a Catalog) -> Self {
        let mut needs = Self {
            catalog,
            views: &bound.views,
            ranges: BTreeMap::new(),
            functions: bound.inlined.iter().copied().collect(),
            locked: HashSet::new(),
            changed: HashSet::new(),
        };
        needs.add_views();
        match &*bound.statement {
            Statement::Query(query) => {
                needs.relations_of_query(query);
                each_in_query(query, &mut |expr| needs.expression(expr));
            }
            Statement::Modify(modify) => {
                needs.modify(modify);
                each_in_modify(modify, &mut |expr| needs.expression(expr));
            }
        }
        needs
    }

    fn need(&mut self, range: RangeId, relation: Oid) -> &mut Need {
        self.ranges.entry((range, false)).or_insert_with(|| Need { relation, wanted: Vec::new() })
    }

    /// The views that are read; those that are changed come with their tables.
    fn add_views(&mut self) {
        for view in self.views.iter().filter(|view| !view.covers(view.range)) {
            self.need(view.range, view.relation).add(Privileges::SELECT, []);
        }
    }

    fn relations_of_query(&mut self, query: &Query) {
        for cte in &query.ctes {
            match &cte.body {
                CteBody::Query(query) => self.relations_of_query(query),
                CteBody::Modify(modify) => self.modify(modify),
            }
        }
        match &query.body {
            QueryBody::Select(select) => select.from.iter().for_each(|from| self.relations_of_from(from)),
            QueryBody::SetOperation { left, right, .. } => {
                self.relations_of_query(left);
                self.relations_of_query(right);
            }
            QueryBody::Values(_) => {}
        }
        if let QueryBody::Select(select) = &query.body
            && let Some(from) = &select.from
        {
            query.locks.iter().for_each(|lock| self.locked_items(from, &lock.ranges));
        }
    }

    /// Items of a FROM whose rows are locked: views and subqueries are locked through.
    fn locked_items(&mut self, from: &FromItem, ranges: &[RangeId]) {
        for range in ranges {
            self.locked.insert(*range);
            if let Some(need) = self.ranges.get_mut(&(*range, false)) {
                need.add(Privileges::UPDATE, []);
            }
            if let Some((FromItem::Subquery { query, .. }, _)) = from.find(*range)
                && let QueryBody::Select(select) = &query.body
                && let Some(from) = &select.from
            {
                self.locked_items(from, &from.ranges());
            }
        }
    }

    fn relations_of_from(&mut self, item: &FromItem) {
        match item {
            FromItem::Relation { range, relation } => {
                self.need(*range, *relation).add(Privileges::SELECT, [])
            }
            FromItem::Subquery { query, .. } => self.relations_of_query(query),
            FromItem::Join { left, right, .. } => {
                self.relations_of_from(left);
                self.relations_of_from(right);
            }
            FromItem::Cte { .. } | FromItem::Functions { .. } => {}
        }
    }

    fn modify(&mut self, modify: &Modify) {
        for cte in &modify.ctes {
            match &cte.body {
                CteBody::Query(query) => self.relations_of_query(query),
                CteBody::Modify(modify) => self.modify(modify),
            }
        }
        self.changed.insert(modify.range);
        let wanted = self.wanted_on_target(modify);
        match &modify.action {
            ModifyAction::Insert { source, .. } => self.relations_of_query(source),
            ModifyAction::Update { from: Some(item), .. }
            | ModifyAction::Delete { using: Some(item), .. } => {
                self.relations_of_from(item);
            }
            ModifyAction::Merge { source, .. } => self.relations_of_from(source),
            ModifyAction::Update { .. } | ModifyAction::Delete { .. } => {}
        }
        if let Some(view) = self.views.iter().find(|view| view.range == modify.range) {
            let mut need = Need { relation: view.relation, wanted: Vec::new() };
            wanted.iter().for_each(|(privilege, _)| need.add(*privilege, []));
            self.ranges.insert((modify.range, true), need);
        }
        let need = self.need(modify.range, modify.target);
        wanted.into_iter().for_each(|(privilege, columns)| need.add(privilege, columns));
    }

    /// What a data-modifying statement needs on its target besides reading it.
    fn wanted_on_target(&self, modify: &Modify) -> Vec<(Privileges, Vec<usize>)> {
        let assigned = |list: &[(usize, Expr)]| list.iter().map(|(column, _)| *column).collect::<Vec<_>>();
        match &modify.action {
            ModifyAction::Insert { on_conflict, named, .. } => {
                let mut wanted = vec![(Privileges::INSERT, named.clone())];
                if let Some(conflict) = on_conflict {
                    if !conflict.arbiters.is_empty() {
                        wanted
                            .push((Privileges::SELECT, self.key_columns(modify.target, &conflict.arbiters)));
                    }
                    wanted
                        .extend(conflict.update.iter().map(|(list, _)| (Privileges::UPDATE, assigned(list))));
                }
                wanted
            }
            ModifyAction::Update { assignments, .. } => vec![(Privileges::UPDATE, assigned(assignments))],
            ModifyAction::Delete { .. } => vec![(Privileges::DELETE, Vec::new())],
            ModifyAction::Merge { clauses, .. } => {
                let actions = clauses.iter().filter_map(|clause| clause.action.as_ref());
                actions
                    .map(|action| match action {
                        MergeAction::Insert(_) => (Privileges::INSERT, Vec::new()),
                        MergeAction::Update(list) => (Privileges::UPDATE, assigned(list)),
                        MergeAction::Delete => (Privileges::DELETE, Vec::new()),
                    })
                    .collect()
            }
        }
    }

    fn key_columns(&self, table: Oid, indexes: &[Oid]) -> Vec<usize> {
        let rows = self.catalog.indexes(table);
        let keys =
            rows.iter().filter(|row| indexes.contains(&row.indexrelid)).flat_map(|row| row.indkey.clone());
        keys.filter_map(|attnum| usize::try_from(attnum - 1).ok()).collect()
    }

    /// Notes what an expression reads and calls, and the relations of the queries in it.
    fn expression(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Column { range, column } => {
                if let Some(need) = self.ranges.get_mut(&(*range, false)) {
                    need.add(Privileges::SELECT, [*column]);
                }
            }
            ExprKind::WholeRow(range) => {
                if let Some(need) = self.ranges.get_mut(&(*range, false)) {
                    let attributes = self.catalog.attributes(need.relation);
                    let live = attributes.iter().enumerate().filter(|(_, attribute)| !attribute.attisdropped);
                    need.add(Privileges::SELECT, live.map(|(column, _)| column));
                }
            }
            ExprKind::SystemColumn { range, .. } => {
                if let Some(need) = self.ranges.get_mut(&(*range, false)) {
                    need.add(Privileges::SELECT, []);
                }
            }
            ExprKind::Call(call) | ExprKind::SetReturning(call) | ExprKind::NullIf(call) => {
                self.functions.insert(call.function);
            }
            ExprKind::Aggregate(call) => {
                self.functions.insert(call.function);
            }
            ExprKind::Window(call) => {
                self.functions.insert(call.function);
            }
            ExprKind::Subquery(subquery) => self.relations_of_query(&subquery.query),
            _ => {}
        }
        each_part(expr, &mut |part| self.expression(part));
    }

    /// The innermost view in whose query a range stands, unless that view reads as whoever uses it.
    fn enclosing(&self, range: RangeId) -> Option<&ViewUse> {
        self.views
            .iter()
            .filter(|view| view.covers(range))
            .min_by_key(|view| view.ranges.1.0 - view.ranges.0.0)
            .filter(|view| !self.asks_as_user(view.relation))
    }

    /// Whether a view reads as whoever uses it (`security_invoker`).
    fn asks_as_user(&self, view: Oid) -> bool {
        self.catalog.class(view).is_some_and(|view| view.reads_as_user())
    }

    fn check_relations(&self, user: Oid) -> Result<()> {
        let own = |range: RangeId, is_view: bool| is_view || self.enclosing(range).is_none();
        let mut schemas = HashSet::new();
        for ((range, is_view), need) in &self.ranges {
            if own(*range, *is_view)
                && let Some(class) = self.catalog.class(need.relation)
                && schemas.insert(class.relnamespace)
            {
                self.check_schema(user, class.relnamespace)?;
            }
        }
        for ((range, is_view), need) in &self.ranges {
            let view = if *is_view { None } else { self.enclosing(*range) };
            let owner = view.and_then(|view| self.catalog.class(view.relation)).map(|class| class.relowner);
            self.check_relation(owner.unwrap_or(user), need)?;
        }
        Ok(())
    }

    fn check_schema(&self, user: Oid, schema: Oid) -> Result<()> {
        let Some(row) = self.catalog.namespace(schema) else { return Ok(()) };
        if row.nspname.starts_with("pg_temp_")
            || self.catalog.has_namespace_privilege(user, schema, Privileges::USAGE)? == Some(true)
        {
            return Ok(());
        }
        Err(denied("schema", &row.nspname))
    }

    fn check_relation(&self, role: Oid, need: &Need) -> Result<()> {
        let Some(class) = self.catalog.class(need.relation) else { return Ok(()) };
        for (privilege, columns) in &need.wanted {
            if self.catalog.has_class_privilege(role, need.relation, *privilege)? == Some(true) {
                continue;
            }
            let attributes = self.catalog.attributes(need.relation);
            let mut allowed = Vec::new();
            for attribute in attributes.iter().filter(|attribute| !attribute.attisdropped) {
                let column =
                    self.catalog.has_column_privilege(role, need.relation, attribute.attnum, *privilege)?;
                allowed.extend((column == Some(true)).then_some(attribute.attnum));
            }
            let is_allowed =
                |column: &usize| allowed.iter().any(|attnum| usize::try_from(attnum - 1) == Ok(*column));
            // Whoever names no column must have the right to one of them; rows are deleted as a whole.
            let enough = match columns.is_empty() {
                true => !allowed.is_empty() && *privilege != Privileges::DELETE,
                false => columns.iter().all(is_allowed),
            };
            if !enough {
                return Err(denied(kind_name(class.relkind), &class.relname));
            }
        }
        Ok(())
    }

    fn check_functions(&self, user: Oid) -> Result<()> {
        for function in &self.functions {
            if self.catalog.has_function_privilege(user, *function)? == Some(false) {
                let row = self.catalog.function(*function);
                let (kind, name) = row.map_or(("function", String::new()), |row| {
                    let kind = match row.prokind {
                        'a' => "aggregate",
                        'p' => "procedure",
                        _ => "function",
                    };
                    (kind, row.proname.clone())
                });
                return Err(denied(kind, &name));
            }
        }
        Ok(())
    }
}

/// What PostgreSQL calls a kind of relation when it denies something.
fn kind_name(relkind: char) -> &'static str {
    match relkind {
        'v' => "view",
        'm' => "materialized view",
        'S' => "sequence",
        'f' => "foreign table",
        _ => "table",
    }
}

fn denied(kind: &str, name: &str) -> SqlError {
    error!(INSUFFICIENT_PRIVILEGE, "permission denied for {kind} {name}")
}
