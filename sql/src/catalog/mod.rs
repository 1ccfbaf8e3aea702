//! The catalog: what exists. Built-in rows are PostgreSQL 15's own (`data/*.tsv`, written by `data/dump.sh`); rows of
//! users are kept in real tables in the database file (`pg_catalog.pg_class`, …), so that DDL is transactional and
//! survives with the data.
//!
//! A [`Catalog`] is one immutable snapshot of one database's catalog, cheap to clone and to change by copying
//! (`Arc` inside). A session binds each statement against one; a transaction that runs DDL has its own until it
//! commits.

mod rows;

use std::sync::Arc;

pub use rows::*;

use crate::Oid;

/// One immutable snapshot of a database's catalog, built-in rows included.
#[derive(Clone)]
pub struct Catalog {}

#[allow(unused_variables, clippy::unimplemented, reason = "signatures first")]
impl Catalog {
    /// Grows with every change; plans are valid for one version.
    pub fn version(&self) -> u64 {
        unimplemented!()
    }
    /// The schema with this OID.
    pub fn namespace(&self, oid: Oid) -> Option<Arc<Namespace>> {
        unimplemented!()
    }
    /// The schema of this name.
    pub fn namespace_named(&self, name: &str) -> Option<Arc<Namespace>> {
        unimplemented!()
    }
    /// The relation (table, index, view, sequence, composite type) with this OID.
    pub fn class(&self, oid: Oid) -> Option<Arc<Class>> {
        unimplemented!()
    }
    /// The relation of this name in a schema.
    pub fn class_named(&self, namespace: Oid, name: &str) -> Option<Arc<Class>> {
        unimplemented!()
    }
    /// The ordinary columns of a relation in order (`attnum` from 1), dropped ones included.
    pub fn attributes(&self, relation: Oid) -> Arc<[Arc<Attribute>]> {
        unimplemented!()
    }
    /// The default or generation expression of a column, as SQL text.
    pub fn default_expression(&self, relation: Oid, attnum: i16) -> Option<Arc<AttributeDefault>> {
        unimplemented!()
    }
    /// The type with this OID.
    pub fn type_(&self, oid: Oid) -> Option<Arc<Type>> {
        unimplemented!()
    }
    /// The type of this name in a schema.
    pub fn type_named(&self, namespace: Oid, name: &str) -> Option<Arc<Type>> {
        unimplemented!()
    }
    /// The labels of an enum in order.
    pub fn enum_labels(&self, ty: Oid) -> Arc<[Arc<EnumLabel>]> {
        unimplemented!()
    }
    /// The range type row of a range type or (by `rngmultitypid`) of a multirange type.
    pub fn range(&self, ty: Oid) -> Option<Arc<Range>> {
        unimplemented!()
    }
    /// The function with this OID.
    pub fn function(&self, oid: Oid) -> Option<Arc<Procedure>> {
        unimplemented!()
    }
    /// All functions of this name, in any schema.
    pub fn functions_named(&self, name: &str) -> Arc<[Arc<Procedure>]> {
        unimplemented!()
    }
    /// The aggregate row of a function.
    pub fn aggregate(&self, function: Oid) -> Option<Arc<Aggregate>> {
        unimplemented!()
    }
    /// The operator with this OID.
    pub fn operator(&self, oid: Oid) -> Option<Arc<Operator>> {
        unimplemented!()
    }
    /// All operators of this name, in any schema.
    pub fn operators_named(&self, name: &str) -> Arc<[Arc<Operator>]> {
        unimplemented!()
    }
    /// The cast from one type to another.
    pub fn cast(&self, source: Oid, target: Oid) -> Option<Arc<Cast>> {
        unimplemented!()
    }
    /// The collation with this OID.
    pub fn collation(&self, oid: Oid) -> Option<Arc<Collation>> {
        unimplemented!()
    }
    /// The collation of this name in a schema.
    pub fn collation_named(&self, namespace: Oid, name: &str) -> Option<Arc<Collation>> {
        unimplemented!()
    }
    /// The default btree operator class for a type: its `=` and `<` come from it.
    pub fn btree_operators(&self, ty: Oid) -> Option<BtreeOperators> {
        unimplemented!()
    }
    /// The indexes of a table, by name.
    pub fn indexes(&self, table: Oid) -> Arc<[Arc<Index>]> {
        unimplemented!()
    }
    /// The constraints of a table (`conrelid`), by name.
    pub fn constraints(&self, table: Oid) -> Arc<[Arc<Constraint>]> {
        unimplemented!()
    }
    /// The foreign keys that refer to a table (`confrelid`).
    pub fn referencing_constraints(&self, table: Oid) -> Arc<[Arc<Constraint>]> {
        unimplemented!()
    }
    /// The constraints of a domain.
    pub fn domain_constraints(&self, ty: Oid) -> Arc<[Arc<Constraint>]> {
        unimplemented!()
    }
    /// The definition of a view, as SQL text.
    pub fn view_definition(&self, relation: Oid) -> Option<Arc<str>> {
        unimplemented!()
    }
    /// The sequence row of a sequence.
    pub fn sequence(&self, relation: Oid) -> Option<Arc<Sequence>> {
        unimplemented!()
    }
    /// The role with this OID.
    pub fn role(&self, oid: Oid) -> Option<Arc<Role>> {
        unimplemented!()
    }
    /// The role of this name.
    pub fn role_named(&self, name: &str) -> Option<Arc<Role>> {
        unimplemented!()
    }
    /// The name of the table that holds a relation's rows in the database file.
    pub fn physical_name(&self, relation: Oid) -> Option<Arc<str>> {
        unimplemented!()
    }
}

/// The `=`, `<` and `>` operators by which a type is compared and ordered (`pg_operator.oid`), with their functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BtreeOperators {
    /// `=`.
    pub equal: Oid,
    /// `<`.
    pub less: Oid,
    /// `>`.
    pub greater: Oid,
    /// The function of `=`.
    pub equal_function: Oid,
    /// The function of `<`.
    pub less_function: Oid,
    /// The function of `>`.
    pub greater_function: Oid,
}
