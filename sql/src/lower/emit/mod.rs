//! The emitter: from lowered bound tree to SQLite text. Every name is quoted, every collation and every NULL order is
//! said. Range table entry 5 is called `r5`; columns of tables have their own names, all others are `c0`, `c1`, ….
//!
//! | file | what it writes |
//! |---|---|
//! | `expression` | expressions |
//! | `calls` | functions, aggregates, window functions |
//! | `subquery` | subqueries in expressions, comparisons with arrays |
//! | `query` | SELECT, VALUES, set operations, WITH |
//! | `from` | FROM |
//! | `row_locks` | FOR UPDATE and its kin |

mod calls;
mod expression;
mod from;
mod query;
mod row_locks;
mod subquery;

pub(super) use calls::is_plain_equality;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::host::HostFunction;
use super::{Binding, OwnChanges, StoredExpressions};
use crate::bound::*;
use crate::catalog::Catalog;
use crate::types::{StorageForm, storage_form};
use crate::{Oid, Result, SqlError};

/// The names of a table's row number in SQLite, of which at least one is not hidden by a column of that name.
const ROWID_NAMES: [&str; 3] = ["rowid", "_rowid_", "oid"];

/// How the columns of a range table entry are called.
#[derive(Clone)]
enum Shape {
    /// A table of users: its columns' own names, `None` for dropped ones; and the name of its row number.
    Table { columns: Vec<Option<String>>, rowid: &'static str, relation: Oid },
    /// A relation that the host gives: its columns' names.
    Host { columns: Vec<String>, relation: Oid },
    /// `c0`, `c1`, …: how many.
    Positional(usize),
}

/// What stands for a column instead of its own name.
enum Renamed {
    Text(String),
    Binding(Binding),
}

/// What one statement text needs besides the text.
#[derive(Default)]
pub(super) struct Needs {
    pub(super) functions: BTreeMap<Arc<str>, HostFunction>,
    pub(super) waits: bool,
    /// Whether a function in it does something that must not be done twice.
    pub(super) effects: bool,
    /// Whether it may give any number of rows.
    pub(super) scans: bool,
    /// Whether a function in it may change tables.
    pub(super) may_write: bool,
    /// How it locks rows, if it does.
    pub(super) row_lock: Option<LockStrength>,
    /// Whether a function or table in it runs statements of its own.
    pub(super) nested: bool,
    pub(super) bindings: Vec<Binding>,
}

/// Writes one statement.
pub(super) struct Emitter<'a> {
    pub(super) catalog: &'a Catalog,
    stored: &'a dyn StoredExpressions,
    pub(super) out: String,
    shapes: HashMap<RangeId, Shape>,
    /// Columns that are called otherwise here.
    renamed: HashMap<(RangeId, usize), Renamed>,
    ctes: HashMap<CteId, CteName>,
    /// The text that stands for [`ExprKind::Placeholder`], innermost last.
    placeholders: Vec<String>,
    /// The windows of the selects being written, innermost last.
    windows: Vec<Vec<Window>>,
    pub(super) needs: Needs,
    /// Row numbers that the next select gives after its targets, for row locks.
    row_numbers: Vec<String>,
    /// Row numbers that a subquery in FROM gives to those outside, who lock its rows.
    exposed: HashMap<RangeId, Vec<String>>,
    /// The locks that a subquery in FROM is to take itself for those outside.
    locking: HashMap<RangeId, Vec<RowLock>>,
    /// For the text of a LATERAL query: the outer expressions it uses, which become its parameters.
    outer: Option<Vec<Expr>>,
    /// The columns of ranges of no declared type.
    pub(super) records: RecordColumns,
    /// What the transaction has changed, and the number of the first parameter that tells it.
    pub(super) own: Option<(&'a OwnChanges, usize)>,
}

/// A WITH query as others refer to it.
#[derive(Clone)]
struct CteName {
    name: String,
    width: usize,
    /// What it is, for the text of a LATERAL query, which needs a copy; absent for buffered rows of a modifying part.
    definition: Option<Arc<Cte>>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(catalog: &'a Catalog, stored: &'a dyn StoredExpressions) -> Self {
        Self {
            catalog,
            stored,
            out: String::new(),
            shapes: HashMap::new(),
            renamed: HashMap::new(),
            ctes: HashMap::new(),
            placeholders: Vec::new(),
            windows: Vec::new(),
            needs: Needs::default(),
            row_numbers: Vec::new(),
            exposed: HashMap::new(),
            locking: HashMap::new(),
            outer: None,
            records: RecordColumns::default(),
            own: None,
        }
    }

    /// Takes the text written so far.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.out)
    }

    fn push(&mut self, text: &str) {
        self.out.push_str(text);
    }

