//! Administration: signalling backends, reloading settings, sleeping, advisory locks, sequences, notifications,
//! transaction numbers. Manual, "System Administration Functions".
//!
//! A function that waits looks for cancel and terminate requests through its backend's latch, as PostgreSQL's do, so
//! that they end within milliseconds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::backend::{Backend, BackendKind, Signal, WaitEvent};
use crate::functions::arguments::{
    boolean, from_oid, int4, integer, known, oid, real, rows, scalar, text, waiting,
};
use crate::functions::{Function, FunctionCall};
use crate::locks::{AdvisoryKey, Lifetime, LockMode, LockTag};
use crate::oid::roles;
use crate::session::StatementContext;
use crate::types::timestamp;
use crate::{Oid, Report, Result, Severity, SqlError, SqlState, Value, ValueRef, error};

use super::roles as membership;

/// How often `pg_terminate_backend` looks whether the backend has gone.
const TERMINATE_POLL: Duration = Duration::from_millis(100);
/// The longest `pg_sleep` between two looks at the clock; bounds what the runtime's timer is asked for.
const SLEEP_SLICE: Duration = Duration::from_secs(600);

/// The error of a pending cancel or terminate request, if there is one. The session takes the request away when it
/// handles the error.
pub(crate) fn check_interrupts(backend: &Backend) -> Result<()> {
    if backend.terminate_requested() {
        return Err(error!(ADMIN_SHUTDOWN, "terminating connection due to administrator command")
            .severity(Severity::Fatal));
    }
    if backend.cancel_requested() {
        return Err(SqlError::canceled());
    }
    backend.deadlines().check()
}

/// Waits for so long on the backend's latch.
///
/// # Errors
/// `57014` and `57P01` as soon as the backend is asked to stop.
pub(crate) fn sleep(backend: &Arc<Backend>, event: WaitEvent, duration: Duration) -> Result<()> {
    let _reported = backend.waiting(event);
    let Some(end) = Instant::now().checked_add(duration) else { return sleep_forever(backend) };
    loop {
        check_interrupts(backend)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        wait_latch(backend, left.min(SLEEP_SLICE))?;
    }
}

fn sleep_forever(backend: &Arc<Backend>) -> Result<()> {
    loop {
        check_interrupts(backend)?;
        wait_latch(backend, SLEEP_SLICE)?;
    }
}

/// Waits on the latch and resets it. Bodies that wait run outside the reactor thread, where blocking is allowed.
fn wait_latch(backend: &Arc<Backend>, duration: Duration) -> Result<()> {
    let deadline =
        backend.deadlines().next().map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let wait = backend.latch.wait(Some(deadline.map_or(duration, |left| left.min(duration))));
    crate::blocking::block_on(wait)?;
    backend.latch.reset();
    Ok(())
}

fn warn(call: &FunctionCall<'_>, message: String) {
    call.context.session.notices.lock().push(Report::new(Severity::Warning, SqlState::WARNING, message));
}

/// What is asked of another backend; the words of the refusals differ.
#[derive(Clone, Copy, PartialEq)]
enum Request {
    Cancel,
    Terminate,
}

impl Request {
    fn superuser_needed(self) -> &'static str {
        match self {
            Self::Cancel => "must be a superuser to cancel superuser query",
            Self::Terminate => "must be a superuser to terminate superuser process",
        }
    }

    fn membership_needed(self) -> &'static str {
        match self {
            Self::Cancel => {
                "must be a member of the role whose query is being canceled or member of pg_signal_backend"
            }
            Self::Terminate => {
                "must be a member of the role whose process is being terminated or member of pg_signal_backend"
            }
        }
    }
}

