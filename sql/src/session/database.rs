//! CREATE, ALTER and DROP DATABASE. They are the session's since they make and remove files around a transaction.
//!
//! Source: `src/backend/commands/dbcommands.c`.

use std::sync::Arc;

use super::{CommandTag, Session};
use crate::catalog::{Catalog, CatalogEdit, Database};
use crate::cluster::Cluster;
use crate::oid::FIRST_NORMAL;
use crate::parse::{AlterDatabaseAction, CreateDatabase, Utility};
use crate::settings::parse_boolean;
use crate::{Oid, Result, SqlError, error};

/// The database that new ones are copies of, unless another is named.
const DEFAULT_TEMPLATE: &str = "template1";

impl Session {
    /// Runs one of them.
    pub(super) async fn run_database_command(&mut self, utility: &Utility) -> Result<CommandTag> {
        self.check_may_write(utility.tag())?;
        match utility {
            Utility::CreateDatabase(command) => {
                self.prevent_in_block("CREATE DATABASE")?;
                self.create_database(command).await?;
            }
            Utility::DropDatabase { name, if_exists, force, .. } => {
                self.prevent_in_block("DROP DATABASE")?;
                self.drop_database(name, *if_exists, *force).await?;
            }
            Utility::AlterDatabase(command) => self.alter_database(&command.name, &command.action).await?,
            other => return Err(SqlError::unsupported(other.tag())),
        }
        Ok(super::setting::plain_tag(utility.tag()))
    }

    /// The row of a database that the user owns.
    fn owned_database(&self, name: &str) -> Result<Option<Arc<Database>>> {
        let catalog = self.present_catalog();
        let Some(row) = catalog.database_named(name) else { return Ok(None) };
        let user = self.shared.users.lock().1;
        if !catalog.is_superuser(user) && !catalog.has_privs_of_role(user, row.datdba) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "must be owner of database {name}"));
        }
        Ok(Some(row))
    }

    async fn create_database(&mut self, command: &CreateDatabase) -> Result<()> {
        self.begin_writing().await?;
        self.lock_shared_rows().await?;
        let catalog = self.present_catalog();
        let user = self.shared.users.lock().1;
        if !catalog.role(user).is_some_and(|role| role.rolsuper || role.rolcreatedb) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to create database"));
        }
        let name = &command.name;
        if catalog.database_named(name).is_some() {
            return Err(error!(DUPLICATE_DATABASE, "database \"{name}\" already exists"));
        }
        let option = |wanted: &str| {
            let option = command.options.iter().find(|option| option.name.eq_ignore_ascii_case(wanted))?;
            option.value.as_ref().map(crate::parse::DefinitionValue::text)
        };
        let template = option("template").unwrap_or_else(|| DEFAULT_TEMPLATE.to_owned());
        let missing = || error!(UNDEFINED_DATABASE, "template database \"{template}\" does not exist");
        let source = catalog.database_named(&template).ok_or_else(missing)?;
        if !source.datistemplate && !catalog.has_privs_of_role(user, source.datdba) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to copy database \"{template}\""));
        }
        // Both ways of copying come to the same here.
        if let Some(strategy) = option("strategy")
            && !matches!(strategy.to_ascii_lowercase().as_str(), "wal_log" | "file_copy")
        {
            return Err(error!(INVALID_PARAMETER_VALUE, "invalid create database strategy \"{strategy}\"")
                .hint("Valid strategies are \"wal_log\" and \"file_copy\"."));
        }
        let owner = match option("owner") {
            None => user,
            Some(owner) => catalog
                .role_named(&owner)
                .map(|role| role.oid)
                .ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{owner}\" does not exist"))?,
        };
        let mut edit = CatalogEdit::new(&catalog);
        let oid = match option("oid") {
            Some(text) => chosen_oid(&catalog, &text)?,
            None => edit.allocate_shared_oid(),
        };
        edit.claim_shared_oid(oid);
        let mut row = Database {
            oid,
            datname: name.clone(),
            datdba: owner,
            datistemplate: false,
            datallowconn: true,
            datconnlimit: -1,
            datacl: None,
            ..(*source).clone()
        };
        for option in &command.options {
            let value = option.value.as_ref().map(crate::parse::DefinitionValue::text).unwrap_or_default();
            apply_option(&mut row, &option.name, &value, true)?;
        }
        edit.insert(row)?;
        self.adopt_catalog(edit).await?;
        let pid = self.backend().pid;
        self.copy_files(source.oid, template, oid, pid).await?;
        self.transaction().on_abort.push(Box::new(move |cluster| cluster.remove_database_file(oid)));
        Ok(())
    }

    async fn copy_files(&mut self, source: Oid, template: String, target: Oid, pid: i32) -> Result<()> {
        self.on_another_thread(move |cluster| {
            cluster.check_unused("source database", source, &template, pid, false)?;
            cluster.copy_database_file(source, target)
        })
        .await
    }

    /// Does what waits for the disk or for other sessions.
    async fn on_another_thread(
        &mut self,
        work: impl FnOnce(&Arc<Cluster>) -> Result<()> + Send + 'static,
    ) -> Result<()> {
        let cluster = self.shared.cluster.clone();
        let done = tokio::task::spawn_blocking(move || work(&cluster)).await;
        done.map_err(|_| SqlError::internal("a command has panicked"))?
    }

    async fn drop_database(&mut self, name: &str, if_exists: bool, force: bool) -> Result<()> {
        self.begin_writing().await?;
        self.lock_shared_rows().await?;
        let Some(row) = self.owned_database(name)? else {
            if if_exists {
                let message = format!("database \"{name}\" does not exist, skipping");
                self.notice(crate::Severity::Notice, crate::SqlState::SUCCESSFUL_COMPLETION, message);
                return Ok(());
            }
            return Err(error!(UNDEFINED_DATABASE, "database \"{name}\" does not exist"));
        };
        if row.oid == self.database.oid {
            return Err(error!(OBJECT_IN_USE, "cannot drop the currently open database"));
        }
        if row.datistemplate {
            return Err(error!(WRONG_OBJECT_TYPE, "cannot drop a template database"));
        }
        let (oid, own_name, pid) = (row.oid, name.to_owned(), self.backend().pid);
        self.on_another_thread(move |cluster| cluster.check_unused("database", oid, &own_name, pid, force))
            .await?;
        let mut edit = CatalogEdit::new(&self.present_catalog());
        edit.delete::<Database>(oid);
        let catalog = self.present_catalog();
        for setting in
            catalog.relation::<crate::catalog::Setting>().rows().filter(|row| row.setdatabase == oid)
        {
            edit.delete_row(&*setting);
        }
        self.adopt_catalog(edit).await?;
        self.transaction().on_commit.push(Box::new(move |cluster| cluster.remove_database_file(oid)));
        Ok(())
    }

    async fn alter_database(&mut self, name: &str, action: &AlterDatabaseAction) -> Result<()> {
        self.begin_writing().await?;
        self.lock_shared_rows().await?;
        let missing = || error!(UNDEFINED_DATABASE, "database \"{name}\" does not exist");
        let mut row = (*self.owned_database(name)?.ok_or_else(missing)?).clone();
        match action {
            AlterDatabaseAction::RenameTo(new_name) => self.check_rename(&row, new_name).await?,
            AlterDatabaseAction::Options(_) => {}
            AlterDatabaseAction::RefreshCollationVersion => return Ok(()),
            _ => return Err(SqlError::unsupported("this form of ALTER DATABASE")),
        }
        match action {
            AlterDatabaseAction::RenameTo(new_name) => row.datname.clone_from(new_name),
            AlterDatabaseAction::Options(options) => {
                for option in options {
                    let value =
                        option.value.as_ref().map(crate::parse::DefinitionValue::text).unwrap_or_default();
                    apply_option(&mut row, &option.name, &value, false)?;
                }
            }
            _ => {}
        }
        let mut edit = CatalogEdit::new(&self.present_catalog());
        edit.update(row)?;
        self.adopt_catalog(edit).await
    }

    async fn check_rename(&mut self, row: &Database, new_name: &str) -> Result<()> {
        if self.present_catalog().database_named(new_name).is_some() {
            return Err(error!(DUPLICATE_DATABASE, "database \"{new_name}\" already exists"));
        }
        if row.oid == self.database.oid {
            return Err(error!(FEATURE_NOT_SUPPORTED, "current database cannot be renamed"));
        }
        let (oid, name, pid) = (row.oid, row.datname.clone(), self.backend().pid);
        self.on_another_thread(move |cluster| cluster.check_unused("database", oid, &name, pid, false)).await
    }
}

