//! Which command goes where: the session's own, and those that change what exists ([`crate::commands`]).

use super::setting::{plain_tag, text_column};
use super::statement::Run;
use super::transaction::{AtEnd, Work};
use super::{CommandTag, Destination, Session};
use crate::bound::OutputColumn;
use crate::catalog::CatalogEdit;
use crate::commands::{self, AtCommit, CommandContext};
use crate::parse::{ParsedStatement, Utility};
use crate::{Result, SqlError, error};

impl Session {
    /// Runs a command.
    ///
    /// # Errors
    /// Those of the command.
    pub(super) async fn run_utility(
        &mut self,
        utility: &Utility,
        statement: &ParsedStatement,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        super::work::check_interrupts(self.backend(), self.deadline)?;
        if let Some(tag) = self.run_control(utility).await? {
            return Ok(tag);
        }
        if commands::handles(utility) {
            return self.run_command(utility, statement).await;
        }
        let tag = plain_tag(utility.tag());
        match utility {
            Utility::Set(command) => self.set_variable(command)?,
            Utility::Reset(name) => self.reset(name.as_deref())?,
            Utility::Show(name) => self.show(name.as_deref(), run, destination)?,
            Utility::Discard(what) => self.discard(*what)?,
            Utility::Prepare(command) => self.prepare_command(command, statement)?,
            Utility::Execute(command) => {
                return Box::pin(self.execute_command(command, statement, run, destination)).await;
            }
            Utility::Deallocate(name) => self.deallocate(name.as_deref())?,
            Utility::DeclareCursor(command) => self.declare_cursor(command, statement, run).await?,
            Utility::Fetch(command) => {
                return Box::pin(self.fetch(command, run, destination)).await;
            }
            Utility::Close(name) => self.close_cursor(name.as_deref())?,
            Utility::Listen(channel) => self.listen(channel),
            Utility::Unlisten(channel) => self.unlisten(channel.as_deref()),
            Utility::Notify { channel, payload } => self.notify(channel, payload.as_deref())?,
            Utility::Lock(command) => self.lock_tables(command).await?,
            Utility::Explain(command) => {
                Box::pin(self.explain(command, statement, run, destination)).await?;
            }
            Utility::Copy(command) => {
                return Box::pin(self.copy(command, statement, destination)).await;
            }
            Utility::SetConstraints { .. } => return Err(SqlError::unsupported("SET CONSTRAINTS")),
            Utility::Checkpoint => self.checkpoint().await?,
            Utility::Vacuum { .. } => self.vacuum().await?,
            Utility::Analyze { .. } => self.analyze_tables().await?,
            Utility::AlterSystem(change) => self.alter_system(change)?,
            Utility::CreateDatabase(_) | Utility::AlterDatabase(_) | Utility::DropDatabase { .. } => {
                return Box::pin(self.run_database_command(utility)).await;
            }
            Utility::Do { language, .. } => return Err(do_refused(language.as_deref())),
            other => return Err(SqlError::unsupported(other.tag())),
        }
        Ok(tag)
    }

    /// The columns that a command gives, if it gives rows.
    pub(super) fn utility_columns(&self, utility: &Utility) -> Result<Option<Vec<OutputColumn>>> {
        Ok(match utility {
            Utility::Show(name) => Some(self.show_columns(name.as_deref())?),
            Utility::Explain(_) => Some(vec![text_column("QUERY PLAN")]),
            Utility::Execute(command) => self.statement_named(&command.name)?.columns.clone(),
            Utility::Fetch(command) if !command.is_move => match self.portals.get(&command.cursor) {
                Some(portal) => portal.statement.columns.clone(),
                None => None,
            },
            _ => None,
        })
    }

