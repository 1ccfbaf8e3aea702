//! A session's transaction: what it holds of the engine, what it has changed, its savepoints.
//!
//! Source: `src/backend/access/transam/xact.c`.

use std::sync::Arc;

use storage::{Connection, PooledConnection, WriteLock};

use crate::Result;
use crate::catalog::{Catalog, RowChange};
use crate::cluster::{Cluster, Notification};
use crate::execute::Pending;

/// Something left to be done when the transaction has ended. It may wait for the disk. Failures are logged.
pub(super) type AtEnd = Box<dyn FnOnce(&Arc<Cluster>) -> Result<()> + Send + Sync>;

/// What a transaction holds of the engine.
pub(super) enum Work {
    /// Nothing: nothing has run yet, or only reads under READ COMMITTED.
    None,
    /// A connection for one statement, which takes a snapshot for itself.
    Statement(PooledConnection),
    /// A snapshot.
    Read(PooledConnection),
    /// The newest state, changes, and the right to make them. (Fields are dropped in order: first the connection is
    /// rolled back, then others may write.)
    Write(PooledConnection, #[allow(dead_code, reason = "held, not looked at")] WriteLock),
}

impl Work {
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::None => None,
            Self::Statement(connection) | Self::Read(connection) | Self::Write(connection, _) => {
                Some(connection)
            }
        }
    }

    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Write(..))
    }
}

/// A savepoint.
pub(super) struct Savepoint {
    /// Its name as the client knows it.
    pub(super) name: String,
    /// Its name as the engine knows it; none while it is a marker before the first write.
    pub(super) engine_name: Option<String>,
    /// Whether it was set before the transaction's first write.
    pub(super) before_writes: bool,
    kept: Kept,
}

/// How far the transaction had come: what a rollback goes back to.
struct Kept {
    catalog: Option<Arc<Catalog>>,
    catalog_changed: bool,
    shared_changes: usize,
    notifications: usize,
    listening: usize,
    deferred: usize,
    on_commit: usize,
    on_abort: usize,
}

/// A change of what the session listens to, made at commit.
pub(super) enum Listening {
    To(String),
    NotTo(String),
    ToNothing,
}

/// The session's transaction.
pub(super) struct Transaction {
    /// Whether it is a block that BEGIN has opened; otherwise it ends with its message.
    pub(super) explicit: bool,
    /// Whether a statement has failed: only its end is accepted.
    pub(super) failed: bool,
    /// Whether the engine has already rolled back, because a writing statement was interrupted.
    pub(super) lost: bool,
    /// Whether a statement has taken a snapshot: properties are then fixed.
    pub(super) had_snapshot: bool,
    /// Its start, µs since 2000-01-01 UTC.
    pub(super) started: i64,
    pub(super) work: Work,
    /// The catalog that goes with the snapshot, or the transaction's own.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// Whether the catalog is the transaction's own.
    pub(super) catalog_changed: bool,
    pub(super) shared_changes: Vec<RowChange>,
    /// Held from the first change of shared rows.
    pub(super) shared_lock: Option<WriteLock>,
    pub(super) savepoints: Vec<Savepoint>,
    pub(super) notifications: Vec<Notification>,
    pub(super) listening: Vec<Listening>,
    pub(super) deferred: Vec<Pending>,
    pub(super) on_commit: Vec<AtEnd>,
    pub(super) on_abort: Vec<AtEnd>,
    next_savepoint: u32,
}

impl Transaction {
    pub(super) fn new(explicit: bool, started: i64) -> Self {
        Self {
            explicit,
            failed: false,
            lost: false,
            had_snapshot: false,
            started,
            work: Work::None,
            catalog: None,
            catalog_changed: false,
            shared_changes: Vec::new(),
            shared_lock: None,
            savepoints: Vec::new(),
            notifications: Vec::new(),
            listening: Vec::new(),
            deferred: Vec::new(),
            on_commit: Vec::new(),
            on_abort: Vec::new(),
            next_savepoint: 0,
        }
    }

    fn kept(&self) -> Kept {
        Kept {
            catalog: self.catalog.clone(),
            catalog_changed: self.catalog_changed,
            shared_changes: self.shared_changes.len(),
            notifications: self.notifications.len(),
            listening: self.listening.len(),
            deferred: self.deferred.len(),
            on_commit: self.on_commit.len(),
            on_abort: self.on_abort.len(),
        }
    }

    /// Sets a savepoint. Before the first write it is only a marker.
    pub(super) fn set_savepoint(&mut self, name: &str) -> storage::Result<()> {
        let kept = self.kept();
        let mut savepoint =
            Savepoint { name: name.to_owned(), engine_name: None, before_writes: !self.work.writes(), kept };
        if self.work.writes() {
            savepoint.engine_name = Some(self.set_engine_savepoint()?);
        }
        self.savepoints.push(savepoint);
        Ok(())
    }

    fn set_engine_savepoint(&mut self) -> storage::Result<String> {
        self.next_savepoint += 1;
        let name = format!("s{}", self.next_savepoint);
        if let Some(connection) = self.work.connection() {
            connection.savepoint(&name)?;
        }
        Ok(name)
    }

    /// The transaction has just begun to write: its markers become savepoints of the engine.
    pub(super) fn set_markers(&mut self) -> storage::Result<()> {
        for index in 0..self.savepoints.len() {
            if self.savepoints[index].engine_name.is_none() {
                self.savepoints[index].engine_name = Some(self.set_engine_savepoint()?);
            }
        }
        Ok(())
    }

    /// The innermost savepoint of this name: its index.
    pub(super) fn find_savepoint(&self, name: &str) -> Option<usize> {
        self.savepoints.iter().rposition(|savepoint| savepoint.name == name)
    }

    /// Forgets a savepoint and those inside it, keeping what came after. How many levels end.
    pub(super) fn release(&mut self, index: usize) -> storage::Result<usize> {
        if let Some(name) = self.savepoints[index].engine_name.clone()
            && let Some(connection) = self.work.connection()
        {
            connection.release(&name)?;
        }
        let levels = self.savepoints.len() - index;
        self.savepoints.truncate(index);
        Ok(levels)
    }

    /// Undoes what came after a savepoint, which stays; what is to be done about what was undone.
    pub(super) fn rollback_to(&mut self, index: usize) -> storage::Result<Vec<AtEnd>> {
        self.savepoints.truncate(index + 1);
        let savepoint = &self.savepoints[index];
        if let (false, Some(name), Some(connection)) =
            (self.lost, &savepoint.engine_name, self.work.connection())
        {
            connection.rollback_to(name)?;
        }
        let kept = &savepoint.kept;
        // A marker has no catalog before the first statement; the newest then serves.
        self.catalog.clone_from(&kept.catalog);
        self.catalog_changed = kept.catalog_changed;
        self.shared_changes.truncate(kept.shared_changes);
        self.notifications.truncate(kept.notifications);
        self.listening.truncate(kept.listening);
        self.deferred.truncate(kept.deferred);
        self.on_commit.truncate(kept.on_commit);
        Ok(self.on_abort.split_off(kept.on_abort))
    }
}
