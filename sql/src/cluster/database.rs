//! An open database: its file, its present catalog, and the gate that keeps the two in step.
//!
//! A statement takes its snapshot of the file and the catalog under the read side of the gate; a transaction that has
//! changed the catalog commits and publishes under the write side. So nobody pairs an old catalog with a new schema.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use storage::{Connection, Database as Store, DatabaseOptions, PooledConnection, WriteLock};

use super::resting::Resting;
use super::row_changes::RowChanges;
use super::row_numbers::RowNumbers;
use super::sequences::Sequences;
use crate::catalog::{self, Catalog, Scope};
use crate::session::PlanCache;
use crate::types::key_collation;
use crate::{Oid, Result};

/// How many idle engine connections a database keeps. One takes about 100 KiB, and those used last their page caches.
const IDLE_CONNECTIONS_MAX: usize = 16;

/// An open database. The one with OID zero is the cluster's own file, entered by sessions without a database.
pub struct OpenDatabase {
    /// `pg_database.oid`.
    pub oid: Oid,
    /// The file.
    pub store: Arc<Store>,
    /// The database's sequences.
    pub sequences: Sequences,
    /// Numbers for new rows.
    pub(crate) row_numbers: RowNumbers,
    /// Which rows have been changed lately.
    pub(crate) row_changes: RowChanges,
    /// The transaction that has the right to write and does not use it just now.
    pub(crate) resting: Resting,
    /// Plans of statements run here.
    pub(crate) plans: Mutex<PlanCache>,
    catalog: RwLock<Arc<Catalog>>,
    /// The last commit that has changed the catalog and must outlive a crash.
    catalog_commit: AtomicU64,
    /// Held for reading by whoever commits; for writing to keep everybody from it.
    commits: RwLock<()>,
}

/// What is asked of a commit (`synchronous_commit`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// It outlives any crash once it has been acknowledged.
    Surely,
    /// A crash within the next moments may undo it.
    Perhaps,
}

impl OpenDatabase {
    /// Opens a database's file and reads its catalog; makes both when `create` and the file is missing.
    pub(super) fn open(directory: &Path, oid: Oid, create: bool) -> Result<Arc<Self>> {
        let (path, scope) = place(directory, oid);
        let fresh = !path.exists();
        let store = Store::open(&path, options(create)).map_err(super::storage_error)?;
        let mut connection = with_collation(store.connection())?;
        if fresh {
            make(&mut connection, scope)?;
        }
        connection.begin_read().map_err(super::storage_error)?;
        let catalog = catalog::load(&mut connection, scope, oid)?;
        drop(connection);
        Ok(Arc::new(Self {
            oid,
            store,
            sequences: Sequences::new(path.with_extension("sequences.sqlite")),
            row_numbers: RowNumbers::default(),
            row_changes: RowChanges::default(),
            resting: Resting::default(),
            plans: Mutex::default(),
            catalog: RwLock::new(catalog),
            catalog_commit: AtomicU64::new(0),
            commits: RwLock::default(),
        }))
    }

    /// The catalog as last committed.
    pub fn catalog(&self) -> Arc<Catalog> {
        self.catalog.read().clone()
    }

    /// The commit that must be on disk before anything about the present catalog is told.
    pub(crate) fn catalog_commit(&self) -> u64 {
        self.catalog_commit.load(Ordering::SeqCst)
    }

