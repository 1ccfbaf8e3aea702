//! The dependency graph: who must come before whom, and the cycles in it.

use std::collections::{HashMap, HashSet, VecDeque};

/// Why one transaction must come before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Edge {
    /// It wrote the version before.
    Ww,
    /// The other read what it wrote.
    Wr,
    /// The other overwrote what it read, or added what it did not find.
    Rw,
}

/// Transactions by number, with their edges.
#[derive(Default)]
pub(super) struct Graph {
    edges: HashMap<usize, Vec<(usize, Edge)>>,
    known: HashSet<(usize, usize, Edge)>,
}

/// A cycle: each transaction, and why it comes before the next; the last before the first.
pub(super) type Cycle = Vec<(usize, Edge)>;

impl Graph {
    pub(super) fn add(&mut self, from: usize, to: usize, edge: Edge) {
        if from != to && self.known.insert((from, to, edge)) {
            self.edges.entry(from).or_default().push((to, edge));
        }
    }

    fn next(&self, node: usize, allowed: &[Edge]) -> impl Iterator<Item = (usize, Edge)> {
        let edges = self.edges.get(&node).map_or(&[][..], Vec::as_slice);
        edges.iter().copied().filter(move |(_, edge)| allowed.contains(edge))
    }

    /// The shortest cycle that uses only these edges through some transaction that is in one, if any is.
    pub(super) fn cycle(&self, allowed: &[Edge]) -> Option<Cycle> {
        let node = self.in_a_cycle(allowed)?;
        self.next(node, allowed)
            .filter_map(|(to, edge)| self.path(to, node, allowed, (node, edge)))
            .min_by_key(Vec::len)
    }

    /// A cycle with exactly one rw edge, if there is any.
    pub(super) fn cycle_with_one_rw(&self) -> Option<Cycle> {
        // Only within strongly connected parts can there be a way back.
        let parts = self.parts(&[Edge::Ww, Edge::Wr, Edge::Rw]);
        let rw = self.edges.iter().flat_map(|(from, edges)| edges.iter().map(move |edge| (*from, edge)));
        rw.filter(|(from, (to, edge))| *edge == Edge::Rw && parts.get(from) == parts.get(to))
            .find_map(|(from, (to, _))| self.path(*to, from, &[Edge::Ww, Edge::Wr], (from, Edge::Rw)))
    }

    /// The shortest way from one to another, with a first step in front: a cycle when it leads back to that.
    fn path(&self, from: usize, to: usize, allowed: &[Edge], first: (usize, Edge)) -> Option<Cycle> {
        let mut came_from: HashMap<usize, (usize, Edge)> = HashMap::new();
        let mut queue = VecDeque::from([from]);
        while let Some(node) = queue.pop_front() {
            if node == to {
                let mut cycle = Vec::new();
                let mut here = to;
                while here != from {
                    let (before, edge) = came_from[&here];
                    cycle.push((before, edge));
                    here = before;
                }
                cycle.push(first);
                cycle.reverse();
                return Some(cycle);
            }
            for (next, edge) in self.next(node, allowed) {
                if next != from && !came_from.contains_key(&next) {
                    came_from.insert(next, (node, edge));
                    queue.push_back(next);
                }
            }
        }
        None
    }

    /// Some transaction that is in a cycle of these edges.
    fn in_a_cycle(&self, allowed: &[Edge]) -> Option<usize> {
        let parts = self.parts(allowed);
        let mut sizes: HashMap<usize, usize> = HashMap::new();
        for part in parts.values() {
            *sizes.entry(*part).or_default() += 1;
        }
        parts.into_iter().filter(|(_, part)| sizes[part] > 1).map(|(node, _)| node).min()
    }

    /// The strongly connected part of each transaction (Tarjan, 1972, without recursion).
    fn parts(&self, allowed: &[Edge]) -> HashMap<usize, usize> {
        let mut search = Search::default();
        let mut roots: Vec<usize> = self.edges.keys().copied().collect();
        roots.sort_unstable();
        for root in roots {
            if search.index.contains_key(&root) {
                continue;
            }
            search.enter(root);
            let mut path = vec![(root, self.next(root, allowed).map(|(to, _)| to).collect::<Vec<_>>())];
            while let Some((node, left)) = path.last_mut() {
                let node = *node;
                match left.pop() {
                    Some(to) if !search.index.contains_key(&to) => {
                        search.enter(to);
                        path.push((to, self.next(to, allowed).map(|(next, _)| next).collect()));
                    }
                    Some(to) => search.meet(node, to),
                    None => {
                        path.pop();
                        search.leave(node, path.last().map(|(parent, _)| *parent));
                    }
                }
            }
        }
        search.part
    }
}

/// The state of Tarjan's search.
#[derive(Default)]
struct Search {
    index: HashMap<usize, usize>,
    low: HashMap<usize, usize>,
    stack: Vec<usize>,
    part: HashMap<usize, usize>,
}

impl Search {
    fn enter(&mut self, node: usize) {
        let index = self.index.len();
        self.index.insert(node, index);
        self.low.insert(node, index);
        self.stack.push(node);
    }

    fn meet(&mut self, node: usize, to: usize) {
        if !self.part.contains_key(&to) {
            self.low.insert(node, self.low[&node].min(self.index[&to]));
        }
    }

    fn leave(&mut self, node: usize, parent: Option<usize>) {
        if self.low[&node] == self.index[&node] {
            while let Some(member) = self.stack.pop() {
                self.part.insert(member, node);
                if member == node {
                    break;
                }
            }
        }
        if let Some(parent) = parent {
            self.low.insert(parent, self.low[&parent].min(self.low[&node]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Edge] = &[Edge::Ww, Edge::Wr, Edge::Rw];

    fn graph(edges: &[(usize, usize, Edge)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to, edge) in edges {
            graph.add(*from, *to, *edge);
        }
        graph
    }

    #[test]
    fn cycles_are_found_by_their_edges() {
        let skew = graph(&[(1, 2, Edge::Rw), (2, 1, Edge::Rw), (0, 1, Edge::Wr)]);
        assert_eq!(skew.cycle(&[Edge::Ww, Edge::Wr]), None);
        assert_eq!(skew.cycle_with_one_rw(), None);
        assert_eq!(skew.cycle(ALL), Some(vec![(1, Edge::Rw), (2, Edge::Rw)]));
        let single = graph(&[(1, 2, Edge::Ww), (2, 3, Edge::Wr), (3, 1, Edge::Rw)]);
        assert_eq!(single.cycle_with_one_rw(), Some(vec![(3, Edge::Rw), (1, Edge::Ww), (2, Edge::Wr)]));
        let straight = graph(&[(1, 2, Edge::Ww), (2, 3, Edge::Wr), (1, 3, Edge::Rw), (4, 1, Edge::Rw)]);
        assert_eq!(straight.cycle(ALL), None);
        assert_eq!(graph(&[(1, 1, Edge::Rw)]).cycle(ALL), None);
    }
}
