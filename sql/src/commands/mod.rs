//! Commands: utility statements that change what exists. Each changes catalog rows through a [`CatalogEdit`] and the
//! database file through the transaction's connection, so that both become visible, or not, together.
//!
//! | file | what |
//! |---|---|
//! | `naming` | names in statements to schemas, relations, types, functions, roles; who may |
//! | `dependency`, `drop` | what needs what; DROP and what it takes with it |
//! | `locks` | the locks on relations that commands name or come upon |
//! | `schema`, `table`, `column`, `constraint`, `index`, `view`, `sequence` | relations |
//! | `alter_table`, `alter_object` | changes of what exists |
//! | `types`, `function`, `extension` | what is not a relation |
//! | `role`, `database`, `privilege`, `comment` | who, where, may what, and says what |
//!
//! Source: `src/backend/commands/`.

mod alter_column;
mod alter_object;
mod alter_table;
mod comment;
mod constraint;
pub mod dependency;
mod drop;
mod existing_rows;
pub mod extension;
mod function;
mod index;
mod locks;
mod naming;
mod new_rows;
mod ownership;
mod privilege;
mod references;
mod role;
mod schema;
mod sequence;
mod table;
mod truncate;
mod types;
mod view;

use std::sync::Arc;

use storage::Connection;

use crate::bind::BindContext;
use crate::catalog::{Catalog, CatalogEdit};
use crate::cluster::Cluster;
use crate::parse::Utility;
use crate::session::{CommandTag, StatementContext};
use crate::{Oid, Report, Result, Severity, SqlError, SqlState};

/// What a command works with. The session has begun a writing transaction on `connection` and stacks `edit` into it: it
/// writes the edit's changes to the file after the command, and publishes the new catalog when the transaction commits.
pub struct CommandContext<'a> {
    /// The cluster.
    pub cluster: &'a Arc<Cluster>,
    /// The database the session is in.
    pub database: Oid,
    /// The catalog as the transaction has it, to be changed.
    pub edit: &'a mut CatalogEdit,
    /// The connection, in a writing transaction.
    pub connection: &'a mut Connection,
    /// The statement's context: settings, search path, session. Its catalog is the one before the command.
    pub statement: &'a Arc<StatementContext>,
    /// The role whose rights count (`current_user`).
    pub user: Oid,
    /// `search_path` as schema OIDs, implicit `pg_catalog` included; extension scripts change it.
    pub search_path: Vec<Oid>,
    /// The text of the statement, for positions.
    pub text: Arc<str>,
    /// Notices for the client, in order.
    pub notices: Vec<Report>,
    /// What must happen when, and only when, the transaction commits.
    pub at_commit: Vec<AtCommit>,
    /// The extension whose script runs, so that what it makes becomes a member.
    pub extension: Option<Oid>,
}

/// What must happen when, and only when, a transaction commits.
#[derive(Clone, Debug)]
pub enum AtCommit {
    /// Forget a sequence's state.
    DropSequence(Oid),
    /// Let a sequence go on at this value.
    ResetSequence {
        /// The sequence (`pg_class.oid`).
        sequence: Oid,
        /// The value that comes next.
        value: i64,
    },
}

impl CommandContext<'_> {
    /// A notice without a code of its own.
    pub fn notice(&mut self, code: SqlState, message: impl Into<String>) {
        self.notices.push(Report::new(Severity::Notice, code, message));
    }

    /// The catalog as changed so far, as a snapshot that can be bound against.
    pub fn snapshot(&self) -> Arc<Catalog> {
        Arc::new(Catalog::clone(self.edit))
    }

    /// Runs SQL text on the engine.
    ///
    /// # Errors
    /// As the engine's errors translate.
    pub fn engine(&mut self, sql: &str) -> Result<()> {
        let result = self.connection.execute(sql, &[]);
        result.map(drop).map_err(crate::execute::engine_error)
    }

    /// Does something with a binding context over the catalog as changed so far.
    ///
    /// # Errors
    /// Those of `bind`.
    pub fn binding<T>(&self, text: &str, bind: impl FnOnce(&BindContext<'_>) -> Result<T>) -> Result<T> {
        let catalog = self.snapshot();
        bind(&BindContext {
            catalog: &catalog,
            search_path: &self.search_path,
            format: &self.statement.format,
            text,
            parameters: &[],
        })
    }
}

