//! Commands that change what exists ([`crate::commands`]): run on a thread where they may take their time, and run again
//! when they have come upon a lock of somebody else.
//!
//! A command has the right to write. Whoever holds the lock that it wants, on a table or a row, may need that right to
//! commit, and would wait for a command that waits for it. So it does not wait in its middle. It fails; what it has done
//! is undone, in the engine and in the session; then comes the wait, and the command is run again on the newest state.
//!
//! What becomes of the right to write meanwhile:
//!
//! - A transaction that had it not before the command gives it back.
//! - One that had written rows only sets them aside (`aside`).
//! - One that cannot be set aside, as it has run commands before or keeps a snapshot, waits with it. Only what the command
//!   has done is undone then, by a savepoint of the engine; and if the holder of the lock has to write before it can end,
//!   one of the two is told that they wait for each other.
//!
//! Each run holds one lock more than the one before, so there is a last one. A transaction that keeps a snapshot keeps it
//! over the wait only while nobody commits: the next run is refused then (40001), as any write on an old snapshot is.

use std::sync::Arc;

use super::locking::Awaited;
use super::services::Mark;
use super::transaction::AtEnd;
use super::work::check_interrupts;
use super::{CommandTag, Session};
use crate::catalog::{Catalog, CatalogEdit};
use crate::cluster::storage_error;
use crate::commands::{self, AtCommit, CommandContext};
use crate::execute::WriteLog;
use crate::locks::{LockMode, LockTag};
use crate::parse::{GrantTarget, ObjectKind, ParsedStatement, Utility};
use crate::{Oid, Report, Result};

/// The engine's savepoint before a command of a transaction that waits with the right to write.
const COMMAND_SAVEPOINT: &str = "command";

/// How the transaction stood when a run of a command began.
pub(super) struct Beginning {
    /// Whether it had the right to write, or changes that are aside.
    wrote: bool,
    had_snapshot: bool,
    had_shared_lock: bool,
    /// What it had written, if it can be set aside. Commands themselves are not kept so.
    log: Option<WriteLog>,
    notices: usize,
    served: Mark,
}

impl Beginning {
    /// Whether there is a savepoint of the engine to go back to.
    fn has_savepoint(&self) -> bool {
        self.wrote && self.log.is_none()
    }
}

/// What a run has come to.
struct Outcome {
    edit: CatalogEdit,
    result: Result<CommandTag>,
    notices: Vec<Report>,
    at_commit: Vec<AtCommit>,
}

impl Session {
    /// Runs a command that changes what exists.
    ///
    /// # Errors
    /// Those of the command, and of waiting for what it has come upon.
    pub(super) async fn run_command(
        &mut self,
        utility: &Utility,
        statement: &ParsedStatement,
    ) -> Result<CommandTag> {
        self.check_may_write(utility.tag())?;
        loop {
            let beginning = self.begin_command().await?;
            if changes_shared_rows(utility) {
                self.lock_shared_rows().await?;
            }
            let catalog = self.present_catalog();
            let Outcome { edit, result, notices, at_commit } =
                self.run_command_once(utility, statement, catalog).await?;
            match (result, self.services.take_awaited()) {
                (Err(_), Some(awaited)) => self.await_for_command(beginning, awaited).await?,
                (result, _) => {
                    self.shared.notices.lock().extend(notices);
                    let tag = result.map_err(|error| self.reason_to_stop(error))?;
                    self.end_command(&beginning)?;
                    self.adopt_catalog(edit).await?;
                    self.keep_for_end(at_commit);
                    return Ok(tag);
                }
            }
        }
    }

    async fn run_command_once(
        &mut self,
        utility: &Utility,
        statement: &ParsedStatement,
        catalog: Arc<Catalog>,
    ) -> Result<Outcome> {
        let context = self.statement_context(&catalog);
        let database = self.database.oid;
        let user = self.shared.users.lock().1;
        let (utility, text) = (utility.clone(), statement.text.clone());
        let run = move |connection: &mut storage::Connection| {
            connection.set_context(Some(context.clone()));
            let mut edit = CatalogEdit::new(&catalog);
            let mut command = CommandContext {
                cluster: &context.session.cluster,
                database,
                edit: &mut edit,
                connection,
                statement: &context,
                user,
                search_path: context.search_path.to_vec(),
                text,
                notices: Vec::new(),
                at_commit: Vec::new(),
                extension: None,
            };
            let result = commands::run(&mut command, &utility);
            let CommandContext { notices, at_commit, .. } = command;
            Outcome { edit, result, notices, at_commit }
        };
        self.elsewhere(run).await
    }

