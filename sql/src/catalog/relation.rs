//! The rows of one catalog relation in one snapshot: the built-in ones, and over them the rows of users, of which one
//! may replace or remove a built-in row with the same identity.
//!
//! A snapshot's part is shared until it is changed, so a clone costs one reference count.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use super::row::{Identity, Key, KeyDefinition, KeyPart, Row, malformed};
use super::rows::Relations;
use crate::{Result, Value};

/// A row and, once a statement has read it, its values.
pub(crate) struct Stored<T> {
    pub(crate) row: Arc<T>,
    pub(crate) values: OnceLock<Box<[Value]>>,
}

impl<T> Stored<T> {
    pub(crate) fn new(row: T) -> Self {
        Self { row: Arc::new(row), values: OnceLock::new() }
    }
}

/// Shared, so that copying a map of them is cheap.
type OwnedKey = Arc<[KeyPart<'static>]>;

/// The rows of users. `None` marks a built-in row that has been removed.
struct Overlay<T> {
    rows: BTreeMap<OwnedKey, Option<Arc<Stored<T>>>>,
    /// For each key, its parts followed by the identity.
    keys: Vec<BTreeMap<OwnedKey, Arc<Stored<T>>>>,
}

impl<T> Clone for Overlay<T> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), keys: self.keys.clone() }
    }
}

/// The rows of one relation in one snapshot.
pub struct Relation<T: Row> {
    overlay: Option<Arc<Overlay<T>>>,
}

impl<T: Row> Clone for Relation<T> {
    fn clone(&self) -> Self {
        Self { overlay: self.overlay.clone() }
    }
}

impl<T: Row> Default for Relation<T> {
    fn default() -> Self {
        Self { overlay: None }
    }
}

impl<T: Row> Relation<T> {
    /// The row with this identity.
    pub fn get(&self, identity: &impl Identity) -> Option<Arc<T>> {
        self.get_parts(&identity.parts())
    }

