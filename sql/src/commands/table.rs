//! CREATE TABLE: the relation with its columns, then its constraints.

use std::sync::Arc;

use super::alter_table::{checked_options, options_of};
use super::constraint::Wanted;
use super::dependency::{DependencyKind, ObjectAddress, record};
use super::naming::dotted;
use super::{CommandContext, new_rows};
use crate::bound::TypeMod;
use crate::catalog::{Attribute, AttributeDefault, Class, Namespace};
use crate::execute::physical;
use crate::locks::LockMode;
use crate::oid::{relations, types};
use crate::parse::{
    ColumnConstraint, ColumnConstraintKind, ColumnDefinition, CreateTable, Definition, Expression,
    LikeClause, Name, Persistence, TableElement,
};
use crate::types::names::{Shown, refuse_other_database};
use crate::{Oid, Result, SqlError, SqlState, error};

/// The most columns of a table (`MaxHeapAttributeNumber`).
const COLUMNS_MAX: usize = 1600;

/// Names that a column may not have, because every table has such a column.
const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

/// A column on its way into the catalog.
pub(super) struct NewColumn {
    pub(super) name: String,
    pub(super) ty: TypeMod,
    pub(super) collation: Option<Oid>,
    pub(super) not_null: bool,
    pub(super) default: Option<DefaultSource>,
    pub(super) identity: char,
    pub(super) generated: bool,
}

/// Where a column's default comes from.
pub(super) enum DefaultSource {
    /// It was written.
    Written(Expression),
    /// Text of the catalog's own form.
    Stored(String),
    /// `nextval` of a sequence that the column owns: serial, or identity with its options.
    Sequence { options: Vec<crate::parse::SequenceOption>, internal: bool },
}

