//! Data modification: what the engine computes and what the host does with it.
//!
//! The engine runs a *source* query over the state before the statement: row numbers, new values, old values and what
//! RETURNING needs of other tables. For tables with generated columns or checks, or when rows are returned, a second text
//! without tables computes these for one row. The host (`execute::modify`) checks, writes and answers.
//!
//! `UPDATE t SET a = a + 1 FROM u WHERE t.id = u.id RETURNING u.x, a`
//! → source `SELECT "r1"."rowid", "r1"."a" + 1, "r2"."x" FROM "t" AS "r1" JOIN "u" AS "r2" WHERE …`, row `SELECT ?1, ?2`

use std::fmt::Write;
use std::sync::Arc;

use super::emit::Emitter;
use super::walk::{any_expr, every_expr_mut};
use super::{Binding, Planner, Tells, Text};
use crate::bound::*;
use crate::catalog::{Catalog, Constraint};
use crate::execute::table::Table;
use crate::{Oid, Result};

/// A data-modifying statement, or a part of one, made ready.
pub struct ModifyPlan {
    /// The table (`pg_class.oid`).
    pub target: Oid,
    /// What is done.
    pub kind: ModifyKind,
    /// What the writer must know of the table.
    pub(crate) table: Arc<Table>,
    /// What its success tells a client of what the tables hold.
    pub tells: Tells,
    /// Whether the locks of its rows settle that it can be done: no key, no reference and no index that computes has a
    /// say. It can then be noted and made in the engine later (see `session::aside`).
    pub can_be_noted: bool,
    /// Gives the rows, before anything is changed.
    pub source: Text,
    /// The columns (positions in the table) that are written. The source gives their values right after the row number;
    /// for generated columns the old ones, which [`Self::row`] replaces.
    pub values: Vec<usize>,
    /// Where the old row begins in the source's columns, when it is there: every column of the table.
    pub old: Option<usize>,
    /// Where the values for [`Binding::Extra`] begin.
    pub extra: usize,
    /// Computes generated columns, checks and RETURNING for one row.
    pub row: Option<RowText>,
    /// The columns that RETURNING gives.
    pub columns: Vec<OutputColumn>,
}

/// What is done to the target.
pub enum ModifyKind {
    /// INSERT, with ON CONFLICT.
    Insert(Option<ConflictPlan>),
    /// UPDATE.
    Update,
    /// DELETE.
    Delete,
    /// MERGE: the source gives, after the row number, the number of the clause that applies, or NULL.
    Merge(Vec<MergeClausePlan>),
}

/// A text that computes, for one row: generated columns, checks, RETURNING, in that order.
pub struct RowText {
    /// The text.
    pub text: Text,
    /// The generated columns' positions in the table.
    pub generated: Vec<usize>,
    /// The names of the checks.
    pub checks: Vec<String>,
    /// How many columns RETURNING has.
    pub returning: usize,
}

/// ON CONFLICT.
pub struct ConflictPlan {
    /// The unique indexes that arbitrate; empty: any.
    pub arbiters: Vec<Oid>,
    /// DO UPDATE: a text over the existing row ([`Binding::RowNumber`]) and the proposed one, which gives whether WHERE
    /// holds and then the new values of these columns. Absent for DO NOTHING.
    pub update: Option<(Text, Vec<usize>)>,
}

/// A WHEN clause of MERGE.
pub struct MergeClausePlan {
    /// What is done.
    pub step: MergeStep,
    /// Where its values begin in the source's columns.
    pub values: usize,
}

/// What a WHEN clause of MERGE does.
#[allow(missing_docs, reason = "the names are SQL's own")]
pub enum MergeStep {
    Nothing,
    /// Values for these columns.
    Insert(Vec<usize>),
    /// New values for these columns.
    Update(Vec<usize>),
    Delete,
}

/// What a table computes for each row that is written, in the order of [`RowText`].
#[derive(Default)]
struct Computed {
    /// Generated columns by their positions.
    generated: Vec<(usize, Expr)>,
    /// Checks by their names.
    checks: Vec<(String, Expr)>,
}

