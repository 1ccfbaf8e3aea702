//! What may be told: nothing that was read from a commit which could still vanish.
//!
//! In PostgreSQL a transaction is invisible until its commit record is on disk. Here others can read a commit a moment
//! earlier: it leaves the write lock when it is in the log, so that the next writer need not wait for the disk. What
//! they may not do is pass it on. So a session remembers the latest commit that it depends on and waits until that is
//! on disk before rows, tags, errors or notifications leave the server, and before a worker gets a result. A commit
//! made with `synchronous_commit = off` is nothing to wait for: PostgreSQL shows those early as well.
//!
//! Dependence is known to the page ([`storage::Connection::depends_on`]): who has read nothing recent waits for nothing,
//! and two loads of atomics tell. The catalog, which lives in memory, counts as read by every statement.
//!
//! Two kinds of answers tell less than the pages hold ([`Plan::tells`]). A later statement that tells more reads its own
//! pages, and what stays with a connection that the transaction keeps counts then:
//!
//! - That an INSERT of values which its own text gives, into a table where no constraint looks at other rows, has inserted
//!   them tells a client nothing but what the client has said.
//! - That an UPDATE or DELETE which names its row by a key, and looks at no other, has changed one row tells what this
//!   row holds: it depends on the last commit that has made or changed the row (`cluster/row_changes.rs`).
//!
//! Source of what must hold: `src/backend/access/transam/xact.c` (`RecordTransactionCommit`: flushed before
//! `ProcArrayEndTransaction`).

use std::sync::Arc;

use super::Session;
use super::work::FLUSH_WAIT;
use crate::cluster::storage_error;
use crate::lower::{Plan, Tells};
use crate::{Oid, Result};

/// What a session has read and not told yet.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Untold {
    /// The commit of the database's file that it depends on.
    commit: u64,
}

impl Untold {
    /// Takes in a commit that something depends on.
    pub(super) fn depend_on(&mut self, commit: u64) {
        self.commit = self.commit.max(commit);
    }
}

impl Session {
    /// Takes note of what the transaction's connection has read.
    pub(super) fn note_reads(&mut self) {
        if let Some(transaction) = &mut self.transaction
            && let Some(connection) = transaction.work.connection()
        {
            self.untold.depend_on(connection.depends_on());
        }
    }

    /// A run of a statement is given up; it is to be begun again. Only a failure can tell what this run has read.
    pub(super) fn pass_over_reads(&mut self) {
        if let Some(transaction) = &mut self.transaction
            && let Some(connection) = transaction.work.connection()
        {
            self.passed_over = self.passed_over.max(connection.depends_on());
        }
    }

    /// A statement has changed so many rows beside the transaction's changes, and this is the one that it has locked.
    /// When it tells no more than what this row holds, the commit that has made it so is all that it depends on.
    pub(super) fn note_row_read(&mut self, plan: &Plan, changed: u64, (table, row): (Oid, i64)) {
        if changed == 1 && plan.tells() == Tells::ItsRow {
            let origin = self.database.row_changes.origin(table, row);
            self.untold.depend_on(self.database.store.kept(origin));
            self.reads_untold = true;
        }
    }

    /// The commit that what the session has read depends on.
    pub(super) fn depends_on(&self) -> u64 {
        self.untold.commit.max(self.database.catalog_commit())
    }

    /// Whether everything that the session has read may be told: [`Self::settle`] would return at once.
    pub fn is_settled(&self) -> bool {
        self.database.store.is_kept(self.depends_on()) && self.shared.cluster.shared_rows_settled()
    }

    /// Waits until everything that the session has read may be told. To be called before anything that it has said
    /// leaves the server.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub async fn settle(&mut self) -> Result<()> {
        if self.is_settled() {
            return Ok(());
        }
        let commit = self.depends_on();
        let _waiting = self.backend().waiting(FLUSH_WAIT);
        let cluster = Arc::clone(&self.shared.cluster);
        cluster.settle_shared_rows().await?;
        self.database.store.flush_to(commit).await.map_err(storage_error)
    }
}
