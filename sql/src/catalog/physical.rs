//! The names of SQLite tables and indexes: what a relation is called in the database file.
//!
//! `t` for `public.t` and `s.t` for a table of another schema, so that the file reads well in other tools. Where that
//! would not be unique (SQLite takes `T` and `t` for one name, PostgreSQL `"a.b"."c"` and `a."b.c"` for two) or is
//! reserved, the OID is added: `T#16401`. Names with `#` get it too, so no two relations can meet. A relation that is
//! renamed or moved to another schema is renamed in the file in the same transaction.

use std::sync::Arc;

use super::lookup::is_system_namespace;
use super::{Catalog, Class, RELATIONS};
use crate::Oid;
use crate::oid::namespaces;

impl Catalog {
    /// The name of the table that holds a relation's rows in the database file, or of the table function that gives
    /// them for a relation of the catalog. Nothing for views and other relations without rows.
    pub fn physical_name(&self, relation: Oid) -> Option<Arc<str>> {
        let class = self.class(relation)?;
        let namespace = self.namespace(class.relnamespace)?;
        if is_system_namespace(&namespace) && RELATIONS.iter().any(|known| known.name == class.relname) {
            return Some(super::source_name(&class.relname).into());
        }
        let has_rows = matches!(class.relkind, 'r' | 'i' | 'm' | 'S' | 'p' | 'I');
        has_rows.then(|| physical_table_name(&namespace.nspname, &class).into())
    }
}

/// The name in the database file of a relation in a schema of this name.
pub fn physical_table_name(namespace: &str, class: &Class) -> String {
    let public = class.relnamespace == namespaces::PUBLIC && namespace == "public";
    let plain = |name: &str| !name.contains(|c: char| c.is_ascii_uppercase() || matches!(c, '.' | '#' | ':'));
    let reserved = class.relname.starts_with("sqlite_") || namespace.starts_with("sqlite_");
    let unique = plain(&class.relname) && plain(namespace) && !reserved;
    let mut name = if public { class.relname.clone() } else { format!("{namespace}.{}", class.relname) };
    if !unique {
        // The prefix is SQLite's own in any position of the first word.
        name = format!("{}#{}", name.replacen("sqlite_", "sqlite-", 1), class.oid);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(namespace: Oid, schema: &str, name: &str) -> String {
        let class = Catalog::built_in().class(Oid(1259)).unwrap();
        let class =
            Class { relname: name.into(), relnamespace: namespace, oid: Oid(16390), ..(*class).clone() };
        physical_table_name(schema, &class)
    }

    #[test]
    fn names_read_well_and_never_meet() {
        let public = namespaces::PUBLIC;
        assert_eq!(named(public, "public", "t"), "t");
        assert_eq!(named(Oid(16384), "sales", "t"), "sales.t");
        assert_eq!(named(public, "public", "T"), "T#16390");
        assert_eq!(named(public, "public", "sales.t"), "sales.t#16390");
        assert_eq!(named(public, "public", "sqlite_master"), "sqlite-master#16390");
    }
}
