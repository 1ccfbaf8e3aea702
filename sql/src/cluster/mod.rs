//! A cluster: a data directory with its databases, and what all sessions of a server share.
//!
//! `global.sqlite` holds the rows that the databases share (roles, databases); `base/OID.sqlite` is a database,
//! `base/OID.sequences.sqlite` the progress of its sequences,
//! `transactions.sqlite` the numbers of transactions. Databases are opened when first entered and stay open.

mod backup;
mod checkpointer;
mod database;
mod exported_snapshots;
mod notifications;
mod requests;
mod resting;
mod row_changes;
mod row_numbers;
mod sequences;
mod shared_rows;
mod transaction_ids;
mod walwriter;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Mutex, RwLock};
use storage::{ErrorKind, ValueRef, WriteLock};

pub(crate) use checkpointer::{Cause, CheckpointCounters};
pub(crate) use database::Keep;
pub use database::OpenDatabase;
pub use exported_snapshots::ExportedSnapshots;
pub(crate) use exported_snapshots::{Exported, IMPORTERS_MAX, Importer};
pub use notifications::{Notification, Notifications};
pub use requests::{Request, Requests};
pub(crate) use resting::Rest;
pub(crate) use row_changes::RowChanges;
pub(crate) use sequences::check_bounds;
pub use sequences::{Restarted, Sequences};
pub use transaction_ids::{TransactionIds, TransactionSnapshot, TransactionStatus};

use crate::backend::{Backend, BackendTable, Signal};
use crate::catalog::{self, Catalog};
use crate::functions::FunctionCall;
use crate::locks::LockManager;
use crate::session::ParseCache;
use crate::settings::ServerSettings;
use crate::{Oid, Result, SqlError, Value, clock, error};
use checkpointer::Checkpointer;
use walwriter::WalWriter;

/// The databases that every cluster has: template1, template0, postgres.
const FIRST_DATABASES: [Oid; 3] = [Oid(1), Oid(4), Oid(5)];
/// Data directories are the owner's alone.
const DIRECTORY_MODE: u32 = 0o700;

/// What a running server's sessions share.
pub struct Cluster {
    /// The data directory.
    pub directory: PathBuf,
    /// The server's settings.
    pub settings: Arc<ServerSettings>,
    /// Who is connected.
    pub backends: Arc<BackendTable>,
    /// The loaded libraries' SQL functions.
    pub libraries: RwLock<HashMap<String, Arc<dyn Library>>>,
    /// What SQL functions ask of the server around them.
    pub facilities: Facilities,
    /// What the postmaster is asked for.
    pub requests: Requests,
    /// Extension files that come with the server, by file name (`worker_spi.control`, …). Those in the directory
    /// `extension` are read when asked for: [`Cluster::extension_file`].
    pub extensions: RwLock<BTreeMap<String, String>>,
    /// The numbers of transactions.
    pub transaction_ids: Arc<TransactionIds>,
    /// Snapshots exported for others.
    pub exported_snapshots: ExportedSnapshots,
    /// LISTEN and NOTIFY.
    pub notifications: Notifications,
    /// Who holds and awaits what.
    pub locks: LockManager,
    /// When the cluster was opened, µs since 2000-01-01 UTC.
    pub started: i64,
    /// Parsed query strings.
    pub(crate) statements: Mutex<ParseCache>,
    /// The cluster's own file, as a database with OID zero.
    shared: Arc<OpenDatabase>,
    databases: Mutex<HashMap<Oid, Arc<OpenDatabase>>>,
    ready: AtomicBool,
    /// What checkpoints there have been.
    pub(crate) checkpoints: CheckpointCounters,
    checkpointer: Mutex<Option<Checkpointer>>,
    wal_writer: Mutex<Option<WalWriter>>,
}