    /// Writes items with a separator.
    fn list<T>(
        &mut self,
        items: &[T],
        separator: &str,
        mut each: impl FnMut(&mut Self, &T) -> Result<()>,
    ) -> Result<()> {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.push(separator);
            }
            each(self, item)?;
        }
        Ok(())
    }

    /// Runs `write` and takes out what it wrote.
    fn captured(&mut self, write: impl FnOnce(&mut Self) -> Result<()>) -> Result<String> {
        let before = std::mem::take(&mut self.out);
        let result = write(self);
        let text = std::mem::replace(&mut self.out, before);
        result.map(|()| text)
    }

    fn is_keyed(&self, ty: Oid) -> bool {
        storage_form(self.catalog, ty) == StorageForm::Keyed
    }

    /// What follows an expression that is compared, ordered or grouped: its collation, when it is not SQLite's BINARY.
    fn collate(&self, ty: Oid) -> &'static str {
        if self.is_keyed(ty) { " COLLATE \"pgkey\"" } else { "" }
    }

    /// Makes a host function known; its quoted name.
    fn need(&mut self, function: HostFunction) -> String {
        let name = quoted(function.name());
        self.needs.functions.entry(function.name().clone()).or_insert(function);
        name
    }

    /// Names a range table entry as a subquery of so many columns.
    pub(super) fn declare_positional(&mut self, range: RangeId, width: usize) {
        self.shapes.insert(range, Shape::Positional(width));
    }

    /// Gives a column another text.
    pub(super) fn rename(&mut self, range: RangeId, column: usize, text: String) {
        self.renamed.insert((range, column), Renamed::Text(text));
    }

    /// Lets the executor give a column's value; it takes a place only if it is used.
    pub(super) fn rename_lazily(&mut self, range: RangeId, column: usize, binding: Binding) {
        self.renamed.insert((range, column), Renamed::Binding(binding));
    }

    /// What a column is called instead of its own name.
    fn renamed(&mut self, range: RangeId, column: usize) -> Option<String> {
        match self.renamed.get(&(range, column))? {
            Renamed::Text(text) => Some(text.clone()),
            Renamed::Binding(binding) => {
                let binding = *binding;
                self.captured(|e| {
                    e.binding(binding);
                    Ok(())
                })
                .ok()
            }
        }
    }

    /// Names a WITH query whose rows the host has buffered, to be read from a host table of that name.
    pub(super) fn declare_buffered(&mut self, id: CteId, name: String, width: usize) {
        self.ctes.insert(id, CteName { name, width, definition: None });
    }

    fn relation_of(&self, range: RangeId) -> Oid {
        match self.shapes.get(&range) {
            Some(Shape::Table { relation, .. } | Shape::Host { relation, .. }) => *relation,
            _ => Oid::INVALID,
        }
    }

    /// Names the columns of a relation.
    pub(super) fn declare_relation(&mut self, range: RangeId, relation: Oid) -> Result<()> {
        let shape = self.relation_shape(relation)?;
        self.shapes.insert(range, shape);
        Ok(())
    }

    fn relation_shape(&self, relation: Oid) -> Result<Shape> {
        let attributes = self.catalog.attributes(relation);
        if self.is_host_relation(relation) {
            let columns = attributes.iter().map(|a| a.attname.clone()).collect();
            return Ok(Shape::Host { columns, relation });
        }
        let columns: Vec<Option<String>> =
            attributes.iter().map(|a| (!a.attisdropped).then(|| a.attname.clone())).collect();
        let rowid = rowid_name(&columns)?;
        Ok(Shape::Table { columns, rowid, relation })
    }

    /// Whether the host gives this relation's rows: the built-in catalogs and their views' functions, and sequences.
    fn is_host_relation(&self, relation: Oid) -> bool {
        relation < crate::oid::FIRST_NORMAL || self.catalog.class(relation).is_some_and(|c| c.relkind == 'S')
    }

    /// The name by which SQL text calls the row number of a target table, qualified.
    pub(super) fn rowid(&self, range: RangeId) -> Result<String> {
        match self.shapes.get(&range) {
            Some(Shape::Table { rowid, .. }) => Ok(format!("\"r{}\".\"{rowid}\"", range.0)),
            _ => Err(SqlError::internal("row number of something that is no table")),
        }
    }
}

/// The name of a table's row number that no column hides.
///
/// # Errors
/// `0A000` for a table with columns of all three names.
pub(crate) fn rowid_name(columns: &[Option<String>]) -> Result<&'static str> {
    ROWID_NAMES
        .into_iter()
        .find(|name| !columns.iter().flatten().any(|column| column.eq_ignore_ascii_case(name)))
        .ok_or_else(|| SqlError::unsupported("a table with columns named rowid, _rowid_ and oid"))
}

/// A name in double quotes.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
