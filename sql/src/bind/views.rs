//! Views: the queries that they stand for, and simple ones as targets of data modification.
//!
//! Source: `src/backend/rewrite/rewriteHandler.c` (`view_query_is_auto_updatable`).

use sqlparser::ast;

use super::position::At;
use super::scope::{NamespaceItem, ScopeColumn, name_location, name_parts};
use super::{BindContext, Binder};
use crate::bound::{Distinct, Expr, ExprKind, FromItem, Query, QueryBody, RangeId, ViewUse};
use crate::catalog::Class;
use crate::{Oid, Result, SqlError, error, parse};

/// The table that a statement changes, perhaps behind a view.
pub(super) struct TargetTable {
    pub(super) relation: Oid,
    pub(super) range: RangeId,
    pub(super) names: NamespaceItem,
    /// The name of each column, and its position in the table when it is one of its columns.
    pub(super) columns: Vec<(String, Option<usize>)>,
    /// The view's condition.
    pub(super) filter: Option<Expr>,
    /// The name of what the statement names.
    pub(super) written: String,
}

impl Binder<'_> {
    /// The query that a view stands for, to be known by `range`; where the view is changed, by its own table's range.
    /// Its text is bound with a search path of its own.
    pub(super) fn view_query(&mut self, class: &Class, range: Option<RangeId>) -> Result<Query> {
        let text = self
            .catalog()
            .view_definition(class.oid)
            .ok_or_else(|| SqlError::internal(format!("view {} has no definition", class.relname)))?;
        let tree = parse::parse_query(text.trim_end().trim_end_matches(';'))?;
        let first = RangeId(self.counters.range + 1);
        let mut query = self.in_stored_text(&text, |binder| binder.query(&tree, true))?;
        let ranges = (first, RangeId(self.counters.range));
        if let Some(range) = range.or_else(|| table_range(&query)) {
            self.views.push(ViewUse { relation: class.oid, range, ranges });
        }
        // The view's columns keep the names that it was made with.
        let attributes = self.catalog().attributes(class.oid);
        for (column, attribute) in query.columns.iter_mut().zip(attributes.iter()) {
            column.name.clone_from(&attribute.attname);
        }
        Ok(query)
    }

    /// Runs `bind` on a text from the catalog: other names are visible, and positions in it mean nothing to the client.
    pub(super) fn in_stored_text<T>(
        &mut self,
        text: &str,
        bind: impl FnOnce(&mut Binder<'_>) -> Result<T>,
    ) -> Result<T> {
        let search_path = crate::catalog::KEPT_SEARCH_PATH;
        let context = BindContext {
            catalog: self.context.catalog,
            search_path: &search_path,
            format: self.context.format,
            text,
            parameters: &[],
        };
        let mut inner = Binder::new(&context);
        inner.counters = self.counters;
        inner.depth = self.depth;
        inner.routines.clone_from(&self.routines);
        let result = inner.deeper(bind);
        self.counters = inner.counters;
        self.record_shapes.extend(std::mem::take(&mut inner.record_shapes));
        self.views.append(&mut inner.views);
        self.inlined.append(&mut inner.inlined);
        result.map_err(|mut error| {
            error.0.position = None;
            error
        })
    }

    /// The table that a statement changes.
    pub(super) fn target_table(
        &mut self,
        name: &ast::ObjectName,
        alias: Option<String>,
        action: &str,
    ) -> Result<TargetTable> {
        let parts = name_parts(name);
        let at = At::new(name_location(name));
        if let [single] = parts.as_slice()
            && self.scopes.iter().any(|scope| scope.ctes.iter().any(|cte| cte.name == *single))
            && self.find_relation(name)?.is_none()
        {
            return Err(error!(
                UNDEFINED_TABLE,
                "relation \"{single}\" cannot be the target of a modifying statement"
            )
            .at(self.position(at)));
        }
        let class = self.relation(name)?;
        let mut target = self.target_of(&class, action, at)?;
        if let Some(alias) = alias {
            target.names.name = alias;
            target.names.relation = None;
        }
        Ok(target)
    }

    fn target_of(&mut self, class: &Class, action: &str, at: At) -> Result<TargetTable> {
        let name = &class.relname;
        match class.relkind {
            'r' | 'p' => {}
            'v' => return self.view_target(class, action, at),
            'm' => return Err(error!(WRONG_OBJECT_TYPE, "cannot change materialized view \"{name}\"")),
            'S' => return Err(error!(WRONG_OBJECT_TYPE, "cannot change sequence \"{name}\"")),
            't' => return Err(error!(WRONG_OBJECT_TYPE, "cannot change TOAST relation \"{name}\"")),
            _ => {
                let what = if class.relkind == 'c' { "composite types" } else { "indexes" };
                return Err(error!(WRONG_OBJECT_TYPE, "cannot open relation \"{name}\"")
                    .detail(format!("This operation is not supported for {what}."))
                    .at(self.position(at)));
            }
        }
        let range = self.new_range();
        let names = self.relation_names(class, range);
        let columns = names
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| !column.dropped)
            .map(|(position, column)| (column.name.clone(), Some(position)))
            .collect();
        Ok(TargetTable { relation: class.oid, range, names, columns, filter: None, written: name.clone() })
    }

    /// A view as the target: its columns stand for its table's.
    fn view_target(&mut self, class: &Class, action: &str, at: At) -> Result<TargetTable> {
        let query = self.view_query(class, None)?;
        if let Some(reason) = not_updatable(&query) {
            return Err(not_updatable_error(class, action, reason));
        }
        if class.option("check_option").is_some() && action != "delete from" {
            return Err(SqlError::unsupported("changing a view WITH CHECK OPTION"));
        }
        let QueryBody::Select(select) = query.body else {
            return Err(not_updatable_error(
                class,
                action,
                "Views that do not select from a single table or view are not automatically updatable.",
            ));
        };
        let (range, relation, below) = match select.from {
            Some(FromItem::Relation { range, relation }) => (range, relation, None),
            Some(FromItem::Subquery { range, query, .. }) => {
                let inner = self.simple_view(*query, class, action)?;
                (inner.0, inner.1, Some((range, inner.2, inner.3)))
            }
            _ => return Err(SqlError::internal("a simple view selects from one table")),
        };
        let level = self.scopes.len().saturating_sub(1);
        self.range_levels.insert(range, level);
        let mut filter = select.filter;
        let attributes = self.catalog().attributes(class.oid);
        let mut exprs: Vec<Expr> =
            select.targets.into_iter().filter(|target| !target.hidden).map(|target| target.expr).collect();
        if let Some((outer, columns, inner_filter)) = below {
            for expr in exprs.iter_mut().chain(&mut filter) {
                replace_columns(expr, outer, &columns);
            }
            filter = match (filter, inner_filter) {
                (Some(own), Some(inner)) => {
                    Some(super::Typed::boolean(ExprKind::And(vec![inner, own]), At::NOWHERE).expr)
                }
                (own, inner) => own.or(inner),
            };
        }
        let columns = exprs
            .iter()
            .zip(attributes.iter())
            .map(|(expr, attribute)| {
                let position = match expr.kind {
                    ExprKind::Column { range: other, column } if other == range => Some(column),
                    _ => None,
                };
                (attribute.attname.clone(), position)
            })
            .collect();
        let scope_columns = exprs
            .into_iter()
            .zip(attributes.iter())
            .map(|(expr, attribute)| ScopeColumn { name: attribute.attname.clone(), expr, dropped: false })
            .collect();
        let _ = at;
        let mut names = self.relation_names(class, range);
        names.columns = scope_columns;
        Ok(TargetTable { relation, range, names, columns, filter, written: class.relname.clone() })
    }

    /// A simple view below another: its table, what its columns are, its condition.
    #[allow(clippy::type_complexity, reason = "the parts are taken apart at once")]
    fn simple_view(
        &mut self,
        query: Query,
        class: &Class,
        action: &str,
    ) -> Result<(RangeId, Oid, Vec<Expr>, Option<Expr>)> {
        if let Some(reason) = not_updatable(&query) {
            return Err(not_updatable_error(class, action, reason));
        }
        let QueryBody::Select(select) = query.body else {
            return Err(SqlError::internal("a simple view is a SELECT"));
        };
        let exprs: Vec<Expr> =
            select.targets.into_iter().filter(|target| !target.hidden).map(|target| target.expr).collect();
        match select.from {
            Some(FromItem::Relation { range, relation }) => Ok((range, relation, exprs, select.filter)),
            Some(FromItem::Subquery { range: outer, query, .. }) => {
                let (range, relation, below, inner_filter) =
                    self.deeper(|binder| binder.simple_view(*query, class, action))?;
                let mut exprs = exprs;
                let mut filter = select.filter;
                for expr in exprs.iter_mut().chain(&mut filter) {
                    replace_columns(expr, outer, &below);
                }
                let filter = match (filter, inner_filter) {
                    (Some(own), Some(inner)) => {
                        Some(super::Typed::boolean(ExprKind::And(vec![inner, own]), At::NOWHERE).expr)
                    }
                    (own, inner) => own.or(inner),
                };
                Ok((range, relation, exprs, filter))
            }
            _ => Err(SqlError::internal("a simple view selects from one table")),
        }
    }
}

