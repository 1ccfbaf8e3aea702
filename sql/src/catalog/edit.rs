//! Changes of a catalog: a copy is changed row by row, each change checked against PostgreSQL's unique indexes and
//! noted down, and the result is the next snapshot together with what has to be written to the database file.
//!
//! Nothing here touches the snapshot it started from: to roll back is to go on using that one.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::row::{Identity, KeyDefinition, KeyKind, KeyPart, Row};
use super::{Catalog, next_version};
use crate::{Oid, Result, SqlError, Value, error};

/// A changed row, as it has to be written to the database file (or to the cluster's, when `shared`).
#[derive(Clone, Debug, PartialEq)]
pub struct RowChange {
    /// The relation.
    pub relation: &'static str,
    /// Whether it is one of the relations that the whole cluster shares.
    pub shared: bool,
    /// Whether a built-in row has this identity.
    pub built_in: bool,
    /// What identifies the row.
    pub identity: Vec<KeyPart<'static>>,
    /// The row's values; nothing when it was deleted.
    pub row: Option<Vec<Value>>,
}

/// A catalog that is being changed. It can be read like a [`Catalog`], with the changes made so far.
pub struct CatalogEdit {
    catalog: Catalog,
    changes: Vec<RowChange>,
}

impl Deref for CatalogEdit {
    type Target = Catalog;
    fn deref(&self) -> &Catalog {
        &self.catalog
    }
}

impl CatalogEdit {
    /// Begins to change a copy of this snapshot.
    pub fn new(base: &Catalog) -> Self {
        let catalog = Catalog { version: next_version(), ..base.clone() };
        Self { catalog, changes: Vec::new() }
    }

    /// An OID for a new object; never given twice in a database, rolled back or not.
    pub fn allocate_oid(&mut self) -> Oid {
        Oid(self.catalog.next_oid.fetch_add(1, Ordering::Relaxed))
    }

    /// An OID for a new object that the cluster's databases share: a role, a database, a tablespace.
    pub fn allocate_shared_oid(&mut self) -> Oid {
        Oid(self.catalog.next_shared_oid.fetch_add(1, Ordering::Relaxed))
    }

    /// Makes sure that an OID which was chosen is not given to another shared object later.
    pub fn claim_shared_oid(&mut self, oid: Oid) {
        self.catalog.next_shared_oid.fetch_max(oid.0.saturating_add(1), Ordering::Relaxed);
    }

    /// Adds a row.
    ///
    /// # Errors
    /// `23505` when a unique index of the relation has its values already.
    pub fn insert<T: Row>(&mut self, row: T) -> Result<Arc<T>> {
        let identity = row.identity();
        if T::KEYS[0].kind == KeyKind::Unique && self.catalog.relation::<T>().get_parts(&identity).is_some() {
            return Err(duplicate(&row, &T::KEYS[0]));
        }
        self.put(row)
    }

    /// Replaces the row that has this row's identity.
    ///
    /// # Errors
    /// `23505` when a unique index of the relation has its values already; `XX000` when there is no row to replace.
    pub fn update<T: Row>(&mut self, row: T) -> Result<Arc<T>> {
        if self.catalog.relation::<T>().get_parts(&row.identity()).is_none() {
            return Err(SqlError::internal(format!("no such row of catalog relation \"{}\"", T::RELATION)));
        }
        self.put(row)
    }

    /// Changes the row with this identity in place.
    ///
    /// # Errors
    /// As [`Self::update`].
    pub fn change<T: Row>(&mut self, identity: impl Identity, change: impl FnOnce(&mut T)) -> Result<Arc<T>> {
        let missing = || SqlError::internal(format!("no such row of catalog relation \"{}\"", T::RELATION));
        let mut row = (*self.catalog.get::<T>(identity).ok_or_else(missing)?).clone();
        change(&mut row);
        self.update(row)
    }

    /// Adds the row, or replaces the one with its identity.
    ///
    /// # Errors
    /// `23505` when another row has its values in a unique index.
    pub fn put<T: Row>(&mut self, row: T) -> Result<Arc<T>> {
        self.check_unique(&row)?;
        self.note::<T>(&row.identity(), Some(row.to_stored()));
        Ok(T::relation_mut(&mut self.catalog.relations).put(row))
    }

    /// Removes the row with this identity; the row, if there was one.
    pub fn delete<T: Row>(&mut self, identity: impl Identity) -> Option<Arc<T>> {
        let parts = identity.parts();
        let row = self.catalog.relation::<T>().get_parts(&parts)?;
        self.note::<T>(&parts, None);
        T::relation_mut(&mut self.catalog.relations).remove(&parts);
        Some(row)
    }

    /// Removes this row.
    pub fn delete_row<T: Row>(&mut self, row: &T) {
        let parts = row.identity();
        self.note::<T>(&parts, None);
        T::relation_mut(&mut self.catalog.relations).remove(&parts);
    }

    /// The next snapshot, and what has to be written.
    pub fn finish(self) -> (Arc<Catalog>, Vec<RowChange>) {
        (Arc::new(self.catalog), self.changes)
    }

    fn note<T: Row>(&mut self, identity: &[KeyPart<'_>], row: Option<Vec<Value>>) {
        let built_in = T::built_in().find(0, identity).next().is_some();
        let identity = identity.iter().cloned().map(KeyPart::into_owned).collect();
        self.changes.push(RowChange { relation: T::RELATION, shared: T::SHARED, built_in, identity, row });
    }

    fn check_unique<T: Row>(&self, row: &T) -> Result<()> {
        let relation = self.catalog.relation::<T>();
        for (index, key) in T::KEYS.iter().enumerate().skip(1) {
            let clashes = |other: &Arc<T>| other.identity() != row.identity();
            if key.kind == KeyKind::Unique
                && relation.find_at(index, &row.key(index)).any(|other| clashes(&other))
            {
                return Err(duplicate(row, key));
            }
        }
        Ok(())
    }
}

fn duplicate<T: Row>(row: &T, key: &KeyDefinition) -> SqlError {
    let texts = row.to_text_fields();
    let columns: Vec<_> = key.columns.iter().map(|&column| T::COLUMNS[column]).collect();
    let values: Vec<_> =
        key.columns.iter().map(|&column| texts[column].as_deref().unwrap_or("null")).collect();
    error!(UNIQUE_VIOLATION, "duplicate key value violates unique constraint \"{}\"", key.name)
        .detail(format!("Key ({})=({}) already exists.", columns.join(", "), values.join(", ")))
}
