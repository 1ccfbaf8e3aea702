//! Whether a database's file is whole: the engine's own check of every page and index, and the catalog against what the
//! file really has. It is a session's, since indexes on expressions call functions, which want one.

use std::collections::BTreeMap;

use storage::Connection;

use super::Session;
use super::transaction::Work;
use crate::catalog::{Catalog, Class};
use crate::cluster::storage_error;
use crate::execute;
use crate::execute::physical::is_row_number_index;
use crate::oid::FIRST_NORMAL;
use crate::{Result, SqlError, Value};

/// How many faults of one file are told.
const FAULTS_MAX: usize = 100;

impl Session {
    /// Looks at the session's database, or at the cluster's own file when it has none; what is wrong, a sentence each.
    ///
    /// # Errors
    /// Those of the storage engine that keep it from looking.
    pub async fn check_integrity(&mut self) -> Result<Vec<String>> {
        let catalog = self.begin_reading()?;
        let context = self.statement_context(&catalog);
        let has_tables = self.database.oid.is_valid();
        let mut work = std::mem::replace(&mut self.transaction().work, Work::None);
        let task = tokio::task::spawn_blocking(move || {
            let connection = work.connection().expect("a snapshot has been taken");
            connection.set_context(Some(context.clone()));
            let mut faults = Vec::new();
            if has_tables {
                execute::ensure_index_functions(connection, &context)?;
                faults = catalog_faults(connection, &catalog)?;
            }
            faults.extend(engine_faults(connection)?);
            Ok(faults)
        });
        let faults = task.await.map_err(|_| SqlError::internal("a check has panicked"))?;
        self.commit().await?;
        faults
    }
}

fn engine_faults(connection: &mut Connection) -> Result<Vec<String>> {
    let check = format!("PRAGMA integrity_check({FAULTS_MAX})");
    let rows = match connection.query(&check, &[]) {
        Ok(rows) => rows,
        // A page so damaged that the check itself gives up.
        Err(error) if matches!(error.kind, storage::ErrorKind::Corrupt) => return Ok(vec![error.message]),
        Err(error) => return Err(storage_error(error)),
    };
    let words = rows.into_iter().filter_map(|row| row.into_iter().next());
    let words = words.filter_map(|value| if let Value::Text(text) = value { Some(text) } else { None });
    Ok(words.filter(|text| text != "ok").collect())
}

/// What the catalog has and the file has not, and the other way round.
fn catalog_faults(connection: &mut Connection, catalog: &Catalog) -> Result<Vec<String>> {
    let mut present = objects(connection)?;
    let mut faults = Vec::new();
    for class in catalog.relation::<Class>().rows().filter(|class| class.oid >= FIRST_NORMAL) {
        let kind = match class.relkind {
            'r' | 'm' => "table",
            'i' if !catalog.index(class.oid).is_some_and(|index| is_row_number_index(catalog, &index)) => {
                "index"
            }
            _ => continue,
        };
        let Some(name) = catalog.physical_name(class.oid) else { continue };
        match present.remove(&*name) {
            None => faults.push(format!("{kind} \"{}\" has no file of its rows (\"{name}\")", class.relname)),
            Some(found) if found != kind => {
                faults.push(format!("{kind} \"{}\" is a {found} in the file (\"{name}\")", class.relname));
            }
            Some(_) if kind == "table" => faults.extend(column_faults(connection, catalog, &class, &name)?),
            Some(_) => {}
        }
    }
    for (name, kind) in present {
        faults.push(format!("the file has a {kind} \"{name}\" that no catalog knows"));
    }
    Ok(faults)
}

/// The tables and indexes of the file that are the user's, with their kind.
fn objects(connection: &mut Connection) -> Result<BTreeMap<String, String>> {
    let sql = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'index') \
               AND tbl_name NOT LIKE 'pg_catalog.%' AND name NOT LIKE 'sqlite_%'";
    let rows = connection.query(sql, &[]).map_err(storage_error)?;
    let pair = |row: Vec<Value>| match row.as_slice() {
        [Value::Text(name), Value::Text(kind)] => Some((name.clone(), kind.clone())),
        _ => None,
    };
    Ok(rows.into_iter().filter_map(pair).collect())
}

fn column_faults(
    connection: &mut Connection,
    catalog: &Catalog,
    class: &Class,
    name: &str,
) -> Result<Vec<String>> {
    let rows = connection
        .query("SELECT name FROM pragma_table_info(?1)", &[Value::Text(name.to_owned())])
        .map_err(storage_error)?;
    let present: Vec<String> = rows
        .into_iter()
        .filter_map(|row| if let [Value::Text(name)] = row.as_slice() { Some(name.clone()) } else { None })
        .collect();
    let attributes = catalog.attributes(class.oid);
    let missing = attributes
        .iter()
        .filter(|attribute| !attribute.attisdropped && attribute.attnum > 0)
        .filter(|attribute| !present.contains(&attribute.attname))
        .map(|attribute| {
            format!("column \"{}\" of table \"{}\" is not in the file", attribute.attname, class.relname)
        });
    Ok(missing.collect())
}
