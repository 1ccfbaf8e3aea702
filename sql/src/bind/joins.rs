//! Joins: conditions, USING and NATURAL with their merged columns.
//!
//! Source: `src/backend/parser/parse_clause.c` (`transformFromClauseItem`).

use sqlparser::ast::{self, JoinConstraint, JoinOperator};

use super::from::Bound;
use super::operators::OperatorName;
use super::position::At;
use super::scope::{Clause, NamespaceItem, ScopeColumn, ident_name, name_location, name_parts};
use super::{Binder, Typed};
use crate::bound::{Expr, ExprKind, FromItem, JoinKind};
use crate::oid::types;
use crate::{Result, SqlError, error};

impl Binder<'_> {
    /// Joins a FROM item to what stands left of it.
    pub(super) fn join(&mut self, left: Bound, join: &ast::Join) -> Result<Bound> {
        let (kind, constraint) = join_kind(&join.join_operator)?;
        let (left_item, left_names) = left;
        // The left side's names can be used by LATERAL items on the right.
        let lateral_ok = matches!(kind, JoinKind::Inner | JoinKind::Left | JoinKind::Cross);
        let before = self.scope_ref().items.len();
        self.add_items(left_names.clone(), true, lateral_ok)?;
        let right = self.table_factor(&join.relation);
        self.scope().items.truncate(before);
        let (right_item, right_names) = right?;

        let left_columns = visible_columns(&left_names);
        let right_columns = visible_columns(&right_names);
        let mut names = left_names;
        for item in right_names {
            if item.relation_visible
                && names.iter().any(|other| {
                    other.relation_visible
                        && other.name == item.name
                        && (other.relation.is_none()
                            || item.relation.is_none()
                            || other.relation == item.relation)
                })
            {
                return Err(error!(DUPLICATE_ALIAS, "table name \"{}\" specified more than once", item.name));
            }
            names.push(item);
        }
        let using = self.using_columns(constraint, &left_columns, &right_columns)?;
        let (on, columns) = match using {
            Some(using) => self.merge_columns(kind, &using, &left_columns, &right_columns)?,
            None => {
                let on = match constraint {
                    JoinConstraint::On(tree) => Some(self.join_condition(tree, &names)?),
                    _ => None,
                };
                (on, left_columns.into_iter().chain(right_columns).collect())
            }
        };
        for item in &mut names {
            item.columns_visible = false;
        }
        names.push(join_names(columns));
        let item = FromItem::Join { kind, left: Box::new(left_item), right: Box::new(right_item), on };
        Ok((item, names))
    }

    /// Binds ON: it sees the two sides and nothing else of this FROM.
    fn join_condition(&mut self, tree: &ast::Expr, names: &[NamespaceItem]) -> Result<Expr> {
        let before = std::mem::replace(&mut self.scope().items, names.to_vec());
        for item in &mut self.scope().items {
            item.lateral_only = false;
        }
        let condition = self.in_clause(Clause::JoinOn, |binder| binder.condition(tree, "JOIN/ON"));
        self.scope().items = before;
        Ok(condition?.expr)
    }

    /// The names of the columns to be merged, when the join has USING or NATURAL.
    fn using_columns(
        &self,
        constraint: &JoinConstraint,
        left: &[ScopeColumn],
        right: &[ScopeColumn],
    ) -> Result<Option<Vec<(String, At)>>> {
        match constraint {
            JoinConstraint::Natural => {
                let common = left
                    .iter()
                    .filter(|column| right.iter().any(|other| other.name == column.name))
                    .map(|column| (column.name.clone(), At::NOWHERE))
                    .collect();
                Ok(Some(common))
            }
            JoinConstraint::Using(names) => {
                let mut using: Vec<(String, At)> = Vec::new();
                for name in names {
                    let at = At::new(name_location(name));
                    let name = name_parts(name).pop().unwrap_or_default();
                    if using.iter().any(|(other, _)| *other == name) {
                        return Err(error!(
                            DUPLICATE_COLUMN,
                            "column name \"{name}\" appears more than once in USING clause"
                        ));
                    }
                    using.push((name, at));
                }
                Ok(Some(using))
            }
            JoinConstraint::On(_) | JoinConstraint::None => Ok(None),
        }
    }

    /// The condition of USING, and the columns: merged ones first.
    fn merge_columns(
        &mut self,
        kind: JoinKind,
        using: &[(String, At)],
        left: &[ScopeColumn],
        right: &[ScopeColumn],
    ) -> Result<(Option<Expr>, Vec<ScopeColumn>)> {
        let mut tests = Vec::new();
        let mut merged = Vec::new();
        for (name, at) in using {
            let left = self.using_column(left, name, "left")?.typed(*at);
            let right = self.using_column(right, name, "right")?.typed(*at);
            let test = self.operate(&OperatorName::plain("="), Some(left.clone()), right.clone())?;
            tests.push(self.coerce_to_boolean(test, "JOIN/USING")?.expr);
            merged.push(ScopeColumn {
                name: name.clone(),
                expr: self.merged_column(kind, left, right)?.expr,
                dropped: false,
            });
        }
        let rest = |columns: &[ScopeColumn]| {
            columns
                .iter()
                .filter(|column| !using.iter().any(|(name, _)| *name == column.name))
                .cloned()
                .collect::<Vec<_>>()
        };
        merged.extend(rest(left));
        merged.extend(rest(right));
        let on = match tests.len() {
            0 => None,
            1 => tests.pop(),
            _ => Some(Typed::boolean(ExprKind::And(tests), At::NOWHERE).expr),
        };
        Ok((on, merged))
    }

    fn using_column<'c>(
        &self,
        columns: &'c [ScopeColumn],
        name: &str,
        side: &str,
    ) -> Result<&'c ScopeColumn> {
        let mut found = columns.iter().filter(|column| column.name == name);
        let first = found.next().ok_or_else(|| {
            error!(
                UNDEFINED_COLUMN,
                "column \"{name}\" specified in USING clause does not exist in {side} table"
            )
        })?;
        if found.next().is_some() {
            return Err(error!(
                AMBIGUOUS_COLUMN,
                "common column name \"{name}\" appears more than once in {side} table"
            ));
        }
        Ok(first)
    }

    fn merged_column(&mut self, kind: JoinKind, left: Typed, right: Typed) -> Result<Typed> {
        let (mut pair, _) = self.unify(vec![left, right], "JOIN/USING")?;
        let right = pair.pop().ok_or_else(|| SqlError::internal("a join has two sides"))?;
        let left = pair.pop().ok_or_else(|| SqlError::internal("a join has two sides"))?;
        Ok(match kind {
            JoinKind::Full => {
                let (parts, mut shell) = self.unified(vec![left, right], "JOIN/USING")?;
                shell.expr.kind = ExprKind::Coalesce(parts.into_iter().map(|part| part.expr).collect());
                shell
            }
            JoinKind::Right => right,
            JoinKind::Inner if matches!(left.expr.kind, ExprKind::Relabel(_) | ExprKind::Call(_)) => right,
            _ => left,
        })
    }

    /// `(a JOIN b …) AS alias`: one name for all columns.
    pub(super) fn join_alias(
        &self,
        names: Vec<NamespaceItem>,
        alias: &ast::TableAlias,
    ) -> Result<NamespaceItem> {
        let mut item = join_names(visible_columns(&names));
        item.name = ident_name(&alias.name);
        item.relation_visible = true;
        self.apply_alias(&mut item, Some(alias))?;
        Ok(item)
    }
}

