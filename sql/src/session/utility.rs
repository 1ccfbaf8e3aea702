//! Which command goes where: the session's own, and those that change what exists ([`crate::commands`]).

use std::sync::Arc;

use super::setting::{plain_tag, text_column};
use super::statement::Run;
use super::{CommandTag, Destination, Session};
use crate::bound::OutputColumn;
use crate::commands;
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
            Utility::Lock(command) => {
                // It takes no snapshot that the transaction would keep (`PlannedStmtRequiresSnapshot`).
                let had_snapshot =
                    self.transaction.as_ref().is_some_and(|transaction| transaction.had_snapshot);
                self.lock_tables(command).await?;
                self.transaction().forget_snapshot_unless(had_snapshot);
            }
            Utility::Explain(command) => {
                Box::pin(self.explain(command, statement, run, destination)).await?;
            }
            Utility::Copy(command) => {
                return Box::pin(self.copy(command, statement, destination)).await;
            }
            Utility::SetConstraints { .. } => return Err(SqlError::unsupported("SET CONSTRAINTS")),
            Utility::Checkpoint => self.checkpoint().await?,
            Utility::Vacuum { options, tables } => self.vacuum(options, tables).await?,
            Utility::Analyze { options, tables } => self.analyze_tables(options, tables).await?,
            Utility::Reindex(command) => self.reindex(command).await?,
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
    pub(super) fn utility_columns(&self, utility: &Utility) -> Result<Option<Arc<[OutputColumn]>>> {
        Ok(match utility {
            Utility::Show(name) => Some(self.show_columns(name.as_deref())?.into()),
            Utility::Explain(_) => Some([text_column("QUERY PLAN")].into()),
            Utility::Execute(command) => self.statement_named(&command.name)?.columns.clone(),
            Utility::Fetch(command) if !command.is_move => match self.portals.get(&command.cursor) {
                Some(portal) => portal.statement.columns.clone(),
                None => None,
            },
            _ => None,
        })
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

fn do_refused(language: Option<&str>) -> SqlError {
    SqlError::unsupported(format!("DO in language \"{}\"", language.unwrap_or("plpgsql")))
}