impl CommandContext<'_> {
    pub(super) fn create_table(&mut self, statement: &CreateTable) -> Result<()> {
        refuse_unsupported(statement)?;
        // PostgreSQL looks for the schema where it knows the place; that nothing is made in its own it finds later.
        if statement.name.schema.as_deref() != Some("pg_catalog") {
            self.creation_schema(&statement.name).map_err(|error| error.at(statement.name.position))?;
        }
        let Some(schema) = self.new_relation_schema(&statement.name, statement.if_not_exists)? else {
            return Ok(());
        };
        let mut columns = Vec::new();
        let mut wanted = Vec::new();
        for element in &statement.elements {
            match element {
                TableElement::Column(column) => columns.push(self.new_column(column, &mut wanted)?),
                TableElement::Constraint(constraint) => wanted.push(Wanted::of_table(constraint)),
                TableElement::Like(like) => self.like(like, &mut columns, &mut wanted)?,
            }
        }
        let class = self.insert_table(&statement.name.name, &schema, columns, 'r', &statement.options)?;
        let class = self.with_persistence(class, statement.persistence)?;
        self.add_constraints(&class, wanted)?;
        for element in &statement.elements {
            if let TableElement::Like(like) = element
                && includes(like, "indexes")
            {
                let source = self.relation(&like.table)?;
                self.like_indexes(source.oid, &class)?;
            }
        }
        let sql = physical::create_table_sql(self.edit, class.oid)?;
        self.engine(&sql)?;
        self.create_table_indexes(class.oid)
    }

    /// The schema of a new relation; nothing when it exists and that is no error.
    ///
    /// # Errors
    /// `42P07` when it exists, and those of names.
    pub(super) fn new_relation_schema(
        &mut self,
        name: &Name,
        if_not_exists: bool,
    ) -> Result<Option<Arc<Namespace>>> {
        let schema = self.creation_schema(name)?;
        if self.edit.class_named(schema.oid, &name.name).is_none() {
            return Ok(Some(schema));
        }
        if !if_not_exists {
            return Err(error!(DUPLICATE_TABLE, "relation \"{}\" already exists", name.name));
        }
        self.notice(
            SqlState::DUPLICATE_TABLE,
            format!("relation \"{}\" already exists, skipping", name.name),
        );
        Ok(None)
    }

    /// The rows of a table and its columns, without constraints and without the table in the file.
    pub(super) fn insert_table(
        &mut self,
        name: &str,
        schema: &Namespace,
        columns: Vec<NewColumn>,
        kind: char,
        options: &[Definition],
    ) -> Result<Arc<Class>> {
        if columns.len() > COLUMNS_MAX {
            return Err(error!(TOO_MANY_COLUMNS, "tables can have at most {COLUMNS_MAX} columns"));
        }
        let class = self.insert_class(name, schema, kind, columns.len(), options)?;
        let mut defaults = Vec::new();
        for (index, mut column) in columns.into_iter().enumerate() {
            let default = column.default.take();
            let row = self.insert_bare_column(&class, attnum(index)?, column, default.is_some())?;
            defaults.extend(default.map(|default| (row, default)));
        }
        // A generated column may be computed from columns that stand after it.
        for (row, default) in defaults {
            self.insert_default(&class, &row, default)?;
        }
        Ok(class)
    }

    /// Marks a new table as UNLOGGED was said. It is kept as safely as any other: less was asked for, not required.
    pub(super) fn with_persistence(
        &mut self,
        class: Arc<Class>,
        persistence: Persistence,
    ) -> Result<Arc<Class>> {
        match persistence {
            Persistence::Unlogged => self.edit.change::<Class>(class.oid, |class| class.relpersistence = 'u'),
            _ => Ok(class),
        }
    }

    fn insert_class(
        &mut self,
        name: &str,
        schema: &Namespace,
        kind: char,
        columns: usize,
        options: &[Definition],
    ) -> Result<Arc<Class>> {
        let oid = self.edit.allocate_oid();
        let mut class = new_rows::class(oid, name, schema.oid, self.user, kind);
        class.relnatts = attnum(columns)? - 1;
        if !options.is_empty() {
            let checked = checked_options(options, options_of(kind))?;
            let texts = checked.into_iter().map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>();
            class.reloptions = (!texts.is_empty()).then_some(texts);
        }
        class.reltype = self.insert_row_type(&class)?;
        let class = self.edit.insert(class)?;
        let address = ObjectAddress::new(relations::PG_CLASS, oid);
        record(
            self.edit,
            address,
            ObjectAddress::new(relations::PG_NAMESPACE, schema.oid),
            DependencyKind::Normal,
        )?;
        self.join_extension(address)?;
        Ok(class)
    }

    /// The composite type of a relation and the array over it.
    fn insert_row_type(&mut self, class: &Class) -> Result<Oid> {
        if self.edit.type_named(class.relnamespace, &class.relname).is_some() {
            return Err(error!(DUPLICATE_OBJECT, "type \"{}\" already exists", class.relname).hint(
                "A relation has an associated type of the same name, so you must use a name that doesn't conflict with any existing type.",
            ));
        }
        let (oid, array) = (self.edit.allocate_oid(), self.edit.allocate_oid());
        let ty = new_rows::composite_type(
            oid,
            &class.relname,
            class.relnamespace,
            class.relowner,
            class.oid,
            array,
        );
        let array = new_rows::array_type(self.edit, array, &ty);
        let ty = self.edit.insert(ty)?;
        let array = self.edit.insert(array)?;
        let table = ObjectAddress::new(relations::PG_CLASS, class.oid);
        let row_type = ObjectAddress::new(relations::PG_TYPE, ty.oid);
        let array_type = ObjectAddress::new(relations::PG_TYPE, array.oid);
        record(self.edit, row_type, table, DependencyKind::Internal)?;
        record(self.edit, array_type, row_type, DependencyKind::Internal)?;
        Ok(ty.oid)
    }

    /// One column with its default.
    pub(super) fn insert_column(&mut self, class: &Class, attnum: i16, mut column: NewColumn) -> Result<()> {
        let default = column.default.take();
        let row = self.insert_bare_column(class, attnum, column, default.is_some())?;
        match default {
            Some(default) => self.insert_default(class, &row, default),
            None => Ok(()),
        }
    }

    fn insert_bare_column(
        &mut self,
        class: &Class,
        attnum: i16,
        column: NewColumn,
        has_default: bool,
    ) -> Result<Arc<Attribute>> {
        if SYSTEM_COLUMNS.contains(&column.name.as_str()) && matches!(class.relkind, 'r' | 'm') {
            return Err(error!(
                DUPLICATE_COLUMN,
                "column name \"{}\" conflicts with a system column name", column.name
            ));
        }
        if self.edit.attribute_named(class.oid, &column.name).is_some() {
            return Err(error!(DUPLICATE_COLUMN, "column \"{}\" specified more than once", column.name));
        }
        let mut row = new_rows::attribute(self.edit, class.oid, attnum, &column.name, column.ty);
        row.attnotnull = column.not_null;
        row.attidentity = column.identity;
        row.attgenerated = if column.generated { 's' } else { '\0' };
        row.atthasdef = has_default && column.identity == '\0';
        if let Some(collation) = column.collation {
            row.attcollation = collation;
        }
        self.depend_on_type(ObjectAddress::column(class.oid, attnum), column.ty.oid)?;
        self.edit.insert(row)
    }

    /// Records that an object needs a type (or the type of which it is an array).
    pub(super) fn depend_on_type(&mut self, dependent: ObjectAddress, ty: Oid) -> Result<()> {
        let element = self.edit.type_(ty).filter(|ty| ty.typcategory == 'A').map(|ty| ty.typelem);
        let needed = ObjectAddress::new(relations::PG_TYPE, element.unwrap_or(ty));
        record(self.edit, dependent, needed, DependencyKind::Normal)
    }

    pub(super) fn insert_default(
        &mut self,
        class: &Class,
        column: &Attribute,
        default: DefaultSource,
    ) -> Result<()> {
        let text = match default {
            DefaultSource::Stored(text) => text,
            DefaultSource::Written(expression) => {
                let generated = column.attgenerated == 's';
                self.checked_default(class, column, &expression, generated)?
            }
            DefaultSource::Sequence { options, internal } => {
                let sequence = self.create_owned_sequence(class, column, &options, internal)?;
                if internal {
                    return Ok(());
                }
                sequence
            }
        };
        let oid = self.edit.allocate_oid();
        self.edit.insert(AttributeDefault {
            oid,
            adrelid: class.oid,
            adnum: column.attnum,
            adbin: text.clone(),
        })?;
        let default = ObjectAddress::new(relations::PG_ATTRDEF, oid);
        let generated = (column.attgenerated == 's').then_some(class.oid);
        self.record_default_needs(oid, &text, generated)?;
        record(self.edit, default, ObjectAddress::column(class.oid, column.attnum), DependencyKind::Automatic)
    }

    /// What a column definition says; its constraints go to `wanted`.
    pub(super) fn new_column(
        &mut self,
        column: &ColumnDefinition,
        wanted: &mut Vec<Wanted>,
    ) -> Result<NewColumn> {
        let Some(data_type) = &column.data_type else {
            return Err(SqlError::unsupported("a column without a type"));
        };
        let mut new = NewColumn {
            name: column.name.clone(),
            ty: TypeMod::plain(types::INT4),
            collation: None,
            not_null: false,
            default: None,
            identity: '\0',
            generated: false,
        };
        if let Some(serial) = serial_type(&data_type.text) {
            new.ty = TypeMod::plain(serial);
            new.not_null = true;
            new.default = Some(DefaultSource::Sequence { options: Vec::new(), internal: false });
        } else {
            new.ty = self.type_name(data_type)?;
        }
        if self.edit.type_(new.ty.oid).is_some_and(|ty| ty.typtype == 'p') {
            let name = crate::types::format_type(new.ty, self.edit, &self.search_path);
            return Err(error!(
                INVALID_TABLE_DEFINITION,
                "column \"{}\" has pseudo-type {name}", column.name
            ));
        }
        if let Some(collation) = &column.collation {
            new.collation = Some(self.collation(collation)?);
        }
        for constraint in &column.constraints {
            self.column_constraint(&mut new, column, constraint, wanted)?;
        }
        Ok(new)
    }

    fn column_constraint(
        &mut self,
        new: &mut NewColumn,
        column: &ColumnDefinition,
        constraint: &ColumnConstraint,
        wanted: &mut Vec<Wanted>,
    ) -> Result<()> {
        let name = &column.name;
        match &constraint.kind {
            ColumnConstraintKind::NotNull => new.not_null = true,
            ColumnConstraintKind::Null if new.not_null => {
                return Err(error!(
                    SYNTAX_ERROR,
                    "conflicting NULL/NOT NULL declarations for column \"{name}\" of table"
                ));
            }
            ColumnConstraintKind::Null => {}
            ColumnConstraintKind::Default(_)
            | ColumnConstraintKind::Generated(_)
            | ColumnConstraintKind::Identity { .. }
                if new.default.is_some() =>
            {
                return Err(error!(
                    SYNTAX_ERROR,
                    "multiple default values specified for column \"{name}\" of table"
                ));
            }
            ColumnConstraintKind::Default(expression) => {
                new.default = Some(DefaultSource::Written(expression.clone()));
            }
            ColumnConstraintKind::Generated(expression) => {
                new.generated = true;
                new.default = Some(DefaultSource::Written(expression.clone()));
            }
            ColumnConstraintKind::Identity { always, options } => {
                new.identity = if *always { 'a' } else { 'd' };
                new.not_null = true;
                new.default = Some(DefaultSource::Sequence { options: options.clone(), internal: true });
            }
            _ => {
                if matches!(constraint.kind, ColumnConstraintKind::PrimaryKey { .. }) {
                    new.not_null = true;
                }
                wanted.push(Wanted::of_column(name, constraint));
            }
        }
        Ok(())
    }

    /// LIKE: the columns of another relation, and what INCLUDING asks for.
    fn like(
        &mut self,
        like: &LikeClause,
        columns: &mut Vec<NewColumn>,
        wanted: &mut Vec<Wanted>,
    ) -> Result<()> {
        let source = self.relation(&like.table)?;
        self.lock_relation(source.oid, LockMode::AccessShare)?;
        let including = |what: &str| includes(like, what);
        for attribute in self.edit.attributes(source.oid).iter().filter(|a| !a.attisdropped) {
            let default = self.edit.default_expression(source.oid, attribute.attnum);
            let generated = attribute.attgenerated == 's';
            let kept = if generated { including("generated") } else { including("defaults") };
            let identity = if including("identity") { attribute.attidentity } else { '\0' };
            let default = if identity != '\0' {
                Some(DefaultSource::Sequence { options: Vec::new(), internal: true })
            } else {
                default.filter(|_| kept).map(|default| DefaultSource::Stored(default.adbin.clone()))
            };
            columns.push(NewColumn {
                name: attribute.attname.clone(),
                ty: TypeMod { oid: attribute.atttypid, modifier: attribute.atttypmod },
                collation: Some(attribute.attcollation),
                not_null: attribute.attnotnull,
                generated: generated && default.is_some(),
                default,
                identity,
            });
        }
        if including("constraints") || including("indexes") {
            self.like_constraints(source.oid, including("constraints"), including("indexes"), wanted);
        }
        Ok(())
    }

    /// The collation that a name means.
    pub(super) fn collation(&self, name: &Name) -> Result<Oid> {
        refuse_other_database(&name.parts(), Shown::Bare, self.edit)?;
        let found = match &name.schema {
            Some(schema) => self.edit.collation_named(self.schema(schema)?.oid, &name.name),
            None => self.search_path.iter().find_map(|schema| self.edit.collation_named(*schema, &name.name)),
        };
        found.map(|collation| collation.oid).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "collation \"{}\" for encoding \"UTF8\" does not exist", dotted(name))
        })
    }
}

