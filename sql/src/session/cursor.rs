//! SQL's cursors: DECLARE, FETCH, MOVE, CLOSE. A cursor is a portal that sees what there was when it was declared,
//! whatever the transaction changes later.
//!
//! A transaction that has only read under READ COMMITTED gives the cursor its snapshot, and rows are computed when they
//! are fetched. Those that have been passed are kept, to be read backward, unless the cursor is declared NO SCROLL. In
//! every other transaction the snapshot is needed for what follows, so all rows are computed at once. The same is done
//! when a transaction commits whose cursor outlives it.
//!
//! Source: `src/backend/commands/portalcmds.c`, `src/backend/tcop/pquery.c` (`DoPortalRunFetch`).

use std::collections::VecDeque;
use std::sync::Arc;

use super::cache::{Known, Planned};
use super::extended::{Arguments, Formats, Portal, PortalState};
use super::prepared::Prepared;
use super::pump::{Rest, Row, Sink};
use super::statement::{Run, Snapshot};
use super::{CommandTag, Completion, Destination, Format, RowShape, Session, StatementContext};
use crate::parse::ast;
use crate::parse::{DeclareCursor, Fetch, FetchDirection, Node, ParsedStatement};
use crate::{Oid, Result, SqlError, Value, error};

/// What DECLARE adds to a portal.
pub(super) struct Declared {
    pub(super) hold: bool,
    pub(super) scroll: bool,
    /// Whether the transaction that made it has committed.
    held: bool,
    planned: Arc<Planned>,
    context: Arc<StatementContext>,
    /// The rows computed so far, without those given up.
    rows: VecDeque<Row>,
    /// How many rows before them have been given up.
    given_up: usize,
    /// What gives the rows that have not been computed.
    rest: Rest,
    /// Before the first row it is 0, on the first 1, after the last one more than there are rows.
    position: usize,
}

impl Declared {
    /// Whether it outlives a transaction that ends.
    pub(super) fn survives(&self, committed: bool) -> bool {
        self.held || (self.hold && committed)
    }

    /// How many rows from the start must have been computed before a move; `None` for all.
    fn needed(&self, direction: FetchDirection) -> Option<usize> {
        let at = self.position as i64;
        let target = match direction {
            FetchDirection::Forward(rows) | FetchDirection::Relative(rows) => at.saturating_add(rows),
            FetchDirection::Backward(rows) => at.saturating_sub(rows),
            FetchDirection::Absolute(row) if row < 0 => return None,
            FetchDirection::Absolute(row) => row,
        };
        // What cannot be reached is the end.
        usize::try_from(target.max(0)).ok().filter(|target| *target < i64::MAX as usize)
    }

    /// How many rows are known.
    fn known(&self) -> usize {
        self.given_up + self.rows.len()
    }

    /// Whether a direction leads to where the cursor is.
    fn stays(&self, direction: FetchDirection) -> bool {
        match direction {
            FetchDirection::Forward(rows)
            | FetchDirection::Backward(rows)
            | FetchDirection::Relative(rows) => rows == 0,
            FetchDirection::Absolute(_) => false,
        }
    }

    fn row(&self, index: usize) -> Option<&Row> {
        self.rows.get(index.checked_sub(self.given_up)?)
    }

    /// Gives up what will not be read again: what lies before the position, when there is no way back.
    fn give_up_passed(&mut self) {
        while !self.scroll && self.given_up + 1 < self.position && self.rows.pop_front().is_some() {
            self.given_up += 1;
        }
    }