    pub(crate) fn get_parts(&self, identity: &[KeyPart<'_>]) -> Option<Arc<T>> {
        if let Some(row) = self.overlay.as_ref().and_then(|overlay| find_in(&overlay.rows, identity)) {
            return row.as_ref().map(|stored| Arc::clone(&stored.row));
        }
        T::built_in().find(0, identity).next().map(|stored| Arc::clone(&stored.row))
    }

    /// The first row whose key begins with these parts.
    pub fn find_one(&self, key: Key<T>, parts: &[KeyPart<'_>]) -> Option<Arc<T>> {
        self.find_stored(key.index, parts).next().map(|stored| Arc::clone(&stored.row))
    }

    /// The rows whose key begins with these parts, in the key's order.
    pub fn find(&self, key: Key<T>, parts: &[KeyPart<'_>]) -> Vec<Arc<T>> {
        let index = key.index;
        let built_in = self.find_built_in(index, parts);
        let mut rows: Vec<_> = built_in.map(|stored| Arc::clone(&stored.row)).collect();
        let before = rows.len();
        rows.extend(self.find_own(index, parts).map(|stored| Arc::clone(&stored.row)));
        if before > 0 && rows.len() > before {
            rows.sort_by(|a, b| a.key(index).cmp(&b.key(index)));
        }
        rows
    }

    pub(crate) fn find_at(&self, key: usize, parts: &[KeyPart<'_>]) -> impl Iterator<Item = Arc<T>> {
        self.find_stored(key, parts).map(|stored| Arc::clone(&stored.row))
    }

    /// All rows, the built-in ones first.
    pub fn rows(&self) -> impl Iterator<Item = Arc<T>> {
        self.stored().map(|stored| Arc::clone(&stored.row))
    }

    fn stored(&self) -> impl Iterator<Item = &Arc<Stored<T>>> {
        let built_in = T::built_in().rows.iter().filter(|stored| !self.hides(&stored.row));
        let own = self.overlay.iter().flat_map(|overlay| overlay.rows.values().flatten());
        built_in.chain(own)
    }

    fn find_stored(&self, key: usize, parts: &[KeyPart<'_>]) -> impl Iterator<Item = &Arc<Stored<T>>> {
        self.find_built_in(key, parts).chain(self.find_own(key, parts))
    }

    fn find_built_in(&self, key: usize, parts: &[KeyPart<'_>]) -> impl Iterator<Item = &Arc<Stored<T>>> {
        T::built_in().find(key, parts).filter(|stored| !self.hides(&stored.row))
    }

    fn find_own<'a>(&'a self, key: usize, parts: &[KeyPart<'_>]) -> impl Iterator<Item = &'a Arc<Stored<T>>> {
        let parts: OwnedKey = parts.iter().cloned().map(KeyPart::into_owned).collect();
        self.overlay.iter().flat_map(move |overlay| {
            let parts = Arc::clone(&parts);
            let from = (Bound::Included(&parts[..]), Bound::Unbounded);
            let rows = overlay.keys[key].range::<[KeyPart<'static>], _>(from);
            rows.take_while(move |(key, _)| key.starts_with(&parts)).map(|(_, stored)| stored)
        })
    }

    /// Whether a row of a user stands in the place of this built-in row.
    fn hides(&self, built_in: &T) -> bool {
        self.overlay.as_ref().is_some_and(|overlay| find_in(&overlay.rows, &built_in.identity()).is_some())
    }

    /// Puts a row in the place of the one with its identity, if any.
    pub(crate) fn put(&mut self, row: T) -> Arc<T> {
        let identity = owned(row.identity());
        let stored = Arc::new(Stored::new(row));
        let row = Arc::clone(&stored.row);
        let overlay = self.overlay_mut();
        let previous = overlay.rows.insert(identity.clone(), Some(Arc::clone(&stored)));
        overlay.forget(previous.flatten(), &identity);
        for (index, map) in overlay.keys.iter_mut().enumerate() {
            map.insert(full_key(&*row, index, &identity), Arc::clone(&stored));
        }
        row
    }

    /// Removes the row with this identity.
    pub(crate) fn remove(&mut self, identity: &[KeyPart<'_>]) {
        let is_built_in = T::built_in().find(0, identity).next().is_some();
        let identity = owned(identity.to_vec());
        let overlay = self.overlay_mut();
        let previous = overlay.rows.remove(&identity);
        overlay.forget(previous.flatten(), &identity);
        if is_built_in {
            overlay.rows.insert(identity, None);
        }
    }

    fn overlay_mut(&mut self) -> &mut Overlay<T> {
        let empty = || {
            let keys = T::KEYS.iter().map(|_| BTreeMap::new()).collect();
            Arc::new(Overlay { rows: BTreeMap::new(), keys })
        };
        Arc::make_mut(self.overlay.get_or_insert_with(empty))
    }
}

impl<T: Row> Overlay<T> {
    /// Takes a row that is no longer there out of the keys.
    fn forget(&mut self, row: Option<Arc<Stored<T>>>, identity: &OwnedKey) {
        let Some(stored) = row else { return };
        for (index, map) in self.keys.iter_mut().enumerate() {
            map.remove(&full_key(&*stored.row, index, identity));
        }
    }
}

fn owned(parts: Vec<KeyPart<'_>>) -> OwnedKey {
    parts.into_iter().map(KeyPart::into_owned).collect()
}

fn full_key<T: Row>(row: &T, index: usize, identity: &OwnedKey) -> OwnedKey {
    let parts = row.key(index).into_iter().map(KeyPart::into_owned);
    parts.chain(identity.iter().cloned()).collect()
}

/// Looks up by borrowed parts: a map with keys of any longer life is one with keys of this life.
fn find_in<'m, 'p, V>(map: &'m BTreeMap<Arc<[KeyPart<'p>]>, V>, parts: &[KeyPart<'p>]) -> Option<&'m V> {
    map.get(parts)
}

/// A catalog relation, for what treats all of them alike: persistence, and reading them by SQL.
pub struct RelationDefinition {
    /// Its name.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [&'static str],
    /// Its keys; the first identifies a row.
    pub keys: &'static [KeyDefinition],
    /// Whether the whole cluster shares its rows.
    pub shared: bool,
    /// Its rows in a snapshot.
    pub(crate) rows: fn(&Relations) -> &dyn AnyRelation,
    /// Its rows in a snapshot that is being made.
    pub(crate) rows_mut: fn(&mut Relations) -> &mut dyn AnyRelation,
}

/// A relation whose rows are only known as values.
pub(crate) trait AnyRelation {
    /// All rows.
    fn scan(&self) -> Vec<Arc<dyn AnyRow>>;
    /// The rows whose key begins with these parts.
    fn look_up(&self, key: usize, parts: &[KeyPart<'_>]) -> Vec<Arc<dyn AnyRow>>;
    /// Takes in a row as [`Row::to_stored`] gave it.
    fn load(&mut self, values: &[Value]) -> Result<()>;
    /// Removes a row.
    fn hide(&mut self, identity: &[KeyPart<'_>]);
}

/// A row of any relation.
pub(crate) trait AnyRow: Send + Sync {
    /// As [`Row::to_stored`].
    fn to_stored(&self) -> Vec<Value>;
    /// Where its values as SQL sees them are kept once they are known.
    fn values(&self) -> &OnceLock<Box<[Value]>>;
}

impl<T: Row> AnyRow for Stored<T> {
    fn to_stored(&self) -> Vec<Value> {
        self.row.to_stored()
    }
    fn values(&self) -> &OnceLock<Box<[Value]>> {
        &self.values
    }
}

impl<T: Row> AnyRelation for Relation<T> {
    fn scan(&self) -> Vec<Arc<dyn AnyRow>> {
        self.stored().map(|stored| Arc::clone(stored) as Arc<dyn AnyRow>).collect()
    }
    fn look_up(&self, key: usize, parts: &[KeyPart<'_>]) -> Vec<Arc<dyn AnyRow>> {
        self.find_stored(key, parts).map(|stored| Arc::clone(stored) as Arc<dyn AnyRow>).collect()
    }
    fn load(&mut self, values: &[Value]) -> Result<()> {
        self.put(T::from_stored(values).ok_or_else(|| malformed(T::RELATION))?);
        Ok(())
    }
    fn hide(&mut self, identity: &[KeyPart<'_>]) {
        self.remove(identity);
    }
}