/// Whether a statement is one of ours, rather than the session's own.
pub fn handles(utility: &Utility) -> bool {
    use Utility as U;
    !matches!(
        utility,
        U::Begin { .. }
            | U::Commit { .. }
            | U::Rollback { .. }
            | U::Savepoint(_)
            | U::ReleaseSavepoint(_)
            | U::RollbackToSavepoint(_)
            | U::PrepareTransaction(_)
            | U::CommitPrepared(_)
            | U::RollbackPrepared(_)
            | U::SetTransaction { .. }
            | U::SetTransactionSnapshot(_)
            | U::Set(_)
            | U::Reset(_)
            | U::Show(_)
            | U::SetConstraints { .. }
            | U::Discard(_)
            | U::Prepare(_)
            | U::Execute(_)
            | U::Deallocate(_)
            | U::DeclareCursor(_)
            | U::Fetch(_)
            | U::Close(_)
            | U::Listen(_)
            | U::Unlisten(_)
            | U::Notify { .. }
            | U::Lock(_)
            | U::Explain(_)
            | U::Copy(_)
            | U::Checkpoint
            | U::Vacuum { .. }
            | U::Analyze { .. }
            | U::Reindex(_)
            | U::Load(_)
            | U::Do { .. }
            | U::Call(_)
            | U::AlterSystem(_)
            | U::CreateDatabase(_)
            | U::AlterDatabase(_)
            | U::DropDatabase { .. }
    )
}

/// Runs a command.
///
/// # Errors
/// Those of the command; `0A000` naming one that is not supported; when a relation is locked by somebody else the session
/// knows what to wait for. The caller undoes what it has done so far.
pub fn run(context: &mut CommandContext<'_>, utility: &Utility) -> Result<CommandTag> {
    // Who may not change something is told so at once, and keeps nobody waiting.
    let may = context.may_change_named(utility)?;
    if may {
        context.lock_named(utility)?;
    }
    let tag = run_locked(context, utility)?;
    if !may {
        context.lock_named(utility)?;
    }
    Ok(tag)
}

fn run_locked(context: &mut CommandContext<'_>, utility: &Utility) -> Result<CommandTag> {
    match utility {
        Utility::CreateSchema(statement) => context.create_schema(statement)?,
        Utility::CreateTable(statement) => context.create_table(statement)?,
        Utility::CreateIndex(statement) => context.create_index(statement)?,
        Utility::CreateFunction(statement) => context.create_function(statement)?,
        Utility::CreateExtension(statement) => context.create_extension(statement)?,
        Utility::AlterExtension(statement) => context.alter_extension(statement)?,
        Utility::Drop(statement) => context.drop_objects(statement)?,
        Utility::CreateRole(statement) => context.create_role(statement)?,
        Utility::AlterRole(statement) => context.alter_role(statement)?,
        Utility::AlterRoleSetting(statement) => context.alter_role_setting(statement)?,
        Utility::GrantRole(statement) => context.grant_role(statement)?,
        Utility::Grant(statement) => context.grant(statement)?,
        Utility::AlterDefaultPrivileges(statement) => context.alter_default_privileges(statement)?,
        Utility::ReassignOwned { roles, new_owner } => context.reassign_owned(roles, new_owner)?,
        Utility::DropOwned { roles, cascade } => context.drop_owned(roles, *cascade)?,
        Utility::CreateSequence(statement) => context.create_sequence(statement)?,
        Utility::AlterSequence(statement) => context.alter_sequence(statement)?,
        Utility::AlterTable(statement) => context.alter_table(statement)?,
        Utility::AlterObject(statement) => context.alter_object(statement)?,
        Utility::Comment(statement) => context.comment(statement)?,
        Utility::CreateView(statement) => context.create_view(statement)?,
        Utility::CreateTableAs(statement) => return context.create_table_as(statement, utility.tag()),
        Utility::RefreshMaterializedView(statement) => context.refresh_materialized_view(statement)?,
        Utility::CreateType(statement) => context.create_type(statement)?,
        Utility::AlterType(statement) => context.alter_type(statement)?,
        Utility::CreateDomain(statement) => context.create_domain(statement)?,
        Utility::AlterDomain(statement) => context.alter_domain(statement)?,
        Utility::Truncate { tables, restart_identity, cascade } => {
            context.truncate(tables, *restart_identity, *cascade)?;
        }
        _ => return Err(SqlError::unsupported(utility.tag())),
    }
    Ok(CommandTag { command: utility.tag().to_owned(), rows: None })
}

/// No option may be given twice, nor together with its opposite.
fn refuse_repeated<T>(options: &[T]) -> Result<()> {
    let mut seen = Vec::new();
    for option in options {
        let kind = std::mem::discriminant(option);
        if seen.contains(&kind) {
            return Err(crate::error!(SYNTAX_ERROR, "conflicting or redundant options"));
        }
        seen.push(kind);
    }
    Ok(())
}
