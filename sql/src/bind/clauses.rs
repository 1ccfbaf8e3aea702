//! ORDER BY, DISTINCT and LIMIT.
//!
//! Source: `src/backend/parser/parse_clause.c`.

use sqlparser::ast::{self, Expr as Tree};

use super::operators::OperatorName;
use super::position::At;
use super::scope::{Clause, ident_name, name_location, name_parts};
use super::targets::Entry;
use super::{Binder, Typed};
use crate::bound::{Distinct, Expr, SortKey};
use crate::catalog::BtreeOperators;
use crate::oid::types;
use crate::{Oid, Result, SqlError, error};

/// LIMIT, OFFSET and FETCH, bound.
#[derive(Default)]
pub(super) struct Limits {
    pub(super) limit: Option<Expr>,
    pub(super) offset: Option<Expr>,
    pub(super) with_ties: bool,
}

impl Binder<'_> {
    /// The operators by which a type is ordered.
    pub(super) fn sort_operators(&self, ty: Oid) -> Option<BtreeOperators> {
        let base = self.base_type(ty).oid;
        if let Some(found) = self.catalog().btree_operators(base) {
            return Some(found);
        }
        if let Some(element) = self.element_type(base) {
            self.sort_operators(element)?;
            return self.catalog().btree_operators(types::ANYARRAY);
        }
        let row = self.type_row(base)?;
        let general = match row.typtype {
            'e' => types::ANYENUM,
            'r' => types::ANYRANGE,
            'm' => types::ANYMULTIRANGE,
            'c' => types::RECORD,
            _ if base == types::VARCHAR => types::TEXT,
            _ => return None,
        };
        self.catalog().btree_operators(general)
    }

    /// Checks that values of a type can be told apart.
    pub(super) fn require_equality(&self, ty: Oid, at: At) -> Result<()> {
        let hashable = matches!(ty, types::XID | types::CID | types::ACLITEM | types::UNKNOWN);
        if hashable || self.sort_operators(ty).is_some() {
            return Ok(());
        }
        Err(error!(
            UNDEFINED_FUNCTION,
            "could not identify an equality operator for type {}",
            self.format_type(ty)
        )
        .at(self.position(at)))
    }

    /// Whether a key sorts downwards, and whether NULLs come first.
    pub(super) fn sort_direction(
        &self,
        options: &ast::OrderByOptions,
        ty: Oid,
        at: At,
    ) -> Result<(bool, bool)> {
        let operators = self.sort_operators(ty);
        let descending = match &options.sort {
            Some(ast::OrderBySort::Using(name)) => return self.sort_using(name, options, ty, at),
            Some(ast::OrderBySort::Desc) => true,
            _ => false,
        };
        if operators.is_none() {
            return Err(error!(
                UNDEFINED_FUNCTION,
                "could not identify an ordering operator for type {}",
                self.format_type(ty)
            )
            .hint("Use an explicit ordering operator or modify the query.")
            .at(self.position(at)));
        }
        Ok((descending, options.nulls_first.unwrap_or(descending)))
    }

    /// `ORDER BY x USING >`.
    fn sort_using(
        &self,
        name: &ast::ObjectName,
        options: &ast::OrderByOptions,
        ty: Oid,
        at: At,
    ) -> Result<(bool, bool)> {
        let parts = name_parts(name);
        let symbol = parts.last().cloned().unwrap_or_default();
        let operator =
            OperatorName { schema: (parts.len() > 1).then(|| parts[0].clone()), symbol: symbol.clone() };
        let row = self.find_operator(&operator, Some(ty), ty, None, At::NOWHERE)?;
        let btree = self.sort_operators(self.base_type(row.oprleft).oid);
        let descending = match btree {
            Some(btree) if btree.less == row.oid => false,
            Some(btree) if btree.greater == row.oid => true,
            _ => {
                return Err(error!(WRONG_OBJECT_TYPE, "operator {symbol} is not a valid ordering operator")
                    .hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                    .at(self.position(At::new(name_location(name)).or(at))));
            }
        };
        Ok((descending, options.nulls_first.unwrap_or(descending)))
    }

    /// The select list's entry that a clause means: by name, by number, or the same expression; else a hidden one.
    pub(super) fn find_entry(
        &mut self,
        tree: &Tree,
        entries: &mut Vec<Entry>,
        clause: Clause,
    ) -> Result<usize> {
        if let Tree::Identifier(ident) = tree {
            let name = ident_name(ident);
            // In GROUP BY a column of FROM is meant before one of the select list.
            let input = clause == Clause::GroupBy && self.is_visible_column(&name);
            if !input && let Some(index) = self.entry_named(&name, entries, clause, ident)? {
                return Ok(index);
            }
        }
        if let Tree::Value(ast::ValueWithSpan { value, span }) = tree {
            let place = self.position_of(span.start);
            match value {
                ast::Value::Number(digits, _) if digits.parse::<i32>().is_ok() => {
                    let position = digits.parse::<usize>().unwrap_or(0);
                    let visible = entries.iter().filter(|entry| !entry.hidden).count();
                    if position == 0 || position > visible {
                        return Err(error!(
                            INVALID_COLUMN_REFERENCE,
                            "{} position {digits} is not in select list",
                            clause.name()
                        )
                        .at(place));
                    }
                    return Ok(position - 1);
                }
                ast::Value::Placeholder(_) => {}
                _ => return Err(error!(SYNTAX_ERROR, "non-integer constant in {}", clause.name()).at(place)),
            }
        }
        let typed = self.in_clause(clause, |binder| binder.expr(tree))?;
        Ok(entry_of(typed, entries))
    }

    fn entry_named(
        &self,
        name: &str,
        entries: &[Entry],
        clause: Clause,
        ident: &ast::Ident,
    ) -> Result<Option<usize>> {
        let mut found: Option<usize> = None;
        for (index, entry) in entries.iter().enumerate() {
            if entry.hidden || entry.name != name {
                continue;
            }
            match found {
                Some(first) if entries[first].typed.expr != entry.typed.expr => {
                    return Err(error!(AMBIGUOUS_COLUMN, "{} \"{name}\" is ambiguous", clause.name())
                        .at(self.position_of(ident.span.start)));
                }
                Some(_) => {}
                None => found = Some(index),
            }
        }
        Ok(found)
    }

    fn is_visible_column(&self, name: &str) -> bool {
        self.scope_ref().items.iter().any(|item| {
            item.columns_visible && item.columns.iter().any(|column| !column.dropped && column.name == name)
        })
    }

    /// Binds ORDER BY of a select.
    pub(super) fn order_by(
        &mut self,
        order_by: &ast::OrderBy,
        entries: &mut Vec<Entry>,
    ) -> Result<Vec<SortKey>> {
        let ast::OrderByKind::Expressions(keys) = &order_by.kind else {
            return Err(SqlError::unsupported("ORDER BY ALL"));
        };
        let mut sort = Vec::with_capacity(keys.len());
        for key in keys {
            let target = self.find_entry(&key.expr, entries, Clause::OrderBy)?;
            self.settle_entry(target, entries)?;
            let typed = &entries[target].typed;
            let (descending, nulls_first) = self.sort_direction(&key.options, typed.type_oid(), typed.at)?;
            if !sort.iter().any(|other: &SortKey| other.target == target) {
                sort.push(SortKey { target, descending, nulls_first });
            }
        }
        Ok(sort)
    }

    /// An untyped entry that is sorted or grouped by becomes text.
    pub(super) fn settle_entry(&mut self, index: usize, entries: &mut [Entry]) -> Result<()> {
        if entries[index].typed.is_unknown() {
            entries[index].typed = self.unknown_to_text(entries[index].typed.clone())?;
        }
        Ok(())
    }

    /// Binds DISTINCT, after ORDER BY.
    pub(super) fn distinct(
        &mut self,
        distinct: Option<&ast::Distinct>,
        entries: &mut Vec<Entry>,
        sort: &[SortKey],
    ) -> Result<Distinct> {
        match distinct {
            None | Some(ast::Distinct::All) => Ok(Distinct::No),
            Some(ast::Distinct::Distinct) => {
                if let Some(key) = sort.iter().find(|key| entries[key.target].hidden) {
                    return Err(error!(
                        INVALID_COLUMN_REFERENCE,
                        "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
                    )
                    .at(self.position(entries[key.target].typed.at)));
                }
                for index in 0..entries.len() {
                    if !entries[index].hidden {
                        self.settle_entry(index, entries)?;
                        self.require_equality(entries[index].typed.type_oid(), entries[index].typed.at)?;
                    }
                }
                Ok(Distinct::All)
            }
            Some(ast::Distinct::On(trees)) => self.distinct_on(trees, entries, sort),
        }
    }

    fn distinct_on(
        &mut self,
        trees: &[Tree],
        entries: &mut Vec<Entry>,
        sort: &[SortKey],
    ) -> Result<Distinct> {
        let mut targets = Vec::new();
        for tree in trees {
            let tree = match tree {
                Tree::Nested(inner) => inner,
                other => other,
            };
            let target = self.find_entry(tree, entries, Clause::DistinctOn)?;
            self.settle_entry(target, entries)?;
            self.require_equality(entries[target].typed.type_oid(), entries[target].typed.at)?;
            if !targets.contains(&target) {
                targets.push(target);
            }
        }
        let mut skipped = None;
        for key in sort {
            if targets.contains(&key.target) {
                if skipped.is_some() {
                    return Err(self.distinct_on_mismatch(entries, key.target));
                }
            } else {
                skipped.get_or_insert(key.target);
            }
        }
        if skipped.is_some() {
            let unsorted = targets.iter().find(|target| !sort.iter().any(|key| key.target == **target));
            if let Some(target) = unsorted {
                return Err(self.distinct_on_mismatch(entries, *target));
            }
        }
        Ok(Distinct::On(targets))
    }

    fn distinct_on_mismatch(&self, entries: &[Entry], target: usize) -> SqlError {
        error!(
            INVALID_COLUMN_REFERENCE,
            "SELECT DISTINCT ON expressions must match initial ORDER BY expressions"
        )
        .at(self.position(entries[target].typed.at))
    }

    /// Binds LIMIT, OFFSET and FETCH.
    pub(super) fn limits(&mut self, query: &ast::Query) -> Result<Limits> {
        let mut limits = Limits::default();
        match &query.limit_clause {
            Some(ast::LimitClause::LimitOffset { limit, offset, .. }) => {
                if let Some(offset) = offset {
                    limits.offset = Some(self.limit(&offset.value, Clause::Offset)?);
                }
                if let Some(limit) = limit {
                    limits.limit = Some(self.limit(limit, Clause::Limit)?);
                }
            }
            Some(ast::LimitClause::OffsetCommaLimit { .. }) => {
                return Err(error!(SYNTAX_ERROR, "LIMIT #,# syntax is not supported")
                    .hint("Use separate LIMIT and OFFSET clauses."));
            }
            None => {}
        }
        if let Some(fetch) = &query.fetch {
            limits.with_ties = fetch.with_ties;
            limits.limit = Some(match &fetch.quantity {
                Some(quantity) => self.limit(quantity, Clause::Limit)?,
                None => {
                    let one = self.number("1", At::NOWHERE)?;
                    self.coerce_to_specific(one, types::INT8, "LIMIT")?.expr
                }
            });
        }
        if limits.with_ties && query.order_by.is_none() {
            return Err(error!(SYNTAX_ERROR, "WITH TIES cannot be specified without ORDER BY clause"));
        }
        Ok(limits)
    }

    fn limit(&mut self, tree: &Tree, clause: Clause) -> Result<Expr> {
        let typed = self.in_clause(clause, |binder| binder.expr(tree))?;
        let at = typed.at;
        let typed = self.coerce_to_specific(typed, types::INT8, clause.name())?;
        let level = self.scopes.len() - 1;
        let mut own = false;
        super::aggregates::each_column(&typed.expr, &mut |range, _| {
            own |= self.range_levels.get(&range) == Some(&level);
        });
        if own {
            return Err(error!(
                INVALID_COLUMN_REFERENCE,
                "argument of {} must not contain variables",
                clause.name()
            )
            .at(self.position(at)));
        }
        Ok(typed.expr)
    }
}

/// The entry with this expression, a hidden one when there is none yet.
pub(super) fn entry_of(typed: Typed, entries: &mut Vec<Entry>) -> usize {
    if let Some(index) = entries.iter().position(|entry| entry.typed.expr == typed.expr) {
        return index;
    }
    entries.push(Entry { typed, name: "?column?".to_owned(), hidden: true });
    entries.len() - 1
}