impl Cluster {
    /// Opens a data directory, making it when it is missing or empty. The caller has made sure that no other server
    /// uses it. Sessions are refused (57P03) until [`Self::set_ready`].
    ///
    /// # Errors
    /// `58030` and those of the storage engine; `XX000` when a newer server has written it.
    pub fn open(directory: impl Into<PathBuf>, settings: Arc<ServerSettings>) -> Result<Arc<Self>> {
        let directory = directory.into();
        let made = fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory.join("base"));
        made.map_err(|error| {
            error!(IO_ERROR, "could not create directory \"{}\": {error}", directory.display())
        })?;
        let shared = OpenDatabase::open(&directory, Oid::INVALID, true)?;
        for oid in FIRST_DATABASES {
            // A directory whose making was interrupted is completed.
            if shared.catalog().database(oid).is_some() && !database::file(&directory, oid).exists() {
                OpenDatabase::open(&directory, oid, true)?.close()?;
            }
        }
        let backends: Arc<BackendTable> = Arc::default();
        let transaction_ids = Arc::new(TransactionIds::open(&directory)?);
        let cluster = Arc::new(Self {
            directory,
            settings,
            locks: LockManager::new(backends.clone()),
            backends,
            libraries: RwLock::default(),
            facilities: Facilities::default(),
            requests: Requests::default(),
            extensions: RwLock::default(),
            transaction_ids,
            exported_snapshots: ExportedSnapshots::default(),
            notifications: Notifications::default(),
            started: clock::now(),
            statements: Mutex::default(),
            shared,
            databases: Mutex::default(),
            ready: AtomicBool::new(true),
            checkpoints: CheckpointCounters::default(),
            checkpointer: Mutex::default(),
            wal_writer: Mutex::default(),
        });
        if let Err(error) = cluster.settle_prepared() {
            // It stays kept, and changes of shared rows are refused until it can be settled; all else goes on.
            tracing::warn!(%error, "a commit of shared rows that was broken off cannot be settled yet");
        }
        cluster.facilities.started.store(cluster.started, Ordering::Relaxed);
        cluster.facilities.settings_loaded.store(cluster.started, Ordering::Relaxed);
        let checkpointer = Checkpointer::start(&cluster)
            .map_err(|error| SqlError::internal(format!("could not start the checkpointer: {error}")))?;
        *cluster.checkpointer.lock() = Some(checkpointer);
        let wal_writer = WalWriter::start(&cluster)
            .map_err(|error| SqlError::internal(format!("could not start the walwriter: {error}")))?;
        *cluster.wal_writer.lock() = Some(wal_writer);
        Ok(cluster)
    }

    /// A cluster in a temporary directory, for tests of what knows one but does not use it.
    #[cfg(test)]
    #[allow(clippy::unwrap_used, reason = "a test that fails says where")]
    pub(crate) fn without_sessions() -> Arc<Self> {
        let directory = tempfile::tempdir().unwrap();
        // The files stay open after their names are gone.
        Self::open(directory.path(), Arc::default()).unwrap()
    }

    /// Says whether sessions are let in; a new cluster lets them in.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::SeqCst);
    }

    /// Whether sessions are let in.
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::SeqCst)
    }

    /// Makes the last checkpoints and closes all files. Sessions must have ended. It waits for the disk.
    ///
    /// # Errors
    /// Those of the storage engine, `55006` among them when a session is still there; the rest is closed all the same.
    pub fn close(&self) -> Result<()> {
        if let Some(checkpointer) = self.checkpointer.lock().take() {
            checkpointer.stop();
        }
        if let Some(wal_writer) = self.wal_writer.lock().take() {
            wal_writer.stop();
        }
        let checkpoint = self.checkpoint(Cause::Shutdown);
        let databases: Vec<_> = self.databases.lock().drain().map(|(_, database)| database).collect();
        let mut result = checkpoint;
        for database in databases.iter().chain([&self.shared]) {
            result = result.and(database.close());
        }
        result.and(self.transaction_ids.close())
    }

    /// Something has been committed that nobody waits for: it is to be on disk within moments.
    pub(crate) fn flush_soon(&self) {
        if let Some(wal_writer) = &*self.wal_writer.lock() {
            wal_writer.ask();
        }
    }

    /// The databases that are open, the cluster's own file among them.
    pub fn open_databases(&self) -> Vec<Arc<OpenDatabase>> {
        let mut all = vec![self.shared.clone()];
        all.extend(self.databases.lock().values().cloned());
        all
    }

    /// The cluster's shared rows (databases, roles, …) as last committed.
    pub fn shared_catalog(&self) -> Arc<Catalog> {
        self.shared.catalog()
    }

    /// The database with this OID, opened if need be; zero for the cluster's own file.
    ///
    /// # Errors
    /// `3D000` when there is none; those of the storage engine.
    pub fn database(&self, oid: Oid) -> Result<Arc<OpenDatabase>> {
        if !oid.is_valid() {
            return Ok(self.shared.clone());
        }
        let mut databases = self.databases.lock();
        if let Some(database) = databases.get(&oid) {
            return Ok(database.clone());
        }
        self.database_name(oid)?;
        let database = OpenDatabase::open(&self.directory, oid, false)?;
        // Under the lock, so that a change of shared rows at this moment finds the database or is found here.
        database.refresh_shared(&self.shared.catalog());
        databases.insert(oid, database.clone());
        Ok(database)
    }

    /// The name of a database.
    ///
    /// # Errors
    /// FATAL `3D000`.
    pub fn database_name(&self, oid: Oid) -> Result<String> {
        let row = self.shared.catalog().database(oid);
        row.map(|row| row.datname.clone())
            .ok_or_else(|| fatal(error!(INVALID_CATALOG_NAME, "database {oid} does not exist")))
    }

    /// The names of all databases.
    pub fn database_names(&self) -> Vec<String> {
        self.shared.catalog().relation::<catalog::Database>().rows().map(|row| row.datname.clone()).collect()
    }

    /// The name of a role.
    ///
    /// # Errors
    /// FATAL `28000`.
    pub fn role_name(&self, oid: Oid) -> Result<String> {
        let row = self.shared.catalog().role(oid);
        let missing = || error!(INVALID_AUTHORIZATION_SPECIFICATION, "role with OID {oid} does not exist");
        row.map(|row| row.rolname.clone()).ok_or_else(|| fatal(missing()))
    }

    /// The text of an extension file: one that comes with the server, or one in the directory `extension`.
    pub fn extension_file(&self, name: &str) -> Option<String> {
        if let Some(text) = self.extensions.read().get(name) {
            return Some(text.clone());
        }
        let plain = !name.contains(['/', '\0']) && !name.starts_with('.');
        plain.then(|| fs::read_to_string(self.extension_directory().join(name)).ok()).flatten()
    }

    /// The library of this name; a path prefix `$libdir/` and the ending `.so` do not count.
    pub fn library(&self, name: &str) -> Option<Arc<dyn Library>> {
        let name = name.strip_prefix("$libdir/").unwrap_or(name);
        self.libraries.read().get(name.strip_suffix(".so").unwrap_or(name)).cloned()
    }

    /// The names of all extension files.
    pub fn extension_files(&self) -> Vec<String> {
        let mut names: Vec<String> = self.extensions.read().keys().cloned().collect();
        if let Ok(entries) = fs::read_dir(self.extension_directory()) {
            names.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
        }
        names.sort();
        names.dedup();
        names
    }

    /// The bytes of a database's file; of the shared one for zero. Its log, which comes and goes, is not counted.
    pub(crate) fn database_size(&self, database: Oid) -> Result<i64> {
        let (file, _) = database::place(&self.directory, database);
        let found = fs::metadata(&file);
        let failed = |error| error!(IO_ERROR, "could not stat file \"{}\": {error}", file.display());
        Ok(i64::try_from(found.map_err(failed)?.len()).unwrap_or(i64::MAX))
    }

    /// Where extensions are looked for besides those that come with the server.
    pub fn extension_directory(&self) -> PathBuf {
        self.directory.join("extension")
    }

    /// Waits for the right to change shared rows.
    pub(crate) async fn shared_write_lock(&self) -> WriteLock {
        self.shared.store.write_lock().await
    }

    /// Whether the shared rows that anybody can see are on disk.
    pub(crate) fn shared_rows_settled(&self) -> bool {
        self.shared.store.is_settled()
    }

    /// Waits until the shared rows that anybody can see are on disk.
    pub async fn settle_shared_rows(&self) -> Result<()> {
        self.shared.store.flush().await.map_err(storage_error)
    }

    /// Waits until shared rows are on disk up to this commit.
    pub(crate) async fn flush_shared(&self, commit: u64) -> Result<()> {
        self.shared.store.flush_to(commit).await.map_err(storage_error)
    }
}

