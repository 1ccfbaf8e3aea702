//! Columns of tables that exist: added, dropped, changed.
//!
//! Source: `ATExecAddColumn`, `ATExecAlterColumnType` and their like in `src/backend/commands/tablecmds.c`.

use std::sync::Arc;

use super::CommandContext;
use super::alter_table::{OptionKind, checked_options};
use super::constraint::columns_in;
use super::dependency::{DependencyKind, DropBehavior, ObjectAddress, record};
use super::table::DefaultSource;
use crate::bind::EXPRESSION_RANGE;
use crate::bound::{Expr, ExprKind, TypeMod};
use crate::catalog::{Attribute, AttributeDefault, Class, Constraint, Index, Rewrite, Sequence};
use crate::execute::{CatalogExpressions, engine_error, physical};
use crate::lower::{Text, quoted, rowid_name};
use crate::oid::{relations, types};
use crate::parse::{AlterColumn, ColumnDefinition, Expression, Name, SequenceOption, TypeName};
use crate::types::format_type;
use crate::types::names::quote_identifier;
use crate::{Oid, Result, SqlError, SqlState, error};

/// The highest statistics target.
const STATISTICS_MAX: i64 = 10_000;
/// Column options, which only guide PostgreSQL's planner.
const COLUMN_OPTIONS: &[(&str, OptionKind)] = &[
    ("n_distinct", OptionKind::Fraction(-1.0, f64::MAX)),
    ("n_distinct_inherited", OptionKind::Fraction(-1.0, f64::MAX)),
];