/// The OID that CREATE DATABASE names.
///
/// # Errors
/// `22023` when it is reserved or taken.
fn chosen_oid(catalog: &Catalog, text: &str) -> Result<Oid> {
    let oid = text
        .parse()
        .map(Oid)
        .map_err(|_| error!(INVALID_TEXT_REPRESENTATION, "invalid input syntax for type oid: \"{text}\""))?;
    if oid < FIRST_NORMAL {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "OIDs less than {FIRST_NORMAL} are reserved for system objects"
        ));
    }
    if let Some(other) = catalog.database(oid) {
        return Err(error!(
            INVALID_PARAMETER_VALUE,
            "database OID {oid} is already in use by database \"{}\"", other.datname
        ));
    }
    Ok(oid)
}

/// Gives a database the value of an option of CREATE or ALTER DATABASE.
fn apply_option(row: &mut Database, name: &str, value: &str, is_new: bool) -> Result<()> {
    let boolean = || {
        parse_boolean(value)
            .ok_or_else(|| error!(SYNTAX_ERROR, "{} requires a Boolean value", name.to_lowercase()))
    };
    match name.to_ascii_lowercase().as_str() {
        "is_template" => row.datistemplate = boolean()?,
        "allow_connections" => row.datallowconn = boolean()?,
        "connection_limit" => {
            let limit = value.parse().ok().filter(|limit| *limit >= -1);
            row.datconnlimit =
                limit.ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "invalid connection limit: {value}"))?;
        }
        // CREATE DATABASE has looked at them.
        "template" | "owner" | "strategy" | "oid" if is_new => {}
        // What every database here has already.
        "encoding" if matches!(value.to_ascii_lowercase().as_str(), "utf8" | "utf-8" | "default" | "6") => {}
        "lc_collate" | "lc_ctype" | "locale" | "locale_provider" | "tablespace" | "icu_locale" => {
            let same = [row.datcollate.as_str(), "C", "C.UTF-8", "POSIX", "libc", "pg_default", "default"];
            if !same.iter().any(|known| known.eq_ignore_ascii_case(value)) {
                return Err(SqlError::unsupported(format!("{name} \"{value}\"")));
            }
        }
        other => return Err(SqlError::unsupported(format!("database option \"{other}\" \"{value}\""))),
    }
    Ok(())
}
