//! TRUNCATE.
//!
//! Source: `ExecuteTruncate` in `src/backend/commands/tablecmds.c`, `heap_truncate_check_FKs` in `heap.c`.

use std::sync::Arc;

use super::CommandContext;
use super::naming::is_system;
use crate::catalog::Class;
use crate::catalog::privileges::Privileges;
use crate::locks::LockMode;
use crate::lower::quoted;
use crate::parse::Name;
use crate::{Oid, Result, SqlState, error};

impl CommandContext<'_> {
    pub(super) fn truncate(&mut self, names: &[Name], restart_identity: bool, cascade: bool) -> Result<()> {
        let mut tables: Vec<Arc<Class>> = Vec::new();
        for name in names {
            let table = self.relation(name)?;
            self.check_truncatable(&table)?;
            if !tables.iter().any(|present| present.oid == table.oid) {
                tables.push(table);
            }
        }
        if cascade {
            self.add_referencing(&mut tables)?;
        } else {
            self.refuse_referenced(&tables)?;
        }
        for table in &tables {
            if let Some(physical) = self.edit.physical_name(table.oid) {
                self.engine(&format!("DELETE FROM {}", quoted(&physical)))?;
                // As if the rows went into a new file: it tells who asks that the table holds nothing that others know.
                let file = self.edit.allocate_oid();
                self.edit.change::<Class>(table.oid, |class| class.relfilenode = file)?;
            }
            if restart_identity {
                for sequence in super::ownership::owned_sequences(self.edit, table.oid) {
                    self.restart_sequence(sequence)?;
                }
            }
        }
        Ok(())
    }

    fn check_truncatable(&self, table: &Class) -> Result<()> {
        if table.relkind != 'r' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a table", table.relname));
        }
        if is_system(table) {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied: \"{}\" is a system catalog", table.relname
            ));
        }
        if self.edit.has_class_privilege(self.user, table.oid, Privileges::TRUNCATE)? != Some(true) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for table {}", table.relname));
        }
        Ok(())
    }

    /// The tables that refer to a table, each once.
    fn referencing(&self, table: Oid) -> Vec<Arc<Class>> {
        let mut found: Vec<Arc<Class>> = Vec::new();
        for constraint in self.edit.referencing_constraints(table).iter() {
            if let Some(class) = self.edit.class(constraint.conrelid)
                && !found.iter().any(|present| present.oid == class.oid)
            {
                found.push(class);
            }
        }
        found
    }

    fn add_referencing(&mut self, tables: &mut Vec<Arc<Class>>) -> Result<()> {
        let mut next = 0;
        while let Some(table) = tables.get(next).cloned() {
            for class in self.referencing(table.oid) {
                if tables.iter().any(|present| present.oid == class.oid) {
                    continue;
                }
                self.lock_relation(class.oid, LockMode::AccessExclusive)?;
                let message = format!("truncate cascades to table \"{}\"", class.relname);
                self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
                self.check_truncatable(&class)?;
                tables.push(class);
            }
            next += 1;
        }
        Ok(())
    }

    fn refuse_referenced(&self, tables: &[Arc<Class>]) -> Result<()> {
        for table in tables {
            for class in self.referencing(table.oid) {
                if tables.iter().any(|present| present.oid == class.oid) {
                    continue;
                }
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot truncate a table referenced in a foreign key constraint"
                )
                .detail(format!("Table \"{}\" references \"{}\".", class.relname, table.relname))
                .hint(format!(
                    "Truncate table \"{}\" at the same time, or use TRUNCATE ... CASCADE.",
                    class.relname
                )));
            }
        }
        Ok(())
    }
}
