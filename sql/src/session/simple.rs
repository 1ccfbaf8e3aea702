//! The simple protocol: a query string, its statements one implicit transaction.
//!
//! Source: `src/backend/tcop/postgres.c` (`exec_simple_query`).

use super::cache::Known;
use super::extended::Formats;
use super::statement::{Run, aborted, command_word, shifted};
use super::template::Templated;
use super::{CommandTag, Completion, Destination, Session};
use crate::Result;
use crate::interrupt::MadeOfText;
use crate::parse::{Node, ParsedStatement};

impl Session {
    /// Runs the statements of one simple Query message, which form one implicit transaction. Each statement's completion
    /// goes to `destination`; the first error ends the run and is returned.
    ///
    /// # Errors
    /// Those of the statements, with positions in the whole text.
    pub async fn simple_query(&mut self, sql: &str, destination: &mut dyn Destination) -> Result<()> {
        let result = self.run_query_string(sql, destination).await;
        if let Err(error) = &result {
            self.fail(error);
        }
        self.report_notices(destination);
        self.report_parameters(destination);
        self.report_idle();
        if self.transaction.is_none() {
            self.deliver_notifications(destination);
        }
        result
    }

    async fn run_query_string(&mut self, sql: &str, destination: &mut dyn Destination) -> Result<()> {
        self.begin_message(Some(sql))?;
        // The unnamed statement and portal end with any simple query.
        self.statements.remove("");
        self.portals.remove("");
        if let Templated::Done(tag) = self.run_template(sql, destination).await? {
            self.end_statement();
            self.end_implicit().await?;
            self.report_notices(destination);
            self.report_parameters(destination);
            destination.complete(&Completion::Complete(tag));
            return Ok(());
        }
        let statements = MadeOfText::new(self.parsed(sql)?, sql);
        if statements.is_empty() {
            self.end_implicit().await?;
            destination.complete(&Completion::Empty);
            return Ok(());
        }
        let last = statements.len() - 1;
        for (index, statement) in statements.iter().enumerate() {
            let shift = |error| shifted(error, statement.parsed.offset);
            self.among_others = last > 0;
            // Its time is its own.
            if index > 0 {
                self.start_statement_timeout();
            }
            let tag = self.run_simple(statement, destination).await.map_err(shift)?;
            if index == last {
                self.end_implicit().await?;
            }
            self.report_notices(destination);
            self.report_parameters(destination);
            destination.complete(&Completion::Complete(tag));
        }
        Ok(())
    }

    async fn run_simple(
        &mut self,
        statement: &Known,
        destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        self.check_not_failed(&statement.parsed)?;
        let formats = Formats::default();
        let run = Run { parameters: &[], types: &[], formats: &formats, announce: true, rows_max: None };
        let tag = match &statement.parsed.node {
            Node::Utility(utility) => self.run_utility(utility, &statement.parsed, &run, destination).await?,
            Node::Sql(tree) => {
                let (done, ..) = self.run_tree(statement, &[], &run, destination).await?;
                let command = command_word(tree).to_owned();
                CommandTag { command, rows: Some(done.changed.unwrap_or(done.sent)) }
            }
        };
        self.end_statement();
        Ok(tag)
    }

    /// Refuses statements in a transaction that has failed, but those that end it.
    pub(super) fn check_not_failed(&self, statement: &ParsedStatement) -> Result<()> {
        let failed = self.transaction.as_ref().is_some_and(|transaction| transaction.failed);
        if failed && !statement.ends_failed_transaction() {
            return Err(aborted());
        }
        Ok(())
    }

    /// Commits a transaction that ends with its message.
    pub(super) async fn end_implicit(&mut self) -> Result<()> {
        self.among_others = false;
        let implicit = self.transaction.as_ref().is_some_and(|transaction| !transaction.explicit);
        if implicit { self.commit().await } else { Ok(()) }
    }
}
