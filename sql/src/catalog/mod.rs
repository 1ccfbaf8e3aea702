//! The catalog: what exists. Built-in rows are PostgreSQL 15's own (`data/*.tsv`, written by `data/dump.sh`); rows of
//! users are kept in real tables in the database file (`pg_catalog.pg_class`, …), so that DDL is transactional and
//! survives with the data.
//!
//! A [`Catalog`] is one immutable snapshot of one database's catalog, cheap to clone and to change by copying
//! (`Arc` inside). A session binds each statement against one; a transaction that runs DDL has its own until it
//! commits.

//!
//! Versions are unique in the process, not counted up: a catalog that is rolled back takes its version with it, and
//! no other catalog ever has the same one.

mod built_in;
pub mod describe;
mod edit;
mod field;
mod lookup;
mod persistence;
mod physical;
mod prepared;
pub mod privileges;
mod relation;
mod row;
mod rows;
mod source;
mod visibility;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// The search path under which the catalog's texts (defaults, conditions, views) are written and read, whatever that of
/// the session is.
pub const KEPT_SEARCH_PATH: [crate::Oid; 2] =
    [crate::oid::namespaces::PG_CATALOG, crate::oid::namespaces::PUBLIC];

pub use edit::{CatalogEdit, RowChange};
pub use lookup::BtreeOperators;
pub use persistence::{Scope, apply, bootstrap, load};
pub use physical::physical_table_name;
pub use prepared::{Prepared, forget_prepared, mark_committed, marked, prepare, prepared};
pub use relation::{Relation, RelationDefinition};
pub use row::{Identity, Key, KeyDefinition, KeyKind, KeyPart, Row};
pub use rows::*;
pub use source::relation_source;
pub(crate) use source::source_name;
pub use visibility::Visible;

use crate::{Oid, oid};

/// One immutable snapshot of a database's catalog, built-in rows included.
#[derive(Clone)]
pub struct Catalog {
    version: u64,
    /// Which of the database's states that everybody sees it comes from: changes of it are made to that one only.
    origin: u64,
    relations: Relations,
    /// Whose catalog this is (`pg_database.oid`); zero for the cluster's own.
    database: Oid,
    /// The next OID to give away, shared by all snapshots of one database.
    next_oid: Arc<AtomicU32>,
    /// The same for objects that the cluster shares, shared by all snapshots of all its databases.
    next_shared_oid: Arc<AtomicU32>,
}

impl Index {
    /// Whether it computes something: it is on an expression, or has a predicate.
    pub fn computes(&self) -> bool {
        self.indexprs.is_some() || self.indpred.is_some()
    }
}

impl Class {
    /// The value of a storage option (`reloptions`), as its owner has written it.
    pub fn option(&self, name: &str) -> Option<&str> {
        let pairs = self.reloptions.iter().flatten().filter_map(|option| option.split_once('='));
        pairs.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// Whether a view reads as whoever uses it (`security_invoker`), not as its owner.
    pub fn reads_as_user(&self) -> bool {
        self.option("security_invoker").and_then(crate::settings::parse_boolean) == Some(true)
    }
}

impl Catalog {
    /// The catalog of a database in which nothing has been made yet.
    pub fn built_in() -> Arc<Self> {
        static BUILT_IN: LazyLock<Arc<Catalog>> = LazyLock::new(|| Arc::new(Catalog::empty()));
        Arc::clone(&BUILT_IN)
    }

    /// As [`Self::built_in`], with OIDs of its own to give away.
    pub(crate) fn empty() -> Self {
        let counter = || Arc::new(AtomicU32::new(oid::FIRST_NORMAL.0));
        Self {
            version: next_version(),
            origin: 0,
            relations: Relations::default(),
            database: Oid::INVALID,
            next_oid: counter(),
            next_shared_oid: counter(),
        }
    }

    /// Unique for each content; plans are valid for one version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Whether it has been made from this one, which everybody sees, and not from an older one.
    pub(crate) fn is_made_from(&self, published: &Self) -> bool {
        self.origin == published.origin
    }

    /// What everybody sees after changes of a database's own rows have been committed, with the shared rows of before.
    pub(crate) fn published_after(&self, before: &Self) -> Self {
        let mut catalog = self.with_shared_rows_of(before);
        catalog.origin = catalog.version;
        catalog
    }

    /// The rows of one relation, for lookups that have no method of their own:
    /// `catalog.relation::<Class>().find(keys::pg_class_relname_nsp_index, &["t".into()])`.
    pub fn relation<T: Row>(&self) -> &Relation<T> {
        T::relation(&self.relations)
    }

    /// The row of `T` with this identity (for most relations its OID).
    pub fn get<T: Row>(&self, identity: impl Identity) -> Option<Arc<T>> {
        self.relation::<T>().get(&identity)
    }

    /// This catalog with the cluster's shared rows (databases, roles, …) taken from another snapshot.
    #[must_use]
    pub fn with_shared_rows_of(&self, other: &Self) -> Self {
        let mut catalog = self.clone();
        catalog.version = next_version();
        catalog.relations.take_shared(&other.relations);
        catalog.next_shared_oid = Arc::clone(&other.next_shared_oid);
        catalog
    }

    /// This snapshot with changes that were made to another one: what another session has committed, or the shared
    /// part of a change in the cluster's own snapshot.
    ///
    /// # Errors
    /// `XX000` when a change is not of a catalog's form.
    pub fn with_changes<'c>(
        &self,
        changes: impl IntoIterator<Item = &'c RowChange>,
    ) -> crate::Result<Arc<Self>> {
        let mut catalog = Self { version: next_version(), ..self.clone() };
        for change in changes {
            let relation = RELATIONS.iter().find(|relation| relation.name == change.relation);
            let rows =
                (relation.ok_or_else(|| row::malformed(change.relation))?.rows_mut)(&mut catalog.relations);
            match &change.row {
                Some(values) => rows.load(values)?,
                None => rows.hide(&change.identity),
            }
        }
        Ok(Arc::new(catalog))
    }

    /// Whose catalog this is (`pg_database.oid`); zero for the cluster's own.
    pub fn current_database(&self) -> Oid {
        self.database
    }
}

fn next_version() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