/// Why a view cannot be changed through, when it cannot.
fn not_updatable(query: &Query) -> Option<&'static str> {
    if !query.ctes.is_empty() {
        return Some("Views containing WITH are not automatically updatable.");
    }
    let select = match &query.body {
        QueryBody::Select(select) => select,
        QueryBody::SetOperation { .. } => {
            return Some("Views containing UNION, INTERSECT, or EXCEPT are not automatically updatable.");
        }
        QueryBody::Values(_) => {
            return Some(
                "Views that do not select from a single table or view are not automatically updatable.",
            );
        }
    };
    if select.distinct != Distinct::No {
        return Some("Views containing DISTINCT are not automatically updatable.");
    }
    if !select.group_by.sets.is_empty() {
        return Some("Views containing GROUP BY are not automatically updatable.");
    }
    if select.having.is_some() {
        return Some("Views containing HAVING are not automatically updatable.");
    }
    if query.limit.is_some() || query.offset.is_some() {
        return Some("Views containing LIMIT or OFFSET are not automatically updatable.");
    }
    if select.group_by.grouped {
        return Some("Views that return aggregate functions are not automatically updatable.");
    }
    if !select.windows.is_empty() {
        return Some("Views that return window functions are not automatically updatable.");
    }
    if select.targets.iter().any(|target| super::aggregates::contains_set(&target.expr)) {
        return Some("Views that return set-returning functions are not automatically updatable.");
    }
    match &select.from {
        Some(FromItem::Relation { .. } | FromItem::Subquery { lateral: false, .. }) => None,
        _ => Some("Views that do not select from a single table or view are not automatically updatable."),
    }
}

