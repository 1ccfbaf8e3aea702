//! What writing to a table must know of it: names for SQLite, constraints for PostgreSQL's errors.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use parking_lot::Mutex;
use storage::Connection;

use super::engine_error;
use crate::bound::LockStrength;
use crate::catalog::{Attribute, Catalog, Class, Constraint, Index};
use crate::lower::{quoted, rowid_name};
use crate::types::{push_value, storage_form};
use crate::{ObjectNames, Oid, Result, SqlError, Value, error};

/// How many texts of updates are kept.
const UPDATES_MAX: usize = 8;

/// A table as its writer sees it.
pub(crate) struct Table {
    pub(crate) oid: Oid,
    pub(crate) class: Arc<Class>,
    pub(crate) schema: String,
    /// Quoted, as SQL text calls it.
    pub(crate) physical: String,
    /// Quoted name of the row number.
    pub(crate) rowid: String,
    pub(crate) attributes: Arc<[Arc<Attribute>]>,
    /// Unique indexes by OID, the order in which PostgreSQL checks them.
    pub(crate) unique: Vec<Arc<Index>>,
    /// The foreign keys of this table.
    pub(crate) references: Vec<Arc<Constraint>>,
    /// The foreign keys that refer to this table.
    pub(crate) referenced: Vec<Arc<Constraint>>,
    /// Its first parameter is the row number, which a primary key that is the row number overrules; NULL leaves it to the
    /// engine.
    pub(crate) insert_sql: Arc<str>,
    /// Its parameter is the row number.
    pub(crate) delete_sql: Arc<str>,
    /// The texts of updates, by the columns that they change. The engine finds a text that it knows by its address.
    updates: Mutex<Vec<(Arc<[usize]>, Arc<str>)>>,
    /// Whether the engine calls the host for one of its indexes.
    pub(crate) indexes_compute: bool,
}

