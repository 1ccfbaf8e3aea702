//! The locks that commands take on tables before they change them: a command on a table waits for transactions that use
//! it, and they for it.
//!
//! Source: manual, "Explicit Locking"; `src/backend/commands/tablecmds.c` (`AlterTableGetLockLevel`, of which only the
//! strongest level is taken here).

use super::Session;
use crate::catalog::Catalog;
use crate::locks::LockMode;
use crate::oid::FIRST_NORMAL;
use crate::parse::{Name, ObjectKind, Utility};
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
        Utility::CreateIndex(command) if command.concurrently => {
            vec![(&command.table, LockMode::ShareUpdateExclusive)]
        }
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

/// The relations of users among them that exist, in order; an index comes with its table.
fn found(catalog: &Catalog, search_path: &[Oid], named: &[(&Name, LockMode)]) -> Vec<(Oid, LockMode)> {
    let mut locked = Vec::new();
    for (name, mode) in named {
        let Ok(class) = super::control::find_table(catalog, search_path, name) else { continue };
        let table = match class.relkind {
            'i' => catalog.get::<crate::catalog::Index>(class.oid).map(|index| index.indrelid),
            _ => None,
        };
        locked.extend(table.into_iter().chain([class.oid]).map(|relation| (relation, *mode)));
    }
    locked.retain(|(relation, _)| *relation >= FIRST_NORMAL);
    locked.sort_unstable();
    locked
}

impl Session {
    /// Takes the locks of a command and the right to write. The latter comes first here: whoever has it may still want the
    /// tables, and would wait for a command that waits for it. While tables are awaited it is given back, if the
    /// transaction has not used it yet.
    ///
    /// # Errors
    /// `40P01`, `55P03`, `57014`; `40001` on a stale snapshot.
    pub(super) async fn begin_command(&mut self, utility: &Utility) -> Result<()> {
        let named = named(utility);
        let held_before = self.transaction().work.writes();
        let had_snapshot = self.keeps_snapshot() && self.transaction().had_snapshot;
        self.begin_writing().await?;
        if named.is_empty() {
            return Ok(());
        }
        let catalog = self.present_catalog();
        let search_path = self.search_path(&catalog);
        let locked = found(&catalog, &search_path, &named);
        if self.try_lock_relations(&locked) {
            return Ok(());
        }
        if !held_before && !had_snapshot {
            self.give_up_writing();
        }
        self.lock_relations(&locked).await?;
        self.begin_writing().await.map(drop)
    }
}
