//! Who owns what: the objects of a role, and giving an object to another.
//!
//! Lists are found by looking through the catalog; there is no `pg_shdepend` that could disagree with it.

use super::CommandContext;
use super::dependency::ObjectAddress;
use crate::catalog::privileges::parse_acl;
use crate::catalog::{
    Attribute, Catalog, Class, Collation, Database, DefaultAcl, Dependency, Extension, Language, Namespace,
    Operator, OperatorClass, Procedure, Type, keys,
};
use crate::locks::LockMode;
use crate::oid::relations;
use crate::{Oid, Result, SqlError, error};

/// An object, as the relation of its row and its OID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owned {
    pub(super) class: Oid,
    pub(super) object: Oid,
}

/// The objects that a role owns in this catalog's database, parts of other objects left out.
pub(super) fn owned_by(catalog: &Catalog, role: Oid) -> Vec<Owned> {
    let mut found = Vec::new();
    macro_rules! owned {
        ($class:ident $row:ty: $owner:ident $(, $condition:expr)?) => {
            for row in catalog.relation::<$row>().rows().filter(|row| row.$owner == role) {
                let wholes: &[fn(&$row) -> bool] = &[$($condition)?];
                if wholes.iter().all(|whole| whole(&row)) && row.oid >= crate::oid::FIRST_NORMAL {
                    found.push(Owned { class: relations::$class, object: row.oid });
                }
            }
        };
    }
    owned!(PG_NAMESPACE Namespace: nspowner);
    owned!(PG_CLASS Class: relowner, |class| matches!(class.relkind, 'r' | 'p' | 'v' | 'm' | 'S' | 'f'));
    owned!(PG_TYPE Type: typowner, |ty| ty.typcategory != 'A' && (ty.typtype != 'c' || !ty.typrelid.is_valid()));
    owned!(PG_PROC Procedure: proowner);
    owned!(PG_OPERATOR Operator: oprowner);
    owned!(PG_OPCLASS OperatorClass: opcowner);
    owned!(PG_COLLATION Collation: collowner);
    owned!(PG_LANGUAGE Language: lanowner);
    owned!(PG_EXTENSION Extension: extowner);
    for ty in catalog.relation::<Type>().rows().filter(|ty| ty.typowner == role && ty.typtype == 'c') {
        // A free-standing composite type is owned as a type, its relation follows.
        if catalog.class(ty.typrelid).is_some_and(|class| class.relkind == 'c') {
            found.push(Owned { class: relations::PG_TYPE, object: ty.oid });
        }
    }
    found.retain(|owned| !is_part(catalog, *owned));
    found
}

/// Whether an object belongs to another, as an identity column's sequence does.
fn is_part(catalog: &Catalog, owned: Owned) -> bool {
    let parts = [owned.class.into(), owned.object.into()];
    let rows = catalog.relation::<Dependency>().find(keys::pg_depend_depender_index, &parts);
    rows.iter().any(|row| row.objsubid == 0 && row.deptype == 'i')
}

/// The objects in whose access control lists a role occurs as a grantee, in this catalog's database.
///
/// # Errors
/// Those of [`parse_acl`].
pub(super) fn granted_to(catalog: &Catalog, role: Oid) -> Result<Vec<Owned>> {
    let mut found: Vec<Owned> = Vec::new();
    let mut look = |class: Oid, object: Oid, owner: Oid, acl: &Option<Vec<String>>| -> Result<()> {
        let Some(acl) = acl else { return Ok(()) };
        let named = parse_acl(acl, catalog)?.iter().any(|item| item.grantee == role && role != owner);
        let owned = Owned { class, object };
        if named && !found.contains(&owned) {
            found.push(owned);
        }
        Ok(())
    };
    for row in catalog.relation::<Namespace>().rows() {
        look(relations::PG_NAMESPACE, row.oid, row.nspowner, &row.nspacl)?;
    }
    for row in catalog.relation::<Class>().rows() {
        look(relations::PG_CLASS, row.oid, row.relowner, &row.relacl)?;
    }
    for row in catalog.relation::<Attribute>().rows().filter(|row| row.attacl.is_some()) {
        look(relations::PG_CLASS, row.attrelid, Oid::INVALID, &row.attacl)?;
    }
    for row in catalog.relation::<Procedure>().rows() {
        look(relations::PG_PROC, row.oid, row.proowner, &row.proacl)?;
    }
    for row in catalog.relation::<Type>().rows() {
        look(relations::PG_TYPE, row.oid, row.typowner, &row.typacl)?;
    }
    for row in catalog.relation::<Language>().rows() {
        look(relations::PG_LANGUAGE, row.oid, row.lanowner, &row.lanacl)?;
    }
    for row in catalog.relation::<Database>().rows().filter(|row| row.oid == catalog.current_database()) {
        look(relations::PG_DATABASE, row.oid, row.datdba, &row.datacl)?;
    }
    for row in catalog.relation::<DefaultAcl>().rows() {
        look(relations::PG_DEFAULT_ACL, row.oid, row.defaclrole, &row.defaclacl)?;
    }
    Ok(found)
}