impl Table {
    pub(crate) fn new(catalog: &Catalog, oid: Oid) -> Result<Self> {
        let class = catalog.class(oid);
        let class = class.ok_or_else(|| error!(UNDEFINED_TABLE, "relation with OID {oid} does not exist"))?;
        if !matches!(class.relkind, 'r' | 'p' | 'm') {
            return Err(SqlError::unsupported(format_args!("changing relation \"{}\"", class.relname)));
        }
        if oid < crate::oid::FIRST_NORMAL {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied: \"{}\" is a system catalog", class.relname
            ));
        }
        let attributes = catalog.attributes(oid);
        let names: Vec<Option<String>> =
            attributes.iter().map(|a| (!a.attisdropped).then(|| a.attname.clone())).collect();
        let physical = catalog.physical_name(oid);
        let physical = quoted(&physical.ok_or_else(|| SqlError::internal("table without a physical name"))?);
        let mut unique: Vec<_> = catalog.indexes(oid).iter().filter(|i| i.indisunique).cloned().collect();
        unique.sort_by_key(|index| index.indexrelid);
        let constraints = catalog.constraints(oid);
        let rowid = quoted(rowid_name(&names)?);
        let insert_sql = insert_sql(&physical, &rowid, &names).into();
        let delete_sql = format!("DELETE FROM {physical} WHERE {rowid} = ?1").into();
        Ok(Self {
            oid,
            schema: catalog.namespace(class.relnamespace).map(|n| n.nspname.clone()).unwrap_or_default(),
            class,
            physical,
            rowid,
            attributes,
            unique,
            references: constraints.iter().filter(|c| c.contype == 'f').cloned().collect(),
            referenced: catalog.referencing_constraints(oid).to_vec(),
            insert_sql,
            delete_sql,
            updates: Mutex::default(),
            indexes_compute: catalog.indexes(oid).iter().any(|index| index.computes()),
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.class.relname
    }

    /// Positions of the columns that exist.
    pub(crate) fn live(&self) -> impl Iterator<Item = usize> {
        self.attributes.iter().enumerate().filter(|(_, a)| !a.attisdropped).map(|(i, _)| i)
    }

    /// The objects that an error of one of its constraints concerns.
    pub(crate) fn concerning(&self, constraint: Option<&str>, column: Option<&str>) -> ObjectNames {
        ObjectNames {
            schema: Some(self.schema.clone()),
            table: Some(self.class.relname.clone()),
            column: column.map(str::to_owned),
            constraint: constraint.map(str::to_owned),
            ..ObjectNames::default()
        }
    }

    /// `UPDATE t SET a = ?1, … WHERE rowid = ?n`.
    pub(crate) fn update_sql(&self, columns: &[usize]) -> Arc<str> {
        let mut updates = self.updates.lock();
        if let Some((_, known)) = updates.iter().find(|(known, _)| **known == *columns) {
            return known.clone();
        }
        if updates.len() >= UPDATES_MAX {
            updates.remove(0);
        }
        let text = self.new_update_sql(columns);
        updates.push((columns.into(), text.clone()));
        text
    }

    fn new_update_sql(&self, columns: &[usize]) -> Arc<str> {
        let assignments: Vec<String> = columns
            .iter()
            .enumerate()
            .map(|(i, column)| format!("{} = ?{}", quoted(&self.attributes[*column].attname), i + 1))
            .collect();
        let row = columns.len() + 1;
        let (table, assignments) = (&self.physical, assignments.join(", "));
        format!("UPDATE {table} SET {assignments} WHERE {} = ?{row}", self.rowid).into()
    }

    /// How a row is locked whose columns at these positions are changed: others may refer to its keys meanwhile if none of
    /// them is part of one.
    pub(crate) fn strength_of_update(&self, columns: &[usize]) -> LockStrength {
        let in_key = |index: &Index| {
            !index.computes()
                && columns.iter().any(|column| index.indkey.contains(&self.attributes[*column].attnum))
        };
        if self.unique.iter().any(|index| in_key(index)) {
            LockStrength::Update
        } else {
            LockStrength::NoKeyUpdate
        }
    }

    /// Whether a row may take another key in an index when these columns change.
    pub(crate) fn may_move(&self, index: &Index, columns: &[usize]) -> bool {
        // Column names stand in expressions as they are: finding one there too many only locks a key too many.
        let texts = || [&index.indexprs, &index.indpred].into_iter().flatten();
        columns.iter().map(|column| &self.attributes[*column]).any(|attribute| {
            let names = |text: &String| text.contains(&attribute.attname) || attribute.attname.contains('"');
            index.indkey.contains(&attribute.attnum) || texts().any(names)
        })
    }

    /// A number for the key that a row takes in a unique index: the same for equal keys, seldom the same for others. None
    /// when a NULL makes it distinct from all. Keys that only the engine computes all have one number. Whether a row
    /// is in a partial index is not asked.
    pub(crate) fn key_number(&self, catalog: &Catalog, index: &Index, row: &[Value]) -> Option<i64> {
        if index.indkey.contains(&0) {
            return Some(0);
        }
        let mut key = String::new();
        for attnum in index.indkey.iter().take(usize::try_from(index.indnkeyatts).ok()?) {
            let column = usize::try_from(attnum - 1).ok()?;
            if row[column].is_null() && !index.indnullsnotdistinct {
                return None;
            }
            let form = storage_form(catalog, self.attributes[column].atttypid);
            push_value(&mut key, form, row[column].as_ref());
        }
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Some(hasher.finish().cast_signed())
    }

    /// The highest number of a row that the connection sees; 0 when there is none above.
    ///
    /// # Errors
    /// Those of the storage engine.
    pub(crate) fn highest_row(&self, connection: &mut Connection) -> Result<i64> {
        let sql = format!("SELECT max({}) FROM {}", self.rowid, self.physical);
        let rows = connection.query(&sql, &[]).map_err(engine_error)?;
        Ok(match rows.first().and_then(|row| row.first()) {
            Some(Value::Integer(highest)) => (*highest).max(0),
            _ => 0,
        })
    }

    /// `SELECT …, … FROM t WHERE rowid = ?1`.
    pub(crate) fn row_sql(&self) -> String {
        format!("SELECT {} FROM {} WHERE {} = ?1", self.all_columns(), self.physical, self.rowid)
    }

    /// The select list of all columns: NULL for dropped ones.
    pub(crate) fn all_columns(&self) -> String {
        let columns: Vec<String> = self
            .attributes
            .iter()
            .map(|a| if a.attisdropped { "NULL".to_owned() } else { quoted(&a.attname) })
            .collect();
        if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") }
    }
}

fn insert_sql(physical: &str, rowid: &str, names: &[Option<String>]) -> String {
    let mut columns = vec![rowid.to_owned()];
    columns.extend(names.iter().flatten().map(|name| quoted(name)));
    let places: Vec<String> = (1..=columns.len()).map(|i| format!("?{i}")).collect();
    format!("INSERT INTO {physical} ({}) VALUES ({})", columns.join(", "), places.join(", "))
}