impl CommandContext<'_> {
    pub(super) fn add_column(
        &mut self,
        class: &Class,
        column: &ColumnDefinition,
        if_not_exists: bool,
    ) -> Result<()> {
        if let Some(present) = self.edit.attribute_named(class.oid, &column.name) {
            if present.attnum < 0 {
                return Err(error!(
                    DUPLICATE_COLUMN,
                    "column name \"{}\" conflicts with a system column name", column.name
                ));
            }
            let message =
                format!("column \"{}\" of relation \"{}\" already exists", column.name, class.relname);
            if !if_not_exists {
                return Err(SqlError::new(SqlState::DUPLICATE_COLUMN, message));
            }
            self.notice(SqlState::DUPLICATE_COLUMN, format!("{message}, skipping"));
            return Ok(());
        }
        let mut wanted = Vec::new();
        let mut new = self.new_column(column, &mut wanted)?;
        let not_null = std::mem::take(&mut new.not_null);
        let draws = matches!(new.default, Some(DefaultSource::Sequence { .. }));
        let has_value =
            new.default.is_some() || self.edit.type_(new.ty.oid).is_some_and(|ty| ty.typtype == 'd');
        let attnum = class.relnatts + 1;
        self.insert_column(class, attnum, new)?;
        self.edit.change::<Class>(class.oid, |class| class.relnatts = attnum)?;
        let row = self.live_column(class, &column.name)?;
        let sql = physical::add_column_sql(self.edit, class.oid, &row)?;
        self.engine(&sql)?;
        if draws {
            self.fill_from_sequence(class, &row)?;
        } else if has_value && self.has_rows(class)? {
            let table = self.qualified(class)?;
            self.run_text(&format!("UPDATE {table} SET {} = DEFAULT", quote_identifier(&column.name)))?;
        }
        if not_null {
            self.set_not_null(class, &row)?;
        }
        for constraint in wanted {
            self.add_table_constraint(class, constraint)?;
        }
        self.check_views_of(class)
    }

    /// Gives each row the next value of the sequence that a new column owns. Functions do not see that sequence yet.
    fn fill_from_sequence(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        let rows = self.edit.dependents(relations::PG_CLASS, class.oid);
        let owned = rows.iter().filter(|row| row.refobjsubid == i32::from(column.attnum));
        let sequence = owned
            .filter_map(|row| Some((self.edit.sequence(row.objid)?, self.edit.class(row.objid)?)))
            .next();
        let (sequence, name) =
            sequence.ok_or_else(|| SqlError::internal("a serial column without a sequence"))?;
        let Some(physical) = self.edit.physical_name(class.oid) else { return Ok(()) };
        let names: Vec<Option<String>> = self
            .edit
            .attributes(class.oid)
            .iter()
            .map(|column| (!column.attisdropped).then(|| column.attname.clone()))
            .collect();
        let (table, row_number) = (quoted(&physical), quoted(rowid_name(&names)?));
        let numbers = format!("SELECT {row_number} FROM {table} ORDER BY {row_number}");
        let numbers = self.connection.query(&numbers, &[]).map_err(engine_error)?;
        let database = self.cluster.database(self.database)?;
        let sql = format!("UPDATE {table} SET {} = ?1 WHERE {row_number} = ?2", quoted(&column.attname));
        for number in numbers.into_iter().flatten() {
            let (value, _) = database.sequences.next(&sequence, &name.relname)?;
            self.connection.execute(&sql, &[value.into(), number]).map_err(engine_error)?;
        }
        Ok(())
    }

    fn set_not_null(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        self.check_no_nulls(class, column)?;
        self.change_column(class.oid, column.attnum, |column| column.attnotnull = true)
    }

    fn change_column(&mut self, table: Oid, attnum: i16, change: impl FnOnce(&mut Attribute)) -> Result<()> {
        self.edit.change::<Attribute>((table, attnum), change).map(drop)
    }

    pub(super) fn drop_column(
        &mut self,
        class: &Class,
        name: &str,
        if_exists: bool,
        cascade: bool,
    ) -> Result<()> {
        let column = match self.live_column(class, name) {
            Ok(column) => column,
            Err(error) if if_exists => {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if column.attnum < 0 {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot drop system column \"{name}\""));
        }
        let mut targets = vec![ObjectAddress::column(class.oid, column.attnum)];
        // They go silently, and first: the file does not let a column go that an index names.
        let indexes = self.expression_indexes_on(class, column.attnum)?;
        let indexes: Vec<_> =
            indexes.into_iter().map(|oid| ObjectAddress::new(relations::PG_CLASS, oid)).collect();
        self.drop_addresses(&indexes, DropBehavior::Restrict)?;
        for generated in self.generated_from(class, column.attnum)? {
            if !cascade {
                let (own, other) = (column_words(class, &column), column_words(class, &generated));
                return Err(error!(
                    DEPENDENT_OBJECTS_STILL_EXIST,
                    "cannot drop {own} because other objects depend on it"
                )
                .detail(format!("{other} depends on {own}"))
                .hint("Use DROP ... CASCADE to drop the dependent objects too."));
            }
            let message = format!("drop cascades to {}", column_words(class, &generated));
            self.notice(SqlState::SUCCESSFUL_COMPLETION, message);
            targets.push(ObjectAddress::column(class.oid, generated.attnum));
        }
        let behavior = if cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
        self.drop_addresses(&targets, behavior)
    }

    /// Takes a column that is marked as dropped out of the table in the file.
    pub(super) fn drop_stored_column(&mut self, table: Oid, name: &str) -> Result<()> {
        let Some(physical) = self.edit.physical_name(table) else { return Ok(()) };
        let alias = physical::row_number_alias(self.connection, &physical)?;
        let last = self.edit.attributes(table).iter().all(|column| column.attisdropped);
        if last || alias.is_some_and(|alias| alias.eq_ignore_ascii_case(name)) {
            return self.rewrite_table(table, None);
        }
        self.engine(&physical::drop_column_sql(&physical, name))
    }

    /// Indexes on expressions, or with predicates, that name a column.
    fn expression_indexes_on(&self, class: &Class, attnum: i16) -> Result<Vec<Oid>> {
        let mut found = Vec::new();
        for index in self.edit.indexes(class.oid).iter() {
            for text in index.indexprs.iter().map(|list| format!("ROW({list})")).chain(index.indpred.clone())
            {
                if columns_in(&self.bind_stored(&text, Some(class.oid))?).contains(&attnum) {
                    found.push(index.indexrelid);
                }
            }
        }
        found.dedup();
        Ok(found)
    }

    /// Generated columns that are computed from a column.
    fn generated_from(&self, class: &Class, attnum: i16) -> Result<Vec<Arc<Attribute>>> {
        let mut found = Vec::new();
        for column in self.edit.attributes(class.oid).iter().filter(|column| column.attgenerated == 's') {
            let Some(default) = self.edit.default_expression(class.oid, column.attnum) else { continue };
            if columns_in(&self.bind_stored(&default.adbin, Some(class.oid))?).contains(&attnum) {
                found.push(column.clone());
            }
        }
        Ok(found)
    }

    /// Binds a text that the catalog keeps.
    pub(super) fn bind_stored(&self, text: &str, relation: Option<Oid>) -> Result<Expr> {
        let tree = crate::parse::parse_expression(text)?;
        self.binding(text, |context| crate::bind::bind_expression(&tree, relation, None, context))
    }

    pub(super) fn alter_column(&mut self, class: &Class, name: &str, change: &AlterColumn) -> Result<()> {
        let column = self.live_column(class, name)?;
        if column.attnum < 0 {
            return Err(error!(FEATURE_NOT_SUPPORTED, "cannot alter system column \"{name}\""));
        }
        match change {
            AlterColumn::Type { data_type, collation, using } => {
                self.alter_type_of_column(class, &column, data_type, collation.as_ref(), using.as_ref())
            }
            AlterColumn::SetDefault(default) => self.set_default(class, &column, Some(default)),
            AlterColumn::DropDefault => self.set_default(class, &column, None),
            AlterColumn::SetNotNull if column.attnotnull => Ok(()),
            AlterColumn::SetNotNull => self.set_not_null(class, &column),
            AlterColumn::DropNotNull => self.drop_not_null(class, &column),
            AlterColumn::DropExpression { if_exists } => self.drop_expression(class, &column, *if_exists),
            AlterColumn::AddIdentity { always, options } => {
                self.add_identity(class, &column, *always, options)
            }
            AlterColumn::SetIdentity { always, options } => {
                self.set_identity(class, &column, *always, options)
            }
            AlterColumn::DropIdentity { if_exists } => self.drop_identity(class, &column, *if_exists),
            AlterColumn::SetStatistics(target) => self.set_statistics(class, &column, *target),
            AlterColumn::SetStorage(storage) => self.set_storage(class, &column, storage),
            AlterColumn::SetCompression(method) => self.set_compression(class, &column, method),
            AlterColumn::SetOptions(options) => {
                let mut kept = column.attoptions.clone().unwrap_or_default();
                for (name, text) in checked_options(options, COLUMN_OPTIONS)? {
                    kept.retain(|option| option.split_once('=').is_none_or(|(kept, _)| kept != name));
                    kept.push(format!("{name}={text}"));
                }
                self.change_column(class.oid, column.attnum, |column| column.attoptions = Some(kept))
            }
            AlterColumn::ResetOptions(options) => {
                let mut kept = column.attoptions.clone().unwrap_or_default();
                kept.retain(|kept| {
                    !options.iter().any(|option| kept.starts_with(&format!("{}=", option.name)))
                });
                let kept = (!kept.is_empty()).then_some(kept);
                self.change_column(class.oid, column.attnum, |column| column.attoptions = kept)
            }
        }
    }

    fn set_default(&mut self, class: &Class, column: &Attribute, default: Option<&Expression>) -> Result<()> {
        let hint = |error: SqlError, what: &str| match default {
            None => error.hint(format!("Use ALTER TABLE ... ALTER COLUMN ... DROP {what} instead.")),
            Some(_) => error,
        };
        let (name, table) = (&column.attname, &class.relname);
        if column.attidentity != '\0' {
            let refused =
                error!(SYNTAX_ERROR, "column \"{name}\" of relation \"{table}\" is an identity column");
            return Err(hint(refused, "IDENTITY"));
        }
        if column.attgenerated != '\0' {
            let refused =
                error!(SYNTAX_ERROR, "column \"{name}\" of relation \"{table}\" is a generated column");
            return Err(hint(refused, "EXPRESSION"));
        }
        self.forget_default(class, column)?;
        let Some(default) = default else { return Ok(()) };
        self.change_column(class.oid, column.attnum, |column| column.atthasdef = true)?;
        self.insert_default(class, column, DefaultSource::Written(default.clone()))
    }

    /// Removes a column's default or generation expression.
    fn forget_default(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        match self.edit.default_expression(class.oid, column.attnum) {
            Some(default) => self.remove(ObjectAddress::new(relations::PG_ATTRDEF, default.oid)),
            None => Ok(()),
        }
    }

    fn drop_not_null(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        if column.attidentity != '\0' {
            return Err(error!(
                SYNTAX_ERROR,
                "column \"{}\" of relation \"{}\" is an identity column", column.attname, class.relname
            ));
        }
        let keys = self.edit.indexes(class.oid);
        if keys.iter().any(|index| index.indisprimary && index.indkey.contains(&column.attnum)) {
            return Err(error!(
                INVALID_TABLE_DEFINITION,
                "column \"{}\" is in a primary key", column.attname
            ));
        }
        self.change_column(class.oid, column.attnum, |column| column.attnotnull = false)
    }

    fn drop_expression(&mut self, class: &Class, column: &Attribute, if_exists: bool) -> Result<()> {
        if column.attgenerated != 's' {
            let message = format!(
                "column \"{}\" of relation \"{}\" is not a stored generated column",
                column.attname, class.relname
            );
            if !if_exists {
                return Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message));
            }
            self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{message}, skipping"));
            return Ok(());
        }
        self.forget_default(class, column)?;
        self.change_column(class.oid, column.attnum, |column| column.attgenerated = '\0')
    }

    fn add_identity(
        &mut self,
        class: &Class,
        column: &Attribute,
        always: bool,
        options: &[SequenceOption],
    ) -> Result<()> {
        let refuse = |what: &str| {
            let message = format!("column \"{}\" of relation \"{}\" {what}", column.attname, class.relname);
            Err(SqlError::new(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE, message))
        };
        if !column.attnotnull {
            return refuse("must be declared NOT NULL before identity can be added");
        }
        if column.attidentity != '\0' {
            return refuse("is already an identity column");
        }
        if column.atthasdef {
            return refuse("already has a default value");
        }
        let letter = if always { 'a' } else { 'd' };
        self.create_owned_sequence(class, column, options, true)?;
        self.change_column(class.oid, column.attnum, |column| column.attidentity = letter)
    }

    fn set_identity(
        &mut self,
        class: &Class,
        column: &Attribute,
        always: Option<bool>,
        options: &[SequenceOption],
    ) -> Result<()> {
        let sequence = self.identity_sequence(class, column)?;
        if !options.is_empty()
            && let Some(sequence) = self.edit.class(sequence)
        {
            self.change_sequence(&sequence, options)?;
        }
        match always {
            Some(always) => {
                let letter = if always { 'a' } else { 'd' };
                self.change_column(class.oid, column.attnum, |column| column.attidentity = letter)
            }
            None => Ok(()),
        }
    }

    fn drop_identity(&mut self, class: &Class, column: &Attribute, if_exists: bool) -> Result<()> {
        let sequence = match self.identity_sequence(class, column) {
            Ok(sequence) => sequence,
            Err(error) if if_exists => {
                self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{}, skipping", error.message()));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.change_column(class.oid, column.attnum, |column| column.attidentity = '\0')?;
        self.remove(ObjectAddress::new(relations::PG_CLASS, sequence))
    }

    fn identity_sequence(&self, class: &Class, column: &Attribute) -> Result<Oid> {
        let catalog = self.snapshot();
        let found = self.stored_expressions(&catalog).identity_sequence(class.oid, column);
        found.ok_or_else(|| {
            error!(
                OBJECT_NOT_IN_PREREQUISITE_STATE,
                "column \"{}\" of relation \"{}\" is not an identity column", column.attname, class.relname
            )
        })
    }

    fn stored_expressions<'c>(&'c self, catalog: &'c Arc<crate::catalog::Catalog>) -> CatalogExpressions<'c> {
        CatalogExpressions { catalog, format: &self.statement.format }
    }

    fn set_statistics(&mut self, class: &Class, column: &Attribute, target: i64) -> Result<()> {
        if target < -1 {
            return Err(error!(INVALID_PARAMETER_VALUE, "statistics target {target} is too low"));
        }
        if target > STATISTICS_MAX {
            let message = format!("lowering statistics target to {STATISTICS_MAX}");
            self.warning(SqlState::INVALID_PARAMETER_VALUE, message);
        }
        let target = i32::try_from(target.min(STATISTICS_MAX)).unwrap_or(-1);
        self.change_column(class.oid, column.attnum, |column| column.attstattarget = target)
    }

    /// How PostgreSQL would store long values; nothing here depends on it.
    fn set_storage(&mut self, class: &Class, column: &Attribute, storage: &str) -> Result<()> {
        let letter = match storage.to_ascii_lowercase().as_str() {
            "plain" => 'p',
            "external" => 'e',
            "extended" => 'x',
            "main" => 'm',
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "invalid storage type \"{storage}\"")),
        };
        if letter != 'p' && !self.may_be_long(column) {
            let name = format_type(TypeMod::plain(column.atttypid), self.edit, &self.search_path);
            return Err(error!(FEATURE_NOT_SUPPORTED, "column data type {name} can only have storage PLAIN"));
        }
        self.change_column(class.oid, column.attnum, |column| column.attstorage = letter)
    }

    /// How PostgreSQL would compress long values; nothing here depends on it.
    fn set_compression(&mut self, class: &Class, column: &Attribute, method: &str) -> Result<()> {
        if !self.may_be_long(column) {
            let name = format_type(TypeMod::plain(column.atttypid), self.edit, &self.search_path);
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "column data type {name} does not support compression"
            ));
        }
        let letter = match method {
            "pglz" => 'p',
            "lz4" => 'l',
            "default" => '\0',
            _ => return Err(error!(INVALID_PARAMETER_VALUE, "invalid compression method \"{method}\"")),
        };
        self.change_column(class.oid, column.attnum, |column| column.attcompression = letter)
    }

    fn may_be_long(&self, column: &Attribute) -> bool {
        self.edit.type_(column.atttypid).is_some_and(|ty| ty.typstorage != 'p')
    }
}

