//! `worker_spi`: the sample of a worker with a schema of its own, and of workers launched from SQL.
//!
//! Each worker owns a schema `schemaN` with a table `counted`. Every nap it adds the rows of type `delta` up, deletes
//! them and adds their sum to the row of type `total`, in one statement. Preloaded, it registers
//! `worker_spi.total_workers` static workers; its extension's function launches more.
//!
//! Source: `src/test/modules/worker_spi/` of PostgreSQL; version 1.0 of the extension launches as the documents of
//! 2013 show (boolean), version 2.0 as PostgreSQL 17 does (pid, database, role, flags).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sql::backend::State;
use sql::cluster::LibraryFunction;
use sql::functions::FunctionCall;
use sql::settings::definition::{self, Context, string};
use sql::{Result, Severity, SqlError, SqlState, Value, ValueRef};

use crate::slots::{Slots, Status};
use crate::spi::{Access, Spi, SpiCode};
use crate::worker::Connection;
use crate::{Init, Library, OnReload, OnTerminate, Registration, Worker, WorkerContext};

/// The workers that are registered when the library is preloaded, unless the setting says otherwise.
const TOTAL_WORKERS: i32 = 2;

/// The nap between two turns, in seconds, unless the setting says otherwise.
const NAPTIME_SECONDS: i32 = 10;

const FLAG_ALLOWCONN: u8 = 1;
const FLAG_ROLELOGINCHECK: u8 = 2;

pub(super) struct WorkerSpi;

impl Library for WorkerSpi {
    fn name(&self) -> &str {
        "worker_spi"
    }

    fn init(&self, init: &mut Init<'_>) {
        (init.define)(definition::integer(
            "worker_spi.naptime",
            Context::Sighup,
            NAPTIME_SECONDS,
            1,
            i32::MAX,
            "Duration between each check (in seconds).",
        ));
        (init.define)(string("worker_spi.database", Context::Sighup, "postgres", "Database to connect to."));
        (init.define)(string("worker_spi.role", Context::Sighup, "", "Role to connect with."));
        if !init.preloading {
            return;
        }
        (init.define)(definition::integer(
            "worker_spi.total_workers",
            Context::Postmaster,
            TOTAL_WORKERS,
            1,
            100,
            "Number of workers.",
        ));
        (init.reserve_prefix)("worker_spi");
        let total = (init.setting)("worker_spi.total_workers").and_then(|text| text.parse().ok());
        for index in 1..=total.unwrap_or(TOTAL_WORKERS) {
            (init.register)(registration(i64::from(index), "worker_spi"));
        }
    }

    fn worker(&self, function: &str) -> Option<Box<dyn Worker>> {
        (function == "worker_spi_main").then(|| Box::new(Counter) as Box<dyn Worker>)
    }

    fn function(&self, symbol: &str, slots: &Arc<Slots>) -> Option<LibraryFunction> {
        let slots = slots.clone();
        match symbol {
            "worker_spi_launch" => Some(LibraryFunction {
                waits: true,
                body: Arc::new(move |call, arguments| launch(&slots, call, arguments)),
            }),
            "worker_spi_launch_pid" => Some(LibraryFunction {
                waits: true,
                body: Arc::new(move |call, arguments| launch_and_wait(&slots, call, arguments)),
            }),
            _ => None,
        }
    }

    fn extension_files(&self) -> &[(&'static str, &'static str)] {
        &[
            ("worker_spi.control", include_str!("../../extensions/worker_spi.control")),
            ("worker_spi--1.0.sql", include_str!("../../extensions/worker_spi--1.0.sql")),
            ("worker_spi--2.0.sql", include_str!("../../extensions/worker_spi--2.0.sql")),
            ("worker_spi--1.0--2.0.sql", include_str!("../../extensions/worker_spi--1.0--2.0.sql")),
        ]
    }
}

