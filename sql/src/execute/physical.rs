//! Tables and indexes of the catalog as tables and indexes of SQLite, for the commands that make and change them.
//!
//! Tables are STRICT with columns of type ANY, so that no affinity ever converts a value. A primary key of one int4 or
//! int8 column is the row number itself (`INTEGER PRIMARY KEY`), so that a row is found by one search and not by two: a
//! table that gets such a key later is made anew. Every other unique constraint is an index. Keyed columns say their
//! collation, so that other tools compare them rightly, too.

use std::fmt::Write;

use storage::Connection;

use crate::catalog::{Attribute, Catalog, Index};
use crate::execute::run::engine_error;
use crate::lower::quoted;
use crate::oid::types as type_oids;
use crate::types::{StorageForm, storage_form};
use crate::{Oid, Result, SqlError};

/// The only column of a table that has none: SQLite wants one.
const NO_COLUMNS: &str = "(no columns)";

/// `pg_index.indoption`: descending.
const INDOPTION_DESC: i16 = 1;

/// `CREATE TABLE` for a table whose rows are in the catalog (columns, and the primary key if it has one).
///
/// # Errors
/// `XX000` for a relation without a physical name.
pub fn create_table_sql(catalog: &Catalog, table: Oid) -> Result<String> {
    create_table_named(catalog, table, &physical_name(catalog, table)?)
}

fn create_table_named(catalog: &Catalog, table: Oid, name: &str) -> Result<String> {
    let alias = row_number_column(catalog, table);
    let columns: Vec<String> = catalog
        .attributes(table)
        .iter()
        .filter(|a| a.attnum > 0 && !a.attisdropped)
        .map(|a| if alias == Some(a.attnum) { alias_definition(a) } else { column_definition(catalog, a) })
        .collect();
    let columns = if columns.is_empty() { vec![format!("{} ANY", quoted(NO_COLUMNS))] } else { columns };
    Ok(format!("CREATE TABLE {} ({}) STRICT", quoted(name), columns.join(", ")))
}

/// The definition of one column, as `ALTER TABLE … ADD COLUMN` takes it.
pub fn column_definition(catalog: &Catalog, column: &Attribute) -> String {
    let keyed = storage_form(catalog, column.atttypid) == StorageForm::Keyed;
    format!("{} ANY{}", quoted(&column.attname), if keyed { " COLLATE \"pgkey\"" } else { "" })
}

fn alias_definition(column: &Attribute) -> String {
    format!("{} INTEGER PRIMARY KEY", quoted(&column.attname))
}

/// The `attnum` of the column that can be the table's row number: a primary key of one int4 or int8 column.
fn row_number_column(catalog: &Catalog, table: Oid) -> Option<i16> {
    let indexes = catalog.indexes(table);
    let key = indexes.iter().find(|index| index.indisprimary)?;
    let [attnum] = key.indkey.as_slice() else { return None };
    let attributes = catalog.attributes(table);
    let column = attributes.iter().find(|a| a.attnum == *attnum)?;
    matches!(column.atttypid, type_oids::INT4 | type_oids::INT8).then_some(*attnum)
}

/// The name of the column that is the table's row number in the file, if one is.
///
/// # Errors
/// `XX000` when the engine fails.
pub fn row_number_alias(connection: &mut Connection, physical: &str) -> Result<Option<String>> {
    let sql = "SELECT name FROM pragma_table_info(?1) WHERE pk = 1 AND type = 'INTEGER'";
    let rows = connection.query(sql, &[physical.into()]).map_err(engine_error)?;
    Ok(match rows.into_iter().next().and_then(|row| row.into_iter().next()) {
        Some(crate::Value::Text(name)) => Some(name),
        _ => None,
    })
}

/// Whether an index has no SQLite index of its own because its column is the row number.
pub fn is_row_number_index(catalog: &Catalog, index: &Index) -> bool {
    index.indisprimary && row_number_column(catalog, index.indrelid).is_some()
}

