//! Host functions: what a plan needs the engine connection to know before its text can be prepared. Each function of
//! `pg_proc` with a body in Rust becomes one engine function for each combination of actual types; its wrapper keeps
//! strictness and hands errors over unchanged.

use std::sync::Arc;

use storage::{
    AggregateFunction, AggregateState, CallContext, Connection, HostError, RowIterator, ScalarFunction,
    TableFunction, TableScan,
};

use crate::bound::{LockStrength, LockWait};
use crate::catalog::{Catalog, Procedure};
use crate::execute::sql_function;
use crate::functions::{self, Body, CallTypes, FunctionCall, RowsBody, ScalarBody};
use crate::oid::{languages, types as type_oids};
use crate::session::StatementContext;
use crate::{Oid, Result, SqlError, Value, ValueRef, error};

/// Something a plan's text calls by name.
#[derive(Clone)]
pub enum HostFunction {
    /// A function of one row's values.
    Scalar(ScalarFunction),
    /// An aggregate.
    Aggregate(AggregateFunction),
    /// A table function, or a table that the host keeps.
    Table(TableFunction),
}

impl HostFunction {
    /// The name by which the text calls it.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Scalar(f) => &f.name,
            Self::Aggregate(f) => &f.name,
            Self::Table(f) => &f.name,
        }
    }

    /// Makes it known on a connection.
    pub fn ensure(&self, connection: &mut Connection) -> storage::Result<()> {
        match self {
            Self::Scalar(f) => connection.ensure_scalar(f),
            Self::Aggregate(f) => connection.ensure_aggregate(f),
            Self::Table(f) => connection.ensure_table(f),
        }
    }
}

/// The same aggregate with further arguments that are the same for every row: the engine takes DISTINCT with one
/// argument only.
pub(super) fn with_constants(function: &AggregateFunction, constants: Vec<Value>) -> AggregateFunction {
    let label = format!("{constants:?}");
    let name = format!("{}_{:016x}", function.name, fingerprint(&label)).into();
    let start = function.start.clone();
    AggregateFunction {
        name,
        start: Arc::new(move || Box::new(WithConstants { inner: start(), constants: constants.clone() })),
    }
}

struct WithConstants {
    inner: Box<dyn AggregateState>,
    constants: Vec<Value>,
}

impl AggregateState for WithConstants {
    fn step(&mut self, call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        let constants = self.constants.iter().map(Value::as_ref);
        let all: Vec<ValueRef<'_>> = arguments.iter().copied().chain(constants).collect();
        self.inner.step(call, &all)
    }

    fn inverse(&mut self, call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        let constants = self.constants.iter().map(Value::as_ref);
        let all: Vec<ValueRef<'_>> = arguments.iter().copied().chain(constants).collect();
        self.inner.inverse(call, &all)
    }

    fn value(&self, call: &mut CallContext<'_>) -> Result<Value, HostError> {
        self.inner.value(call)
    }
}

