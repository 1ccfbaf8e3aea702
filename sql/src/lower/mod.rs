//! Lowering: from [`crate::bound`] tree to SQLite text, by an ordered list of small pure passes and one emitter.
//!
//! | file | what |
//! |---|---|
//! | `passes` | constructs that SQLite lacks, rewritten into ones it has |
//! | `emit` | the tree as text |
//! | `modify` | INSERT, UPDATE, DELETE, MERGE: a source query and what the host does with its rows |
//! | `host`, `composite`, `relations` | functions and tables that the host lends to the text |
//! | `own_changes` | queries of a table of which the transaction has changed rows that the engine does not have |
//! | `silent` | what success tells a client of what the tables hold |
//! | `walk` | where expressions and queries stand inside each other |

mod composite;
mod emit;
pub(crate) mod host;
mod modify;
mod own_changes;
mod passes;
mod relations;
mod silent;
mod walk;

#[cfg(test)]
mod tests;

use std::sync::Arc;

pub use host::HostFunction;
pub use modify::{ConflictPlan, MergeClausePlan, MergeStep, ModifyKind, ModifyPlan, RowText};
pub use silent::Tells;

use crate::bound::{
    BoundStatement, Cte, CteBody, CteId, Expr, ExprKind, LockStrength, OutputColumn, RangeId, RecordColumns,
    SqlValue, Statement,
};
use crate::catalog::Catalog;
use crate::interrupt::MadeOfText;
use crate::{Oid, Result};
use emit::Emitter;
pub(crate) use emit::{quoted, rowid_name};
pub(crate) use own_changes::{OwnChanges, only_table};
pub(crate) use walk::{children_mut, every_expr_mut, every_query_mut, query_exprs_mut, statement_exprs_mut};

/// A statement made ready for SQLite.
pub struct Plan {
    /// The visible columns; empty when no rows are returned.
    pub columns: Vec<OutputColumn>,
    /// The parameters' types.
    pub parameters: Vec<Oid>,
    /// Whether a function in it may wait, so that it must leave the reactor thread.
    pub waits: bool,
    /// Whether a function in it does something that must not be done twice: once begun, it must not be begun again. One
    /// that may have many rows is also marked [`Self::waits`].
    pub once: bool,
    /// Whether a function in it may change tables: it needs the right to write, even as a query.
    pub may_write: bool,
    /// Whether a function or table in it runs statements of its own, which must see the same snapshot.
    pub nested: bool,
    /// Whether it changes no table.
    pub read_only: bool,
    /// What is run, in order: the data-modifying parts of WITH first, then the statement itself.
    pub parts: Vec<ModifyPart>,
    /// The statement itself.
    pub main: MainPlan,
    /// How it locks rows (FOR UPDATE and its kin), if it does: the strongest way.
    pub row_lock: Option<LockStrength>,
}

impl Plan {
    /// What its success tells a client of what the tables hold.
    pub fn tells(&self) -> Tells {
        match &self.main {
            MainPlan::Modify(modify) if self.parts.is_empty() => modify.tells,
            _ => Tells::Anything,
        }
    }

    /// Whether its success tells a client nothing of what the tables hold.
    pub fn tells_nothing(&self) -> bool {
        self.tells() == Tells::Nothing
    }

    /// Whether all that it reads is read by one text.
    pub fn is_one_text(&self) -> bool {
        self.parts.is_empty()
            && match &self.main {
                MainPlan::Query(_) => true,
                MainPlan::Modify(modify) => modify.row.is_none(),
            }
    }

    /// Whether it can be noted and made in the engine later: [`ModifyPlan::can_be_noted`], and nothing else has an effect.
    pub fn can_be_noted(&self) -> bool {
        self.parts.is_empty()
            && !(self.waits || self.once || self.may_write || self.nested)
            && matches!(&self.main, MainPlan::Modify(modify) if modify.can_be_noted)
    }

    /// Whether it may leave checks for the end of its transaction.
    pub fn may_defer_checks(&self) -> bool {
        let main = match &self.main {
            MainPlan::Modify(modify) => Some(&**modify),
            MainPlan::Query(_) => None,
        };
        let mut changed = self.parts.iter().map(|part| &part.modify).chain(main).map(|modify| &modify.table);
        changed.any(|table| table.references.iter().chain(&table.referenced).any(|key| key.condeferred))
    }

    /// The word of the command tag: `SELECT`, `INSERT 0`, ….
    pub fn tag(&self) -> &'static str {
        match &self.main {
            MainPlan::Query(_) => "SELECT",
            MainPlan::Modify(modify) => match modify.kind {
                ModifyKind::Insert(_) => "INSERT 0",
                ModifyKind::Update => "UPDATE",
                ModifyKind::Delete => "DELETE",
                ModifyKind::Merge(_) => "MERGE",
            },
        }
    }
}