/// `CREATE INDEX`. `expressions` are the lowered texts of the key columns whose `indkey` is 0, in order (see
/// [`crate::lower::index_expression`]); `predicate` that of a partial index.
///
/// # Errors
/// `XX000` for an index without a physical name.
pub fn create_index_sql(
    catalog: &Catalog,
    index: &Index,
    expressions: &[String],
    predicate: Option<&str>,
) -> Result<String> {
    let attributes = catalog.attributes(index.indrelid);
    let mut expressions = expressions.iter();
    let mut keys = Vec::new();
    let key_count = usize::try_from(index.indnkeyatts).unwrap_or(0);
    for (i, attnum) in index.indkey.iter().take(key_count).enumerate() {
        let order = match index.indoption.get(i) {
            Some(option) if option & INDOPTION_DESC != 0 => " DESC",
            _ => "",
        };
        let (text, collate) = match attributes.iter().find(|a| a.attnum == *attnum && *attnum > 0) {
            Some(column) => {
                let keyed = storage_form(catalog, column.atttypid) == StorageForm::Keyed;
                (quoted(&column.attname), if keyed { " COLLATE \"pgkey\"" } else { "" })
            }
            None => {
                let text = expressions.next();
                let text = text.ok_or_else(|| SqlError::internal("an index expression is missing"))?;
                (format!("({text})"), "")
            }
        };
        if index.indnullsnotdistinct {
            // NULLs are distinct to SQLite: two keys that never are NULL say the same.
            keys.push(format!("({text} IS NULL){order}"));
            keys.push(format!("coalesce({text}, 0){collate}{order}"));
        } else {
            keys.push(format!("{text}{collate}{order}"));
        }
    }
    let unique = if index.indisunique { "UNIQUE " } else { "" };
    let name = quoted(&physical_name(catalog, index.indexrelid)?);
    let table = quoted(&physical_name(catalog, index.indrelid)?);
    let mut sql = format!("CREATE {unique}INDEX {name} ON {table} ({})", keys.join(", "));
    if let Some(predicate) = predicate {
        let _ = write!(sql, " WHERE {predicate}");
    }
    Ok(sql)
}

/// `DROP TABLE`.
pub fn drop_table_sql(physical: &str) -> String {
    format!("DROP TABLE {}", quoted(physical))
}

/// `DROP INDEX`; nothing happens for an index that is the row number.
pub fn drop_index_sql(physical: &str) -> String {
    format!("DROP INDEX IF EXISTS {}", quoted(physical))
}

/// `ALTER TABLE … RENAME TO`.
pub fn rename_table_sql(from: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME TO {}", quoted(from), quoted(to))
}

/// `ALTER TABLE … RENAME COLUMN`.
pub fn rename_column_sql(physical: &str, from: &str, to: &str) -> String {
    format!("ALTER TABLE {} RENAME COLUMN {} TO {}", quoted(physical), quoted(from), quoted(to))
}

/// `ALTER TABLE … ADD COLUMN`: existing rows get NULL.
///
/// # Errors
/// As [`create_table_sql`].
pub fn add_column_sql(catalog: &Catalog, table: Oid, column: &Attribute) -> Result<String> {
    let table = quoted(&physical_name(catalog, table)?);
    Ok(format!("ALTER TABLE {table} ADD COLUMN {}", column_definition(catalog, column)))
}

/// `ALTER TABLE … DROP COLUMN`. Indexes on the column must have been dropped.
pub fn drop_column_sql(physical: &str, column: &str) -> String {
    format!("ALTER TABLE {} DROP COLUMN {}", quoted(physical), quoted(column))
}

/// The statements that rewrite a table under its present catalog rows: a new table is filled from the old one and takes
/// its place. `values` are lowered texts, over the old table's columns, for columns that change (`ALTER COLUMN TYPE`);
/// all others are copied. Indexes must be made again afterwards.
///
/// # Errors
/// As [`create_table_sql`].
pub fn rewrite_table_sql(catalog: &Catalog, table: Oid, values: &[(String, String)]) -> Result<Vec<String>> {
    let name = physical_name(catalog, table)?;
    let temporary = format!("{name}#rewritten");
    let attributes = catalog.attributes(table);
    let columns: Vec<&str> =
        attributes.iter().filter(|a| a.attnum > 0 && !a.attisdropped).map(|a| a.attname.as_str()).collect();
    let sources: Vec<String> = columns
        .iter()
        .map(|column| match values.iter().find(|(changed, _)| changed == column) {
            Some((_, text)) => text.clone(),
            None => quoted(column),
        })
        .collect();
    let targets: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    let mut statements = vec![create_table_named(catalog, table, &temporary)?];
    if !columns.is_empty() {
        statements.push(format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            quoted(&temporary),
            targets.join(", "),
            sources.join(", "),
            quoted(&name)
        ));
    }
    statements.push(drop_table_sql(&name));
    statements.push(rename_table_sql(&temporary, &name));
    Ok(statements)
}

fn physical_name(catalog: &Catalog, relation: Oid) -> Result<String> {
    let name = catalog.physical_name(relation);
    name.map(|name| name.to_string())
        .ok_or_else(|| SqlError::internal(format!("relation {relation} has no physical name")))
}
