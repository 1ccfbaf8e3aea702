//! What is kept of statements so that running one again is cheap: parsed texts (for all sessions), plans (for all
//! sessions in a database). The least recently used go first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::bound::OutputColumn;
use crate::locks::LockMode;
use crate::lower::Plan;
use crate::parse::ParsedStatement;
use crate::{Oid, Result, SqlError};

/// How many query strings are kept parsed.
const PARSED_MAX: usize = 1024;
/// How long a kept query string may be, in bytes. Longer ones (dumps, generated lists) are seldom run again.
const PARSED_TEXT_MAX: usize = 8 << 10;
/// How many plans a database keeps.
const PLANS_MAX: usize = 1024;

/// A map that forgets what has not been used for longest.
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (V, u64)>,
    clock: u64,
    max: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    fn new(max: usize) -> Self {
        Self { entries: HashMap::new(), clock: 0, max }
    }

    fn get<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.clock += 1;
        let (value, used) = self.entries.get_mut(key)?;
        *used = self.clock;
        Some(value.clone())
    }

    fn put(&mut self, key: K, value: V) {
        if self.entries.len() >= self.max {
            self.drop_older_half();
        }
        self.clock += 1;
        self.entries.insert(key, (value, self.clock));
    }

    /// Half at a time, so that the search for old entries is paid for by many insertions.
    fn drop_older_half(&mut self) {
        let mut uses: Vec<u64> = self.entries.values().map(|(_, used)| *used).collect();
        let middle = uses.len() / 2;
        let (_, median, _) = uses.select_nth_unstable(middle);
        let median = *median;
        self.entries.retain(|_, (_, used)| *used > median);
    }
}

/// Parsed query strings.
pub(crate) struct ParseCache(Recent<Arc<str>, Arc<[ParsedStatement]>>);

impl Default for ParseCache {
    fn default() -> Self {
        Self(Recent::new(PARSED_MAX))
    }
}

impl ParseCache {
    pub(crate) fn get(&mut self, text: &str) -> Option<Arc<[ParsedStatement]>> {
        self.0.get(text)
    }

    pub(crate) fn put(&mut self, text: &str, statements: &Arc<[ParsedStatement]>) {
        if text.len() <= PARSED_TEXT_MAX {
            self.0.put(text.into(), statements.clone());
        }
    }
}

/// Everything that a plan depends on.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct PlanKey {
    pub(crate) text: Arc<str>,
    /// The declared types of parameters.
    pub(crate) parameters: Vec<Oid>,
    /// [`crate::catalog::Catalog::version`].
    pub(crate) catalog: u64,
    pub(crate) search_path: Vec<Oid>,
    pub(crate) user: Oid,
    /// The settings by which literals are read.
    pub(crate) format: String,
}

/// A statement ready to run, on one version of the catalog.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// The version it was made for.
    pub(crate) catalog: u64,
    /// The tables that it locks while it runs, and how.
    pub(crate) relations: Vec<(Oid, LockMode)>,
    /// Why the user that it was made for may not run it.
    pub(crate) denied: Option<SqlError>,
}

impl Planned {
    /// Refuses what the user may not run.
    ///
    /// # Errors
    /// `42501`.
    pub(crate) fn check_allowed(&self) -> Result<()> {
        self.denied.clone().map_or(Ok(()), Err)
    }

    /// The visible columns, or nothing for a statement that gives no rows.
    pub(crate) fn columns(&self) -> Option<&[OutputColumn]> {
        let rows = self.plan.read_only || !self.plan.columns.is_empty();
        rows.then_some(&self.plan.columns[..])
    }
}

/// Plans.
pub(crate) struct PlanCache(Recent<PlanKey, Arc<Planned>>);

impl Default for PlanCache {
    fn default() -> Self {
        Self(Recent::new(PLANS_MAX))
    }
}

impl PlanCache {
    pub(crate) fn get(&mut self, key: &PlanKey) -> Option<Arc<Planned>> {
        self.0.get(key)
    }

    pub(crate) fn put(&mut self, key: PlanKey, plan: &Arc<Planned>) {
        if key.text.len() <= PARSED_TEXT_MAX && !mentions_a_moment(&key.text) {
            self.0.put(key, plan.clone());
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.entries.clear();
    }
}

/// Whether a literal in the text may mean another value at another time (`'now'::timestamp`): such plans are made anew.
fn mentions_a_moment(text: &str) -> bool {
    const MOMENTS: [&str; 4] = ["now", "today", "tomorrow", "yesterday"];
    let text = text.to_ascii_lowercase();
    let quoted = text.split('\'').skip(1).step_by(2);
    quoted.into_iter().any(|literal| MOMENTS.iter().any(|moment| literal.contains(moment)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_used_last_stays() {
        let mut recent: Recent<i32, i32> = Recent::new(4);
        for key in 0..4 {
            recent.put(key, key * 10);
        }
        assert_eq!(recent.get(&0), Some(0));
        recent.put(4, 40);
        assert_eq!((recent.get(&0), recent.get(&1), recent.get(&4)), (Some(0), None, Some(40)));
    }

    #[test]
    fn moments_are_literals() {
        assert!(mentions_a_moment("SELECT 'Now'::timestamptz"));

        assert!(!mentions_a_moment("SELECT now()"));
    }
}