fn not_updatable_error(class: &Class, action: &str, reason: &str) -> SqlError {
    let (doing, event) = match action {
        "insert into" => ("inserting into", "INSERT"),
        "update" => ("updating", "UPDATE"),
        _ => ("deleting from", "DELETE"),
    };
    error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cannot {action} view \"{}\"", class.relname).detail(reason).hint(format!(
        "To enable {doing} the view, provide an INSTEAD OF {event} trigger or an unconditional ON {event} DO INSTEAD rule."
    ))
}

/// Replaces the columns of a range by expressions.
fn replace_columns(expr: &mut Expr, range: RangeId, columns: &[Expr]) {
    if let ExprKind::Column { range: other, column } = &expr.kind
        && *other == range
    {
        if let Some(replacement) = columns.get(*column) {
            *expr = replacement.clone();
        }
        return;
    }
    super::walk::each_part_mut(expr, &mut |part| replace_columns(part, range, columns));
}

/// The range of the one table, perhaps below other views, that a simple view selects from.
fn table_range(query: &Query) -> Option<RangeId> {
    let QueryBody::Select(select) = &query.body else { return None };
    match select.from.as_ref()? {
        FromItem::Relation { range, .. } => Some(*range),
        FromItem::Subquery { query, .. } => table_range(query),
        _ => None,
    }
}
