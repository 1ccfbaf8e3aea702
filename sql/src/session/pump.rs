//! Rows from the engine to the destination.
//!
//! A reading statement starts on the reactor thread with an instruction budget, and its first rows are kept back until
//! the budget has held: one that exhausts it is run again on a thread where it may take its time, from the same
//! snapshot, and nothing has been sent twice. One with more rows than a first batch goes on there, its rows flowing back
//! in batches. The engine connection moves along with the statement.
//!
//! A statement with a function that has an effect outside the transaction (`nextval`) must not be begun twice. One without
//! a FROM has no budget; any other is run on another thread from its start.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use storage::{Connection, Interrupt};
use tokio::sync::mpsc;

use super::cache::Planned;
use super::copy::CopyWriter;
use super::extended::Formats;
use super::statement::Run;
use super::transaction::Work;
use super::work::check_interrupts;
use super::{Destination, OutputRow, RowShape, Session, StatementContext};
use crate::bound::OutputColumn;
use crate::execute::{self, Cursor, Modified, Pending};
use crate::{Result, SqlError, SqlState, Value, ValueRef};

/// How many thousand engine instructions a statement may use on the reactor thread: one or two
/// milliseconds, which others on the same reactor wait at most.
const REACTOR_BUDGET_KILO: u32 = 50;
/// How long the host's part of it may take there.
const REACTOR_PATIENCE: Duration = Duration::from_millis(2);
/// How many rows are kept back before the first is sent.
const FIRST_BATCH_ROWS: usize = 256;
/// How many rows travel together from another thread.
const BATCH_ROWS: usize = 512;
/// How many such batches may be on their way.
const BATCHES_AHEAD: usize = 4;

pub(super) type Row = Vec<Value>;

/// Rows on their way from another thread.
struct Batch {
    rows: Vec<Row>,
    /// The commit that they depend on.
    depends_on: u64,
}

/// What is left of a statement that has not given all its rows.
pub(super) enum Rest {
    /// Nothing.
    Done,
    /// Rows that have been computed.
    Rows(VecDeque<Row>),
    /// The statement itself, with a snapshot of its own.
    Live(Box<Live>),
}

/// A statement in the middle of its rows.
pub(super) struct Live {
    // Dropped in this order.
    cursor: Cursor,
    work: Work,
}

/// The first rows of a statement.
struct First {
    /// How many.
    sent: u64,
    /// Whether the sink should be flushed.
    full: bool,
    /// What gives the others; none when that was all.
    cursor: Option<Cursor>,
}

/// How far a statement has been run.
pub(super) struct Emitted {
    /// How many rows have been sent this time.
    pub(super) sent: u64,
    /// How many rows it has changed.
    pub(super) changed: Option<u64>,
    /// What is left.
    pub(super) rest: Rest,
}

/// Where rows go: to the client, in some formats, or into memory.
pub(super) enum Sink<'a> {
    Client { destination: &'a mut dyn Destination, columns: &'a [OutputColumn], formats: &'a Formats },
    Memory(&'a mut VecDeque<Row>),
    Copy { destination: &'a mut dyn Destination, writer: &'a CopyWriter },
}

/// How many values of a row are looked at without an allocation.
const INLINE_COLUMNS: usize = 16;

impl Sink<'_> {
    /// Takes the first rows of a statement, at most so many, as the engine gives them; how many, whether that was all,
    /// and whether it should be flushed. What has been taken is given back when the statement fails.
    fn take_first(
        &mut self,
        cursor: &mut Cursor,
        connection: &mut Connection,
        rows_max: usize,
        context: &StatementContext,
    ) -> Result<(u64, bool, bool)> {
        let Self::Client { destination, columns, formats } = self else {
            let (rows, done) = read_batch(cursor, connection, rows_max)?;
            let sent = rows.len() as u64;
            return Ok((sent, done, self.take(rows, context)?));
        };
        let start = destination.sent();
        let formats = formats.for_columns(columns.len());
        let shape = RowShape { columns, formats: &formats };
        let result = send_first(cursor, connection, rows_max, context, &shape, *destination);
        if result.is_err() {
            destination.take_back(start);
        }
        result
    }

    /// Takes rows; whether it should be flushed.
    fn take(&mut self, rows: Vec<Row>, context: &StatementContext) -> Result<bool> {
        let (destination, columns, formats) = match self {
            Self::Memory(kept) => {
                kept.extend(rows);
                return Ok(false);
            }
            Self::Copy { destination, writer } => return writer.write(&rows, context, *destination),
            Self::Client { destination, columns, formats } => (destination, *columns, *formats),
        };
        let formats = formats.for_columns(columns.len());
        let shape = RowShape { columns, formats: &formats };
        let mut full = false;
        for row in &rows {
            let values: Vec<ValueRef<'_>> = row.iter().take(columns.len()).map(Value::as_ref).collect();
            full |= destination.row(&OutputRow {
                shape: &shape,
                values: &values,
                types: context.type_context(),
            })?;
        }
        Ok(full)
    }
}

