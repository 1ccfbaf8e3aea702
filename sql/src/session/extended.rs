//! The extended protocol: Parse, Bind, Describe, Execute, Close, Sync.
//!
//! Source: `src/backend/tcop/postgres.c`, `src/backend/tcop/pquery.c`.

use std::borrow::Cow;
use std::sync::Arc;

use super::cache::Planned;
use super::prepared::Prepared;
use super::pump::{Emitted, Rest};
use super::statement::{Run, command_word, shifted};
use super::{CommandTag, Completion, Description, Destination, Format, Session, StatementContext};
use crate::bound::{OutputColumn, TypeMod};
use crate::interrupt::MadeOfText;
use crate::parse::Node;
use crate::{Oid, Result, SqlError, Value, error, types};

/// Formats of columns as a client names them: none (all text), one for all, or one for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Formats(pub(super) Vec<Format>);

impl Formats {
    /// One for each of so many columns.
    pub(super) fn for_columns(&self, columns: usize) -> Cow<'_, [Format]> {
        const SAME: usize = 32;
        const TEXT: &[Format] = &[Format::Text; SAME];
        const BINARY: &[Format] = &[Format::Binary; SAME];
        let same = match self.0.as_slice() {
            [one] => *one,
            all if all.len() == columns => return Cow::Borrowed(all),
            _ => Format::Text,
        };
        let shared = if same == Format::Text { TEXT } else { BINARY };
        shared.get(..columns).map_or_else(|| Cow::Owned(vec![same; columns]), Cow::Borrowed)
    }
}

/// A portal: a prepared statement with its parameters, perhaps in the middle of its rows. SQL's cursors are portals.
pub(super) struct Portal {
    pub(super) statement: Arc<Prepared>,
    pub(super) arguments: Arc<Arguments>,
    pub(super) state: PortalState,
    /// For cursors that DECLARE has made.
    pub(super) declared: Option<super::cursor::Declared>,
    /// Whether it can be read backwards once it is fetched from as a cursor; Bind's are not.
    pub(super) scroll: bool,
    /// When it was made, µs since 2000-01-01 UTC.
    pub(super) created: i64,
    /// Inside how many savepoints it was made, of those that are not released: it ends when that level is undone.
    pub(super) level: usize,
}

/// What Bind has said.
pub(super) struct Arguments {
    pub(super) parameters: Vec<Value>,
    pub(super) formats: Formats,
}

/// How far a portal has come.
pub(super) enum PortalState {
    New,
    /// In the middle of a query's rows.
    Started {
        planned: Arc<Planned>,
        context: Arc<StatementContext>,
        rest: Rest,
        tag: &'static str,
        changed: Option<u64>,
    },
    /// At its end: the tag it gives when executed again.
    Done(CommandTag),
}

impl Portal {
    /// Whether it outlives its transaction.
    pub(super) fn survives(&self, committed: bool) -> bool {
        self.declared.as_ref().is_some_and(|declared| declared.survives(committed))
    }
}

impl Session {
    /// Parse: makes a prepared statement. The empty name is the unnamed statement. `parameters` may be shorter than the
    /// statement's; zero leaves a type to the server.
    ///
    /// # Errors
    /// `42601`, `42P05`, `25P02`, those of the binder.
    pub async fn parse(&mut self, name: &str, sql: &str, parameters: &[Oid]) -> Result<()> {
        let result = self.parse_message(name, sql, parameters);
        self.noted(result)
    }

    fn parse_message(&mut self, name: &str, sql: &str, parameters: &[Oid]) -> Result<()> {
        self.begin_message(Some(sql))?;
        if name.is_empty() {
            self.statements.remove("");
        }
        let statements = MadeOfText::new(self.parsed(sql)?, sql);
        if statements.len() > 1 {
            return Err(error!(SYNTAX_ERROR, "cannot insert multiple commands into a prepared statement"));
        }
        let prepared = match statements.first() {
            None => Prepared::empty(sql, self.statement_time),
            Some(statement) => {
                self.check_not_failed(&statement.parsed)?;
                let prepared = self.analyze(statement, sql.into(), parameters);
                prepared.map_err(|error| shifted(error, statement.parsed.offset))?
            }
        };
        self.keep_statement(name, prepared)
    }

