//! Histories: clients run random transactions whose writes are all different, note what they did and saw, and the whole is
//! checked for what a level of isolation forbids (after Adya's "Weak Consistency", 1999, and Kingsbury and Alvaro's "Elle",
//! 2020).
//!
//! Two kinds of objects tell everything by themselves:
//! - a *list* is a row whose text grows by one unique number per write, so one read shows in which order it was written;
//! - a *bag* is the set of rows that a predicate finds; rows are only ever added, so a read shows whose it saw and, once
//!   the run is over, whose it did not.
//!
//! From them follows who depends on whom: *ww* (wrote the version before mine), *wr* (I read what it wrote), *rw* (it
//! overwrote, or added to, what I read). A level is a kind of cycle that must not be there:
//!
//! | level | forbidden |
//! |---|---|
//! | READ COMMITTED | G0: a cycle of ww; G1a: reads of what was rolled back; G1b: of what was not final; G1c: a cycle of ww and wr |
//! | REPEATABLE READ (snapshots) | also lost updates, and G-single: a cycle with exactly one rw |
//! | SERIALIZABLE | also G2: any cycle |

mod check;
mod graph;
mod run;

pub use check::{Level, check};
pub use run::{Settings, run};

/// One thing that a transaction did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Appended a number to a list.
    Append {
        /// The list.
        key: u64,
        /// The number.
        value: u64,
        /// Whether it was undone by a rollback to a savepoint.
        undone: bool,
    },
    /// Read a list.
    Read {
        /// The list.
        key: u64,
        /// What it held.
        seen: Vec<u64>,
    },
    /// Added a row to a bag.
    Insert {
        /// The bag.
        bag: u64,
        /// The row.
        value: u64,
        /// Whether it was undone by a rollback to a savepoint.
        undone: bool,
    },
    /// Read a bag.
    Search {
        /// The bag.
        bag: u64,
        /// What it held.
        seen: Vec<u64>,
    },
}

/// What a transaction did, in order, and whether it was committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// What it did.
    pub operations: Vec<Operation>,
    /// Whether its commit was acknowledged.
    pub committed: bool,
}

/// A run's transactions, and what the lists and bags hold at the end.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The transactions, in no order that matters.
    pub transactions: Vec<Transaction>,
    /// The lists at the end, by key.
    pub lists: std::collections::HashMap<u64, Vec<u64>>,
    /// Transactions that were told to retry.
    pub conflicts: u64,
}
