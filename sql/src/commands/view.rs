//! Views, materialized views, and tables made from a query.
//!
//! A view's text is bound anew whenever it is used, under the search path of kept texts. So a text that would mean
//! something else under that path is refused.
//!
//! Source: `src/backend/commands/view.c`, `createas.c`, `matview.c`.

use std::sync::Arc;

use super::CommandContext;
use super::alter_table::{VIEW_OPTIONS, checked_options};
use super::dependency::{DependencyKind, ObjectAddress, record};
use super::table::{NewColumn, attnum};
use crate::bind::BindContext;
use crate::bound::{OutputColumn, Query, TypeMod};
use crate::catalog::{Class, Dependency, Rewrite};
use crate::locks::LockMode;
use crate::lower::quoted;
use crate::oid::relations;
use crate::parse::{
    CreateTableAs, CreateTableAsSource, CreateView, Persistence, QueryText, RefreshMaterializedView,
};
use crate::session::CommandTag;
use crate::types::format_type;
use crate::{Result, SqlError, error};

/// The rule that makes a view one (`ViewSelectRuleName`).
const RULE: &str = "_RETURN";

impl CommandContext<'_> {
    pub(super) fn create_view(&mut self, statement: &CreateView) -> Result<()> {
        match statement.persistence {
            Persistence::Permanent => {}
            Persistence::Temporary => return Err(SqlError::unsupported("CREATE TEMPORARY VIEW")),
            Persistence::Unlogged => {
                return Err(error!(
                    SYNTAX_ERROR,
                    "views cannot be unlogged because they do not have storage"
                ));
            }
        }
        let query = self.query_of_view(&statement.query)?;
        self.lock_read(&query)?;
        if statement.columns.len() > query.columns.len() {
            return Err(error!(SYNTAX_ERROR, "CREATE VIEW specifies more column names than columns"));
        }
        let columns = named(&query.columns, &statement.columns);
        let mut options: Vec<String> = checked_options(&statement.options, VIEW_OPTIONS)?
            .into_iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        options.extend(statement.check_option.map(|option| format!("check_option={option}")));
        let schema = self.creation_schema(&statement.name)?;
        let name = &statement.name.name;
        let class = match self.edit.class_named(schema.oid, name) {
            Some(present) if statement.or_replace => self.replace_view(&present, &columns)?,
            Some(_) => return Err(error!(DUPLICATE_TABLE, "relation \"{name}\" already exists")),
            None => {
                let columns = self.new_columns(&columns)?;
                self.insert_table(name, &schema, columns, 'v', &[])?
            }
        };
        let options = (!options.is_empty()).then_some(options);
        self.edit.change::<Class>(class.oid, |class| class.reloptions = options)?;
        self.insert_rule(&class, &statement.query, &query)
    }

    /// Binds the query of a view, and makes sure that its text means the same when it is bound again.
    fn query_of_view(&self, text: &QueryText) -> Result<Query> {
        let (query, parameters) =
            self.binding(&self.text, |context| crate::bind::bind_query(&text.query, context))?;
        if !parameters.is_empty() {
            return Err(error!(UNDEFINED_PARAMETER, "there is no parameter $1"));
        }
        let catalog = self.snapshot();
        let again = BindContext {
            catalog: &catalog,
            search_path: &crate::catalog::KEPT_SEARCH_PATH,
            format: &self.statement.format,
            text: &self.text,
            parameters: &[],
        };
        match crate::bind::bind_query(&text.query, &again) {
            Ok((same, _)) if same == query => Ok(query),
            _ => Err(SqlError::unsupported("a view whose names depend on search_path")
                .hint("Write the schema before the names of tables, functions and types that are not in schema public.")),
        }
    }

    fn new_columns(&self, columns: &[OutputColumn]) -> Result<Vec<NewColumn>> {
        let mut new = Vec::new();
        for column in columns {
            if self.edit.type_(column.ty.oid).is_some_and(|ty| ty.typtype == 'p') {
                let name = format_type(column.ty, self.edit, &self.search_path);
                return Err(error!(
                    INVALID_TABLE_DEFINITION,
                    "column \"{}\" has pseudo-type {name}", column.name
                ));
            }
            new.push(NewColumn {
                name: column.name.clone(),
                ty: column.ty,
                collation: Some(column.collation),
                not_null: false,
                default: None,
                identity: '\0',
                generated: false,
            });
        }
        Ok(new)
    }

    /// CREATE OR REPLACE VIEW: columns may be added at the end, nothing else.
    fn replace_view(&mut self, class: &Arc<Class>, columns: &[OutputColumn]) -> Result<Arc<Class>> {
        if class.relkind != 'v' {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a view", class.relname));
        }
        self.lock_relation(class.oid, LockMode::AccessExclusive)?;
        self.require_relation_owner(class)?;
        let present = self.edit.attributes(class.oid);
        if columns.len() < present.len() {
            return Err(error!(INVALID_TABLE_DEFINITION, "cannot drop columns from view"));
        }
        for (old, new) in present.iter().zip(columns) {
            if old.attname != new.name {
                return Err(error!(
                    INVALID_TABLE_DEFINITION,
                    "cannot change name of view column \"{}\" to \"{}\"", old.attname, new.name
                )
                .hint("Use ALTER VIEW ... RENAME COLUMN ... to change name of view column instead."));
            }
            let ty = TypeMod { oid: old.atttypid, modifier: old.atttypmod };
            if ty != new.ty {
                let name = |ty| format_type(ty, self.edit, &self.search_path);
                return Err(error!(
                    INVALID_TABLE_DEFINITION,
                    "cannot change data type of view column \"{}\" from {} to {}",
                    old.attname,
                    name(ty),
                    name(new.ty)
                ));
            }
        }
        for (index, column) in self.new_columns(columns)?.into_iter().enumerate().skip(present.len()) {
            self.insert_column(class, attnum(index)?, column)?;
        }
        let count = attnum(columns.len())? - 1;
        self.edit.change::<Class>(class.oid, |class| class.relnatts = count)
    }

    /// The rule of a view, in the place of the one it has, with what it needs.
    fn insert_rule(&mut self, class: &Class, text: &QueryText, query: &Query) -> Result<()> {
        let key = crate::catalog::keys::pg_rewrite_rel_rulename_index;
        let present = self.edit.relation::<Rewrite>().find_one(key, &[class.oid.into(), RULE.into()]);
        let oid = match present {
            Some(row) => row.oid,
            None => self.edit.allocate_oid(),
        };
        self.edit.put(Rewrite {
            oid,
            rulename: RULE.to_owned(),
            ev_class: class.oid,
            ev_type: '1',
            ev_enabled: 'O',
            is_instead: true,
            ev_qual: "<>".to_owned(),
            ev_action: text.text.clone(),
        })?;
        let rule = ObjectAddress::new(relations::PG_REWRITE, oid);
        let old: Vec<Arc<Dependency>> = self.edit.dependencies(rule.class, rule.object);
        for row in old {
            self.edit.delete_row(&*row);
        }
        let view = ObjectAddress::new(relations::PG_CLASS, class.oid);
        record(self.edit, rule, view, DependencyKind::Internal)?;
        for needed in super::references::of_query(query) {
            record(self.edit, rule, needed, DependencyKind::Normal)?;
        }
        // Views in the query have been expanded when it was bound: they are found by name.
        for name in crate::parse::relation_names(&text.query) {
            if let Some(used) = self.find_relation(&name)?
                && matches!(used.relkind, 'v' | 'm')
                && used.oid != class.oid
            {
                let used = ObjectAddress::new(relations::PG_CLASS, used.oid);
                record(self.edit, rule, used, DependencyKind::Normal)?;
            }
        }
        Ok(())
    }

    /// CREATE TABLE AS, SELECT INTO, CREATE MATERIALIZED VIEW.
    pub(super) fn create_table_as(&mut self, statement: &CreateTableAs, tag: &str) -> Result<CommandTag> {
        let done = |rows| CommandTag { command: rows_tag(tag, rows).to_owned(), rows };
        if statement.on_commit.is_some() && statement.persistence != Persistence::Temporary {
            return Err(super::table::on_commit_refused());
        }
        if statement.persistence == Persistence::Temporary {
            return Err(SqlError::unsupported("CREATE TEMPORARY TABLE"));
        }
        if statement.materialized_view && statement.persistence == Persistence::Unlogged {
            return Err(error!(FEATURE_NOT_SUPPORTED, "materialized views cannot be unlogged"));
        }
        let Some(schema) = self.new_relation_schema(&statement.name, statement.if_not_exists)? else {
            return Ok(done(None));
        };
        let CreateTableAsSource::Query(text) = &statement.source else {
            return Err(SqlError::unsupported("CREATE TABLE AS EXECUTE"));
        };
        let query =
            if statement.materialized_view { self.query_of_view(text)? } else { self.plain_query(text)? };
        self.lock_read(&query)?;
        if statement.columns.len() > query.columns.len() {
            return Err(error!(SYNTAX_ERROR, "too many column names were specified"));
        }
        let columns = self.new_columns(&named(&query.columns, &statement.columns))?;
        let kind = if statement.materialized_view { 'm' } else { 'r' };
        let class = self.insert_table(&statement.name.name, &schema, columns, kind, &statement.options)?;
        let class = self.with_persistence(class, statement.persistence)?;
        let sql = crate::execute::physical::create_table_sql(self.edit, class.oid)?;
        self.engine(&sql)?;
        if statement.materialized_view {
            self.insert_rule(&class, text, &query)?;
        }
        if !statement.with_data {
            let populated = !statement.materialized_view;
            self.edit.change::<Class>(class.oid, |class| class.relispopulated = populated)?;
            return Ok(done(None));
        }
        let count = self.fill(class.oid, query)?;
        Ok(done(Some(count)))
    }

    fn plain_query(&self, text: &QueryText) -> Result<Query> {
        let (query, parameters) =
            self.binding(&self.text, |context| crate::bind::bind_query(&text.query, context))?;
        if parameters.is_empty() {
            return Ok(query);
        }
        Err(error!(UNDEFINED_PARAMETER, "there is no parameter $1"))
    }

    pub(super) fn refresh_materialized_view(&mut self, statement: &RefreshMaterializedView) -> Result<()> {
        let class = self.relation(&statement.name)?;
        if !matches!(class.relkind, 'r' | 'm') {
            return Err(error!(
                WRONG_OBJECT_TYPE,
                "\"{}\" is not a table or materialized view", class.relname
            ));
        }
        self.require_relation_owner(&class)?;
        if class.relkind != 'm' {
            return Err(error!(FEATURE_NOT_SUPPORTED, "\"{}\" is not a materialized view", class.relname));
        }
        if statement.concurrently {
            self.check_concurrent_refresh(&class, statement.with_data)?;
        }
        if let Some(physical) = self.edit.physical_name(class.oid) {
            self.engine(&format!("DELETE FROM {}", quoted(&physical)))?;
        }
        if statement.with_data {
            let query = self.kept_query(&class)?;
            self.lock_read(&query)?;
            self.fill(class.oid, query)?;
        }
        let populated = statement.with_data;
        self.edit.change::<Class>(class.oid, |class| class.relispopulated = populated)?;
        Ok(())
    }

    fn check_concurrent_refresh(&self, class: &Class, with_data: bool) -> Result<()> {
        if !class.relispopulated {
            return Err(error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "CONCURRENTLY cannot be used when the materialized view is not populated"
            ));
        }
        if !with_data {
            return Err(error!(
                SYNTAX_ERROR,
                "CONCURRENTLY and WITH NO DATA options cannot be used together"
            ));
        }
        let indexes = self.edit.indexes(class.oid);
        if indexes.iter().any(|index| index.indisunique && !index.computes()) {
            return Ok(());
        }
        let name = self.qualified_words(class);
        let quoted = format!("\"{}\"", name.replace('"', ""));
        Err(error!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "cannot refresh materialized view {quoted} concurrently"
        )
        .hint("Create a unique index with no WHERE clause on one or more columns of the materialized view."))
    }

    /// The query that the catalog keeps for a view.
    fn kept_query(&self, class: &Class) -> Result<Query> {
        let text = self.edit.view_definition(class.oid);
        let text = text.ok_or_else(|| SqlError::internal("a view without a definition"))?;
        let tree = crate::parse::parse_query(&text)?;
        let catalog = self.snapshot();
        let context = BindContext {
            catalog: &catalog,
            search_path: &crate::catalog::KEPT_SEARCH_PATH,
            format: &self.statement.format,
            text: &text,
            parameters: &[],
        };
        crate::bind::bind_query(&tree, &context).map(|(query, _)| query)
    }

    /// A table has new columns: views that show all of them must not show more than they did.
    ///
    /// # Errors
    /// `0A000` naming a view that would.
    pub(super) fn check_views_of(&self, table: &Class) -> Result<()> {
        for row in self.edit.dependents(relations::PG_CLASS, table.oid) {
            if row.classid != relations::PG_REWRITE {
                continue;
            }
            let Some(rule) = self.edit.get::<Rewrite>(row.objid) else { continue };
            let Some(view) = self.edit.class(rule.ev_class) else { continue };
            if self.kept_query(&view)?.columns.len() != self.edit.attributes(view.oid).len() {
                return Err(SqlError::unsupported(format_args!(
                    "adding a column to a table of which view {} shows all columns",
                    view.relname
                )));
            }
        }
        Ok(())
    }
}

/// `SELECT` when rows were counted.
fn rows_tag(tag: &str, rows: Option<u64>) -> &str {
    if rows.is_some() { "SELECT" } else { tag }
}

/// Columns under the names that the statement gives them.
fn named(columns: &[OutputColumn], names: &[String]) -> Vec<OutputColumn> {
    let mut columns = columns.to_vec();
    for (column, name) in columns.iter_mut().zip(names) {
        column.name.clone_from(name);
    }
    columns
}