impl CommandContext<'_> {
    /// Checks that the current role may give objects to another, as ALTER … OWNER TO asks.
    ///
    /// # Errors
    /// `42501`.
    pub(super) fn check_new_owner(&self, new_owner: Oid, schema: Option<Oid>) -> Result<()> {
        if self.edit.is_superuser(self.user) {
            return Ok(());
        }
        if !self.edit.is_member_of(self.user, new_owner) {
            let name = self.edit.role(new_owner).map_or(String::new(), |role| role.rolname.clone());
            return Err(error!(INSUFFICIENT_PRIVILEGE, "must be member of role \"{name}\""));
        }
        let Some(schema) = schema.and_then(|schema| self.edit.namespace(schema)) else { return Ok(()) };
        let create = crate::catalog::privileges::Privileges::CREATE;
        if self.edit.has_namespace_privilege(new_owner, schema.oid, create)? != Some(true) {
            return Err(error!(INSUFFICIENT_PRIVILEGE, "permission denied for schema {}", schema.nspname));
        }
        Ok(())
    }

    /// Gives an object, with its parts, to another role. The caller has checked that it may.
    ///
    /// # Errors
    /// `0A000` for kinds of objects that cannot be given away.
    pub(super) fn set_owner(&mut self, class: Oid, object: Oid, new_owner: Oid) -> Result<()> {
        macro_rules! give {
            ($row:ty, $owner:ident $(, $acl:ident)?) => {{
                let row = self.edit.get::<$row>(object);
                let row = row.ok_or_else(|| SqlError::internal("an object to be given away is not there"))?;
                let mut row = (*row).clone();
                let old = std::mem::replace(&mut row.$owner, new_owner);
                $(row.$acl = super::privilege::with_new_owner(row.$acl.as_deref(), old, new_owner, self.edit)?;)?
                let _ = old;
                self.edit.update(row)?;
            }};
        }
        match class {
            relations::PG_CLASS => return self.set_relation_owner(object, new_owner),
            relations::PG_TYPE => return self.set_type_owner(object, new_owner),
            relations::PG_NAMESPACE => give!(Namespace, nspowner, nspacl),
            relations::PG_PROC => give!(Procedure, proowner, proacl),
            relations::PG_DATABASE => give!(Database, datdba, datacl),
            relations::PG_LANGUAGE => give!(Language, lanowner, lanacl),
            relations::PG_OPERATOR => give!(Operator, oprowner),
            relations::PG_OPCLASS => give!(OperatorClass, opcowner),
            relations::PG_COLLATION => give!(Collation, collowner),
            relations::PG_EXTENSION => give!(Extension, extowner),
            _ => return Err(SqlError::unsupported("changing the owner of such an object")),
        }
        Ok(())
    }

    /// A relation is given away with its row type, its indexes and the sequences that its columns own.
    fn set_relation_owner(&mut self, relation: Oid, new_owner: Oid) -> Result<()> {
        self.lock_relation(relation, LockMode::AccessExclusive)?;
        let class = self.edit.class(relation);
        let class = class.ok_or_else(|| SqlError::internal("a relation to be given away is not there"))?;
        let acl =
            super::privilege::with_new_owner(class.relacl.as_deref(), class.relowner, new_owner, self.edit)?;
        self.edit.change::<Class>(relation, |class| {
            class.relowner = new_owner;
            class.relacl = acl;
        })?;
        for attribute in self.edit.attributes(relation).iter().filter(|a| a.attacl.is_some()) {
            let acl = attribute.attacl.as_deref();
            let acl = super::privilege::with_new_owner(acl, class.relowner, new_owner, self.edit)?;
            self.edit.change::<Attribute>((relation, attribute.attnum), |row| row.attacl = acl)?;
        }
        if class.reltype.is_valid() {
            self.set_type_rows_owner(class.reltype, new_owner)?;
        }
        for index in self.edit.indexes(relation).iter() {
            self.edit.change::<Class>(index.indexrelid, |class| class.relowner = new_owner)?;
        }
        for sequence in owned_sequences(self.edit, relation) {
            self.set_relation_owner(sequence, new_owner)?;
        }
        Ok(())
    }

    fn set_type_owner(&mut self, ty: Oid, new_owner: Oid) -> Result<()> {
        let relation = self.edit.type_(ty).map_or(Oid::INVALID, |ty| ty.typrelid);
        if relation.is_valid() {
            return self.set_relation_owner(relation, new_owner);
        }
        self.set_type_rows_owner(ty, new_owner)
    }

    fn set_type_rows_owner(&mut self, ty: Oid, new_owner: Oid) -> Result<()> {
        let Some(row) = self.edit.type_(ty) else { return Ok(()) };
        let acl =
            super::privilege::with_new_owner(row.typacl.as_deref(), row.typowner, new_owner, self.edit)?;
        self.edit.change::<Type>(ty, |row| {
            row.typowner = new_owner;
            row.typacl = acl;
        })?;
        if self.edit.type_(row.typarray).is_some() {
            self.edit.change::<Type>(row.typarray, |row| row.typowner = new_owner)?;
        }
        Ok(())
    }
}

/// The sequences that columns of a table own: of serial columns and of identity columns.
pub(super) fn owned_sequences(catalog: &Catalog, table: Oid) -> Vec<Oid> {
    let address = ObjectAddress::new(relations::PG_CLASS, table);
    let rows = catalog.dependents(address.class, address.object);
    let is_sequence = |oid: &Oid| catalog.class(*oid).is_some_and(|class| class.relkind == 'S');
    rows.iter()
        .filter(|row| {
            row.classid == relations::PG_CLASS && row.refobjsubid > 0 && matches!(row.deptype, 'a' | 'i')
        })
        .map(|row| row.objid)
        .filter(is_sequence)
        .collect()
}
