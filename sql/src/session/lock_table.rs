//! LOCK TABLE: of tables, and of views with all that they read.
//!
//! Source: `src/backend/commands/lockcmds.c`.

use std::sync::Arc;

use super::Session;
use crate::catalog::privileges::Privileges;
use crate::catalog::{Catalog, Class};
use crate::locks::{Lifetime, LockMode, LockTag};
use crate::oid::relations;
use crate::parse::{LockTable, Name};
use crate::{Oid, Result, SqlError, error};

/// How LOCK TABLE locks.
#[derive(Clone, Copy)]
struct Manner {
    mode: LockMode,
    nowait: bool,
}

impl Session {
    /// LOCK TABLE.
    ///
    /// # Errors
    /// `25P01`, `42P01`, `42809`, `42501`, `55P03`, those of waiting.
    pub(super) async fn lock_tables(&mut self, command: &LockTable) -> Result<()> {
        self.require_block("LOCK TABLE")?;
        let mode = LockMode::from_words(command.mode);
        let mode = mode.ok_or_else(|| SqlError::internal("an unknown lock mode"))?;
        for table in &command.tables {
            self.lock_table(table, Manner { mode, nowait: command.nowait }).await?;
        }
        Ok(())
    }

    async fn lock_table(&mut self, table: &Name, manner: Manner) -> Result<()> {
        let mut locked = None;
        loop {
            // Found anew after each wait: the table may have gone meanwhile, and another one may have its name.
            let catalog = self.present_catalog();
            let class = self.find_table(&catalog, table)?;
            if !is_lockable(&class) {
                return Err(error!(WRONG_OBJECT_TYPE, "cannot lock relation \"{}\"", class.relname)
                    .detail(unsupported_kind(class.relkind)));
            }
            check_may_lock(&catalog, &class, manner.mode, self.shared.users.lock().1)?;
            if locked == Some(class.oid) {
                return self.lock_read_by(&catalog, &class, manner).await;
            }
            self.lock_one(&class, manner).await?;
            locked = Some(class.oid);
        }
    }

    /// Locks what a view reads, and what the views that it reads read. Their owners must be allowed to, unless they read as
    /// whoever uses them.
    async fn lock_read_by(&mut self, catalog: &Catalog, class: &Arc<Class>, manner: Manner) -> Result<()> {
        let (mut seen, mut readers) = (vec![class.oid], vec![Arc::clone(class)]);
        while let Some(reader) = readers.pop() {
            let user = if reader.reads_as_user() { self.shared.users.lock().1 } else { reader.relowner };
            for relation in read_by(catalog, reader.oid) {
                let class = catalog.class(relation);
                let class = class.filter(|class| is_lockable(class) && !seen.contains(&class.oid));
                let Some(class) = class else { continue };
                check_may_lock(catalog, &class, manner.mode, user)?;
                self.lock_one(&class, manner).await?;
                seen.push(class.oid);
                readers.push(class);
            }
        }
        Ok(())
    }

    async fn lock_one(&mut self, class: &Arc<Class>, manner: Manner) -> Result<()> {
        let tag = LockTag::Relation(self.database.oid, class.oid);
        self.transaction();
        let locks = &self.shared.cluster.locks;
        if locks.try_acquire(self.backend(), tag, manner.mode, Lifetime::Transaction) {
            return Ok(());
        }
        if manner.nowait {
            return Err(error!(
                LOCK_NOT_AVAILABLE,
                "could not obtain lock on relation \"{}\"", class.relname
            ));
        }
        self.acquire(tag, manner.mode).await
    }
}

/// The relations that a view reads itself, as its rule depends on them.
fn read_by(catalog: &Catalog, view: Oid) -> Vec<Oid> {
    let Some(rule) = catalog.view_rule(view) else { return Vec::new() };
    let dependencies = catalog.dependencies(relations::PG_REWRITE, rule.oid);
    let read = dependencies.iter().filter(|used| used.refclassid == relations::PG_CLASS);
    let mut read: Vec<Oid> = read.map(|used| used.refobjid).filter(|relation| *relation != view).collect();
    read.sort_unstable();
    read.dedup();
    read
}

fn is_lockable(class: &Class) -> bool {
    matches!(class.relkind, 'r' | 'p' | 'v')
}

/// # Errors
/// `42501` unless the role may lock the relation so (`LockTableAclCheck`).
fn check_may_lock(catalog: &Catalog, class: &Class, mode: LockMode, role: Oid) -> Result<()> {
    let strong = Privileges::UPDATE.with(Privileges::DELETE).with(Privileges::TRUNCATE);
    let wanted = match mode {
        LockMode::AccessShare => strong.with(Privileges::SELECT),
        LockMode::RowShare | LockMode::RowExclusive => strong.with(Privileges::INSERT),
        _ => strong,
    };
    if catalog.has_class_privilege(role, class.oid, wanted)? == Some(true) {
        return Ok(());
    }
    let kind = if class.relkind == 'v' { "view" } else { "table" };
    Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for {kind} {}", class.relname))
}

/// Why a relation of another kind cannot be locked (`errdetail_relkind_not_supported`).
fn unsupported_kind(relkind: char) -> &'static str {
    match relkind {
        'S' => "This operation is not supported for sequences.",
        'i' => "This operation is not supported for indexes.",
        'm' => "This operation is not supported for materialized views.",
        'c' => "This operation is not supported for composite types.",
        't' => "This operation is not supported for TOAST tables.",
        'f' => "This operation is not supported for foreign tables.",
        _ => "This operation is not supported for partitioned indexes.",
    }
}
