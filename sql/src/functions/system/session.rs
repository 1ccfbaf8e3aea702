//! Session information: who and where am I. Manual, "Session Information Functions".

use crate::bound::SqlValue;
use crate::functions::arguments::{boolean, from_oid, int4, known, oid, rows, scalar, text};
use crate::functions::{Function, FunctionCall, arguments};
use crate::oid::{namespaces, types};
use crate::session::StatementContext;
use crate::{Oid, Result, SqlError, Value, error};

use super::statistics::inet;

/// The PostgreSQL release whose behaviour is offered, as `server_version` tells it.
pub const SERVER_VERSION: &str = "15.18";

/// The server encodings by number (`pg_enc`), those that only clients may use at the end.
const ENCODINGS: &[&str] = &[
    "SQL_ASCII",
    "EUC_JP",
    "EUC_CN",
    "EUC_KR",
    "EUC_TW",
    "EUC_JIS_2004",
    "UTF8",
    "MULE_INTERNAL",
    "LATIN1",
    "LATIN2",
    "LATIN3",
    "LATIN4",
    "LATIN5",
    "LATIN6",
    "LATIN7",
    "LATIN8",
    "LATIN9",
    "LATIN10",
    "WIN1256",
    "WIN1258",
    "WIN866",
    "WIN874",
    "KOI8R",
    "WIN1251",
    "WIN1252",
    "ISO_8859_5",
    "ISO_8859_6",
    "ISO_8859_7",
    "ISO_8859_8",
    "WIN1250",
    "WIN1253",
    "WIN1254",
    "WIN1255",
    "WIN1257",
    "KOI8U",
    "SJIS",
    "BIG5",
    "GBK",
    "UHC",
    "GB18030",
    "JOHAB",
    "SHIFT_JIS_2004",
];

/// Other spellings of encodings that clients use, compared without punctuation and case.
const ENCODING_ALIASES: &[(&str, &str)] = &[
    ("unicode", "UTF8"),
    ("iso88591", "LATIN1"),
    ("iso88592", "LATIN2"),
    ("iso88599", "LATIN5"),
    ("iso885915", "LATIN9"),
    ("windows1250", "WIN1250"),
    ("windows1251", "WIN1251"),
    ("windows1252", "WIN1252"),
    ("windows1253", "WIN1253"),
    ("windows1254", "WIN1254"),
    ("mskanji", "SJIS"),
    ("shiftjis", "SJIS"),
    ("windows949", "UHC"),
];

/// The text of `version()`.
pub fn version_text() -> String {
    format!(
        "PostgreSQL {SERVER_VERSION} (Postilion {}) on {}-{}, compiled by rustc, {}-bit",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        usize::BITS
    )
}

/// The number of an encoding by any of its names.
pub fn encoding_number(name: &str) -> Option<i32> {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    let wanted = plain(name);
    let canonical =
        ENCODING_ALIASES.iter().find(|(alias, _)| *alias == wanted).map_or(wanted, |(_, name)| plain(name));
    ENCODINGS.iter().position(|name| plain(name) == canonical).map(|position| position as i32)
}

/// The value of a function that SQL spells as a keyword. `now`-like ones give the transaction's start.
///
/// # Errors
/// `42704` when a role has gone.
pub fn sql_value(value: SqlValue, context: &StatementContext) -> Result<Value> {
    use crate::types::{date, time, timestamp};
    let now = context.format.transaction_time;
    let local = || timestamp::to_local(now, &context.format.time_zone);
    Ok(match value {
        SqlValue::CurrentTimestamp => Value::Integer(now),
        SqlValue::LocalTimestamp => Value::Integer(local()?),
        SqlValue::CurrentDate => Value::Integer(date::from_timestamp(local()?)),
        SqlValue::LocalTime => Value::Integer(time::of_timestamp(local()?)),
        SqlValue::CurrentTime => time::timetz_of(now, &context.format.time_zone).store(),
        SqlValue::CurrentUser => role_name(context, context.session.users.lock().1)?.into(),
        SqlValue::SessionUser => role_name(context, context.session.users.lock().0)?.into(),
        SqlValue::CurrentCatalog => database_name(context),
        SqlValue::CurrentSchema => current_schema(context).map(|(_, name)| name).into(),
    })
}