/// ALTER COLUMN TYPE.
impl CommandContext<'_> {
    fn alter_type_of_column(
        &mut self,
        class: &Class,
        column: &Arc<Attribute>,
        data_type: &TypeName,
        collation: Option<&Name>,
        using: Option<&Expression>,
    ) -> Result<()> {
        self.refuse_dependents(class, column)?;
        self.lock_foreign_keys_of(class, column.attnum)?;
        let new = self.type_name(data_type)?;
        if self.edit.type_(new.oid).is_some_and(|ty| ty.typtype == 'p') {
            let name = format_type(new, self.edit, &self.search_path);
            return Err(error!(
                INVALID_TABLE_DEFINITION,
                "column \"{}\" has pseudo-type {name}", column.attname
            ));
        }
        let collation = match collation {
            Some(name) => self.collation(name)?,
            None => self.edit.type_(new.oid).map_or(Oid::INVALID, |ty| ty.typcollation),
        };
        let value = self.converted_column(class, column, new, using)?;
        let text = self.column_text(class, &value)?;
        let default = self.converted_default(class, column, new)?;
        let template = super::new_rows::attribute(self.edit, class.oid, column.attnum, &column.attname, new);
        self.change_column(class.oid, column.attnum, |row| {
            row.atttypid = template.atttypid;
            row.atttypmod = template.atttypmod;
            row.attlen = template.attlen;
            row.attbyval = template.attbyval;
            row.attalign = template.attalign;
            row.attstorage = template.attstorage;
            row.attndims = template.attndims;
            row.attcompression = '\0';
            row.attcollation = collation;
        })?;
        self.depend_on_type(ObjectAddress::column(class.oid, column.attnum), new.oid)?;
        if let (Some(old), Some(text)) = (self.edit.default_expression(class.oid, column.attnum), default) {
            self.edit.change::<AttributeDefault>(old.oid, |row| row.adbin = text)?;
        }
        self.adapt_identity(class, column, new)?;
        self.adapt_indexes(class, column.attnum)?;
        self.adapt_constraints(class, column.attnum)?;
        self.rewrite_table(class.oid, Some((column.attname.clone(), text)))?;
        self.check_again(class, column)
    }

    /// Views and generated columns would show other values: they must be dropped first.
    fn refuse_dependents(&self, class: &Class, column: &Attribute) -> Result<()> {
        if let Some(generated) = self.generated_from(class, column.attnum)?.first() {
            return Err(error!(
                FEATURE_NOT_SUPPORTED,
                "cannot alter type of a column used by a generated column"
            )
            .detail(format!(
                "Column \"{}\" is used by generated column \"{}\".",
                column.attname, generated.attname
            )));
        }
        for row in self.edit.dependents(relations::PG_CLASS, class.oid) {
            if row.classid == relations::PG_REWRITE && row.refobjsubid == i32::from(column.attnum) {
                let rule = self.describe(ObjectAddress::new(relations::PG_REWRITE, row.objid));
                return Err(error!(
                    FEATURE_NOT_SUPPORTED,
                    "cannot alter type of a column used by a view or rule"
                )
                .detail(format!("{rule} depends on column \"{}\"", column.attname)));
            }
        }
        Ok(())
    }

    /// The column's new value over the old row.
    fn converted_column(
        &self,
        class: &Class,
        column: &Attribute,
        new: TypeMod,
        using: Option<&Expression>,
    ) -> Result<Expr> {
        let expr = match using {
            Some(using) => self.binding(&self.text, |context| {
                crate::bind::bind_expression(&using.expr, Some(class.oid), None, context)
            })?,
            None => Expr {
                kind: ExprKind::Column {
                    range: EXPRESSION_RANGE,
                    column: usize::try_from(column.attnum - 1).unwrap_or(0),
                },
                ty: TypeMod { oid: column.atttypid, modifier: column.atttypmod },
                collation: column.attcollation,
            },
        };
        let name = &column.attname;
        self.assigned(expr, new, name).map_err(|error| {
            if error.code() != SqlState::DATATYPE_MISMATCH {
                return error;
            }
            let ty = format_type(new, self.edit, &self.search_path);
            match using {
                Some(_) => error!(
                    DATATYPE_MISMATCH,
                    "result of USING clause for column \"{name}\" cannot be cast automatically to type {ty}"
                )
                .hint("You might need to add an explicit cast."),
                None => {
                    error!(DATATYPE_MISMATCH, "column \"{name}\" cannot be cast automatically to type {ty}")
                        .hint(format!(
                            "You might need to specify \"USING {}::{ty}\".",
                            quote_identifier(name)
                        ))
                }
            }
        })
    }

    fn assigned(&self, expr: Expr, new: TypeMod, column: &str) -> Result<Expr> {
        self.binding(&self.text, |context| crate::bind::assign(expr, new, column, context))
    }

    /// An expression over the columns of a table as SQLite text.
    fn column_text(&self, class: &Class, expr: &Expr) -> Result<Text> {
        let catalog = self.snapshot();
        let stored = self.stored_expressions(&catalog);
        let columns: Vec<String> =
            catalog.attributes(class.oid).iter().map(|column| column.attname.clone()).collect();
        crate::lower::index_expression(&catalog, &stored, EXPRESSION_RANGE, &columns, expr)
    }

    fn converted_default(&self, class: &Class, column: &Attribute, new: TypeMod) -> Result<Option<String>> {
        let Some(default) = self.edit.default_expression(class.oid, column.attnum) else { return Ok(None) };
        let relation = (column.attgenerated == 's').then_some(class.oid);
        let expr = self.bind_stored(&default.adbin, relation)?;
        let expr = self.assigned(expr, new, &column.attname).map_err(|error| {
            if error.code() != SqlState::DATATYPE_MISMATCH {
                return error;
            }
            let ty = format_type(new, self.edit, &self.search_path);
            error!(
                DATATYPE_MISMATCH,
                "default for column \"{}\" cannot be cast automatically to type {ty}", column.attname
            )
        })?;
        crate::deparse::expression(&expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, relation).map(Some)
    }

    /// An identity column's sequence follows its type.
    fn adapt_identity(&mut self, class: &Class, column: &Attribute, new: TypeMod) -> Result<()> {
        if column.attidentity == '\0' {
            return Ok(());
        }
        let limit = match new.oid {
            types::INT2 => i64::from(i16::MAX),
            types::INT4 => i64::from(i32::MAX),
            types::INT8 => i64::MAX,
            _ => {
                return Err(error!(
                    INVALID_PARAMETER_VALUE,
                    "identity column type must be smallint, integer, or bigint"
                ));
            }
        };
        let sequence = self.identity_sequence(class, column)?;
        self.edit.change::<Sequence>(sequence, |row| {
            row.seqtypid = new.oid;
            if matches!(row.seqmax, 0x7fff | 0x7fff_ffff | i64::MAX) {
                row.seqmax = limit;
            }
        })?;
        Ok(())
    }

    /// Indexes on the column compare by its new type.
    fn adapt_indexes(&mut self, class: &Class, attnum: i16) -> Result<()> {
        for index in self.edit.indexes(class.oid).iter() {
            let mut row: Index = (**index).clone();
            for position in 0..row.indkey.len() {
                if row.indkey[position] != attnum {
                    continue;
                }
                let Some(column) = self.edit.attribute(class.oid, attnum) else { continue };
                if let Some(operators) = row.indclass.get_mut(position) {
                    *operators = self.default_class(column.atttypid)?;
                    row.indcollation[position] = column.attcollation;
                }
                let own = super::table::attnum(position)?;
                let ty = TypeMod { oid: column.atttypid, modifier: column.atttypmod };
                let template =
                    super::new_rows::attribute(self.edit, index.indexrelid, own, &column.attname, ty);
                self.edit.put(Attribute { attcollation: column.attcollation, ..template })?;
            }
            for text in row.indexprs.iter_mut() {
                *text = self.bound_again(&format!("ROW({text})"), class)?.0;
            }
            for text in row.indpred.iter_mut() {
                *text = self.bound_again(text, class)?.0;
            }
            if row != **index {
                self.edit.update(row)?;
            }
        }
        Ok(())
    }

    /// A kept text bound against the present types, as text again; of a ROW its fields.
    fn bound_again(&self, text: &str, class: &Class) -> Result<(String, Expr)> {
        let expr = self.bind_stored(text, Some(class.oid))?;
        let print = |expr: &Expr| {
            crate::deparse::expression(expr, self.edit, &crate::catalog::KEPT_SEARCH_PATH, Some(class.oid))
        };
        let text = match &expr.kind {
            ExprKind::Row(fields) => fields.iter().map(print).collect::<Result<Vec<_>>>()?.join(", "),
            _ => print(&expr)?,
        };
        Ok((text, expr))
    }

    /// Checks and foreign keys on the column compare by its new type.
    fn adapt_constraints(&mut self, class: &Class, attnum: i16) -> Result<()> {
        let own = self.edit.constraints(class.oid);
        let referencing = self.edit.referencing_constraints(class.oid);
        let mut done: Vec<Oid> = Vec::new();
        for constraint in own.iter().chain(referencing.iter()) {
            if done.contains(&constraint.oid) {
                continue;
            }
            done.push(constraint.oid);
            let names = |keys: &Option<Vec<i16>>| keys.as_ref().is_some_and(|keys| keys.contains(&attnum));
            match (constraint.contype, &constraint.conbin) {
                ('c', Some(text)) if names(&constraint.conkey) => {
                    let text = self.bound_again(text, class)?.0;
                    self.edit.change::<Constraint>(constraint.oid, |row| row.conbin = Some(text))?;
                }
                ('f', _) if names(&constraint.conkey) || names(&constraint.confkey) => {
                    self.adapt_foreign_key(constraint)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn adapt_foreign_key(&mut self, constraint: &Constraint) -> Result<()> {
        let missing = || SqlError::internal("a foreign key without its tables");
        let class = self.edit.class(constraint.conrelid).ok_or_else(missing)?;
        let referenced = self.edit.class(constraint.confrelid).ok_or_else(missing)?;
        let (mut pf, mut pp, mut ff) = (Vec::new(), Vec::new(), Vec::new());
        for (own, their) in constraint.conkey.iter().flatten().zip(constraint.confkey.iter().flatten()) {
            let (a, b) = (self.column_type(class.oid, *own), self.column_type(referenced.oid, *their));
            let name = &constraint.conname;
            pf.push(self.foreign_key_operator(name, &class, &referenced, (*own, a), (*their, b))?);
            pp.push(self.equality(b)?);
            ff.push(self.equality(a)?);
        }
        self.edit.change::<Constraint>(constraint.oid, |row| {
            (row.conpfeqop, row.conppeqop, row.conffeqop) = (Some(pf), Some(pp), Some(ff));
        })?;
        Ok(())
    }

    /// The new values must satisfy what the old ones did.
    fn check_again(&mut self, class: &Class, column: &Attribute) -> Result<()> {
        if column.attnotnull {
            self.check_no_nulls(class, column)?;
        }
        let names = |keys: &Option<Vec<i16>>| keys.as_ref().is_some_and(|keys| keys.contains(&column.attnum));
        for constraint in self.edit.constraints(class.oid).iter() {
            if constraint.convalidated && names(&constraint.conkey) {
                self.check_rows(class, constraint)?;
            }
        }
        for constraint in self.edit.referencing_constraints(class.oid).iter() {
            let Some(referencing) = self.edit.class(constraint.conrelid) else { continue };
            if constraint.convalidated && names(&constraint.confkey) {
                self.check_rows(&referencing, constraint)?;
            }
        }
        Ok(())
    }

    /// Views that would have to be written anew when a name in them changes, as messages tell them.
    pub(super) fn views_on(&self, class: Oid, object: Oid, column: i32) -> Option<String> {
        let rows = self.edit.dependents(class, object);
        let rule = rows
            .iter()
            .find(|row| row.classid == relations::PG_REWRITE && (column == 0 || row.refobjsubid == column))?;
        let view = self.edit.get::<Rewrite>(rule.objid)?.ev_class;
        (view != object).then(|| self.describe(ObjectAddress::new(relations::PG_CLASS, view)))
    }

    /// Records what a kept default needs: sequences, functions, types.
    pub(super) fn record_default_needs(
        &mut self,
        default: Oid,
        text: &str,
        relation: Option<Oid>,
    ) -> Result<()> {
        let expr = self.bind_stored(text, relation)?;
        let address = ObjectAddress::new(relations::PG_ATTRDEF, default);
        for needed in super::references::of_expression(&expr) {
            record(self.edit, address, needed, DependencyKind::Normal)?;
        }
        Ok(())
    }
}

fn column_words(class: &Class, column: &Attribute) -> String {
    format!("column {} of table {}", quote_identifier(&column.attname), quote_identifier(&class.relname))
}
