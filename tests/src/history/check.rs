//! Checking a history against a level.

use std::collections::{HashMap, HashSet};

use super::graph::{Cycle, Edge, Graph};
use super::{History, Operation};

/// What is claimed of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// No G0, G1a, G1b, G1c.
    ReadCommitted,
    /// Snapshots: also no lost update and no G-single.
    RepeatableRead,
    /// No cycle at all.
    Serializable,
}

/// Who wrote each number.
struct Writers {
    /// The transaction, and whether the write holds.
    by_value: HashMap<u64, (usize, bool)>,
    /// The last number that a transaction appended to a list and kept.
    last: HashMap<(usize, u64), u64>,
}

/// Checks a history.
///
/// # Errors
/// What it has that the level forbids, in words.
pub fn check(history: &History, level: Level) -> Result<(), String> {
    let writers = writers(history);
    check_final_state(history, &writers)?;
    for (reader, transaction) in history.transactions.iter().enumerate() {
        check_reads(history, &writers, reader, &transaction.operations)?;
    }
    let graph = graph(history, &writers);
    let found = |name: &str, cycle: Cycle| Err(format!("{name}:\n{}", told(history, &cycle)));
    if let Some(cycle) = graph.cycle(&[Edge::Ww]) {
        return found("G0, a cycle of writes", cycle);
    }
    if let Some(cycle) = graph.cycle(&[Edge::Ww, Edge::Wr]) {
        return found("G1c, a cycle of writes and reads", cycle);
    }
    if level >= Level::RepeatableRead
        && let Some(cycle) = graph.cycle_with_one_rw()
    {
        return found("G-single, a cycle with one overwritten read", cycle);
    }
    if level >= Level::Serializable
        && let Some(cycle) = graph.cycle(&[Edge::Ww, Edge::Wr, Edge::Rw])
    {
        return found("G2, a cycle with overwritten reads", cycle);
    }
    Ok(())
}

fn writers(history: &History) -> Writers {
    let mut writers = Writers { by_value: HashMap::new(), last: HashMap::new() };
    for (index, transaction) in history.transactions.iter().enumerate() {
        for operation in &transaction.operations {
            match operation {
                Operation::Append { key, value, undone } => {
                    writers.by_value.insert(*value, (index, transaction.committed && !undone));
                    if !undone {
                        writers.last.insert((index, *key), *value);
                    }
                }
                Operation::Insert { value, undone, .. } => {
                    writers.by_value.insert(*value, (index, transaction.committed && !undone));
                }
                Operation::Read { .. } | Operation::Search { .. } => {}
            }
        }
    }
    writers
}

/// Every committed write is in the final state once, and nothing else is: no lost update, nothing dirty.
fn check_final_state(history: &History, writers: &Writers) -> Result<(), String> {
    let mut there = HashSet::new();
    for (key, list) in &history.lists {
        for value in list {
            if !there.insert(*value) {
                return Err(format!("list {key} has {value} twice: {list:?}"));
            }
            match writers.by_value.get(value) {
                Some((_, true)) => {}
                _ => return Err(format!("list {key} ends with {value}, which was not committed: {list:?}")),
            }
        }
    }
    for (index, transaction) in history.transactions.iter().enumerate().filter(|(_, t)| t.committed) {
        for operation in &transaction.operations {
            if let Operation::Append { key, value, undone: false } = operation
                && !there.contains(value)
            {
                let list = &history.lists[key];
                return Err(format!(
                    "lost update: T{index} appended {value} to list {key}, which is {list:?} in the end"
                ));
            }
        }
    }
    Ok(())
}

