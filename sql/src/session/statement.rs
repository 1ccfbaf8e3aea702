//! One statement: parsed, planned, run. Parsing and planning are looked up first.

use std::sync::Arc;

use crate::parse::ast;

use super::cache::{Known, KnownText, OverOwnChanges, Planned};
use super::extended::Formats;
use super::locking::Runs;
use super::pump::Emitted;
use super::{Destination, RowShape, Session, StatementContext};
use crate::bind::{self, BindContext};
use crate::bound::{BoundStatement, LockStrength, TypeMod};
use crate::catalog::Catalog;
use crate::execute;
use crate::interrupt::MadeOfText;
use crate::lower::only_table;
use crate::parse::{self, Node};
use crate::{Oid, Result, SqlError, Value, error};

/// Who takes the snapshot that a statement reads.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Snapshot {
    /// The statement for itself, where the transaction does not keep one: it is run to its end, or on, right away.
    OfStatement,
    /// The transaction, beforehand.
    OfTransaction,
}

/// How a statement is run.
pub(super) struct Run<'a> {
    pub(super) parameters: &'a [Value],
    /// The parameters' types.
    pub(super) types: &'a [Oid],
    pub(super) formats: &'a Formats,
    /// Whether the columns are announced: for simple queries.
    pub(super) announce: bool,
    /// How many rows are wanted.
    pub(super) rows_max: Option<u64>,
}

/// The words of a tag, without its count.
pub(crate) fn command_word(tree: &ast::Statement) -> &'static str {
    match tree {
        ast::Statement::Insert(_) => "INSERT 0",
        ast::Statement::Update(_) => "UPDATE",
        ast::Statement::Delete(_) => "DELETE",
        ast::Statement::Merge(_) => "MERGE",
        ast::Statement::Query(query) => match &*query.body {
            ast::SetExpr::Insert(inner)
            | ast::SetExpr::Update(inner)
            | ast::SetExpr::Delete(inner)
            | ast::SetExpr::Merge(inner) => command_word(inner),
            _ => "SELECT",
        },
        _ => "SELECT",
    }
}

/// The same error with its position counted from the start of the query string.
pub(super) fn shifted(mut error: SqlError, offset: usize) -> SqlError {
    if let Some(position) = &mut error.0.position {
        *position += offset;
    }
    error
}

/// The type that a domain is made of, with the modifier that the domain gives it; other types as they are.
fn base_type(catalog: &Catalog, mut ty: TypeMod) -> TypeMod {
    while let Some(row) = catalog.type_(ty.oid).filter(|row| row.typtype == 'd') {
        ty = TypeMod { oid: row.typbasetype, modifier: row.typtypmod };
    }
    ty
}

impl Session {
    /// Parses a query string.
    ///
    /// # Errors
    /// `42601`.
    pub(super) fn parsed(&self, text: &str) -> Result<KnownText> {
        let cached = self.shared.cluster.statements.lock().get(text);
        if let Some(statements) = cached {
            return Ok(statements);
        }
        let parsed = {
            let _attention = self.attend();
            parse::parse(text).map_err(|error| self.reason_to_stop(error))?
        };
        let statements: KnownText = parsed.into_iter().map(|parsed| Arc::new(Known::new(parsed))).collect();
        self.shared.cluster.statements.lock().put(text, &statements);
        Ok(statements)
    }

    /// The schemas of `search_path` that exist and may be used, `pg_catalog` first unless it is named.
    pub(super) fn search_path(&mut self, catalog: &Catalog) -> Arc<[Oid]> {
        self.environment(catalog).search_path.clone()
    }

