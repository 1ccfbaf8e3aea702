//! Statements that commands run themselves, and the checks of rows that exist already when a constraint is added.
//!
//! The statements are SQL text with quoted, qualified names, as PostgreSQL's own validation queries are.
//!
//! Source: `ATRewriteTable` in `src/backend/commands/tablecmds.c`; `RI_Initial_Check` in `ri_triggers.c`.

use std::sync::Arc;

use super::CommandContext;
use super::naming::quoted_name;
use crate::bound::{BoundStatement, Query, Statement};
use crate::catalog::{Attribute, Class, Constraint, Index};
use crate::execute::{self, Cursor};
use crate::lower::quoted;
use crate::parse::Node;
use crate::session::StatementContext;
use crate::types::names::quote_identifier;
use crate::{ObjectNames, Oid, Result, SqlError, SqlState, Value, error};

impl CommandContext<'_> {
    /// The statement's context with the catalog as changed so far.
    pub(super) fn present_statement(&self) -> Arc<StatementContext> {
        let statement = self.statement;
        Arc::new(StatementContext {
            catalog: self.snapshot(),
            format: statement.format.clone(),
            search_path: self.search_path.as_slice().into(),
            statement_time: statement.statement_time,
            session: statement.session.clone(),
            buffered: parking_lot::Mutex::default(),
        })
    }

    /// Runs a statement of the command's own; its rows.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) fn run_text(&mut self, text: &str) -> Result<Vec<Vec<Value>>> {
        let parsed = crate::parse::parse(text)?;
        let Some(Node::Sql(tree)) = parsed.into_iter().next().map(|statement| statement.node) else {
            return Err(SqlError::internal("a command's own statement is none"));
        };
        let bound = self.binding(text, |context| crate::bind::bind(&tree, context))?;
        self.run_bound(&bound)
    }

    /// Runs a bound statement over the catalog as changed so far; its rows.
    ///
    /// # Errors
    /// Those of the statement.
    pub(super) fn run_bound(&mut self, bound: &BoundStatement) -> Result<Vec<Vec<Value>>> {
        let context = self.present_statement();
        let plan = self.binding("", |binding| execute::make_plan(bound, binding))?;
        let rows = if plan.read_only {
            let mut cursor = Cursor::open(self.connection, &plan, &[], &context)?;
            let columns = cursor.columns();
            let mut rows = Vec::new();
            while let Some(row) = cursor.next(self.connection)? {
                rows.push((0..columns).map(|column| row.get(column).to_owned()).collect());
            }
            rows
        } else {
            let mut deferred = Vec::new();
            let modified = execute::run_modify(self.connection, &plan, &[], &context, &mut deferred)?;
            execute::settle_deferred(self.connection, &context, &deferred)?;
            modified.rows
        };
        self.connection.set_context(Some(self.statement.clone()));
        Ok(rows)
    }

    /// Inserts the rows of a query into a table that has just been made; how many.
    ///
    /// # Errors
    /// Those of the query.
    pub(super) fn fill(&mut self, table: Oid, query: Query) -> Result<u64> {
        let context = self.present_statement();
        let statement = Arc::new(Statement::Query(Box::new(query)));
        let bound = BoundStatement {
            statement,
            parameters: Vec::new(),
            views: Vec::new(),
            inlined: Vec::new(),
            records: Arc::default(),
        };
        let plan = self.binding("", |binding| execute::make_plan(&bound, binding))?;
        if !plan.read_only {
            return Err(SqlError::unsupported("a data-modifying statement in WITH as the source of a table"));
        }
        let given: Vec<usize> = (0..self.edit.attributes(table).len()).collect();
        let mut inserter =
            self.binding("", |binding| execute::RowInserter::new(binding, table, given.clone()))?;
        let mut cursor = Cursor::open(self.connection, &plan, &[], &context)?;
        let mut count = 0;
        while let Some(row) = cursor.next(self.connection)? {
            let values = given.iter().map(|column| row.get(*column).to_owned()).collect();
            inserter.insert(self.connection, &context, values)?;
            count += 1;
        }
        drop(cursor);
        inserter.finish(self.connection, &context, &mut Vec::new())?;
        self.connection.set_context(Some(self.statement.clone()));
        Ok(count)
    }

    /// The relation as SQL text names it.
    pub(super) fn qualified(&self, class: &Class) -> Result<String> {
        Ok(quoted_name(&self.schema_of(class.relnamespace)?.nspname, &class.relname))
    }

    /// The names that an error about a relation carries.
    pub(super) fn concerning(
        &self,
        class: &Class,
        column: Option<&str>,
        constraint: Option<&str>,
    ) -> ObjectNames {
        ObjectNames {
            schema: self.edit.namespace(class.relnamespace).map(|schema| schema.nspname.clone()),
            table: Some(class.relname.clone()),
            column: column.map(str::to_owned),
            constraint: constraint.map(str::to_owned),
            ..ObjectNames::default()
        }
    }

    /// # Errors
    /// `23502` when a column has NULLs.
    pub(super) fn check_no_nulls(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        let Some(physical) = self.edit.physical_name(class.oid) else { return Ok(()) };
        let sql =
            format!("SELECT 1 FROM {} WHERE {} IS NULL LIMIT 1", quoted(&physical), quoted(&column.attname));
        if self.connection.query(&sql, &[]).map_err(execute::engine_error)?.is_empty() {
            return Ok(());
        }
        let message =
            format!("column \"{}\" of relation \"{}\" contains null values", column.attname, class.relname);
        let names = self.concerning(class, Some(&column.attname), None);
        Err(SqlError::new(SqlState::NOT_NULL_VIOLATION, message).concerning(names))
    }

    /// Checks the rows of a table against a constraint that has been added to its catalog rows.
    ///
    /// # Errors
    /// `23514`, `23503`.
    pub(super) fn check_rows(&mut self, class: &Class, constraint: &Constraint) -> Result<()> {
        match constraint.contype {
            'c' => self.check_condition(class, constraint),
            'f' => self.check_references(class, constraint),
            _ => Ok(()),
        }
    }

    fn check_condition(&mut self, class: &Class, constraint: &Constraint) -> Result<()> {
        let Some(condition) = &constraint.conbin else { return Ok(()) };
        let text = format!("SELECT 1 FROM {} WHERE NOT ({condition}) LIMIT 1", self.qualified(class)?);
        if self.run_text(&text)?.is_empty() {
            return Ok(());
        }
        let name = &constraint.conname;
        let message =
            format!("check constraint \"{name}\" of relation \"{}\" is violated by some row", class.relname);
        let names = self.concerning(class, None, Some(name));
        Err(SqlError::new(SqlState::CHECK_VIOLATION, message).concerning(names))
    }

    fn check_references(&mut self, class: &Class, constraint: &Constraint) -> Result<()> {
        let referenced = self.edit.class(constraint.confrelid);
        let referenced = referenced.ok_or_else(|| SqlError::internal("a foreign key to nothing"))?;
        let own = self.column_names(class.oid, constraint.conkey.as_deref());
        let theirs = self.column_names(referenced.oid, constraint.confkey.as_deref());
        let pairs: Vec<(String, String)> =
            own.iter().zip(&theirs).map(|(a, b)| (quote_identifier(a), quote_identifier(b))).collect();
        let list = |item: &dyn Fn(&(String, String)) -> String, between: &str| {
            pairs.iter().map(item).collect::<Vec<_>>().join(between)
        };
        let present = list(&|(a, _)| format!("f.{a} IS NOT NULL"), " AND ");
        let absent = list(&|(a, _)| format!("f.{a} IS NULL"), " AND ");
        let equal = list(&|(a, b)| format!("p.{b} = f.{a}"), " AND ");
        let full = constraint.confmatchtype == 'f';
        let condition = if full { format!("NOT ({absent})") } else { present };
        let text = format!(
            "SELECT {} FROM {} AS f WHERE {condition} AND NOT EXISTS (SELECT 1 FROM {} AS p WHERE {equal}) LIMIT 1",
            list(&|(a, _)| format!("f.{a}"), ", "),
            self.qualified(class)?,
            self.qualified(&referenced)?,
        );
        let Some(row) = self.run_text(&text)?.into_iter().next() else { return Ok(()) };
        let message = format!(
            "insert or update on table \"{}\" violates foreign key constraint \"{}\"",
            class.relname, constraint.conname
        );
        let names = self.concerning(class, None, Some(&constraint.conname));
        let detail = if full && row.iter().any(Value::is_null) {
            "MATCH FULL does not allow mixing of null and nonnull key values.".to_owned()
        } else {
            let key = self.key_words(class, constraint.conkey.as_deref().unwrap_or_default(), &row);
            format!("Key {key} is not present in table \"{}\".", referenced.relname)
        };
        Err(SqlError::new(SqlState::FOREIGN_KEY_VIOLATION, message).detail(detail).concerning(names))
    }

    fn column_names(&self, relation: Oid, attnums: Option<&[i16]>) -> Vec<String> {
        let name = |attnum: &i16| self.edit.attribute(relation, *attnum).map(|row| row.attname.clone());
        attnums.unwrap_or_default().iter().filter_map(name).collect()
    }

    /// `(a, b)=(1, 2)`.
    fn key_words(&self, class: &Class, attnums: &[i16], values: &[Value]) -> String {
        let context = self.present_statement();
        let text = |(attnum, value): (&i16, &Value)| {
            let ty = self.edit.attribute(class.oid, *attnum).map_or(Oid::INVALID, |row| row.atttypid);
            if value.is_null() {
                return "null".to_owned();
            }
            crate::types::to_text(ty, value.as_ref(), &context.type_context()).unwrap_or_default()
        };
        let values: Vec<String> = attnums.iter().zip(values).map(text).collect();
        format!("({})=({})", self.column_names(class.oid, Some(attnums)).join(", "), values.join(", "))
    }

    /// Makes an index over rows that exist; duplicates are named. A primary key that can be the row number becomes it: the
    /// table is made anew, in that order.
    ///
    /// # Errors
    /// `23505` with DETAIL.
    pub(super) fn make_index_over_rows(&mut self, class: &Class, index: &Index) -> Result<()> {
        let made = if execute::physical::is_row_number_index(self.edit, index) {
            self.rewrite_table(class.oid, None)
        } else {
            self.make_index(class, index)
        };
        let Err(error) = made else { return Ok(()) };
        if error.code() != SqlState::UNIQUE_VIOLATION || index.indkey.contains(&0) || index.indpred.is_some()
        {
            return Err(error);
        }
        let count = usize::try_from(index.indnkeyatts).unwrap_or(0).min(index.indkey.len());
        let keys = &index.indkey[..count];
        let names = self.column_names(class.oid, Some(keys));
        let columns = names.iter().map(|name| quote_identifier(name)).collect::<Vec<_>>().join(", ");
        let present: Vec<String> =
            names.iter().map(|name| format!("{} IS NOT NULL", quote_identifier(name))).collect();
        let condition = if index.indnullsnotdistinct { "true".to_owned() } else { present.join(" AND ") };
        let text = format!(
            "SELECT {columns} FROM {} WHERE {condition} GROUP BY {columns} HAVING count(*) > 1 LIMIT 1",
            self.qualified(class)?
        );
        match self.run_text(&text)?.into_iter().next() {
            Some(row) => {
                let key = self.key_words(class, keys, &row);
                Err(error.detail(format!("Key {key} is duplicated.")).concerning(self.concerning(
                    class,
                    None,
                    self.edit.class(index.indexrelid).as_ref().map(|class| class.relname.as_str()),
                )))
            }
            None => Err(error),
        }
    }

    /// Whether a relation has rows.
    pub(super) fn has_rows(&mut self, class: &Class) -> Result<bool> {
        let Some(physical) = self.edit.physical_name(class.oid) else { return Ok(false) };
        let sql = format!("SELECT 1 FROM {} LIMIT 1", quoted(&physical));
        Ok(!self.connection.query(&sql, &[]).map_err(execute::engine_error)?.is_empty())
    }
}

/// The error of a relation that is missing an object of some kind.
pub(super) fn no_constraint(name: &str, class: &Class) -> SqlError {
    error!(UNDEFINED_OBJECT, "constraint \"{name}\" of relation \"{}\" does not exist", class.relname)
}
