//! What `pg_stat_activity`, `pg_locks` and the statistics views are made of. Activity is real; counters that nobody
//! keeps read as PostgreSQL's do before any activity: zero, or NULL for moments.

use std::net::IpAddr;
use std::sync::atomic::Ordering;

use crate::backend::Backend;
use crate::functions::arguments::{Rows, from_oid, int4, known, oid, rows, scalar};
use crate::functions::{Function, FunctionCall};
use crate::oid::roles;
use crate::types::network::Network;
use crate::{Oid, Result, Value, ValueRef};

use super::roles as membership;

/// The text that stands for what one may not see.
const NOT_PERMITTED: &str = "<insufficient privilege>";

/// The columns of `pg_stat_get_activity` after `client_port`.
const ACTIVITY_COLUMNS: usize = 30;

fn may_see(call: &FunctionCall<'_>, owner: Option<Oid>) -> bool {
    let (catalog, user) = (&call.context.catalog, call.context.session.users.lock().1);
    membership::has_privileges_of(catalog, user, roles::PG_READ_ALL_STATS)
        || owner.is_some_and(|owner| membership::has_privileges_of(catalog, user, owner))
}

/// One row of `pg_stat_get_activity`, in the order of its OUT parameters.
fn activity_row(call: &FunctionCall<'_>, backend: &Backend) -> Vec<Value> {
    let activity = backend.activity.lock().clone();
    let owner = activity.user.as_ref().map(|(role, _)| *role);
    let mut row = vec![Value::Null; ACTIVITY_COLUMNS];
    row[0] = activity.database.as_ref().map_or(Value::Null, |(database, _)| from_oid(*database));
    row[1] = i64::from(backend.pid).into();
    row[2] = owner.map_or(Value::Null, from_oid);
    row[3] = activity.application_name.clone().into();
    if !may_see(call, owner) {
        row[5] = NOT_PERMITTED.into();
        return row;
    }
    row[4] = activity.state.map(|state| state.as_str()).into();
    row[5] = activity.query.clone().into();
    row[6] = activity.wait_event.map(|event| event.kind).into();
    row[7] = activity.wait_event.map(|event| event.name).into();
    row[8] = activity.transaction_start.into();
    row[9] = activity.query_start.into();
    row[10] = backend.started.into();
    row[11] = activity.state_change.into();
    row[12] = inet(activity.client_address);
    row[14] = activity.client_port.map(i64::from).into();
    row[15] = short(backend.transaction_id());
    row[16] = short(backend.xmin());
    row[17] = backend.kind.as_str().into();
    row[18] = false.into();
    row[25] = false.into();
    row[27] = false.into();
    row
}

/// An address as the type inet has it.
pub(super) fn inet(address: Option<IpAddr>) -> Value {
    address.map(|address| Network::of_address(address).to_value(false)).unwrap_or_default()
}

/// A transaction's number as the type xid has it: without its upper half.
fn short(number: Option<u64>) -> Value {
    number.map(|number| i64::from(number as u32)).into()
}

fn visible_backends(call: &FunctionCall<'_>) -> Vec<std::sync::Arc<Backend>> {
    let mut backends = call.context.session.cluster.backends.all();
    backends.retain(|backend| backend.visible.load(std::sync::atomic::Ordering::Relaxed));
    backends
}

