//! CHECKPOINT, VACUUM, ANALYZE and REINDEX: the engine's counterparts under PostgreSQL's rules.
//!
//! | here | does |
//! |---|---|
//! | `VACUUM` | copies the log into the file; the engine reuses the space of deleted rows by itself |
//! | `VACUUM (FULL)` | builds the whole file anew, so that it shrinks: all tables, whichever are named |
//! | `ANALYZE` | the engine's statistics, and `pg_class.relpages` and `reltuples` |
//! | `REINDEX` | builds indexes anew from their tables |
//!
//! FREEZE, DISABLE_PAGE_SKIPPING, INDEX_CLEANUP, PROCESS_TOAST and TRUNCATE have nothing to do here: there are no
//! transaction numbers, visibility maps, toast tables or empty tails of tables. PARALLEL and REINDEX's CONCURRENTLY and
//! TABLESPACE would promise what is not done, and are refused.
//!
//! Source: `src/backend/commands/vacuum.c`, `analyze.c`, `indexcmds.c`.

use std::sync::Arc;

use storage::{Connection, WriteLock};

use super::control::find_table;
use super::{Session, SessionServices};
use crate::catalog::{Catalog, CatalogEdit, Class};
use crate::cluster::{Cause, storage_error};
use crate::locks::{Lifetime, LockMode, LockTag};
use crate::lower::quoted;
use crate::oid::{FIRST_NORMAL, roles};
use crate::parse::{Definition, Reindex, VacuumTable};
use crate::settings::parse_boolean;
use crate::{Oid, Result, Severity, SqlError, SqlState, Value, error, execute};

/// Options of VACUUM and of ANALYZE.
const VACUUM_OPTIONS: [&str; 10] = [
    "verbose",
    "skip_locked",
    "analyze",
    "freeze",
    "full",
    "disable_page_skipping",
    "index_cleanup",
    "process_toast",
    "truncate",
    "parallel",
];
const ANALYZE_OPTIONS: [&str; 2] = ["verbose", "skip_locked"];