fn role_name(context: &StatementContext, role: Oid) -> Result<String> {
    match context.catalog.role(role) {
        Some(role) => Ok(role.rolname.clone()),
        None => Err(error!(UNDEFINED_OBJECT, "invalid role OID: {role}")),
    }
}

fn database_name(context: &StatementContext) -> Value {
    context.session.backend.activity.lock().database.as_ref().map(|(_, name)| name.clone()).into()
}

/// The schemas of `search_path` that exist, with or without those that are searched without being named.
fn schemas(context: &StatementContext, implicit: bool) -> Vec<(Oid, String)> {
    let named_pg_catalog = super::settings::show(context, "search_path")
        .is_some_and(|path| path.split(',').any(|part| part.trim().trim_matches('"') == "pg_catalog"));
    context
        .search_path
        .iter()
        .filter(|&&schema| implicit || named_pg_catalog || schema != namespaces::PG_CATALOG)
        .filter_map(|&schema| Some((schema, context.catalog.namespace(schema)?.nspname.clone())))
        .filter(|(_, name)| implicit || !name.starts_with("pg_temp_"))
        .collect()
}

/// Where new objects go: the first schema of `search_path` that exists.
pub(crate) fn current_schema(context: &StatementContext) -> Option<(Oid, String)> {
    schemas(context, false).into_iter().next()
}

fn temporary_schema(context: &StatementContext) -> Oid {
    let own = format!("pg_temp_{}", context.session.backend.pid);
    context.catalog.namespace_named(&own).map_or(Oid::INVALID, |schema| schema.oid)
}

fn client(call: &FunctionCall<'_>) -> (Value, Option<i32>) {
    let activity = call.context.session.backend.activity.lock();
    (inet(activity.client_address), activity.client_port)
}

/// Session information.
pub const FUNCTIONS: &[Function] = &[
    scalar("pgsql_version", |_, _| Ok(version_text().into())),
    scalar("current_database", |call, _| Ok(database_name(call.context))),
    scalar("current_schema", |call, _| Ok(current_schema(call.context).map(|(_, name)| name).into())),
    scalar("current_schemas", |call, arguments| {
        let names = schemas(call.context, boolean(arguments[0])?);
        arguments::array_of(types::_NAME, names.into_iter().map(|(_, name)| Some(name)), &call.type_context())
    }),
    scalar("current_user", |call, _| sql_value(SqlValue::CurrentUser, call.context)),
    scalar("session_user", |call, _| sql_value(SqlValue::SessionUser, call.context)),
    scalar("current_query", |call, _| Ok(call.context.session.backend.activity.lock().query.clone().into())),
    scalar("pg_backend_pid", |call, _| Ok(i64::from(call.context.session.backend.pid).into())),
    scalar("pg_is_in_recovery", |_, _| Ok(false.into())),
    scalar("pg_is_wal_replay_paused", |_, _| Err(not_in_recovery())),
    scalar("pg_my_temp_schema", |call, _| Ok(from_oid(temporary_schema(call.context)))),
    scalar("pg_is_other_temp_schema", |call, arguments| {
        let schema = oid(arguments[0])?;
        let temporary =
            call.context.catalog.namespace(schema).is_some_and(|n| n.nspname.starts_with("pg_temp_"));
        Ok((temporary && schema != temporary_schema(call.context)).into())
    }),
    scalar("PG_encoding_to_char", |_, arguments| {
        let number = usize::try_from(int4(arguments[0])?).ok();
        Ok(number.and_then(|number| ENCODINGS.get(number)).copied().unwrap_or("").into())
    }),
    scalar("PG_char_to_encoding", |_, arguments| {
        Ok(i64::from(encoding_number(text(arguments[0])?).unwrap_or(-1)).into())
    }),
    scalar("pg_encoding_max_length_sql", |_, arguments| {
        let known = (0..ENCODINGS.len() as i32).contains(&int4(arguments[0])?);
        Ok(known.then(|| encoding_length(ENCODINGS[int4(arguments[0]).unwrap_or(0) as usize])).into())
    }),
    scalar("pg_client_encoding", |call, _| {
        Ok(super::settings::show(call.context, "client_encoding").unwrap_or_else(|| "UTF8".to_owned()).into())
    }),
    scalar("getdatabaseencoding", |_, _| Ok("UTF8".into())),
    scalar("inet_client_addr", |call, _| Ok(client(call).0)),
    scalar("inet_client_port", |call, _| Ok(client(call).1.filter(|port| *port >= 0).map(i64::from).into())),
    scalar("inet_server_addr", |_, _| Ok(Value::Null)),
    scalar("inet_server_port", |_, _| Ok(Value::Null)),
    scalar("pg_jit_available", |_, _| Ok(false.into())),
    scalar("pg_trigger_depth", |_, _| Ok(0.into())),
    scalar("pg_typeof", |call, _| Ok(from_oid(call.types.arguments[0]))),
    scalar("pg_collation_for", |call, _| {
        let collation = call.context.catalog.collation(call.types.collation);
        Ok(collation.map(|collation| crate::types::names::quote_identifier(&collation.collname)).into())
    }),
    rows("pg_prepared_statement", prepared_statements),
    rows("pg_cursor", cursors),
    rows("pg_listening_channels", |call, _| {
        let channels = call.context.session.services.listening_channels();
        Ok(known(channels.into_iter().map(|channel| vec![channel.into()]).collect()))
    }),
];

