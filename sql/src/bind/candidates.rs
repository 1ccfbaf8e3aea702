//! Choosing among overloaded operators and functions: the rules are the same for both.
//!
//! Source: `src/backend/parser/parse_func.c` (`func_match_argtypes`, `func_select_candidate`).

use super::Binder;
use super::coerce::Context;
use crate::Oid;
use crate::oid::types;

/// One overload that could be meant.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    /// `pg_proc.oid` or `pg_operator.oid`; zero when two of one signature cannot be told apart.
    pub(super) oid: Oid,
    /// The types of its parameters in the order of the call's arguments, omitted ones last.
    pub(super) parameters: Vec<Oid>,
    /// Where its schema stands in the search path.
    pub(super) path_position: usize,
    /// How many arguments go into its VARIADIC array; zero when it is not called so.
    pub(super) variadic_count: usize,
    /// How many parameters take their defaults.
    pub(super) default_count: usize,
    /// For calls with named arguments: which parameter each argument is for.
    pub(super) positions: Option<Vec<usize>>,
}

impl Binder<'_> {
    /// The candidates to whose parameters the arguments can be converted.
    pub(super) fn matching_candidates(
        &self,
        arguments: &[Oid],
        candidates: Vec<Candidate>,
    ) -> Vec<Candidate> {
        candidates
            .into_iter()
            .filter(|candidate| self.can_coerce(arguments, &candidate.parameters, Context::Implicit))
            .collect()
    }

    /// The best of several candidates that all match; none when it cannot be told.
    pub(super) fn best_candidate(&self, arguments: &[Oid], candidates: Vec<Candidate>) -> Option<Candidate> {
        let bases: Vec<Oid> = arguments
            .iter()
            .map(|oid| if *oid == types::UNKNOWN { *oid } else { self.base_type(*oid).oid })
            .collect();
        let exact =
            |index: usize, parameter: Oid| bases[index] != types::UNKNOWN && parameter == bases[index];
        let candidates = keep_best(candidates, bases.len(), exact);
        if let [only] = candidates.as_slice() {
            return Some(only.clone());
        }
        let categories: Vec<char> = bases.iter().map(|oid| self.category(*oid)).collect();
        let candidates = keep_best(candidates, bases.len(), |index, parameter| {
            bases[index] != types::UNKNOWN
                && (parameter == bases[index]
                    || (self.category(parameter) == categories[index] && self.is_preferred(parameter)))
        });
        if let [only] = candidates.as_slice() {
            return Some(only.clone());
        }
        let unknowns: Vec<usize> = bases
            .iter()
            .enumerate()
            .filter(|(_, oid)| **oid == types::UNKNOWN)
            .map(|(index, _)| index)
            .collect();
        if unknowns.is_empty() {
            return None;
        }
        let candidates = self.keep_by_category(candidates, &unknowns);
        if let [only] = candidates.as_slice() {
            return Some(only.clone());
        }
        self.assume_one_type(&bases, &candidates)
    }

    /// Settles the category of each untyped argument: a string category wins, else all candidates must agree.
    fn keep_by_category(&self, candidates: Vec<Candidate>, unknowns: &[usize]) -> Vec<Candidate> {
        let mut slots: Vec<(usize, char, bool)> = Vec::new();
        for index in unknowns {
            let mut slot: Option<(char, bool)> = None;
            let mut conflict = false;
            for candidate in &candidates {
                let parameter = candidate.parameters[*index];
                let (category, preferred) = (self.category(parameter), self.is_preferred(parameter));
                match &mut slot {
                    None => slot = Some((category, preferred)),
                    Some((chosen, has_preferred)) if *chosen == category => *has_preferred |= preferred,
                    Some(chosen) if category == 'S' => *chosen = (category, preferred),
                    Some(_) => conflict = true,
                }
            }
            let Some((category, preferred)) = slot else { return candidates };
            if conflict && category != 'S' {
                return candidates;
            }
            slots.push((*index, category, preferred));
        }
        let fits = |candidate: &Candidate| {
            slots.iter().all(|(index, category, preferred)| {
                let parameter = candidate.parameters[*index];
                self.category(parameter) == *category && (!preferred || self.is_preferred(parameter))
            })
        };
        let kept: Vec<Candidate> = candidates.iter().filter(|candidate| fits(candidate)).cloned().collect();
        if kept.is_empty() { candidates } else { kept }
    }

    /// When all typed arguments are of one type, takes the untyped ones for the same.
    fn assume_one_type(&self, bases: &[Oid], candidates: &[Candidate]) -> Option<Candidate> {
        let mut known = bases.iter().copied().filter(|oid| *oid != types::UNKNOWN);
        let first = known.next()?;
        if known.any(|oid| oid != first) {
            return None;
        }
        let assumed = vec![first; bases.len()];
        let mut fitting = candidates
            .iter()
            .filter(|candidate| self.can_coerce(&assumed, &candidate.parameters, Context::Implicit));
        let only = fitting.next()?;
        fitting.next().is_none().then(|| only.clone())
    }
}

/// Keeps the candidates with the most parameters that count.
fn keep_best(
    candidates: Vec<Candidate>,
    arguments: usize,
    counts: impl Fn(usize, Oid) -> bool,
) -> Vec<Candidate> {
    let score = |candidate: &Candidate| {
        candidate
            .parameters
            .iter()
            .take(arguments)
            .enumerate()
            .filter(|(index, oid)| counts(*index, **oid))
            .count()
    };
    let best = candidates.iter().map(&score).max().unwrap_or(0);
    candidates.into_iter().filter(|candidate| score(candidate) == best).collect()
}
