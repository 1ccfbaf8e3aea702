//! Commits that change rows which the whole cluster shares: roles, databases, what is said of them.
//!
//! Such rows are in the cluster's own file, all else in the file of a database, and each file is committed by itself. A
//! transaction that changes both must not end up in one of them alone, whether a disk is full or the power fails:
//!
//! ```text
//! 1  cluster's file   the changes are kept beside the rows, under a number; flushed
//! 2  database's file  COMMIT, with the number; flushed      this decides
//! 3  cluster's file   the changes are made, and forgotten
//! ```
//!
//! What is found kept when a server starts, or before the next such commit, is made if its database has the number, and
//! forgotten if not. A failure of 3 takes nothing back: the rows are everybody's, and the file gets them later. A
//! transaction that changes shared rows only is committed in the cluster's file at once.

use std::sync::Arc;

use storage::{Connection, WriteLock};

use super::{Cluster, Keep, OpenDatabase, storage_error};
use crate::catalog::{self, Catalog, RowChange, Scope};
use crate::{Oid, Result};

impl Cluster {
    /// Writes changes of shared rows and shows them to all databases: the changed rows take their places among the
    /// newest ones, whatever the transaction that changed them had seen of the others. The caller holds
    /// [`Self::shared_write_lock`]. The commit to be flushed.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(crate) fn commit_shared(&self, changes: &[RowChange]) -> Result<u64> {
        self.settle_prepared()?;
        self.change_shared(changes, |_| Ok(()))
    }

    /// Step 1: keeps changes of shared rows for a transaction of a database; its number, and the commit to be flushed. The
    /// caller holds [`Self::shared_write_lock`].
    ///
    /// # Errors
    /// Those of the storage engine: nothing has been kept.
    pub(crate) fn prepare_shared(&self, database: Oid, changes: &[RowChange]) -> Result<(i64, u64)> {
        self.settle_prepared()?;
        let mut connection = self.shared.store.connection().map_err(storage_error)?;
        connection.begin_write().map_err(storage_error)?;
        let next = self.shared.catalog().with_changes(changes)?;
        let number = catalog::prepare(&mut connection, database, &next, changes)?;
        self.shared.commit(&mut connection, None, Keep::Surely).map_err(storage_error)?;
        Ok((number, connection.last_commit()))
    }

    /// Step 3, when the commit of the database is on disk; on a task of its own, so that it is done whoever waits for it.
    pub(crate) async fn finish_shared(
        self: &Arc<Self>,
        database: &Arc<OpenDatabase>,
        commit: u64,
        changes: Vec<RowChange>,
        lock: Option<WriteLock>,
    ) {
        let (cluster, database) = (Arc::clone(self), Arc::clone(database));
        let task = tokio::spawn(async move {
            database.store.flush_to(commit).await.map_err(storage_error)?;
            let changed = cluster.change_shared(&changes, catalog::forget_prepared);
            let flushed = match changed {
                Ok(commit) => cluster.flush_shared(commit).await,
                Err(error) => {
                    tracing::error!(%error, "changes of shared rows are kept until they can be written");
                    cluster.shared.catalog().with_changes(&changes).map(|next| cluster.publish_shared(&next))
                }
            };
            drop(lock);
            flushed
        });
        // The transaction is committed, whatever becomes of this: what is kept will be settled.
        match task.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::error!(%error, "changes of shared rows are kept"),
            Err(error) => tracing::error!(%error, "a commit of shared rows has panicked"),
        }
    }

    /// Makes or forgets what is kept of a commit that was broken off.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn settle_prepared(&self) -> Result<()> {
        let mut connection = self.shared.store.connection().map_err(storage_error)?;
        let Some(kept) = catalog::prepared(&mut connection)? else { return Ok(()) };
        drop(connection);
        // One that has been dropped since takes what it has committed along.
        let committed = self.shared.catalog().database(kept.database).is_some() && {
            let database = self.database(kept.database)?;
            // What decides must be on disk before what follows from it can be.
            database.store.flush_blocking();
            let mut connection = database.connection()?;
            catalog::marked(&mut connection)? == Some(kept.number)
        };
        let changes = if committed { kept.changes } else { Vec::new() };
        let commit = self.change_shared(&changes, catalog::forget_prepared)?;
        tracing::debug!(commit, committed, "settled a commit of shared rows that had been broken off");
        Ok(())
    }

    fn change_shared(
        &self,
        changes: &[RowChange],
        further: impl FnOnce(&mut Connection) -> Result<()>,
    ) -> Result<u64> {
        let mut connection = self.shared.store.connection().map_err(storage_error)?;
        connection.begin_write().map_err(storage_error)?;
        let next = self.shared.catalog().with_changes(changes)?;
        catalog::apply(&mut connection, Scope::Cluster, &next, changes)?;
        further(&mut connection)?;
        self.shared.commit(&mut connection, None, Keep::Surely).map_err(storage_error)?;
        self.publish_shared(&next);
        Ok(connection.last_commit())
    }

    /// Shows shared rows to all databases.
    fn publish_shared(&self, next: &Arc<Catalog>) {
        let databases = self.databases.lock();
        self.shared.refresh_shared(next);
        for database in databases.values() {
            database.refresh_shared(next);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that fails says where")]
mod tests {
    use super::*;
    use crate::catalog::{CatalogEdit, Role};

    /// What makes a role in this cluster.
    fn new_role(cluster: &Cluster, name: &str) -> Vec<RowChange> {
        let mut edit = CatalogEdit::new(&cluster.shared_catalog());
        let model = cluster.shared_catalog().relation::<Role>().rows().next().unwrap();
        let oid = edit.allocate_shared_oid();
        edit.insert(Role { oid, rolname: name.to_owned(), ..(*model).clone() }).unwrap();
        edit.finish().1
    }

    fn has_role(cluster: &Cluster, name: &str) -> bool {
        cluster.shared_catalog().relation::<Role>().rows().any(|role| role.rolname == name)
    }

    #[test]
    fn the_databases_commit_decides() {
        let directory = tempfile::tempdir().unwrap();
        let database = Oid(5);
        for (name, committed) in [("lost", false), ("kept", true), ("lost again", false)] {
            let cluster = Cluster::open(directory.path(), Arc::default()).unwrap();
            let (number, _) = cluster.prepare_shared(database, &new_role(&cluster, name)).unwrap();
            let file = cluster.database(database).unwrap();
            let right = file.store.try_write_lock().unwrap();
            let mut connection = file.begin_write(&right).unwrap();
            catalog::mark_committed(&mut connection, number).unwrap();
            if committed {
                connection.commit().unwrap();
            } else {
                connection.rollback();
            }
            assert!(!has_role(&cluster, name), "not before the third step");
            drop((connection, right, file));
            cluster.close().unwrap();
            drop(cluster);
            let cluster = Cluster::open(directory.path(), Arc::default()).unwrap();
            assert_eq!(has_role(&cluster, name), committed, "{name}");
            cluster.close().unwrap();
        }
        // What is kept is settled before the next commit, too.
        let cluster = Cluster::open(directory.path(), Arc::default()).unwrap();
        cluster.prepare_shared(database, &new_role(&cluster, "broken off")).unwrap();
        cluster.commit_shared(&new_role(&cluster, "alone")).unwrap();
        cluster.close().unwrap();
        let cluster = Cluster::open(directory.path(), Arc::default()).unwrap();
        let found = ["kept", "alone", "broken off"].map(|name| has_role(&cluster, name));
        assert_eq!(found, [true, true, false]);
        cluster.close().unwrap();
    }
}
