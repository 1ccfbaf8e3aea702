//! One statement: parsed, planned, run. Parsing and planning are looked up first.

use std::sync::Arc;

use crate::parse::ast;

use super::cache::{PlanKey, Planned};
use super::extended::Formats;
use super::locking::Runs;
use super::pump::Emitted;
use super::{Destination, RowShape, Session, StatementContext};
use crate::bind::{self, BindContext};
use crate::bound::{LockStrength, TypeMod};
use crate::catalog::Catalog;
use crate::catalog::privileges::Privileges;
use crate::execute;
use crate::oid::namespaces;
use crate::parse::{self, Node, ParsedStatement};
use crate::settings::id;
use crate::{Oid, Result, SqlError, Value, error};

/// What the schemas of a search path depend on.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct SearchPathKey {
    catalog: u64,
    setting: String,
    user: Oid,
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
    pub(super) fn parsed(&self, text: &str) -> Result<Arc<[ParsedStatement]>> {
        let cached = self.shared.cluster.statements.lock().get(text);
        if let Some(statements) = cached {
            return Ok(statements);
        }
        let statements: Arc<[ParsedStatement]> = parse::parse(text)?.into();
        self.shared.cluster.statements.lock().put(text, &statements);
        Ok(statements)
    }

    /// The schemas of `search_path` that exist and may be used, `pg_catalog` first unless it is named.
    pub(super) fn search_path(&mut self, catalog: &Catalog) -> Vec<Oid> {
        let (setting, names) = {
            let settings = self.shared.settings.lock();
            (settings.text(id::SEARCH_PATH).to_owned(), settings.search_path())
        };
        let user = self.shared.users.lock().1;
        let key = SearchPathKey { catalog: catalog.version(), setting, user };
        if let Some((known, path)) = &self.search_path
            && *known == key
        {
            return path.clone();
        }
        let path = resolve_search_path(catalog, &names, user);
        self.search_path = Some((key, path.clone()));
        path
    }

    /// The plan of a statement on this catalog, from the cache or newly made.
    ///
    /// # Errors
    /// Those of the binder; `0A000`.
    pub(super) fn plan(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        parameters: &[Oid],
        catalog: &Arc<Catalog>,
    ) -> Result<Arc<Planned>> {
        let search_path = self.search_path(catalog);
        let user = self.shared.users.lock().1;
        let key = PlanKey {
            text: text.clone(),
            parameters: parameters.to_vec(),
            catalog: catalog.version(),
            search_path,
            user,
            format: self.format_key(),
        };
        if let Some(planned) = self.database.plans.lock().get(&key) {
            return Ok(planned);
        }
        let started =
            self.transaction.as_ref().map_or(self.statement_time, |transaction| transaction.started);
        let format = self.shared.settings.lock().format(started);
        let binding =
            BindContext { catalog, search_path: &key.search_path, format: &format, text, parameters };
        let bound = bind::bind(tree, &binding)?;
        let mut plan = execute::make_plan(&bound, &binding)?;
        // Clients are told of a domain's base type.
        for column in &mut plan.columns {
            column.ty = base_type(catalog, column.ty);
        }
        let denied = bind::check_privileges(&bound, catalog, user).err();
        let relations = bind::locked_relations(&bound, catalog);
        let planned = Arc::new(Planned { plan, catalog: catalog.version(), relations, denied });
        self.database.plans.lock().put(key, &planned);
        Ok(planned)
    }

    /// The settings by which literals are read, as one text.
    fn format_key(&self) -> String {
        let settings = self.shared.settings.lock();
        format!(
            "{}\n{}\n{}",
            settings.text(id::DATE_STYLE),
            settings.text(id::TIME_ZONE),
            settings.text(id::INTERVAL_STYLE)
        )
    }

    /// Plans a statement and begins the work it needs, on one catalog.
    ///
    /// # Errors
    /// Those of planning; `25006`; those of waiting for the write lock.
    pub(super) async fn prepare_to_run(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        parameters: &[Oid],
    ) -> Result<(Arc<Planned>, Arc<Catalog>)> {
        let mut catalog = self.present_catalog();
        loop {
            let planned = self.plan(tree, text, parameters, &catalog)?;
            planned.check_allowed()?;
            // A function that changes tables is allowed to be called where nothing may be changed: its statement fails.
            let may_write = planned.plan.may_write && self.check_may_write("").is_ok();
            self.lock_relations(&planned.relations).await?;
            if let Some(strength) = planned.plan.row_lock {
                self.check_may_lock(strength)?;
            }
            let now = if planned.plan.read_only && !may_write {
                self.begin_reading()?
            } else if planned.plan.read_only {
                self.begin_writing().await?
            } else {
                self.check_may_write(command_word(tree).trim_end_matches(" 0"))?;
                self.begin_writing().await?
            };
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

    /// Runs a query or data-modifying statement.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) async fn run_tree(
        &mut self,
        statement: &ParsedStatement,
        parameter_types: &[Oid],
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<(Emitted, Arc<Planned>)> {
        let Node::Sql(tree) = &statement.node else {
            return Err(SqlError::internal("a utility statement among queries"));
        };
        let mut runs = Runs::begin();
        loop {
            runs.next(self).await?;
            let held_before = self.transaction().work.writes();
            let (planned, catalog) = self.prepare_to_run(tree, &statement.text, parameter_types).await?;
            let context = self.statement_context(&catalog);
            match self.run_planned(&planned, run, &context, destination).await {
                Ok(Some(emitted)) => {
                    self.report_notices(destination);
                    return Ok((emitted, planned));
                }
                // A row has changed before it was locked.
                Ok(None) => {}
                Err(error) => match self.services.take_awaited() {
                    Some(awaited) => self.await_row(awaited, held_before).await?,
                    None => return Err(error),
                },
            }
        }
    }

    /// Runs a plan; nothing when it is to be run again.
    async fn run_planned(
        &mut self,
        planned: &Arc<Planned>,
        run: &Run<'_>,
        context: &Arc<StatementContext>,
        destination: &mut dyn Destination,
    ) -> Result<Option<Emitted>> {
        let (rows, changed) = if planned.plan.read_only && planned.plan.row_lock.is_none() {
            return self.run_query(planned, run, context, destination).await.map(Some);
        } else if planned.plan.read_only {
            let Some(rows) = self.collect_locked(planned, run.parameters, context).await? else {
                return Ok(None);
            };
            (rows, None)
        } else {
            let done = self.run_modify(planned, run.parameters, context).await?;
            self.tells_nothing = planned.plan.tells_nothing();
            (done.rows.into(), Some(done.count))
        };
        if run.announce && planned.columns().is_some() {
            let formats = run.formats.for_columns(planned.plan.columns.len());
            destination.columns(&RowShape { columns: &planned.plan.columns, formats: &formats })?;
        }
        self.send_rows(rows, changed, planned, run, context, destination).await.map(Some)
    }
}

fn resolve_search_path(catalog: &Catalog, names: &[String], user: Oid) -> Vec<Oid> {
    let mut path = Vec::new();
    for name in names {
        let own = || catalog.role(user).map(|role| role.rolname.clone());
        let name = if name == "$user" { own() } else { Some(name.clone()) };
        let Some(namespace) = name.and_then(|name| catalog.namespace_named(&name)) else { continue };
        let usable = catalog.has_namespace_privilege(user, namespace.oid, Privileges::USAGE);
        if matches!(usable, Ok(Some(true))) && !path.contains(&namespace.oid) {
            path.push(namespace.oid);
        }
    }
    if !path.contains(&namespaces::PG_CATALOG) {
        path.insert(0, namespaces::PG_CATALOG);
    }
    path
}

/// The error for a statement in a transaction that has failed.
pub(super) fn aborted() -> SqlError {
    error!(
        IN_FAILED_SQL_TRANSACTION,
        "current transaction is aborted, commands ignored until end of transaction block"
    )
}