fn visible_columns(names: &[NamespaceItem]) -> Vec<ScopeColumn> {
    names
        .iter()
        .filter(|item| item.columns_visible)
        .flat_map(|item| item.columns.iter().filter(|column| !column.dropped).cloned())
        .collect()
}

fn join_names(columns: Vec<ScopeColumn>) -> NamespaceItem {
    NamespaceItem {
        name: String::new(),
        relation: None,
        range: None,
        columns,
        row_type: types::RECORD,
        scalar: false,
        system: None,
        relation_visible: false,
        columns_visible: true,
        lateral_only: false,
        lateral_ok: true,
    }
}

fn join_kind(operator: &JoinOperator) -> Result<(JoinKind, &JoinConstraint)> {
    Ok(match operator {
        JoinOperator::Join(constraint) | JoinOperator::Inner(constraint) => (JoinKind::Inner, constraint),
        JoinOperator::Left(constraint) | JoinOperator::LeftOuter(constraint) => (JoinKind::Left, constraint),
        JoinOperator::Right(constraint) | JoinOperator::RightOuter(constraint) => {
            (JoinKind::Right, constraint)
        }
        JoinOperator::FullOuter(constraint) => (JoinKind::Full, constraint),
        JoinOperator::CrossJoin(constraint) => (JoinKind::Cross, constraint),
        _ => return Err(SqlError::unsupported("this kind of join")),
    })
}
