//! FOR UPDATE and its kin: which tables' rows a query locks, and how its text does it.
//!
//! A view or subquery in FROM is locked through: the tables that its rows come from. Where it only selects, its text gives
//! their row numbers as further columns, so that those rows are locked that the whole query gives. One with a LIMIT of its
//! own, and one that is LATERAL, locks its rows itself, before its limit.
//!
//! Source: `transformLockingClause` in `src/backend/parser/analyze.c`.

use std::borrow::Cow;
use std::fmt::Write;

use super::Emitter;
use crate::bound::*;
use crate::lower::host::{self, HostFunction};
use crate::{Oid, Result, SqlError};

/// A table whose rows are locked: the text of its row number, and what it is.
type Locked = (String, Oid);

impl Emitter<'_> {
    /// Rows are locked in their order, after WHERE and before LIMIT, so that a limit of one locks one row.
    ///
    /// `SELECT a FROM t ORDER BY a FOR UPDATE LIMIT 1`
    /// → `SELECT * FROM (SELECT a AS c0, rowid AS c1 FROM t ORDER BY 1 LIMIT -1) WHERE lock_row(c1) LIMIT 1`
    ///
    /// The inner LIMIT keeps the engine from merging the two and from moving the condition inwards; it computes the inner
    /// rows one by one, as they are asked for.
    pub(super) fn locking_query(&mut self, query: &Query) -> Result<()> {
        let QueryBody::Select(select) = &query.body else {
            return Err(SqlError::unsupported("locking the rows of a set operation"));
        };
        self.with(&query.ctes)?;
        self.push("SELECT * FROM (");
        let mut locked = Vec::new();
        if let Some(from) = &select.from {
            self.declare(from)?;
            for lock in &query.locks {
                for (rowid, relation) in self.locked_tables(from, &lock.ranges, lock)? {
                    let function = host::lock_row(relation, lock.strength, lock.wait);
                    self.needs.row_lock = self.needs.row_lock.max(Some(lock.strength));
                    locked.push((rowid, self.need(HostFunction::Scalar(function))));
                }
            }
        }
        self.row_numbers = locked.iter().map(|(rowid, _)| rowid.clone()).collect();
        self.select(select, false)?;
        self.order_by(query)?;
        let first = select.targets.len().max(1);
        self.push(" LIMIT -1) AS \"rows\"");
        for (i, (_, name)) in locked.iter().enumerate() {
            let word = if i == 0 { "WHERE" } else { "AND" };
            let _ = write!(self.out, " {word} {name}(\"c{}\")", first + i);
        }
        self.limit(query)
    }

    /// The tables behind some items of a FROM.
    fn locked_tables(&mut self, from: &FromItem, ranges: &[RangeId], lock: &RowLock) -> Result<Vec<Locked>> {
        let mut locked = Vec::new();
        for range in ranges {
            let Some((item, _)) = from.find(*range) else { continue };
            let tables = match item {
                // Only tables of users have rows that change.
                FromItem::Relation { .. } => {
                    let relation = self.relation_of(*range);
                    self.rowid(*range).ok().map(|rowid| (rowid, relation)).into_iter().collect()
                }
                FromItem::Subquery { query, lateral, .. } => {
                    self.locked_in_subquery(*range, query, *lateral, lock)?
                }
                FromItem::Cte { .. } | FromItem::Functions { .. } | FromItem::Join { .. } => continue,
            };
            locked.extend(tables);
        }
        Ok(locked)
    }

    /// The tables behind a subquery, by the columns that it will give; none when it locks its rows itself.
    fn locked_in_subquery(
        &mut self,
        range: RangeId,
        query: &Query,
        lateral: bool,
        lock: &RowLock,
    ) -> Result<Vec<Locked>> {
        let QueryBody::Select(select) = &query.body else { return Ok(Vec::new()) };
        let Some(from) = &select.from else { return Ok(Vec::new()) };
        let ranges = from.ranges();
        if lateral || query.limit.is_some() || query.offset.is_some() || !query.locks.is_empty() {
            let own = RowLock { ranges, ..lock.clone() };
            self.locking.entry(range).or_default().push(own);
            return Ok(Vec::new());
        }
        self.declare(from)?;
        let inner = self.locked_tables(from, &ranges, lock)?;
        let given = self.exposed.entry(range).or_default();
        let first = select.targets.len().max(1) + given.len();
        given.extend(inner.iter().map(|(rowid, _)| rowid.clone()));
        let outer = |(i, (_, relation))| (format!("\"r{}\".\"c{}\"", range.0, first + i), relation);
        Ok(inner.into_iter().enumerate().map(outer).collect())
    }

    /// Writes a subquery in FROM, with what those outside want to lock of it.
    pub(super) fn from_subquery(&mut self, range: RangeId, query: &Query) -> Result<()> {
        let Some(row_numbers) = self.exposed.remove(&range) else {
            let query = self.with_own_locks(range, query);
            return self.query(&query);
        };
        self.with(&query.ctes)?;
        self.row_numbers = row_numbers;
        self.body(query)?;
        self.order_by(query)
    }

    /// A subquery with the locks that it is to take itself.
    pub(super) fn with_own_locks<'q>(&mut self, range: RangeId, query: &'q Query) -> Cow<'q, Query> {
        match self.locking.remove(&range) {
            None => Cow::Borrowed(query),
            Some(locks) => {
                let mut query = query.clone();
                query.locks.extend(locks);
                Cow::Owned(query)
            }
        }
    }
}
