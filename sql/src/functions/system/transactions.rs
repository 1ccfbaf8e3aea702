//! Functions about transactions: their numbers, how they have ended, snapshots.
//!
//! Source: `src/backend/utils/adt/xid8funcs.c`, `xid.c`, `src/backend/access/transam/commit_ts.c`.

use crate::cluster::TransactionStatus;
use crate::functions::arguments::{integer, known, rows, scalar};
use crate::functions::{Function, FunctionCall};
use crate::session::Exporter;
use crate::settings::id;
use crate::types::snapshot;
use crate::{Result, SqlError, Value, ValueRef, error};

/// The numbers below are no transactions' (`FirstNormalTransactionId`).
const FIRST_NORMAL: u32 = 3;
/// The next number of a group of lockers (`MultiXactId`): none has ever been made.
const NEXT_GROUP: u32 = 1;

fn from_number(number: Option<u64>) -> Value {
    number.map(u64::cast_signed).into()
}

fn status(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let number = integer(arguments[0])?.cast_unsigned();
    Ok(match call.context.session.cluster.transaction_ids.status(number) {
        TransactionStatus::InProgress => "in progress".into(),
        TransactionStatus::Committed => "committed".into(),
        TransactionStatus::Aborted => "aborted".into(),
        TransactionStatus::Forgotten => Value::Null,
        TransactionStatus::Future => {
            return Err(error!(INVALID_PARAMETER_VALUE, "transaction ID {number} is in the future"));
        }
    })
}

/// `age(xid)`: how many transactions ago. Numbers of the type xid go around, so the difference counts.
fn xid_age(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let number = integer(arguments[0])? as u32;
    if number < FIRST_NORMAL {
        return Ok(i64::from(i32::MAX).into());
    }
    let session = &call.context.session;
    let own = session.services.transaction_id(false)?;
    let now = own.unwrap_or_else(|| session.cluster.transaction_ids.next()) as u32;
    Ok(i64::from(now.wrapping_sub(number).cast_signed()).into())
}

fn group_age(_: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    let number = integer(arguments[0])? as u32;
    if number == 0 {
        return Ok(i64::from(i32::MAX).into());
    }
    Ok(i64::from(NEXT_GROUP.wrapping_sub(number).cast_signed()).into())
}

fn export_snapshot(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Value> {
    let session = &call.context.session;
    let exporter = {
        let settings = session.settings.lock();
        // The transaction is one level, each savepoint another.
        if settings.level() > 1 {
            return Err(error!(ACTIVE_SQL_TRANSACTION, "cannot export a snapshot from a subtransaction"));
        }
        let isolation = settings.text(id::TRANSACTION_ISOLATION);
        Exporter {
            keeps_snapshot: matches!(isolation, "repeatable read" | "serializable"),
            serializable: isolation == "serializable",
            read_only: settings.boolean(id::TRANSACTION_READ_ONLY),
        }
    };
    Ok(session.services.export_snapshot(exporter)?.into())
}

fn commit_times() -> SqlError {
    error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "could not get commit timestamp data")
        .hint("Make sure the configuration parameter \"track_commit_timestamp\" is set.")
}

/// Transactions and snapshots.
pub const FUNCTIONS: &[Function] = &[
    scalar("pg_current_xact_id", |call, _| {
        Ok(from_number(call.context.session.services.transaction_id(true)?))
    }),
    scalar("pg_current_xact_id_if_assigned", |call, _| {
        Ok(from_number(call.context.session.services.transaction_id(false)?))
    }),
    scalar("pg_xact_status", status),
    scalar("xid_age", xid_age),
    scalar("mxid_age", group_age),
    scalar("pg_current_snapshot", |call, _| {
        Ok(snapshot::print(&call.context.session.services.snapshot()).into())
    }),
    scalar("pg_snapshot_xmin", |_, arguments| Ok(from_number(Some(snapshot::stored(arguments[0])?.xmin)))),
    scalar("pg_snapshot_xmax", |_, arguments| Ok(from_number(Some(snapshot::stored(arguments[0])?.xmax)))),
    rows("pg_snapshot_xip", |_, arguments| {
        let running = snapshot::stored(arguments[0])?.running;
        Ok(known(running.into_iter().map(|number| vec![from_number(Some(number))]).collect()))
    }),
    scalar("pg_visible_in_snapshot", |_, arguments| {
        let number = integer(arguments[0])?.cast_unsigned();
        let snapshot = snapshot::stored(arguments[1])?;
        let ended = number < snapshot.xmax && !snapshot.running.contains(&number);
        Ok((number < snapshot.xmin || ended).into())
    }),
    scalar("pg_export_snapshot", export_snapshot),
    scalar("pg_xact_commit_timestamp", |_, _| Err(commit_times())),
    rows("pg_last_committed_xact", |_, _| Err(commit_times())),
    rows("pg_xact_commit_timestamp_origin", |_, _| Err(commit_times())),
];
