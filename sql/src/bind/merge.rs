//! MERGE.
//!
//! Source: `src/backend/parser/parse_merge.c`.

use sqlparser::ast;

use super::Binder;
use super::position::At;
use super::query::is_default;
use super::scope::{Clause, ident_name, name_location, name_parts};
use super::views::TargetTable;
use crate::bound::{Cte, Expr, MergeAction, MergeClause, Modify, ModifyAction};
use crate::{Result, SqlError, error};

impl Binder<'_> {
    pub(super) fn merge(&mut self, merge: &ast::Merge, ctes: Vec<Cte>) -> Result<Modify> {
        let ast::TableFactor::Table { name, alias, .. } = &merge.table else {
            return Err(SqlError::unsupported("this target of MERGE"));
        };
        let class = self.relation(name)?;
        if class.relkind != 'r' && class.relkind != 'p' {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "cannot execute MERGE on relation \"{}\"", class.relname
            ));
        }
        let target =
            self.target_table(name, alias.as_ref().map(|alias| ident_name(&alias.name)), "merge into")?;
        let (source, names) = self.table_factor(&merge.source)?;
        if names.iter().any(|item| item.relation_visible && item.name == target.names.name) {
            return Err(error!(DUPLICATE_ALIAS, "name \"{}\" specified more than once", target.names.name)
                .detail("The name is used both as MERGE target table and data source."));
        }
        self.add_items(vec![target.names.clone()], false, true)?;
        self.add_items(names, false, true)?;
        let on = self.in_clause(Clause::JoinOn, |binder| binder.condition(&merge.on, "JOIN/ON"))?.expr;
        let mut clauses = Vec::with_capacity(merge.clauses.len());
        let mut unconditional = (false, false);
        for clause in &merge.clauses {
            let matched = match clause.clause_kind {
                ast::MergeClauseKind::Matched => true,
                ast::MergeClauseKind::NotMatched => false,
                _ => return Err(SqlError::unsupported("WHEN NOT MATCHED BY")),
            };
            let seen = if matched { &mut unconditional.0 } else { &mut unconditional.1 };
            if *seen {
                return Err(error!(
                    SYNTAX_ERROR,
                    "unreachable WHEN clause specified after unconditional WHEN clause"
                ));
            }
            *seen = clause.predicate.is_none();
            clauses.push(self.merge_clause(&target, clause, matched)?);
        }
        let action = ModifyAction::Merge { source: Box::new(source), on, clauses };
        Ok(Modify {
            ctes,
            target: target.relation,
            range: target.range,
            action,
            returning: Vec::new(),
            columns: Vec::new(),
        })
    }

    fn merge_clause(
        &mut self,
        target: &TargetTable,
        clause: &ast::MergeClause,
        matched: bool,
    ) -> Result<MergeClause> {
        // A row that matches nothing has no target: only the source can be named.
        let target_index = self.scope_ref().items.iter().position(|item| item.range == Some(target.range));
        if let (false, Some(index)) = (matched, target_index) {
            let item = &mut self.scope().items[index];
            item.columns_visible = false;
            item.relation_visible = false;
        }
        let bound = self.merge_clause_parts(target, clause, matched);
        if let Some(index) = target_index {
            let item = &mut self.scope().items[index];
            item.columns_visible = true;
            item.relation_visible = true;
        }
        bound
    }

    fn merge_clause_parts(
        &mut self,
        target: &TargetTable,
        clause: &ast::MergeClause,
        matched: bool,
    ) -> Result<MergeClause> {
        let condition = match &clause.predicate {
            Some(tree) => {
                Some(self.in_clause(Clause::MergeWhen, |binder| binder.condition(tree, "WHEN"))?.expr)
            }
            None => None,
        };
        let action = match &clause.action {
            ast::MergeAction::Insert(insert) => Some(MergeAction::Insert(self.merge_insert(target, insert)?)),
            ast::MergeAction::Update(update) => match &update.kind {
                ast::MergeUpdateKind::Set(assignments) => Some(MergeAction::Update(
                    self.in_clause(Clause::UpdateSource, |binder| binder.assignments(target, assignments))?,
                )),
                ast::MergeUpdateKind::Wildcard => return Err(SqlError::unsupported("UPDATE *")),
            },
            ast::MergeAction::Delete { .. } => Some(MergeAction::Delete),
            ast::MergeAction::DoNothing { .. } => None,
        };
        Ok(MergeClause { matched, condition, action })
    }

    fn merge_insert(&mut self, target: &TargetTable, insert: &ast::MergeInsertExpr) -> Result<Vec<Expr>> {
        let ast::MergeInsertKind::Values(values) = &insert.kind else {
            return Err(SqlError::unsupported("this form of INSERT in MERGE"));
        };
        let mut columns = Vec::new();
        if insert.columns.is_empty() {
            columns.extend(
                target
                    .columns
                    .iter()
                    .filter_map(|(name, position)| Some(((*position)?, name.clone(), At::NOWHERE))),
            );
        }
        for column in &insert.columns {
            let at = At::new(name_location(column));
            let name = name_parts(column).pop().unwrap_or_default();
            columns.push((self.target_column(target, &name, at)?, name, at));
        }
        let attributes = self.catalog().attributes(target.relation);
        let mut row: Vec<Option<Expr>> = vec![None; attributes.len()];
        if let Some(trees) = values.rows.first() {
            if trees.len() > columns.len() {
                return Err(error!(SYNTAX_ERROR, "INSERT has more expressions than target columns"));
            }
            if trees.len() < columns.len() && !insert.columns.is_empty() {
                return Err(error!(SYNTAX_ERROR, "INSERT has more target columns than expressions"));
            }
            for (tree, (position, name, _)) in trees.iter().zip(&columns) {
                if is_default(tree) {
                    continue;
                }
                let value = self.in_clause(Clause::ValuesSingle, |binder| binder.expr(tree))?;
                let attribute = &attributes[*position];
                if attribute.attgenerated == 's' || attribute.attidentity == 'a' {
                    return Err(error!(
                        GENERATED_ALWAYS,
                        "cannot insert a non-DEFAULT value into column \"{name}\""
                    ));
                }
                row[*position] = Some(self.assign_to_column(value, attribute, name)?.expr);
            }
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
}
