//! FROM as SQLite text. A subquery cannot see its neighbours in SQLite, but the arguments of a table function can: so a
//! LATERAL query becomes a table function that runs it, with the neighbours' columns as arguments.

use std::collections::HashMap;
use std::fmt::Write;

use super::{Emitter, Shape, quoted};
use crate::bound::*;
use crate::catalog::Procedure;
use crate::functions::{Body, CallTypes};
use crate::lower::host::{self, HostFunction, RowsCall};
use crate::lower::relations;
use crate::lower::walk::any_expr;
use crate::{Oid, Result, SqlError};

impl Emitter<'_> {
    /// Names the columns of everything in a FROM, before any of it is written: the select list comes first.
    pub(in crate::lower) fn declare(&mut self, item: &FromItem) -> Result<()> {
        match item {
            FromItem::Relation { range, relation } => self.declare_relation(*range, *relation)?,
            FromItem::Subquery { range, query, .. } => self.declare_positional(*range, query.columns.len()),
            FromItem::Cte { range, cte } => {
                let width = self.ctes.get(cte).map(|c| c.width);
                self.declare_positional(*range, width.unwrap_or(usize::MAX));
            }
            FromItem::Functions { range, calls, ordinality, .. } => {
                let width = calls.iter().map(|f| f.columns.len()).sum::<usize>() + usize::from(*ordinality);
                self.declare_positional(*range, width);
            }
            FromItem::Join { left, right, .. } => {
                self.declare(left)?;
                self.declare(right)?;
            }
        }
        Ok(())
    }

    pub(in crate::lower) fn from_item(&mut self, item: &FromItem) -> Result<()> {
        self.needs.scans |= !matches!(item, FromItem::Subquery { .. } | FromItem::Join { .. });
        match item {
            FromItem::Relation { range, relation } => self.relation(*range, *relation),
            FromItem::Subquery { range, query, lateral: false } => {
                self.push("(");
                let barrier = computes_volatile(self.catalog, query);
                if barrier {
                    // The engine may copy a subquery's expressions into the outer query, so that they run twice.
                    self.push("WITH \"once\" AS MATERIALIZED (");
                }
                self.from_subquery(*range, query)?;
                if barrier {
                    self.push(") SELECT * FROM \"once\"");
                }
                let _ = write!(self.out, ") AS \"r{}\"", range.0);
                Ok(())
            }
            FromItem::Subquery { range, query, lateral: true } => {
                let query = self.with_own_locks(*range, query);
                self.lateral(*range, &query)
            }
            FromItem::Cte { range, cte } => self.cte_reference(*range, *cte),
            FromItem::Functions { range, calls, ordinality, .. } => {
                self.functions(*range, calls, *ordinality)
            }
            FromItem::Join { kind, left, right, on } => self.join(*kind, left, right, on.as_ref()),
        }
    }

    fn relation(&mut self, range: RangeId, relation: Oid) -> Result<()> {
        if self.is_host_relation(relation) {
            let table = relations::host_table(self.catalog, relation)?;
            let name = self.need(HostFunction::Table(table));
            let _ = write!(self.out, "{name} AS \"r{}\"", range.0);
            return Ok(());
        }
        let name = self.catalog.physical_name(relation);
        let name = name.ok_or_else(|| SqlError::internal(format!("relation {relation} has no table")))?;
        let name = quoted(&name);
        match self.own {
            Some((own, first)) if own.relation == relation => {
                let Shape::Table { columns, rowid, .. } = self.relation_shape(relation)? else {
                    return Err(SqlError::internal("changed rows of something that is no table"));
                };
                self.changed_table((&name, &columns, rowid), own, first);
            }
            _ => self.push(&name),
        }
        let _ = write!(self.out, " AS \"r{}\"", range.0);
        Ok(())
    }

    fn cte_reference(&mut self, range: RangeId, cte: CteId) -> Result<()> {
        let known = self.ctes.get(&cte).cloned();
        let known = known.ok_or_else(|| SqlError::unsupported("this use of a WITH query inside LATERAL"))?;
        if known.definition.is_none() {
            let table = relations::buffered_table(&known.name, cte, known.width);
            self.need(HostFunction::Table(table));
        }
        let _ = write!(self.out, "{} AS \"r{}\"", quoted(&known.name), range.0);
        Ok(())
    }

    fn join(&mut self, kind: JoinKind, left: &FromItem, right: &FromItem, on: Option<&Expr>) -> Result<()> {
        self.from_item(left)?;
        self.push(match kind {
            // Not CROSS: that word fixes the order of the loops in SQLite.
            JoinKind::Inner | JoinKind::Cross => " JOIN ",
            JoinKind::Left => " LEFT JOIN ",
            JoinKind::Right => " RIGHT JOIN ",
            JoinKind::Full => " FULL JOIN ",
        });
        let nested = matches!(right, FromItem::Join { .. });
        self.push(if nested { "(" } else { "" });
        self.from_item(right)?;
        self.push(if nested { ")" } else { "" });
        match (kind, on) {
            (_, Some(on)) => {
                self.push(" ON ");
                self.expression(on)?;
            }
            (JoinKind::Left | JoinKind::Right | JoinKind::Full, None) => self.push(" ON 1"),
            _ => {}
        }
        Ok(())
    }

    /// Functions in FROM: one table function for all of an item's calls.
    fn functions(&mut self, range: RangeId, calls: &[RangeFunction], ordinality: bool) -> Result<()> {
        let mut rows = Vec::with_capacity(calls.len());
        let mut arguments = Vec::new();
        let mut label = String::new();
        for function in calls {
            let (call, types_text) = self.rows_call(function, &mut arguments)?;
            label.push_str(&types_text);
            rows.push(call);
        }
        let _ = write!(label, "{}", if ordinality { "+" } else { "" });
        let table = host::rows_table(label.into(), rows, ordinality);
        let name = self.need(HostFunction::Table(table));
        self.push(&name);
        if !arguments.is_empty() {
            self.push("(");
            self.list(&arguments, ", ", |e, argument| e.expression(argument))?;
            self.push(")");
        }
        let _ = write!(self.out, " AS \"r{}\"", range.0);
        Ok(())
    }

    /// One call, its arguments added to those of the item, and a text that tells it from other calls.
    fn rows_call(
        &mut self,
        function: &RangeFunction,
        arguments: &mut Vec<Expr>,
    ) -> Result<(RowsCall, String)> {
        let columns = function.columns.len();
        if let ExprKind::SetReturning(call) | ExprKind::Call(call) = &function.call.kind {
            let types = CallTypes {
                function: call.function,
                arguments: call.arguments.iter().map(|a| a.ty.oid).collect(),
                result: function.call.ty.oid,
                collation: call.collation,
            };
            let procedure = host::procedure(self.catalog, call.function)?;
            let body = host::body(self.catalog, &procedure);
            if let Some(Body::Rows(body)) = body {
                self.note_writes(&procedure);
                arguments.extend(call.arguments.iter().cloned());
                let key: Vec<String> = types.arguments.iter().map(ToString::to_string).collect();
                let packed = self.packed_row(function, &procedure);
                let label = format!(
                    "{}#{}_{}_{}.{columns}{};",
                    procedure.proname,
                    call.function,
                    key.join("_"),
                    types.result,
                    if packed.is_some() { "p" } else { "" }
                );
                let count = call.arguments.len();
                let strict = procedure.proisstrict;
                return Ok((
                    RowsCall { body: Some(body), types, strict, arguments: count, columns, packed },
                    label,
                ));
            }
            if matches!(function.call.kind, ExprKind::SetReturning(_)) {
                let signature = host::signature(self.catalog, &procedure, ", ");
                return Err(SqlError::unsupported(format_args!("function {signature}")));
            }
        }
        self.single_value_call(function, arguments)
    }

    /// The fields of the rows of a function whose only column is the whole row, as in a select list.
    fn packed_row(&self, function: &RangeFunction, procedure: &Procedure) -> Option<Vec<Oid>> {
        let [column] = function.columns.as_slice() else { return None };
        if column.ty.oid != function.call.ty.oid {
            return None;
        }
        if column.ty.oid == crate::oid::types::RECORD {
            let (all, modes) = (procedure.proallargtypes.as_ref()?, procedure.proargmodes.as_ref()?);
            let outputs = all.iter().zip(modes).filter(|(_, mode)| matches!(mode, 'o' | 'b' | 't'));
            return Some(outputs.map(|(ty, _)| *ty).collect());
        }
        let relation =
            self.catalog.type_(column.ty.oid).map(|ty| ty.typrelid).filter(|oid| oid.is_valid())?;
        Some(self.live_types(relation))
    }

    /// A function of one row, or any other expression: its value is the argument; of a composite, each field.
    fn single_value_call(
        &mut self,
        function: &RangeFunction,
        arguments: &mut Vec<Expr>,
    ) -> Result<(RowsCall, String)> {
        arguments.push(function.call.clone());
        let ty = function.call.ty.oid;
        let types =
            CallTypes { function: Oid::INVALID, arguments: vec![ty], result: ty, collation: Oid::INVALID };
        let columns = function.columns.len();
        Ok((
            RowsCall { body: None, types, strict: false, arguments: 1, columns, packed: None },
            format!("value#{ty}.{columns};"),
        ))
    }

    /// `FROM t, LATERAL (SELECT … t.a …) AS s` → `FROM t JOIN "lateral#…"(t.a) AS s`
    fn lateral(&mut self, range: RangeId, query: &Query) -> Result<()> {
        let mut inner = Emitter::new(self.catalog, self.stored);
        inner.records.clone_from(&self.records);
        inner.outer = Some(Vec::new());
        // WITH queries of the outside: the inner text has its own copy of each, which may use the others.
        let mut outside: Vec<_> =
            self.ctes.iter().filter_map(|(id, c)| Some((*id, c.definition.clone()?))).collect();
        outside.sort_by_key(|(id, _)| id.0);
        let buffered = self.ctes.iter().filter(|(_, c)| c.definition.is_none());
        inner.ctes = buffered.map(|(id, c)| (*id, c.clone())).collect::<HashMap<_, _>>();
        let used: Vec<Cte> = outside.into_iter().map(|(_, cte)| (*cte).clone()).collect();
        let mut query = query.clone();
        if uses_cte(&query) {
            query.ctes.splice(0..0, used);
        }
        let columns = query.columns.len();
        inner.visible_query(&query)?;
        let Emitter { out: text, outer, needs, .. } = inner;
        let arguments = outer.unwrap_or_default();
        if needs.bindings.iter().any(|b| !matches!(b, crate::lower::Binding::Parameter(_))) {
            return Err(SqlError::unsupported("a session value inside LATERAL"));
        }
        self.needs.functions.extend(needs.functions);
        self.needs.waits |= needs.waits;
        self.needs.effects |= needs.effects;
        self.needs.scans |= needs.scans;
        self.needs.may_write |= needs.may_write;
        self.needs.row_lock = self.needs.row_lock.max(needs.row_lock);
        self.needs.nested = true;
        let table = host::lateral_table(text.into(), arguments.len(), columns);
        let name = self.need(HostFunction::Table(table));
        self.push(&name);
        if !arguments.is_empty() {
            self.push("(");
            self.list(&arguments, ", ", |e, argument| e.expression(argument))?;
            self.push(")");
        }
        let _ = write!(self.out, " AS \"r{}\"", range.0);
        Ok(())
    }
}

