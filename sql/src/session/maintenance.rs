//! CHECKPOINT, VACUUM and ANALYZE: the engine's counterparts under PostgreSQL's rules.
//!
//! | here | does |
//! |---|---|
//! | `VACUUM` | copies the log into the file; the engine reuses the space of deleted rows by itself |
//! | `VACUUM (FULL)` | builds the whole file anew, so that it shrinks: all tables, whichever are named |
//! | `ANALYZE` | the engine's statistics, and `pg_class.relpages` and `reltuples` |
//!
//! REINDEX is in `reindex`.
//!
//! Source: `src/backend/commands/vacuum.c`, `analyze.c`.

use std::sync::Arc;

use storage::{Connection, WriteLock};

use super::Session;
use super::maintenance_options::Options;
use super::transaction::Work;
use crate::catalog::{Catalog, CatalogEdit, Class};
use crate::cluster::{Cause, storage_error};
use crate::locks::{Lifetime, LockMode, LockTag};
use crate::lower::quoted;
use crate::oid::{FIRST_NORMAL, roles};
use crate::parse::{Definition, VacuumTable};
use crate::{Oid, Result, Severity, SqlError, SqlState, Value, error, execute};

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

    /// VACUUM: each table in a transaction of its own.
    pub(super) async fn vacuum(&mut self, options: &[Definition], tables: &[VacuumTable]) -> Result<()> {
        let options = Options::of_vacuum(options)?;
        if !options.on("analyze") && tables.iter().any(|table| !table.columns.is_empty()) {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "ANALYZE option must be specified when a column list is provided"
            ));
        }
        self.prevent_in_block("VACUUM")?;
        let catalog = self.begin_reading()?;
        let chosen = self.choose(&catalog, tables, "vacuum")?;
        self.commit().await?;
        if options.on("full") {
            return self.vacuum_file(&options, &catalog, chosen, !tables.is_empty()).await;
        }
        let mut vacuumed = false;
        for class in chosen {
            if self.lock_worked_on(&class, LockMode::ShareUpdateExclusive, &options).await? {
                self.tell(&options, "vacuuming", &catalog, &class);
                if options.on("analyze") {
                    self.analyze_class(&class).await?;
                }
                vacuumed = true;
            } else if !tables.is_empty() {
                self.warn_skipped("vacuum", &class);
            }
            self.commit().await?;
        }
        if !vacuumed {
            return Ok(());
        }
        let database = self.database.clone();
        let task = tokio::task::spawn_blocking(move || database.store.checkpoint());
        task.await.map_err(|_| SqlError::internal("VACUUM has panicked"))?.map(drop).map_err(storage_error)
    }

    /// VACUUM (FULL): the whole file, if one of the chosen tables may be worked on.
    async fn vacuum_file(
        &mut self,
        options: &Options,
        catalog: &Arc<Catalog>,
        chosen: Vec<Arc<Class>>,
        named: bool,
    ) -> Result<()> {
        if chosen.is_empty() {
            return Ok(());
        }
        // A transaction of its own, which writes nothing: VACUUM is one for the engine.
        self.transaction();
        if !self.lock_all_tables(options).await? {
            for class in chosen.iter().filter(|_| named) {
                self.warn_skipped("vacuum", class);
            }
            return self.commit().await;
        }
        chosen.iter().for_each(|class| self.tell(options, "vacuuming", catalog, class));
        let lock = self.lock_whole_file(options).await?;
        let catalog = self.present_catalog();
        let context = self.statement_context(&catalog);
        let database = self.database.clone();
        self.transaction().work = Work::Statement(database.connection()?);
        self.on_its_connection(move |connection| {
            connection.set_context(Some(context.clone()));
            execute::ensure_index_functions(connection, &context)?;
            connection.execute("VACUUM", &[]).map_err(execute::engine_error)?;
            database.store.flush_blocking();
            drop(lock);
            database.store.checkpoint().map(drop).map_err(storage_error)
        })
        .await?;
        self.commit().await?;
        if options.on("analyze") {
            for class in &chosen {
                if self.lock_worked_on(class, LockMode::ShareUpdateExclusive, options).await? {
                    self.analyze_class(class).await?;
                }
                self.commit().await?;
            }
        }
        Ok(())
    }

    /// Locks a table that is worked on; whether that could be, as SKIP_LOCKED waits for nobody.
    async fn lock_worked_on(&mut self, class: &Class, mode: LockMode, options: &Options) -> Result<bool> {
        if class.oid < FIRST_NORMAL {
            return Ok(true);
        }
        self.transaction();
        if !options.on("skip_locked") {
            return self.lock_relations(&[(class.oid, mode)]).await.map(|()| true);
        }
        let tag = LockTag::Relation(self.database.oid, class.oid);
        Ok(self.shared.cluster.locks.try_acquire(self.backend(), tag, mode, Lifetime::Transaction))
    }

    /// Takes what VACUUM (FULL) needs beside every table: the right to write. Rows are locked by number and without the right
    /// to write, and a new file may number them anew.
    async fn lock_whole_file(&mut self, options: &Options) -> Result<WriteLock> {
        let lock = self.await_write_lock().await?;
        // Those made while it waited; nobody has them yet, and nobody makes any from here on.
        self.lock_all_tables(options).await?;
        Ok(lock)
    }

    /// Locks every table of the database against everybody, in the order of their OIDs, since the whole file is built anew;
    /// whether that could be.
    async fn lock_all_tables(&mut self, options: &Options) -> Result<bool> {
        let catalog = self.present_catalog();
        let all = catalog.relation::<Class>().rows();
        let tables = all.filter(|class| class.oid >= FIRST_NORMAL && matches!(class.relkind, 'r' | 'm'));
        let mut tables: Vec<_> = tables.collect();
        tables.sort_unstable_by_key(|class| class.oid);
        for class in tables {
            if !self.lock_worked_on(&class, LockMode::AccessExclusive, options).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// ANALYZE.
    pub(super) async fn analyze_tables(
        &mut self,
        options: &[Definition],
        tables: &[VacuumTable],
    ) -> Result<()> {
        let options = Options::of_analyze(options)?;
        self.resume_writing().await?;
        let catalog = self.begin_reading()?;
        for class in self.choose(&catalog, tables, "analyze")? {
            if self.lock_worked_on(&class, LockMode::ShareUpdateExclusive, &options).await? {
                self.tell(&options, "analyzing", &catalog, &class);
                self.analyze_class(&class).await?;
            } else if !tables.is_empty() {
                self.warn_skipped("analyze", &class);
            }
        }
        Ok(())
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
        let mut chosen = Vec::new();
        for named in tables {
            let class = self.find_table(catalog, &named.table)?;
            for (index, column) in named.columns.iter().enumerate() {
                if named.columns[..index].contains(column) {
                    return Err(error!(
                        DUPLICATE_COLUMN,
                        "column \"{column}\" of relation \"{}\" appears more than once", class.relname
                    ));
                }
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
    fn tell(&self, options: &Options, doing: &str, catalog: &Catalog, class: &Class) {
        if !options.on("verbose") || class.oid < FIRST_NORMAL {
            return;
        }
        let database = match doing {
            "vacuuming" => catalog.database(self.database.oid).map(|row| format!("{}.", row.datname)),
            _ => None,
        };
        let schema = catalog.namespace(class.relnamespace).map(|row| row.nspname.clone()).unwrap_or_default();
        let database = database.as_deref().unwrap_or_default();
        let text = format!("{doing} \"{database}{schema}.{}\"", class.relname);
        self.notice(Severity::Info, SqlState::SUCCESSFUL_COMPLETION, text);
    }

    fn warn_skipped(&self, verb: &str, class: &Class) {
        let text = format!("skipping {verb} of \"{}\" --- lock not available", class.relname);
        self.notice(Severity::Warning, SqlState::LOCK_NOT_AVAILABLE, text);
    }

    /// The engine's statistics, and how large a table is.
    async fn analyze_class(&mut self, class: &Class) -> Result<()> {
        let table = class.oid;
        if table < FIRST_NORMAL {
            return Ok(());
        }
        let catalog = self.begin_writing().await?;
        let context = self.statement_context(&catalog);
        let measuring = catalog.clone();
        let measure = move |connection: &mut Connection| {
            connection.set_context(Some(context.clone()));
            execute::ensure_index_functions(connection, &context)?;
            let mut measured = Vec::new();
            // One that has been dropped meanwhile is none.
            let Some(class) = measuring.class(table) else { return Ok(measured) };
            let Some(name) = measuring.physical_name(table) else { return Ok(measured) };
            let run = format!("ANALYZE {}", quoted(&name));
            connection.execute(&run, &[]).map_err(execute::engine_error)?;
            let rows = number(connection, &format!("SELECT count(*) FROM {}", quoted(&name)))?;
            measured.push(sized(connection, &class, &name, rows)?);
            for index in measuring.indexes(table).iter() {
                if let (Some(class), Some(name)) =
                    (measuring.class(index.indexrelid), measuring.physical_name(index.indexrelid))
                {
                    measured.push(sized(connection, &class, &name, rows)?);
                }
            }
            Ok(measured)
        };
        let measured = self.on_its_connection(measure).await?;
        let mut edit = CatalogEdit::new(&catalog);
        for class in measured {
            edit.update(class)?;
        }
        self.adopt_catalog(edit).await
    }

    /// Runs work on the transaction's connection, on a thread where it may take its time.
    pub(super) async fn on_its_connection<T: Send + 'static>(
        &mut self,
        run: impl FnOnce(&mut Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.elsewhere(run).await?.map_err(|error| self.reason_to_stop(error))
    }
}

/// A class with its size as it is now.
fn sized(connection: &mut Connection, class: &Class, name: &str, rows: i64) -> Result<Class> {
    // Page by page: the engine asks meanwhile whether it is to stop.
    let pages = "SELECT count(*) FROM dbstat WHERE name = ?1";
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
