//! Transactions and savepoints of a connection.
//!
//! None of these is stopped by an interrupt, a deadline or a budget: a commit that was asked for is made, and
//! a rollback never fails.

use std::sync::atomic::Ordering;

use rusqlite::ffi;

use crate::failure;
use crate::{Connection, Error, Result, interrupt};

/// Opens the snapshot: SQLite takes it at the first read, and this reads as little as there is.
const TAKE_SNAPSHOT: &str = "SELECT 1 FROM sqlite_schema LIMIT 0";

/// Takes SQLite's write lock and changes nothing: the cheapest statement that begins to write. Files here are
/// not in auto-vacuum mode, so it ends before its first step.
const TAKE_WRITE_LOCK: &str = "PRAGMA incremental_vacuum(1)";

impl Connection {
    /// Begins a transaction that reads one snapshot, taken now.
    pub fn begin_read(&mut self) -> Result<()> {
        self.control("BEGIN")?;
        self.note_beginning();
        self.control(TAKE_SNAPSHOT).inspect_err(|_| self.rollback())
    }

    /// Begins a transaction that may write. The caller holds the database's [`crate::WriteLock`].
    pub fn begin_write(&mut self) -> Result<()> {
        self.control("BEGIN IMMEDIATE")?;
        self.note_beginning();
        Ok(())
    }

    fn note_beginning(&self) {
        self.handle.changes_before.set(self.total_changes());
        self.enter();
        self.handle.changed.set(false);
        self.handle.reads.forget();
    }

    /// Turns a read transaction into a writing one; [`crate::ErrorKind::StaleSnapshot`] when others have
    /// committed since. The caller holds the database's [`crate::WriteLock`].
    pub fn upgrade(&mut self) -> Result<()> {
        let changed = self.handle.changed.get();
        let upgraded = self.control(TAKE_WRITE_LOCK);
        self.handle.changed.set(changed);
        upgraded
    }

    /// Ends the transaction, keeping its effects. They are in the log file but perhaps not on disk yet: see
    /// [`crate::Database::flush_to`] with [`Self::last_commit`]. When it fails the transaction may still be
    /// open. Until it is on disk, others who read it depend on it ([`Self::depends_on`]).
    pub fn commit(&mut self) -> Result<()> {
        if !self.is_writing() {
            return self.commit_lazily();
        }
        self.handle.commits.require_next();
        let done = self.commit_lazily();
        self.handle.commits.withdraw();
        done
    }

    /// As [`Self::commit`], but a crash may undo it as if it had never been, even after others have been told
    /// of it.
    pub fn commit_lazily(&mut self) -> Result<()> {
        self.control("COMMIT")?;
        self.handle.changed.set(false);
        Ok(())
    }

    /// Ends the transaction without effects, and with it every statement that is in the middle of its rows.
    /// Never fails: what SQLite has already rolled back stays so. Inside a host function it does nothing,
    /// since the statement that called the function runs in that transaction.
    pub fn rollback(&mut self) {
        if !self.is_owner() {
            tracing::error!("a host function asked for a rollback; ignored");
            return;
        }
        self.enter();
        self.handle.changed.set(false);
        if self.handle.is_at_rest() {
            return;
        }
        self.handle.reset_all();
        let open = !self.handle.is_autocommit();
        if open && let Err(error) = self.control("ROLLBACK") {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }

    /// Whether neither a transaction is open nor a statement in the middle of its rows: it holds no snapshot.
    pub fn is_at_rest(&self) -> bool {
        self.enter();
        self.handle.is_at_rest()
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.enter();
        !self.handle.is_autocommit()
    }

    /// Whether the open transaction holds SQLite's write lock.
    pub fn is_writing(&self) -> bool {
        self.enter();
        // SAFETY: a live handle, inside it; the name is a C string.
        unsafe { ffi::sqlite3_txn_state(self.handle.raw(), c"main".as_ptr()) == ffi::SQLITE_TXN_WRITE }
    }

    /// Whether a writing statement has run in the open transaction. It may have changed no row; whether the
    /// commit wrote is known exactly afterwards, from [`Self::last_commit`].
    pub fn changed_in_transaction(&self) -> bool {
        self.handle.changed.get()
    }

    /// How many rows the open transaction has inserted, changed or deleted, those undone by savepoints included.
    pub fn changed_rows(&self) -> u64 {
        u64::try_from(self.total_changes() - self.handle.changes_before.get()).unwrap_or(0)
    }

    /// The number of this connection's last commit that wrote to the log, 0 if there is none; the position to
    /// which [`crate::Database::flush_to`] must get for it to survive a crash. A commit that wrote nothing
    /// leaves it as it was.
    pub fn last_commit(&self) -> u64 {
        self.enter();
        self.handle.last_commit.load(Ordering::Acquire)
    }

    /// The commit that must be on disk ([`crate::Database::flush_to`]) before anything that this connection
    /// has read since its transaction began is told to anybody who may rely on it; 0 when nothing is to be waited
    /// for. Exact to the page: who has looked at none that a recent commit has written depends on none.
    pub fn depends_on(&self) -> u64 {
        let commits = &self.handle.commits;
        let required = commits.required();
        if commits.durable() >= required {
            return 0;
        }
        let depends = self.handle.reads.latest().min(required);
        if commits.durable() >= depends { 0 } else { depends }
    }

    /// Gives the memory of the page cache back. Only between transactions.
    pub(crate) fn empty_cache(&self) {
        self.enter();
        // SAFETY: a live handle, inside it.
        unsafe { ffi::sqlite3_db_release_memory(self.handle.raw()) };
    }

    /// Sets a savepoint inside the transaction.
    pub fn savepoint(&mut self, name: &str) -> Result<()> {
        self.control(&format!("SAVEPOINT {}", quoted(name)))
    }

    /// Forgets a savepoint, keeping what came after it.
    pub fn release(&mut self, name: &str) -> Result<()> {
        self.control(&format!("RELEASE {}", quoted(name)))
    }

    /// Undoes what came after a savepoint, and keeps the savepoint.
    pub fn rollback_to(&mut self, name: &str) -> Result<()> {
        self.control(&format!("ROLLBACK TO {}", quoted(name)))
    }

    /// Runs a statement of transaction control, whatever the watch says.
    fn control(&mut self, sql: &str) -> Result<()> {
        if !self.is_owner() {
            return Err(inside_a_function());
        }
        let before = self.handle.watch.shield(true);
        let _attention = interrupt::attend_to_nothing();
        let changed = self.handle.changed.get();
        let result = self.run(sql);
        self.handle.changed.set(changed);
        self.handle.watch.shield(before);
        result
    }

    fn run(&mut self, sql: &str) -> Result<()> {
        let mut statement = self.prepare(sql)?;
        while self.step(&mut statement)?.is_some() {}
        self.finish(statement);
        Ok(())
    }

    /// Makes the connection as new for its next user. False when it must not be used again.
    pub(crate) fn recycle(&mut self) -> bool {
        self.rollback();
        self.set_context(None);
        self.handle.reads.forget();
        self.handle.watch.renew();
        !self.in_transaction()
    }
}

fn inside_a_function() -> Error {
    failure::fault("transactions are not begun or ended inside a host function")
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