/// A data-modifying part of WITH.
pub struct ModifyPart {
    /// By which the others read what it returns.
    pub cte: CteId,
    /// What it does.
    pub modify: ModifyPlan,
}

/// The statement itself.
pub enum MainPlan {
    /// A query: its visible columns are the first.
    Query(Text),
    /// A data-modifying statement.
    Modify(Box<ModifyPlan>),
}

/// One text for the engine with what it needs.
#[derive(Clone)]
pub struct Text {
    /// The text.
    pub sql: Arc<str>,
    /// What `?1`, `?2`, … stand for.
    pub bindings: Vec<Binding>,
    /// What must be registered before it is prepared.
    pub functions: Vec<HostFunction>,
}

/// What a place in a text stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// A parameter of the statement, from 1.
    Parameter(usize),
    /// `CURRENT_TIMESTAMP` and its kin, as of the statement.
    SqlValue(SqlValue),
    /// Column of the row proposed for insertion (`excluded`).
    Excluded(usize),
    /// Column of the target's new row (of the old one, for DELETE).
    RowValue(usize),
    /// The row number of the target's row.
    RowNumber,
    /// A further column of the source query, for RETURNING.
    Extra(usize),
}

/// Expressions that the catalog keeps as SQL text, bound. The emitter asks for them where a table or a domain says so.
pub trait StoredExpressions {
    /// The checks of a domain and of those it is made of, over [`ExprKind::Placeholder`].
    fn domain_checks(&self, catalog: &Catalog, domain: Oid) -> Result<DomainChecks>;
    /// The CHECK constraints of a table by name, over the columns of `range`.
    fn table_checks(&self, catalog: &Catalog, table: Oid, range: RangeId) -> Result<Vec<(String, Expr)>>;
    /// The generated columns of a table with their positions, over the columns of `range`.
    fn generated_columns(&self, catalog: &Catalog, table: Oid, range: RangeId) -> Result<Vec<(usize, Expr)>>;
    /// The host functions that a table's indexes call.
    fn index_functions(&self, catalog: &Catalog, table: Oid) -> Result<Vec<HostFunction>>;
}

/// What a domain demands.
pub struct DomainChecks {
    /// The domain's name.
    pub name: String,
    /// Whether NULL is refused.
    pub not_null: bool,
    /// Constraint names and conditions.
    pub constraints: Vec<(String, Expr)>,
}

/// Lowers a bound statement.
///
/// # Errors
/// `0A000` naming the construct that cannot be lowered.
pub fn plan(
    statement: &BoundStatement,
    catalog: &Arc<Catalog>,
    stored: &dyn StoredExpressions,
) -> Result<Plan> {
    plan_with(statement, catalog, stored, None)
}

/// As [`plan`], for a query of a table of which the transaction has changed rows: they are parameters after the
/// statement's own, see [`OwnChanges`].
///
/// # Errors
/// As there.
pub(crate) fn plan_with(
    statement: &BoundStatement,
    catalog: &Arc<Catalog>,
    stored: &dyn StoredExpressions,
    own: Option<&OwnChanges>,
) -> Result<Plan> {
    let mut tree = MadeOfText::worked_on((*statement.statement).clone());
    passes::run(&mut tree)?;
    let mut planner = Planner::new(catalog, stored);
    planner.records = statement.records.clone();
    planner.own = own.map(|own| (own, statement.parameters.len() + 1));
    let (parts, main, columns) = match &*tree {
        Statement::Query(query) => {
            let parts = planner.parts(&query.ctes)?;
            let text = planner.text(|emitter| emitter.query(query))?;
            (parts, MainPlan::Query(text), query.columns.clone())
        }
        Statement::Modify(modify) => {
            let parts = planner.parts(&modify.ctes)?;
            let plan = planner.modify(modify)?;
            (parts, MainPlan::Modify(Box::new(plan)), modify.columns.clone())
        }
    };
    let read_only = parts.is_empty() && matches!(main, MainPlan::Query(_));
    let parameters = statement.parameters.clone();
    let columns = columns.into_iter().map(|column| sent(column, catalog)).collect();
    Ok(Plan {
        columns,
        parameters,
        waits: planner.waits,
        once: planner.once,
        may_write: planner.may_write,
        nested: planner.nested,
        read_only,
        parts,
        main,
        row_lock: planner.row_lock,
    })
}

/// A column as clients are told of it: domains are their base types (PostgreSQL's `SendRowDescriptionMessage`).
fn sent(mut column: OutputColumn, catalog: &Catalog) -> OutputColumn {
    while let Some(domain) = catalog.type_(column.ty.oid).filter(|ty| ty.typtype == 'd') {
        column.ty = crate::bound::TypeMod { oid: domain.typbasetype, modifier: domain.typtypmod };
    }
    column
}