/// The record of worker `index`.
fn registration(index: i64, kind: &str) -> Registration {
    let mut worker = Registration::new(format!("worker {index}"), "worker_spi", "worker_spi_main");
    worker.kind = kind.to_owned();
    worker.argument = index;
    worker.on_reload = OnReload::Flag;
    worker.on_terminate = OnTerminate::Flag;
    worker
}

/// `worker_spi_launch(integer) returns boolean`: whether there was a free slot.
fn launch(slots: &Slots, call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let index = integer(arguments, 0)?;
    let mut worker = registration(index, "worker_spi");
    worker.notify_pid = Some(call.context.session.backend.pid);
    Ok(slots.register(worker)?.is_some().into())
}

/// `worker_spi_launch(integer, oid, oid, text[]) returns integer`: the pid, NULL when there was no free slot.
fn launch_and_wait(slots: &Slots, call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let index = integer(arguments, 0)?;
    let mut worker = registration(index, "worker_spi dynamic");
    let database = integer(arguments, 1)? as u32;
    let role = integer(arguments, 2)? as u32;
    worker.extra.extend_from_slice(&database.to_le_bytes());
    worker.extra.extend_from_slice(&role.to_le_bytes());
    worker.extra.push(flags(call, arguments.get(3).copied().unwrap_or(ValueRef::Null))?);
    let backend = call.context.session.backend.clone();
    worker.notify_pid = Some(backend.pid);
    let Some(handle) = slots.register(worker)? else { return Ok(Value::Null) };
    let interrupted = || backend.cancel_requested() || backend.terminate_requested();
    match slots.wait_for_startup(handle, interrupted) {
        None => Err(SqlError::canceled()),
        Some(Status::Started(pid)) => Ok(i64::from(pid).into()),
        Some(Status::PostmasterDied) => Err(SqlError::new(
            SqlState::INSUFFICIENT_RESOURCES,
            "cannot start background processes without postmaster",
        )
        .hint("Kill all remaining database processes and restart the database.")),
        Some(_) => Err(SqlError::new(SqlState::INSUFFICIENT_RESOURCES, "could not start background process")
            .hint("More details may be available in the server log.")),
    }
}

/// The flag words of a text[] as bits.
fn flags(call: &FunctionCall<'_>, array: ValueRef<'_>) -> Result<u8> {
    let mut text = String::new();
    if array.is_null() {
        return Ok(0);
    }
    sql::types::output(sql::oid::types::_TEXT, array, &call.type_context(), &mut text)?;
    let refuse = |why: &str| Err(SqlError::new(SqlState::FEATURE_NOT_SUPPORTED, why));
    let words = text.trim_start_matches('{').trim_end_matches('}');
    if text.starts_with("{{") {
        return refuse("flags array must be one-dimensional");
    }
    let mut bits = 0;
    for word in words.split(',').filter(|word| !word.is_empty()) {
        bits |= match word {
            "ALLOWCONN" => FLAG_ALLOWCONN,
            "ROLELOGINCHECK" => FLAG_ROLELOGINCHECK,
            "NULL" => return refuse("flags array must not contain nulls"),
            _ => return refuse("incorrect flag value found in array"),
        };
    }
    Ok(bits)
}

