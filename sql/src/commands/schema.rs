//! CREATE SCHEMA, with the statements it contains.

use super::CommandContext;
use super::dependency::{DependencyKind, ObjectAddress, record};
use crate::catalog::Namespace;
use crate::catalog::privileges::{Grantable, Privileges, Protected};
use crate::oid::relations;
use crate::parse::{CreateSchema, Node, RoleSpecification};
use crate::{Oid, Result, error};

impl CommandContext<'_> {
    pub(super) fn create_schema(&mut self, statement: &CreateSchema) -> Result<()> {
        let owner = match &statement.owner {
            Some(role) => self.role(role)?,
            None => self.user,
        };
        let name = self.schema_name(statement, owner)?;
        self.require_database_create()?;
        if name.starts_with("pg_") {
            return Err(error!(RESERVED_NAME, "unacceptable schema name \"{name}\"")
                .detail("The prefix \"pg_\" is reserved for system schemas."));
        }
        if self.edit.namespace_named(&name).is_some() {
            if statement.if_not_exists {
                self.notice(
                    crate::SqlState::DUPLICATE_SCHEMA,
                    format!("schema \"{name}\" already exists, skipping"),
                );
                return Ok(());
            }
            return Err(error!(DUPLICATE_SCHEMA, "schema \"{name}\" already exists"));
        }
        let oid = self.edit.allocate_oid();
        self.edit.insert(Namespace { oid, nspname: name, nspowner: owner, nspacl: None })?;
        self.join_extension(ObjectAddress::new(relations::PG_NAMESPACE, oid))?;
        self.run_elements(statement, oid)
    }

    fn schema_name(&self, statement: &CreateSchema, owner: Oid) -> Result<String> {
        match &statement.name {
            Some(name) => Ok(name.clone()),
            None => match &statement.owner {
                Some(RoleSpecification::Name { name, .. }) => Ok(name.clone()),
                _ => self
                    .edit
                    .role(owner)
                    .map(|role| role.rolname.clone())
                    .ok_or_else(|| error!(UNDEFINED_OBJECT, "role with OID {owner} does not exist")),
            },
        }
    }

    fn require_database_create(&self) -> Result<()> {
        let Some(database) = self.edit.database(self.database) else { return Ok(()) };
        let protected =
            Protected { kind: Grantable::Database, owner: database.datdba, acl: database.datacl.as_deref() };
        if self.edit.privileges_on(self.user, &protected, Privileges::CREATE)?.is_empty() {
            return Err(error!(
                INSUFFICIENT_PRIVILEGE,
                "permission denied for database {}", database.datname
            ));
        }
        Ok(())
    }

    /// Runs the statements inside CREATE SCHEMA; names without a schema mean the new one.
    fn run_elements(&mut self, statement: &CreateSchema, schema: Oid) -> Result<()> {
        let mut path = vec![schema];
        path.extend(self.search_path.iter().copied());
        let outer_path = std::mem::replace(&mut self.search_path, path);
        let mut result = Ok(());
        for element in &statement.elements {
            let Node::Utility(utility) = &*element.node else { continue };
            result = super::run(self, utility).map(drop);
            if result.is_err() {
                break;
            }
        }
        self.search_path = outer_path;
        result
    }

    /// Makes a new object a member of the extension whose script runs.
    pub(super) fn join_extension(&mut self, address: ObjectAddress) -> Result<()> {
        let Some(extension) = self.extension else { return Ok(()) };
        let extension = ObjectAddress::new(relations::PG_EXTENSION, extension);
        record(self.edit, address, extension, DependencyKind::Extension)
    }
}