impl Computed {
    /// These, then what a statement returns.
    fn exprs<'e>(&'e self, modify: &'e Modify) -> impl Iterator<Item = &'e Expr> {
        let (generated, checks) = (self.generated.iter(), self.checks.iter());
        generated
            .map(|(_, expr)| expr)
            .chain(checks.map(|(_, expr)| expr))
            .chain(modify.returning.iter().map(|target| &target.expr))
    }
}

/// See [`ModifyPlan::can_be_noted`].
fn can_be_noted(plan: &ModifyPlan, catalog: &Catalog) -> bool {
    let table = &plan.table;
    if catalog.indexes(plan.target).iter().any(|index| index.computes()) {
        return false;
    }
    let refers = |constraint: &Constraint| {
        let keys = constraint.conkey.as_deref().unwrap_or_default();
        plan.values.iter().any(|column| keys.contains(&table.attributes[*column].attnum))
    };
    match plan.kind {
        ModifyKind::Insert(None) => plan.tells == Tells::Nothing,
        ModifyKind::Update => {
            table.strength_of_update(&plan.values) == LockStrength::NoKeyUpdate
                && !table.references.iter().any(|constraint| refers(constraint))
        }
        ModifyKind::Delete => table.referenced.is_empty(),
        ModifyKind::Insert(Some(_)) | ModifyKind::Merge(_) => false,
    }
}

