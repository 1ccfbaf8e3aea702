//! Names in statements: to schemas, relations, types, functions and roles, with PostgreSQL's errors, and the checks of
//! ownership and of the right to create.

use std::sync::Arc;

use super::CommandContext;
use crate::bound::TypeMod;
use crate::catalog::privileges::{Grantable, Privileges, Protected};
use crate::catalog::{Class, Namespace, Procedure, Type};
use crate::oid::{namespaces, roles};
use crate::parse::{Name, ObjectReference, RoleSpecification, TypeName};
use crate::types::names::{Shown, quote_identifier, refuse_other_database};
use crate::{Oid, Result, SqlError, SqlState, error};

/// How messages call the kinds of relations (`pg_class.relkind`).
pub(super) fn relation_word(kind: char) -> &'static str {
    match kind {
        'r' | 'p' => "table",
        'i' | 'I' => "index",
        'S' => "sequence",
        'v' => "view",
        'm' => "materialized view",
        'c' => "type",
        'f' => "foreign table",
        _ => "relation",
    }
}

impl CommandContext<'_> {
    /// The schema of this name.
    ///
    /// # Errors
    /// `3F000`.
    pub(super) fn schema(&self, name: &str) -> Result<Arc<Namespace>> {
        let found = self.edit.namespace_named(name);
        found.ok_or_else(|| error!(UNDEFINED_SCHEMA, "schema \"{name}\" does not exist"))
    }

    /// The schema in which an object of this name is to be made: the named one, or the first of the search path.
    ///
    /// # Errors
    /// `3F000`, `42501`.
    pub(super) fn creation_schema(&self, name: &Name) -> Result<Arc<Namespace>> {
        refuse_other_database(&name.parts(), Shown::Quoted, self.edit)?;
        let schema = match &name.schema {
            Some(schema) => self.schema(schema)?,
            None => self.first_schema()?,
        };
        if schema.oid == namespaces::PG_CATALOG && self.extension.is_none() {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied to create \"pg_catalog.{}\"", name.name
            )
            .detail("System catalog modifications are currently disallowed."));
        }
        self.require_schema_privilege(&schema, Privileges::CREATE)?;
        Ok(schema)
    }

    fn first_schema(&self) -> Result<Arc<Namespace>> {
        let mut path = self.search_path.iter().filter(|oid| **oid != namespaces::PG_CATALOG);
        let first = path.find_map(|oid| self.edit.namespace(*oid));
        first.ok_or_else(|| error!(UNDEFINED_SCHEMA, "no schema has been selected to create in"))
    }

    /// # Errors
    /// `42501`.
    pub(super) fn require_schema_privilege(&self, schema: &Namespace, privilege: Privileges) -> Result<()> {
        let protected =
            Protected { kind: Grantable::Schema, owner: schema.nspowner, acl: schema.nspacl.as_deref() };
        if !self.edit.privileges_on(self.user, &protected, privilege)?.is_empty() {
            return Ok(());
        }
        Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for schema {}", schema.nspname))
    }

    /// The relation that a name means, if there is one.
    pub(super) fn find_relation(&self, name: &Name) -> Result<Option<Arc<Class>>> {
        refuse_other_database(&name.parts(), Shown::Quoted, self.edit)?;
        if let Some(schema) = &name.schema {
            let Some(schema) = self.edit.namespace_named(schema) else { return Ok(None) };
            return Ok(self.edit.class_named(schema.oid, &name.name));
        }
        Ok(self.search_path.iter().find_map(|schema| self.edit.class_named(*schema, &name.name)))
    }

    /// The relation that a name means.
    ///
    /// # Errors
    /// `42P01`.
    pub(super) fn relation(&self, name: &Name) -> Result<Arc<Class>> {
        self.find_relation(name)?
            .ok_or_else(|| error!(UNDEFINED_TABLE, "relation \"{}\" does not exist", dotted(name)))
    }

    /// The type that a name means.
    ///
    /// # Errors
    /// `42704` and those of type names.
    pub(super) fn type_name(&self, name: &TypeName) -> Result<TypeMod> {
        self.binding(&self.text, |context| crate::bind::resolve_type(&name.data_type, context))
    }

    /// The type of this name, without modifiers or arrays, if there is one.
    ///
    /// # Errors
    /// `0A000` for one in another database.
    pub(super) fn find_type(&self, name: &Name) -> Result<Option<Arc<Type>>> {
        refuse_other_database(&name.parts(), Shown::Bare, self.edit)?;
        Ok(match &name.schema {
            Some(schema) => {
                let schema = self.edit.namespace_named(schema);
                schema.and_then(|schema| self.edit.type_named(schema.oid, &name.name))
            }
            None => self.search_path.iter().find_map(|schema| self.edit.type_named(*schema, &name.name)),
        })
    }

    /// The role that is meant.
    ///
    /// # Errors
    /// `42704`.
    pub(super) fn role(&self, role: &RoleSpecification) -> Result<Oid> {
        match role {
            RoleSpecification::Name { name, .. } => {
                let found = self.edit.role_named(name);
                found
                    .map(|role| role.oid)
                    .ok_or_else(|| error!(UNDEFINED_OBJECT, "role \"{name}\" does not exist"))
            }
            RoleSpecification::CurrentUser | RoleSpecification::CurrentRole => Ok(self.user),
            RoleSpecification::SessionUser => Ok(self.statement.session.users.lock().0),
            RoleSpecification::Public => Err(error!(UNDEFINED_OBJECT, "role \"public\" does not exist")),
        }
    }

    /// # Errors
    /// `42501` unless the current role has the owner's rights.
    pub(super) fn require_owner(&self, owner: Oid, what: &str, name: &str) -> Result<()> {
        if self.edit.has_privs_of_role(self.user, owner) {
            return Ok(());
        }
        Err(error!(INSUFFICIENT_PRIVILEGE, "must be owner of {what} {name}"))
    }

    /// # Errors
    /// `42501` unless the current role owns the relation; `42501` for the system's own.
    pub(super) fn require_relation_owner(&self, class: &Class) -> Result<()> {
        if is_system(class) {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied: \"{}\" is a system catalog", class.relname
            ));
        }
        self.require_owner(class.relowner, relation_word(class.relkind), &class.relname)
    }

    /// # Errors
    /// `42501` unless the current role is a superuser.
    pub(super) fn require_superuser(&self, message: &str) -> Result<()> {
        if self.edit.is_superuser(self.user) {
            return Ok(());
        }
        Err(SqlError::new(SqlState::INSUFFICIENT_PRIVILEGE, message))
    }

    /// The function that a reference with or without parameters means; nothing when there is none.
    ///
    /// # Errors
    /// `42725` when it is not unique; those of type names.
    pub(super) fn find_function(&self, reference: &ObjectReference) -> Result<Option<Arc<Procedure>>> {
        let name = &reference.name;
        refuse_other_database(&name.parts(), Shown::Bare, self.edit)?;
        let candidates: Vec<Arc<Procedure>> = self
            .edit
            .functions_named(&name.name)
            .iter()
            .filter(|function| self.in_path(name.schema.as_deref(), function.pronamespace))
            .cloned()
            .collect();
        let Some(parameters) = &reference.parameters else {
            if candidates.len() > 1 {
                return Err(error!(AMBIGUOUS_FUNCTION, "function name \"{}\" is not unique", dotted(name))
                    .hint("Specify the argument list to select the function unambiguously."));
            }
            return Ok(candidates.into_iter().next());
        };
        let mut types = Vec::new();
        for parameter in parameters.iter().filter(|p| p.mode != crate::parse::ParameterMode::Out) {
            types.push(self.type_name(&parameter.data_type)?.oid);
        }
        Ok(candidates.into_iter().find(|function| function.proargtypes == types))
    }

    /// Whether a schema is the named one, or in the search path when none is named.
    pub(super) fn in_path(&self, named: Option<&str>, schema: Oid) -> bool {
        match named {
            Some(name) => self.edit.namespace_named(name).is_some_and(|found| found.oid == schema),
            None => self.search_path.contains(&schema),
        }
    }

    /// A function with its parameters as a message names it: `f(integer,text)`.
    pub(super) fn function_words(&self, reference: &ObjectReference) -> String {
        let Some(parameters) = &reference.parameters else { return dotted(&reference.name) };
        let types: Vec<String> = parameters
            .iter()
            .map(|parameter| match self.type_name(&parameter.data_type) {
                Ok(ty) => crate::types::format_type(TypeMod::plain(ty.oid), self.edit, &self.search_path),
                Err(_) => parameter.data_type.text.clone(),
            })
            .collect();
        format!("{}({})", dotted(&reference.name), types.join(","))
    }
}

/// A name as it was written: `schema.name`.
pub(super) fn dotted(name: &Name) -> String {
    name.parts().join(".")
}

/// A name as SQL text.
pub(super) fn quoted_name(schema: &str, name: &str) -> String {
    format!("{}.{}", quote_identifier(schema), quote_identifier(name))
}

/// Whether a relation is part of the system.
pub(super) fn is_system(class: &Class) -> bool {
    class.relnamespace == namespaces::PG_CATALOG || class.oid < crate::oid::FIRST_NORMAL
}

/// The bootstrap superuser.
pub(super) const BOOTSTRAP: Oid = roles::POSTGRES;