/// Lowers expressions over one row of a table, given as [`Binding::RowValue`]s: what CHECK, generated columns and
/// expression indexes are evaluated by.
///
/// # Errors
/// As [`plan`].
pub fn row_expressions(
    catalog: &Catalog,
    stored: &dyn StoredExpressions,
    range: RangeId,
    table: Oid,
    expressions: &[Expr],
) -> Result<Text> {
    let mut planner = Planner::new(catalog, stored);
    planner.text(|emitter| {
        modify::rename_to_row_values(emitter, range, table);
        modify::select_list(emitter, expressions.iter())
    })
}

/// Lowers an expression over the columns of a table for an index of that table: plain column names.
///
/// # Errors
/// As [`plan`]; `0A000` when it needs a value of the session.
pub fn index_expression(
    catalog: &Catalog,
    stored: &dyn StoredExpressions,
    range: RangeId,
    columns: &[String],
    expression: &Expr,
) -> Result<Text> {
    let mut planner = Planner::new(catalog, stored);
    planner.text(|emitter| {
        emitter.declare_positional(range, columns.len());
        for (i, column) in columns.iter().enumerate() {
            emitter.rename(range, i, quoted(column));
        }
        emitter.expression(expression)
    })
}

/// What the parts of one statement share.
struct Planner<'a> {
    catalog: &'a Catalog,
    stored: &'a dyn StoredExpressions,
    waits: bool,
    once: bool,
    may_write: bool,
    row_lock: Option<LockStrength>,
    nested: bool,
    /// The modifying parts so far: number, name, columns.
    buffered: Vec<(CteId, String, usize)>,
    /// The WITH queries so far, which every later part may read.
    queries: Vec<Cte>,
    records: RecordColumns,
    /// What the transaction has changed, and the number of the first parameter that tells it.
    own: Option<(&'a OwnChanges, usize)>,
}

impl<'a> Planner<'a> {
    fn new(catalog: &'a Catalog, stored: &'a dyn StoredExpressions) -> Self {
        let records = RecordColumns::default();
        Self {
            catalog,
            stored,
            waits: false,
            once: false,
            may_write: false,
            row_lock: None,
            nested: false,
            buffered: Vec::new(),
            queries: Vec::new(),
            records,
            own: None,
        }
    }

    /// The data-modifying parts of a WITH list.
    fn parts(&mut self, ctes: &[Cte]) -> Result<Vec<ModifyPart>> {
        let mut parts = Vec::new();
        for cte in ctes {
            match &cte.body {
                CteBody::Query(_) => self.queries.push(cte.clone()),
                CteBody::Modify(modify) => {
                    let nested = self.parts(&modify.ctes)?;
                    parts.extend(nested);
                    let plan = self.modify(modify)?;
                    parts.push(ModifyPart { cte: cte.id, modify: plan });
                    // A connection keeps host tables by name: what they are made of must be in it.
                    let width = cte.columns.len();
                    let name = format!("{}#{}_{width}", cte.name, cte.id.0);
                    self.buffered.push((cte.id, name, width));
                }
            }
        }
        Ok(parts)
    }

    /// Writes one text.
    fn text(&mut self, write: impl FnOnce(&mut Emitter<'_>) -> Result<()>) -> Result<Text> {
        let mut emitter = Emitter::new(self.catalog, self.stored);
        emitter.records.clone_from(&self.records);
        emitter.own = self.own;
        for (id, name, width) in &self.buffered {
            emitter.declare_buffered(*id, name.clone(), *width);
        }
        write(&mut emitter)?;
        let sql = emitter.take().into();
        self.waits |= emitter.needs.waits || emitter.needs.effects && emitter.needs.scans;
        self.once |= emitter.needs.effects;
        self.may_write |= emitter.needs.may_write;
        self.row_lock = self.row_lock.max(emitter.needs.row_lock);
        self.nested |= emitter.needs.nested;
        let functions = emitter.needs.functions.into_values().collect();
        Ok(Text { sql, bindings: emitter.needs.bindings, functions })
    }
}

/// Puts expressions in the place of columns.
pub(crate) fn replace_columns(expr: &mut Expr, replacement: &dyn Fn(RangeId, usize) -> Option<Expr>) {
    walk::every_expr_mut(expr, &mut |expr| {
        if let ExprKind::Column { range, column } = expr.kind
            && let Some(other) = replacement(range, column)
        {
            *expr = other;
        }
    });
}

/// Gives a range table entry another number.
pub(crate) fn rename_range(expr: &mut Expr, from: RangeId, to: RangeId) {
    walk::every_expr_mut(expr, &mut |expr| match &mut expr.kind {
        ExprKind::Column { range, .. } | ExprKind::SystemColumn { range, .. } | ExprKind::WholeRow(range)
            if *range == from =>
        {
            *range = to;
        }
        _ => {}
    });
}

/// The expression's constant, if it is one.
pub(crate) fn constant(expr: &Expr) -> Option<&crate::Value> {
    match &expr.kind {
        ExprKind::Constant(value) => Some(value),
        _ => None,
    }
}
