//! A cluster: a data directory with its databases, and what all sessions of a server share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use parking_lot::RwLock;
use storage::ValueRef;

use crate::advisory_locks::AdvisoryLocks;
use crate::backend::BackendTable;
use crate::functions::FunctionCall;
use crate::{Oid, Result, Value};

/// What a running server's sessions share.
pub struct Cluster {
    /// The data directory.
    pub directory: PathBuf,
    /// Who is connected.
    pub backends: Arc<BackendTable>,
    /// The loaded libraries' SQL functions.
    pub libraries: RwLock<HashMap<String, Arc<dyn Library>>>,
    /// What SQL functions ask of the server around them.
    pub facilities: Facilities,
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
    /// Locks that clients take by number.
    pub advisory_locks: AdvisoryLocks,
    /// Who holds and awaits locks on tables and rows; none registered: no such locks exist.
    pub locks: RwLock<Option<Arc<dyn LockView>>>,
    /// The extensions that could be installed; none registered: there are none.
    pub extensions: RwLock<Option<Arc<dyn ExtensionView>>>,
}

/// A look at the lock manager.
pub trait LockView: Send + Sync {
    /// All locks held or awaited.
    fn locks(&self) -> Vec<LockRow>;
    /// The pids that keep this backend waiting.
    fn blockers(&self, pid: i32) -> Vec<i32>;
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
    pub transactionid: Option<i64>,
    pub classid: Option<u32>,
    pub objid: Option<u32>,
    pub objsubid: Option<i16>,
    pub pid: i32,
    pub mode: &'static str,
    pub granted: bool,
    pub waitstart: Option<i64>,
}

/// A look at the directory of extensions.
pub trait ExtensionView: Send + Sync {
    /// Every version of every extension, with its control file's facts.
    fn available(&self) -> Vec<AvailableExtension>;
    /// For an extension: source version, target version, the path between them (`None`: there is none).
    fn update_paths(&self, name: &str) -> Vec<(String, String, Option<String>)>;
}

/// One version of an extension that could be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the columns of pg_available_extension_versions")]
pub struct AvailableExtension {
    pub name: String,
    pub version: String,
    /// Whether it is `default_version` in the control file.
    pub is_default: bool,
    pub superuser: bool,
    pub trusted: bool,
    pub relocatable: bool,
    pub schema: Option<String>,
    pub requires: Option<Vec<String>>,
    pub comment: Option<String>,
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