impl Planner<'_> {
    pub(super) fn modify(&mut self, modify: &Modify) -> Result<ModifyPlan> {
        let mut modify = modify.clone();
        let extras = extra_columns(&mut modify);
        let mut ctes = self.queries.clone();
        for cte in &modify.ctes {
            if matches!(cte.body, CteBody::Query(_)) && !ctes.iter().any(|known| known.id == cte.id) {
                ctes.push(cte.clone());
            }
        }
        let computed = self.computed(&modify)?;
        let row = self.row_text(&modify, &computed, &extras)?;
        let table = Arc::new(Table::new(self.catalog, modify.target)?);
        let width = table.attributes.len();
        let whole_row = row.is_some() || !table.references.is_empty() || !table.referenced.is_empty();
        let mut plan = self.modify_action(&modify, &ctes, &extras, row, (width, whole_row), &table)?;
        plan.tells = super::silent::tells(&modify, computed.exprs(&modify), &table, self.catalog);
        plan.can_be_noted = can_be_noted(&plan, self.catalog);
        let functions = self.stored.index_functions(self.catalog, modify.target)?;
        plan.source.functions.extend(functions);
        Ok(plan)
    }

    fn modify_action(
        &mut self,
        modify: &Modify,
        ctes: &[Cte],
        extras: &[(RangeId, usize)],
        row: Option<RowText>,
        (width, whole_row): (usize, bool),
        table: &Arc<Table>,
    ) -> Result<ModifyPlan> {
        let modify_plan = |kind, text, values, old, extra, row| {
            let columns = modify.columns.clone();
            let (target, table) = (modify.target, table.clone());
            ModifyPlan {
                target,
                kind,
                table,
                tells: Tells::Anything,
                can_be_noted: false,
                source: text,
                values,
                old,
                extra,
                row,
                columns,
            }
        };
        match &modify.action {
            ModifyAction::Insert { source, on_conflict, .. } => {
                let text = self.text(|e| {
                    e.with(ctes)?;
                    wrapped(e, !ctes.is_empty(), |e| e.query(source))
                })?;
                let conflict = match on_conflict {
                    Some(conflict) => Some(self.conflict(modify, conflict)?),
                    None => None,
                };
                let values = (0..width).collect();
                Ok(modify_plan(ModifyKind::Insert(conflict), text, values, None, width, row))
            }
            ModifyAction::Update { from, filter, assignments } => {
                let mut values: Vec<usize> = assignments.iter().map(|(column, _)| *column).collect();
                let generated = row.iter().flat_map(|row| &row.generated);
                values.extend(generated.filter(|column| !assignments.iter().any(|(set, _)| set == *column)));
                let mut targets: Vec<Expr> =
                    values.iter().map(|column| new_value(modify, assignments, *column)).collect();
                let old = whole_row.then_some(1 + targets.len());
                if whole_row {
                    targets.extend((0..width).map(|column| old_value(modify.range, column)));
                }
                let extra = 1 + targets.len();
                targets.extend(extras.iter().map(|(range, column)| old_value(*range, *column)));
                let text = self.text(|e| {
                    e.with(ctes)?;
                    source(e, modify, from.as_ref(), filter.as_ref(), &targets)
                })?;
                Ok(modify_plan(ModifyKind::Update, text, values, old, extra, row))
            }
            ModifyAction::Delete { using, filter } => {
                let mut targets: Vec<Expr> = Vec::new();
                if whole_row {
                    targets.extend((0..width).map(|column| old_value(modify.range, column)));
                }
                let extra = 1 + targets.len();
                targets.extend(extras.iter().map(|(range, column)| old_value(*range, *column)));
                let text = self.text(|e| {
                    e.with(ctes)?;
                    source(e, modify, using.as_ref(), filter.as_ref(), &targets)
                })?;
                let old = whole_row.then_some(1);
                Ok(modify_plan(ModifyKind::Delete, text, Vec::new(), old, extra, row))
            }
            ModifyAction::Merge { source, on, clauses } => {
                let (plans, text, extra) = self.merge(modify, source, on, clauses, ctes)?;
                Ok(modify_plan(ModifyKind::Merge(plans), text, Vec::new(), Some(2), extra, row))
            }
        }
    }

    fn live_columns(&self, table: Oid) -> Vec<usize> {
        let attributes = self.catalog.attributes(table);
        attributes.iter().enumerate().filter(|(_, a)| !a.attisdropped).map(|(i, _)| i).collect()
    }

    /// What the table computes for the rows of a statement. An UPDATE leaves generated columns alone of which it assigns no
    /// input; one that assigns nothing sets generated columns to DEFAULT, and computes them all.
    fn computed(&self, modify: &Modify) -> Result<Computed> {
        if matches!(modify.action, ModifyAction::Delete { .. }) {
            return Ok(Computed::default());
        }
        let mut generated = self.stored.generated_columns(self.catalog, modify.target, modify.range)?;
        if let ModifyAction::Update { assignments, .. } = &modify.action
            && !assignments.is_empty()
        {
            let assigned = |column: usize| assignments.iter().any(|(assigned, _)| *assigned == column);
            let uses = |part: &Expr| matches!(part.kind, ExprKind::Column { column, .. } if assigned(column));
            generated.retain(|(column, expr)| assigned(*column) || any_expr(expr, &uses));
        }
        Ok(Computed {
            generated,
            checks: self.stored.table_checks(self.catalog, modify.target, modify.range)?,
        })
    }

    /// The text that computes generated columns, checks and RETURNING for one row; nothing when there are none.
    fn row_text(
        &mut self,
        modify: &Modify,
        computed: &Computed,
        extras: &[(RangeId, usize)],
    ) -> Result<Option<RowText>> {
        if computed.exprs(modify).next().is_none() {
            return Ok(None);
        }
        let Computed { generated, checks } = computed;
        let text = self.text(|e| {
            rename_to_row_values(e, modify.range, modify.target);
            for (i, (range, column)) in extras.iter().enumerate() {
                e.rename_lazily(*range, *column, Binding::Extra(i));
            }
            // Checks and RETURNING see generated columns as computed here.
            for (column, expr) in generated {
                e.expression(expr)?;
                let computed = e.take();
                e.rename(modify.range, *column, format!("({computed})"));
            }
            select_list(e, computed.exprs(modify))
        })?;
        Ok(Some(RowText {
            text,
            generated: generated.iter().map(|(column, _)| *column).collect(),
            checks: checks.iter().map(|(name, _)| name.clone()).collect(),
            returning: modify.returning.len(),
        }))
    }

    fn conflict(&mut self, modify: &Modify, conflict: &OnConflict) -> Result<ConflictPlan> {
        let Some((assignments, filter)) = &conflict.update else {
            return Ok(ConflictPlan { arbiters: conflict.arbiters.clone(), update: None });
        };
        let text = self.text(|e| {
            e.declare_relation(modify.range, modify.target)?;
            e.out.push_str("SELECT ");
            match filter {
                Some(filter) => e.expression(filter)?,
                None => e.out.push('1'),
            }
            for (_, expr) in assignments {
                e.out.push_str(", ");
                e.expression(expr)?;
            }
            e.out.push_str(" FROM ");
            e.from_item(&FromItem::Relation { range: modify.range, relation: modify.target })?;
            let rowid = e.rowid(modify.range)?;
            let _ = write!(e.out, " WHERE {rowid} = ");
            e.binding(Binding::RowNumber);
            Ok(())
        })?;
        let columns = assignments.iter().map(|(column, _)| *column).collect();
        Ok(ConflictPlan { arbiters: conflict.arbiters.clone(), update: Some((text, columns)) })
    }

    fn merge(
        &mut self,
        modify: &Modify,
        source: &FromItem,
        on: &Expr,
        clauses: &[MergeClause],
        ctes: &[Cte],
    ) -> Result<(Vec<MergeClausePlan>, Text, usize)> {
        let width = self.catalog.attributes(modify.target).len();
        let live = self.live_columns(modify.target);
        let mut plans = Vec::new();
        let mut next = 2 + width;
        for clause in clauses {
            let step = match &clause.action {
                None => MergeStep::Nothing,
                Some(MergeAction::Delete) => MergeStep::Delete,
                Some(MergeAction::Insert(values)) => MergeStep::Insert((0..values.len()).collect()),
                Some(MergeAction::Update(assignments)) => {
                    MergeStep::Update(assignments.iter().map(|(column, _)| *column).collect())
                }
            };
            let count = match &step {
                MergeStep::Insert(columns) | MergeStep::Update(columns) => columns.len(),
                MergeStep::Nothing | MergeStep::Delete => 0,
            };
            plans.push(MergeClausePlan { step, values: next });
            next += count;
        }
        let text = self.text(|e| {
            e.with(ctes)?;
            merge_source(e, modify, source, on, clauses, &live, width)
        })?;
        Ok((plans, text, next))
    }
}

