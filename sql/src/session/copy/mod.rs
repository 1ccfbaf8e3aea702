//! COPY from and to the client, in text, CSV and binary.
//!
//! Source: `src/backend/commands/copy.c`, `copyfrom.c`, `copyto.c`.

mod binary;
mod format;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::{Bytes, BytesMut};

use crate::parse::ast;

use super::pump::{Row, Sink};
use super::transaction::{Savepoint, Work};
use super::work::check_interrupts;
use super::{CommandTag, Destination, Format, Session, StatementContext};
use crate::bind::BindContext;
use crate::bound::{OutputColumn, TypeMod};
use crate::catalog::{Catalog, Class};
use crate::execute::RowInserter;
use crate::locks::LockMode;
use crate::parse::{self, Copy, CopySource, CopyTarget, Name, Node, ParsedStatement};
use crate::{Oid, Result, SqlError, Value, error, types};
use binary::{BinaryReader, Fields};
use format::{CopyFormat, Reader, Record};

/// How much of a bad value or line is shown in an error's context (`MAX_COPY_DATA_DISPLAY`).
const SHOWN_BYTES_MAX: usize = 100;

/// Writes rows as COPY TO does.
pub(super) struct CopyWriter {
    format: CopyFormat,
    columns: Vec<OutputColumn>,
    /// Whether binary data has begun: its header stands in one message with the first row.
    begun: AtomicBool,
}

impl CopyWriter {
    /// Writes rows to the client; whether to flush.
    pub(super) fn write(
        &self,
        rows: &[Row],
        context: &StatementContext,
        destination: &mut dyn Destination,
    ) -> Result<bool> {
        let mut full = false;
        if self.format.binary {
            for row in rows {
                full |= destination.copy_row(&self.after_header(&self.binary_row(row, context)?))?;
            }
            return Ok(full);
        }
        for row in rows {
            let text = |(value, column): (&Value, &OutputColumn)| match value {
                Value::Null => Ok(None),
                value => types::to_text(column.ty.oid, value.as_ref(), &context.type_context()).map(Some),
            };
            let fields: Vec<_> = row.iter().zip(&self.columns).map(text).collect::<Result<_>>()?;
            let mut line = Vec::new();
            self.format.write(&fields, &mut line);
            full |= destination.copy_row(&line)?;
        }
        Ok(full)
    }

    fn after_header(&self, data: &[u8]) -> Vec<u8> {
        let mut message =
            if self.begun.swap(true, Ordering::Relaxed) { Vec::new() } else { binary::header() };
        message.extend_from_slice(data);
        message
    }

    fn binary_row(&self, row: &Row, context: &StatementContext) -> Result<BytesMut> {
        binary::row(self.columns.len(), |out| {
            for (value, column) in row.iter().zip(&self.columns) {
                types::array::send_field(column.ty.oid, value.as_ref(), &context.type_context(), out)?;
            }
            Ok(())
        })
    }
}

/// How many bytes of what the client has sent are read at a time: some thousand rows of the smallest. Then requests to
/// stop are heard, and others' turns come.
const SLICE_BYTES: usize = 8 << 10;

/// What cuts the client's data into rows.
struct RowReader {
    source: Source,
    /// How many bytes have come since rows were looked for.
    fresh: usize,
    /// How many were there already in which no row had ended. A long row is looked at again when as many have come, so that
    /// all looks together are no more than two.
    incomplete: usize,
}

enum Source {
    Text(Reader),
    Binary { reader: BinaryReader, line: u64 },
}

/// A row as it came, with its number.
enum Incoming {
    Text(Record),
    Binary { line: u64, fields: Fields },
}