    /// The plan of a statement on this catalog, from those that are kept of it or newly made.
    ///
    /// # Errors
    /// Those of the binder; `0A000`.
    pub(super) fn known_plan(
        &mut self,
        statement: &Known,
        declared: &[Oid],
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<Planned>> {
        let Node::Sql(tree) = &statement.parsed.node else {
            return Err(SqlError::internal("a utility statement among queries"));
        };
        let environment = self.environment(catalog);
        if let Some(planned) = statement.plans.get(environment.number, declared) {
            return Ok(planned);
        }
        let text = &statement.parsed.text;
        let planned = self.plan(tree, text, declared, catalog)?;
        statement.plans.put(text, environment.number, declared, &planned);
        Ok(planned)
    }

    /// A new plan of a statement on this catalog.
    ///
    /// # Errors
    /// Those of the binder; `0A000`.
    pub(super) fn plan(
        &mut self,
        tree: &ast::Statement,
        text: &str,
        declared: &[Oid],
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<Planned>> {
        let planned = self.with_binding(text, declared, catalog, |binding, user| {
            let bound = MadeOfText::new(bind::bind(tree, binding)?, text);
            finish_plan(&bound, binding, user)
        });
        planned.map_err(|error| self.reason_to_stop(error))
    }

    /// Lends what binding a text depends on, and the user.
    pub(super) fn with_binding<T>(
        &mut self,
        text: &str,
        declared: &[Oid],
        catalog: &Arc<Catalog>,
        bind: impl FnOnce(&BindContext<'_>, Oid) -> T,
    ) -> T {
        let environment = self.environment(catalog);
        let started =
            self.transaction.as_ref().map_or(self.statement_time, |transaction| transaction.started);
        let (format, search_path) = (environment.format(started), &environment.search_path);
        let binding = BindContext { catalog, search_path, format: &format, text, parameters: declared };
        let _attention = self.attend();
        bind(&binding, environment.user)
    }

    /// Plans a statement and begins the work it needs, on one catalog.
    ///
    /// # Errors
    /// Those of planning; `25006`; those of waiting for the write lock.
    pub(super) async fn prepare_known(
        &mut self,
        statement: &Known,
        declared: &[Oid],
        snapshot: Snapshot,
    ) -> Result<(Arc<Planned>, Arc<Catalog>)> {
        let mut catalog = self.present_catalog();
        loop {
            let planned = self.known_plan(statement, declared, &catalog)?;
            let now = self.begin_work(&planned, snapshot).await?;
            if now.version() == planned.catalog {
                return Ok((planned, now));
            }
            catalog = now;
        }
    }

    /// As [`Self::prepare_known`], for a statement inside another one.
    ///
    /// # Errors
    /// As there.
    pub(super) async fn prepare_to_run(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        parameters: &[Oid],
    ) -> Result<(Arc<Planned>, Arc<Catalog>)> {
        let mut catalog = self.present_catalog();
        loop {
            let planned = self.plan(tree, text, parameters, &catalog)?;
            let now = self.begin_work(&planned, Snapshot::OfTransaction).await?;
            if now.version() == planned.catalog {
                return Ok((planned, now));
            }
            catalog = now;
        }
    }

    /// Whether the transaction may run a statement that locks rows.
    fn check_may_lock(&self, strength: LockStrength) -> Result<()> {
        self.check_may_write(match strength {
            LockStrength::KeyShare => "SELECT FOR KEY SHARE",
            LockStrength::Share => "SELECT FOR SHARE",
            LockStrength::NoKeyUpdate => "SELECT FOR NO KEY UPDATE",
            LockStrength::Update => "SELECT FOR UPDATE",
        })
    }

    /// Begins the work that a plan needs; the catalog that goes with it, which may be another than the plan's.
    ///
    /// # Errors
    /// `42501`; `25006`; those of waiting for locks.
    pub(super) async fn begin_work(&mut self, planned: &Planned, snapshot: Snapshot) -> Result<Arc<Catalog>> {
        planned.check_allowed()?;
        self.leave_beside();
        self.lock_relations(&planned.relations).await?;
        let plan = &planned.plan;
        if !plan.read_only {
            self.check_may_write(plan.tag().trim_end_matches(" 0"))?;
        }
        if snapshot == Snapshot::OfStatement && self.goes_beside(planned) {
            return self.begin_beside(plan);
        }
        if !plan.read_only {
            if plan.may_defer_checks() {
                self.transaction().may_wait = true;
            }
            return self.begin_writing_rows().await;
        }
        if let Some(strength) = plan.row_lock {
            self.check_may_lock(strength)?;
        }
        // A function that changes tables is allowed to be called where nothing may be changed: its statement fails.
        if plan.may_write && self.check_may_write("").is_ok() {
            return self.begin_writing_rows().await;
        }
        self.resume_writing().await?;
        match snapshot {
            Snapshot::OfStatement if !plan.waits && !plan.nested && plan.row_lock.is_none() => {
                self.begin_reading_statement()
            }
            _ => self.begin_reading(),
        }
    }

    /// Runs a query or data-modifying statement.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn run_tree(
        &mut self,
        statement: &Known,
        declared: &[Oid],
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<(Emitted, Arc<Planned>, Arc<StatementContext>)> {
        let start = destination.sent();
        let mut snapshot = Snapshot::OfStatement;
        let mut runs = Runs::begin();
        loop {
            runs.next(self).await?;
            let held_before = self.transaction().work.writes();
            let (planned, catalog) = self.prepare_known(statement, declared, snapshot).await?;
            match self.run_planned(&planned, &catalog, run, destination).await {
                Ok(Some((emitted, context))) => return Ok((emitted, planned, context)),
                // A row has changed before it was locked.
                Ok(None) => {}
                Err(error) if execute::is_stale_catalog(&error) && destination.take_back(start) => {
                    snapshot = Snapshot::OfTransaction;
                }
                Err(error) => match self.services.take_awaited() {
                    Some(awaited) => self.await_row(awaited, held_before).await?,
                    None => return Err(error),
                },
            }
        }
    }

    /// Runs a plan whose work has begun; nothing when it is to be run again.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn run_planned(
        &mut self,
        planned: &Arc<Planned>,
        catalog: &Arc<Catalog>,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<Option<(Emitted, Arc<StatementContext>)>> {
        let context = self.statement_context(catalog);
        let emitted =
            if let Some((planned, parameters)) = self.over_own_changes(planned, run.parameters, catalog)? {
                let run = Run { parameters: &parameters, ..*run };
                self.run_query(&planned, &run, &context, destination).await?
            } else if planned.plan.read_only && planned.plan.row_lock.is_none() {
                self.run_query(planned, run, &context, destination).await?
            } else {
                let (rows, changed) = if planned.plan.read_only {
                    let Some(rows) = self.collect_locked(planned, run.parameters, &context).await? else {
                        return Ok(None);
                    };
                    (rows, None)
                } else {
                    let done = if self.is_beside() {
                        let Some(done) = self.note_changes(planned, run.parameters, &context).await? else {
                            return Ok(None);
                        };
                        done
                    } else {
                        self.run_modify(planned, run.parameters, &context).await?
                    };
                    self.reads_untold |= planned.plan.tells_nothing();
                    (done.rows.into(), Some(done.count))
                };
                if run.announce && planned.columns().is_some() {
                    let formats = run.formats.for_columns(planned.plan.columns.len());
                    destination.columns(&RowShape { columns: &planned.plan.columns, formats: &formats })?;
                }
                self.send_rows(rows, changed, planned, run, &context, destination).await?
            };
        self.report_notices(destination);
        Ok(Some((emitted, context)))
    }
}

/// The plan of a bound statement, for a user.
///
/// # Errors
/// `0A000`.
pub(super) fn finish_plan(
    bound: &BoundStatement,
    binding: &BindContext<'_>,
    user: Oid,
) -> Result<Arc<Planned>> {
    let catalog = binding.catalog;
    let mut plan = execute::make_plan(bound, binding)?;
    // Clients are told of a domain's base type.
    for column in &mut plan.columns {
        column.ty = base_type(catalog, column.ty);
    }
    let denied = bind::check_privileges(bound, catalog, user).err();
    let relations = bind::locked_relations(bound, catalog);
    let alone = plan.read_only
        && plan.row_lock.is_none()
        && !(plan.nested || plan.may_write || plan.waits || plan.once);
    let table = if alone { only_table(&bound.statement) } else { None };
    let over_own_changes = table.map(|table| OverOwnChanges::new(table, bound.clone()));
    Ok(Arc::new(Planned { plan, catalog: catalog.version(), relations, denied, over_own_changes }))
}

/// The error for a statement in a transaction that has failed.
pub(super) fn aborted() -> SqlError {
    error!(
        IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block"
    )
}
