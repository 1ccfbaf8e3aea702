//! Rows by their numbers, whole: what two states of a table are compared by.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use storage::Connection;

use super::run::engine_error;
use super::table::Table;
use crate::catalog::Catalog;
use crate::{Oid, Result, Value};

/// Reads rows of the tables of one catalog.
pub(crate) struct RowReader<'a> {
    catalog: &'a Catalog,
    /// The texts, by table.
    texts: HashMap<Oid, String>,
}

impl<'a> RowReader<'a> {
    pub(crate) fn new(catalog: &'a Catalog) -> Self {
        Self { catalog, texts: HashMap::new() }
    }

    /// A row as this connection's snapshot shows it.
    ///
    /// # Errors
    /// Those of the engine.
    pub(crate) fn read(
        &mut self,
        connection: &mut Connection,
        relation: Oid,
        row: i64,
    ) -> Result<Option<Vec<Value>>> {
        let text = match self.texts.entry(relation) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Table::new(self.catalog, relation)?.row_sql()),
        };
        let rows = connection.query(text, &[Value::Integer(row)]).map_err(engine_error)?;
        Ok(rows.into_iter().next())
    }
}
