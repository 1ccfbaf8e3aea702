//! Snapshots that transactions have exported for others to import.
//!
//! The engine cannot begin to read an old state, only the present one. So when a snapshot is exported, connections for
//! importers begin to read in the same moment, [`IMPORTERS_MAX`] of them, while no transaction can commit. An importer
//! is lent one, and gives it back at its end if it has only read.
//!
//! A snapshot lives until the transaction that has exported it ends; importers keep what they have been lent.
//!
//! Source: `src/backend/utils/time/snapmgr.c` (`ExportSnapshot`, `ImportSnapshot`).

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use storage::PooledConnection;

use super::TransactionSnapshot;
use crate::catalog::Catalog;
use crate::{Oid, Result, error};

/// How many transactions may have imported a snapshot at the same time.
pub(crate) const IMPORTERS_MAX: usize = 8;
/// How many snapshots may be exported at the same time: each keeps [`IMPORTERS_MAX`] connections.
const SNAPSHOTS_MAX: usize = 32;

/// What an importer takes over.
pub(crate) struct Imported {
    /// A connection that reads the snapshot.
    pub(crate) connection: PooledConnection,
    /// The catalog that goes with it.
    pub(crate) catalog: Arc<Catalog>,
    /// Which transactions had ended.
    pub(crate) snapshot: Arc<TransactionSnapshot>,
}

/// A snapshot, and who has exported it.
pub(crate) struct Exported {
    pub(crate) database: Oid,
    pub(crate) pid: i32,
    /// Whether the exporting transaction is serializable.
    pub(crate) serializable: bool,
    /// Whether it is read only.
    pub(crate) read_only: bool,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) snapshot: Arc<TransactionSnapshot>,
    /// Those not lent.
    pub(crate) connections: Vec<PooledConnection>,
}

/// Who wants to import a snapshot.
pub(crate) struct Importer {
    pub(crate) database: Oid,
    pub(crate) serializable: bool,
    pub(crate) read_only: bool,
}

/// All snapshots of a cluster, by identifier.
#[derive(Default)]
pub struct ExportedSnapshots {
    snapshots: Mutex<HashMap<String, Exported>>,
}

impl ExportedSnapshots {
    /// Keeps a snapshot under an identifier that nobody has used.
    ///
    /// # Errors
    /// `53400` when there are too many.
    pub(crate) fn add(&self, id: String, exported: Exported) -> Result<()> {
        let mut snapshots = self.snapshots.lock();
        if snapshots.len() >= SNAPSHOTS_MAX {
            return Err(error!(
                CONFIGURATION_LIMIT_EXCEEDED,
                "cannot export more than {SNAPSHOTS_MAX} snapshots at the same time"
            ));
        }
        snapshots.insert(id, exported);
        Ok(())
    }

    /// How many snapshots a backend has exported.
    pub(crate) fn count(&self, pid: i32) -> usize {
        self.snapshots.lock().values().filter(|exported| exported.pid == pid).count()
    }

    /// The transaction of a backend has ended, and its snapshots with it.
    pub(crate) fn forget(&self, pid: i32) {
        self.snapshots.lock().retain(|_, exported| exported.pid != pid);
    }

    /// Lends a snapshot.
    ///
    /// # Errors
    /// `22023` when there is none with this identifier; `0A000` when the transactions do not go together; `53400` when
    /// all connections are lent.
    pub(crate) fn lend(&self, id: &str, importer: &Importer) -> Result<Imported> {
        let mut snapshots = self.snapshots.lock();
        let exported = snapshots
            .get_mut(id)
            .ok_or_else(|| error!(INVALID_PARAMETER_VALUE, "invalid snapshot identifier: \"{id}\""))?;
        if importer.serializable && !exported.serializable {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "a serializable transaction cannot import a snapshot from a non-serializable transaction"
            ));
        }
        if importer.serializable && exported.read_only && !importer.read_only {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "a non-read-only serializable transaction cannot import a snapshot from a read-only transaction"
            ));
        }
        if importer.database != exported.database {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot import a snapshot from a different database"));
        }
        let connection = exported.connections.pop().ok_or_else(|| {
            error!(CONFIGURATION_LIMIT_EXCEEDED, "too many transactions have imported snapshot \"{id}\"")
                .detail(format!("At most {IMPORTERS_MAX} transactions can use a snapshot at the same time."))
        })?;
        let (catalog, snapshot) = (exported.catalog.clone(), exported.snapshot.clone());
        Ok(Imported { connection, catalog, snapshot })
    }

    /// Takes back a connection that has only read; of no use when the snapshot is gone.
    pub(crate) fn take_back(&self, id: &str, connection: PooledConnection) {
        let mut snapshots = self.snapshots.lock();
        if let Some(exported) = snapshots.get_mut(id) {
            exported.connections.push(connection);
        }
    }
}
