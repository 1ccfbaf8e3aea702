//! What is kept of statements so that running one again is cheap: parsed texts with their plans (for all sessions), and
//! templates, plans that serve all texts of one shape (for all sessions in a database). The least recently used go
//! first.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::fast::RandomState;
use parking_lot::Mutex;

use super::environment::EnvironmentKey;
use crate::bound::{BoundStatement, OutputColumn};
use crate::locks::LockMode;
use crate::lower::{OwnChanges, Plan};
use crate::parse::ParsedStatement;
use crate::{Oid, Result, SqlError};

/// How many query strings are kept parsed.
const PARSED_MAX: usize = 1024;
/// How long a kept query string may be, in bytes. Longer ones (dumps, generated lists) are seldom run again.
const PARSED_TEXT_MAX: usize = 8 << 10;
/// How many plans a statement keeps.
const PLANS_OF_A_STATEMENT_MAX: usize = 8;
/// How many shapes of texts a database knows.
const SHAPES_MAX: usize = 1024;
/// How many environments a database numbers before it starts anew. Each change of the catalog makes new ones.
const ENVIRONMENTS_MAX: usize = 1024;

/// A map that forgets what has not been used for longest.
pub(crate) struct Recent<K, V> {
    entries: HashMap<K, (V, u64), RandomState>,
    clock: u64,
    max: usize,
}

impl<K: Hash + Eq + Clone, V: Clone> Recent<K, V> {
    fn new(max: usize) -> Self {
        Self { entries: HashMap::default(), clock: 0, max }
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

/// A statement as it was parsed, with the plans that have been made of it.
pub(crate) struct Known {
    pub(crate) parsed: ParsedStatement,
    pub(crate) plans: Plans,
}

impl Known {
    pub(crate) fn new(parsed: ParsedStatement) -> Self {
        Self { parsed, plans: Plans::default() }
    }
}

/// The statements of one query string.
pub(crate) type KnownText = Arc<[Arc<Known>]>;

/// Parsed query strings.
pub(crate) struct ParseCache(Recent<Arc<str>, KnownText>);

impl Default for ParseCache {
    fn default() -> Self {
        Self(Recent::new(PARSED_MAX))
    }
}

impl ParseCache {
    pub(crate) fn get(&mut self, text: &str) -> Option<KnownText> {
        self.0.get(text)
    }

    pub(crate) fn put(&mut self, text: &str, statements: &KnownText) {
        if text.len() <= PARSED_TEXT_MAX {
            self.0.put(text.into(), statements.clone());
        }
    }
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
    /// For a query of one table: how it is run when its transaction has noted changes of that table.
    pub(crate) over_own_changes: Option<OverOwnChanges>,
}

/// A query of one table, and its plans over what a transaction has changed in it.
pub(crate) struct OverOwnChanges {
    pub(crate) table: Oid,
    pub(crate) bound: BoundStatement,
    plans: Mutex<Vec<(OwnChanges, Arc<Planned>)>>,
}

impl OverOwnChanges {
    pub(crate) fn new(table: Oid, bound: BoundStatement) -> Self {
        Self { table, bound, plans: Mutex::default() }
    }

    /// The plan over these changes, from those that are kept or newly made.
    ///
    /// # Errors
    /// Those of `make`.
    pub(crate) fn plan(
        &self,
        own: OwnChanges,
        make: impl FnOnce(&OwnChanges) -> Result<Arc<Planned>>,
    ) -> Result<Arc<Planned>> {
        let known = self.plans.lock().iter().find(|(known, _)| *known == own).map(|(_, plan)| plan.clone());
        if let Some(planned) = known {
            return Ok(planned);
        }
        let planned = make(&own)?;
        let mut plans = self.plans.lock();
        if plans.len() >= PLANS_OF_A_STATEMENT_MAX {
            plans.remove(0);
        }
        plans.push((own, planned.clone()));
        Ok(planned)
    }
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

/// The plans of one statement: one for each environment (see `environment`) and list of declared parameter types in
/// which it has been run lately.
#[derive(Default)]
pub(crate) struct Plans(Mutex<Vec<PlanEntry>>);

struct PlanEntry {
    environment: u64,
    declared: Box<[Oid]>,
    planned: Arc<Planned>,
}

impl Plans {
    pub(crate) fn get(&self, environment: u64, declared: &[Oid]) -> Option<Arc<Planned>> {
        let plans = self.0.lock();
        let entry = plans.iter().find(|plan| plan.environment == environment && *plan.declared == *declared);
        entry.map(|entry| entry.planned.clone())
    }

    /// Keeps the plan of this text, unless it may be another the next time.
    pub(crate) fn put(&self, text: &str, environment: u64, declared: &[Oid], planned: &Arc<Planned>) {
        if mentions_a_moment(text) {
            return;
        }
        let mut plans = self.0.lock();
        if plans.len() >= PLANS_OF_A_STATEMENT_MAX {
            plans.remove(0);
        }
        plans.push(PlanEntry { environment, declared: declared.into(), planned: planned.clone() });
    }
}

/// What is known of a shape of text (see `parse::shape`) in one environment.
#[derive(Clone)]
pub(crate) enum Shaped {
    /// A text of it has been seen. Nothing is found out before the second one comes.
    Once,
    /// Its statements are planned by their exact text.
    Exact,
    /// These literals, by their bits, belong to the shape.
    Keeps(u64),
    /// All its statements have this plan.
    Template(Arc<Template>),
}

/// A plan in which some literals of the text have become parameters.
pub(crate) struct Template {
    /// The word of the command tag.
    pub(crate) command: &'static str,
    pub(crate) planned: Arc<Planned>,
    /// Which literals are parameters, by their bits, and the type of each of these, in order.
    pub(crate) literals: u64,
    pub(crate) types: Vec<Oid>,
}

/// What a database keeps for all its sessions: the numbers of environments, and what is known of shapes.
pub(crate) struct PlanCache {
    environments: HashMap<EnvironmentKey, u64>,
    shapes: Recent<Box<[u8]>, Shaped>,
}

impl Default for PlanCache {
    fn default() -> Self {
        Self { environments: HashMap::new(), shapes: Recent::new(SHAPES_MAX) }
    }
}

impl PlanCache {
    /// The number of an environment. It is never that of another one, in this database or elsewhere.
    pub(crate) fn environment(&mut self, key: EnvironmentKey) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if self.environments.len() >= ENVIRONMENTS_MAX {
            self.environments.clear();
        }
        *self.environments.entry(key).or_insert_with(|| NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn shape(&mut self, key: &[u8]) -> Option<Shaped> {
        self.shapes.get(key)
    }

    pub(crate) fn keep_shape(&mut self, key: &[u8], shaped: Shaped) {
        self.shapes.put(key.into(), shaped);
    }

    /// Forgets everything; plans that statements keep have environments that nobody has any more.
    pub(crate) fn clear(&mut self) {
        self.environments.clear();
        self.shapes.entries.clear();
    }
}

/// Whether a literal in the text may mean another value at another time (`'now'::timestamp`): such plans are made anew.
pub(super) fn mentions_a_moment(text: &str) -> bool {
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