impl Session {
    /// CHECKPOINT.
    pub(super) async fn checkpoint(&mut self) -> Result<()> {
        let user = self.shared.users.lock().1;
        if !self.present_catalog().has_privs_of_role(user, roles::PG_CHECKPOINT) {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT"
            ));
        }
        let cluster = self.shared.cluster.clone();
        let task = tokio::task::spawn_blocking(move || cluster.checkpoint(Cause::Command));
        task.await.map_err(|_| SqlError::internal("a checkpoint has panicked"))?
    }

    /// VACUUM.
    pub(super) async fn vacuum(&mut self, options: &[Definition], tables: &[VacuumTable]) -> Result<()> {
        let options = Options::read("VACUUM", options, &VACUUM_OPTIONS)?;
        if !options.on("analyze") && tables.iter().any(|table| !table.columns.is_empty()) {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "ANALYZE option must be specified when a column list is provided"
            ));
        }
        self.prevent_in_block("VACUUM")?;
        if options.on("skip_locked") && !self.writer_is_free() {
            self.warn_skipped("VACUUM");
            return Ok(());
        }
        let catalog = self.begin_reading()?;
        let chosen = self.choose(&catalog, tables, "vacuum")?;
        self.tell(&options, "vacuuming", &catalog, &chosen);
        if options.on("analyze") {
            self.analyze_classes(&chosen).await?;
        }
        self.commit().await?;
        if chosen.is_empty() {
            return Ok(());
        }
        // A transaction of its own, which writes nothing: VACUUM is one for the engine.
        self.transaction();
        let lock = if options.on("full") { Some(self.lock_whole_file().await?) } else { None };
        let database = self.database.clone();
        let catalog = self.present_catalog();
        let context = self.statement_context(&catalog);
        let task = tokio::task::spawn_blocking(move || {
            if lock.is_some() {
                let mut connection = database.connection()?;
                connection.set_context(Some(context.clone()));
                execute::ensure_index_functions(&mut connection, &context)?;
                connection.execute("VACUUM", &[]).map_err(execute::engine_error)?;
                database.store.flush_blocking();
            }
            drop(lock);
            database.store.checkpoint().map(drop).map_err(storage_error)
        });
        task.await.map_err(|_| SqlError::internal("VACUUM has panicked"))??;
        self.commit().await
    }

    /// Takes what VACUUM (FULL) needs: every table, since the whole file is built anew, and the right to write. Rows are
    /// locked by number and without the right to write, and a new file may number them anew.
    async fn lock_whole_file(&mut self) -> Result<WriteLock> {
        self.lock_all_tables().await?;
        let lock = self.await_write_lock().await?;
        // Those made while it waited; nobody makes any from here on.
        self.lock_all_tables().await?;
        Ok(lock)
    }

    /// Locks every table of the database against everybody, in the order of their OIDs.
    async fn lock_all_tables(&mut self) -> Result<()> {
        let catalog = self.present_catalog();
        let all = catalog.relation::<Class>().rows();
        let tables = all.filter(|class| class.oid >= FIRST_NORMAL && matches!(class.relkind, 'r' | 'm'));
        let mut locks: Vec<_> = tables.map(|class| (class.oid, LockMode::AccessExclusive)).collect();
        locks.sort_unstable_by_key(|(oid, _)| *oid);
        self.lock_relations(&locks).await
    }

    /// ANALYZE.
    pub(super) async fn analyze_tables(
        &mut self,
        options: &[Definition],
        tables: &[VacuumTable],
    ) -> Result<()> {
        let options = Options::read("ANALYZE", options, &ANALYZE_OPTIONS)?;
        if options.on("skip_locked") && !self.writer_is_free() {
            self.warn_skipped("ANALYZE");
            return Ok(());
        }
        self.resume_writing().await?;
        let catalog = self.begin_reading()?;
        let chosen = self.choose(&catalog, tables, "analyze")?;
        self.tell(&options, "analyzing", &catalog, &chosen);
        self.analyze_classes(&chosen).await
    }

    /// The tables that are named, or all; without those that the user may not work on, of which it is warned.
    fn choose(
        &mut self,
        catalog: &Arc<Catalog>,
        tables: &[VacuumTable],
        verb: &str,
    ) -> Result<Vec<Arc<Class>>> {
        let user = self.shared.users.lock().1;
        let owner = catalog.database(self.database.oid).map_or(Oid::INVALID, |row| row.datdba);
        let may = |class: &Class| {
            catalog.has_privs_of_role(user, class.relowner) || catalog.has_privs_of_role(user, owner)
        };
        let path = self.search_path(catalog);
        let mut chosen = Vec::new();
        for named in tables {
            let class = find_table(catalog, &path, &named.table)?;
            for column in &named.columns {
                if !catalog.attributes(class.oid).iter().any(|a| a.attname == *column && !a.attisdropped) {
                    return Err(error!(
                        UNDEFINED_COLUMN,
                        "column \"{column}\" of relation \"{}\" does not exist", class.relname
                    ));
                }
            }
            let name = &class.relname;
            if !matches!(class.relkind, 'r' | 'm' | 'p') {
                self.notice(
                    Severity::Warning,
                    SqlState::SUCCESSFUL_COMPLETION,
                    format!("skipping \"{name}\" --- cannot {verb} non-tables or special system tables"),
                );
            } else if !may(&class) {
                self.notice(
                    Severity::Warning,
                    SqlState::SUCCESSFUL_COMPLETION,
                    format!("skipping \"{name}\" --- only table or database owner can {verb} it"),
                );
            } else {
                chosen.push(class);
            }
        }
        if tables.is_empty() {
            let all = catalog.relation::<Class>().rows();
            chosen.extend(all.filter(|class| matches!(class.relkind, 'r' | 'm') && may(class)));
        }
        Ok(chosen)
    }

    /// What VERBOSE says.
    fn tell(&self, options: &Options, doing: &str, catalog: &Catalog, tables: &[Arc<Class>]) {
        if !options.on("verbose") {
            return;
        }
        let database = match doing {
            "vacuuming" => catalog.database(self.database.oid).map(|row| format!("{}.", row.datname)),
            _ => None,
        };
        for class in tables.iter().filter(|class| class.oid >= FIRST_NORMAL) {
            let schema =
                catalog.namespace(class.relnamespace).map(|row| row.nspname.clone()).unwrap_or_default();
            let database = database.as_deref().unwrap_or_default();
            let text = format!("{doing} \"{database}{schema}.{}\"", class.relname);
            self.notice(Severity::Info, SqlState::SUCCESSFUL_COMPLETION, text);
        }
    }

    fn warn_skipped(&self, command: &str) {
        let text = format!("skipping {} --- lock not available", command.to_lowercase());
        self.notice(Severity::Warning, SqlState::LOCK_NOT_AVAILABLE, text);
    }

    /// The engine's statistics, and how large each table is.
    async fn analyze_classes(&mut self, tables: &[Arc<Class>]) -> Result<()> {
        let tables: Vec<_> = tables.iter().filter(|class| class.oid >= FIRST_NORMAL).cloned().collect();
        if tables.is_empty() {
            return Ok(());
        }
        let catalog = self.begin_writing().await?;
        let context = self.statement_context(&catalog);
        let (measured, catalog) = self
            .on_its_connection(move |connection| {
                connection.set_context(Some(context.clone()));
                execute::ensure_index_functions(connection, &context)?;
                let mut measured = Vec::new();
                for class in &tables {
                    // One that has been dropped meanwhile is none.
                    let Some(class) = catalog.class(class.oid) else { continue };
                    let Some(name) = catalog.physical_name(class.oid) else { continue };
                    let run = format!("ANALYZE {}", quoted(&name));
                    connection.execute(&run, &[]).map_err(execute::engine_error)?;
                    let rows = number(connection, &format!("SELECT count(*) FROM {}", quoted(&name)))?;
                    measured.push(sized(connection, &class, &name, rows)?);
                    for index in catalog.indexes(class.oid).iter() {
                        if let (Some(class), Some(name)) =
                            (catalog.class(index.indexrelid), catalog.physical_name(index.indexrelid))
                        {
                            measured.push(sized(connection, &class, &name, rows)?);
                        }
                    }
                }
                Ok((measured, catalog))
            })
            .await?;
        let mut edit = CatalogEdit::new(&catalog);
        for class in measured {
            edit.update(class)?;
        }
        self.adopt_catalog(edit).await
    }

    /// REINDEX.
    pub(super) async fn reindex(&mut self, command: &Reindex) -> Result<()> {
        for option in &command.options {
            match option.name.as_str() {
                "verbose" => {}
                "concurrently" | "tablespace" => {
                    return Err(SqlError::unsupported(format!("REINDEX ({})", option.name.to_uppercase())));
                }
                other => {
                    return Err(
                        error!(SYNTAX_ERROR, "unrecognized REINDEX option \"{other}\"").at(option.position)
                    );
                }
            }
        }
        if command.concurrently {
            return Err(SqlError::unsupported("REINDEX CONCURRENTLY"));
        }
        if !matches!(command.target, "index" | "table") {
            self.prevent_in_block(&format!("REINDEX {}", command.target.to_uppercase()))?;
        }
        let (relations, catalog) = self.begin_reindex(command).await?;
        let is_built = |class: &Class| {
            // A primary key that is the row number is the table itself: there is nothing to build.
            let index = catalog.index(class.oid);
            !index.is_some_and(|index| execute::physical::is_row_number_index(&catalog, &index))
        };
        let built = relations.iter().filter(|class| is_built(class));
        let names: Vec<_> = built.filter_map(|class| catalog.physical_name(class.oid)).collect();
        let context = self.statement_context(&catalog);
        self.on_its_connection(move |connection| {
            connection.set_context(Some(context.clone()));
            execute::ensure_index_functions(connection, &context)?;
            for name in &names {
                connection
                    .execute(&format!("REINDEX {}", quoted(name)), &[])
                    .map_err(execute::engine_error)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes the right to write and locks what REINDEX names, tables against those who write, indexes against everybody;
    /// the tables and indexes, and the catalog that goes with them.
    async fn begin_reindex(&mut self, command: &Reindex) -> Result<(Vec<Arc<Class>>, Arc<Catalog>)> {
        loop {
            let beginning = self.begin_command().await?;
            let catalog = self.present_catalog();
            let relations = self.reindexed(&catalog, command)?;
            let mut locks = Vec::new();
            for class in &relations {
                match catalog.index(class.oid) {
                    Some(index) => {
                        locks.extend([
                            (index.indrelid, LockMode::Share),
                            (class.oid, LockMode::AccessExclusive),
                        ]);
                    }
                    None => {
                        locks.push((class.oid, LockMode::Share));
                        let indexes = catalog.indexes(class.oid);
                        locks.extend(
                            indexes.iter().map(|index| (index.indexrelid, LockMode::AccessExclusive)),
                        );
                    }
                }
            }
            let locked = locks.iter().try_for_each(|(oid, mode)| self.services.lock_relation(*oid, *mode));
            match (locked, self.services.take_awaited()) {
                (Err(_), Some(awaited)) => self.await_for_command(beginning, awaited).await?,
                (locked, _) => {
                    locked?;
                    self.end_command(&beginning)?;
                    return Ok((relations, catalog));
                }
            }
        }
    }

    /// The tables and indexes of users that REINDEX names.
    fn reindexed(&mut self, catalog: &Arc<Catalog>, command: &Reindex) -> Result<Vec<Arc<Class>>> {
        let user = self.shared.users.lock().1;
        let path = self.search_path(catalog);
        let name = &command.name;
        let must_own = |owner: Oid, what: &str, name: &str| {
            if catalog.has_privs_of_role(user, owner) {
                return Ok(());
            }
            Err(error!(INSUFFICIENT_PRIVILEGE, "must be owner of {what} {name}"))
        };
        let database = catalog.database(self.database.oid);
        match command.target {
            "index" | "table" => {
                let class = find_table(catalog, &path, name)?;
                match (command.target, class.relkind) {
                    ("index", 'i') | ("table", 'r' | 'm') => {}
                    ("index", _) => {
                        return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not an index", class.relname));
                    }
                    _ => {
                        return Err(error!(
                            WRONG_OBJECT_TYPE,
                            "\"{}\" is not a table or materialized view", class.relname
                        ));
                    }
                }
                must_own(class.relowner, command.target, &class.relname)?;
                Ok(Some(class).filter(|class| class.oid >= FIRST_NORMAL).into_iter().collect())
            }
            "schema" => {
                let missing = || error!(INVALID_SCHEMA_NAME, "schema \"{}\" does not exist", name.name);
                let schema = catalog.namespace_named(&name.name).ok_or_else(missing)?;
                must_own(schema.nspowner, "schema", &name.name)?;
                let tables = catalog.relation::<Class>().rows().filter(|class| {
                    class.relnamespace == schema.oid
                        && matches!(class.relkind, 'r' | 'm')
                        && class.oid >= FIRST_NORMAL
                });
                Ok(tables.collect())
            }
            _ => {
                let row = database.filter(|row| row.datname == name.name);
                let row = row.ok_or_else(|| {
                    error!(FEATURE_NOT_SUPPORTED, "can only reindex the currently open database")
                })?;
                must_own(row.datdba, "database", &name.name)?;
                let tables = catalog.relation::<Class>().rows().filter(|class| {
                    let wanted = (command.target == "system") != (class.oid >= FIRST_NORMAL);
                    matches!(class.relkind, 'r' | 'm') && class.oid >= FIRST_NORMAL && wanted
                });
                Ok(tables.collect())
            }
        }
    }

    /// Runs work on the transaction's connection, on a thread where it may take its time.
    async fn on_its_connection<T: Send + 'static>(
        &mut self,
        run: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.elsewhere(run).await?.map_err(|error| self.reason_to_stop(error))
    }

    /// Takes the right to write if nobody has it.
    fn writer_is_free(&mut self) -> bool {
        let writer = LockTag::Writer(self.database.oid);
        self.transaction();
        self.shared.cluster.locks.try_acquire(
            self.backend(),
            writer,
            LockMode::Exclusive,
            Lifetime::Transaction,
        )
    }
}

/// A class with its size as it is now.
fn sized(connection: &mut Connection, class: &Class, name: &str, rows: i64) -> Result<Class> {
    let pages = "SELECT coalesce(sum(pageno), 0) FROM dbstat WHERE name = ?1 AND aggregate = TRUE";
    let found = connection.query(pages, &[Value::Text(name.to_owned())]).map_err(execute::engine_error)?;
    let pages = match found.first().map(Vec::as_slice) {
        Some([Value::Integer(pages)]) => *pages,
        _ => 0,
    };
    let relpages = i32::try_from(pages).unwrap_or(i32::MAX);
    Ok(Class { relpages, reltuples: rows as f64, ..class.clone() })
}

fn number(connection: &mut Connection, sql: &str) -> Result<i64> {
    let rows = connection.query(sql, &[]).map_err(execute::engine_error)?;
    match rows.first().map(Vec::as_slice) {
        Some([Value::Integer(number)]) => Ok(*number),
        _ => Err(SqlError::internal("a count that is no number")),
    }
}

/// The options of a command that are on.
struct Options(Vec<String>);

impl Options {
    /// Reads them; a word without a value is on.
    fn read(command: &str, options: &[Definition], known: &[&str]) -> Result<Self> {
        let mut on = Vec::new();
        for option in options {
            let name = option.name.to_ascii_lowercase();
            if !known.contains(&name.as_str()) {
                return Err(
                    error!(SYNTAX_ERROR, "unrecognized {command} option \"{name}\"").at(option.position)
                );
            }
            if name == "parallel" {
                return Err(SqlError::unsupported("VACUUM (PARALLEL)"));
            }
            let value = option.value.as_ref().map(crate::parse::DefinitionValue::text);
            let set = match value.as_deref() {
                None => true,
                Some("auto") if name == "index_cleanup" => true,
                Some(text) => parse_boolean(text)
                    .ok_or_else(|| error!(SYNTAX_ERROR, "{name} requires a Boolean value"))?,
            };
            if set {
                on.push(name);
            }
        }
        Ok(Self(on))
    }

    fn on(&self, name: &str) -> bool {
        self.0.iter().any(|option| option == name)
    }
}