    /// A connection of the pool that knows the collation of keyed texts: the engine needs it to read the definition of
    /// any table that has a keyed column, whatever a statement does with that table.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(crate) fn connection(&self) -> Result<PooledConnection> {
        with_collation(self.store.connection())
    }

    /// Begins a transaction that writes.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(crate) fn begin_write(&self, right: &WriteLock) -> Result<PooledConnection> {
        let mut connection = with_collation(self.store.writing_connection(right))?;
        connection.begin_write().map_err(super::storage_error)?;
        Ok(connection)
    }

    /// Begins a transaction that reads, with the catalog that goes with its snapshot.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn begin_read(&self) -> Result<(PooledConnection, Arc<Catalog>)> {
        let mut connection = self.connection()?;
        let catalog = self.catalog.read();
        connection.begin_read().map_err(super::storage_error)?;
        Ok((connection, catalog.clone()))
    }

    /// Begins so many transactions that read the same state, with its catalog; nothing when `only_if` does not hold for the
    /// number of the last commit in it.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(crate) fn begin_reads(
        &self,
        count: usize,
        only_if: impl FnOnce(u64) -> bool,
    ) -> Result<Option<(Vec<PooledConnection>, Arc<Catalog>)>> {
        let mut connections = (0..count).map(|_| self.connection()).collect::<Result<Vec<_>>>()?;
        let _nobody_commits = self.commits.write();
        if !only_if(self.store.committed()) {
            return Ok(None);
        }
        for connection in &mut connections {
            connection.begin_read().map_err(super::storage_error)?;
        }
        Ok(Some((connections, self.catalog())))
    }

    /// Commits a writing transaction; a changed catalog becomes everybody's in the same moment.
    ///
    /// # Errors
    /// Those of the storage engine; the transaction may then still be open.
    pub(crate) fn commit(
        &self,
        connection: &mut Connection,
        changed: Option<Arc<Catalog>>,
        keep: Keep,
    ) -> storage::Result<()> {
        let _gate = self.commits.read();
        let commit = |connection: &mut Connection| match keep {
            Keep::Surely => connection.commit(),
            Keep::Perhaps => connection.commit_lazily(),
        };
        let Some(changed) = changed else { return commit(connection) };
        let mut catalog = self.catalog.write();
        if !changed.is_made_from(&catalog) {
            // What others have committed would be gone.
            let message = "the transaction's catalog is not made from the present one".to_owned();
            return Err(storage::Error { kind: storage::ErrorKind::Other, message });
        }
        commit(connection)?;
        if keep == Keep::Surely {
            self.catalog_commit.store(connection.last_commit(), Ordering::SeqCst);
        }
        // Shared rows may have been published by others meanwhile: the newest are those already here.
        *catalog = Arc::new(changed.published_after(&catalog));
        Ok(())
    }

    /// Takes over the cluster's shared rows.
    pub(super) fn refresh_shared(&self, shared: &Arc<Catalog>) {
        let mut catalog = self.catalog.write();
        *catalog =
            if self.oid.is_valid() { Arc::new(catalog.with_shared_rows_of(shared)) } else { shared.clone() };
    }

    /// Copies the log into the file and closes it.
    pub(super) fn close(&self) -> Result<()> {
        self.sequences.close()?;
        self.store.close().map_err(super::storage_error)
    }
}

/// A connection just lent, which knows the collation of keyed texts.
fn with_collation(lent: storage::Result<PooledConnection>) -> Result<PooledConnection> {
    let mut connection = lent.map_err(super::storage_error)?;
    connection.ensure_collation(key_collation()).map_err(super::storage_error)?;
    Ok(connection)
}

/// The file of a database and what its catalog holds.
pub(super) fn place(directory: &Path, oid: Oid) -> (PathBuf, Scope) {
    if oid.is_valid() {
        (file(directory, oid), Scope::Database)
    } else {
        (directory.join("global.sqlite"), Scope::Cluster)
    }
}

/// The file of a database.
pub(super) fn file(directory: &Path, oid: Oid) -> PathBuf {
    directory.join("base").join(format!("{oid}.sqlite"))
}

pub(super) fn options(create: bool) -> DatabaseOptions {
    DatabaseOptions { create, idle_connections_max: IDLE_CONNECTIONS_MAX }
}

/// Makes an empty catalog in a new file.
fn make(connection: &mut Connection, scope: Scope) -> Result<()> {
    connection.begin_write().map_err(super::storage_error)?;
    catalog::bootstrap(connection, scope)?;
    connection.commit().map_err(super::storage_error)
}
