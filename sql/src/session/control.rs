//! The commands that steer transactions.
//!
//! Source: `src/backend/access/transam/xact.c`.

use std::sync::Arc;

use super::transaction::{Served, Work};
use super::{CommandTag, Session, SessionServices};
use crate::catalog::{Catalog, Class};
use crate::cluster::{Importer, storage_error};
use crate::locks::{LockMode, LockTag};
use crate::parse::{IsolationLevel, Name, TransactionMode, Utility};
use crate::settings::{SetScope, id, parse_boolean};
use crate::types::names::{Shown, refuse_other_database};
use crate::{Oid, Result, Severity, SqlError, SqlState, error};

/// How deep savepoints may nest. Each costs a page's worth of memory; PostgreSQL has no limit but memory.
const SAVEPOINTS_MAX: usize = 1 << 16;

impl Session {
    /// Runs a command that steers transactions; nothing for other commands.
    pub(super) async fn run_control(&mut self, utility: &Utility) -> Result<Option<CommandTag>> {
        let mut tag = utility.tag();
        match utility {
            Utility::Begin { modes, .. } => self.begin(modes)?,
            Utility::Commit { chain } => tag = self.commit_command(*chain).await?,
            Utility::Rollback { chain } => self.rollback_command(*chain)?,
            Utility::Savepoint(name) => self.savepoint(name)?,
            Utility::ReleaseSavepoint(name) => self.release_savepoint(name)?,
            Utility::RollbackToSavepoint(name) => self.rollback_to_savepoint(name)?,
            Utility::SetTransaction { session: false, modes } => self.set_transaction(modes)?,
            Utility::SetTransaction { session: true, modes } => self.set_characteristics(modes)?,
            Utility::SetTransactionSnapshot(id) => self.import_snapshot(id)?,
            // As where `max_prepared_transactions` is zero, which it is here for good.
            Utility::PrepareTransaction(_) => {
                let block = self.transaction.as_ref().filter(|transaction| transaction.explicit);
                let failed = block.map(|transaction| transaction.failed);
                match failed {
                    None => self.warn_no_transaction(),
                    Some(_) => self.abort(),
                }
                if failed != Some(false) {
                    return Ok(Some(CommandTag { command: "ROLLBACK".to_owned(), rows: None }));
                }
                return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "prepared transactions are disabled")
                    .hint("Set max_prepared_transactions to a nonzero value."));
            }
            Utility::CommitPrepared(name) | Utility::RollbackPrepared(name) => {
                self.prevent_in_block(tag)?;
                return Err(error!(
                    UNDEFINED_OBJECT,
                    "prepared transaction with identifier \"{name}\" does not exist"
                ));
            }
            _ => return Ok(None),
        }
        Ok(Some(CommandTag { command: tag.to_owned(), rows: None }))
    }

    fn begin(&mut self, modes: &[TransactionMode]) -> Result<()> {
        match &mut self.transaction {
            Some(transaction) if transaction.explicit => {
                self.notice(
                    Severity::Warning,
                    SqlState::ACTIVE_SQL_TRANSACTION,
                    "there is already a transaction in progress",
                );
                return self.set_modes(modes);
            }
            // The statements before it in the same message become part of the block.
            Some(transaction) => transaction.explicit = true,
            None => self.begin_transaction(true),
        }
        self.fix_properties();
        self.set_modes(modes)
    }

    /// The defaults of the moment hold for the whole transaction.
    fn fix_properties(&self) {
        let mut settings = self.shared.settings.lock();
        for property in [id::TRANSACTION_ISOLATION, id::TRANSACTION_READ_ONLY, id::TRANSACTION_DEFERRABLE] {
            let value = settings.value(property).clone();
            settings.set_for_transaction(property, value);
        }
    }

    fn chain(&mut self, chain: bool, properties: Properties) {
        if chain {
            self.begin_transaction(true);
            let mut settings = self.shared.settings.lock();
            for (property, value) in properties {
                settings.set_for_transaction(property, value);
            }
        }
    }

    fn properties(&self) -> Properties {
        let settings = self.shared.settings.lock();
        [id::TRANSACTION_ISOLATION, id::TRANSACTION_READ_ONLY, id::TRANSACTION_DEFERRABLE]
            .map(|property| (property, settings.value(property).clone()))
    }

    /// COMMIT; in a transaction that has failed it is ROLLBACK, and says so in its tag.
    async fn commit_command(&mut self, chain: bool) -> Result<&'static str> {
        let properties = self.properties();
        match &self.transaction {
            Some(transaction) if transaction.failed => {
                self.abort();
                self.chain(chain, properties);
                return Ok("ROLLBACK");
            }
            Some(transaction) if transaction.explicit => {}
            _ if chain => {
                return Err(error!(
                    NO_ACTIVE_SQL_TRANSACTION,
                    "COMMIT AND CHAIN can only be used in transaction blocks"
                ));
            }
            _ => self.warn_no_transaction(),
        }
        self.commit().await?;
        self.chain(chain, properties);
        Ok("COMMIT")
    }

    fn rollback_command(&mut self, chain: bool) -> Result<()> {
        let properties = self.properties();
        let explicit = self.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
        if !explicit && chain {
            return Err(error!(
                NO_ACTIVE_SQL_TRANSACTION,
                "ROLLBACK AND CHAIN can only be used in transaction blocks"
            ));
        }
        if !explicit {
            self.warn_no_transaction();
        }
        self.abort();
        self.chain(chain, properties);
        Ok(())
    }

    fn warn_no_transaction(&self) {
        self.notice(
            Severity::Warning,
            SqlState::NO_ACTIVE_SQL_TRANSACTION,
            "there is no transaction in progress",
        );
    }

    /// Refuses a command that makes sense in a transaction block only.
    ///
    /// # Errors
    /// `25P01`.
    pub(super) fn require_block(&self, command: &str) -> Result<()> {
        let inside = self.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
        if inside || self.among_others {
            return Ok(());
        }
        Err(error!(NO_ACTIVE_SQL_TRANSACTION, "{command} can only be used in transaction blocks"))
    }

    /// Refuses a command that must not be part of a larger transaction.
    ///
    /// # Errors
    /// `25001`.
    pub(super) fn prevent_in_block(&self, command: &str) -> Result<()> {
        let inside = self.transaction.as_ref().is_some_and(|transaction| transaction.explicit);
        if inside || self.among_others {
            return Err(error!(ACTIVE_SQL_TRANSACTION, "{command} cannot run inside a transaction block"));
        }
        if self.transaction.as_ref().is_some_and(|transaction| transaction.pipelined) {
            return Err(error!(ACTIVE_SQL_TRANSACTION, "{command} cannot be executed within a pipeline"));
        }
        Ok(())
    }

    /// Refuses a command about savepoints outside a block, of which the implicit one of several statements is none.
    ///
    /// # Errors
    /// `25P01`.
    fn require_explicit_block(&self, command: &str) -> Result<()> {
        if self.transaction.as_ref().is_some_and(|transaction| transaction.explicit) {
            return Ok(());
        }
        Err(error!(NO_ACTIVE_SQL_TRANSACTION, "{command} can only be used in transaction blocks"))
    }

    fn savepoint(&mut self, name: &str) -> Result<()> {
        self.require_explicit_block("SAVEPOINT")?;
        self.collect_notifications();
        self.take_up();
        let served = Served { restarts: self.services.restarts(), writes: self.services.logged_writes() };
        let transaction = self.transaction();
        if transaction.savepoints.len() >= SAVEPOINTS_MAX {
            return Err(error!(
                PROGRAM_LIMIT_EXCEEDED,
                "cannot have more than {SAVEPOINTS_MAX} savepoints in a transaction"
            ));
        }
        transaction.set_savepoint(name, served).map_err(storage_error)?;
        self.set_lock_level();
        self.shared.settings.lock().begin_level();
        Ok(())
    }

    fn release_savepoint(&mut self, name: &str) -> Result<()> {
        self.require_explicit_block("RELEASE SAVEPOINT")?;
        self.take_up();
        let transaction = self.transaction();
        let index = transaction.find_savepoint(name).ok_or_else(|| no_savepoint(name))?;
        let levels = transaction.release(index).map_err(storage_error)?;
        self.set_lock_level();
        self.portals.values_mut().for_each(|portal| portal.level = portal.level.min(index));
        let mut settings = self.shared.settings.lock();
        (0..levels).for_each(|_| settings.commit_level());
        Ok(())
    }

    fn rollback_to_savepoint(&mut self, name: &str) -> Result<()> {
        self.require_explicit_block("ROLLBACK TO SAVEPOINT")?;
        self.take_up();
        let transaction = self.transaction();
        let index = transaction.find_savepoint(name).ok_or_else(|| no_savepoint(name))?;
        if transaction.lost {
            if !transaction.savepoints[index].before_writes {
                // The engine has undone more than the savepoint covers: what came before it is gone as well.
                return Err(error!(
                    T_R_STATEMENT_COMPLETION_UNKNOWN,
                    "savepoint \"{name}\" was lost when a statement failed internally"
                )
                .hint("Roll back the whole transaction and run it again."));
            }
            transaction.give_up_work();
            transaction.lost = false;
        }
        let levels = transaction.savepoints.len() - index;
        self.undo_to(index)?;
        self.transaction().failed = false;
        {
            let mut settings = self.shared.settings.lock();
            (0..levels).for_each(|_| settings.abort_level());
            settings.begin_level();
        }
        self.restore_users();
        Ok(())
    }

    /// Undoes what came after a savepoint, which stays, and gives back what was locked since. The right to write goes as
    /// well when all writing came after it, unless the transaction's snapshot hangs on it.
    pub(super) fn undo_to(&mut self, index: usize) -> Result<()> {
        let keeps_snapshot = self.keeps_snapshot();
        let transaction = self.transaction();
        let had_shared_lock = transaction.shared_lock.is_some();
        let undone = transaction.rollback_to(index).map_err(storage_error)?;
        let wrote_nothing_before = transaction.savepoints[index].before_writes;
        let gives_up = wrote_nothing_before && transaction.work.writes() && !keeps_snapshot;
        if gives_up {
            transaction.give_up_work();
        }
        let has_shared_lock = transaction.shared_lock.is_some();
        let level = transaction.savepoints.len() as u32;
        let served = transaction.served(index);
        self.services.undo_restarts(served.restarts);
        self.services.undo_writes(served.writes);
        let locks = &self.shared.cluster.locks;
        locks.roll_back_to(self.backend(), level);
        let given_up = [(gives_up, self.database.oid), (had_shared_lock && !has_shared_lock, Oid::INVALID)];
        for (_, database) in given_up.into_iter().filter(|(given_up, _)| *given_up) {
            locks.release(self.backend(), LockTag::Writer(database), LockMode::Exclusive);
        }
        // A catalog of its own that it goes back to is as old as the savepoint.
        if has_shared_lock || self.transaction().catalog_changed {
            self.refresh_shared_rows()?;
        }
        self.close_portals_of(index + 1);
        self.run_at_end_elsewhere(undone);
        Ok(())
    }

    /// The relation that a name means on this search path.
    ///
    /// # Errors
    /// `42P01`, `3F000`.
    pub(super) fn find_table(&mut self, catalog: &Arc<Catalog>, name: &Name) -> Result<Arc<Class>> {
        let missing = |shown: &str| error!(UNDEFINED_TABLE, "relation \"{shown}\" does not exist");
        refuse_other_database(&name.parts(), Shown::Quoted, catalog)?;
        match &name.schema {
            Some(schema) => {
                let namespace = catalog
                    .namespace_named(schema)
                    .ok_or_else(|| error!(UNDEFINED_SCHEMA, "schema \"{schema}\" does not exist"))?;
                catalog
                    .class_named(namespace.oid, &name.name)
                    .ok_or_else(|| missing(&format!("{schema}.{}", name.name)))
            }
            None => {
                let search_path = self.search_path(catalog);
                let mut found =
                    search_path.iter().filter_map(|schema| catalog.class_named(*schema, &name.name));
                found.next().ok_or_else(|| missing(&name.name))
            }
        }
    }

    fn set_transaction(&mut self, modes: &[TransactionMode]) -> Result<()> {
        if self.require_block("SET TRANSACTION").is_err() {
            self.notice(
                Severity::Warning,
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION can only be used in transaction blocks",
            );
        }
        // Without a block they hold to the end of the implicit transaction.
        self.transaction();
        self.set_modes(modes)
    }

    fn set_modes(&mut self, modes: &[TransactionMode]) -> Result<()> {
        for mode in modes {
            let (name, value) = spelled(*mode);
            let name = format!("transaction_{name}");
            self.check_property(&name, Some(value))?;
            self.shared.settings.lock().set(&name, Some(value), SetScope::Local)?;
        }
        Ok(())
    }

    /// Whether a property of the transaction may be given this value now; other settings may.
    ///
    /// # Errors
    /// `25001` (`check_XactIsoLevel`, `check_transaction_read_only`, `check_transaction_deferrable`).
    pub(super) fn check_property(&self, name: &str, value: Option<&str>) -> Result<()> {
        let Some(transaction) = &self.transaction else { return Ok(()) };
        let (had_snapshot, inside) = (transaction.had_snapshot, !transaction.savepoints.is_empty());
        let settings = self.shared.settings.lock();
        let refused = match name.to_ascii_lowercase().as_str() {
            "transaction_isolation" => {
                let default = settings.text(id::DEFAULT_TRANSACTION_ISOLATION);
                let same = settings.text(id::TRANSACTION_ISOLATION)
                    == value.map_or_else(|| default.to_owned(), str::to_lowercase);
                match (same, had_snapshot, inside) {
                    (true, ..) | (_, false, false) => None,
                    (_, true, _) => Some("SET TRANSACTION ISOLATION LEVEL must be called before any query"),
                    _ => Some("SET TRANSACTION ISOLATION LEVEL must not be called in a subtransaction"),
                }
            }
            "transaction_read_only" => {
                let default = settings.boolean(id::DEFAULT_TRANSACTION_READ_ONLY);
                let wanted = value.map_or(Some(default), parse_boolean);
                let opens = settings.boolean(id::TRANSACTION_READ_ONLY) && wanted == Some(false);
                match (opens, inside, had_snapshot) {
                    (true, true, _) => {
                        Some("cannot set transaction read-write mode inside a read-only transaction")
                    }
                    (true, _, true) => Some("transaction read-write mode must be set before any query"),
                    _ => None,
                }
            }
            "transaction_deferrable" => match (inside, had_snapshot) {
                (true, _) => {
                    Some("SET TRANSACTION [NOT] DEFERRABLE cannot be called within a subtransaction")
                }
                (_, true) => Some("SET TRANSACTION [NOT] DEFERRABLE must be called before any query"),
                _ => None,
            },
            _ => None,
        };
        refused.map_or(Ok(()), |message| Err(error!(ACTIVE_SQL_TRANSACTION, "{message}")))
    }

    /// SET TRANSACTION SNAPSHOT.
    fn import_snapshot(&mut self, identifier: &str) -> Result<()> {
        if self.require_block("SET TRANSACTION").is_err() {
            self.notice(
                Severity::Warning,
                SqlState::NO_ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION can only be used in transaction blocks",
            );
        }
        let has_number = self.backend().transaction_id().is_some();
        let transaction = self.transaction();
        if transaction.had_snapshot || has_number || !transaction.savepoints.is_empty() {
            return Err(error!(
                ACTIVE_SQL_TRANSACTION,
                "SET TRANSACTION SNAPSHOT must be called before any query"
            ));
        }
        if !self.keeps_snapshot() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "a snapshot-importing transaction must have isolation level SERIALIZABLE or REPEATABLE READ"
            ));
        }
        let importer = {
            let settings = self.shared.settings.lock();
            Importer {
                database: self.database.oid,
                serializable: settings.text(id::TRANSACTION_ISOLATION) == "serializable",
                read_only: settings.boolean(id::TRANSACTION_READ_ONLY),
            }
        };
        let imported = self.shared.cluster.exported_snapshots.lend(identifier, &importer)?;
        self.services.import_snapshot(imported.snapshot);
        let transaction = self.transaction();
        transaction.had_snapshot = true;
        transaction.work = Work::Read(imported.connection);
        transaction.catalog = Some(imported.catalog);
        transaction.imported = Some(identifier.to_owned());
        Ok(())
    }

    fn set_characteristics(&mut self, modes: &[TransactionMode]) -> Result<()> {
        let mut settings = self.shared.settings.lock();
        for mode in modes {
            let (name, value) = spelled(*mode);
            settings.set(&format!("default_transaction_{name}"), Some(value), SetScope::Session)?;
        }
        Ok(())
    }
}

type Properties = [(crate::settings::SettingId, crate::settings::SettingValue); 3];

fn spelled(mode: TransactionMode) -> (&'static str, &'static str) {
    let on_off = |on| if on { "on" } else { "off" };
    match mode {
        TransactionMode::Isolation(level) => ("isolation", isolation_word(level)),
        TransactionMode::ReadOnly(on) => ("read_only", on_off(on)),
        TransactionMode::Deferrable(on) => ("deferrable", on_off(on)),
    }
}

fn isolation_word(level: IsolationLevel) -> &'static str {
    match level {
        IsolationLevel::ReadUncommitted => "read uncommitted",
        IsolationLevel::ReadCommitted => "read committed",
        IsolationLevel::RepeatableRead => "repeatable read",
        IsolationLevel::Serializable => "serializable",
    }
}

fn no_savepoint(name: &str) -> SqlError {
    error!(S_E_INVALID_SPECIFICATION, "savepoint \"{name}\" does not exist")
}