/// Whether this user may signal a backend of that role.
fn may_signal(context: &StatementContext, owner: Option<Oid>, request: Request) -> Result<()> {
    let user = context.session.users.lock().1;
    if membership::is_superuser(&context.catalog, user) {
        return Ok(());
    }
    let refuse = |message: &str| Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message));
    match owner {
        Some(owner) if !membership::is_superuser(&context.catalog, owner) => {
            if membership::has_privileges_of(&context.catalog, user, owner)
                || membership::has_privileges_of(&context.catalog, user, roles::PG_SIGNAL_BACKEND)
            {
                Ok(())
            } else {
                refuse(request.membership_needed())
            }
        }
        _ => refuse(request.superuser_needed()),
    }
}

/// Signals a backend; `None` when there is none with this pid.
fn signal(call: &FunctionCall<'_>, pid: i32, request: Request) -> Result<Option<Arc<Backend>>> {
    let backend = call.context.session.cluster.backends.get(pid);
    let Some(backend) = backend.filter(|backend| !matches!(backend.kind, BackendKind::Auxiliary(_))) else {
        warn(call, format!("PID {pid} is not a PostgreSQL backend process"));
        return Ok(None);
    };
    let owner = backend.activity.lock().user.as_ref().map(|(oid, _)| *oid);
    may_signal(call.context, owner, request)?;
    backend.signal(match request {
        Request::Cancel => Signal::Cancel,
        Request::Terminate => Signal::Terminate,
    });
    Ok(Some(backend))
}

fn terminate(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let (pid, timeout) = (int4(arguments[0])?, integer(arguments[1])?);
    if timeout < 0 {
        return Err(error!(NUMERIC_VALUE_OUT_OF_RANGE, "\"timeout\" must not be negative"));
    }
    let Some(_) = signal(call, pid, Request::Terminate)? else { return Ok(false.into()) };
    if timeout == 0 {
        return Ok(true.into());
    }
    let (own, backends) =
        (call.context.session.backend.clone(), call.context.session.cluster.backends.clone());
    let mut left = Duration::from_millis(timeout as u64);
    let event = WaitEvent { kind: "IPC", name: "BackendTermination" };
    while !left.is_zero() {
        if backends.get(pid).is_none() {
            return Ok(true.into());
        }
        let slice = left.min(TERMINATE_POLL);
        sleep(&own, event, slice)?;
        left -= slice;
    }
    let unit = if timeout == 1 { "millisecond" } else { "milliseconds" };
    warn(call, format!("backend with PID {pid} did not terminate within {timeout} {unit}"));
    Ok(false.into())
}

fn pg_sleep(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let seconds = real(arguments[0])?;
    if seconds > 0.0 {
        let duration = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        sleep(&call.context.session.backend, WaitEvent { kind: "Timeout", name: "PgSleep" }, duration)?;
    }
    Ok(Value::Text(String::new()))
}

fn pg_sleep_for(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let interval = crate::types::interval::Interval::read(arguments[0])?;
    let seconds = interval.total_microseconds() as f64 / 1e6;
    pg_sleep(call, &[ValueRef::Real(seconds)])
}

fn pg_sleep_until(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let seconds = (integer(arguments[0])?.saturating_sub(timestamp::now()?)) as f64 / 1e6;
    pg_sleep(call, &[ValueRef::Real(seconds)])
}

