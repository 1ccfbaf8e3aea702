//! The catalog in files: rows of users are kept in tables named `pg_catalog.pg_class` and so on, with PostgreSQL's
//! columns, in the file of the database they belong to; rows that the whole cluster shares are kept alike in the
//! cluster's own file. Numbers are numbers; text, vectors and arrays are PostgreSQL's text forms, so that other tools
//! can read them.
//!
//! Beside them stand `pg_catalog.removed_rows` (built-in rows that users have dropped) and `pg_catalog.control`
//! (the format's version, the next OID). Everything is written inside the transaction that makes the change.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use storage::Connection;

use super::relation::RelationDefinition;
use super::row::{KeyPart, malformed};
use super::{Catalog, RELATIONS, RowChange, next_version};
use crate::{Oid, Result, SqlError, Value};

/// The version of the format written by this server. Files of a newer one are refused.
const FORMAT_VERSION: i64 = 1;

/// Which file a catalog is kept in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The file of one database.
    Database,
    /// The file that the cluster's databases share.
    Cluster,
}

impl Scope {
    /// The relations whose rows are kept in such a file. The constant tables of `information_schema` are in none.
    fn relations(self) -> impl Iterator<Item = &'static RelationDefinition> {
        let shared = self == Self::Cluster;
        RELATIONS.iter().filter(move |relation| relation.shared == shared && relation.name.starts_with("pg_"))
    }
}