/// How a function of the catalog is evaluated here.
pub(super) enum Resolved {
    /// SQLite text with places for the arguments.
    Native(&'static str),
    /// A scalar function to be called by name.
    Scalar {
        function: ScalarFunction,
        waits: bool,
    },
    Aggregate(AggregateFunction),
    /// An aggregate or window function of the engine.
    NativeWindow(&'static str),
    /// Rows.
    Rows,
}

/// The procedure with this OID.
pub(super) fn procedure(catalog: &Catalog, oid: Oid) -> Result<Arc<Procedure>> {
    catalog.function(oid).ok_or_else(|| error!(UNDEFINED_FUNCTION, "function with OID {oid} does not exist"))
}

/// `name(type, type)` as error messages show a function.
pub(super) fn signature(catalog: &Catalog, procedure: &Procedure, separator: &str) -> String {
    let types: Vec<String> = procedure
        .proargtypes
        .iter()
        .map(|t| catalog.type_(*t).map_or_else(|| t.to_string(), |t| t.typname.clone()))
        .collect();
    format!("{}({})", procedure.proname, types.join(separator))
}

/// `pg_language.oid` of `c`.
const LANGUAGE_C: Oid = Oid(13);

/// The body of a function in the function table.
pub(super) fn body(catalog: &Catalog, procedure: &Procedure) -> Option<Body> {
    if let Some(function) = functions::of(procedure, catalog) {
        return Some(function.body);
    }
    // Built-in ones in SQL have their bodies in the function table, if anywhere.
    let in_sql = procedure.prolang == languages::SQL && procedure.oid >= crate::oid::FIRST_NORMAL;
    in_sql.then_some(match procedure.proretset {
        true => Body::Rows(sql_function::rows),
        false => Body::Waiting(sql_function::scalar),
    })
}

/// Whether a call of this function may change tables.
pub(super) fn may_write(procedure: &Procedure) -> bool {
    runs_statements(procedure) && crate::bind::may_write(procedure)
}

/// Whether a call of this function runs statements of its own.
pub(super) fn runs_statements(procedure: &Procedure) -> bool {
    procedure.prolang == languages::SQL && procedure.oid >= crate::oid::FIRST_NORMAL
}

/// Whether a call of this function does something outside the tables, which is there even if its statement is undone
/// or begun again.
pub(super) fn has_effect(procedure: &Procedure) -> bool {
    const EFFECTS: &[&str] = &[
        "nextval_oid",
        "pg_cancel_backend",
        "pg_export_snapshot",
        "pg_notify",
        "pg_reload_conf",
        "set_config_by_name",
        "setseed",
        "setval3_oid",
        "setval_oid",
    ];
    let symbol = procedure.prosrc.as_str();
    EFFECTS.contains(&symbol)
        || symbol.starts_with("pg_try_advisory_")
        || symbol.starts_with("pg_advisory_unlock")
}

/// Finds the body of a function and wraps it for the engine.
///
/// # Errors
/// `0A000` by name when the function has no body here.
pub(super) fn resolve(catalog: &Catalog, types: CallTypes) -> Result<Resolved> {
    let procedure = procedure(catalog, types.function)?;
    if procedure.prolang == LANGUAGE_C {
        return Ok(library_function(&procedure, types));
    }
    let Some(body) = body(catalog, &procedure) else {
        return Err(SqlError::unsupported(format_args!("function {}", signature(catalog, &procedure, ", "))));
    };
    let name = engine_name(catalog, &procedure, &types);
    Ok(match body {
        Body::Native(text) => Resolved::Native(text),
        Body::NativeWindow(name) => Resolved::NativeWindow(name),
        Body::Rows(_) => Resolved::Rows,
        Body::Scalar(body) => {
            Resolved::Scalar { function: scalar(name, &procedure, types, body), waits: false }
        }
        Body::Waiting(body) => {
            Resolved::Scalar { function: scalar(name, &procedure, types, body), waits: true }
        }
        Body::Aggregate(start) => {
            let types = Arc::new(types);
            Resolved::Aggregate(AggregateFunction { name, start: Arc::new(move || start(&types)) })
        }
    })
}

/// `int4pl#177`; with the actual types when the declared ones leave them open: `array_append#378_1007_23`.
fn engine_name(catalog: &Catalog, procedure: &Procedure, types: &CallTypes) -> Arc<str> {
    let label = if procedure.prosrc == "aggregate_dummy" || procedure.prolang == languages::SQL {
        &procedure.proname
    } else {
        &procedure.prosrc
    };
    let open = |oid: &Oid| catalog.type_(*oid).is_none_or(|t| t.typtype == 'p');
    let mut name = format!("{label}#{}", procedure.oid);
    if procedure.oid >= crate::oid::FIRST_NORMAL {
        // The wrapper knows these, and CREATE OR REPLACE may change them.
        name.push_str(&format!("_{}{}", procedure.provolatile, if procedure.proisstrict { "s" } else { "" }));
    }
    if procedure.proargtypes.iter().any(open)
        || open(&procedure.prorettype)
        || procedure.provariadic.is_valid()
    {
        for ty in types.arguments.iter().chain([&types.result]) {
            name.push_str(&format!("_{ty}"));
        }
    }
    if types.collation.is_valid() && types.collation != crate::oid::collations::DEFAULT {
        name.push_str(&format!("_{}", types.collation));
    }
    name.into()
}

fn scalar(name: Arc<str>, procedure: &Procedure, types: CallTypes, body: ScalarBody) -> ScalarFunction {
    let strict = procedure.proisstrict;
    ScalarFunction {
        name,
        deterministic: procedure.provolatile == 'i',
        body: Arc::new(move |call, arguments| {
            if strict && arguments.iter().any(|a| a.is_null()) {
                return Ok(Value::Null);
            }
            let CallContext { context, connection } = call;
            let context = StatementContext::lent(*context)?;
            body(&mut FunctionCall { context: &context, types: &types, connection }, arguments)
                .map_err(host_error)
        }),
    }
}

/// A function in a loaded library: looked up when it is called, so that a plan outlives a reload.
fn library_function(procedure: &Procedure, types: CallTypes) -> Resolved {
    let strict = procedure.proisstrict;
    let library = procedure.probin.clone().unwrap_or_default();
    let symbol = procedure.prosrc.clone();
    let function = ScalarFunction {
        name: format!("{symbol}#{}", procedure.oid).into(),
        deterministic: false,
        body: Arc::new(move |call, arguments| {
            if strict && arguments.iter().any(|a| a.is_null()) {
                return Ok(Value::Null);
            }
            let CallContext { context, connection } = call;
            let context = StatementContext::lent(*context)?;
            let found = context.session.cluster.library(&library).and_then(|l| l.function(&symbol));
            let Some(function) = found else {
                return Err(host_error(error!(
                    UNDEFINED_FUNCTION,
                    "could not find function \"{symbol}\" in file \"{library}\""
                )));
            };
            (function.body)(&mut FunctionCall { context: &context, types: &types, connection }, arguments)
                .map_err(host_error)
        }),
    };
    // Whether it waits is known by the library only; leaving the reactor for one that does not costs little.
    Resolved::Scalar { function, waits: true }
}

/// An error on its way through the engine.
pub(crate) fn host_error(error: SqlError) -> HostError {
    Box::new(error)
}

/// One call of a table function that gives rows in step with others.
pub(super) struct RowsCall {
    /// The body; `None` for an ordinary expression, whose only argument is its value.
    pub(super) body: Option<RowsBody>,
    pub(super) types: CallTypes,
    pub(super) strict: bool,
    /// How many of the table's arguments are its own.
    pub(super) arguments: usize,
    /// How many columns it gives.
    pub(super) columns: usize,
    /// Where the only column is a whole row: the types of the row's fields.
    pub(super) packed: Option<Vec<Oid>>,
}

/// A table function that runs calls in step: shorter ones are filled up with NULLs. A last column may count the rows.
pub(super) fn rows_table(name: Arc<str>, calls: Vec<RowsCall>, ordinality: bool) -> TableFunction {
    let width = calls.iter().map(|c| c.columns).sum::<usize>() + usize::from(ordinality);
    let arguments = calls.iter().map(|c| c.arguments).sum();
    TableFunction {
        name,
        columns: column_names(width),
        arguments,
        keys: Arc::from([]),
        scan: Arc::new(move |call, scan| {
            let mut iterators = Vec::with_capacity(calls.len());
            let mut rest = scan.arguments;
            for one in &calls {
                let (own, others) = rest.split_at(one.arguments);
                rest = others;
                iterators.push((start_rows(call, one, own)?, one.columns));
            }
            Ok(Box::new(Zip { iterators, ordinality, row: 0 }) as RowIterator)
        }),
    }
}

/// `c0`, `c1`, ….
pub(super) fn column_names(width: usize) -> Arc<[String]> {
    (0..width).map(|i| format!("c{i}")).collect()
}

fn start_rows(
    call: &mut CallContext<'_>,
    one: &RowsCall,
    arguments: &[ValueRef<'_>],
) -> Result<Option<RowSource>, HostError> {
    let Some(body) = one.body else {
        let value = arguments.first().copied().unwrap_or(ValueRef::Null);
        let row = match one.columns {
            1 => vec![value.to_owned()],
            // A composite gives a column for each of its fields; NULL gives a row of NULLs.
            _ if value.is_null() => Vec::new(),
            _ => {
                let fields = crate::types::record::fields(value).map_err(host_error)?;
                fields.into_iter().map(|(_, value)| value).collect()
            }
        };
        return Ok(Some(Box::new(std::iter::once(Ok(row)))));
    };
    if one.strict && arguments.iter().any(|a| a.is_null()) {
        return Ok(None);
    }
    let context = StatementContext::lent(call.context)?;
    let mut function = FunctionCall { context: &context, types: &one.types, connection: call.connection };
    let rows = body(&mut function, arguments).map_err(host_error)?;
    let Some(types) = one.packed.clone() else { return Ok(Some(rows)) };
    let context = context.clone();
    Ok(Some(Box::new(rows.map(move |row| {
        let mut row = row?;
        row.resize(types.len(), Value::Null);
        let fields: Vec<(Oid, Value)> = types.iter().copied().zip(row).collect();
        Ok(vec![crate::types::record::to_value(&fields, &context.type_context())?])
    }))))
}

type RowSource = Box<dyn Iterator<Item = Result<Vec<Value>>> + Send>;

struct Zip {
    iterators: Vec<(Option<RowSource>, usize)>,
    ordinality: bool,
    row: i64,
}

impl Iterator for Zip {
    type Item = Result<Vec<Value>, HostError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut values = Vec::new();
        let mut any = false;
        for (source, columns) in &mut self.iterators {
            match source.as_mut().and_then(Iterator::next) {
                Some(Ok(mut row)) => {
                    any = true;
                    row.resize(*columns, Value::Null);
                    values.append(&mut row);
                }
                Some(Err(error)) => return Some(Err(host_error(error))),
                None => {
                    *source = None;
                    values.extend(std::iter::repeat_n(Value::Null, *columns));
                }
            }
        }
        self.row += 1;
        if self.ordinality {
            values.push(Value::Integer(self.row));
        }
        any.then_some(Ok(values))
    }
}

/// A table function that runs a prepared statement with the values of its arguments: what LATERAL becomes.
pub(super) fn lateral_table(sql: Arc<str>, arguments: usize, columns: usize) -> TableFunction {
    TableFunction {
        name: format!("lateral#{:016x}", fingerprint(&sql)).into(),
        columns: column_names(columns),
        arguments,
        keys: Arc::from([]),
        scan: Arc::new(move |call: &mut CallContext<'_>, scan: TableScan<'_>| {
            let parameters: Vec<Value> = scan.arguments.iter().map(|v| (*v).to_owned()).collect();
            let rows = call.connection.query(&sql, &parameters).map_err(|e| match e.kind {
                storage::ErrorKind::Host(error) => error,
                _ => Box::new(e) as HostError,
            })?;
            Ok(Box::new(rows.into_iter().map(Ok)) as RowIterator)
        }),
    }
}

/// A number that tells texts apart (FNV-1a), stable over runs.
pub(super) fn fingerprint(text: &str) -> u64 {
    text.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// `single_row(x)`: the value of the only row; NULL for none; 21000 for more.
pub(super) fn single_row() -> AggregateFunction {
    AggregateFunction { name: "single_row".into(), start: Arc::new(|| Box::new(SingleRow(None))) }
}

struct SingleRow(Option<Value>);

impl AggregateState for SingleRow {
    fn step(&mut self, _call: &mut CallContext<'_>, arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        if self.0.is_some() {
            return Err(host_error(error!(
                CARDINALITY_VIOLATION,
                "more than one row returned by a subquery used as an expression"
            )));
        }
        self.0 = Some(arguments[0].to_owned());
        Ok(())
    }

    fn inverse(&mut self, _call: &mut CallContext<'_>, _arguments: &[ValueRef<'_>]) -> Result<(), HostError> {
        Err("single_row is no window function".into())
    }

    fn value(&self, _call: &mut CallContext<'_>) -> Result<Value, HostError> {
        Ok(self.0.clone().unwrap_or_default())
    }
}

/// `row_limit(n)`: a LIMIT as the engine reads it: none for NULL; 2201W when negative.
pub(super) fn row_limit() -> ScalarFunction {
    count_check("row_limit", -1, || error!(INVALID_ROW_COUNT_IN_LIMIT_CLAUSE, "LIMIT must not be negative"))
}

/// `row_offset(n)`: an OFFSET as the engine reads it; 2201X when negative.
pub(super) fn row_offset() -> ScalarFunction {
    count_check("row_offset", 0, || {
        error!(INVALID_ROW_COUNT_IN_RESULT_OFFSET_CLAUSE, "OFFSET must not be negative")
    })
}

fn count_check(name: &str, absent: i64, negative: fn() -> SqlError) -> ScalarFunction {
    ScalarFunction {
        name: name.into(),
        deterministic: true,
        body: Arc::new(move |_, arguments| match arguments[0] {
            ValueRef::Integer(n) if n < 0 => Err(host_error(negative())),
            ValueRef::Integer(n) => Ok(Value::Integer(n)),
            _ => Ok(Value::Integer(absent)),
        }),
    }
}

/// `lock_row#…(rowid)`: locks a row of a relation; whether it was locked, which is false for a row that SKIP LOCKED skips.
pub(super) fn lock_row(relation: Oid, strength: LockStrength, wait: LockWait) -> ScalarFunction {
    ScalarFunction {
        name: format!("lock_row#{relation}_{strength:?}_{wait:?}").into(),
        deterministic: false,
        body: Arc::new(move |call, arguments| {
            // The missing side of an outer join has no row to lock.
            let ValueRef::Integer(row) = arguments[0] else { return Ok(Value::from(true)) };
            let context = StatementContext::lent(call.context)?;
            let services = context.session.services.clone();
            let locked = services.lock_row(relation, row, strength, wait).map_err(host_error)?;
            Ok(Value::from(locked))
        }),
    }
}

/// A conversion through the types' text forms.
pub(super) fn convert_via_text(source: Oid, target: crate::bound::TypeMod) -> ScalarFunction {
    ScalarFunction {
        name: format!("convert_{source}_{}_{}", target.oid, target.modifier.wrapping_add(1)).into(),
        deterministic: false,
        body: Arc::new(move |call, arguments| {
            if arguments[0].is_null() {
                return Ok(Value::Null);
            }
            let context = StatementContext::lent(call.context)?;
            let mut text = String::new();
            let types = context.type_context();
            crate::types::output(source, arguments[0], &types, &mut text).map_err(host_error)?;
            if matches!(target.oid, type_oids::TEXT) {
                return Ok(Value::Text(text));
            }
            crate::types::input(target, &text, &types).map_err(host_error)
        }),
    }
}
