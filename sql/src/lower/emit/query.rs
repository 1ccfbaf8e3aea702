//! Queries as SQLite text. The columns of every query are called `c0`, `c1`, …, hidden ones included.

use std::fmt::Write;
use std::sync::Arc;

use super::calls::direction;
use super::{CteName, Emitter, quoted};
use crate::bound::*;
use crate::lower::host::{self, HostFunction};
use crate::{Result, SqlError, Value};

impl Emitter<'_> {
    /// Writes a query with all its columns, hidden ones last.
    pub(in crate::lower) fn query(&mut self, query: &Query) -> Result<()> {
        if !query.locks.is_empty() {
            return self.locking_query(query);
        }
        self.with(&query.ctes)?;
        self.body(query)?;
        self.order_by(query)?;
        self.limit(query)
    }

    /// Writes a query with its visible columns only.
    pub(super) fn visible_query(&mut self, query: &Query) -> Result<()> {
        if !has_hidden(query) {
            return self.query(query);
        }
        self.push("SELECT ");
        let names: Vec<String> = (0..query.columns.len().max(1)).map(|i| format!("\"c{i}\"")).collect();
        self.push(&names.join(", "));
        self.push(" FROM (");
        self.query(query)?;
        self.push(")");
        Ok(())
    }

    /// Writes `WITH …`. Names carry the query's number, so that nested ones never hide each other.
    pub(in crate::lower) fn with(&mut self, ctes: &[Cte]) -> Result<()> {
        let queries: Vec<&Cte> = ctes.iter().filter(|c| matches!(c.body, CteBody::Query(_))).collect();
        for cte in &queries {
            let name = CteName {
                name: format!("{}#{}", cte.name, cte.id.0),
                width: cte.columns.len(),
                definition: Some(Arc::new((*cte).clone())),
            };
            self.ctes.insert(cte.id, name);
        }
        if queries.is_empty() {
            return Ok(());
        }
        self.push(if queries.iter().any(|c| c.recursive) { "WITH RECURSIVE " } else { "WITH " });
        self.list(&queries, ", ", |e, cte| e.cte(cte))?;
        self.push(" ");
        Ok(())
    }

    fn cte(&mut self, cte: &Cte) -> Result<()> {
        let CteBody::Query(query) = &cte.body else { return Ok(()) };
        let names: Vec<String> = (0..cte.columns.len()).map(|i| format!("\"c{i}\"")).collect();
        let name = quoted(&format!("{}#{}", cte.name, cte.id.0));
        let _ = write!(self.out, "{name}({}) AS ", names.join(", "));
        self.push(match cte.materialized {
            Some(true) => "MATERIALIZED (",
            Some(false) => "NOT MATERIALIZED (",
            None => "(",
        });
        if cte.recursive {
            self.recursive(query)?
        } else {
            self.visible_query(query)?
        }
        self.push(")");
        Ok(())
    }

    /// The engine wants the arms of a recursive query side by side, not as subqueries.
    fn recursive(&mut self, query: &Query) -> Result<()> {
        let QueryBody::SetOperation { operation: SetOperation::Union, all, left, right } = &query.body else {
            return self.visible_query(query);
        };
        self.arm(left, !all)?;
        self.push(if *all { " UNION ALL " } else { " UNION " });
        let QueryBody::Select(select) = &right.body else {
            return Err(SqlError::unsupported("a recursive term that is no SELECT"));
        };
        self.with(&right.ctes)?;
        self.select(select, false)
    }

    pub(super) fn body(&mut self, query: &Query) -> Result<()> {
        match &query.body {
            QueryBody::Select(select) => self.select(select, false),
            QueryBody::SetOperation { operation, all, left, right } => {
                self.arm(left, !all)?;
                self.push(match (operation, all) {
                    (SetOperation::Union, true) => " UNION ALL ",
                    (SetOperation::Union, false) => " UNION ",
                    (SetOperation::Intersect, _) => " INTERSECT ",
                    (SetOperation::Except, _) => " EXCEPT ",
                });
                self.arm(right, !all)
            }
            QueryBody::Values(rows) => self.values(rows),
        }
    }

    /// An arm of a set operation: all operators of the engine have one precedence, so whatever is not a bare SELECT
    /// becomes a subquery. Where duplicates go, the arm says by which collation.
    fn arm(&mut self, query: &Query, distinct: bool) -> Result<()> {
        if let QueryBody::Select(select) = &query.body
            && query.ctes.is_empty()
            && query.order_by.is_empty()
            && query.limit.is_none()
            && query.offset.is_none()
            && !has_hidden(query)
        {
            return self.select(select, distinct);
        }
        self.push("SELECT ");
        for (i, column) in query.columns.iter().enumerate() {
            let separator = if i > 0 { ", " } else { "" };
            let collate = if distinct { self.collate(column.ty.oid) } else { "" };
            let _ = write!(self.out, "{separator}\"c{i}\"{collate} AS \"c{i}\"");
        }
        self.push(" FROM (");
        self.query(query)?;
        self.push(")");
        Ok(())
    }

    fn values(&mut self, rows: &[Vec<Expr>]) -> Result<()> {
        let width = rows.first().map_or(0, Vec::len);
        if width == 0 {
            self.push("SELECT NULL");
            return Ok(());
        }
        if let [row] = rows {
            self.push("SELECT ");
            return self.named_targets(row.iter());
        }
        self.push("SELECT ");
        for i in 0..width {
            let separator = if i > 0 { ", " } else { "" };
            let _ = write!(self.out, "{separator}column{} AS \"c{i}\"", i + 1);
        }
        self.push(" FROM (VALUES ");
        self.list(rows, ", ", |e, row| {
            e.push("(");
            e.list(row, ", ", |e, value| e.expression(value))?;
            e.push(")");
            Ok(())
        })?;
        self.push(")");
        Ok(())
    }

    fn named_targets<'e>(&mut self, targets: impl Iterator<Item = &'e Expr>) -> Result<()> {
        for (i, expr) in targets.enumerate() {
            if i > 0 {
                self.push(", ");
            }
            self.expression(expr)?;
            let _ = write!(self.out, " AS \"c{i}\"");
        }
        Ok(())
    }

    /// Writes one SELECT; `distinct_arm`: its rows are compared by a set operation.
    pub(super) fn select(&mut self, select: &Select, distinct_arm: bool) -> Result<()> {
        if let Some(from) = &select.from {
            self.declare(from)?;
        }
        self.windows.push(select.windows.clone());
        let lonely = select.having.is_some() && select.group_by.keys.is_empty();
        let result = if lonely {
            self.having_without_groups(select, distinct_arm)
        } else {
            self.select_clauses(select, distinct_arm, "")
        };
        self.windows.pop();
        result
    }

    /// The engine takes HAVING without GROUP BY only beside an aggregate: `SELECT 1 FROM t HAVING count(*) > 5`
    /// → `SELECT "c0" FROM (SELECT 1 AS "c0", count(*) FROM "t" HAVING count(*) > 5)`
    fn having_without_groups(&mut self, select: &Select, distinct_arm: bool) -> Result<()> {
        let names: Vec<String> = (0..select.targets.len().max(1)).map(|i| format!("\"c{i}\"")).collect();
        let _ = write!(self.out, "SELECT {} FROM (", names.join(", "));
        self.select_clauses(select, distinct_arm, ", count(*)")?;
        self.push(")");
        Ok(())
    }

    fn select_clauses(&mut self, select: &Select, distinct_arm: bool, further: &str) -> Result<()> {
        let distinct = match &select.distinct {
            Distinct::No => false,
            Distinct::All => true,
            Distinct::On(_) => return Err(SqlError::internal("DISTINCT ON that no pass has taken")),
        };
        // Taken at once: they are this select's, not those of subqueries in its list.
        let row_numbers = std::mem::take(&mut self.row_numbers);
        self.push(if distinct { "SELECT DISTINCT " } else { "SELECT " });
        if select.targets.is_empty() {
            self.push("NULL AS \"c0\"");
        }
        for (i, target) in select.targets.iter().enumerate() {
            if i > 0 {
                self.push(", ");
            }
            if distinct || distinct_arm {
                self.collated(&target.expr)?;
            } else {
                self.expression(&target.expr)?;
            }
            let _ = write!(self.out, " AS \"c{i}\"");
        }
        let first = select.targets.len().max(1);
        for (i, rowid) in row_numbers.iter().enumerate() {
            let _ = write!(self.out, ", {rowid} AS \"c{}\"", first + i);
        }
        self.push(further);
        if let Some(from) = &select.from {
            self.push(" FROM ");
            self.from_item(from)?;
        }
        if let Some(filter) = &select.filter {
            self.push(" WHERE ");
            self.expression(filter)?;
        }
        self.group_by(select)
    }

    fn group_by(&mut self, select: &Select) -> Result<()> {
        if !select.group_by.keys.is_empty() {
            self.push(" GROUP BY ");
            self.list(&select.group_by.keys, ", ", |e, key| e.group_key(key))?;
        }
        if let Some(having) = &select.having {
            self.push(" HAVING ");
            self.expression(having)?;
        }
        Ok(())
    }

    /// A grouping key; a bare number would be read as the position of a target.
    fn group_key(&mut self, key: &Expr) -> Result<()> {
        if matches!(key.kind, ExprKind::Constant(Value::Integer(_))) {
            self.push("coalesce(");
            self.expression(key)?;
            self.push(", NULL)");
            return Ok(());
        }
        self.collated(key)
    }

    pub(super) fn order_by(&mut self, query: &Query) -> Result<()> {
        if query.order_by.is_empty() {
            return Ok(());
        }
        let types = target_types(&query.body);
        self.push(" ORDER BY ");
        self.list(&query.order_by, ", ", |e, key| {
            let ty =
                types.get(key.target).ok_or_else(|| SqlError::internal("ORDER BY of an unknown target"))?;
            let collate = e.collate(*ty);
            let order = direction(key.descending, key.nulls_first);
            let _ = write!(e.out, "{}{collate}{order}", key.target + 1);
            Ok(())
        })
    }

    pub(super) fn limit(&mut self, query: &Query) -> Result<()> {
        if query.with_ties {
            return Err(SqlError::internal("WITH TIES that no pass has taken"));
        }
        let is_null = |e: &Expr| e.kind == ExprKind::Constant(Value::Null);
        let limit = query.limit.as_ref().filter(|e| !is_null(e));
        let offset = query.offset.as_ref().filter(|e| !is_null(e));
        match limit {
            Some(limit) => {
                self.push(" LIMIT ");
                let check = host::row_limit();
                self.row_count(limit, check)?;
            }
            None if offset.is_some() => self.push(" LIMIT -1"),
            None => {}
        }
        if let Some(offset) = offset {
            self.push(" OFFSET ");
            let check = host::row_offset();
            self.row_count(offset, check)?;
        }
        Ok(())
    }

    fn row_count(&mut self, count: &Expr, check: storage::ScalarFunction) -> Result<()> {
        if matches!(count.kind, ExprKind::Constant(Value::Integer(n)) if n >= 0) {
            return self.expression(count);
        }
        let name = self.need(HostFunction::Scalar(check));
        self.push(&name);
        self.push("(");
        self.expression(count)?;
        self.push(")");
        Ok(())
    }
}

/// Whether a query has columns that only its ORDER BY needs.
pub(in crate::lower) fn has_hidden(query: &Query) -> bool {
    match &query.body {
        // The numbers of rows that are locked stand behind the targets.
        QueryBody::Select(select) => !query.locks.is_empty() || select.targets.iter().any(|t| t.hidden),
        _ => false,
    }
}

/// The types of a body's columns, hidden ones included.
fn target_types(body: &QueryBody) -> Vec<crate::Oid> {
    match body {
        QueryBody::Select(select) => select.targets.iter().map(|t| t.expr.ty.oid).collect(),
        QueryBody::SetOperation { left, .. } => left.columns.iter().map(|c| c.ty.oid).collect(),
        QueryBody::Values(rows) => {
            rows.first().map(|row| row.iter().map(|e| e.ty.oid).collect()).unwrap_or_default()
        }
    }
}