impl RowReader {
    fn new(format: CopyFormat, columns: usize) -> Self {
        let source = if format.binary {
            Source::Binary { reader: BinaryReader::new(columns), line: 0 }
        } else {
            Source::Text(Reader::new(format))
        };
        Self { source, fresh: 0, incomplete: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.fresh += bytes.len();
        match &mut self.source {
            Source::Text(reader) => reader.push(bytes),
            Source::Binary { reader, .. } => reader.push(bytes),
        }
    }

    /// The rows that are complete; at the end all.
    fn rows(&mut self, last: bool) -> Result<Vec<Incoming>> {
        if !last && self.fresh < self.incomplete {
            return Ok(Vec::new());
        }
        let rows: Vec<_> = match &mut self.source {
            Source::Text(reader) => reader.records(last)?.into_iter().map(Incoming::Text).collect(),
            Source::Binary { reader, line } => {
                let number = |fields| {
                    *line += 1;
                    Incoming::Binary { line: *line, fields }
                };
                reader.rows(last)?.into_iter().map(number).collect()
            }
        };
        self.incomplete = if rows.is_empty() { self.incomplete + self.fresh } else { 0 };
        self.fresh = 0;
        Ok(rows)
    }

    /// The number of the row that is being read, from 1.
    fn line(&self) -> u64 {
        match &self.source {
            Source::Text(reader) => reader.line() + 1,
            Source::Binary { line, .. } => line + 1,
        }
    }
}

impl Incoming {
    /// Where an error has happened.
    fn place(&self, table: &str) -> String {
        match self {
            Self::Text(record) => format!("COPY {table}, line {}: \"{}\"", record.line, shown(&record.text)),
            Self::Binary { line, .. } => format!("COPY {table}, line {line}"),
        }
    }

    fn values(&self, given: &[Given], table: &str, context: &StatementContext) -> Result<Vec<Value>> {
        let (line, fields) = match self {
            Self::Text(record) => return read_record(record, given, table, context),
            Self::Binary { line, fields } => (line, fields),
        };
        let read = |(field, column): (&Option<Vec<u8>>, &Given)| match field {
            None => Ok(Value::Null),
            Some(bytes) => types::receive(column.ty, bytes, &context.type_context())
                .map_err(|error| error.context(format!("COPY {table}, line {line}, column {}", column.name))),
        };
        fields.iter().zip(given).map(read).collect()
    }
}

impl Session {
    /// COPY.
    pub(super) async fn copy(
        &mut self,
        command: &Copy,
        statement: &ParsedStatement,
        destination: &mut dyn Destination,
    ) -> Result<CommandTag> {
        if command.target != CopyTarget::Client {
            return Err(SqlError::unsupported("COPY with a file or program of the server"));
        }
        let format = CopyFormat::from_options(&command.options)?;
        let rows = match (&command.source, command.is_from) {
            (CopySource::Table { table, columns }, true) => {
                if command.filter.is_some() {
                    return Err(SqlError::unsupported("COPY FROM with WHERE"));
                }
                self.copy_from(table, columns, format, statement, destination).await?
            }
            (CopySource::Table { table, columns }, false) => {
                let present = self.present_catalog();
                check_source(&*self.find_table(&present, table)?)?;
                let (tree, text) = table_query(table, columns)?;
                self.copy_to(&tree, &text, format, destination).await?
            }
            (CopySource::Query(query), _) => {
                let Node::Sql(tree) = &*query.node else {
                    return Err(SqlError::unsupported("COPY of a command"));
                };
                self.copy_to(tree, &statement.text, format, destination).await?
            }
        };
        Ok(CommandTag { command: "COPY".to_owned(), rows: Some(rows) })
    }

