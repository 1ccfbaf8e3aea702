//! GROUP BY: keys, grouping sets, and the check that everything else is grouped or aggregated.
//!
//! Source: `src/backend/parser/parse_clause.c` (`transformGroupClause`), `parse_agg.c` (`parseCheckAggregates`).

use sqlparser::ast::{self, Expr as Tree};

use super::position::At;
use super::scope::Clause;
use super::targets::Entry;
use super::walk::each_part;
use super::{Binder, Typed};
use crate::bound::{Expr, ExprKind, GroupBy, RangeId, SelectId};
use crate::{Result, SqlError, error};

/// The most elements of CUBE.
const CUBE_ELEMENTS_MAX: usize = 12;
/// The most grouping sets of one query.
const GROUPING_SETS_MAX: usize = 4096;

impl Binder<'_> {
    /// Binds GROUP BY.
    pub(super) fn group_by(
        &mut self,
        group_by: &ast::GroupByExpr,
        entries: &mut Vec<Entry>,
    ) -> Result<GroupBy> {
        let trees = match group_by {
            ast::GroupByExpr::Expressions(trees, modifiers) if modifiers.is_empty() => trees,
            _ => return Err(SqlError::unsupported("this form of GROUP BY")),
        };
        let mut bound = GroupBy::default();
        let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
        for tree in trees {
            let alternatives = self.grouping_item(tree, entries, &mut bound.keys)?;
            sets = cross(&sets, &alternatives);
            if sets.len() > GROUPING_SETS_MAX {
                return Err(error!(
                    STATEMENT_TOO_COMPLEX,
                    "too many grouping sets present (maximum {GROUPING_SETS_MAX})"
                ));
            }
        }
        if !trees.is_empty() {
            bound.sets = sets;
        }
        Ok(bound)
    }

    /// The alternatives that one item of GROUP BY stands for.
    fn grouping_item(
        &mut self,
        tree: &Tree,
        entries: &mut Vec<Entry>,
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<Vec<usize>>> {
        match tree {
            Tree::Rollup(elements) => {
                let elements = self.grouping_elements(elements, entries, keys)?;
                Ok((0..=elements.len()).rev().map(|count| union(&elements[..count])).collect())
            }
            Tree::Cube(elements) => {
                if elements.len() > CUBE_ELEMENTS_MAX {
                    return Err(error!(TOO_MANY_COLUMNS, "CUBE is limited to {CUBE_ELEMENTS_MAX} elements"));
                }
                let elements = self.grouping_elements(elements, entries, keys)?;
                Ok(subsets(&elements))
            }
            Tree::GroupingSets(sets) => {
                let mut alternatives = Vec::new();
                for set in sets {
                    match set.as_slice() {
                        [nested @ (Tree::Rollup(_) | Tree::Cube(_) | Tree::GroupingSets(_))] => {
                            alternatives.extend(self.grouping_item(nested, entries, keys)?);
                        }
                        items => alternatives.push(self.grouping_set(items, entries, keys)?),
                    }
                }
                Ok(alternatives)
            }
            Tree::Tuple(items) => Ok(vec![self.grouping_set(items, entries, keys)?]),
            Tree::Nested(inner) => self.grouping_item(inner, entries, keys),
            other => Ok(vec![vec![self.grouping_key(other, entries, keys)?]]),
        }
    }

    fn grouping_elements(
        &mut self,
        elements: &[Vec<Tree>],
        entries: &mut Vec<Entry>,
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<Vec<usize>>> {
        elements.iter().map(|items| self.grouping_set(items, entries, keys)).collect()
    }

    fn grouping_set(
        &mut self,
        items: &[Tree],
        entries: &mut Vec<Entry>,
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<usize>> {
        let mut set = Vec::with_capacity(items.len());
        for item in items {
            let key = self.grouping_key(item, entries, keys)?;
            if !set.contains(&key) {
                set.push(key);
            }
        }
        Ok(set)
    }

    fn grouping_key(&mut self, tree: &Tree, entries: &mut Vec<Entry>, keys: &mut Vec<Expr>) -> Result<usize> {
        let visible = entries.len();
        let index = self.find_entry(tree, entries, Clause::GroupBy)?;
        self.settle_entry(index, entries)?;
        let typed = entries[index].typed.clone();
        // A key of its own needs no place among the targets.
        if index == visible {
            entries.truncate(visible);
        }
        if let Some(what) = refused_in_keys(&typed.expr, self.scope_ref().select) {
            let code = if what.starts_with("window") {
                crate::SqlState::WINDOWING_ERROR
            } else {
                crate::SqlState::GROUPING_ERROR
            };
            return Err(SqlError::new(code, format!("{what} are not allowed in GROUP BY"))
                .at(self.position(typed.at)));
        }
        self.require_equality(typed.type_oid(), typed.at)?;
        if let Some(key) = keys.iter().position(|key| *key == typed.expr) {
            return Ok(key);
        }
        keys.push(typed.expr);
        Ok(keys.len() - 1)
    }

    /// Checks that targets and HAVING name grouped columns only, and settles GROUPING calls.
    pub(super) fn check_grouping(
        &mut self,
        entries: &mut [Entry],
        having: Option<&mut Typed>,
        group_by: &GroupBy,
    ) -> Result<()> {
        let keys = &group_by.keys;
        let groupings = self.grouping_positions(keys)?;
        for entry in entries.iter_mut() {
            settle_grouping(&mut entry.typed.expr, &groupings);
        }
        let mut all: Vec<(&Expr, At)> =
            entries.iter().map(|entry| (&entry.typed.expr, entry.typed.at)).collect();
        let mut having = having;
        if let Some(having) = having.as_deref_mut() {
            settle_grouping(&mut having.expr, &groupings);
        }
        if let Some(having) = having.as_deref() {
            all.push((&having.expr, having.at));
        }
        for (expr, at) in all {
            self.check_grouped(expr, keys, at, false)?;
        }
        for window in &self.scope_ref().windows {
            let mut result = Ok(());
            super::walk::each_in_window(window, &mut |expr| {
                if result.is_ok() {
                    result = self.check_grouped(expr, keys, At::NOWHERE, false);
                }
            });
            result?;
        }
        Ok(())
    }

    fn grouping_positions(&self, keys: &[Expr]) -> Result<Vec<Vec<usize>>> {
        let mut all = Vec::new();
        for arguments in &self.scope_ref().groupings {
            let mut positions = Vec::new();
            for argument in arguments {
                let position = keys.iter().position(|key| *key == argument.expr).ok_or_else(|| {
                    error!(
                        GROUPING_ERROR,
                        "arguments to GROUPING must be grouping expressions of the associated query level"
                    )
                    .at(self.position(argument.at))
                })?;
                positions.push(position);
            }
            all.push(positions);
        }
        Ok(all)
    }

    fn check_grouped(&self, expr: &Expr, keys: &[Expr], at: At, in_subquery: bool) -> Result<()> {
        if keys.contains(expr) {
            return Ok(());
        }
        match &expr.kind {
            ExprKind::Aggregate(call) if call.level == self.scope_ref().select => {
                for direct in &call.direct {
                    self.check_grouped(direct, keys, at, in_subquery)?;
                }
                return Ok(());
            }
            ExprKind::Column { range, column } => {
                return self.check_column(*range, Some(*column), keys, at, in_subquery);
            }
            ExprKind::WholeRow(range) | ExprKind::SystemColumn { range, .. } => {
                return self.check_column(*range, None, keys, at, in_subquery);
            }
            _ => {}
        }
        let in_subquery = in_subquery || matches!(expr.kind, ExprKind::Subquery(_));
        let mut result = Ok(());
        each_part(expr, &mut |part| {
            if result.is_ok() {
                result = self.check_grouped(part, keys, at, in_subquery);
            }
        });
        result
    }

    fn check_column(
        &self,
        range: RangeId,
        column: Option<usize>,
        keys: &[Expr],
        at: At,
        in_subquery: bool,
    ) -> Result<()> {
        if self.range_levels.get(&range) != Some(&(self.scopes.len() - 1)) {
            return Ok(());
        }
        let Some(item) = self.scope_ref().items.iter().find(|item| item.range == Some(range)) else {
            return Ok(());
        };
        if let Some(relation) = item.system
            && self.primary_key_grouped(relation, range, keys)
        {
            return Ok(());
        }
        let name = match column {
            Some(column) => {
                format!("{}.{}", item.name, item.columns.get(column).map_or("", |column| &column.name))
            }
            None => format!("{}.*", item.name),
        };
        let reference = self.scope_ref().references.iter().filter(|reference| {
            reference.range == range
                && (column.is_none() || Some(reference.column) == column)
                && !reference.in_aggregate
                && reference.from_subquery == in_subquery
        });
        let after = |place: &At| {
            (place.location.line, place.location.column) >= (at.location.line, at.location.column)
        };
        let places: Vec<At> = reference.map(|reference| reference.at).collect();
        let place =
            places.iter().copied().find(|place| after(place)).or(places.first().copied()).unwrap_or(at);
        let error = if in_subquery {
            error!(GROUPING_ERROR, "subquery uses ungrouped column \"{name}\" from outer query")
        } else {
            error!(
                GROUPING_ERROR,
                "column \"{name}\" must appear in the GROUP BY clause or be used in an aggregate function"
            )
        };
        Err(error.at(self.position(place)))
    }

    /// Whether all columns of a table's primary key are keys: its other columns follow from them.
    fn primary_key_grouped(&self, relation: crate::Oid, range: RangeId, keys: &[Expr]) -> bool {
        let constraints = self.catalog().constraints(relation);
        let Some(primary) = constraints.iter().find(|row| row.contype == 'p' && !row.condeferrable) else {
            return false;
        };
        let Some(columns) = &primary.conkey else { return false };
        columns.iter().all(|attnum| {
            let wanted = usize::try_from(*attnum - 1).unwrap_or(usize::MAX);
            keys.iter().any(|key| {
                matches!(key.kind, ExprKind::Column { range: other, column } if other == range && column == wanted)
            })
        })
    }
}

fn refused_in_keys(expr: &Expr, select: SelectId) -> Option<&'static str> {
    match &expr.kind {
        ExprKind::Aggregate(call) if call.level == select => return Some("aggregate functions"),
        ExprKind::Window(_) => return Some("window functions"),
        ExprKind::Grouping(_) => return Some("grouping operations"),
        _ => {}
    }
    let mut found = None;
    each_part(expr, &mut |part| found = found.or_else(|| refused_in_keys(part, select)));
    found
}

/// Puts the positions of the keys into GROUPING calls, which until now hold the number of the call.
fn settle_grouping(expr: &mut Expr, groupings: &[Vec<usize>]) {
    if groupings.is_empty() {
        return;
    }
    if let ExprKind::Grouping(positions) = &mut expr.kind {
        if let Some(settled) = positions.first().and_then(|number| groupings.get(*number)) {
            positions.clone_from(settled);
        }
        return;
    }
    super::walk::each_part_mut(expr, &mut |part| settle_grouping(part, groupings));
}

fn cross(left: &[Vec<usize>], right: &[Vec<usize>]) -> Vec<Vec<usize>> {
    left.iter()
        .flat_map(|first| right.iter().map(move |second| union(&[first.clone(), second.clone()])))
        .collect()
}

fn union(sets: &[Vec<usize>]) -> Vec<usize> {
    let mut all = Vec::new();
    for key in sets.iter().flatten() {
        if !all.contains(key) {
            all.push(*key);
        }
    }
    all
}

/// All subsets, larger and earlier ones first.
fn subsets(elements: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let count = elements.len();
    (0..1_usize << count)
        .rev()
        .map(|mask| {
            let chosen: Vec<Vec<usize>> = elements
                .iter()
                .enumerate()
                .filter(|(index, _)| mask >> (count - 1 - index) & 1 == 1)
                .map(|(_, element)| element.clone())
                .collect();
            union(&chosen)
        })
        .collect()
}