    /// Bind: makes a portal from a prepared statement. `parameters` are the values in their formats, `None` for NULL.
    /// Format lists have no, one or all entries, as in the protocol.
    ///
    /// # Errors
    /// `26000`, `08P01`, `42P03`, `25P02`, those of reading the values.
    pub async fn bind(
        &mut self,
        portal: &str,
        statement: &str,
        parameter_formats: &[Format],
        parameters: &[Option<&[u8]>],
        result_formats: &[Format],
    ) -> Result<()> {
        let result = self.bind_message(portal, statement, parameter_formats, parameters, result_formats);
        self.noted(result)
    }

    fn bind_message(
        &mut self,
        portal: &str,
        name: &str,
        parameter_formats: &[Format],
        parameters: &[Option<&[u8]>],
        result_formats: &[Format],
    ) -> Result<()> {
        let statement = self.statement_named(name)?;
        self.begin_message(Some(&statement.text))?;
        if let Some(parsed) = &statement.statement {
            self.check_not_failed(&parsed.parsed)?;
        }
        let (given, needed) = (parameters.len(), statement.parameters.len());
        if given != needed {
            return Err(error!(
                PROTOCOL_VIOLATION,
                "bind message supplies {given} parameters, but prepared statement \"{name}\" requires {needed}"
            ));
        }
        let formats = parameter_formats.len();
        if formats > 1 && formats != given {
            return Err(error!(
                PROTOCOL_VIOLATION,
                "bind message has {formats} parameter formats but {given} parameters"
            ));
        }
        let wanted = statement.columns.as_ref().map_or(0, |columns| columns.len());
        if result_formats.len() > 1 && result_formats.len() != wanted {
            let formats = result_formats.len();
            return Err(error!(
                PROTOCOL_VIOLATION,
                "bind message has {formats} result formats but query has {wanted} columns"
            ));
        }
        if !portal.is_empty() && self.portals.contains(portal) {
            return Err(error!(DUPLICATE_CURSOR, "cursor \"{portal}\" already exists"));
        }
        let formats = Formats(parameter_formats.to_vec());
        let formats = formats.for_columns(given);
        let values = self.read_parameters(&statement.parameters, &formats, parameters)?;
        let portal_state = Portal {
            statement,
            arguments: Arc::new(Arguments { parameters: values, formats: Formats(result_formats.to_vec()) }),
            state: PortalState::New,
            declared: None,
            scroll: false,
            created: self.statement_time,
            level: self.level(),
        };
        self.portals.insert(portal, portal_state);
        if !portal.is_empty() {
            self.show_cursors();
        }
        Ok(())
    }

    fn read_parameters(
        &mut self,
        types: &[Oid],
        formats: &[Format],
        parameters: &[Option<&[u8]>],
    ) -> Result<Vec<Value>> {
        if parameters.is_empty() {
            return Ok(Vec::new());
        }
        let catalog = self.present_catalog();
        let environment = self.environment(&catalog);
        let started =
            self.transaction.as_ref().map_or(self.statement_time, |transaction| transaction.started);
        let format = environment.format(started);
        let search_path = &environment.search_path;
        let context = types::TypeContext { catalog: &catalog, format: &format, search_path };
        let types = types.iter().map(|oid| TypeMod::plain(*oid));
        let read = |((ty, format), bytes): ((TypeMod, &Format), &Option<&[u8]>)| match (bytes, format) {
            (None, _) => Ok(Value::Null),
            (Some(bytes), Format::Binary) => types::receive(ty, bytes, &context),
            (Some(bytes), Format::Text) => {
                let text = std::str::from_utf8(bytes).map_err(|error| invalid_utf8(bytes, error))?;
                types::input(ty, text, &context)
            }
        };
        types.zip(formats).zip(parameters).map(read).collect()
    }

    /// Describe of a prepared statement.
    ///
    /// # Errors
    /// `26000`, `25P02`.
    pub async fn describe_statement(&mut self, name: &str) -> Result<Description> {
        let result = self.statement_named(name).map(|statement| Description {
            parameters: statement.parameters.clone(),
            columns: statement.columns.clone(),
        });
        self.noted(result)
    }