    /// Moves, and gives the rows passed: their indexes in order. As many rows as are needed are known.
    fn advance(&mut self, direction: FetchDirection, is_move: bool) -> Result<Vec<usize>> {
        let (at, count) = (self.position as i64, self.known() as i64);
        let backward = match direction {
            FetchDirection::Forward(rows) => rows < 0,
            FetchDirection::Backward(rows) => rows > 0,
            FetchDirection::Absolute(row) => row != 0 && resolve_absolute(row, count) <= at,
            FetchDirection::Relative(rows) => rows < 0,
        };
        // The row it is on is read again by going one back.
        let again = !is_move && self.stays(direction) && (1..=count).contains(&at);
        if (backward || again) && !self.scroll {
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
        if self.portals.contains(name) {
            return Err(error!(DUPLICATE_CURSOR, "cursor \"{name}\" already exists"));
        }
        let tree = crate::parse::ast::Statement::Query(command.query.query.clone());
        let (planned, context, rows, rest) =
            self.open_cursor(&tree, &outer.text, run.types, run.parameters).await?;
        let statement = Prepared {
            text: outer.text.clone(),
            statement: Some(Arc::new(Known::new(ParsedStatement {
                node: Node::Sql(Box::new(tree)),
                ..outer.clone()
            }))),
            parameters: Vec::new(),
            columns: Some(planned.plan.columns.as_slice().into()),
            from_sql: true,
            created: self.statement_time,
        };
        let declared = Declared {
            hold: command.hold,
            scroll: command.scroll != Some(false),
            held: false,
            planned,
            context,
            rows,
            given_up: 0,
            rest,
            position: 0,
        };
        let format = if command.binary { Format::Binary } else { Format::Text };
        let portal = Portal {
            statement: Arc::new(statement),
            arguments: Arc::new(Arguments { parameters: Vec::new(), formats: Formats(vec![format]) }),
            state: PortalState::New,
            declared: Some(declared),
            scroll: false,
            created: self.statement_time,
            level: self.level(),
        };
        self.portals.insert(name, portal);
        self.show_cursors();
        Ok(())
    }

    /// Begins to run a cursor's query: with a snapshot of its own, if the transaction can do without it, else to its end.
    async fn open_cursor(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        types: &[Oid],
        parameters: &[Value],
    ) -> Result<(Arc<Planned>, Arc<StatementContext>, VecDeque<Row>, Rest)> {
        let (planned, catalog) = self.prepare_to_run(tree, text, types).await?;
        let detachable = !self.keeps_snapshot() && !self.transaction().work.writes();
        if !detachable || planned.plan.waits || planned.plan.row_lock.is_some() {
            let (planned, context, rows) = self.collect_statement(tree, text, types, parameters).await?;
            return Ok((planned, context, rows, Rest::Done));
        }
        let context = self.statement_context(&catalog);
        let mut rows = VecDeque::new();
        let mut sink = Sink::Memory(&mut rows);
        let (_, live) = self.pump(&planned, parameters, &context, Some(0), &mut sink).await?;
        let rest = live.map_or(Rest::Done, |live| Rest::Live(Box::new(live)));
        Ok((planned, context, rows, rest))
    }

    /// Computes a cursor's rows up to this number, or all.
    async fn compute_rows(&mut self, name: &str, needed: Option<usize>) -> Result<()> {
        let Some(declared) = self.portal_mut(name)?.declared.as_mut() else { return Ok(()) };
        let known = declared.known();
        if matches!(declared.rest, Rest::Done) || needed.is_some_and(|needed| needed <= known) {
            return Ok(());
        }
        let rest = std::mem::replace(&mut declared.rest, Rest::Done);
        let context = declared.context.clone();
        let wanted = needed.map(|needed| (needed - known) as u64);
        let mut rows = VecDeque::new();
        let rest = self.compute_rest(rest, &context, wanted, &mut rows).await?;
        if let Some(declared) = self.portal_mut(name)?.declared.as_mut() {
            declared.rows.extend(rows);
            declared.rest = rest;
        }
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
        let declared = self.portals.get(name).and_then(|portal| portal.declared.as_ref());
        let needed = declared.ok_or_else(missing)?.needed(command.direction);
        self.compute_rows(name, needed).await?;
        let portal = self.portals.get_mut(name).ok_or_else(missing)?;
        let formats = if run.announce { portal.arguments.formats.clone() } else { run.formats.clone() };
        let declared = portal.declared.as_mut().ok_or_else(missing)?;
        let passed = declared.advance(command.direction, command.is_move)?;
        let count = passed.len() as u64;
        let (planned, context) = (declared.planned.clone(), declared.context.clone());
        if !command.is_move {
            let rows: VecDeque<Row> =
                passed.iter().filter_map(|index| declared.row(*index).cloned()).collect();
            declared.give_up_passed();
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
        let (statement, arguments, scroll) =
            (portal.statement.clone(), portal.arguments.clone(), portal.scroll);
        let state = std::mem::replace(&mut portal.state, PortalState::New);
        let (planned, context, rows) = match state {
            PortalState::Started { planned, context, rest, .. } => {
                let rows = self.collect_rest(rest, &context).await?;
                (planned, context, rows)
            }
            state => {
                let refused = || error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "portal \"{name}\" cannot be run");
                let known = statement.statement.as_ref().ok_or_else(refused)?;
                let Node::Sql(tree) = &known.parsed.node else { return Err(refused()) };
                let (planned, catalog) =
                    self.prepare_known(known, &statement.parameters, Snapshot::OfTransaction).await?;
                if !planned.plan.read_only {
                    return Err(SqlError::unsupported(
                        "FETCH from the portal of a command that changes rows",
                    ));
                }
                match state {
                    PortalState::Done(_) => (planned, self.statement_context(&catalog), VecDeque::new()),
                    _ => {
                        let (text, parameters) = (&known.parsed.text, &arguments.parameters);
                        self.collect_statement(tree, text, &statement.parameters, parameters).await?
                    }
                }
            }
        };
        let declared = Declared {
            hold: false,
            scroll,
            held: false,
            planned,
            context,
            rows,
            given_up: 0,
            rest: Rest::Done,
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
        let wanted = rows_max.map_or(i64::MAX, |rows| i64::try_from(rows).unwrap_or(i64::MAX));
        let direction = FetchDirection::Forward(wanted);
        let declared = self.portal_named(name)?.declared.as_ref();
        let needed = declared.and_then(|declared| declared.needed(direction));
        self.compute_rows(name, needed).await?;
        let portal = self.portal_mut(name)?;
        let arguments = portal.arguments.clone();
        let Some(declared) = portal.declared.as_mut() else {
            return Err(SqlError::internal("a portal that is no cursor"));
        };
        let passed = declared.advance(direction, false)?;
        let count = passed.len() as u64;
        let (planned, context) = (declared.planned.clone(), declared.context.clone());
        let rows: VecDeque<Row> = passed.iter().filter_map(|index| declared.row(*index).cloned()).collect();
        declared.give_up_passed();
        let formats = &arguments.formats;
        let run = Run { parameters: &[], types: &[], formats, announce: false, rows_max: None };
        self.send_rows(rows, None, &planned, &run, &context, destination).await?;
        if rows_max == Some(count) {
            return Ok(Completion::Suspended);
        }
        Ok(Completion::Complete(CommandTag { command: "SELECT".to_owned(), rows: Some(count) }))
    }

    /// CLOSE.
    pub(super) fn close_cursor(&mut self, name: Option<&str>) -> Result<()> {
        match name {
            None => self.portals.clear_named(),
            Some(name) if self.portals.contains(name) => self.close_portal(name),
            Some(name) => return Err(error!(UNDEFINED_CURSOR, "cursor \"{name}\" does not exist")),
        }
        self.show_cursors();
        Ok(())
    }

    /// The transaction commits: cursors WITH HOLD belong to the session from now on.
    ///
    /// # Errors
    /// Those of computing their rows.
    pub(super) async fn hold_cursors(&mut self) -> Result<()> {
        let is_live =
            |declared: &Declared| declared.hold && !declared.held && !matches!(declared.rest, Rest::Done);
        let live = self.portals.named().filter(|(_, portal)| portal.declared.as_ref().is_some_and(is_live));
        let live: Vec<String> = live.map(|(name, _)| name.clone()).collect();
        for name in live {
            self.compute_rows(&name, None).await?;
        }
        for portal in self.portals.values_mut() {
            if let Some(declared) = portal.declared.as_mut().filter(|declared| declared.hold) {
                declared.held = true;
            }
        }
        Ok(())
    }
}