    async fn copy_to(
        &mut self,
        tree: &ast::Statement,
        text: &Arc<str>,
        format: CopyFormat,
        destination: &mut dyn Destination,
    ) -> Result<u64> {
        let (planned, catalog) = self.prepare_to_run(tree, text, &[]).await?;
        let mut context = self.statement_context(&catalog);
        let columns = planned.plan.columns.clone();
        if planned.columns().is_none() {
            return Err(error!(FEATURE_NOT_SUPPORTED, "COPY query must have a RETURNING clause"));
        }
        let wire = if format.binary { Format::Binary } else { Format::Text };
        destination.copy_out(columns.len(), wire)?;
        let names: Vec<_> = columns.iter().map(|column| Some(column.name.clone())).collect();
        if format.header {
            let mut line = Vec::new();
            format.write(&names, &mut line);
            destination.copy_row(&line)?;
        }
        let ends = format.binary;
        let writer = CopyWriter { format, columns, begun: AtomicBool::new(false) };
        let rows = if planned.plan.read_only && planned.plan.row_lock.is_none() {
            let mut sink = Sink::Copy { destination: &mut *destination, writer: &writer };
            self.pump(&planned, &[], &context, None, &mut sink).await?.0
        } else {
            let rows: VecDeque<Row>;
            (_, context, rows) = self.collect_statement(tree, text, &[], &[]).await?;
            let rows: Vec<Row> = rows.into();
            writer.write(&rows, &context, destination)?;
            rows.len() as u64
        };
        if ends {
            destination.copy_row(&writer.after_header(&binary::trailer()))?;
        }
        destination.copy_done();
        Ok(rows)
    }

    /// Whether a table was made or emptied since the innermost savepoint, or in the transaction: its file has another
    /// number then. Nobody else can have changed that, as the table is locked.
    fn is_new_here(&self, class: &Class) -> bool {
        let savepoint = self.transaction.as_ref().and_then(|transaction| transaction.savepoints.last());
        let before = savepoint.and_then(Savepoint::catalog);
        let before = before.unwrap_or_else(|| self.database.catalog());
        before.class(class.oid).is_none_or(|before| before.relfilenode != class.relfilenode)
    }

    async fn copy_from(
        &mut self,
        table: &Name,
        columns: &[String],
        format: CopyFormat,
        statement: &ParsedStatement,
        destination: &mut dyn Destination,
    ) -> Result<u64> {
        self.check_may_write("COPY FROM")?;
        // It cannot be run again when a row meets another transaction's: the client has sent it.
        self.transaction().may_wait = true;
        let (catalog, class) = self.begin_copy(table).await?;
        let context = self.statement_context(&catalog);
        check_target(&catalog, &class, self.shared.users.lock().1)?;
        let given = given_columns(&catalog, &class, columns)?;
        let binding = BindContext {
            catalog: &context.catalog,
            search_path: &context.search_path,
            format: &context.format,
            text: &statement.text,
            parameters: &[],
        };
        let positions = given.iter().map(|column| column.position).collect();
        let mut inserter = RowInserter::new(&binding, class.oid, positions)?;
        let wire = if format.binary { Format::Binary } else { Format::Text };
        // It sends what earlier statements of the message have said.
        self.settle().await?;
        destination.copy_in(given.len(), wire).await?;
        // Not before: it is the loading that fails (`CopyFrom`).
        if format.freeze && !self.is_new_here(&class) {
            return Err(error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "cannot perform COPY FREEZE because the table was not created or truncated in the current subtransaction"
            ));
        }
        let mut reader = RowReader::new(format, given.len());
        let mut count = 0;
        loop {
            let piece = self.await_piece(&mut inserter, destination).await?;
            let last = piece.is_none();
            let mut rest = piece.unwrap_or_default();
            loop {
                check_interrupts(self.backend(), self.deadline)?;
                reader.push(&rest.split_to(rest.len().min(SLICE_BYTES)));
                let rows = reader.rows(last);
                let rows = rows.map_err(|error| {
                    error.context(format!("COPY {}, line {}", class.relname, reader.line()))
                })?;
                count += self.copy_rows(rows, &given, &class.relname, &mut inserter, &context).await?;
                if rest.is_empty() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            if last {
                break;
            }
        }
        self.finish_copy(&mut inserter, &context).await?;
        Ok(count)
    }

