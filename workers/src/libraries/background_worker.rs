//! `background_worker`: PostgreSQL's dynamic worker interface as SQL functions, in an extension of the same name. Any
//! session, and any worker through SPI, can launch a worker of any library, hold a handle that a reused pid or slot
//! cannot fool, wait for its start and its end, and end it for good.
//!
//! Source: `RegisterDynamicBackgroundWorker` and its kin in `src/backend/postmaster/bgworker.c`.

use std::sync::Arc;

use sql::cluster::LibraryFunction;
use sql::functions::FunctionCall;
use sql::{Result, SqlError, Value, ValueRef};

use crate::slots::{Handle, Slots, Status};
use crate::{Access, Init, Library, OnReload, OnTerminate, Registration, Restart, StartTime, Worker};

pub(super) struct BackgroundWorker;

type Body = fn(&Slots, &mut FunctionCall<'_>, &[ValueRef<'_>]) -> Result<Value>;

/// The SQL functions: symbol, whether it may wait, body.
const FUNCTIONS: &[(&str, bool, Body)] = &[
    ("register_dynamic_background_worker", true, register),
    ("get_background_worker_pid", false, pid),
    ("get_background_worker_status", false, status),
    ("wait_for_background_worker_startup", true, wait_for_startup),
    ("wait_for_background_worker_shutdown", true, wait_for_shutdown),
    ("terminate_background_worker", false, terminate),
];

impl Library for BackgroundWorker {
    fn name(&self) -> &str {
        "background_worker"
    }

    fn init(&self, _init: &mut Init<'_>) {}

    fn worker(&self, _function: &str) -> Option<Box<dyn Worker>> {
        None
    }

    fn function(&self, symbol: &str, slots: &Arc<Slots>) -> Option<LibraryFunction> {
        let (_, waits, body) = FUNCTIONS.iter().find(|(name, ..)| *name == symbol)?;
        let slots = slots.clone();
        Some(LibraryFunction {
            waits: *waits,
            body: Arc::new(move |call, arguments| body(&slots, call, arguments)),
        })
    }

    fn extension_files(&self) -> &[(&'static str, &'static str)] {
        &[
            ("background_worker.control", include_str!("../../extensions/background_worker.control")),
            ("background_worker--1.0.sql", include_str!("../../extensions/background_worker--1.0.sql")),
        ]
    }
}

/// The fields of the record in the order of the SQL function's parameters; `notify_pid` is always the caller.
fn register(slots: &Slots, call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let function = text(arguments, 1)?;
    let name = match text(arguments, 2)? {
        "" => function,
        name => name,
    };
    let mut worker = Registration::new(name, text(arguments, 0)?, function);
    worker.kind = text(arguments, 3)?.to_owned();
    worker.argument = integer(arguments, 4)?;
    worker.restart = Restart::from_seconds(integer(arguments, 5)?);
    worker.access = word("access", Access::NAMES, text(arguments, 6)?)?;
    worker.start_time = word("start_time", StartTime::NAMES, text(arguments, 7)?)?;
    worker.on_reload = word("on_reload", OnReload::NAMES, text(arguments, 8)?)?;
    worker.on_terminate = word("on_terminate", OnTerminate::NAMES, text(arguments, 9)?)?;
    worker.extra = bytes(arguments, 10)?.to_vec();
    worker.notify_pid = Some(call.context.session.backend.pid);
    Ok(slots.register(worker)?.map(Handle::to_number).into())
}

fn pid(slots: &Slots, _call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    Ok(pid_of(slots.status(handle(arguments)?)))
}

fn status(slots: &Slots, _call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    Ok(slots.status(handle(arguments)?).as_str().into())
}

fn wait_for_startup(slots: &Slots, call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let status =
        slots.wait_for_startup(handle(arguments)?, interrupted(call)).ok_or_else(SqlError::canceled)?;
    Ok(pid_of(status))
}

fn wait_for_shutdown(
    slots: &Slots,
    call: &mut FunctionCall<'_>,
    arguments: &[ValueRef<'_>],
) -> Result<Value> {
    let status =
        slots.wait_for_shutdown(handle(arguments)?, interrupted(call)).ok_or_else(SqlError::canceled)?;
    Ok(status.as_str().into())
}

fn terminate(slots: &Slots, _call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    slots.terminate(handle(arguments)?);
    Ok(Value::Null)
}

/// Whether the calling session has been cancelled or terminated while it waits.
fn interrupted(call: &FunctionCall<'_>) -> impl Fn() -> bool + use<> {
    let backend = call.context.session.backend.clone();
    move || backend.cancel_requested() || backend.terminate_requested()
}

fn pid_of(status: Status) -> Value {
    match status {
        Status::Started(pid) => i64::from(pid).into(),
        _ => Value::Null,
    }
}

fn handle(arguments: &[ValueRef<'_>]) -> Result<Handle> {
    Ok(Handle::from_number(integer(arguments, 0)?))
}

fn integer(arguments: &[ValueRef<'_>], index: usize) -> Result<i64> {
    match arguments.get(index) {
        Some(ValueRef::Integer(value)) => Ok(*value),
        _ => Err(SqlError::internal("background_worker: an argument is missing")),
    }
}

fn text<'a>(arguments: &[ValueRef<'a>], index: usize) -> Result<&'a str> {
    match arguments.get(index) {
        Some(ValueRef::Text(value)) => Ok(value),
        _ => Err(SqlError::internal("background_worker: an argument is missing")),
    }
}

fn bytes<'a>(arguments: &[ValueRef<'a>], index: usize) -> Result<&'a [u8]> {
    match arguments.get(index) {
        Some(ValueRef::Blob(value)) => Ok(value),
        _ => Err(SqlError::internal("background_worker: an argument is missing")),
    }
}

/// The value of a field that is said by a word.
///
/// # Errors
/// `22023` with the words there are, as PostgreSQL says it of a setting.
fn word<T: Copy>(field: &str, names: &[(&str, T)], word: &str) -> Result<T> {
    let found = names.iter().find(|(name, _)| *name == word);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
        sql::error!(INVALID_PARAMETER_VALUE, "invalid value for parameter \"{field}\": \"{word}\"")
            .hint(format!("Available values: {}.", words.join(", ")))
    })
}
