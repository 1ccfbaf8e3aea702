//! FOR UPDATE and its kin: what they name, and where they may stand.
//!
//! Source: `transformLockingClause` and `CheckSelectLocking` in `src/backend/parser/analyze.c`, which the planner asks
//! again for views; `make_outerjoininfo` in `src/backend/optimizer/plan/initsplan.c`.

use sqlparser::ast;

use super::Binder;
use super::aggregates::{contains_set, contains_window};
use super::scope::{name_location, name_parts};
use crate::bound::{
    Distinct, Expr, FromItem, GroupBy, LockStrength, LockWait, Query, QueryBody, RangeId, RowLock, Select,
    SetOperation,
};
use crate::parse::{lock_strength, locked_table};
use crate::{Result, SqlError, error};

impl Binder<'_> {
    /// Binds the locks of a plain select.
    ///
    /// # Errors
    /// `0A000` where a row of the result does not come from one row of each table; `42P01`.
    pub(super) fn checked_locks(
        &mut self,
        tree: &ast::Query,
        from: Option<&FromItem>,
        clauses: Clauses<'_>,
    ) -> Result<Vec<RowLock>> {
        let Some(first) = tree.locks.first() else { return Ok(Vec::new()) };
        clauses.check(lock_strength(first))?;
        let locks = self.locks(&tree.locks)?;
        if let Some(from) = from {
            locks.iter().try_for_each(|lock| check_lockable(from, &lock.ranges, lock.strength))?;
        }
        Ok(locks)
    }

    /// Binds FOR UPDATE and its kin for a plain select.
    fn locks(&mut self, locks: &[ast::LockClause]) -> Result<Vec<RowLock>> {
        let mut bound = Vec::with_capacity(locks.len());
        for lock in locks {
            let strength = lock_strength(lock);
            let wait = match lock.nonblock {
                None => LockWait::Block,
                Some(ast::NonBlock::Nowait) => LockWait::NoWait,
                Some(ast::NonBlock::SkipLocked) => LockWait::SkipLocked,
            };
            let items = &self.scope_ref().items;
            let ranges = match &locked_table(lock) {
                None => items.iter().filter_map(|item| item.range).collect(),
                Some(name) => {
                    let parts = name_parts(name);
                    let wanted = parts.last().cloned().unwrap_or_default();
                    let place = self.position_of(name_location(name));
                    let item = items.iter().find(|item| item.name == wanted && item.relation_visible);
                    let Some(item) = item else {
                        return Err(error!(
                            UNDEFINED_TABLE,
                            "relation \"{wanted}\" in {} clause not found in FROM clause",
                            lock_words(strength)
                        )
                        .at(place));
                    };
                    let Some(range) = item.range else {
                        let words = lock_words(strength);
                        return Err(
                            error!(FEATURE_NOT_SUPPORTED, "{words} cannot be applied to a join").at(place)
                        );
                    };
                    vec![range]
                }
            };
            bound.push(RowLock { strength, wait, ranges });
        }
        Ok(bound)
    }
}

/// What makes rows of a select that are not those of its tables, or chooses among them in another way than one by one.
pub(super) struct Clauses<'a> {
    pub(super) distinct: &'a Distinct,
    pub(super) group_by: &'a GroupBy,
    pub(super) having: bool,
    pub(super) window_functions: bool,
    pub(super) returns_sets: bool,
    pub(super) with_ties: bool,
}

impl<'a> Clauses<'a> {
    fn of(query: &Query, select: &'a Select) -> Self {
        let any = |test: fn(&Expr) -> bool| select.targets.iter().any(|target| test(&target.expr));
        Self {
            distinct: &select.distinct,
            group_by: &select.group_by,
            having: select.having.is_some(),
            window_functions: any(contains_window),
            returns_sets: any(contains_set),
            with_ties: query.with_ties,
        }
    }

    /// # Errors
    /// `0A000` where there is one (`CheckSelectLocking`).
    fn check(&self, strength: LockStrength) -> Result<()> {
        let words = lock_words(strength);
        let with = if *self.distinct != Distinct::No {
            "DISTINCT clause"
        } else if !self.group_by.sets.is_empty() {
            "GROUP BY clause"
        } else if self.having {
            "HAVING clause"
        } else if self.group_by.grouped {
            "aggregate functions"
        } else if self.window_functions {
            "window functions"
        } else if self.returns_sets {
            "set-returning functions in the target list"
        } else if self.with_ties {
            return Err(SqlError::unsupported(format_args!("{words} with WITH TIES")));
        } else {
            return Ok(());
        };
        Err(error!(FEATURE_NOT_SUPPORTED, "{words} is not allowed with {with}"))
    }
}

/// The clause's words in messages.
pub(super) fn lock_words(strength: LockStrength) -> &'static str {
    match strength {
        LockStrength::KeyShare => "FOR KEY SHARE",
        LockStrength::Share => "FOR SHARE",
        LockStrength::NoKeyUpdate => "FOR NO KEY UPDATE",
        LockStrength::Update => "FOR UPDATE",
    }
}

/// Refuses items of a FROM, and subqueries among them, whose rows are not those of tables.
fn check_lockable(from: &FromItem, ranges: &[RangeId], strength: LockStrength) -> Result<()> {
    for range in ranges {
        let Some((item, nullable)) = from.find(*range) else { continue };
        if nullable {
            let words = lock_words(strength);
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "{words} cannot be applied to the nullable side of an outer join"
            ));
        }
        if let FromItem::Subquery { query, .. } = item {
            check_lockable_query(query, strength)?;
        }
    }
    Ok(())
}

fn check_lockable_query(query: &Query, strength: LockStrength) -> Result<()> {
    let select = match &query.body {
        // Its rows come from several tables, and none is locked.
        QueryBody::SetOperation { operation: SetOperation::Union, all: true, .. } => return Ok(()),
        QueryBody::SetOperation { .. } => {
            let words = lock_words(strength);
            return Err(error!(FEATURE_NOT_SUPPORTED, "{words} is not allowed with UNION/INTERSECT/EXCEPT"));
        }
        QueryBody::Values(_) => return Ok(()),
        QueryBody::Select(select) => select,
    };
    Clauses::of(query, select).check(strength)?;
    let from = select.from.as_ref();
    from.map_or(Ok(()), |from| check_lockable(from, &from.ranges(), strength))
}
