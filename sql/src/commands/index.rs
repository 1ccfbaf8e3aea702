//! CREATE INDEX, and the indexes under PRIMARY KEY and UNIQUE constraints.

use std::sync::Arc;

use super::dependency::{DependencyKind, ObjectAddress, record};
use super::table::attnum;
use super::{CommandContext, new_rows};
use crate::bound::{Expr, TypeMod};
use crate::catalog::{Class, Index};
use crate::execute::physical;
use crate::oid::relations;
use crate::parse::{CreateIndex, IndexElement, plain_column};
use crate::types::text::NAME_LENGTH_MAX as NAME_BYTES_MAX;
use crate::{Oid, Result, SqlError, SqlState, error};

/// `pg_index.indoption` bits.
const DESCENDING: i16 = 1;
const NULLS_FIRST: i16 = 2;

/// The most columns of an index (`INDEX_MAX_KEYS`).
const KEYS_MAX: usize = 32;

/// An index on its way into the catalog.
pub(super) struct NewIndex {
    pub(super) name: String,
    pub(super) keys: Vec<NewKey>,
    pub(super) include: Vec<i16>,
    pub(super) unique: bool,
    pub(super) primary: bool,
    pub(super) nulls_not_distinct: bool,
    /// Whether the constraint over it is checked at once.
    pub(super) immediate: bool,
    pub(super) predicate: Option<String>,
}

/// A key of an index: a column, or an expression as the catalog's text with its type.
pub(super) struct NewKey {
    pub(super) column: i16,
    pub(super) expression: Option<(String, TypeMod, String)>,
    pub(super) option: i16,
    pub(super) collation: Option<Oid>,
    pub(super) class: Option<Oid>,
}

impl NewKey {
    /// A plain column in ascending order.
    pub(super) fn column(column: i16) -> Self {
        Self { column, expression: None, option: 0, collation: None, class: None }
    }
}