/// Files of databases: what CREATE, DROP and RENAME DATABASE are made of. All of it waits for the disk.
impl Cluster {
    /// The sessions in a database, but this one.
    pub fn sessions_in(&self, database: Oid, but: i32) -> Vec<Arc<Backend>> {
        let inside = |backend: &Arc<Backend>| {
            backend.activity.lock().database.as_ref().is_some_and(|(oid, _)| *oid == database)
        };
        let mut backends = self.backends.all();
        backends.retain(|backend| backend.pid != but && inside(backend));
        backends
    }

    /// Makes sure that nobody else is in a database; `what` is `database` or `source database`. With `force` they are
    /// told to end, and waited for.
    ///
    /// # Errors
    /// `55006`.
    pub fn check_unused(
        &self,
        what: &str,
        database: Oid,
        name: &str,
        own_pid: i32,
        force: bool,
    ) -> Result<()> {
        if force {
            for backend in self.sessions_in(database, own_pid) {
                backend.signal(Signal::Terminate);
            }
        }
        let deadline = std::time::Instant::now() + SESSIONS_LEAVE_MAX;
        loop {
            let others = self.sessions_in(database, own_pid).len();
            if others == 0 {
                return Ok(());
            }
            if std::time::Instant::now() >= deadline {
                let detail = match others {
                    1 => "There is 1 other session using the database.".to_owned(),
                    _ => format!("There are {others} other sessions using the database."),
                };
                return Err(error!(OBJECT_IN_USE, "{what} \"{name}\" is being accessed by other users")
                    .detail(detail));
            }
            std::thread::sleep(SESSIONS_LEAVE_CHECK);
        }
    }