    /// Takes the right to write for a run of a command.
    ///
    /// # Errors
    /// `40P01`, `55P03`, `57014`; `40001` on a stale snapshot.
    pub(super) async fn begin_command(&mut self) -> Result<Beginning> {
        check_interrupts(self.backend(), self.deadline)?;
        // What comes from now on is the run's, and is undone with it.
        self.collect_notifications();
        let transaction = self.transaction();
        let (wrote, had_snapshot) = (transaction.work.writes(), transaction.had_snapshot);
        let had_shared_lock = transaction.shared_lock.is_some();
        self.begin_writing_rows().await?;
        let can_be_set_aside = self.replayable_changes().is_some();
        let log = self.services.take_log().filter(|_| can_be_set_aside);
        let beginning = Beginning {
            wrote,
            had_snapshot,
            had_shared_lock,
            log,
            notices: self.shared.notices.lock().len(),
            served: self.services.mark(),
        };
        if beginning.has_savepoint()
            && let Some(connection) = self.transaction().work.connection()
        {
            connection.savepoint(COMMAND_SAVEPOINT).map_err(storage_error)?;
        }
        Ok(beginning)
    }

    /// A run has done what it should.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(super) fn end_command(&mut self, beginning: &Beginning) -> Result<()> {
        if beginning.has_savepoint()
            && let Some(connection) = self.transaction().work.connection()
        {
            connection.release(COMMAND_SAVEPOINT).map_err(storage_error)?;
        }
        Ok(())
    }

    /// Undoes a run that has come upon somebody else's lock, and waits for that.
    ///
    /// # Errors
    /// Those of waiting; those of the storage engine.
    pub(super) async fn await_for_command(
        &mut self,
        beginning: Beginning,
        (tag, mode): Awaited,
    ) -> Result<()> {
        self.shared.notices.lock().truncate(beginning.notices);
        if !beginning.had_shared_lock && self.transaction().shared_lock.take().is_some() {
            let shared = LockTag::Writer(Oid::INVALID);
            self.shared.cluster.locks.release(self.backend(), shared, LockMode::Exclusive);
        }
        if beginning.has_savepoint() {
            self.pass_over_reads();
            if let Some(connection) = self.transaction().work.connection() {
                connection.rollback_to(COMMAND_SAVEPOINT).map_err(storage_error)?;
                connection.release(COMMAND_SAVEPOINT).map_err(storage_error)?;
            }
        } else if let (true, Some(log)) = (beginning.wrote, beginning.log) {
            self.pass_over_reads();
            self.services.put_log(log);
            self.set_aside();
        } else {
            self.give_up_writing();
            let transaction = self.transaction();
            if !beginning.had_snapshot {
                // Nothing has been read in it: the next run may see what is then the newest.
                transaction.same_as = None;
                transaction.had_snapshot = false;
            }
        }
        self.services.go_back_to(beginning.served);
        self.acquire(tag, mode).await
    }

    /// What a command leaves to be done when, and only when, the transaction commits.
    fn keep_for_end(&mut self, at_commit: Vec<AtCommit>) {
        for action in at_commit {
            match action {
                AtCommit::DropSequence(oid) => {
                    let database = self.database.clone();
                    let forget: AtEnd = Box::new(move |_| database.sequences.forget(oid));
                    self.transaction().on_commit.push(forget);
                }
                AtCommit::ResetSequence { sequence, value } => {
                    self.services.restart_sequence(sequence, value)
                }
            }
        }
    }
}

/// Commands whose rows belong to the whole cluster: they take its lock before they look.
fn changes_shared_rows(utility: &Utility) -> bool {
    matches!(
        utility,
        Utility::CreateRole(_)
            | Utility::AlterRole(_)
            | Utility::AlterRoleSetting(_)
            | Utility::GrantRole(_)
            | Utility::ReassignOwned { .. }
            | Utility::DropOwned { .. }
    ) || names_shared_object(utility)
}

/// Whether a command is about an object that the whole cluster shares.
fn names_shared_object(utility: &Utility) -> bool {
    let shared =
        |kind: ObjectKind| matches!(kind, ObjectKind::Database | ObjectKind::Role | ObjectKind::Tablespace);
    match utility {
        Utility::Comment(command) => shared(command.object.kind),
        Utility::AlterObject(command) => shared(command.object.kind),
        Utility::Drop(command) => shared(command.kind),
        Utility::Grant(command) => match &command.target {
            GrantTarget::Objects { kind, .. } => shared(*kind),
            _ => false,
        },
        _ => false,
    }
}