impl CommandContext<'_> {
    pub(super) fn create_index(&mut self, statement: &CreateIndex) -> Result<()> {
        let table = self.relation(&statement.table)?;
        if !matches!(table.relkind, 'r' | 'm') {
            let kind = super::naming::relation_word(table.relkind);
            return Err(error!(WRONG_OBJECT_TYPE, "cannot create index on relation \"{}\"", table.relname)
                .detail(format!("This operation is not supported for {kind}s.")));
        }
        self.require_relation_owner(&table)?;
        match statement.method.as_deref() {
            None | Some("btree" | "hash") => {}
            Some(method @ ("gin" | "gist" | "brin" | "spgist")) => {
                return Err(SqlError::unsupported(format!("access method \"{method}\"")));
            }
            Some(method) => {
                return Err(error!(UNDEFINED_OBJECT, "access method \"{method}\" does not exist"));
            }
        }
        let mut keys = Vec::new();
        for element in &statement.elements {
            keys.push(self.index_key(&table, element)?);
        }
        let mut include = Vec::new();
        for element in &statement.include {
            include.push(self.index_key(&table, element)?.column);
        }
        let predicate = match &statement.predicate {
            None => None,
            Some(predicate) => Some(self.stored_condition(&table, predicate)?.0),
        };
        let name = match &statement.name {
            Some(name) => name.clone(),
            None => self.index_name(&table, &keys, "idx"),
        };
        if self.edit.class_named(table.relnamespace, &name).is_some() {
            if statement.if_not_exists {
                self.notice(
                    SqlState::DUPLICATE_TABLE,
                    format!("relation \"{name}\" already exists, skipping"),
                );
                return Ok(());
            }
            return Err(error!(DUPLICATE_TABLE, "relation \"{name}\" already exists"));
        }
        let index = self.insert_index(
            &table,
            NewIndex {
                name,
                keys,
                include,
                unique: statement.unique,
                primary: false,
                nulls_not_distinct: statement.nulls_not_distinct,
                immediate: true,
                predicate,
            },
        )?;
        self.make_index_over_rows(&table, &index)
    }

    fn index_key(&mut self, table: &Class, element: &IndexElement) -> Result<NewKey> {
        let descending = element.descending == Some(true);
        let nulls_first = element.nulls_first.unwrap_or(descending);
        let option = if descending { DESCENDING } else { 0 } | if nulls_first { NULLS_FIRST } else { 0 };
        let collation = element.collation.as_ref().map(|name| self.collation(name)).transpose()?;
        let class =
            element.operator_class.as_ref().map(|name| self.operator_class(&name.name)).transpose()?;
        if let Some(column) = plain_column(&element.expression) {
            let column = self.column_of(table, &column)?;
            return Ok(NewKey { column, expression: None, option, collation, class });
        }
        let (text, expr) = self.stored_expression(table, &element.expression)?;
        let name = expression_name(&expr, self);
        Ok(NewKey { column: 0, expression: Some((text, expr.ty, name)), option, collation, class })
    }

    /// The number of a table's column.
    ///
    /// # Errors
    /// `42703`.
    pub(super) fn column_of(&self, table: &Class, name: &str) -> Result<i16> {
        let found = self.edit.attribute_named(table.oid, name).filter(|column| column.attnum > 0);
        found
            .map(|column| column.attnum)
            .ok_or_else(|| error!(UNDEFINED_COLUMN, "column \"{name}\" does not exist"))
    }

    fn operator_class(&self, name: &str) -> Result<Oid> {
        let classes = self.edit.relation::<crate::catalog::OperatorClass>();
        let found = classes.rows().find(|class| class.opcname == name && class.opcmethod == new_rows::BTREE);
        found.map(|class| class.oid).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "operator class \"{name}\" does not exist for access method \"btree\"")
        })
    }

    /// `table_column_suffix`, with a number when that is taken (`ChooseIndexName`).
    pub(super) fn index_name(&self, table: &Class, keys: &[NewKey], suffix: &str) -> String {
        let column = |key: &NewKey| match &key.expression {
            Some((_, _, name)) => name.clone(),
            None => self.edit.attribute(table.oid, key.column).map_or(String::new(), |a| a.attname.clone()),
        };
        let columns: Vec<String> = keys.iter().map(column).collect();
        let middle = if suffix == "pkey" { String::new() } else { columns.join("_") };
        self.free_name(table, &table.relname, &middle, suffix)
    }

    /// `first_middle_suffix`, shortened to fit and numbered until no relation of the schema and no constraint of the
    /// table has it (`ChooseRelationName`, `makeObjectName`).
    pub(super) fn free_name(&self, table: &Class, first: &str, middle: &str, suffix: &str) -> String {
        let mut number = 0;
        loop {
            let suffix = if number == 0 { suffix.to_owned() } else { format!("{suffix}{number}") };
            let name = object_name(first, middle, &suffix);
            let taken = self.edit.class_named(table.relnamespace, &name).is_some()
                || self.edit.constraint_named(table.oid, &name).is_some();
            if !taken {
                return name;
            }
            number += 1;
        }
    }

    /// The catalog rows of those indexes that LIKE takes over and that belong to no constraint.
    ///
    /// # Errors
    /// `0A000` for one on an expression.
    pub(super) fn like_indexes(&mut self, source: Oid, table: &Class) -> Result<()> {
        let of_constraints: Vec<Oid> = self.edit.constraints(source).iter().map(|row| row.conindid).collect();
        let indexes = self.edit.indexes(source);
        for index in indexes.iter().filter(|index| !of_constraints.contains(&index.indexrelid)) {
            if index.indexprs.is_some() {
                return Err(SqlError::unsupported(
                    "LIKE ... INCLUDING INDEXES with an index on an expression",
                ));
            }
            let mut columns = Vec::new();
            for attnum in &index.indkey {
                let name = self.edit.attribute(source, *attnum).map(|column| column.attname.clone());
                columns.push(self.column_of(table, &name.unwrap_or_default())?);
            }
            let include = columns.split_off(usize::try_from(index.indnkeyatts).unwrap_or(0));
            let key = |(position, column): (usize, &i16)| NewKey {
                column: *column,
                expression: None,
                option: index.indoption.get(position).copied().unwrap_or(0),
                collation: index.indcollation.get(position).copied(),
                class: index.indclass.get(position).copied(),
            };
            let keys: Vec<NewKey> = columns.iter().enumerate().map(key).collect();
            let new = NewIndex {
                name: self.index_name(table, &keys, "idx"),
                keys,
                include,
                unique: index.indisunique,
                primary: false,
                nulls_not_distinct: index.indnullsnotdistinct,
                immediate: true,
                predicate: index.indpred.clone(),
            };
            self.insert_index(table, new)?;
        }
        Ok(())
    }

    /// The catalog rows of an index.
    pub(super) fn insert_index(&mut self, table: &Class, new: NewIndex) -> Result<Arc<Index>> {
        let count = new.keys.len() + new.include.len();
        if count > KEYS_MAX {
            return Err(error!(TOO_MANY_COLUMNS, "cannot use more than {KEYS_MAX} columns in an index"));
        }
        let oid = self.edit.allocate_oid();
        let mut class = new_rows::class(oid, &new.name, table.relnamespace, table.relowner, 'i');
        class.relnatts = attnum(count)? - 1;
        class.relpersistence = table.relpersistence;
        self.edit.insert(class)?;
        self.edit.change::<Class>(table.oid, |table| table.relhasindex = true)?;
        let mut row = Index {
            indexrelid: oid,
            indrelid: table.oid,
            indnatts: attnum(count)? - 1,
            indnkeyatts: attnum(new.keys.len())? - 1,
            indisunique: new.unique,
            indnullsnotdistinct: new.nulls_not_distinct,
            indisprimary: new.primary,
            indisexclusion: false,
            indimmediate: new.immediate,
            indisclustered: false,
            indisvalid: true,
            indcheckxmin: false,
            indisready: true,
            indislive: true,
            indisreplident: false,
            indkey: Vec::new(),
            indcollation: Vec::new(),
            indclass: Vec::new(),
            indoption: Vec::new(),
            indexprs: None,
            indpred: new.predicate,
        };
        let mut expressions = Vec::new();
        for (position, key) in new.keys.into_iter().enumerate() {
            self.insert_index_key(table, &mut row, position, key, &mut expressions)?;
        }
        for column in new.include {
            let position = row.indkey.len();
            let attribute = self.edit.attribute(table.oid, column);
            let ty = attribute
                .as_ref()
                .map_or(TypeMod::plain(Oid(25)), |a| TypeMod { oid: a.atttypid, modifier: a.atttypmod });
            let name = attribute.map_or(String::new(), |a| a.attname.clone());
            self.edit.insert(new_rows::attribute(self.edit, oid, attnum(position)?, &name, ty))?;
            row.indkey.push(column);
        }
        row.indexprs = (!expressions.is_empty()).then(|| expressions.join(", "));
        self.record_index(table, &row)?;
        self.edit.insert(row)
    }

    fn insert_index_key(
        &mut self,
        table: &Class,
        row: &mut Index,
        position: usize,
        key: NewKey,
        expressions: &mut Vec<String>,
    ) -> Result<()> {
        let (ty, name, collation) = match key.expression {
            Some((text, ty, name)) => {
                expressions.push(text);
                let collation = self.edit.type_(ty.oid).map_or(Oid::INVALID, |ty| ty.typcollation);
                (ty, name, collation)
            }
            None => {
                let column = self.edit.attribute(table.oid, key.column);
                let column =
                    column.ok_or_else(|| SqlError::internal("an index on a column that is not there"))?;
                let ty = TypeMod { oid: column.atttypid, modifier: column.atttypmod };
                (ty, column.attname.clone(), column.attcollation)
            }
        };
        let class = match key.class {
            Some(class) => class,
            None => self.default_class(ty.oid)?,
        };
        self.edit.insert(new_rows::attribute(self.edit, row.indexrelid, attnum(position)?, &name, ty))?;
        row.indkey.push(key.column);
        row.indcollation.push(key.collation.unwrap_or(collation));
        row.indclass.push(class);
        row.indoption.push(key.option);
        Ok(())
    }

    pub(super) fn default_class(&self, ty: Oid) -> Result<Oid> {
        let found = self.edit.default_operator_class(new_rows::BTREE, self.edit.base_type(ty));
        found.map(|class| class.oid).ok_or_else(|| {
            let name = crate::types::format_type(TypeMod::plain(ty), self.edit, &self.search_path);
            error!(
                UNDEFINED_OBJECT,
                "data type {name} has no default operator class for access method \"btree\""
            )
            .hint("You must specify an operator class for the index or define a default operator class for the data type.")
        })
    }

    /// An index goes with its columns, or with its table when it is on an expression.
    fn record_index(&mut self, table: &Class, index: &Index) -> Result<()> {
        let address = ObjectAddress::new(relations::PG_CLASS, index.indexrelid);
        if index.computes() {
            let whole = ObjectAddress::new(relations::PG_CLASS, table.oid);
            record(self.edit, address, whole, DependencyKind::Automatic)?;
        }
        for column in index.indkey.iter().filter(|column| **column > 0) {
            record(self.edit, address, ObjectAddress::column(table.oid, *column), DependencyKind::Automatic)?;
        }
        Ok(())
    }

    /// Makes an index in the file.
    pub(super) fn make_index(&mut self, table: &Class, index: &Index) -> Result<()> {
        let catalog = self.snapshot();
        let stored = crate::execute::CatalogExpressions { catalog: &catalog, format: &self.statement.format };
        let (expressions, predicate) = crate::execute::index_texts(&stored, index)?;
        for text in expressions.iter().chain(&predicate) {
            for function in &text.functions {
                function.ensure(self.connection).map_err(crate::execute::engine_error)?;
            }
        }
        let expressions: Vec<String> = expressions.iter().map(|text| text.sql.to_string()).collect();
        let predicate = predicate.map(|text| text.sql.to_string());
        let sql = physical::create_index_sql(&catalog, index, &expressions, predicate.as_deref())?;
        let made = self.connection.execute(&sql, &[]);
        made.map(drop).map_err(|error| match &error.kind {
            storage::ErrorKind::Unique { .. } => self.not_unique(table, index),
            _ => crate::execute::engine_error(error),
        })
    }

    /// The error of an index over rows that are not unique.
    pub(super) fn not_unique(&self, table: &Class, index: &Index) -> SqlError {
        let name = self.edit.class(index.indexrelid).map_or(String::new(), |class| class.relname.clone());
        error!(UNIQUE_VIOLATION, "could not create unique index \"{name}\"").concerning(crate::ObjectNames {
            table: Some(table.relname.clone()),
            constraint: Some(name),
            ..Default::default()
        })
    }

    /// Makes all indexes of a table that has just been made in the file.
    pub(super) fn create_table_indexes(&mut self, table: Oid) -> Result<()> {
        let Some(class) = self.edit.class(table) else { return Ok(()) };
        for index in self.edit.indexes(table).iter() {
            if !physical::is_row_number_index(self.edit, index) {
                self.make_index(&class, index)?;
            }
        }
        Ok(())
    }
}

/// `first_middle_suffix`, with the longer of the first two shortened until it fits into a name.
fn object_name(first: &str, middle: &str, suffix: &str) -> String {
    let (mut first, mut middle) = (first.to_owned(), middle.to_owned());
    let separators = if middle.is_empty() { 1 } else { 2 };
    while first.len() + middle.len() + suffix.len() + separators > NAME_BYTES_MAX {
        if first.len() > middle.len() {
            first.pop()
        } else {
            middle.pop()
        };
    }
    if middle.is_empty() { format!("{first}_{suffix}") } else { format!("{first}_{middle}_{suffix}") }
}

/// What an index names an expression's column: the function, or `expr` (`FigureIndexColname`).
fn expression_name(expr: &Expr, context: &CommandContext<'_>) -> String {
    match &expr.kind {
        crate::bound::ExprKind::Call(call) => {
            let function = context.edit.function(call.function);
            let operator = context
                .edit
                .relation::<crate::catalog::Operator>()
                .rows()
                .any(|o| o.oprcode == call.function);
            match function {
                Some(function) if !operator => function.proname.clone(),
                _ => "expr".to_owned(),
            }
        }
        _ => "expr".to_owned(),
    }
}
