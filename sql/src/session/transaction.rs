//! A session's transaction: what it holds of the engine, what it has changed, its savepoints.
//!
//! Source: `src/backend/access/transam/xact.c`.

use std::collections::HashSet;
use std::sync::Arc;

use storage::{Connection, PooledConnection, WriteLock};

use crate::catalog::{Catalog, RowChange};
use crate::cluster::{Cluster, Notification, storage_error};
use crate::execute::{Pending, WriteLog};
use crate::{Result, SqlError};

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
    /// Changes that are not in the engine, or perhaps not: see `aside`.
    Aside,
    /// A snapshot for one statement that does not look at the transaction's changes, which are aside, if there are any: see
    /// `aside`.
    Beside(PooledConnection),
}

impl Work {
    pub(super) fn connection(&mut self) -> Option<&mut Connection> {
        match self {
            Self::None | Self::Aside => None,
            Self::Statement(connection)
            | Self::Read(connection)
            | Self::Beside(connection)
            | Self::Write(connection, _) => Some(connection),
        }
    }

    /// Whether the transaction has begun to write.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Write(..) | Self::Aside | Self::Beside(_))
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

impl Savepoint {
    /// The catalog as it was there; none while the transaction had none of its own.
    pub(super) fn catalog(&self) -> Option<Arc<Catalog>> {
        self.kept.catalog.clone()
    }
}

/// How far the transaction had come: what a rollback goes back to.
struct Kept {
    /// The transaction's own catalog, if it had one.
    catalog: Option<Arc<Catalog>>,
    shared_changes: usize,
    notifications: usize,
    listening: usize,
    deferred: usize,
    on_commit: usize,
    on_abort: usize,
    /// How far the session's services had come.
    served: Served,
}

/// How many things the session keeps for its transaction outside of it.
#[derive(Clone, Copy)]
pub(super) struct Served {
    /// Restarts of sequences.
    pub(super) restarts: usize,
    /// Changes of rows.
    pub(super) writes: usize,
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
    /// Whether an Execute message has been completed in it, without a Sync since.
    pub(super) pipelined: bool,
    /// Whether something of it may have to wait when it has made changes: these are then kept as data, as those of a block
    /// are.
    pub(super) may_wait: bool,
    /// Whether a statement has failed: only its end is accepted.
    pub(super) failed: bool,
    /// Whether the engine's transaction is gone before its time: a statement has panicked, or one that writes was
    /// stopped. Nothing that was written can be kept.
    pub(super) lost: bool,
    /// Whether its commit is on its way on another thread, which goes on when its session ends.
    pub(super) committing: bool,
    /// Whether a statement has taken a snapshot: properties are then fixed.
    pub(super) had_snapshot: bool,
    /// Its start, µs since 2000-01-01 UTC.
    pub(super) started: i64,
    pub(super) work: Work,
    /// A connection at rest, for the next statement that takes a snapshot for itself.
    pub(super) spare: Option<PooledConnection>,
    /// The newest commit that the snapshot is sure to show.
    pub(super) seen_commit: u64,
    /// The identifier of the snapshot that it has imported.
    pub(super) imported: Option<String>,
    /// The commit that the next snapshot must show the state after, in place of one that was given up.
    pub(super) same_as: Option<u64>,
    /// The catalog that goes with the snapshot, or the transaction's own.
    pub(super) catalog: Option<Arc<Catalog>>,
    /// Whether the catalog is the transaction's own.
    pub(super) catalog_changed: bool,
    pub(super) shared_changes: Vec<RowChange>,
    /// Held from the first change of shared rows.
    pub(super) shared_lock: Option<WriteLock>,
    pub(super) savepoints: Vec<Savepoint>,
    pub(super) notifications: Vec<Notification>,
    /// The same, to tell which has been sent already.
    notified: HashSet<Notification>,
    pub(super) listening: Vec<Listening>,
    pub(super) deferred: Vec<Pending>,
    pub(super) on_commit: Vec<AtEnd>,
    pub(super) on_abort: Vec<AtEnd>,
    next_savepoint: u32,
}

impl Transaction {
    /// Whether its end leaves nothing behind that others could see.
    pub(super) fn is_without_effects(&self) -> bool {
        let changed = self.work.writes() || self.lost || !self.shared_changes.is_empty();
        let told = !self.notifications.is_empty() || !self.listening.is_empty();
        !changed && !told && self.deferred.is_empty() && self.on_commit.is_empty()
    }

