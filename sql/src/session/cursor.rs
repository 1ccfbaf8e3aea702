//! SQL's cursors: DECLARE, FETCH, MOVE, CLOSE. A cursor is a portal; its rows are computed when it is declared, so that it
//! sees what there was at that moment, whatever the transaction changes later, and can be read in both directions.
//!
//! Source: `src/backend/commands/portalcmds.c`, `src/backend/tcop/pquery.c` (`DoPortalRunFetch`).

use std::collections::VecDeque;
use std::sync::Arc;

use super::cache::{Known, Planned};
use super::extended::{Formats, Portal, PortalState};
use super::prepared::Prepared;
use super::pump::Row;
use super::statement::{Run, Snapshot};
use super::{CommandTag, Completion, Destination, Format, RowShape, Session, StatementContext};
use crate::parse::{DeclareCursor, Fetch, FetchDirection, Node, ParsedStatement};
use crate::{Result, SqlError, error};

/// What DECLARE adds to a portal.
pub(super) struct Declared {
    pub(super) hold: bool,
    pub(super) scroll: bool,
    /// Whether the transaction that made it has committed.
    held: bool,
    planned: Arc<Planned>,
    context: Arc<StatementContext>,
    rows: Vec<Row>,
    /// Before the first row it is 0, on the first 1, after the last one more than there are rows.
    position: usize,
}

impl Declared {
    /// Whether it outlives a transaction that ends.
    pub(super) fn survives(&self, committed: bool) -> bool {
        self.held || (self.hold && committed)
    }

    /// Moves, and gives the rows passed: their indexes in order.
    fn advance(&mut self, direction: FetchDirection) -> Result<Vec<usize>> {
        let (at, count) = (self.position as i64, self.rows.len() as i64);
        let backward = match direction {
            FetchDirection::Forward(rows) => rows < 0,
            FetchDirection::Backward(rows) => rows >= 0,
            FetchDirection::Absolute(row) => row != 0 && resolve_absolute(row, count) <= at,
            FetchDirection::Relative(rows) => rows < 0,
        };
        if backward && !self.scroll {
            return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "cursor can only scan forward")
                .hint("Declare it with SCROLL option to enable backward scan."));
        }
        let one = |row: i64| if (1..=count).contains(&row) { vec![row as usize - 1] } else { Vec::new() };
        let (position, passed) = match direction {
            FetchDirection::Forward(rows) if rows < 0 => go_back(at, rows.saturating_neg()),
            FetchDirection::Forward(0) | FetchDirection::Backward(0) | FetchDirection::Relative(0) => {
                (at, one(at))
            }
            FetchDirection::Forward(rows) => go_forward(at, rows, count),
            FetchDirection::Backward(rows) if rows < 0 => go_forward(at, rows.saturating_neg(), count),
            FetchDirection::Backward(rows) => go_back(at, rows),
            FetchDirection::Absolute(row) => {
                let row = resolve_absolute(row, count);
                (row.clamp(0, count + 1), one(row))
            }
            FetchDirection::Relative(rows) => {
                let row = at.saturating_add(rows);
                (row.clamp(0, count + 1), one(row))
            }
        };
        self.position = usize::try_from(position).unwrap_or(0);
        Ok(passed)
    }
}

fn resolve_absolute(row: i64, count: i64) -> i64 {
    if row < 0 { count + 1 + row } else { row }
}

fn go_forward(at: i64, rows: i64, count: i64) -> (i64, Vec<usize>) {
    let last = at.saturating_add(rows).min(count);
    let passed = (at..last).map(|index| index as usize).collect::<Vec<_>>();
    // Asking for more than there is leaves the cursor after the last row.
    let position = if at.saturating_add(rows) > count { count + 1 } else { last };
    (position, passed)
}

fn go_back(at: i64, rows: i64) -> (i64, Vec<usize>) {
    let first = at.saturating_sub(rows).max(0);
    let passed = ((first.max(1))..at).rev().map(|row| row as usize - 1).collect();
    (first, passed)
}

