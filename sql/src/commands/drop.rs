//! DROP of anything, through dependencies: what a DROP names is looked up, what depends on it goes along or stops it,
//! and then each object's rows, and its table or index in the file, are removed.

use super::dependency::{Deletion, DropBehavior, ObjectAddress, forget, plan_deletion};
use super::naming::dotted;
use super::{AtCommit, CommandContext};
use crate::catalog::{
    Attribute, AttributeDefault, Class, Constraint, EnumLabel, Extension, Index, Namespace, Procedure,
    Rewrite, Sequence, Type,
};
use crate::execute::physical;
use crate::oid::relations;
use crate::parse::{DropObjects, Name, ObjectKind, ObjectReference};
use crate::{Oid, Result, SqlError, SqlState, error};

impl CommandContext<'_> {
    pub(super) fn drop_objects(&mut self, statement: &DropObjects) -> Result<()> {
        if statement.kind == ObjectKind::Role {
            return self.drop_roles(statement);
        }
        let mut targets = Vec::new();
        for object in &statement.objects {
            match self.find_object(object)? {
                Some(address) => {
                    self.require_droppable(address)?;
                    targets.push(address);
                }
                None if statement.if_exists => {
                    let what = self.missing_words(object);
                    self.notice(SqlState::SUCCESSFUL_COMPLETION, format!("{what} does not exist, skipping"));
                }
                None => return Err(self.missing(object)),
            }
        }
        let behavior = if statement.cascade { DropBehavior::Cascade } else { DropBehavior::Restrict };
        self.drop_addresses(&targets, behavior)
    }

    /// Drops objects and what depends on them.
    ///
    /// # Errors
    /// `2BP01`.
    pub(super) fn drop_addresses(&mut self, targets: &[ObjectAddress], behavior: DropBehavior) -> Result<()> {
        if targets.is_empty() {
            return Ok(());
        }
        let catalog = self.snapshot();
        let describe = |address: ObjectAddress| {
            let describe = crate::catalog::describe::Describe::new(&catalog, &self.search_path);
            let words = describe.object(address.class, address.object, address.column);
            words.unwrap_or_else(|| format!("object {}", address.object))
        };
        let Deletion { objects, notice } =
            plan_deletion(&catalog, targets, behavior, self.extension, &describe)?;
        self.lock_dropped(&objects)?;
        self.notices.extend(notice);
        for address in objects {
            self.remove(address)?;
        }
        Ok(())
    }

    /// An object in words, for messages.
    pub(super) fn describe(&self, address: ObjectAddress) -> String {
        let describe = crate::catalog::describe::Describe::new(self.edit, &self.search_path);
        let words = describe.object(address.class, address.object, address.column);
        words.unwrap_or_else(|| format!("object {}", address.object))
    }

    /// The object that a statement names.
    ///
    /// # Errors
    /// `42P01`, `42704`, `42883`, `3F000` when it does not exist; `42809` when it is of another kind.
    pub(super) fn object_address(&self, reference: &ObjectReference) -> Result<ObjectAddress> {
        self.find_object(reference)?.ok_or_else(|| self.missing(reference))
    }

    /// The object that a statement names, if there is one.
    ///
    /// # Errors
    /// `42809` when there is one of another kind; `0A000` for kinds that do not exist here.
    pub(super) fn find_object(&self, reference: &ObjectReference) -> Result<Option<ObjectAddress>> {
        let name = &reference.name;
        let at = |class: Oid| move |object: Oid| ObjectAddress::new(class, object);
        Ok(match reference.kind {
            ObjectKind::Table
            | ObjectKind::Index
            | ObjectKind::Sequence
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable => {
                let Some(class) = self.find_relation(name)? else { return Ok(None) };
                require_kind(reference.kind, &class)?;
                Some(ObjectAddress::new(relations::PG_CLASS, class.oid))
            }
            ObjectKind::Schema => {
                self.edit.namespace_named(&name.name).map(|row| row.oid).map(at(relations::PG_NAMESPACE))
            }
            ObjectKind::Function | ObjectKind::Routine | ObjectKind::Procedure | ObjectKind::Aggregate => {
                self.find_function(reference)?.map(|row| row.oid).map(at(relations::PG_PROC))
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let Some(ty) = self.find_type(name)? else { return Ok(None) };
                if reference.kind == ObjectKind::Domain && ty.typtype != 'd' {
                    return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a domain", dotted(name)));
                }
                Some(ObjectAddress::new(relations::PG_TYPE, ty.oid))
            }
            ObjectKind::Extension => {
                self.extension_named(&name.name).map(|row| row.oid).map(at(relations::PG_EXTENSION))
            }
            ObjectKind::Column => {
                let Some(table) = &reference.on else { return Ok(None) };
                let class = self.relation(table)?;
                let column = self.edit.attribute_named(class.oid, &name.name);
                column.map(|column| ObjectAddress::column(class.oid, column.attnum))
            }
            ObjectKind::Constraint => {
                let Some(on) = &reference.on else { return Ok(None) };
                let constraint = if reference.on_domain {
                    let ty = self.find_type(on)?.ok_or_else(|| undefined("type", on))?;
                    let found = self.edit.domain_constraints(ty.oid);
                    found.iter().find(|row| row.conname == name.name).map(|row| row.oid)
                } else {
                    let class = self.relation(on)?;
                    self.edit.constraint_named(class.oid, &name.name).map(|row| row.oid)
                };
                constraint.map(at(relations::PG_CONSTRAINT))
            }
            ObjectKind::Collation => self.collation(name).ok().map(at(relations::PG_COLLATION)),
            ObjectKind::Language => {
                self.edit.language_named(&name.name).map(|row| row.oid).map(at(relations::PG_LANGUAGE))
            }
            ObjectKind::Database => {
                self.edit.database_named(&name.name).map(|row| row.oid).map(at(relations::PG_DATABASE))
            }
            ObjectKind::Role => {
                self.edit.role_named(&name.name).map(|row| row.oid).map(at(relations::PG_AUTHID))
            }
            // Kinds of which there can be none: nothing has that name.
            _ => None,
        })
    }

    /// The error for an object that is not there.
    fn missing(&self, reference: &ObjectReference) -> SqlError {
        let code = match reference.kind {
            ObjectKind::Table
            | ObjectKind::Index
            | ObjectKind::Sequence
            | ObjectKind::View
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable => SqlState::UNDEFINED_TABLE,
            ObjectKind::Schema => SqlState::UNDEFINED_SCHEMA,
            ObjectKind::Function | ObjectKind::Routine | ObjectKind::Procedure | ObjectKind::Aggregate => {
                SqlState::UNDEFINED_FUNCTION
            }
            ObjectKind::Column => SqlState::UNDEFINED_COLUMN,
            ObjectKind::Database => SqlState::UNDEFINED_DATABASE,
            _ => SqlState::UNDEFINED_OBJECT,
        };
        if reference.kind == ObjectKind::Function && reference.parameters.is_none() {
            let name = dotted(&reference.name);
            return SqlError::new(code, format!("could not find a function named \"{name}\""));
        }
        SqlError::new(code, format!("{} does not exist", self.missing_words(reference)))
    }

    fn missing_words(&self, reference: &ObjectReference) -> String {
        let name = dotted(&reference.name);
        match (reference.kind, &reference.on) {
            (ObjectKind::Function | ObjectKind::Routine, _) => {
                format!("function {}", self.function_words(reference))
            }
            (ObjectKind::Procedure, _) => format!("procedure {}", self.function_words(reference)),
            (ObjectKind::Aggregate, _) => format!("aggregate {}", self.function_words(reference)),
            (ObjectKind::Domain, _) => format!("type \"{name}\""),
            (ObjectKind::Column, Some(table)) => format!("column \"{name}\" of relation \"{}\"", table.name),
            (ObjectKind::Constraint, Some(on)) if reference.on_domain => {
                format!("constraint \"{name}\" for domain {}", dotted(on))
            }
            (
                ObjectKind::Constraint | ObjectKind::Trigger | ObjectKind::Rule | ObjectKind::Policy,
                Some(on),
            ) => {
                let word = reference.kind.words().to_ascii_lowercase();
                let for_word =
                    if reference.kind == ObjectKind::Constraint { "of table" } else { "for table" };
                format!("{word} \"{name}\" {for_word} \"{}\"", on.name)
            }
            (kind, _) => format!("{} \"{name}\"", kind.words().to_ascii_lowercase()),
        }
    }

    /// # Errors
    /// `42501` unless the current role owns the object, or it is the system's own.
    fn require_droppable(&self, address: ObjectAddress) -> Result<()> {
        let describe = || self.describe(address);
        if address.object < crate::oid::FIRST_NORMAL && address.object != crate::oid::namespaces::PUBLIC {
            return Err(error!(
                DEPENDENT_OBJECTS_STILL_EXIST,
                "cannot drop {} because it is required by the database system",
                describe()
            ));
        }
        let owner = match address.class {
            relations::PG_CLASS => self.edit.class(address.object).map(|row| row.relowner),
            relations::PG_NAMESPACE => self.edit.namespace(address.object).map(|row| row.nspowner),
            relations::PG_PROC => self.edit.function(address.object).map(|row| row.proowner),
            relations::PG_TYPE => self.edit.type_(address.object).map(|row| row.typowner),
            relations::PG_EXTENSION => self.edit.get::<Extension>(address.object).map(|row| row.extowner),
            _ => None,
        };
        let words = describe();
        match (owner, words.split_once(' ')) {
            (Some(owner), Some((word, name))) => self.require_owner(owner, word, name),
            _ => Ok(()),
        }
    }

    /// Removes one object: its rows, and what it has in the file.
    pub(super) fn remove(&mut self, address: ObjectAddress) -> Result<()> {
        let oid = address.object;
        match address.class {
            relations::PG_CLASS if address.column != 0 => self.remove_column(address)?,
            relations::PG_CLASS => self.remove_relation(oid)?,
            relations::PG_TYPE => {
                for label in self.edit.enum_labels(oid).iter() {
                    self.edit.delete::<EnumLabel>(label.oid);
                }
                self.edit.delete::<Type>(oid);
            }
            relations::PG_ATTRDEF => self.remove_default(oid)?,
            relations::PG_CONSTRAINT => self.remove_constraint(oid)?,
            relations::PG_NAMESPACE => drop(self.edit.delete::<Namespace>(oid)),
            relations::PG_PROC => drop(self.edit.delete::<Procedure>(oid)),
            relations::PG_EXTENSION => drop(self.edit.delete::<Extension>(oid)),
            relations::PG_REWRITE => drop(self.edit.delete::<Rewrite>(oid)),
            other => {
                return Err(SqlError::internal(format!(
                    "do not know how to drop objects of catalog {other}"
                )));
            }
        }
        forget(self.edit, address);
        Ok(())
    }

    fn remove_relation(&mut self, oid: Oid) -> Result<()> {
        let Some(class) = self.edit.class(oid) else { return Ok(()) };
        let physical = self.edit.physical_name(oid);
        match (class.relkind, physical) {
            ('r' | 'm', Some(name)) => self.engine(&physical::drop_table_sql(&name))?,
            // The index of a table that is dropped in the same command may be gone with it.
            ('i', Some(name)) => self.engine(&physical::drop_index_sql(&name))?,
            ('S', _) => {
                self.at_commit.push(AtCommit::DropSequence(oid));
                self.edit.delete::<Sequence>(oid);
            }
            _ => {}
        }
        if class.relkind == 'i'
            && let Some(index) = self.edit.delete::<Index>(oid)
        {
            let others = self.edit.indexes(index.indrelid).len();
            if others == 0 && self.edit.class(index.indrelid).is_some() {
                self.edit.change::<Class>(index.indrelid, |table| table.relhasindex = false)?;
            }
        }
        for attribute in self.edit.attributes(oid).iter() {
            self.edit.delete::<Attribute>((oid, attribute.attnum));
        }
        self.edit.delete::<Class>(oid);
        Ok(())
    }

    /// Marks a column as dropped: its number is never used again, its values are gone.
    fn remove_column(&mut self, address: ObjectAddress) -> Result<()> {
        let attnum =
            i16::try_from(address.column).map_err(|_| SqlError::internal("a column number out of range"))?;
        let identity = (address.object, attnum);
        let Some(column) = self.edit.get::<Attribute>(identity) else { return Ok(()) };
        self.edit.change::<Attribute>(identity, |column| {
            column.attname = format!("........pg.dropped.{attnum}........");
            column.atttypid = Oid::INVALID;
            column.attisdropped = true;
            column.attnotnull = false;
            column.atthasdef = false;
            (column.attidentity, column.attgenerated) = ('\0', '\0');
            column.attstattarget = 0;
        })?;
        self.drop_stored_column(address.object, &column.attname)
    }

    fn remove_default(&mut self, oid: Oid) -> Result<()> {
        if let Some(default) = self.edit.delete::<AttributeDefault>(oid)
            && self.edit.attribute(default.adrelid, default.adnum).is_some()
        {
            let identity = (default.adrelid, default.adnum);
            self.edit.change::<Attribute>(identity, |column| column.atthasdef = false)?;
        }
        Ok(())
    }

    fn remove_constraint(&mut self, oid: Oid) -> Result<()> {
        if let Some(constraint) = self.edit.delete::<Constraint>(oid)
            && constraint.contype == 'c'
            && self.edit.class(constraint.conrelid).is_some()
        {
            self.edit.change::<Class>(constraint.conrelid, |table| table.relchecks -= 1)?;
        }
        Ok(())
    }
}

