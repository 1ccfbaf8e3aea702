//! Changes of shared rows that are kept in the cluster's file, beside the rows, until it is known whether the transaction
//! that makes them has been committed in its database's file: see `cluster/shared_rows.rs`. They are kept in
//! `pg_catalog.prepared_changes` and `pg_catalog.prepared_values`; `pg_catalog.control` has their number and database, and in
//! the database's file the number of the last transaction that was committed so.

use storage::Connection;

use super::persistence::{
    control_number, failure, keep_next_oid, parse_identity, print_identity, set_control,
};
use super::row::{KeyPart, malformed};
use super::{Catalog, RELATIONS, RowChange, Scope};
use crate::{Oid, Result, Value};

/// What is kept of one transaction.
pub struct Prepared {
    /// The transaction's number, in the order of such transactions.
    pub number: i64,
    /// Its database.
    pub database: Oid,
    /// What it changes.
    pub changes: Vec<RowChange>,
}

/// Keeps changes of shared rows, to be applied later; the number of their transaction. `catalog` is the cluster's snapshot
/// that they lead to. The caller has begun a transaction that may write on the cluster's file, where nothing is kept so.
///
/// # Errors
/// Those of the storage engine.
pub fn prepare(
    connection: &mut Connection,
    database: Oid,
    catalog: &Catalog,
    changes: &[RowChange],
) -> Result<i64> {
    let mut run = |sql: &str, parameters: &[Value]| connection.execute(sql, parameters).map_err(failure);
    let columns =
        "(change INTEGER PRIMARY KEY, relation TEXT, built_in INTEGER, identity TEXT, columns INTEGER)";
    run(&format!("CREATE TABLE IF NOT EXISTS \"pg_catalog.prepared_changes\" {columns} STRICT"), &[])?;
    let columns = "(change INTEGER, place INTEGER, value ANY, PRIMARY KEY (change, place))";
    run(&format!("CREATE TABLE IF NOT EXISTS \"pg_catalog.prepared_values\" {columns} STRICT"), &[])?;
    for (number, change) in (0_i64..).zip(changes) {
        let width = change.row.as_ref().map_or(Value::Null, |row| count(row.len()));
        let values = [
            number.into(),
            change.relation.into(),
            i64::from(change.built_in).into(),
            print_identity(&change.identity).into(),
            width,
        ];
        run(r#"INSERT INTO "pg_catalog.prepared_changes" VALUES (?1, ?2, ?3, ?4, ?5)"#, &values)?;
        for (place, value) in change.row.iter().flatten().enumerate() {
            let sql = r#"INSERT INTO "pg_catalog.prepared_values" VALUES (?1, ?2, ?3)"#;
            run(sql, &[number.into(), count(place), value.clone()])?;
        }
    }
    let number = control_number(connection, "prepared_number")?.unwrap_or(0) + 1;
    set_control(connection, "prepared_number", number)?;
    set_control(connection, "prepared_database", database.0.into())?;
    keep_next_oid(connection, Scope::Cluster, catalog)?;
    Ok(number)
}

/// What is kept so in the cluster's file.
///
/// # Errors
/// Those of the storage engine; `XX000` when it is damaged.
pub fn prepared(connection: &mut Connection) -> Result<Option<Prepared>> {
    let Some(database) = control_number(connection, "prepared_database")? else { return Ok(None) };
    let number = control_number(connection, "prepared_number")?.ok_or_else(|| malformed("control"))?;
    let sql = r#"SELECT change, relation, built_in, identity, columns FROM "pg_catalog.prepared_changes" ORDER BY change"#;
    let damaged = || malformed("prepared_changes");
    let mut changes = Vec::new();
    for kept in connection.query(sql, &[]).map_err(failure)? {
        let [
            Value::Integer(change),
            Value::Text(name),
            Value::Integer(built_in),
            Value::Text(identity),
            width,
        ] = &kept[..]
        else {
            return Err(damaged());
        };
        let relation = RELATIONS.iter().find(|relation| relation.name == name).ok_or_else(damaged)?;
        let identity = parse_identity(identity).ok_or_else(damaged)?;
        let sql = r#"SELECT value FROM "pg_catalog.prepared_values" WHERE change = ?1 ORDER BY place"#;
        let values = connection.query(sql, &[(*change).into()]).map_err(failure)?;
        let row: Vec<Value> = values.into_iter().flatten().collect();
        let row = if width.is_null() { None } else { Some(row) };
        if row.as_ref().is_some_and(|row| count(row.len()) != *width) {
            return Err(damaged());
        }
        changes.push(RowChange {
            relation: relation.name,
            shared: true,
            built_in: *built_in != 0,
            identity: identity.into_iter().map(KeyPart::into_owned).collect(),
            row,
        });
    }
    let database = Oid(u32::try_from(database).map_err(|_| damaged())?);
    Ok(Some(Prepared { number, database, changes }))
}

/// Forgets what is kept so. The caller has begun a transaction that may write.
///
/// # Errors
/// Those of the storage engine.
pub fn forget_prepared(connection: &mut Connection) -> Result<()> {
    for sql in [
        r#"DELETE FROM "pg_catalog.prepared_changes""#,
        r#"DELETE FROM "pg_catalog.prepared_values""#,
        r#"DELETE FROM "pg_catalog.control" WHERE name = 'prepared_database'"#,
    ] {
        connection.execute(sql, &[]).map_err(failure)?;
    }
    Ok(())
}

/// Says in a database's file, in the transaction itself, that the transaction of this number is committed.
///
/// # Errors
/// Those of the storage engine.
pub fn mark_committed(connection: &mut Connection, number: i64) -> Result<()> {
    set_control(connection, "shared_commit", number)
}

/// The number that [`mark_committed`] has written last.
///
/// # Errors
/// Those of the storage engine.
pub fn marked(connection: &mut Connection) -> Result<Option<i64>> {
    control_number(connection, "shared_commit")
}

fn count(number: usize) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}