/// `SELECT rowid, clause, old row, values of each clause FROM source LEFT JOIN target ON …`.
fn merge_source(
    e: &mut Emitter<'_>,
    modify: &Modify,
    source: &FromItem,
    on: &Expr,
    clauses: &[MergeClause],
    live: &[usize],
    width: usize,
) -> Result<()> {
    e.declare_relation(modify.range, modify.target)?;
    e.declare(source)?;
    let rowid = e.rowid(modify.range)?;
    let before = e.take();
    let mut guards = Vec::new();
    for clause in clauses {
        let _ = write!(e.out, "{rowid} IS {}NULL", if clause.matched { "NOT " } else { "" });
        if let Some(condition) = &clause.condition {
            e.out.push_str(" AND ");
            e.expression(condition)?;
        }
        guards.push(e.take());
    }
    let _ = write!(e.out, "{before}SELECT {rowid}, CASE");
    for (i, guard) in guards.iter().enumerate() {
        let _ = write!(e.out, " WHEN {guard} THEN {i}");
    }
    e.out.push_str(" END");
    for column in 0..width {
        e.out.push_str(", ");
        if live.contains(&column) {
            e.expression(&old_value(modify.range, column))?;
        } else {
            e.out.push_str("NULL");
        }
    }
    for (clause, guard) in clauses.iter().zip(&guards) {
        let values: Vec<&Expr> = match &clause.action {
            Some(MergeAction::Insert(values)) => values.iter().collect(),
            Some(MergeAction::Update(assignments)) => assignments.iter().map(|(_, e)| e).collect(),
            _ => Vec::new(),
        };
        for value in values {
            let _ = write!(e.out, ", CASE WHEN {guard} THEN ");
            e.expression(value)?;
            e.out.push_str(" END");
        }
    }
    e.out.push_str(" FROM ");
    e.from_item(source)?;
    e.out.push_str(" LEFT JOIN ");
    e.from_item(&FromItem::Relation { range: modify.range, relation: modify.target })?;
    e.out.push_str(" ON ");
    e.expression(on)
}

