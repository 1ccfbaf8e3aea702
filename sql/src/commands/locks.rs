//! The locks that commands take on relations before they change them or rely on their rows: on those that they name, and
//! on those that they come upon by way of others (dependencies, foreign keys, columns of a domain).
//!
//! Transactions of others may have changes that are not in the engine (`session/aside.rs`). Their locks on tables are all
//! that tells of these: a command that came upon a table without locking it would not see its rows change, and could take
//! away what the changes are to be made in.
//!
//! A command never waits here: it has the right to write, which whoever holds the lock needs to commit. It fails, and is
//! run again after the wait (`session/command.rs`).
//!
//! Source: manual, "Explicit Locking"; `src/backend/commands/tablecmds.c` (`AlterTableGetLockLevel`, of which only the
//! strongest level is taken here), `src/backend/catalog/dependency.c` (`AcquireDeletionLock`).

use super::CommandContext;
use super::dependency::ObjectAddress;
use crate::bound::Query;
use crate::catalog::privileges::Privileges;
use crate::catalog::{AttributeDefault, Class, Constraint, Index, Rewrite};
use crate::locks::LockMode;
use crate::oid::{FIRST_NORMAL, relations};
use crate::parse::{
    AlterTableAction, ColumnConstraint, ColumnConstraintKind, Name, ObjectKind, TableConstraintKind, Utility,
};
use crate::{Oid, Result};

/// The relations that a command names and how it locks them.
fn named(utility: &Utility) -> Vec<(&Name, LockMode)> {
    let relation = |kind: ObjectKind| {
        use ObjectKind::*;
        matches!(kind, Table | View | MaterializedView | Index | Sequence | ForeignTable)
    };
    match utility {
        Utility::AlterTable(command) => vec![(&command.name, LockMode::AccessExclusive)],
        Utility::AlterObject(command) if relation(command.object.kind) => {
            vec![(&command.object.name, LockMode::AccessExclusive)]
        }
        Utility::AlterObject(command) => {
            command.object.on.iter().map(|table| (table, LockMode::AccessExclusive)).collect()
        }
        Utility::AlterSequence(command) => vec![(&command.name, LockMode::ShareRowExclusive)],
        Utility::Comment(command) if relation(command.object.kind) => {
            vec![(&command.object.name, LockMode::ShareUpdateExclusive)]
        }
        Utility::Comment(command) if command.object.kind == ObjectKind::Column => {
            command.object.on.iter().map(|table| (table, LockMode::ShareUpdateExclusive)).collect()
        }
        // With CONCURRENTLY, too: the index is built in one go, over all rows that there are, so it waits for those who
        // write to the table, as PostgreSQL does before it builds. Here new ones wait for it as well.
        Utility::CreateIndex(command) => vec![(&command.table, LockMode::Share)],
        Utility::Drop(command) if relation(command.kind) => {
            command.objects.iter().map(|object| (&object.name, LockMode::AccessExclusive)).collect()
        }
        Utility::Drop(command) => {
            let tables = command.objects.iter().filter_map(|object| object.on.as_ref());
            tables.map(|table| (table, LockMode::AccessExclusive)).collect()
        }
        Utility::Truncate { tables, .. } => {
            tables.iter().map(|table| (table, LockMode::AccessExclusive)).collect()
        }
        Utility::RefreshMaterializedView(command) => {
            let mode = if command.concurrently { LockMode::Exclusive } else { LockMode::AccessExclusive };
            vec![(&command.name, mode)]
        }
        _ => Vec::new(),
    }
}

