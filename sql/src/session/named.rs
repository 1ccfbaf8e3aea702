//! What the extended protocol keeps by name: portals, prepared statements. The unnamed one, which most clients use for
//! each statement, has a place of its own and is looked for in no table.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Things by name; the empty name is the unnamed one.
pub(super) struct Named<T> {
    unnamed: Option<T>,
    others: HashMap<String, T, RandomState>,
}

impl<T> Default for Named<T> {
    fn default() -> Self {
        Self { unnamed: None, others: HashMap::default() }
    }
}

impl<T> Named<T> {
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        if name.is_empty() { self.unnamed.as_ref() } else { self.others.get(name) }
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut T> {
        if name.is_empty() { self.unnamed.as_mut() } else { self.others.get_mut(name) }
    }

    pub(super) fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Keeps a thing in place of the one that has the name.
    pub(super) fn insert(&mut self, name: &str, thing: T) {
        if name.is_empty() {
            self.unnamed = Some(thing);
        } else {
            self.others.insert(name.to_owned(), thing);
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<T> {
        if name.is_empty() { self.unnamed.take() } else { self.others.remove(name) }
    }

    /// Whether there is one with a name.
    pub(super) fn has_named(&self) -> bool {
        !self.others.is_empty()
    }

    /// Those with a name.
    pub(super) fn named(&self) -> impl Iterator<Item = (&String, &T)> {
        self.others.iter()
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.unnamed.iter_mut().chain(self.others.values_mut())
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        if self.unnamed.as_ref().is_some_and(|thing| !keep(thing)) {
            self.unnamed = None;
        }
        self.others.retain(|_, thing| keep(thing));
    }

    /// Forgets all that have a name.
    pub(super) fn clear_named(&mut self) {
        self.others.clear();
    }

    pub(super) fn clear(&mut self) {
        self.unnamed = None;
        self.others.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unnamed_one_is_one_of_them() {
        let mut kept = Named::default();
        kept.insert("", 1);
        kept.insert("a", 2);
        kept.insert("", 3);
        assert_eq!((kept.get(""), kept.get("a"), kept.get("b")), (Some(&3), Some(&2), None));
        assert_eq!(kept.named().count(), 1);
        kept.values_mut().for_each(|number| *number += 1);
        kept.retain(|number| *number != 3);
        assert!(kept.contains("") && !kept.contains("a"));
        assert_eq!((kept.remove(""), kept.remove("")), (Some(4), None));
    }
}
