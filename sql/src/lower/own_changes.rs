//! Queries that see what their own transaction has changed although it is not in the engine.
//!
//! A transaction notes changes of rows as data, and needs the right to write only to make them (`session/aside.rs`). A
//! query of the table it has changed would have to make them first, and keep all other writers waiting until the
//! transaction's end. One that reads this table and nothing else can do without: in place of the table it reads the rows
//! that were not changed, and each changed row by itself.
//!
//! ```text
//! FROM t   →   FROM (SELECT * FROM t WHERE rowid <> ?2 UNION ALL SELECT a, ?3 AS b FROM t WHERE rowid = ?2)
//! ```
//!
//! SQLite moves the query's conditions into both arms. In a join it could not, and might read the whole table for each
//! row of the other: so only queries of one table are lowered in this way.

use std::fmt::Write as _;
use std::sync::Arc;

use super::Binding;
use super::emit::{Emitter, quoted};
use super::walk::every_query_mut;
use crate::Oid;
use crate::bound::{FromItem, QueryBody, Statement};

/// Which rows of a table have been changed, as far as the text of a query depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OwnChanges {
    /// The table.
    pub(crate) relation: Oid,
    /// Of each changed row, the positions of the changed columns.
    pub(crate) updated: Vec<Arc<[usize]>>,
    /// How many rows have been deleted.
    pub(crate) deleted: usize,
}

/// The table that a query reads, if it reads one and nothing else.
pub(crate) fn only_table(statement: &Statement) -> Option<Oid> {
    let Statement::Query(query) = statement else { return None };
    let QueryBody::Select(select) = &query.body else { return None };
    let Some(FromItem::Relation { relation, .. }) = &select.from else { return None };
    let mut queries = 0;
    every_query_mut(&mut query.clone(), &mut |_| queries += 1);
    let is_users = *relation >= crate::oid::FIRST_NORMAL;
    (queries == 1 && query.locks.is_empty() && is_users).then_some(*relation)
}

impl Emitter<'_> {
    /// Writes, in place of a table, its rows as the transaction has changed them. Numbers and values of the rows are
    /// parameters from `first` on: of each changed row its number and its values, then the numbers of the deleted ones.
    /// The table is given by its quoted name, its columns, of which dropped ones are `None`, and its row number.
    pub(super) fn changed_table(
        &mut self,
        (table, names, rowid): (&str, &[Option<String>], &str),
        own: &OwnChanges,
        first: usize,
    ) {
        let rowid = quoted(rowid);
        let columns: Vec<(usize, String)> = names
            .iter()
            .enumerate()
            .filter_map(|(position, name)| Some((position, quoted(name.as_deref()?))))
            .collect();
        let mut place = first;
        let mut updated = Vec::new();
        for changed in &own.updated {
            updated.push((place, changed));
            place += 1 + changed.len();
        }
        let list = |columns: &[(usize, String)]| -> String {
            columns.iter().map(|(_, name)| format!("{name}, ")).collect()
        };
        let _ = write!(self.out, "(SELECT {}{rowid} AS {rowid} FROM {table}", list(&columns));
        let numbers = updated.iter().map(|(place, _)| *place).chain(place..place + own.deleted);
        for (index, number) in numbers.enumerate() {
            let _ = write!(self.out, " {} {rowid} <> ", if index == 0 { "WHERE" } else { "AND" });
            self.binding(Binding::Parameter(number));
        }
        for (number, changed) in updated {
            self.out.push_str(" UNION ALL SELECT ");
            for (position, name) in &columns {
                match changed.iter().position(|column| column == position) {
                    Some(value) => {
                        self.binding(Binding::Parameter(number + 1 + value));
                        let _ = write!(self.out, " AS {name}, ");
                    }
                    None => {
                        let _ = write!(self.out, "{name}, ");
                    }
                }
            }
            // Named: SQLite calls a row number that is a key by the key's name.
            let _ = write!(self.out, "{rowid} AS {rowid} FROM {table} WHERE {rowid} = ");
            self.binding(Binding::Parameter(number));
        }
        self.out.push(')');
    }
}
