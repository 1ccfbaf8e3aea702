//! COMMENT ON anything.
//!
//! Source: `src/backend/commands/comment.c`, `get_object_address` in `objectaddress.c`.

use super::CommandContext;
use super::dependency::ObjectAddress;
use super::naming::dotted;
use super::sequence::not_supported_for;
use crate::bound::TypeMod;
use crate::catalog::{
    AccessMethod, Constraint, Description, Extension, Operator, SharedDescription, Tablespace, keys,
};
use crate::oid::relations;
use crate::parse::{CommentOn, ObjectKind, ObjectReference};
use crate::types::format_type;
use crate::{Oid, Result, SqlError, SqlState, error};

/// The access to a comment's row: of this database, or shared by all.
enum Kept {
    Here(ObjectAddress),
    Shared(Oid, Oid),
}

impl CommandContext<'_> {
    pub(super) fn comment(&mut self, statement: &CommentOn) -> Result<()> {
        let Some(kept) = self.commented(&statement.object)? else { return Ok(()) };
        // An empty comment is none.
        let comment = statement.comment.clone().filter(|comment| !comment.is_empty());
        match (kept, comment) {
            (Kept::Here(address), Some(description)) => {
                self.edit.put(Description {
                    objoid: address.object,
                    classoid: address.class,
                    objsubid: address.column,
                    description,
                })?;
            }
            (Kept::Here(address), None) => {
                self.edit.delete::<Description>((address.object, address.class, address.column));
            }
            (Kept::Shared(class, object), Some(description)) => {
                self.edit.put(SharedDescription { objoid: object, classoid: class, description })?;
            }
            (Kept::Shared(class, object), None) => {
                self.edit.delete::<SharedDescription>((object, class));
            }
        }
        Ok(())
    }

    fn commented(&mut self, object: &ObjectReference) -> Result<Option<Kept>> {
        let name = &object.name.name;
        let here = |class, object| Ok(Some(Kept::Here(ObjectAddress::new(class, object))));
        match object.kind {
            ObjectKind::Table
            | ObjectKind::View
            | ObjectKind::Index
            | ObjectKind::Sequence
            | ObjectKind::MaterializedView
            | ObjectKind::ForeignTable => {
                let class = self.relation_of_kind(object)?;
                here(relations::PG_CLASS, class)
            }
            ObjectKind::Column => self.commented_column(object),
            ObjectKind::Constraint => here(relations::PG_CONSTRAINT, self.commented_constraint(object)?),
            ObjectKind::Database => self.commented_database(name),
            ObjectKind::Role => {
                let role = self.edit.role_named(name);
                let role = role.ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))?;
                self.check_right_over_role(role.oid, role.rolsuper)?;
                Ok(Some(Kept::Shared(relations::PG_AUTHID, role.oid)))
            }
            ObjectKind::Tablespace => {
                let found = self
                    .edit
                    .relation::<Tablespace>()
                    .find_one(keys::pg_tablespace_spcname_index, &[name.as_str().into()]);
                let found =
                    found.ok_or_else(|| error!(UNDEFINED_OBJECT, "tablespace \"{name}\" does not exist"))?;
                self.require_owner(found.spcowner, "tablespace", name)?;
                Ok(Some(Kept::Shared(relations::PG_TABLESPACE, found.oid)))
            }
            ObjectKind::Schema => {
                let schema = self.schema(name)?;
                self.require_owner(schema.nspowner, "schema", name)?;
                here(relations::PG_NAMESPACE, schema.oid)
            }
            ObjectKind::Function | ObjectKind::Procedure | ObjectKind::Routine | ObjectKind::Aggregate => {
                let function = self.routine(object.kind, object)?;
                let word = object.kind.words().to_ascii_lowercase();
                self.require_owner(function.proowner, &word, &function.proname)?;
                here(relations::PG_PROC, function.oid)
            }
            ObjectKind::Type | ObjectKind::Domain => {
                let ty = self.find_type(&object.name)?;
                let ty = ty.ok_or_else(|| {
                    error!(UNDEFINED_OBJECT, "type \"{}\" does not exist", dotted(&object.name))
                })?;
                if object.kind == ObjectKind::Domain && ty.typtype != 'd' {
                    return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not a domain", dotted(&object.name)));
                }
                self.require_owner(ty.typowner, "type", &ty.typname)?;
                here(relations::PG_TYPE, ty.oid)
            }
            _ => self.commented_other(object),
        }
    }

    fn commented_other(&mut self, object: &ObjectReference) -> Result<Option<Kept>> {
        let name = &object.name.name;
        let word = object.kind.words().to_ascii_lowercase();
        let missing =
            || SqlError::new(SqlState::UNDEFINED_OBJECT, format!("{word} \"{name}\" does not exist"));
        let (class, oid, owner) = match object.kind {
            ObjectKind::Extension => {
                let found = self
                    .edit
                    .relation::<Extension>()
                    .find_one(keys::pg_extension_name_index, &[name.as_str().into()]);
                let found = found.ok_or_else(missing)?;
                (relations::PG_EXTENSION, found.oid, found.extowner)
            }
            ObjectKind::Language => {
                let found = self.edit.language_named(name).ok_or_else(missing)?;
                (relations::PG_LANGUAGE, found.oid, found.lanowner)
            }
            ObjectKind::AccessMethod => {
                let found = self
                    .edit
                    .relation::<AccessMethod>()
                    .find_one(keys::pg_am_name_index, &[name.as_str().into()]);
                (relations::PG_AM, found.ok_or_else(missing)?.oid, super::naming::BOOTSTRAP)
            }
            ObjectKind::Collation => {
                let oid = self.collation(&object.name)?;
                let owner = self.edit.collation(oid).map_or(Oid::INVALID, |row| row.collowner);
                (relations::PG_COLLATION, oid, owner)
            }
            ObjectKind::Cast => self.commented_cast(object)?,
            ObjectKind::Operator => self.commented_operator(object)?,
            ObjectKind::Trigger | ObjectKind::Policy | ObjectKind::Rule => {
                let Some(table) = &object.on else { return Err(missing()) };
                let table = self.relation(table)?;
                let on = if object.kind == ObjectKind::Rule { "relation" } else { "table" };
                let message = format!("{word} \"{name}\" for {on} \"{}\" does not exist", table.relname);
                return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
            }
            ObjectKind::Statistics => {
                let message = format!("statistics object \"{name}\" does not exist");
                return Err(SqlError::new(SqlState::UNDEFINED_OBJECT, message));
            }
            _ => return Err(missing()),
        };
        self.require_owner(owner, &word, name)?;
        Ok(Some(Kept::Here(ObjectAddress::new(class, oid))))
    }

    fn relation_of_kind(&self, object: &ObjectReference) -> Result<Oid> {
        let class = self.relation(&object.name)?;
        let (fits, words) = match object.kind {
            ObjectKind::Table => (matches!(class.relkind, 'r' | 'p'), "a table"),
            ObjectKind::Index => (class.relkind == 'i', "an index"),
            ObjectKind::Sequence => (class.relkind == 'S', "a sequence"),
            ObjectKind::View => (class.relkind == 'v', "a view"),
            ObjectKind::MaterializedView => (class.relkind == 'm', "a materialized view"),
            _ => (class.relkind == 'f', "a foreign table"),
        };
        if !fits {
            return Err(error!(WRONG_OBJECT_TYPE, "\"{}\" is not {words}", class.relname));
        }
        let word = super::naming::relation_word(class.relkind);
        self.require_owner(class.relowner, word, &class.relname)?;
        Ok(class.oid)
    }

    fn commented_column(&self, object: &ObjectReference) -> Result<Option<Kept>> {
        let Some(table) = &object.on else {
            return Err(error!(SYNTAX_ERROR, "column name must be qualified"));
        };
        let class = self.relation(table)?;
        let column = self.live_column(&class, &object.name.name)?;
        let word = super::naming::relation_word(class.relkind);
        self.require_owner(class.relowner, word, &class.relname)?;
        if !matches!(class.relkind, 'r' | 'v' | 'm' | 'c' | 'f' | 'p') {
            return Err(error!(WRONG_OBJECT_TYPE, "cannot set comment on relation \"{}\"", class.relname)
                .detail(not_supported_for(class.relkind)));
        }
        Ok(Some(Kept::Here(ObjectAddress::column(class.oid, column.attnum))))
    }

    fn commented_constraint(&self, object: &ObjectReference) -> Result<Oid> {
        let name = &object.name.name;
        let Some(on) = &object.on else {
            return Err(SqlError::internal("a constraint of nothing"));
        };
        if object.on_domain {
            let ty = self.find_type(on)?;
            let ty = ty.ok_or_else(|| error!(UNDEFINED_OBJECT, "type \"{}\" does not exist", dotted(on)))?;
            self.require_owner(ty.typowner, "type", &ty.typname)?;
            let constraints = self.edit.domain_constraints(ty.oid);
            let found: Option<&std::sync::Arc<Constraint>> =
                constraints.iter().find(|row| row.conname == *name);
            return found.map(|row| row.oid).ok_or_else(|| {
                error!(UNDEFINED_OBJECT, "constraint \"{name}\" for domain {} does not exist", dotted(on))
            });
        }
        let class = self.relation(on)?;
        let found = self.edit.constraint_named(class.oid, name).ok_or_else(|| {
            error!(UNDEFINED_OBJECT, "constraint \"{name}\" for table \"{}\" does not exist", class.relname)
        })?;
        self.require_owner(class.relowner, super::naming::relation_word(class.relkind), &class.relname)?;
        Ok(found.oid)
    }

    /// A comment on a database that does not exist is a warning only, so that restoring a dump under another name goes on.
    fn commented_database(&mut self, name: &str) -> Result<Option<Kept>> {
        let Some(database) = self.edit.database_named(name) else {
            self.warning(SqlState::UNDEFINED_DATABASE, format!("database \"{name}\" does not exist"));
            return Ok(None);
        };
        self.require_owner(database.datdba, "database", name)?;
        Ok(Some(Kept::Shared(relations::PG_DATABASE, database.oid)))
    }

    fn check_right_over_role(&self, role: Oid, superuser: bool) -> Result<()> {
        if superuser {
            return self.require_superuser("must be superuser");
        }
        let may = role == self.user
            || self.edit.role(self.user).is_some_and(|user| user.rolsuper || user.rolcreaterole);
        if may { Ok(()) } else { Err(error!(INSUFFICIENT_PRIVILEGE, "must have CREATEROLE privilege")) }
    }

    fn type_of(&self, object: &ObjectReference, position: usize) -> Result<Oid> {
        match object.types.get(position) {
            Some(Some(name)) => Ok(self.type_name(name)?.oid),
            _ => Ok(Oid::INVALID),
        }
    }

    fn type_words(&self, ty: Oid) -> String {
        if ty.is_valid() {
            format_type(TypeMod::plain(ty), self.edit, &self.search_path)
        } else {
            String::new()
        }
    }

    fn commented_cast(&self, object: &ObjectReference) -> Result<(Oid, Oid, Oid)> {
        let (source, target) = (self.type_of(object, 0)?, self.type_of(object, 1)?);
        let cast = self.edit.cast(source, target).ok_or_else(|| {
            error!(
                UNDEFINED_OBJECT,
                "cast from type {} to type {} does not exist",
                self.type_words(source),
                self.type_words(target)
            )
        })?;
        let owner = self.edit.type_(source).map_or(Oid::INVALID, |ty| ty.typowner);
        Ok((relations::PG_CAST, cast.oid, owner))
    }

    fn commented_operator(&self, object: &ObjectReference) -> Result<(Oid, Oid, Oid)> {
        let (left, right) = (self.type_of(object, 0)?, self.type_of(object, 1)?);
        let candidates = self.edit.operators_named(&object.name.name);
        let fits = |operator: &&std::sync::Arc<Operator>| {
            operator.oprleft == left
                && operator.oprright == right
                && self.in_path(object.name.schema.as_deref(), operator.oprnamespace)
        };
        let operator = candidates.iter().find(fits).ok_or_else(|| {
            let words =
                format!("{} {} {}", self.type_words(left), dotted(&object.name), self.type_words(right));
            error!(UNDEFINED_FUNCTION, "operator does not exist: {}", words.trim())
        })?;
        Ok((relations::PG_OPERATOR, operator.oid, operator.oprowner))
    }
}