fn wide(arguments: &[ValueRef<'_>]) -> Result<AdvisoryKey> {
    Ok(AdvisoryKey::Wide(integer(arguments[0])?))
}

fn pair(arguments: &[ValueRef<'_>]) -> Result<AdvisoryKey> {
    Ok(AdvisoryKey::Pair(int4(arguments[0])?, int4(arguments[1])?))
}

/// How an advisory lock is taken: whether others may share it, and how long it is kept.
type Advisory = (LockMode, Lifetime);

const SESSION: Advisory = (LockMode::Exclusive, Lifetime::Session);
const SESSION_SHARED: Advisory = (LockMode::Share, Lifetime::Session);
const TRANSACTION: Advisory = (LockMode::Exclusive, Lifetime::Transaction);
const TRANSACTION_SHARED: Advisory = (LockMode::Share, Lifetime::Transaction);

fn lock(call: &FunctionCall<'_>, key: AdvisoryKey, (mode, lifetime): Advisory) -> Result<Value> {
    let session = &call.context.session;
    let interrupted = || check_interrupts(&session.backend);
    let patience = session.patience(&interrupted);
    let tag = LockTag::Advisory(session.database, key);
    session.cluster.locks.acquire_blocking(&session.backend, tag, mode, lifetime, &patience)?;
    Ok(Value::Text(String::new()))
}

fn try_lock(call: &FunctionCall<'_>, key: AdvisoryKey, (mode, lifetime): Advisory) -> Result<Value> {
    let session = &call.context.session;
    let tag = LockTag::Advisory(session.database, key);
    Ok(session.cluster.locks.try_acquire(&session.backend, tag, mode, lifetime).into())
}

fn unlock(call: &FunctionCall<'_>, key: AdvisoryKey, mode: LockMode) -> Result<Value> {
    let session = &call.context.session;
    let tag = LockTag::Advisory(session.database, key);
    let held = session.cluster.locks.unlock(&session.backend, tag, mode);
    if !held {
        warn(call, format!("you don't own a lock of type {}", mode.name()));
    }
    Ok(held.into())
}

fn blocking_pids(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let pids = call.context.session.cluster.locks.blockers(int4(arguments[0])?);
    let pids = pids.into_iter().map(|pid| Some(pid.to_string()));
    crate::functions::arguments::array_of(crate::oid::types::_INT4, pids, &call.type_context())
}

fn pg_notify(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let optional = |value: ValueRef<'_>| {
        if value.is_null() { Ok(String::new()) } else { text(value).map(str::to_owned) }
    };
    let (channel, payload) = (optional(arguments[0])?, optional(arguments[1])?);
    call.context.session.services.notify(&channel, &payload)?;
    Ok(Value::Text(String::new()))
}

/// Refuses a function that changes a sequence in a read-only transaction; what is no sequence is told first.
fn check_may_write(call: &FunctionCall<'_>, sequence: Oid, function: &str) -> Result<()> {
    let found = call.context.catalog.sequence(sequence);
    found.map_or(Ok(()), |_| call.context.session.check_may_write(function))
}

fn set_value(call: &mut FunctionCall<'_>, sequence: Oid, value: i64, is_called: bool) -> Result<Value> {
    check_may_write(call, sequence, "setval()")?;
    call.context.session.services.set_value(sequence, value, is_called, call.connection)?;
    Ok(value.into())
}

fn sequence_parameters(
    call: &mut FunctionCall<'_>,
    arguments: &[ValueRef<'_>],
) -> Result<crate::functions::arguments::Rows> {
    let relation = oid(arguments[0])?;
    let sequence = call.context.catalog.sequence(relation);
    let sequence =
        sequence.ok_or_else(|| SqlError::internal(format!("cache lookup failed for sequence {relation}")))?;
    Ok(known(vec![vec![
        sequence.seqstart.into(),
        sequence.seqmin.into(),
        sequence.seqmax.into(),
        sequence.seqincrement.into(),
        sequence.seqcycle.into(),
        sequence.seqcache.into(),
        from_oid(sequence.seqtypid),
    ]]))
}

/// Backend control.
pub const FUNCTIONS: &[Function] = &[
    waiting("pg_terminate_backend", terminate),
    scalar("pg_cancel_backend", |call, arguments| {
        Ok(signal(call, int4(arguments[0])?, Request::Cancel)?.is_some().into())
    }),
    scalar("pg_reload_conf", |call, _| {
        call.context.session.cluster.facilities.reload.notify_one();
        Ok(true.into())
    }),
    scalar("pg_blocking_pids", blocking_pids),
    scalar("pg_safe_snapshot_blocking_pids", |call, _| {
        crate::functions::arguments::array_of(
            crate::oid::types::_INT4,
            [] as [Option<&str>; 0],
            &call.type_context(),
        )
    }),
    waiting("pg_sleep", pg_sleep),
    waiting("pg_sleep_for(interval)", pg_sleep_for),
    waiting("pg_sleep_until(timestamptz)", pg_sleep_until),
    waiting("pg_advisory_lock_int8", |call, a| lock(call, wide(a)?, SESSION)),
    waiting("pg_advisory_lock_int4", |call, a| lock(call, pair(a)?, SESSION)),
    waiting("pg_advisory_lock_shared_int8", |call, a| lock(call, wide(a)?, SESSION_SHARED)),
    waiting("pg_advisory_lock_shared_int4", |call, a| lock(call, pair(a)?, SESSION_SHARED)),
    waiting("pg_advisory_xact_lock_int8", |call, a| lock(call, wide(a)?, TRANSACTION)),
    waiting("pg_advisory_xact_lock_int4", |call, a| lock(call, pair(a)?, TRANSACTION)),
    waiting("pg_advisory_xact_lock_shared_int8", |call, a| lock(call, wide(a)?, TRANSACTION_SHARED)),
    waiting("pg_advisory_xact_lock_shared_int4", |call, a| lock(call, pair(a)?, TRANSACTION_SHARED)),
    scalar("pg_try_advisory_lock_int8", |call, a| try_lock(call, wide(a)?, SESSION)),
    scalar("pg_try_advisory_lock_int4", |call, a| try_lock(call, pair(a)?, SESSION)),
    scalar("pg_try_advisory_lock_shared_int8", |call, a| try_lock(call, wide(a)?, SESSION_SHARED)),
    scalar("pg_try_advisory_lock_shared_int4", |call, a| try_lock(call, pair(a)?, SESSION_SHARED)),
    scalar("pg_try_advisory_xact_lock_int8", |call, a| try_lock(call, wide(a)?, TRANSACTION)),
    scalar("pg_try_advisory_xact_lock_int4", |call, a| try_lock(call, pair(a)?, TRANSACTION)),
    scalar("pg_try_advisory_xact_lock_shared_int8", |call, a| try_lock(call, wide(a)?, TRANSACTION_SHARED)),
    scalar("pg_try_advisory_xact_lock_shared_int4", |call, a| try_lock(call, pair(a)?, TRANSACTION_SHARED)),
    scalar("pg_advisory_unlock_int8", |call, a| unlock(call, wide(a)?, LockMode::Exclusive)),
    scalar("pg_advisory_unlock_int4", |call, a| unlock(call, pair(a)?, LockMode::Exclusive)),
    scalar("pg_advisory_unlock_shared_int8", |call, a| unlock(call, wide(a)?, LockMode::Share)),
    scalar("pg_advisory_unlock_shared_int4", |call, a| unlock(call, pair(a)?, LockMode::Share)),
    scalar("pg_advisory_unlock_all", |call, _| {
        let session = &call.context.session;
        session.cluster.locks.release_session(&session.backend);
        Ok(Value::Text(String::new()))
    }),
    scalar("pg_notify", pg_notify),
    scalar("pg_notification_queue_usage", |_, _| Ok(0.0.into())),
    scalar("nextval_oid", |call, arguments| {
        let sequence = oid(arguments[0])?;
        check_may_write(call, sequence, "nextval()")?;
        let session = call.context.session.clone();
        Ok(session.services.next_value(sequence, call.connection)?.into())
    }),
    scalar("currval_oid", |call, arguments| {
        Ok(call.context.session.services.current_value(oid(arguments[0])?)?.into())
    }),
    scalar("lastval", |call, _| Ok(call.context.session.services.last_value()?.into())),
    scalar("setval_oid", |call, arguments| set_value(call, oid(arguments[0])?, integer(arguments[1])?, true)),
    scalar("setval3_oid", |call, arguments| {
        set_value(call, oid(arguments[0])?, integer(arguments[1])?, boolean(arguments[2])?)
    }),
    scalar("pg_sequence_last_value", |call, arguments| {
        let session = call.context.session.clone();
        let (last, is_called) = session.services.sequence_position(oid(arguments[0])?)?;
        Ok(is_called.then_some(last).into())
    }),
    rows("pg_sequence_parameters", sequence_parameters),
];
