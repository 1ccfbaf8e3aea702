//! What a running statement's functions may see of its session.

use std::sync::Arc;

use crate::Oid;
use crate::catalog::Catalog;
use crate::types::{FormatSettings, TypeContext};

/// What a running statement's functions may see: made when the statement starts, never changed while it runs.
pub struct StatementContext {
    /// The catalog as the statement sees it.
    pub catalog: Arc<Catalog>,
    /// The settings that values' text forms depend on.
    pub format: FormatSettings,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: Vec<Oid>,
    /// The statement's start, µs since 2000-01-01 UTC.
    pub statement_time: i64,
    /// The session's shared part: backend row, cluster, database, roles, settings, sequence state.
    pub session: Arc<SessionShared>,
}

impl StatementContext {
    /// The context that the executor lent to the engine connection (as `Arc<StatementContext>` inside the `Any`).
    ///
    /// # Errors
    /// When a host function is called outside any statement of a session: a fault of ours.
    pub fn lent<'a>(
        context: Option<&'a Arc<dyn std::any::Any + Send + Sync>>,
    ) -> Result<&'a Arc<Self>, storage::HostError> {
        context
            .and_then(|any| any.downcast_ref::<Arc<Self>>())
            .ok_or_else(|| "a host function was called without a statement context".into())
    }

    /// The form in which the executor lends a context to the engine connection.
    pub fn lend(self: &Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        Arc::new(self.clone())
    }

    /// What reading and writing values may look at.
    pub fn type_context(&self) -> TypeContext<'_> {
        TypeContext { catalog: &self.catalog, format: &self.format, search_path: &self.search_path }
    }
}

/// The part of a session that functions called by a statement may use.
pub struct SessionShared {
    /// The cluster.
    pub cluster: Arc<crate::cluster::Cluster>,
    /// The session's row in the backend table.
    pub backend: Arc<crate::backend::Backend>,
    /// The database's OID, zero for none.
    pub database: Oid,
    /// `session_user` and `current_user` as role OIDs.
    pub users: parking_lot::Mutex<(Oid, Oid)>,
    /// The session's settings.
    pub settings: parking_lot::Mutex<crate::settings::SessionSettings>,
    /// Notices raised by functions, taken by the executor after each step.
    pub notices: parking_lot::Mutex<Vec<crate::Report>>,
}