    /// Writes rows; how many.
    async fn copy_rows(
        &mut self,
        rows: Vec<Incoming>,
        given: &[Given],
        table: &str,
        inserter: &mut RowInserter,
        context: &Arc<StatementContext>,
    ) -> Result<u64> {
        let connection = self.transaction().work.connection().expect("the right to write has been taken");
        connection.set_context(Some(context.clone()));
        let count = rows.len() as u64;
        for row in rows {
            loop {
                let values = row.values(given, table, context)?;
                let connection = self.transaction().work.connection();
                let connection = connection.expect("the right to write has been taken");
                let Err(error) = inserter.insert(connection, context, values) else { break };
                // A key that another transaction has taken is waited for.
                let waited = self.await_copied(error, inserter, context).await;
                waited.map_err(|error| error.context(row.place(table)))?;
            }
        }
        Ok(count)
    }

    /// The table that rows are copied to, locked, with the right to write.
    ///
    /// # Errors
    /// `42P01`; those of waiting.
    async fn begin_copy(&mut self, table: &Name) -> Result<(Arc<Catalog>, Arc<Class>)> {
        let mut locked = None;
        loop {
            let present = self.present_catalog();
            if let Ok(class) = self.find_table(&present, table) {
                self.lock_relations(&[(class.oid, LockMode::RowExclusive)]).await?;
                locked = Some(class.oid);
            }
            let catalog = self.begin_writing_rows().await?;
            let class = self.find_table(&catalog, table)?;
            if locked == Some(class.oid) {
                return Ok((catalog, class));
            }
            // By now the name is another table's, which is waited for without the right to write.
            self.set_aside();
        }
    }

    /// The next piece of data. While its client takes its time, others may write.
    async fn await_piece(
        &mut self,
        inserter: &mut RowInserter,
        destination: &mut dyn Destination,
    ) -> Result<Option<Bytes>> {
        self.lay_down();
        let piece = destination.copy_data().await?;
        self.take_up();
        if matches!(self.transaction().work, Work::Aside) {
            self.resume_writing().await?;
            inserter.change_connection();
        }
        Ok(piece)
    }

    /// Does what foreign keys ask of the rows that have been copied.
    async fn finish_copy(
        &mut self,
        inserter: &mut RowInserter,
        context: &Arc<StatementContext>,
    ) -> Result<()> {
        let (backend, deadline) = (self.backend().clone(), self.deadline);
        loop {
            let transaction = self.transaction();
            let connection = transaction.work.connection().expect("the right to write has been taken");
            connection.clear_interrupt();
            backend.set_interrupt(Some(connection.interrupt()));
            let finished = {
                let _attention = connection.interrupt().attend(deadline);
                inserter.finish(connection, context, &mut transaction.deferred)
            };
            let Err(error) = finished else { return Ok(()) };
            let error = self.reason_to_stop(error);
            self.await_copied(error, inserter, context).await?;
        }
    }

    /// Waits for what a step has met, which goes on perhaps on another connection.
    async fn await_copied(
        &mut self,
        error: SqlError,
        inserter: &mut RowInserter,
        context: &Arc<StatementContext>,
    ) -> Result<()> {
        self.await_in_place(error).await?;
        inserter.change_connection();
        let connection = self.transaction().work.connection().expect("the right to write has been taken");
        connection.set_context(Some(context.clone()));
        Ok(())
    }
}

/// A column that COPY FROM fills.
struct Given {
    position: usize,
    name: String,
    ty: TypeMod,
}

/// Refuses what has no rows of its own.
fn check_source(class: &Class) -> Result<()> {
    let kind = match class.relkind {
        'r' | 'p' => return Ok(()),
        'v' => "view",
        'm' => "materialized view",
        'f' => "foreign table",
        'S' => {
            return Err(error!(WRONG_OBJECT_TYPE, "cannot copy from sequence \"{}\"", class.relname));
        }
        _ => {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "cannot copy from non-table relation \"{}\"", class.relname
            ));
        }
    };
    Err(error!(WRONG_OBJECT_TYPE, "cannot copy from {kind} \"{}\"", class.relname)
        .hint("Try the COPY (SELECT ...) TO variant."))
}