fn prepared_statements(call: &mut FunctionCall<'_>, _: &[crate::ValueRef<'_>]) -> Result<arguments::Rows> {
    let statements = call.context.session.services.prepared_statements();
    let row = |statement: crate::session::PreparedStatementRow| -> Result<Vec<Value>> {
        let name = |ty: &Oid| {
            let ty = crate::bound::TypeMod::plain(*ty);
            Some(crate::types::format_type(ty, &call.context.catalog, &call.context.search_path))
        };
        let parameters = statement.parameter_types.iter().map(name);
        Ok(vec![
            statement.name.into(),
            statement.statement.into(),
            statement.prepare_time.into(),
            arguments::array_of(types::_REGTYPE, parameters, &call.type_context())?,
            statement.from_sql.into(),
            statement.generic_plans.into(),
            statement.custom_plans.into(),
        ])
    };
    Ok(known(statements.into_iter().map(row).collect::<Result<_>>()?))
}

fn cursors(call: &mut FunctionCall<'_>, _: &[crate::ValueRef<'_>]) -> Result<arguments::Rows> {
    let row = |cursor: crate::session::CursorRow| {
        vec![
            cursor.name.into(),
            cursor.statement.into(),
            cursor.is_holdable.into(),
            cursor.is_binary.into(),
            cursor.is_scrollable.into(),
            cursor.creation_time.into(),
        ]
    };
    Ok(known(call.context.session.services.cursors().into_iter().map(row).collect()))
}

/// The longest character of an encoding in bytes.
fn encoding_length(name: &str) -> i64 {
    match name {
        "UTF8" | "MULE_INTERNAL" | "EUC_TW" | "GB18030" => 4,
        "EUC_JP" | "EUC_CN" | "EUC_JIS_2004" | "EUC_KR" | "JOHAB" => 3,
        "SJIS" | "BIG5" | "GBK" | "UHC" | "SHIFT_JIS_2004" => 2,
        _ => 1,
    }
}

fn not_in_recovery() -> SqlError {
    error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "recovery is not in progress")
        .hint("Recovery control functions can only be executed during recovery.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_have_postgresqls_numbers() {
        assert_eq!(encoding_number("utf-8"), Some(6));
        assert_eq!(encoding_number("unicode"), Some(6));
        assert_eq!(encoding_number("LATIN1"), Some(8));
        assert_eq!(encoding_number("shift_jis_2004"), Some(41));
        assert_eq!(encoding_number("klingon"), None);
        assert!(version_text().starts_with("PostgreSQL 15."));
    }
}
