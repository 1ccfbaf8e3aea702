//! Settings through functions: `current_setting`, `set_config`, what `pg_settings` is made of, and the times of start
//! and load. Manual, "Configuration Settings Functions".

use std::sync::atomic::Ordering;

use crate::functions::arguments::{Rows, array_of, boolean, known, rows, scalar, text};
use crate::functions::{Function, FunctionCall};
use crate::oid::types;
use crate::session::StatementContext;
use crate::settings::{SetScope, SettingRow};
use crate::{Result, SqlState, Value, ValueRef, error};

/// A setting as SHOW gives it.
pub(super) fn show(context: &StatementContext, name: &str) -> Option<String> {
    context.session.settings.lock().show(name).ok().map(|(_, value)| value)
}

fn current_setting(call: &FunctionCall<'_>, name: &str, missing_ok: bool) -> Result<Value> {
    match call.context.session.settings.lock().show(name) {
        Ok((_, value)) => Ok(value.into()),
        Err(error) if missing_ok && error.code() == SqlState::UNDEFINED_OBJECT => Ok(Value::Null),
        Err(error) => Err(error),
    }
}

fn set_config(call: &mut FunctionCall<'_>, arguments: &[ValueRef<'_>]) -> Result<Value> {
    if arguments[0].is_null() {
        return Err(error!(NULL_VALUE_NOT_ALLOWED, "SET requires parameter name"));
    }
    let name = text(arguments[0])?;
    let value = if arguments[1].is_null() { None } else { Some(text(arguments[1])?) };
    let local = !arguments[2].is_null() && boolean(arguments[2])?;
    let mut settings = call.context.session.settings.lock();
    settings.set(name, value, if local { SetScope::Local } else { SetScope::Session })?;
    settings.show(name).map(|(_, value)| value.into())
}

fn show_all(call: &mut FunctionCall<'_>, _: &[ValueRef<'_>]) -> Result<Rows> {
    let settings = call.context.session.settings.lock().rows();
    let row = |row: SettingRow| -> Result<Vec<Value>> {
        let labels = row
            .enumvals
            .map(|labels| array_of(types::_TEXT, labels.into_iter().map(Some), &call.type_context()));
        Ok(vec![
            row.name.into(),
            row.setting.into(),
            row.unit.into(),
            row.category.into(),
            row.short_desc.into(),
            row.extra_desc.into(),
            row.context.into(),
            row.vartype.into(),
            row.source.into(),
            row.min_val.into(),
            row.max_val.into(),
            labels.transpose()?.unwrap_or_default(),
            row.boot_val.into(),
            row.reset_val.into(),
            row.sourcefile.into(),
            row.sourceline.map(i64::from).into(),
            row.pending_restart.into(),
        ])
    };
    Ok(known(settings.into_iter().map(row).collect::<Result<_>>()?))
}

/// Settings.
pub const FUNCTIONS: &[Function] = &[
    scalar("show_config_by_name", |call, a| current_setting(call, text(a[0])?, false)),
    scalar("show_config_by_name_missing_ok", |call, a| current_setting(call, text(a[0])?, boolean(a[1])?)),
    scalar("set_config_by_name", set_config),
    rows("show_all_settings", show_all),
    scalar("pg_postmaster_start_time", |call, _| {
        Ok(call.context.session.cluster.facilities.started.load(Ordering::Relaxed).into())
    }),
    scalar("pg_conf_load_time", |call, _| {
        Ok(call.context.session.cluster.facilities.settings_loaded.load(Ordering::Relaxed).into())
    }),
];