fn integer(arguments: &[ValueRef<'_>], index: usize) -> Result<i64> {
    match arguments.get(index) {
        Some(ValueRef::Integer(value)) => Ok(*value),
        _ => Err(SqlError::internal("worker_spi: an argument is missing")),
    }
}

struct Counter;

#[async_trait]
impl Worker for Counter {
    async fn main(&mut self, context: &mut WorkerContext) -> Result<()> {
        let name = context.registration().name.clone();
        let schema = format!("schema{}", context.registration().argument);
        connect(context).await?;
        context.log(format!("{name} initialized with {schema}.counted")).await?;
        initialize(context, &schema).await?;

        let statement = turn_statement(&schema);
        let mut naptime = naptime(context).await?;
        while context.wait(naptime).await?.goes_on() {
            if context.take_reload() {
                naptime = self::naptime(context).await?;
            }
            context.begin().await?;
            context.report_activity(State::Active, Some(&statement)).await?;
            let result = context.execute(&statement, Access::ReadWrite, 0).await?;
            if result.code != SpiCode::OkUpdateReturning {
                return Err(fatal(
                    result.code.unexpected(&format!("cannot select from table {schema}.counted")),
                ));
            }
            if result.processed > 0
                && let Some(count) = result.first::<i32>(0)?
            {
                context.log(format!("{name}: count in {schema}.counted is now {count}")).await?;
            }
            context.commit().await?;
            context.report_activity(State::Idle, None).await?;
        }
        Err(SqlError::new(SqlState::ADMIN_SHUTDOWN, "").severity(Severity::Debug1))
    }
}

/// Connects where the record's extra bytes say, or where the settings do.
async fn connect(context: &mut WorkerContext) -> Result<()> {
    let extra = context.registration().extra.clone();
    let number =
        |at: usize| extra.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let bits = extra.get(8).copied().unwrap_or(0);
    let database = context.setting("worker_spi.database").await?;
    let role = context.setting("worker_spi.role").await?.filter(|role| !role.is_empty());
    context
        .connect_with(Connection {
            database: database.as_deref().filter(|_| number(0) == 0),
            user: role.as_deref().filter(|_| number(4) == 0),
            database_oid: number(0),
            user_oid: number(4),
            bypass_allow_connections: bits & FLAG_ALLOWCONN != 0,
            bypass_login_check: bits & FLAG_ROLELOGINCHECK != 0,
        })
        .await
}

/// Makes the schema when it is missing.
async fn initialize(context: &mut WorkerContext, schema: &str) -> Result<()> {
    context.begin().await?;
    context.report_activity(State::Active, Some("initializing worker_spi schema")).await?;
    let query = format!("select count(*) from pg_namespace where nspname = '{schema}'");
    let found = context.execute(&query, Access::ReadOnly, 0).await?;
    if found.code != SpiCode::OkSelect {
        return Err(fatal(found.code.unexpected("SPI_execute failed")));
    }
    if found.processed != 1 {
        return Err(fatal(SqlError::internal("not a singleton result")));
    }
    let Some(count) = found.first::<i64>(0)? else { return Err(fatal(SqlError::internal("null result"))) };
    if count == 0 {
        let create = format!(
            "CREATE SCHEMA \"{schema}\" \
             CREATE TABLE \"counted\" ( type text CHECK (type IN ('total', 'delta')), value integer) \
             CREATE UNIQUE INDEX \"counted_unique_total\" ON \"counted\" (type) WHERE type = 'total'"
        );
        context.report_activity(State::Active, Some(&create)).await?;
        let made = context.execute(&create, Access::ReadWrite, 0).await?;
        if made.code != SpiCode::OkUtility {
            return Err(fatal(SqlError::internal("failed to create my schema")));
        }
    }
    context.commit().await?;
    context.report_activity(State::Idle, None).await
}

/// One turn: the deltas are deleted, added up and added to the total, which is returned.
fn turn_statement(schema: &str) -> String {
    let table = format!("\"{schema}\".\"counted\"");
    format!(
        "WITH deleted AS (DELETE FROM {table} WHERE type = 'delta' RETURNING value), \
         total AS (SELECT coalesce(sum(value), 0) AS sum FROM deleted) \
         UPDATE {table} SET value = \"counted\".value + total.sum FROM total WHERE type = 'total' \
         RETURNING \"counted\".value"
    )
}

async fn naptime(context: &mut WorkerContext) -> Result<Duration> {
    let seconds = context.setting("worker_spi.naptime").await?.and_then(|text| text.parse().ok());
    Ok(Duration::from_secs(seconds.unwrap_or(NAPTIME_SECONDS as u64)))
}

fn fatal(error: SqlError) -> SqlError {
    error.severity(Severity::Fatal)
}