    /// Describe of a portal: its columns with the formats that Bind asked for.
    ///
    /// # Errors
    /// `34000`.
    pub async fn describe_portal(
        &mut self,
        name: &str,
    ) -> Result<Option<(&[OutputColumn], Cow<'_, [Format]>)>> {
        let found = self.portal_named(name).map(|_| ());
        self.noted(found)?;
        let portal = self.portal_named(name)?;
        Ok(portal
            .statement
            .columns
            .as_deref()
            .map(|columns| (columns, portal.arguments.formats.for_columns(columns.len()))))
    }

    /// Execute: runs a portal for at most `rows_max` rows (`None`: all).
    ///
    /// # Errors
    /// `34000`, `25P02`, those of the statement.
    pub async fn execute(
        &mut self,
        portal: &str,
        rows_max: Option<u64>,
        destination: &mut dyn Destination,
    ) -> Result<()> {
        let result = self.execute_message(portal, rows_max, destination).await;
        self.end_statement();
        self.report_notices(destination);
        self.report_parameters(destination);
        if let Ok(completion) = &result {
            destination.complete(completion);
            if let Some(transaction) = &mut self.transaction {
                transaction.pipelined = true;
            }
        }
        self.noted(result.map(|_| ()))
    }

    async fn execute_message(
        &mut self,
        name: &str,
        rows_max: Option<u64>,
        destination: &mut dyn Destination,
    ) -> Result<Completion> {
        let text = self.portal_named(name)?.statement.text.clone();
        self.begin_message(Some(&text))?;
        let portal = self.portal_named(name)?;
        let statement = portal.statement.clone();
        let Some(parsed) = &statement.statement else { return Ok(Completion::Empty) };
        let parsed = &parsed.parsed;
        self.check_not_failed(parsed)?;
        let shift = |error| shifted(error, parsed.offset);
        let utility = match &parsed.node {
            Node::Sql(_) => {
                let rows_max = rows_max.filter(|rows| *rows > 0);
                return self.run_portal(name, rows_max, destination).await.map_err(shift);
            }
            Node::Utility(utility) => utility,
        };
        let portal = self.portal_mut(name)?;
        if let PortalState::Done(tag) = &portal.state {
            return Ok(Completion::Complete(tag.clone()));
        }
        let arguments = portal.arguments.clone();
        let run = Run {
            parameters: &arguments.parameters,
            types: &statement.parameters,
            formats: &arguments.formats,
            announce: false,
            rows_max: None,
        };
        let tag = self.run_utility(utility, parsed, &run, destination).await.map_err(shift)?;
        if let Some(portal) = self.portals.get_mut(name) {
            portal.state = PortalState::Done(tag.clone());
        }
        Ok(Completion::Complete(tag))
    }

    /// Runs the portal of a query or data-modifying statement.
    pub(super) async fn run_portal(
        &mut self,
        name: &str,
        rows_max: Option<u64>,
        destination: &mut dyn Destination,
    ) -> Result<Completion> {
        // Begun first, so that the portal cannot outlive the transaction it is run in.
        self.transaction();
        if self.portal_named(name)?.declared.is_some() {
            return self.run_declared(name, rows_max, destination).await;
        }
        let portal = self.portal_mut(name)?;
        let statement = portal.statement.clone();
        let arguments = portal.arguments.clone();
        let run = Run {
            parameters: &arguments.parameters,
            types: &statement.parameters,
            formats: &arguments.formats,
            announce: false,
            rows_max,
        };
        let state = std::mem::replace(&mut portal.state, PortalState::New);
        let (emitted, planned, context, tag, changed) = match state {
            PortalState::Done(tag) => {
                portal.state = PortalState::Done(CommandTag { rows: Some(0), ..tag.clone() });
                return Ok(Completion::Complete(CommandTag { rows: Some(0), ..tag }));
            }
            PortalState::Started { planned, context, rest, tag, changed } => {
                let emitted = self.go_on(rest, &planned, &run, &context, destination).await?;
                (emitted, planned, context, tag, changed)
            }
            PortalState::New => {
                let Some(known) = &statement.statement else { return Ok(Completion::Empty) };
                let Node::Sql(tree) = &known.parsed.node else {
                    return Err(SqlError::internal("a utility statement in a portal of rows"));
                };
                let (emitted, planned, context) =
                    self.run_tree(known, &statement.parameters, &run, destination).await?;
                statement.check_columns(&planned)?;
                let changed = emitted.changed;
                (emitted, planned, context, command_word(tree), changed)
            }
        };
        let Emitted { sent, rest, .. } = emitted;
        let done = CommandTag { command: tag.to_owned(), rows: Some(changed.unwrap_or(sent)) };
        let portal = self.portal_mut(name)?;
        if let Rest::Done = rest {
            portal.state = PortalState::Done(done.clone());
            return Ok(Completion::Complete(done));
        }
        portal.state = PortalState::Started { planned, context, rest, tag, changed };
        Ok(Completion::Suspended)
    }