/// Whether LIKE takes over something.
fn includes(like: &LikeClause, what: &str) -> bool {
    let says = |option: &&(String, bool)| {
        option.0.eq_ignore_ascii_case("all") || option.0.eq_ignore_ascii_case(what)
    };
    like.options.iter().rfind(says).is_some_and(|(_, include)| *include)
}

/// What CREATE TABLE can say and Postilion cannot do, refused by name.
fn refuse_unsupported(statement: &CreateTable) -> Result<()> {
    let refuse = |what: &str| Err(SqlError::unsupported(what));
    match statement {
        CreateTable { of_type: Some(_), .. } => refuse("CREATE TABLE OF type"),
        CreateTable { partition_of: Some(_), .. } => refuse("CREATE TABLE PARTITION OF"),
        CreateTable { partition_by: Some(_), .. } => refuse("CREATE TABLE PARTITION BY"),
        CreateTable { persistence: Persistence::Temporary, .. } => refuse("CREATE TEMPORARY TABLE"),
        CreateTable { on_commit: Some(_), .. } => Err(on_commit_refused()),
        CreateTable { inherits, .. } if !inherits.is_empty() => refuse("INHERITS"),
        CreateTable { tablespace: Some(name), .. } if name != "pg_default" => {
            Err(error!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist"))
        }
        CreateTable { access_method: Some(name), .. } if name != "heap" => {
            Err(error!(UNDEFINED_OBJECT, "access method \"{name}\" does not exist"))
        }
        _ => Ok(()),
    }
}

/// ON COMMIT of a table that is kept.
pub(super) fn on_commit_refused() -> SqlError {
    error!(INVALID_TABLE_DEFINITION, "ON COMMIT can only be used on temporary tables")
}

/// The type under `serial` and its kin.
fn serial_type(text: &str) -> Option<Oid> {
    match text.to_ascii_lowercase().as_str() {
        "serial" | "serial4" => Some(types::INT4),
        "bigserial" | "serial8" => Some(types::INT8),
        "smallserial" | "serial2" => Some(types::INT2),
        _ => None,
    }
}

/// The number of the column at a position from 0.
pub(super) fn attnum(index: usize) -> Result<i16> {
    i16::try_from(index + 1)
        .map_err(|_| error!(TOO_MANY_COLUMNS, "tables can have at most {COLUMNS_MAX} columns"))
}