    /// Copies a database's file to a new one. Nobody may be in the source: [`Self::check_unused`].
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn copy_database_file(&self, source: Oid, target: Oid) -> Result<()> {
        let source = self.database(source)?;
        source.store.copy_to(&database::file(&self.directory, target)).map_err(storage_error)?;
        let catalog = source.catalog();
        let copy = Sequences::new(database::file(&self.directory, target).with_extension("sequences.sqlite"));
        for sequence in catalog.relation::<catalog::Sequence>().rows() {
            let (value, is_called) = source.sequences.read_for_copy(&sequence)?;
            copy.set(&sequence, "", value, is_called)?;
        }
        copy.close()
    }

    /// Removes a database's files, after the removal of its row has been committed. Nobody may be in it.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn remove_database_file(&self, oid: Oid) -> Result<()> {
        if let Some(database) = self.databases.lock().remove(&oid) {
            database.close()?;
        }
        let path = database::file(&self.directory, oid);
        for path in [path.with_extension("sequences.sqlite"), path] {
            remove_file_and_log(&path);
        }
        Ok(())
    }
}

/// How long CREATE and DROP DATABASE wait for sessions to leave, and how often they look (`CountOtherDBBackends`).
const SESSIONS_LEAVE_MAX: std::time::Duration = std::time::Duration::from_secs(5);
const SESSIONS_LEAVE_CHECK: std::time::Duration = std::time::Duration::from_millis(20);

fn remove_file_and_log(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        // What is left is no part of the cluster any more; a file that was never there is no failure.
        let _ = fs::remove_file(PathBuf::from(name));
    }
}

/// The same error, ending the session.
pub(crate) fn fatal(error: SqlError) -> SqlError {
    error.severity(crate::Severity::Fatal)
}

/// An error of the storage engine outside statements, where only faults of ours or of the disk can be its cause.
pub(crate) fn storage_error(error: storage::Error) -> SqlError {
    match error.kind {
        ErrorKind::DiskFull => error!(DISK_FULL, "{}", error.message),
        ErrorKind::Io => error!(IO_ERROR, "{}", error.message),
        ErrorKind::Corrupt => error!(DATA_CORRUPTED, "{}", error.message),
        ErrorKind::InUse => error!(OBJECT_IN_USE, "{}", error.message),
        ErrorKind::Interrupted => SqlError::canceled(),
        ErrorKind::Host(host) => match host.downcast::<SqlError>() {
            Ok(error) => *error,
            Err(other) => SqlError::internal(other.to_string()),
        },
        _ => SqlError::internal(error.message),
    }
}

/// What SQL functions ask of the server around them: requests left for whoever runs above, and facts which parts above
/// this one have registered. A default one has nothing registered.
#[derive(Default)]
pub struct Facilities {
    /// Woken when `pg_reload_conf` asks the server to read its settings again.
    pub reload: tokio::sync::Notify,
    /// When the server started, µs since 2000-01-01 UTC.
    pub started: AtomicI64,
    /// When the settings were read last, µs since 2000-01-01 UTC.
    pub settings_loaded: AtomicI64,
}

/// A row of `pg_locks`; fields that do not apply are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns are described in PostgreSQL's manual")]
pub struct LockRow {
    pub locktype: &'static str,
    pub database: Option<Oid>,
    pub relation: Option<Oid>,
    pub page: Option<i32>,
    pub tuple: Option<i32>,
    pub virtualxid: Option<String>,
    pub transactionid: Option<u64>,
    pub classid: Option<u32>,
    pub objid: Option<u32>,
    pub objsubid: Option<i16>,
    pub pid: i32,
    pub mode: &'static str,
    pub granted: bool,
    pub fastpath: bool,
    pub waitstart: Option<i64>,
}

/// The SQL side of a library: what `CREATE FUNCTION … LANGUAGE C AS 'library', 'symbol'` can name.
pub trait Library: Send + Sync {
    /// Its name, as `shared_preload_libraries` and `AS` spell it.
    fn name(&self) -> &str;
    /// The SQL function of this symbol.
    fn function(&self, symbol: &str) -> Option<LibraryFunction>;
}

/// An SQL function that a library offers.
#[derive(Clone)]
pub struct LibraryFunction {
    /// Whether it may wait, so that its statement leaves the reactor thread first.
    pub waits: bool,
    /// What it does.
    #[allow(clippy::type_complexity, reason = "the type is said once, here")]
    pub body: Arc<dyn Fn(&mut FunctionCall<'_>, &[ValueRef<'_>]) -> Result<Value> + Send + Sync>,
}