/// `SELECT rowid, targets FROM target JOIN others WHERE filter`.
fn source(
    e: &mut Emitter<'_>,
    modify: &Modify,
    others: Option<&FromItem>,
    filter: Option<&Expr>,
    targets: &[Expr],
) -> Result<()> {
    e.declare_relation(modify.range, modify.target)?;
    if let Some(others) = others {
        e.declare(others)?;
    }
    let rowid = e.rowid(modify.range)?;
    let _ = write!(e.out, "SELECT {rowid}");
    for target in targets {
        e.out.push_str(", ");
        match e.expression(target) {
            // Dropped columns have no name; their value is NULL.
            Err(error) if error.code() == crate::SqlState::INTERNAL_ERROR => e.out.push_str("NULL"),
            other => other?,
        }
    }
    e.out.push_str(" FROM ");
    e.from_item(&FromItem::Relation { range: modify.range, relation: modify.target })?;
    if let Some(others) = others {
        let nested = matches!(others, FromItem::Join { .. });
        e.out.push_str(if nested { " JOIN (" } else { " JOIN " });
        e.from_item(others)?;
        e.out.push_str(if nested { ")" } else { "" });
    }
    if let Some(filter) = filter {
        e.out.push_str(" WHERE ");
        e.expression(filter)?;
    }
    Ok(())
}

/// Lets the columns of a table's row be given one by one.
pub(super) fn rename_to_row_values(e: &mut Emitter<'_>, range: RangeId, table: Oid) {
    let attributes = e.catalog.attributes(table);
    e.declare_positional(range, attributes.len());
    for (column, _) in attributes.iter().enumerate().filter(|(_, attribute)| !attribute.attisdropped) {
        // Places are numbered as they are first used, so that unused columns take none.
        e.rename_lazily(range, column, Binding::RowValue(column));
    }
}

/// `SELECT a, b, c`.
pub(super) fn select_list<'e>(
    e: &mut Emitter<'_>,
    expressions: impl Iterator<Item = &'e Expr>,
) -> Result<()> {
    let mut texts = Vec::new();
    for expr in expressions {
        e.expression(expr)?;
        texts.push(e.take());
    }
    e.out = format!("SELECT {}", texts.join(", "));
    Ok(())
}

/// Puts a query in parentheses when WITH stands before it, since it may have its own.
fn wrapped(
    e: &mut Emitter<'_>,
    needed: bool,
    write: impl FnOnce(&mut Emitter<'_>) -> Result<()>,
) -> Result<()> {
    if !needed {
        return write(e);
    }
    e.out.push_str("SELECT * FROM (");
    write(e)?;
    e.out.push(')');
    Ok(())
}

fn old_value(range: RangeId, column: usize) -> Expr {
    // Only its text matters from here on.
    Expr {
        kind: ExprKind::Column { range, column },
        ty: TypeMod::plain(Oid::INVALID),
        collation: Oid::INVALID,
    }
}

fn new_value(modify: &Modify, assignments: &[(usize, Expr)], column: usize) -> Expr {
    let assigned = assignments.iter().find(|(assigned, _)| *assigned == column);
    assigned.map_or_else(|| old_value(modify.range, column), |(_, expr)| expr.clone())
}

/// The columns of other ranges that RETURNING uses: those of FROM and USING.
fn extra_columns(modify: &mut Modify) -> Vec<(RangeId, usize)> {
    let mut ranges = Vec::new();
    let mut collect = |item: &FromItem| ranges_of(item, &mut ranges);
    match &modify.action {
        ModifyAction::Update { from: Some(item), .. } | ModifyAction::Delete { using: Some(item), .. } => {
            collect(item);
        }
        _ => return Vec::new(),
    }
    let mut columns = Vec::new();
    for target in &mut modify.returning {
        every_expr_mut(&mut target.expr, &mut |expr| {
            if let ExprKind::Column { range, column } = expr.kind
                && ranges.contains(&range)
                && !columns.contains(&(range, column))
            {
                columns.push((range, column));
            }
        });
    }
    columns
}

fn ranges_of(item: &FromItem, ranges: &mut Vec<RangeId>) {
    match item {
        FromItem::Relation { range, .. }
        | FromItem::Subquery { range, .. }
        | FromItem::Cte { range, .. }
        | FromItem::Functions { range, .. } => ranges.push(*range),
        FromItem::Join { left, right, .. } => {
            ranges_of(left, ranges);
            ranges_of(right, ranges);
        }
    }
}