    /// Close of a prepared statement; none of that name is no error.
    pub fn close_statement(&mut self, name: &str) {
        if self.statements.remove(name).is_some() {
            self.show_statements();
        }
    }

    /// Makes a portal one that can be read backwards, as `SPI_cursor_open` does.
    ///
    /// # Errors
    /// `34000`.
    pub fn make_scrollable(&mut self, portal: &str) -> Result<()> {
        self.portal_mut(portal)?.scroll = true;
        Ok(())
    }

    /// Close of a portal; none of that name is no error.
    pub fn close_portal(&mut self, name: &str) {
        if self.portals.remove(name).is_some() {
            self.show_cursors();
        }
    }

    /// Sync: ends the implicit transaction of extended messages, committing it unless a message has failed.
    ///
    /// # Errors
    /// Those of the commit.
    pub async fn sync(&mut self, destination: &mut dyn Destination) -> Result<()> {
        let result = self.end_implicit().await;
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

    /// The portal of this name.
    ///
    /// # Errors
    /// `34000`.
    pub(super) fn portal_named(&self, name: &str) -> Result<&Portal> {
        self.portals.get(name).ok_or_else(|| error!(UNDEFINED_CURSOR, "portal \"{name}\" does not exist"))
    }

    pub(super) fn portal_mut(&mut self, name: &str) -> Result<&mut Portal> {
        self.portals.get_mut(name).ok_or_else(|| error!(UNDEFINED_CURSOR, "portal \"{name}\" does not exist"))
    }

    /// A failed message fails its transaction.
    fn noted<T>(&mut self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result {
            self.fail(error);
        }
        result
    }

    /// Inside how many savepoints the session is.
    pub(super) fn level(&self) -> usize {
        self.transaction.as_ref().map_or(0, |transaction| transaction.savepoints.len())
    }

    /// Closes the portals that were made inside so many savepoints or more, but cursors of earlier transactions.
    pub(super) fn close_portals_of(&mut self, level: usize) {
        self.portals.retain(|portal| portal.level < level || portal.survives(false));
        self.show_cursors();
    }

    /// Tells `pg_cursors` what there is.
    pub(super) fn show_cursors(&self) {
        let rows = self.portals.named().map(|(name, portal)| super::CursorRow {
            name: name.clone(),
            statement: portal.statement.text.to_string(),
            is_holdable: portal.declared.as_ref().is_some_and(|declared| declared.hold),
            is_binary: matches!(portal.arguments.formats.0.as_slice(), [Format::Binary]),
            is_scrollable: portal.declared.as_ref().is_some_and(|declared| declared.scroll),
            creation_time: portal.created,
        });
        self.services.show(None, Some(rows.collect()));
    }
}

/// `22021` as PostgreSQL reports it.
pub(super) fn invalid_utf8(bytes: &[u8], error: std::str::Utf8Error) -> SqlError {
    let from = error.valid_up_to();
    let length = error.error_len().unwrap_or(bytes.len() - from);
    let shown: Vec<String> = bytes[from..from + length].iter().map(|byte| format!("0x{byte:02x}")).collect();
    error!(CHARACTER_NOT_IN_REPERTOIRE, "invalid byte sequence for encoding \"UTF8\": {}", shown.join(" "))
}
