//! One database file: its connections, its write lock, its flushes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::{Connection, Result};

/// How to open a database.
#[derive(Clone, Debug)]
pub struct DatabaseOptions {
    /// Make the file when it is missing.
    pub create: bool,
    /// How many idle connections are kept for reuse.
    pub idle_connections_max: usize,
}

/// One SQLite file, opened once in this process.
pub struct Database {}

/// A connection lent by the pool; dropping it gives it back, rolled back and without context.
pub struct PooledConnection {}

impl std::ops::Deref for PooledConnection {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        unimplemented!()
    }
}

impl std::ops::DerefMut for PooledConnection {
    fn deref_mut(&mut self) -> &mut Connection {
        unimplemented!()
    }
}

/// The right to write to a database. One exists at a time; waiters are served in order. Dropping it passes it on.
pub struct WriteLock {}

impl Database {
    /// Opens the file.
    pub fn open(_path: &Path, _options: DatabaseOptions) -> Result<Arc<Self>> {
        unimplemented!()
    }
    /// The file.
    pub fn path(&self) -> &PathBuf {
        unimplemented!()
    }
    /// A connection, from the pool or newly opened.
    pub fn connection(self: &Arc<Self>) -> Result<PooledConnection> {
        unimplemented!()
    }
    /// Waits for the right to write. Dropping the future leaves the queue.
    pub async fn write_lock(self: &Arc<Self>) -> WriteLock {
        unimplemented!()
    }
    /// The right to write, if nobody has or awaits it.
    pub fn try_write_lock(self: &Arc<Self>) -> Option<WriteLock> {
        unimplemented!()
    }
    /// Waits until everything committed before this call is on disk. Concurrent callers share a flush.
    pub async fn flush(&self) -> Result<()> {
        unimplemented!()
    }
    /// Copies the log into the database file as far as readers allow; the pages copied and those remaining.
    pub fn checkpoint(&self) -> Result<(u64, u64)> {
        unimplemented!()
    }
    /// Writes a consistent copy to a new file.
    pub fn copy_to(&self, _path: &Path) -> Result<()> {
        unimplemented!()
    }
    /// Bytes of the file and its log.
    pub fn size_bytes(&self) -> Result<u64> {
        unimplemented!()
    }
}