/// Sends rows as the engine gives them: see [`Sink::take_first`].
fn send_first(
    cursor: &mut Cursor,
    connection: &mut Connection,
    rows_max: usize,
    context: &StatementContext,
    shape: &RowShape<'_>,
    destination: &mut dyn Destination,
) -> Result<(u64, bool, bool)> {
    let width = shape.columns.len();
    let (mut sent, mut full) = (0, false);
    while sent < rows_max {
        let Some(row) = cursor.next(connection)? else { return Ok((sent as u64, true, full)) };
        let mut inline = [ValueRef::Null; INLINE_COLUMNS];
        let spilled: Vec<ValueRef<'_>>;
        let values = match inline.get_mut(..width) {
            Some(values) => {
                values.iter_mut().enumerate().for_each(|(column, value)| *value = row.get(column));
                &*values
            }
            None => {
                spilled = (0..width).map(|column| row.get(column)).collect();
                &spilled
            }
        };
        full |= destination.row(&OutputRow { shape, values, types: context.type_context() })?;
        sent += 1;
    }
    Ok((sent as u64, false, full))
}

/// Reads rows, at most so many; and whether that was all.
fn read_batch(cursor: &mut Cursor, connection: &mut Connection, rows_max: usize) -> Result<(Vec<Row>, bool)> {
    let width = cursor.columns();
    let mut rows = Vec::new();
    while rows.len() < rows_max {
        match cursor.next(connection)? {
            Some(row) => rows.push((0..width).map(|column| row.get(column).to_owned()).collect()),
            None => return Ok((rows, true)),
        }
    }
    Ok((rows, false))
}

/// The budget of a plan that can be begun again where it may take its time; none for one that cannot.
fn reactor_budget(planned: &Planned) -> Option<u32> {
    (!planned.plan.once).then_some(REACTOR_BUDGET_KILO)
}

/// Until when the host may work there.
fn patience(can_begin_again: bool) -> Option<Instant> {
    can_begin_again.then(|| Instant::now() + REACTOR_PATIENCE)
}

fn batch_limit(limit: Option<u64>, batch: usize) -> usize {
    limit.map_or(batch, |limit| usize::try_from(limit).unwrap_or(batch).min(batch))
}

impl Session {
    /// Runs a reading plan in the transaction's snapshot and sends its rows.
    pub(super) async fn run_query(
        &mut self,
        planned: &Arc<Planned>,
        run: &Run<'_>,
        context: &Arc<StatementContext>,
        destination: &mut dyn Destination,
    ) -> Result<Emitted> {
        let columns = &planned.plan.columns;
        if run.announce {
            let formats = run.formats.for_columns(columns.len());
            destination.columns(&RowShape { columns, formats: &formats })?;
        }
        // Rows beyond a limit are computed now unless the statement can keep the snapshot for itself.
        let detachable = !self.keeps_snapshot() && !self.transaction().work.writes();
        if run.rows_max.is_some() && !detachable {
            let rows = self.collect(planned, run.parameters, context).await?;
            return self.send_rows(rows, None, planned, run, context, destination).await;
        }
        let mut sink = Sink::Client { destination, columns, formats: run.formats };
        let (sent, live) = self.pump(planned, run.parameters, context, run.rows_max, &mut sink).await?;
        let rest = live.map_or(Rest::Done, |live| Rest::Live(Box::new(live)));
        Ok(Emitted { sent, changed: None, rest })
    }