/// Whether a query's FROM names any WITH query.
fn uses_cte(query: &Query) -> bool {
    fn in_item(item: &FromItem) -> bool {
        match item {
            FromItem::Cte { .. } => true,
            FromItem::Subquery { query, .. } => uses_cte(query),
            FromItem::Join { left, right, .. } => in_item(left) || in_item(right),
            FromItem::Relation { .. } | FromItem::Functions { .. } => false,
        }
    }
    match &query.body {
        QueryBody::Select(select) => select.from.as_ref().is_some_and(in_item),
        QueryBody::SetOperation { left, right, .. } => uses_cte(left) || uses_cte(right),
        QueryBody::Values(_) => false,
    }
}

/// Whether a select list calls a volatile function, which must run once for each row of the subquery.
fn computes_volatile(catalog: &crate::catalog::Catalog, query: &Query) -> bool {
    let volatile = |e: &Expr| match &e.kind {
        ExprKind::Call(call) => catalog.function(call.function).is_some_and(|f| f.provolatile == 'v'),
        _ => false,
    };
    match &query.body {
        QueryBody::Select(select) => select.targets.iter().any(|t| any_expr(&t.expr, &volatile)),
        QueryBody::Values(rows) => rows.iter().flatten().any(|e| any_expr(e, &volatile)),
        QueryBody::SetOperation { .. } => false,
    }
}
