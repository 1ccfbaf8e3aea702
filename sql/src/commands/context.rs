//! What a command works with.

use std::sync::Arc;

use storage::{PooledConnection, WriteLock};

use crate::bind::{self, BindContext};
use crate::catalog::{Catalog, CatalogEdit};
use crate::cluster::{Cluster, OpenDatabase};
use crate::execute::{self, Cursor};
use crate::parse::{self, Node, ParsedStatement, Utility};
use crate::session::{CommandTag, SessionShared, StatementContext, statement_tag};
use crate::types::FormatSettings;
use crate::{Oid, Report, Result, Value, error};

/// Something left to be done when the transaction has ended. It may wait for the disk. Failures are logged.
pub type AtEnd = Box<dyn FnOnce(&Arc<Cluster>) -> Result<()> + Send>;

/// What a command works with: the session, the transaction's engine connection, the catalog that is being changed.
pub struct CommandContext {
    /// The session.
    pub session: Arc<SessionShared>,
    /// The database.
    pub database: Arc<OpenDatabase>,
    /// The engine connection, inside a transaction that may write.
    pub connection: PooledConnection,
    /// The right to write, which outlives the connection's transaction.
    pub(crate) lock: WriteLock,
    /// The catalog, with the transaction's changes so far; to be changed.
    pub catalog: CatalogEdit,
    /// `search_path` as schema OIDs in order, implicit `pg_catalog` included.
    pub search_path: Vec<Oid>,
    /// The settings that values' text forms depend on.
    pub format: FormatSettings,
    /// The statement's text, into which positions point.
    pub text: Arc<str>,
    /// The statement's start, µs since 2000-01-01 UTC.
    pub statement_time: i64,
    /// Whether the command runs inside a transaction block or among other statements of one query string.
    pub in_block: bool,
    /// What is left to be done after the commit.
    pub on_commit: Vec<AtEnd>,
    /// What is left to be done after a rollback.
    pub on_abort: Vec<AtEnd>,
    pub(crate) deferred: Vec<execute::Pending>,
}

/// What a statement inside a command has done.
pub struct StatementResult {
    /// Its tag.
    pub tag: CommandTag,
    /// Its rows, visible columns only.
    pub rows: Vec<Vec<Value>>,
}

impl CommandContext {
    /// The cluster.
    pub fn cluster(&self) -> &Arc<Cluster> {
        &self.session.cluster
    }

    /// `current_user`.
    pub fn current_user(&self) -> Oid {
        self.session.users.lock().1
    }

    /// `session_user`.
    pub fn session_user(&self) -> Oid {
        self.session.users.lock().0
    }

    /// The catalog as it is at this point of the command.
    pub fn snapshot(&self) -> Arc<Catalog> {
        Arc::new((*self.catalog).clone())
    }

    /// What the binder needs. `text` is what positions in the tree point into.
    pub fn bind_context<'a>(&'a self, catalog: &'a Arc<Catalog>, text: &'a str) -> BindContext<'a> {
        BindContext { catalog, search_path: &self.search_path, format: &self.format, text, parameters: &[] }
    }

    /// What functions see that are evaluated at this point of the command.
    pub fn statement_context(&self) -> Arc<StatementContext> {
        Arc::new(StatementContext {
            catalog: self.snapshot(),
            format: self.format.clone(),
            search_path: self.search_path.clone(),
            statement_time: self.statement_time,
            session: self.session.clone(),
            buffered: Default::default(),
        })
    }

    /// Sends a notice, warning or info message to the client.
    pub fn notice(&self, report: Report) {
        self.session.notices.lock().push(report);
    }

    /// Refuses a command that must not be part of a larger transaction.
    ///
    /// # Errors
    /// `25001`.
    pub fn prevent_in_block(&self, command: &str) -> Result<()> {
        if !self.in_block {
            return Ok(());
        }
        Err(error!(ACTIVE_SQL_TRANSACTION, "{command} cannot run inside a transaction block"))
    }

    /// Runs the statements of a script (of an extension, a function's body) inside this command.
    ///
    /// # Errors
    /// Those of the statements.
    pub fn run_script(&mut self, text: &str) -> Result<()> {
        for statement in parse::parse(text)? {
            self.run_statement(&statement, &[])?;
        }
        Ok(())
    }

    /// Runs a statement inside this command, on the catalog as it is at this point.
    ///
    /// # Errors
    /// Those of the statement; `2D000` for one that steers transactions.
    pub fn run_statement(&mut self, statement: &ParsedStatement, parameters: &[Value]) -> Result<StatementResult> {
        match &statement.node {
            Node::Utility(utility) if utility.is_transaction_control() => {
                Err(error!(INVALID_TRANSACTION_TERMINATION, "invalid transaction termination"))
            }
            Node::Utility(utility) => self.run_utility(utility, &statement.text),
            Node::Sql(tree) => self.run_tree(tree, &statement.text, parameters),
        }
    }

    fn run_utility(&mut self, utility: &Utility, text: &Arc<str>) -> Result<StatementResult> {
        if let Some(tag) = crate::session::run_setting_inside(&self.session, utility)? {
            return Ok(StatementResult { tag, rows: Vec::new() });
        }
        let outer = std::mem::replace(&mut self.text, text.clone());
        let result = super::run(self, utility);
        self.text = outer;
        Ok(StatementResult { tag: result?, rows: Vec::new() })
    }

    /// Runs a query or data-modifying statement, given as its tree.
    ///
    /// # Errors
    /// Those of the statement.
    pub fn run_tree(
        &mut self,
        tree: &sqlparser::ast::Statement,
        text: &str,
        parameters: &[Value],
    ) -> Result<StatementResult> {
        let context = self.statement_context();
        let binding = self.bind_context(&context.catalog, text);
        let bound = bind::bind(tree, &binding)?;
        let plan = execute::make_plan(&bound, &binding)?;
        if !plan.read_only {
            let done = execute::run_modify(&mut self.connection, &plan, parameters, &context, &mut self.deferred)?;
            return Ok(StatementResult { tag: statement_tag(tree, done.count), rows: done.rows });
        }
        let mut cursor = Cursor::open(&mut self.connection, &plan, parameters, &context)?;
        let width = cursor.columns();
        let mut rows = Vec::new();
        while let Some(row) = cursor.next(&mut self.connection)? {
            rows.push((0..width).map(|column| row.get(column).to_owned()).collect::<Vec<_>>());
        }
        Ok(StatementResult { tag: statement_tag(tree, rows.len() as u64), rows })
    }
}
