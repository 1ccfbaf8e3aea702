//! A cluster: a data directory with its databases, and what all sessions of a server share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use storage::ValueRef;

use crate::backend::BackendTable;
use crate::functions::FunctionCall;
use crate::{Result, Value};

/// What a running server's sessions share.
pub struct Cluster {
    /// The data directory.
    pub directory: PathBuf,
    /// Who is connected.
    pub backends: Arc<BackendTable>,
    /// The loaded libraries' SQL functions.
    pub libraries: RwLock<HashMap<String, Arc<dyn Library>>>,
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
