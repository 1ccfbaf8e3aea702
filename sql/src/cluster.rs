//! A cluster: a data directory with its databases, and what all sessions of a server share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use storage::ValueRef;

use crate::backend::BackendTable;
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
}

/// What checking a password needs to know of a role.
#[derive(Clone, Debug)]
pub struct RolePassword {
    /// `rolpassword`: a SCRAM verifier, or nothing.
    pub password: Option<String>,
    /// `rolvaliduntil`, µs since 2000-01-01 UTC.
    pub valid_until: Option<i64>,
}

impl Cluster {
    /// Opens the data directory's databases; makes `postgres`, `template1` and `template0` in an empty one.
    ///
    /// # Errors
    /// FATAL, for the server's log.
    pub async fn open(_directory: &std::path::Path, _settings: Arc<ServerSettings>) -> Result<Arc<Self>> {
        unimplemented!()
    }

    /// The last checkpoint; afterwards no session may be opened.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn close(&self) -> Result<()> {
        unimplemented!()
    }

    /// The password of a role; `None` for a role that does not exist.
    pub fn role_password(&self, _role: &str) -> Option<RolePassword> {
        unimplemented!()
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