impl Session {
    /// DECLARE.
    pub(super) async fn declare_cursor(
        &mut self,
        command: &DeclareCursor,
        outer: &ParsedStatement,
        run: &Run<'_>,
    ) -> Result<()> {
        if !command.hold {
            self.require_block("DECLARE CURSOR")?;
        }
        let name = &command.name;
        if self.portals.contains_key(name) {
            return Err(error!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
        }
        let tree = crate::parse::ast::Statement::Query(command.query.query.clone());
        let (planned, catalog) = self.prepare_to_run(&tree, &outer.text, run.types).await?;
        let context = self.statement_context(&catalog);
        let rows = self.collect(&planned, run.parameters, &context).await?;
        let statement = Prepared {
            text: outer.text.clone(),
            statement: Some(Arc::new(Known::new(ParsedStatement {
                node: Node::Sql(Box::new(tree)),
                ..outer.clone()
            }))),
            parameters: Vec::new(),
            columns: Some(planned.plan.columns.clone()),
            from_sql: true,
            created: self.statement_time,
        };
        let declared = Declared {
            hold: command.hold,
            scroll: command.scroll != Some(false),
            held: false,
            planned,
            context,
            rows: rows.into(),
            position: 0,
        };
        let format = if command.binary { Format::Binary } else { Format::Text };
        let portal = Portal {
            statement: Arc::new(statement),
            parameters: Vec::new(),
            formats: Formats(vec![format]),
            state: PortalState::New,
            declared: Some(declared),
            created: self.statement_time,
        };
        self.portals.insert(name.clone(), portal);
        self.show_cursors();
        Ok(())
    }

    /// FETCH and MOVE.
    pub(super) async fn fetch(
        &mut self,
        command: &Fetch,
        run: &Run<'_>,
        destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        let name = &command.cursor;
        let missing = || error!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist");
        if self.portals.get(name).ok_or_else(missing)?.declared.is_none() {
            self.make_cursor(name).await?;
        }
        let portal = self.portals.get_mut(name).ok_or_else(missing)?;
        let formats = if run.announce { portal.formats.clone() } else { run.formats.clone() };
        let declared = portal.declared.as_mut().ok_or_else(missing)?;
        let passed = declared.advance(command.direction)?;
        let count = passed.len() as u64;
        let (planned, context) = (declared.planned.clone(), declared.context.clone());
        if !command.is_move {
            let rows: VecDeque<Row> = passed.into_iter().map(|index| declared.rows[index].clone()).collect();
            if run.announce {
                let formats = formats.for_columns(planned.plan.columns.len());
                destination.columns(&RowShape { columns: &planned.plan.columns, formats: &formats })?;
            }
            let run = Run { parameters: &[], types: &[], formats: &formats, announce: false, rows_max: None };
            self.send_rows(rows, None, &planned, &run, &context, destination).await?;
        }
        let command = if command.is_move { "MOVE" } else { "FETCH" };
        Ok(CommandTag { command: command.to_owned(), rows: Some(count) })
    }

    /// Makes a portal of the protocol one that FETCH and MOVE can move: its rows that are left are computed now.
    async fn make_cursor(&mut self, name: &str) -> Result<()> {
        let portal = self.portal_mut(name)?;
        let (statement, parameters) = (portal.statement.clone(), portal.parameters.clone());
        let state = std::mem::replace(&mut portal.state, PortalState::New);
        let (planned, context, rows) = match state {
            PortalState::Started { planned, context, rest, .. } => {
                let rows = self.collect_rest(rest, &context).await?;
                (planned, context, rows)
            }
            state => {
                let Some(known) = statement.statement.as_ref().filter(|known| known.is_sql()) else {
                    return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"{name}\" cannot be run"));
                };
                let (planned, catalog) =
                    self.prepare_known(known, &statement.parameters, Snapshot::OfTransaction).await?;
                if !planned.plan.read_only {
                    return Err(SqlError::unsupported(
                        "FETCH from the portal of a command that changes rows",
                    ));
                }
                let context = self.statement_context(&catalog);
                let rows = match state {
                    PortalState::Done(_) => VecDeque::new(),
                    _ => self.collect(&planned, &parameters, &context).await?,
                };
                (planned, context, rows)
            }
        };
        let declared = Declared {
            hold: false,
            scroll: false,
            held: false,
            planned,
            context,
            rows: rows.into(),
            position: 0,
        };
        self.portal_mut(name)?.declared = Some(declared);
        Ok(())
    }

    /// Execute of a cursor: the next rows.
    pub(super) async fn run_declared(
        &mut self,
        name: &str,
        rows_max: Option<u64>,
        destination: &mut dyn Destination,
    ) -> Result<Completion> {
        let portal = self.portal_mut(name)?;
        let formats = portal.formats.clone();
        let Some(declared) = portal.declared.as_mut() else {
            return Err(SqlError::internal("a portal that is no cursor"));
        };
        let wanted = rows_max.map_or(i64::MAX, |rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let passed = declared.advance(FetchDirection::Forward(wanted))?;
        let count = passed.len() as u64;
        let (planned, context) = (declared.planned.clone(), declared.context.clone());
        let rows: VecDeque<Row> = passed.into_iter().map(|index| declared.rows[index].clone()).collect();
        let run = Run { parameters: &[], types: &[], formats: &formats, announce: false, rows_max: None };
        self.send_rows(rows, None, &planned, &run, &context, destination).await?;
        if rows_max == Some(count) {
            return Ok(Completion::Suspended);
        }
        Ok(Completion::Complete(CommandTag { command: "SELECT".to_owned(), rows: Some(count) }))
    }

    /// CLOSE.
    pub(super) fn close_cursor(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.portals.retain(|name, _| name.is_empty()),
            Some(name) if self.portals.contains_key(name) => self.close_portal(name),
            Some(name) => return Err(error!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist")),
        }
        self.show_cursors();
        Ok(())
    }

    /// The transaction commits: cursors WITH HOLD belong to the session from now on.
    pub(super) fn hold_cursors(&mut self) {
        for portal in self.portals.values_mut() {
            if let Some(declared) = portal.declared.as_mut().filter(|declared| declared.hold) {
                declared.held = true;
            }
        }
    }
}
