//! REINDEX: builds indexes anew from their tables.
//!
//! With CONCURRENTLY, too, it is done in one go while others wait to write to the table, as CREATE INDEX is. There is one
//! tablespace for the tables of a database.
//!
//! Source: `src/backend/commands/indexcmds.c`.

use std::sync::Arc;

use super::maintenance_options::Options;
use super::{Session, SessionServices};
use crate::catalog::{Catalog, Class, Tablespace};
use crate::locks::LockMode;
use crate::lower::quoted;
use crate::oid::FIRST_NORMAL;
use crate::parse::Reindex;
use crate::{Oid, Result, error, execute};

impl Session {
    /// REINDEX.
    pub(super) async fn reindex(&mut self, command: &Reindex) -> Result<()> {
        let options = Options::of_reindex(&command.options)?;
        if let Some(tablespace) = options.text("tablespace") {
            self.check_tablespace(tablespace)?;
        }
        if command.concurrently || options.on("concurrently") {
            self.prevent_in_block("REINDEX CONCURRENTLY")?;
            if command.target == "system" {
                return Err(error!(FEATURE_NOT_SUPPORTED, "cannot reindex system catalogs concurrently"));
            }
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
                let class = self.find_table(catalog, name)?;
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

    /// Whether there is such a tablespace, and tables of a database may lie in it.
    fn check_tablespace(&self, name: &str) -> Result<()> {
        let catalog = self.present_catalog();
        let found = catalog.relation::<Tablespace>().rows().find(|row| row.spcname == name);
        let found = found.ok_or_else(|| error!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist"))?;
        if found.spcname == "pg_global" {
            return Err(error!(
                INVALID_PARAMETER_VALUE,
                "only shared relations can be placed in pg_global tablespace"
            ));
        }
        Ok(())
    }
}