/// Makes the catalog's tables in a new file. The caller has begun a transaction that may write.
///
/// # Errors
/// Those of the storage engine.
pub fn bootstrap(connection: &mut Connection, scope: Scope) -> Result<()> {
    let mut run = |sql: &str, parameters: &[Value]| connection.execute(sql, parameters).map_err(failure);
    run(r#"CREATE TABLE "pg_catalog.control" (name TEXT PRIMARY KEY, value ANY) STRICT"#, &[])?;
    let columns = "(relation TEXT, identity TEXT, PRIMARY KEY (relation, identity))";
    run(&format!("CREATE TABLE \"pg_catalog.removed_rows\" {columns} STRICT"), &[])?;
    for relation in scope.relations() {
        let columns = relation.columns.iter().map(|column| format!("\"{column}\" ANY")).collect::<Vec<_>>();
        let (table, columns) = (table_name(relation.name), columns.join(", "));
        let identity = identity_columns(relation).collect::<Vec<_>>().join(", ");
        run(
            &format!("CREATE TABLE {table} ({columns}, PRIMARY KEY ({identity})) STRICT, WITHOUT ROWID"),
            &[],
        )?;
    }
    let control = r#"INSERT INTO "pg_catalog.control" VALUES ('format_version', ?1), ('next_oid', ?2)"#;
    run(control, &[FORMAT_VERSION.into(), i64::from(crate::oid::FIRST_NORMAL.0).into()])?;
    Ok(())
}

/// Reads the catalog of a file. The catalog of a database file has the cluster's shared rows only after
/// [`Catalog::with_shared_rows_of`]. `database` is the database's OID, zero for the cluster's file.
///
/// # Errors
/// `XX000` when the file was written by a newer server or is not a catalog's; those of the storage engine.
pub fn load(connection: &mut Connection, scope: Scope, database: Oid) -> Result<Arc<Catalog>> {
    let control = |connection: &mut Connection, name: &str| {
        control_number(connection, name)?.ok_or_else(|| malformed("control"))
    };
    check_version(control(connection, "format_version")?)?;
    let next_oid = u32::try_from(control(connection, "next_oid")?).map_err(|_| malformed("control"))?;
    let mut catalog = Catalog::empty();
    catalog.version = next_version();
    catalog.database = database;
    match scope {
        Scope::Database => catalog.next_oid.store(next_oid, Ordering::Relaxed),
        Scope::Cluster => catalog.next_shared_oid.store(next_oid, Ordering::Relaxed),
    }
    for relation in scope.relations() {
        let columns =
            relation.columns.iter().map(|column| format!("\"{column}\"")).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT {columns} FROM {}", table_name(relation.name));
        let rows = (relation.rows_mut)(&mut catalog.relations);
        for values in connection.query(&sql, &[]).map_err(failure)? {
            rows.load(&values)?;
        }
    }
    let sql = r#"SELECT relation, identity FROM "pg_catalog.removed_rows""#;
    for values in connection.query(sql, &[]).map_err(failure)? {
        let [Value::Text(name), Value::Text(identity)] = &values[..] else {
            return Err(malformed("removed_rows"));
        };
        let relation = RELATIONS.iter().find(|relation| relation.name == name);
        let relation = relation.ok_or_else(|| malformed("removed_rows"))?;
        let identity = parse_identity(identity).ok_or_else(|| malformed("removed_rows"))?;
        (relation.rows_mut)(&mut catalog.relations).hide(&identity);
    }
    Ok(Arc::new(catalog))
}

/// Writes the changes that belong into such a file; those of the other scope are left to a call with its connection.
/// `catalog` is the snapshot they lead to. The caller has begun a transaction that may write.
///
/// # Errors
/// Those of the storage engine.
pub fn apply(
    connection: &mut Connection,
    scope: Scope,
    catalog: &Catalog,
    changes: &[RowChange],
) -> Result<()> {
    let shared = scope == Scope::Cluster;
    for change in changes.iter().filter(|change| change.shared == shared) {
        let relation = RELATIONS.iter().find(|relation| relation.name == change.relation);
        let relation = relation.expect("changes are made from rows of declared relations");
        apply_one(connection, relation, change).map_err(failure)?;
    }
    keep_next_oid(connection, scope, catalog)
}

/// Writes which OID is given out next.
pub(super) fn keep_next_oid(connection: &mut Connection, scope: Scope, catalog: &Catalog) -> Result<()> {
    let counter = if scope == Scope::Cluster { &catalog.next_shared_oid } else { &catalog.next_oid };
    let next_oid = i64::from(counter.load(Ordering::Relaxed));
    let sql = r#"UPDATE "pg_catalog.control" SET value = ?1 WHERE name = 'next_oid' AND value < ?1"#;
    connection.execute(sql, &[next_oid.into()]).map(drop).map_err(failure)
}

pub(super) fn control_number(connection: &mut Connection, name: &str) -> Result<Option<i64>> {
    let sql = r#"SELECT value FROM "pg_catalog.control" WHERE name = ?1"#;
    let rows = connection.query(sql, &[name.into()]).map_err(failure)?;
    match rows.first().and_then(|row| row.first()) {
        None => Ok(None),
        Some(Value::Integer(value)) => Ok(Some(*value)),
        Some(_) => Err(malformed("control")),
    }
}

pub(super) fn set_control(connection: &mut Connection, name: &str, value: i64) -> Result<()> {
    let sql = r#"INSERT OR REPLACE INTO "pg_catalog.control" VALUES (?1, ?2)"#;
    connection.execute(sql, &[name.into(), value.into()]).map(drop).map_err(failure)
}

fn apply_one(
    connection: &mut Connection,
    relation: &RelationDefinition,
    change: &RowChange,
) -> storage::Result<()> {
    let table = table_name(relation.name);
    let removed = [relation.name.into(), print_identity(&change.identity).into()];
    if let Some(row) = &change.row {
        let places = (1..=row.len()).map(|index| format!("?{index}")).collect::<Vec<_>>().join(", ");
        connection.execute(&format!("INSERT OR REPLACE INTO {table} VALUES ({places})"), row)?;
        let sql = r#"DELETE FROM "pg_catalog.removed_rows" WHERE relation = ?1 AND identity = ?2"#;
        connection.execute(sql, &removed)?;
        return Ok(());
    }
    let conditions = identity_columns(relation).enumerate();
    let conditions =
        conditions.map(|(index, column)| format!("{column} = ?{}", index + 1)).collect::<Vec<_>>();
    let identity: Vec<_> = change.identity.iter().map(part_value).collect();
    connection.execute(&format!("DELETE FROM {table} WHERE {}", conditions.join(" AND ")), &identity)?;
    if change.built_in {
        connection.execute(r#"INSERT OR IGNORE INTO "pg_catalog.removed_rows" VALUES (?1, ?2)"#, &removed)?;
    }
    Ok(())
}

fn check_version(version: i64) -> Result<()> {
    if version <= FORMAT_VERSION {
        return Ok(());
    }
    let detail = format!(
        "The catalog was written in format {version}, which is newer than format {FORMAT_VERSION} of this server."
    );
    Err(SqlError::internal("database files are incompatible with server").detail(detail))
}

fn table_name(relation: &str) -> String {
    format!("\"pg_catalog.{relation}\"")
}

fn identity_columns(relation: &RelationDefinition) -> impl Iterator<Item = String> {
    relation.keys[0].columns.iter().map(|&column| format!("\"{}\"", relation.columns[column]))
}

fn part_value(part: &KeyPart<'_>) -> Value {
    match part {
        KeyPart::Null => Value::Null,
        KeyPart::Number(number) => Value::Integer(*number),
        KeyPart::Text(text) => Value::Text(text.to_string()),
    }
}

/// An identity as one text: numbers in decimal, text after an apostrophe, separated by tabs (which no identity holds).
pub(super) fn print_identity(identity: &[KeyPart<'_>]) -> String {
    let parts = identity.iter().map(|part| match part {
        KeyPart::Null => "'".to_owned(),
        KeyPart::Number(number) => number.to_string(),
        KeyPart::Text(text) => format!("'{text}"),
    });
    parts.collect::<Vec<_>>().join("\t")
}

pub(super) fn parse_identity(text: &str) -> Option<Vec<KeyPart<'_>>> {
    let parse = |part| match str::strip_prefix(part, "'") {
        Some(text) => Some(KeyPart::from(text)),
        None => part.parse().ok().map(KeyPart::Number),
    };
    text.split('\t').map(parse).collect()
}

/// An error of the engine where only faults of ours or of the disk can be its cause.
pub(super) fn failure(error: storage::Error) -> SqlError {
    match error.kind {
        storage::ErrorKind::DiskFull => crate::error!(DISK_FULL, "{}", error.message),
        storage::ErrorKind::Io => crate::error!(IO_ERROR, "{}", error.message),
        storage::ErrorKind::Corrupt => crate::error!(DATA_CORRUPTED, "{}", error.message),
        storage::ErrorKind::Interrupted => SqlError::canceled(),
        _ => SqlError::internal(error.message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Attribute, CatalogEdit, Class, Namespace, Role};

    #[test]
    fn identities_round_trip() {
        let identity = [KeyPart::Number(1259), KeyPart::Number(-1), KeyPart::from("n")];
        assert_eq!(print_identity(&identity), "1259\t-1\t'n");
        assert_eq!(parse_identity("1259\t-1\t'n").unwrap(), identity);
    }

    #[test]
    fn newer_formats_are_refused() {
        assert!(check_version(FORMAT_VERSION).is_ok());
        let error = check_version(FORMAT_VERSION + 1).unwrap_err();
        assert_eq!(error.message(), "database files are incompatible with server");
    }

    /// A new file with the catalog's tables; the directory goes with the guard.
    fn new_file(scope: Scope) -> (tempfile::TempDir, storage::PooledConnection) {
        let directory = tempfile::tempdir().unwrap();
        let options = storage::DatabaseOptions { create: true, idle_connections_max: 1 };
        let database = storage::Database::open(&directory.path().join("catalog.db"), options).unwrap();
        let mut connection = database.connection().unwrap();
        connection.begin_write().unwrap();
        bootstrap(&mut connection, scope).unwrap();
        connection.commit().unwrap();
        (directory, connection)
    }

    fn save(connection: &mut Connection, scope: Scope, edit: CatalogEdit) -> Arc<Catalog> {
        let (catalog, changes) = edit.finish();
        connection.begin_write().unwrap();
        apply(connection, scope, &catalog, &changes).unwrap();
        connection.commit().unwrap();
        catalog
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let (_directory, mut connection) = new_file(Scope::Database);
        let mut edit = CatalogEdit::new(&load(&mut connection, Scope::Database, Oid(5)).unwrap());
        let template = (*edit.class(Oid(1259)).unwrap()).clone();
        let oid = edit.allocate_oid();
        let acl = Some(vec!["postgres=arwdDxt/postgres".to_owned(), "\"a b\"=r/postgres".to_owned()]);
        let class =
            Class { oid, relname: "Täble \"x\"".into(), relnamespace: Oid(2200), relacl: acl, ..template };
        edit.insert(class.clone()).unwrap();
        for attribute in edit.attributes(Oid(1259)).iter() {
            edit.insert(Attribute { attrelid: oid, ..(**attribute).clone() }).unwrap();
        }
        edit.delete::<Namespace>(Oid(99)).unwrap();
        edit.change::<Namespace>(Oid(2200), |row| row.nspname = "common".into()).unwrap();
        let saved = save(&mut connection, Scope::Database, edit);
        let loaded = load(&mut connection, Scope::Database, Oid(5)).unwrap();
        assert_eq!(loaded.class(oid).as_deref(), Some(&class));
        assert_eq!(loaded.attributes(oid), saved.attributes(oid));
        assert!(loaded.namespace(Oid(99)).is_none());
        assert_eq!(loaded.namespace(Oid(2200)).unwrap().nspname, "common");
        assert_eq!(loaded.current_database(), Oid(5));

        let mut edit = CatalogEdit::new(&loaded);
        assert!(edit.allocate_oid() > oid);
        edit.delete::<Class>(oid).unwrap();
        save(&mut connection, Scope::Database, edit);
        assert!(load(&mut connection, Scope::Database, Oid(5)).unwrap().class(oid).is_none());
    }

    #[test]
    fn shared_rows_live_in_the_file_of_the_cluster() {
        let (_directory, mut connection) = new_file(Scope::Cluster);
        let cluster = load(&mut connection, Scope::Cluster, Oid::INVALID).unwrap();
        let mut edit = CatalogEdit::new(&Catalog::empty().with_shared_rows_of(&cluster));
        let oid = edit.allocate_shared_oid();
        let role = Role { oid, rolname: "alice".into(), ..(*edit.role(Oid(10)).unwrap()).clone() };
        edit.insert(role).unwrap();
        save(&mut connection, Scope::Cluster, edit);
        let loaded = load(&mut connection, Scope::Cluster, Oid::INVALID).unwrap();
        assert_eq!(loaded.role_named("alice").unwrap().oid, oid);
        assert!(CatalogEdit::new(&loaded).allocate_shared_oid() > oid);
        assert!(Catalog::empty().with_shared_rows_of(&loaded).role_named("alice").is_some());
    }
}