impl CommandContext<'_> {
    /// Locks a relation for the transaction. The system's own are not locked: nobody changes them side by side.
    ///
    /// # Errors
    /// When somebody else is in the way: the session then knows what to wait for, and runs the command again.
    pub(super) fn lock_relation(&self, relation: Oid, mode: LockMode) -> Result<()> {
        if relation < FIRST_NORMAL {
            return Ok(());
        }
        self.statement.session.services.lock_relation(relation, mode)
    }

    /// Whether the user may do to the relations that a command names what it wants. If not the command is going to say so;
    /// the error is its own.
    ///
    /// Source: the callbacks that `RangeVarGetRelidExtended` is given (`RangeVarCallbackOwnsRelation` and others).
    ///
    /// # Errors
    /// `3F000`.
    pub(super) fn may_change_named(&self, utility: &Utility) -> Result<bool> {
        for (name, _) in named(utility) {
            let Some(class) = self.find_relation(name)? else { continue };
            let owns = |owner: Oid| self.edit.has_privs_of_role(self.user, owner);
            let may = owns(class.relowner)
                || match utility {
                    Utility::Truncate { .. } => {
                        self.edit.has_class_privilege(self.user, class.oid, Privileges::TRUNCATE)?
                            == Some(true)
                    }
                    Utility::Drop(_) => {
                        self.edit.namespace(class.relnamespace).is_some_and(|schema| owns(schema.nspowner))
                    }
                    _ => false,
                };
            if !may {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Locks the relations that a command names, as far as they exist, in order; an index comes with its table.
    ///
    /// # Errors
    /// As [`Self::lock_relation`].
    pub(super) fn lock_named(&self, utility: &Utility) -> Result<()> {
        let mut locked = Vec::new();
        for (name, mode) in named(utility) {
            let Some(class) = self.find_relation(name)? else { continue };
            let table = match class.relkind {
                'i' => self.edit.index(class.oid).map(|index| index.indrelid),
                _ => None,
            };
            locked.extend(table.into_iter().chain([class.oid]).map(|relation| (relation, mode)));
        }
        locked.sort_unstable();
        locked.into_iter().try_for_each(|(relation, mode)| self.lock_relation(relation, mode))
    }

    /// Locks the relations that lose something when these objects are dropped.
    ///
    /// # Errors
    /// As [`Self::lock_relation`].
    pub(super) fn lock_dropped(&self, objects: &[ObjectAddress]) -> Result<()> {
        let mut locked: Vec<Oid> =
            objects.iter().flat_map(|address| self.relations_behind(*address)).collect();
        locked.sort_unstable();
        locked.dedup();
        locked.into_iter().try_for_each(|relation| self.lock_relation(relation, LockMode::AccessExclusive))
    }

    /// The relations that lose something with an object: itself, the one of which it is a part, and both sides of a
    /// foreign key.
    fn relations_behind(&self, address: ObjectAddress) -> Vec<Oid> {
        let oid = address.object;
        match address.class {
            relations::PG_CLASS => {
                let table = self.edit.get::<Index>(oid).map(|index| index.indrelid);
                table.into_iter().chain([oid]).collect()
            }
            relations::PG_ATTRDEF => {
                self.edit.get::<AttributeDefault>(oid).map(|row| row.adrelid).into_iter().collect()
            }
            relations::PG_CONSTRAINT => {
                let row = self.edit.get::<Constraint>(oid);
                let sides = row.map(|row| [row.conrelid, row.confrelid]);
                sides.into_iter().flatten().filter(|side| side.is_valid()).collect()
            }
            relations::PG_REWRITE => {
                self.edit.get::<Rewrite>(oid).map(|row| row.ev_class).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Locks the relations that a query reads.
    ///
    /// # Errors
    /// As [`Self::lock_relation`].
    pub(super) fn lock_read(&self, query: &Query) -> Result<()> {
        let used = super::references::of_query(query);
        let mut read: Vec<Oid> =
            used.iter().filter(|used| used.class == relations::PG_CLASS).map(|used| used.object).collect();
        read.dedup();
        read.into_iter().try_for_each(|relation| self.lock_relation(relation, LockMode::AccessShare))
    }

    /// Locks the tables to which new foreign keys of ALTER TABLE refer, before any of its actions is begun. One that is
    /// not there is told of when its turn comes.
    ///
    /// # Errors
    /// As [`Self::lock_relation`].
    pub(super) fn lock_referenced(&self, actions: &[AlterTableAction]) -> Result<()> {
        let of_column = |constraint: &ColumnConstraint| match &constraint.kind {
            ColumnConstraintKind::References(reference) => Some(reference.table.clone()),
            _ => None,
        };
        for action in actions {
            let tables: Vec<Name> = match action {
                AlterTableAction::AddColumn { column, .. } => {
                    column.constraints.iter().filter_map(of_column).collect()
                }
                AlterTableAction::AddConstraint(constraint) => match &constraint.kind {
                    TableConstraintKind::ForeignKey { reference, .. } => vec![reference.table.clone()],
                    _ => Vec::new(),
                },
                _ => Vec::new(),
            };
            for table in tables {
                if let Some(class) = self.find_relation(&table)? {
                    self.lock_relation(class.oid, LockMode::ShareRowExclusive)?;
                }
            }
        }
        Ok(())
    }

    /// Locks both sides of the foreign keys in which a column occurs: they are made anew when its type changes.
    ///
    /// # Errors
    /// As [`Self::lock_relation`].
    pub(super) fn lock_foreign_keys_of(&self, class: &Class, attnum: i16) -> Result<()> {
        let names = |keys: &Option<Vec<i16>>| keys.as_ref().is_some_and(|keys| keys.contains(&attnum));
        for constraint in self.edit.constraints(class.oid).iter().filter(|row| row.contype == 'f') {
            if names(&constraint.conkey) {
                self.lock_relation(constraint.confrelid, LockMode::AccessExclusive)?;
            }
        }
        for constraint in self.edit.referencing_constraints(class.oid).iter() {
            if names(&constraint.confkey) {
                self.lock_relation(constraint.conrelid, LockMode::AccessExclusive)?;
            }
        }
        Ok(())
    }
}