    /// Runs a command that changes what exists, on a thread where it may take its time.
    async fn run_command(&mut self, utility: &Utility, statement: &ParsedStatement) -> Result<CommandTag> {
        self.check_may_write(utility.tag())?;
        self.begin_writing().await?;
        if changes_shared_rows(utility) {
            self.begin_shared_edit().await?;
        }
        let catalog = self.present_catalog();
        let context = self.statement_context(&catalog);
        let database = self.database.oid;
        let user = self.shared.users.lock().1;
        let backend = self.backend().clone();
        let deadline = self.deadline;
        let mut work = std::mem::replace(&mut self.transaction().work, Work::None);
        let (utility, text) = (utility.clone(), statement.text.clone());
        let task = tokio::task::spawn_blocking(move || {
            let connection = work.connection().expect("the right to write has been taken");
            connection.clear_interrupt();
            backend.set_interrupt(Some(connection.interrupt()));
            connection.set_deadline(deadline);
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
            (work, edit, result, notices, at_commit)
        });
        let parts = task.await.map_err(|_| SqlError::internal("a command has panicked"))?;
        let (work, edit, result, notices, at_commit) = parts;
        self.transaction().work = work;
        self.shared.notices.lock().extend(notices);
        let tag = result.map_err(|error| self.reason_to_stop(error))?;
        self.adopt_catalog(edit)?;
        let database = self.database.clone();
        let actions = at_commit.into_iter().map(|action| -> AtEnd {
            let database = database.clone();
            Box::new(move |_| match action {
                AtCommit::DropSequence(oid) => database.sequences.forget(oid),
                AtCommit::ResetSequence { sequence, value } => database.sequences.restart(sequence, value),
            })
        });
        self.transaction().on_commit.extend(actions);
        Ok(tag)
    }

    /// CHECKPOINT.
    async fn checkpoint(&mut self) -> Result<()> {
        let user = self.shared.users.lock().1;
        if !self.present_catalog().is_superuser(user) {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "must be superuser or have privileges of pg_checkpoint to do CHECKPOINT"
            ));
        }
        let databases = self.shared.cluster.open_databases();
        let task = tokio::task::spawn_blocking(move || {
            databases.iter().try_for_each(|database| database.store.checkpoint().map(drop))
        });
        let done = task.await.map_err(|_| SqlError::internal("a checkpoint has panicked"))?;
        done.map_err(crate::cluster::storage_error)
    }

    /// VACUUM: space that deleted rows have left is reused by SQLite anyway; statistics and the log are brought up to date.
    async fn vacuum(&mut self) -> Result<()> {
        self.prevent_in_block("VACUUM")?;
        self.analyze_tables().await?;
        self.commit().await?;
        let database = self.database.clone();
        let task = tokio::task::spawn_blocking(move || database.store.checkpoint().map(drop));
        let done = task.await.map_err(|_| SqlError::internal("a checkpoint has panicked"))?;
        done.map_err(crate::cluster::storage_error)
    }

    /// ANALYZE: SQLite's own.
    async fn analyze_tables(&mut self) -> Result<()> {
        self.begin_writing().await?;
        let mut work = std::mem::replace(&mut self.transaction().work, Work::None);
        let task = tokio::task::spawn_blocking(move || {
            let done = work.connection().map_or(Ok(0), |connection| connection.execute("ANALYZE", &[]));
            (work, done)
        });
        let (work, done) = task.await.map_err(|_| SqlError::internal("ANALYZE has panicked"))?;
        self.transaction().work = work;
        done.map(drop).map_err(crate::execute::engine_error)
    }

    /// ALTER SYSTEM.
    fn alter_system(&mut self, change: &crate::parse::SettingChange) -> Result<()> {
        use crate::parse::{SetValue, SettingChange};
        self.prevent_in_block("ALTER SYSTEM")?;
        let user = self.shared.users.lock().1;
        let superuser = self.present_catalog().is_superuser(user);
        let server = self.shared.cluster.settings.clone();
        let check = |name: &str| {
            if superuser {
                return Ok(());
            }
            Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to set parameter \"{name}\""))
        };
        match change {
            SettingChange::Set(set) => {
                check(&set.name)?;
                let value = match &set.value {
                    SetValue::Values(values) => {
                        Some(self.shared.settings.lock().join_arguments(&set.name, values)?)
                    }
                    SetValue::Default | SetValue::FromCurrent => None,
                };
                server.alter_system(&set.name, value.as_deref())
            }
            SettingChange::Reset(Some(name)) => {
                check(name)?;
                server.alter_system(name, None)
            }
            SettingChange::Reset(None) if superuser => server.alter_system_reset_all(),
            SettingChange::Reset(None) => {
                Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied to perform ALTER SYSTEM RESET ALL"))
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
    )
}

fn do_refused(language: Option<&str>) -> SqlError {
    SqlError::unsupported(format!("DO in language \"{}\"", language.unwrap_or("plpgsql")))
}
