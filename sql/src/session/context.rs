//! What a running statement's functions may see of its session.

use std::collections::HashMap;
use std::sync::Arc;

use storage::Connection;

use crate::bound::{CteId, LockStrength, LockWait};
use crate::catalog::Catalog;
use crate::execute::Written;
use crate::locks::LockMode;
use crate::types::{FormatSettings, TypeContext};
use crate::{Oid, Result, SqlError, Value};

/// What a running statement's functions may see: made when the statement starts, never changed while it runs.
pub struct StatementContext {
    /// The catalog as the statement sees it.
    pub catalog: Arc<Catalog>,
    /// The settings that values' text forms depend on.
    pub format: FormatSettings,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: Arc<[Oid]>,
    /// The statement's start, µs since 2000-01-01 UTC.
    pub statement_time: i64,
    /// The session's shared part: backend row, cluster, database, roles, settings, sequence state.
    pub session: Arc<SessionShared>,
    /// What the data-modifying parts of the statement have returned so far, by the number of their WITH query.
    pub buffered: parking_lot::Mutex<HashMap<CteId, Arc<Vec<Vec<Value>>>>>,
}

impl StatementContext {
    /// The context that the executor lent to the engine connection.
    ///
    /// # Errors
    /// When a host function is called outside any statement of a session: a fault of ours.
    pub fn lent(
        context: Option<&Arc<dyn std::any::Any + Send + Sync>>,
    ) -> Result<Arc<Self>, storage::HostError> {
        context
            .and_then(|any| any.clone().downcast::<Self>().ok())
            .ok_or_else(|| "a host function was called without a statement context".into())
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
    /// The planned bodies of functions written in SQL.
    pub functions: parking_lot::Mutex<crate::execute::SqlFunctions>,
    /// What functions may ask the session to do.
    pub services: Arc<dyn SessionServices>,
}

/// What functions may ask their session to do. Each service refuses with 0A000 until the session provides it.
#[allow(unused_variables, reason = "the defaults refuse")]
pub trait SessionServices: Send + Sync {
    /// `nextval`.
    fn next_value(&self, sequence: Oid, connection: &mut Connection) -> Result<i64> {
        Err(SqlError::unsupported("nextval"))
    }
    /// The bytes of a database's files.
    fn database_size(&self, database: Oid) -> Result<i64> {
        Err(SqlError::unsupported("the size of a database"))
    }
    /// `currval`.
    fn current_value(&self, sequence: Oid) -> Result<i64> {
        Err(SqlError::unsupported("currval"))
    }
    /// `lastval`.
    fn last_value(&self) -> Result<i64> {
        Err(SqlError::unsupported("lastval"))
    }
    /// `setval`: whether the value counts as already given out is `is_called`.
    fn set_value(
        &self,
        sequence: Oid,
        value: i64,
        is_called: bool,
        connection: &mut Connection,
    ) -> Result<()> {
        Err(SqlError::unsupported("setval"))
    }
    /// Where a sequence stands for the transaction, and whether that value has been given out.
    fn sequence_position(&self, sequence: Oid) -> Result<(i64, bool)> {
        Err(SqlError::unsupported("pg_sequence_last_value"))
    }
    /// The same if the transaction has restarted it.
    fn restarted_position(&self, sequence: Oid) -> Option<(i64, bool)> {
        None
    }
    /// `pg_notify`: sends at commit.
    fn notify(&self, channel: &str, payload: &str) -> Result<()> {
        Err(SqlError::unsupported("pg_notify"))
    }
    /// `pg_listening_channels`.
    fn listening_channels(&self) -> Vec<String> {
        Vec::new()
    }
    /// The transaction's number; when it has none yet it is given one if `assign`.
    fn transaction_id(&self, assign: bool) -> Result<Option<u64>> {
        Err(SqlError::unsupported("pg_current_xact_id"))
    }
    /// `pg_export_snapshot`: the identifier.
    fn export_snapshot(&self, exporter: Exporter) -> Result<String> {
        Err(SqlError::unsupported("pg_export_snapshot"))
    }
    /// Which transactions had ended when the running statement's snapshot was taken.
    fn snapshot(&self) -> Arc<crate::cluster::TransactionSnapshot> {
        Arc::new(crate::cluster::TransactionSnapshot { xmin: 0, xmax: 0, running: Vec::new() })
    }
    /// Locks a row of a table for the transaction (FOR UPDATE and its kin, and before it is changed); false for one that
    /// SKIP LOCKED leaves out. Where it would have to wait it fails, and the session knows what to wait for.
    fn lock_row(&self, relation: Oid, row: i64, strength: LockStrength, wait: LockWait) -> Result<bool> {
        Err(SqlError::unsupported("locking rows"))
    }
    /// Locks a relation for the transaction. Where it would have to wait it fails, as [`Self::lock_row`].
    fn lock_relation(&self, relation: Oid, mode: LockMode) -> Result<()> {
        Ok(())
    }
    /// As [`Self::lock_row`], for a row that is changed as what locks it so strongly does.
    fn lock_changed_row(&self, relation: Oid, row: i64, strength: LockStrength) -> Result<()> {
        Ok(())
    }
    /// Makes sure that no other transaction is changing a row: what it shows is then what it is. Where that would have to be
    /// waited for it fails, as [`Self::lock_row`]. The row is not locked.
    fn await_changes_of_row(&self, relation: Oid, row: i64) -> Result<()> {
        Ok(())
    }
    /// Locks a key of a unique index for the transaction. Where it would have to wait it fails, as [`Self::lock_row`].
    fn lock_key(&self, index: Oid, key: i64) -> Result<()> {
        Ok(())
    }
    /// A sequence with this OID is being made.
    fn begin_sequence(&self, sequence: Oid) -> Result<()> {
        Ok(())
    }
    /// The number for a new row of a table, above `highest` if that has to be looked for; none when the engine may choose.
    fn next_row_number(&self, table: Oid, highest: &mut dyn FnMut() -> Result<i64>) -> Result<Option<i64>> {
        Ok(None)
    }
    /// The numbers of a table's rows are to be looked for anew.
    fn forget_row_numbers(&self, table: Oid) {}
    /// Whether the transaction keeps what it writes ([`Self::log_write`]).
    fn logs_writes(&self) -> bool {
        false
    }
    /// A table gets a new row, or one of its rows a new key: those who find it depend on the transaction's commit.
    fn remember_new_row(&self, table: Oid) {}
    /// Keeps a change of a row.
    fn log_write(&self, written: Written) {}
    /// Keeps a change that is still to be made, if there is room for it; whether there was.
    fn note_write(&self, written: Written) -> bool {
        false
    }
    /// How many changes are kept.
    fn logged_writes(&self) -> usize {
        0
    }
    /// Forgets all kept changes but the first so many.
    fn undo_writes(&self, kept: usize) {}
    /// The rows of `pg_prepared_statements`.
    fn prepared_statements(&self) -> Vec<PreparedStatementRow> {
        Vec::new()
    }
    /// The rows of `pg_cursors`.
    fn cursors(&self) -> Vec<CursorRow> {
        Vec::new()
    }
}

/// The properties of a transaction that exports its snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Exporter {
    /// Whether it keeps one snapshot.
    pub keeps_snapshot: bool,
    /// Whether it is serializable.
    pub serializable: bool,
    /// Whether it is read only.
    pub read_only: bool,
}

/// Services of a session that has none.
pub struct NoServices;

impl SessionServices for NoServices {
    fn lock_row(&self, _: Oid, _: i64, _: LockStrength, _: LockWait) -> Result<bool> {
        // Without a session there is nobody else.
        Ok(true)
    }
}

/// A row of `pg_prepared_statements`.
#[derive(Clone)]
#[allow(missing_docs, reason = "the columns are described in PostgreSQL's manual")]
pub struct PreparedStatementRow {
    pub name: String,
    pub statement: String,
    pub prepare_time: i64,
    pub parameter_types: Vec<Oid>,
    pub from_sql: bool,
    pub generic_plans: i64,
    pub custom_plans: i64,
}

/// A row of `pg_cursors`.
#[derive(Clone)]
#[allow(missing_docs, reason = "the columns are described in PostgreSQL's manual")]
pub struct CursorRow {
    pub name: String,
    pub statement: String,
    pub is_holdable: bool,
    pub is_binary: bool,
    pub is_scrollable: bool,
    pub creation_time: i64,
}