    pub(super) fn new(explicit: bool, started: i64) -> Self {
        Self {
            explicit,
            pipelined: false,
            may_wait: false,
            failed: false,
            lost: false,
            committing: false,
            had_snapshot: false,
            started,
            work: Work::None,
            spare: None,
            seen_commit: 0,
            same_as: None,
            imported: None,
            catalog: None,
            catalog_changed: false,
            shared_changes: Vec::new(),
            shared_lock: None,
            savepoints: Vec::new(),
            notifications: Vec::new(),
            notified: HashSet::new(),
            listening: Vec::new(),
            deferred: Vec::new(),
            on_commit: Vec::new(),
            on_abort: Vec::new(),
            next_savepoint: 0,
        }
    }

    /// A command that takes no snapshot in PostgreSQL has run: the transaction has one only if it had one before.
    pub(super) fn forget_snapshot_unless(&mut self, had_snapshot: bool) {
        self.had_snapshot = had_snapshot;
        if !had_snapshot && matches!(self.work, Work::Read(_)) {
            self.work = Work::None;
            self.catalog = None;
        }
    }

    /// Takes over messages; the same one counts once for a transaction.
    pub(super) fn notify(&mut self, messages: Vec<Notification>) {
        for message in messages {
            if self.notified.insert(message.clone()) {
                self.notifications.push(message);
            }
        }
    }

    /// The catalog that the transaction has changed.
    pub(super) fn own_catalog(&self) -> Option<Arc<Catalog>> {
        self.catalog.clone().filter(|_| self.catalog_changed)
    }

    fn kept(&self, served: Served) -> Kept {
        Kept {
            catalog: self.own_catalog(),
            shared_changes: self.shared_changes.len(),
            notifications: self.notifications.len(),
            listening: self.listening.len(),
            deferred: self.deferred.len(),
            on_commit: self.on_commit.len(),
            on_abort: self.on_abort.len(),
            served,
        }
    }

    /// Sets a savepoint. Before the first write it is only a marker.
    pub(super) fn set_savepoint(&mut self, name: &str, served: Served) -> storage::Result<()> {
        let kept = self.kept(served);
        let mut savepoint =
            Savepoint { name: name.to_owned(), engine_name: None, before_writes: !self.work.writes(), kept };
        if matches!(self.work, Work::Write(..)) {
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

    /// Undoes everything, and lets go of what the transaction holds; what is to be done about what was undone. The block
    /// stays, failed.
    pub(super) fn undo(&mut self) -> Vec<AtEnd> {
        self.work = Work::None;
        self.catalog = None;
        self.catalog_changed = false;
        self.shared_changes.clear();
        self.shared_lock = None;
        self.notifications.clear();
        self.notified.clear();
        self.listening.clear();
        self.deferred.clear();
        self.on_commit.clear();
        std::mem::take(&mut self.on_abort)
    }

    /// How far the session's services had come when a savepoint was set.
    pub(super) fn served(&self, index: usize) -> Served {
        self.savepoints[index].kept.served
    }

    /// The engine's transaction is gone, and its savepoints with it.
    pub(super) fn forget_engine_savepoints(&mut self) {
        self.savepoints.iter_mut().for_each(|savepoint| savepoint.engine_name = None);
    }

    /// Makes changes again in a new transaction of the engine, and sets the savepoints between them.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn replay(&mut self, log: &WriteLog) -> Result<()> {
        let mut done = 0;
        for index in 0..self.savepoints.len() {
            let upto = self.savepoints[index].kept.served.writes;
            self.replay_range(log, done..upto)?;
            done = upto;
            self.savepoints[index].engine_name = Some(self.set_engine_savepoint().map_err(storage_error)?);
        }
        self.replay_range(log, done..log.len())
    }

    fn replay_range(&mut self, log: &WriteLog, range: std::ops::Range<usize>) -> Result<()> {
        match self.work.connection() {
            Some(connection) => log.replay(connection, range),
            None => Err(SqlError::internal("changes are made again without a connection")),
        }
    }

    /// Gives up what the transaction holds of the engine: it has written nothing, or nothing that is to stay.
    pub(super) fn give_up_work(&mut self) {
        self.work = Work::None;
        self.catalog = None;
        self.forget_engine_savepoints();
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
        // A catalog that is not the transaction's own belongs to what it holds of the engine, which may show a newer state
        // by now than it did at the savepoint. What it has begun to change is the newest: nobody else may write meanwhile.
        if self.catalog_changed {
            self.catalog.clone_from(&kept.catalog);
            self.catalog_changed = kept.catalog.is_some();
        }
        self.shared_changes.truncate(kept.shared_changes);
        for undone in self.notifications.drain(kept.notifications..) {
            self.notified.remove(&undone);
        }
        if kept.shared_changes == 0 {
            self.shared_lock = None;
        }
        self.listening.truncate(kept.listening);
        self.deferred.truncate(kept.deferred);
        self.on_commit.truncate(kept.on_commit);
        Ok(self.on_abort.split_off(kept.on_abort))
    }
}