/// What one transaction saw: only what was committed and final (G1a, G1b), and its own writes as it left them.
fn check_reads(
    history: &History,
    writers: &Writers,
    reader: usize,
    operations: &[Operation],
) -> Result<(), String> {
    let committed = history.transactions[reader].committed;
    // Its own writes so far by object, those undone later included: a read before the undoing saw them.
    let mut own: HashMap<u64, Vec<u64>> = HashMap::new();
    for operation in operations {
        match operation {
            Operation::Append { key, value, .. } => own.entry(*key).or_default().push(*value),
            Operation::Insert { value, .. } => own.entry(*value).or_default().push(*value),
            Operation::Read { key, seen } => {
                let foreign = external(writers, reader, seen);
                check_foreign(writers, reader, foreign)?;
                let mine = &seen[foreign.len()..];
                let written = own.get(key).map_or(&[][..], Vec::as_slice);
                if !is_part_of(mine, written) {
                    return Err(format!(
                        "T{reader} read {seen:?} in list {key} after it had appended {written:?}"
                    ));
                }
                if committed && !history.lists[key].starts_with(foreign) {
                    let list = &history.lists[key];
                    return Err(format!(
                        "T{reader} read {foreign:?} in list {key}, which is {list:?} in the end"
                    ));
                }
                for pair in foreign.windows(2) {
                    check_final(writers, reader, *key, pair[0], foreign)?;
                }
                if let Some(last) = foreign.last() {
                    check_final(writers, reader, *key, *last, foreign)?;
                }
            }
            Operation::Search { seen, .. } => {
                let foreign: Vec<u64> =
                    seen.iter().copied().filter(|value| writer(writers, *value) != Some(reader)).collect();
                check_foreign(writers, reader, &foreign)?;
            }
        }
    }
    Ok(())
}

fn writer(writers: &Writers, value: u64) -> Option<usize> {
    writers.by_value.get(&value).map(|(transaction, _)| *transaction)
}

/// What a read saw of others: everything before the reader's own first number.
fn external<'a>(writers: &Writers, reader: usize, seen: &'a [u64]) -> &'a [u64] {
    let own = seen.iter().position(|value| writer(writers, *value) == Some(reader));
    &seen[..own.unwrap_or(seen.len())]
}

fn check_foreign(writers: &Writers, reader: usize, seen: &[u64]) -> Result<(), String> {
    for value in seen {
        match writers.by_value.get(value) {
            Some((_, true)) => {}
            Some((writer, false)) => {
                return Err(format!("G1a: T{reader} read {value}, which T{writer} wrote and rolled back"));
            }
            None => return Err(format!("T{reader} read {value}, which nobody wrote")),
        }
    }
    Ok(())
}

/// G1b: a transaction's numbers are all seen or none.
fn check_final(writers: &Writers, reader: usize, key: u64, value: u64, seen: &[u64]) -> Result<(), String> {
    let Some(author) = writer(writers, value) else { return Ok(()) };
    match writers.last.get(&(author, key)) {
        Some(last) if !seen.contains(last) => Err(format!(
            "G1b: T{reader} read {value} of T{author} in list {key}, which went on to append {last}"
        )),
        _ => Ok(()),
    }
}

/// Whether the numbers stand in the others in the same order, gaps allowed: those undone may be missing.
fn is_part_of(part: &[u64], whole: &[u64]) -> bool {
    let mut rest = whole.iter();
    part.iter().all(|value| rest.any(|other| other == value))
}

fn graph(history: &History, writers: &Writers) -> Graph {
    let mut graph = Graph::default();
    for list in history.lists.values() {
        for pair in list.windows(2) {
            if let (Some(before), Some(after)) = (writer(writers, pair[0]), writer(writers, pair[1])) {
                graph.add(before, after, Edge::Ww);
            }
        }
    }
    let mut bags: HashMap<u64, Vec<(u64, usize)>> = HashMap::new();
    for (index, transaction) in history.transactions.iter().enumerate().filter(|(_, t)| t.committed) {
        for operation in &transaction.operations {
            if let Operation::Insert { bag, value, undone: false } = operation {
                bags.entry(*bag).or_default().push((*value, index));
            }
        }
    }
    for (reader, transaction) in history.transactions.iter().enumerate().filter(|(_, t)| t.committed) {
        for operation in &transaction.operations {
            match operation {
                Operation::Read { key, seen } => {
                    let foreign = external(writers, reader, seen);
                    if let Some(before) = foreign.last().and_then(|value| writer(writers, *value)) {
                        graph.add(before, reader, Edge::Wr);
                    }
                    let next = history.lists[key].get(foreign.len());
                    if let Some(after) = next.and_then(|value| writer(writers, *value)) {
                        graph.add(reader, after, Edge::Rw);
                    }
                }
                Operation::Search { bag, seen } => {
                    for (value, author) in bags.get(bag).map_or(&[][..], Vec::as_slice) {
                        if seen.contains(value) {
                            graph.add(*author, reader, Edge::Wr);
                        } else {
                            graph.add(reader, *author, Edge::Rw);
                        }
                    }
                }
                Operation::Append { .. } | Operation::Insert { .. } => {}
            }
        }
    }
    graph
}