fn undefined(kind: &str, name: &Name) -> SqlError {
    error!(UNDEFINED_OBJECT, "{kind} \"{}\" does not exist", dotted(name))
}

/// # Errors
/// `42809` `"v" is not a table`, with a HINT which DROP would do.
fn require_kind(kind: ObjectKind, class: &Class) -> Result<()> {
    let (fits, words) = match kind {
        ObjectKind::Table => (class.relkind == 'r' || class.relkind == 'p', "a table"),
        ObjectKind::Index => (class.relkind == 'i', "an index"),
        ObjectKind::Sequence => (class.relkind == 'S', "a sequence"),
        ObjectKind::View => (class.relkind == 'v', "a view"),
        ObjectKind::MaterializedView => (class.relkind == 'm', "a materialized view"),
        _ => (class.relkind == 'f', "a foreign table"),
    };
    if fits {
        return Ok(());
    }
    let error = error!(WRONG_OBJECT_TYPE, "\"{}\" is not {words}", class.relname);
    Err(match class.relkind {
        'r' | 'p' => error.hint("Use DROP TABLE to remove a table."),
        'i' => error.hint("Use DROP INDEX to remove an index."),
        'S' => error.hint("Use DROP SEQUENCE to remove a sequence."),
        'v' => error.hint("Use DROP VIEW to remove a view."),
        'm' => error.hint("Use DROP MATERIALIZED VIEW to remove a materialized view."),
        'c' => error.hint("Use DROP TYPE to remove a type."),
        _ => error,
    })
}