    /// Runs a reading plan to its end, keeping its rows.
    pub(super) async fn collect(
        &mut self,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<VecDeque<Row>> {
        let mut rows = VecDeque::new();
        self.pump(planned, parameters, context, None, &mut Sink::Memory(&mut rows)).await?;
        Ok(rows)
    }

    /// Sends computed rows, at most as many as are wanted.
    pub(super) async fn send_rows(
        &mut self,
        mut rows: VecDeque<Row>,
        changed: Option<u64>,
        planned: &Arc<Planned>,
        run: &Run<'_>,
        context: &Arc<StatementContext>,
        destination: &mut dyn Destination,
    ) -> Result<Emitted> {
        let mut sink = Sink::Client { destination, columns: &planned.plan.columns, formats: run.formats };
        let limit = batch_limit(run.rows_max, usize::MAX);
        let mut sent = 0;
        while !rows.is_empty() && sent < limit {
            let batch: Vec<Row> = rows.drain(..rows.len().min(BATCH_ROWS).min(limit - sent)).collect();
            sent += batch.len();
            let taken = {
                let _attention = self.attend();
                sink.take(batch, context)
            };
            if taken.map_err(|error| self.reason_to_stop(error))? {
                self.note_reads();
                self.flush_sink(&mut sink).await?;
            }
        }
        let suspended = run.rows_max.is_some() && sent == limit;
        let rest = if suspended { Rest::Rows(rows) } else { Rest::Done };
        Ok(Emitted { sent: sent as u64, changed, rest })
    }

    /// Runs a reading plan into a sink, for at most so many rows; what is left when the limit was reached, with the
    /// transaction's snapshot.
    pub(super) async fn pump(
        &mut self,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        sink: &mut Sink<'_>,
    ) -> Result<(u64, Option<Live>)> {
        let first = match planned.plan.waits {
            true => None,
            false => {
                let first = self.try_here(planned, parameters, context, limit, sink);
                // Before its error is believed, too: another catalog may be the reason.
                self.check_snapshot()?;
                first?
            }
        };
        let mut sent = 0;
        let mut cursor = None;
        match first {
            Some(First { sent: first, full, cursor: started }) => {
                sent = first;
                if full {
                    self.note_reads();
                    self.flush_sink(sink).await?;
                }
                if started.is_none() {
                    return Ok((sent, None));
                }
                cursor = started;
            }
            None => self.take_snapshot()?,
        }
        let limit_left = limit.map(|limit| limit - sent);
        if limit_left == Some(0) {
            // The connection goes with the portal, out of sight of the end of the statement.
            self.note_reads();
            let work = std::mem::replace(&mut self.transaction().work, Work::None);
            let live = cursor.map(|cursor| Live { cursor, work });
            return Ok((sent, live));
        }
        let work = std::mem::replace(&mut self.transaction().work, Work::None);
        let start = Start { cursor, planned: Some(planned.clone()), parameters: parameters.to_vec() };
        let (more, live, done) = self.pump_elsewhere(start, work, context, limit_left, sink).await?;
        if done {
            self.transaction().work = live.work;
            return Ok((sent + more, None));
        }
        Ok((sent + more, Some(live)))
    }

    /// Sends the first rows from this thread; nothing when that would take too long.
    fn try_here(
        &mut self,
        planned: &Planned,
        parameters: &[Value],
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        sink: &mut Sink<'_>,
    ) -> Result<Option<First>> {
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        let connection = self.transaction().work.connection().expect("a snapshot has been taken");
        connection.clear_interrupt();
        backend.set_interrupt(Some(connection.interrupt()));
        connection.set_deadline(deadline);
        let budget = reactor_budget(planned);
        connection.set_budget(budget);
        // The budget counts the engine's work; this is for the host's.
        let can_begin_again = budget.is_some() && !matches!(sink, Sink::Copy { .. });
        let _attention = connection.interrupt().attend_until(deadline, patience(can_begin_again));
        let result = Cursor::open(connection, &planned.plan, parameters, context).and_then(|mut cursor| {
            let rows_max = batch_limit(limit, FIRST_BATCH_ROWS);
            let (sent, done, full) = sink.take_first(&mut cursor, connection, rows_max, context)?;
            if done {
                cursor.close(connection);
                return Ok(First { sent, full, cursor: None });
            }
            Ok(First { sent, full, cursor: Some(cursor) })
        });
        connection.set_budget(None);
        match result {
            Ok(first) => Ok(Some(first)),
            Err(error) if execute::is_budget_exhausted(&error) || storage::has_run_out() => Ok(None),
            Err(error) => Err(self.reason_to_stop(error)),
        }
    }

    /// Sends what is buffered, when it may be told.
    async fn flush_sink(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        match sink {
            Sink::Memory(_) => Ok(()),
            Sink::Client { destination, .. } | Sink::Copy { destination, .. } => {
                self.settle().await?;
                destination.flush().await
            }
        }
    }

    /// Goes on with rows on a thread where a statement may take its time.
    async fn pump_elsewhere(
        &mut self,
        start: Start,
        mut work: Work,
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        sink: &mut Sink<'_>,
    ) -> Result<(u64, Live, bool)> {
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        let mut interrupt = Interrupt::default();
        if let Some(connection) = work.connection() {
            connection.clear_interrupt();
            interrupt = connection.interrupt();
            backend.set_interrupt(Some(interrupt.clone()));
            connection.set_deadline(deadline);
            connection.set_context(Some(context.clone()));
        }
        let writes = work.writes();
        let (sender, mut receiver) = mpsc::channel(BATCHES_AHEAD);
        let (lent, attended) = (context.clone(), interrupt.clone());
        let task = tokio::task::spawn_blocking(move || {
            let _attention = attended.attend(deadline);
            start.run(work, &lent, limit, &sender)
        });
        let mut sent = 0;
        let mut failure = None;
        while let Some(Batch { rows, depends_on }) = receiver.recv().await {
            sent += rows.len() as u64;
            self.untold.depend_on(depends_on);
            let taken = {
                let _attention = interrupt.attend(deadline);
                sink.take(rows, context)
            };
            let flushed = match taken {
                Ok(true) => self.flush_sink(sink).await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = flushed {
                failure = Some(error);
                break;
            }
        }
        // Without a receiver the statement stops at its next batch.
        drop(receiver);
        let Ok((live, outcome)) = task.await else { return Err(self.panicked(writes)) };
        let (cursor, mut work) = live;
        if let Some(connection) = work.connection() {
            self.untold.depend_on(connection.depends_on());
        }
        let Some(cursor) = cursor else {
            self.transaction().work = work;
            let error = outcome.err().unwrap_or_else(|| SqlError::internal("a statement was not opened"));
            return Err(self.reason_to_stop(error));
        };
        let live = Live { cursor, work };
        match (failure, outcome) {
            (None, Ok(done)) => Ok((sent, live, done)),
            (failure, outcome) => {
                drop(live.cursor);
                self.transaction().work = live.work;
                let error = failure.or(outcome.err()).unwrap_or_else(SqlError::canceled);
                Err(self.reason_to_stop(error))
            }
        }
    }

    /// Goes on with a portal.
    pub(super) async fn go_on(
        &mut self,
        rest: Rest,
        planned: &Arc<Planned>,
        run: &Run<'_>,
        context: &Arc<StatementContext>,
        destination: &mut dyn Destination,
    ) -> Result<Emitted> {
        let live = match rest {
            Rest::Done => return Ok(Emitted { sent: 0, changed: None, rest: Rest::Done }),
            Rest::Rows(rows) => return self.send_rows(rows, None, planned, run, context, destination).await,
            Rest::Live(live) => *live,
        };
        let columns = &planned.plan.columns;
        let mut sink = Sink::Client { destination, columns, formats: run.formats };
        let (sent, live, done) = self.pump_live(live, context, run.rows_max, &mut sink).await?;
        let rest = if done { Rest::Done } else { Rest::Live(Box::new(live)) };
        Ok(Emitted { sent, changed: None, rest })
    }

    /// Computes what is left, at most so many rows; what is left then.
    pub(super) async fn compute_rest(
        &mut self,
        rest: Rest,
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        kept: &mut VecDeque<Row>,
    ) -> Result<Rest> {
        match rest {
            Rest::Done => Ok(Rest::Done),
            Rest::Rows(rows) => {
                kept.extend(rows);
                Ok(Rest::Done)
            }
            Rest::Live(live) => {
                let mut sink = Sink::Memory(kept);
                let (_, live, done) = self.pump_live(*live, context, limit, &mut sink).await?;
                Ok(if done { Rest::Done } else { Rest::Live(Box::new(live)) })
            }
        }
    }

    /// The rows that a portal has left.
    pub(super) async fn collect_rest(
        &mut self,
        rest: Rest,
        context: &Arc<StatementContext>,
    ) -> Result<VecDeque<Row>> {
        match rest {
            Rest::Done => Ok(VecDeque::new()),
            Rest::Rows(rows) => Ok(rows),
            Rest::Live(live) => {
                let mut rows = VecDeque::new();
                self.pump_live(*live, context, None, &mut Sink::Memory(&mut rows)).await?;
                Ok(rows)
            }
        }
    }

    /// Goes on with a query that has a snapshot of its own.
    async fn pump_live(
        &mut self,
        live: Live,
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        sink: &mut Sink<'_>,
    ) -> Result<(u64, Live, bool)> {
        let Live { cursor, work } = live;
        let before = std::mem::replace(&mut self.transaction().work, Work::None);
        let result = self.pump_elsewhere(Start::going_on(cursor), work, context, limit, sink).await;
        // The portal's snapshot is not the transaction's.
        self.transaction().work = before;
        result
    }

    /// Runs a plan that changes tables.
    pub(super) async fn run_modify(
        &mut self,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<Modified> {
        let done = self.run_changes(change, planned, parameters, context).await?;
        done.ok_or_else(|| SqlError::internal("a statement has not made its changes"))
    }

    /// Runs a plan that changes tables in some way: makes its changes, or only notes them.
    pub(super) async fn run_changes(
        &mut self,
        change: Changing,
        planned: &Arc<Planned>,
        parameters: &[Value],
        context: &Arc<StatementContext>,
    ) -> Result<Option<Modified>> {
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        let transaction = self.transaction();
        let shielded = !transaction.savepoints.is_empty();
        let connection = transaction.work.connection().expect("the right to write has been taken");
        connection.clear_interrupt();
        connection.shield_writes(shielded);
        backend.set_interrupt(Some(connection.interrupt()));
        connection.set_deadline(deadline);
        if !planned.plan.waits {
            let budget = reactor_budget(planned);
            connection.set_budget(budget);
            let known = transaction.deferred.len();
            let can_begin_again = budget.is_some() && execute::computes_first(&planned.plan);
            let attention = connection.interrupt().attend_until(deadline, patience(can_begin_again));
            let done = change(connection, planned, parameters, context, &mut transaction.deferred);
            let has_run_out = storage::has_run_out();
            drop(attention);
            connection.set_budget(None);
            match done {
                Err(error) if execute::is_budget_exhausted(&error) || has_run_out => {
                    transaction.deferred.truncate(known);
                }
                done => return done.map_err(|error| self.reason_to_stop(error)),
            }
            context.buffered.lock().clear();
        }
        let mut deferred = std::mem::take(&mut transaction.deferred);
        let (planned, parameters, context) = (planned.clone(), parameters.to_vec(), context.clone());
        let run = move |connection: &mut Connection| {
            let done = change(connection, &planned, &parameters, &context, &mut deferred);
            (deferred, done)
        };
        let (deferred, done) = self.elsewhere(run).await?;
        self.transaction().deferred = deferred;
        done.map_err(|error| self.reason_to_stop(error))
    }

    /// Does something with the transaction's connection on a thread where it may take its time, and where cancel requests
    /// and deadlines reach it.
    ///
    /// # Errors
    /// `XX000` when it has panicked; the transaction is then lost.
    pub(super) async fn elsewhere<T: Send + 'static>(
        &mut self,
        run: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T> {
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        let transaction = self.transaction();
        let shielded = !transaction.savepoints.is_empty();
        let mut work = std::mem::replace(&mut transaction.work, Work::None);
        let writes = work.writes();
        let task = tokio::task::spawn_blocking(move || {
            let connection = work.connection().expect("a transaction that has begun its work");
            connection.clear_interrupt();
            backend.set_interrupt(Some(connection.interrupt()));
            connection.set_deadline(deadline);
            connection.shield_writes(shielded);
            let _attention = connection.interrupt().attend(deadline);
            let done = run(connection);
            connection.shield_writes(false);
            (work, done)
        });
        match task.await {
            Ok((work, done)) => {
                self.transaction().work = work;
                Ok(done)
            }
            Err(_) => Err(self.panicked(writes)),
        }
    }

    /// A statement has panicked and taken its connection along: what the transaction had written is gone with it.
    fn panicked(&mut self, wrote: bool) -> SqlError {
        self.transaction().lost |= wrote || self.keeps_snapshot();
        SqlError::internal("a statement has panicked")
    }

    /// Lets this thread attend to requests to stop, and to the time that there is, while it works for a statement without
    /// the engine; see [`crate::interrupt`].
    pub(super) fn attend(&self) -> storage::Attention {
        let interrupt = storage::Interrupt::default();
        self.backend().set_interrupt(Some(interrupt.clone()));
        interrupt.attend(self.deadline)
    }

    /// Says why a statement was stopped: the engine only knows that it was.
    pub(super) fn reason_to_stop(&self, error: SqlError) -> SqlError {
        if error.code() != SqlState::QUERY_CANCELED || error.message() != SqlError::canceled().message() {
            return error;
        }
        check_interrupts(self.backend(), self.deadline).err().unwrap_or(error)
    }
}

/// How a statement that changes tables is run. Deferred checks are added to the last one's.
pub(super) type Changing = fn(
    &mut Connection,
    &Planned,
    &[Value],
    &Arc<StatementContext>,
    &mut Vec<Pending>,
) -> Result<Option<Modified>>;

/// Makes the changes of a statement.
fn change(
    connection: &mut Connection,
    planned: &Planned,
    parameters: &[Value],
    context: &Arc<StatementContext>,
    deferred: &mut Vec<Pending>,
) -> Result<Option<Modified>> {
    execute::run_modify(connection, &planned.plan, parameters, context, deferred).map(Some)
}

/// A reading statement on its way to another thread.
struct Start {
    /// None when it has not been opened yet.
    cursor: Option<Cursor>,
    planned: Option<Arc<Planned>>,
    parameters: Vec<Value>,
}

impl Start {
    fn going_on(cursor: Cursor) -> Self {
        Self { cursor: Some(cursor), planned: None, parameters: Vec::new() }
    }

    /// Runs it there. The parts come back whatever happens; the outcome is whether it has given all its rows.
    fn run(
        self,
        mut work: Work,
        context: &Arc<StatementContext>,
        limit: Option<u64>,
        sender: &mpsc::Sender<Batch>,
    ) -> ((Option<Cursor>, Work), Result<bool>) {
        let Some(connection) = work.connection() else {
            return ((None, work), Err(SqlError::internal("a statement without a connection")));
        };
        let opened = match (self.cursor, &self.planned) {
            (Some(cursor), _) => Ok(cursor),
            (None, Some(planned)) => Cursor::open(connection, &planned.plan, &self.parameters, context),
            (None, None) => Err(SqlError::internal("a statement without a plan")),
        };
        let mut cursor = match opened {
            Ok(cursor) => cursor,
            Err(error) => return ((None, work), Err(error)),
        };
        let mut left = limit;
        let outcome = loop {
            if left == Some(0) {
                break Ok(false);
            }
            let (rows, done) = match read_batch(&mut cursor, connection, batch_limit(left, BATCH_ROWS)) {
                Ok(batch) => batch,
                Err(error) => break Err(error),
            };
            left = left.map(|left| left - rows.len() as u64);
            // A receiver that is gone has failed and says so itself.
            let depends_on = connection.depends_on();
            if !rows.is_empty() && sender.blocking_send(Batch { rows, depends_on }).is_err() {
                break Ok(done);
            }
            if done {
                break Ok(true);
            }
        };
        ((Some(cursor), work), outcome)
    }
}