fn check_target(catalog: &Catalog, class: &Class, user: Oid) -> Result<()> {
    let name = &class.relname;
    if class.relkind != 'r' {
        let what = if class.relkind == 'v' { "view" } else { "relation" };
        return Err(error!(WRONG_OBJECT_TYPE, "cannot copy to {what} \"{name}\""));
    }
    let privileges = crate::catalog::privileges::Privileges::INSERT;
    if catalog.has_class_privilege(user, class.oid, privileges)? == Some(true) {
        return Ok(());
    }
    Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for table {name}"))
}

fn given_columns(catalog: &Catalog, class: &Class, names: &[String]) -> Result<Vec<Given>> {
    let attributes = catalog.attributes(class.oid);
    let column = |(position, attribute): (usize, &Arc<crate::catalog::Attribute>)| Given {
        position,
        name: attribute.attname.clone(),
        ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
    };
    if names.is_empty() {
        let live = attributes.iter().enumerate();
        let live = live.filter(|(_, attribute)| !attribute.attisdropped && attribute.attgenerated != 's');
        return Ok(live.map(column).collect());
    }
    let mut given: Vec<Given> = Vec::new();
    for name in names {
        let mut live = attributes.iter().enumerate().filter(|(_, attribute)| !attribute.attisdropped);
        let found = live.find(|(_, attribute)| attribute.attname == *name).ok_or_else(|| {
            error!(UNDEFINED_COLUMN, "column \"{name}\" of relation \"{}\" does not exist", class.relname)
        })?;
        if found.1.attgenerated == 's' {
            return Err(error!(INVALID_COLUMN_REFERENCE, "column \"{name}\" is a generated column")
                .detail("Generated columns cannot be used in COPY."));
        }
        if given.iter().any(|column| column.name == *name) {
            return Err(error!(DUPLICATE_COLUMN, "column \"{name}\" specified more than once"));
        }
        given.push(column(found));
    }
    Ok(given)
}

fn read_record(
    record: &Record,
    given: &[Given],
    table: &str,
    context: &StatementContext,
) -> Result<Vec<Value>> {
    let whole = |error: SqlError| {
        error.context(format!("COPY {table}, line {}: \"{}\"", record.line, shown(&record.text)))
    };
    if record.fields.len() > given.len() {
        return Err(whole(error!(BAD_COPY_FILE_FORMAT, "extra data after last expected column")));
    }
    if let Some(missing) = given.get(record.fields.len()) {
        return Err(whole(error!(BAD_COPY_FILE_FORMAT, "missing data for column \"{}\"", missing.name)));
    }
    let read = |(field, column): (&Option<String>, &Given)| match field {
        None => Ok(Value::Null),
        Some(text) => types::input(column.ty, text, &context.type_context()).map_err(|error| {
            let value = shown(text);
            error.context(format!("COPY {table}, line {}, column {}: \"{value}\"", record.line, column.name))
        }),
    };
    record.fields.iter().zip(given).map(read).collect()
}

/// A text as an error shows it, cut when it is long.
fn shown(text: &str) -> String {
    if text.len() <= SHOWN_BYTES_MAX {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(SHOWN_BYTES_MAX)])
}

/// The query whose rows COPY of a table gives.
fn table_query(table: &Name, columns: &[String]) -> Result<(ast::Statement, Arc<str>)> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let list = match columns {
        [] => "*".to_owned(),
        names => names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", "),
    };
    let schema = table.schema.as_ref().map(|schema| format!("{}.", quoted(schema))).unwrap_or_default();
    let text: Arc<str> = format!("SELECT {list} FROM {schema}{}", quoted(&table.name)).into();
    match parse::parse(&text)?.into_iter().next().map(|statement| statement.node) {
        Some(Node::Sql(tree)) => Ok((*tree, text)),
        _ => Err(SqlError::internal("the query of a table is none")),
    }
}