fn get_activity(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Rows> {
    let wanted = if arguments[0].is_null() { None } else { Some(int4(arguments[0])?) };
    let backends = visible_backends(call);
    let chosen = backends.iter().filter(|backend| wanted.is_none_or(|pid| pid == backend.pid));
    Ok(known(chosen.map(|backend| activity_row(call, backend)).collect()))
}

/// One fact of a backend by its number; backends are numbered by their pids.
fn of_backend(
    call: &FunctionCall<'_>,
    arguments: &[ValueRef<'_>],
    guarded: bool,
    fact: impl Fn(&Backend) -> Value,
) -> Result<Value> {
    let Some(backend) = call.context.session.cluster.backends.get(int4(arguments[0])?) else {
        return Ok(Value::Null);
    };
    let owner = backend.activity.lock().user.as_ref().map(|(role, _)| *role);
    if guarded && !may_see(call, owner) {
        return Ok(Value::Null);
    }
    Ok(fact(&backend))
}

fn lock_status(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let locks = call.context.session.cluster.locks.rows();
    let backends = call.context.session.cluster.backends.clone();
    let virtual_transaction =
        |pid: i32| backends.get(pid).map(|backend| backend.virtual_transaction()).into();
    let row = |lock: crate::cluster::LockRow| {
        vec![
            lock.locktype.into(),
            lock.database.map_or(Value::Null, from_oid),
            lock.relation.map_or(Value::Null, from_oid),
            lock.page.map(i64::from).into(),
            lock.tuple.map(i64::from).into(),
            lock.virtualxid.into(),
            lock.transactionid.map(|number| number as i64).into(),
            lock.classid.map(i64::from).into(),
            lock.objid.map(i64::from).into(),
            lock.objsubid.map(i64::from).into(),
            virtual_transaction(lock.pid),
            i64::from(lock.pid).into(),
            lock.mode.into(),
            lock.granted.into(),
            lock.fastpath.into(),
            lock.waitstart.into(),
        ]
    };
    Ok(known(locks.into_iter().map(row).collect()))
}

fn sessions_in(call: &FunctionCall<'_>, database: Oid) -> i64 {
    let inside = |backend: &Backend| {
        backend.activity.lock().database.as_ref().is_some_and(|(oid, _)| *oid == database)
    };
    visible_backends(call).iter().filter(|backend| inside(backend)).count() as i64
}

fn refuse(what: &'static str) -> crate::SqlError {
    crate::SqlError::unsupported(what)
}

/// A counter that nobody keeps: no activity.
const fn zero(symbol: &'static str) -> Function {
    scalar(symbol, |_, _| Ok(0.into()))
}

/// The same for a duration in milliseconds.
const fn zero_time(symbol: &'static str) -> Function {
    scalar(symbol, |_, _| Ok(0.0.into()))
}

/// A counter of checkpoints.
macro_rules! counter {
    ($symbol:literal, $field:ident) => {
        scalar($symbol, |call, _| {
            let count = call.context.session.cluster.checkpoints.$field.load(Ordering::Relaxed);
            Ok(i64::try_from(count).unwrap_or(i64::MAX).into())
        })
    };
}

/// A moment that has never been.
const fn never(symbol: &'static str) -> Function {
    scalar(symbol, |_, _| Ok(Value::Null))
}

/// Rows of something that does not exist here.
const fn none(symbol: &'static str) -> Function {
    rows(symbol, |_, _| Ok(known(Vec::new())))
}

/// Statistics.
pub const FUNCTIONS: &[Function] = &[
    rows("pg_stat_get_activity", get_activity),
    rows("pg_stat_get_backend_idset", |call, _| {
        Ok(known(visible_backends(call).iter().map(|backend| vec![i64::from(backend.pid).into()]).collect()))
    }),
    scalar("pg_stat_get_backend_pid", |call, a| of_backend(call, a, false, |b| i64::from(b.pid).into())),
    scalar("pg_stat_get_backend_dbid", |call, a| {
        of_backend(call, a, false, |b| {
            b.activity.lock().database.as_ref().map_or(Value::Null, |(oid, _)| from_oid(*oid))
        })
    }),
    scalar("pg_stat_get_backend_userid", |call, a| {
        of_backend(call, a, false, |b| {
            b.activity.lock().user.as_ref().map_or(Value::Null, |(oid, _)| from_oid(*oid))
        })
    }),
    scalar("pg_stat_get_backend_activity", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().query.clone().into())
    }),
    scalar("pg_stat_get_backend_wait_event_type", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().wait_event.map(|event| event.kind).into())
    }),
    scalar("pg_stat_get_backend_wait_event", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().wait_event.map(|event| event.name).into())
    }),
    scalar("pg_stat_get_backend_activity_start", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().query_start.into())
    }),
    scalar("pg_stat_get_backend_xact_start", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().transaction_start.into())
    }),
    scalar("pg_stat_get_backend_start", |call, a| of_backend(call, a, true, |b| b.started.into())),
    scalar("pg_stat_get_backend_client_addr", |call, a| {
        of_backend(call, a, true, |b| inet(b.activity.lock().client_address))
    }),
    scalar("pg_stat_get_backend_client_port", |call, a| {
        of_backend(call, a, true, |b| b.activity.lock().client_port.map(i64::from).into())
    }),
    scalar("pg_stat_get_db_numbackends", |call, a| Ok(sessions_in(call, oid(a[0])?).into())),
    rows("pg_lock_status", lock_status),
    scalar("pg_stat_get_snapshot_timestamp", |_, _| Ok(Value::Null)),
    scalar("pg_stat_clear_snapshot", |_, _| Ok(Value::Text(String::new()))),
    scalar("pg_stat_force_next_flush", |_, _| Ok(Value::Text(String::new()))),
    scalar("pg_stat_reset", |_, _| Err(refuse("resetting statistics"))),
    scalar("pg_stat_reset_shared", |_, _| Err(refuse("resetting statistics"))),
    rows("pg_stat_get_archiver", |_, _| {
        let mut row = vec![Value::Null; 7];
        (row[0], row[3]) = (0.into(), 0.into());
        Ok(known(vec![row]))
    }),
    zero("pg_stat_get_analyze_count"),
    zero("pg_stat_get_autoanalyze_count"),
    zero("pg_stat_get_autovacuum_count"),
    counter!("pg_stat_get_bgwriter_buf_written_checkpoints", pages),
    counter!("pg_stat_get_bgwriter_buf_written_clean", pages_between),
    zero("pg_stat_get_bgwriter_maxwritten_clean"),
    counter!("pg_stat_get_bgwriter_requested_checkpoints", requested),
    counter!("pg_stat_get_bgwriter_timed_checkpoints", timed),
    zero("pg_stat_get_blocks_fetched"),
    zero("pg_stat_get_blocks_hit"),
    zero("pg_stat_get_buf_alloc"),
    zero("pg_stat_get_buf_fsync_backend"),
    zero("pg_stat_get_buf_written_backend"),
    zero("pg_stat_get_db_blocks_fetched"),
    zero("pg_stat_get_db_blocks_hit"),
    never("pg_stat_get_db_checksum_failures"),
    zero("pg_stat_get_db_conflict_all"),
    zero("pg_stat_get_db_conflict_bufferpin"),
    zero("pg_stat_get_db_conflict_lock"),
    zero("pg_stat_get_db_conflict_snapshot"),
    zero("pg_stat_get_db_conflict_startup_deadlock"),
    zero("pg_stat_get_db_conflict_tablespace"),
    zero("pg_stat_get_db_deadlocks"),
    zero("pg_stat_get_db_sessions"),
    zero("pg_stat_get_db_sessions_abandoned"),
    zero("pg_stat_get_db_sessions_fatal"),
    zero("pg_stat_get_db_sessions_killed"),
    zero("pg_stat_get_db_temp_bytes"),
    zero("pg_stat_get_db_temp_files"),
    zero("pg_stat_get_db_tuples_deleted"),
    zero("pg_stat_get_db_tuples_fetched"),
    zero("pg_stat_get_db_tuples_inserted"),
    zero("pg_stat_get_db_tuples_returned"),
    zero("pg_stat_get_db_tuples_updated"),
    zero("pg_stat_get_db_xact_commit"),
    zero("pg_stat_get_db_xact_rollback"),
    zero("pg_stat_get_dead_tuples"),
    never("pg_stat_get_function_calls"),
    never("pg_stat_get_xact_function_calls"),
    zero("pg_stat_get_ins_since_vacuum"),
    zero("pg_stat_get_live_tuples"),
    zero("pg_stat_get_mod_since_analyze"),
    zero("pg_stat_get_numscans"),
    zero("pg_stat_get_tuples_deleted"),
    zero("pg_stat_get_tuples_fetched"),
    zero("pg_stat_get_tuples_hot_updated"),
    zero("pg_stat_get_tuples_inserted"),
    zero("pg_stat_get_tuples_returned"),
    zero("pg_stat_get_tuples_updated"),
    zero("pg_stat_get_vacuum_count"),
    zero("pg_stat_get_xact_blocks_fetched"),
    zero("pg_stat_get_xact_blocks_hit"),
    zero("pg_stat_get_xact_numscans"),
    zero("pg_stat_get_xact_tuples_deleted"),
    zero("pg_stat_get_xact_tuples_fetched"),
    zero("pg_stat_get_xact_tuples_hot_updated"),
    zero("pg_stat_get_xact_tuples_inserted"),
    zero("pg_stat_get_xact_tuples_returned"),
    zero("pg_stat_get_xact_tuples_updated"),
    zero_time("pg_stat_get_checkpoint_sync_time"),
    scalar("pg_stat_get_checkpoint_write_time", |call, _| {
        let microseconds = call.context.session.cluster.checkpoints.write_us.load(Ordering::Relaxed);
        Ok((microseconds as f64 / 1_000.0).into())
    }),
    zero_time("pg_stat_get_db_active_time"),
    zero_time("pg_stat_get_db_blk_read_time"),
    zero_time("pg_stat_get_db_blk_write_time"),
    zero_time("pg_stat_get_db_idle_in_transaction_time"),
    zero_time("pg_stat_get_db_session_time"),
    never("pg_stat_get_function_self_time"),
    never("pg_stat_get_function_total_time"),
    never("pg_stat_get_xact_function_self_time"),
    never("pg_stat_get_xact_function_total_time"),
    never("pg_stat_get_bgwriter_stat_reset_time"),
    never("pg_stat_get_db_checksum_last_failure"),
    never("pg_stat_get_db_stat_reset_time"),
    never("pg_stat_get_last_analyze_time"),
    never("pg_stat_get_last_autoanalyze_time"),
    never("pg_stat_get_last_autovacuum_time"),
    never("pg_stat_get_last_vacuum_time"),
    none("pg_stat_get_progress_info"),
    none("pg_stat_get_recovery_prefetch"),
    none("pg_stat_get_slru"),
    none("pg_stat_get_subscription"),
    none("pg_stat_get_wal"),
    none("pg_stat_get_wal_receiver"),
    none("pg_stat_get_wal_senders"),
    none("pg_get_replication_slots"),
    none("pg_show_replication_origin_status"),
    none("pg_prepared_xact"),
];