fn told(history: &History, cycle: &Cycle) -> String {
    let line = |(index, edge): &(usize, Edge)| {
        let transaction = &history.transactions[*index];
        format!("  T{index} {:?} ⇒ {edge:?} ⇒", transaction.operations)
    };
    cycle.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::Transaction;
    use super::*;

    fn append(key: u64, value: u64) -> Operation {
        Operation::Append { key, value, undone: false }
    }

    fn read(key: u64, seen: &[u64]) -> Operation {
        Operation::Read { key, seen: seen.to_vec() }
    }

    /// Transactions that were committed, and what the lists are in the end.
    fn verdicts(transactions: &[&[Operation]], lists: &[(u64, &[u64])]) -> [Option<String>; 3] {
        let history = History {
            transactions: transactions
                .iter()
                .map(|operations| Transaction { operations: operations.to_vec(), committed: true })
                .collect(),
            lists: lists.iter().map(|(key, list)| (*key, list.to_vec())).collect(),
            conflicts: 0,
        };
        let first_word = |text: String| text.split([',', ':']).next().unwrap_or_default().to_owned();
        [Level::ReadCommitted, Level::RepeatableRead, Level::Serializable]
            .map(|level| check(&history, level).err().map(first_word))
    }

    #[test]
    fn every_kind_is_found_at_its_level_and_not_below() {
        let some = |text: &str| Some(text.to_owned());
        let skew = [&[read(1, &[]), append(2, 20)][..], &[read(2, &[]), append(1, 10)]];
        assert_eq!(verdicts(&skew, &[(1, &[10]), (2, &[20])]), [None, None, some("G2")]);
        let read_skew = [&[read(1, &[]), read(2, &[20])][..], &[append(1, 10), append(2, 20)]];
        assert_eq!(
            verdicts(&read_skew, &[(1, &[10]), (2, &[20])]),
            [None, some("G-single"), some("G-single")]
        );
        let circular = [&[append(1, 10), read(2, &[20])][..], &[append(2, 20), read(1, &[10])]];
        assert_eq!(verdicts(&circular, &[(1, &[10]), (2, &[20])]), [some("G1c"), some("G1c"), some("G1c")]);
        let dirty_write = [&[append(1, 10), append(2, 20)][..], &[append(1, 11), append(2, 21)]];
        assert_eq!(verdicts(&dirty_write, &[(1, &[10, 11]), (2, &[21, 20])])[0], some("G0"));
        let lost = [&[append(1, 10)][..], &[append(1, 11)]];
        assert_eq!(verdicts(&lost, &[(1, &[11])])[0], some("lost update"));
        let intermediate = [&[append(1, 10), append(1, 11)][..], &[read(1, &[10])]];
        assert_eq!(verdicts(&intermediate, &[(1, &[10, 11])])[0], some("G1b"));
        let serial = [&[append(1, 10)][..], &[read(1, &[10]), append(1, 11), read(1, &[10, 11])]];
        assert_eq!(verdicts(&serial, &[(1, &[10, 11])]), [None, None, None]);
    }

    #[test]
    fn reads_of_what_was_rolled_back_are_found() {
        let history = History {
            transactions: vec![
                Transaction { operations: vec![append(1, 10)], committed: false },
                Transaction { operations: vec![read(1, &[10])], committed: true },
            ],
            lists: [(1, vec![])].into(),
            conflicts: 0,
        };
        assert!(check(&history, Level::ReadCommitted).is_err_and(|text| text.starts_with("G1a")));
    }

    #[test]
    fn phantoms_are_overwritten_reads() {
        let search = |seen: &[u64]| Operation::Search { bag: 1, seen: seen.to_vec() };
        let insert = |value| Operation::Insert { bag: 1, value, undone: false };
        let skew = [&[search(&[]), insert(1)][..], &[search(&[]), insert(2)]];
        assert!(verdicts(&skew, &[])[2].is_some());
        assert!(verdicts(&skew, &[])[1].is_none());
        let phantom = [&[search(&[]), search(&[1])][..], &[insert(1)]];
        assert!(verdicts(&phantom, &[])[1].is_some());
    }
}
