//! The modes in which something is locked, and which of them exclude each other: one table for relations, rows, advisory
//! locks and the right to write.
//!
//! Source: manual, "Explicit Locking"; `src/backend/storage/lmgr/lock.c` (`LockConflicts`), `src/include/access/heapam.h`
//! (`tupleLockExtraInfo`) for rows.

use crate::bound::LockStrength;

/// A lock's mode, weakest first. Rows have three modes more than PostgreSQL has names for: there a row tells by itself
/// whether it is only locked or has been changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are PostgreSQL's own")]
pub enum LockMode {
    /// Of a row: the wait until nobody is changing it. It is not kept.
    RowLook,
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    /// Of a row whose columns outside of keys have been changed: as `Exclusive`, and who looks waits.
    RowChange,
    AccessExclusive,
    /// Of a row that has been deleted, or has another key: as `AccessExclusive`, and who looks waits.
    RowRemoval,
}

use LockMode::*;

/// A wait for a row is shown as one for its holder's transaction.
const OF_TRANSACTION: &str = "ShareLock";

/// The modes, what LOCK TABLE calls them, if it has them, what `pg_locks` calls them, and what each excludes.
const MODES: [(LockMode, Option<&str>, &str, &[LockMode]); 11] = [
    (RowLook, None, OF_TRANSACTION, &[RowChange, RowRemoval]),
    (AccessShare, Some("access share"), "AccessShareLock", &[AccessExclusive, RowRemoval]),
    (RowShare, Some("row share"), "RowShareLock", &[Exclusive, RowChange, AccessExclusive, RowRemoval]),
    (
        RowExclusive,
        Some("row exclusive"),
        "RowExclusiveLock",
        &[Share, ShareRowExclusive, Exclusive, AccessExclusive, RowRemoval],
    ),
    (
        ShareUpdateExclusive,
        Some("share update exclusive"),
        "ShareUpdateExclusiveLock",
        &[ShareUpdateExclusive, Share, ShareRowExclusive, Exclusive, AccessExclusive, RowRemoval],
    ),
    (
        Share,
        Some("share"),
        "ShareLock",
        &[RowExclusive, ShareUpdateExclusive, ShareRowExclusive, Exclusive, AccessExclusive, RowRemoval],
    ),
    (
        ShareRowExclusive,
        Some("share row exclusive"),
        "ShareRowExclusiveLock",
        &[
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            AccessExclusive,
            RowRemoval,
        ],
    ),
    (
        Exclusive,
        Some("exclusive"),
        "ExclusiveLock",
        &[
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            RowChange,
            AccessExclusive,
            RowRemoval,
        ],
    ),
    (
        RowChange,
        None,
        OF_TRANSACTION,
        &[RowLook, RowShare, Exclusive, RowChange, AccessExclusive, RowRemoval],
    ),
    (
        AccessExclusive,
        Some("access exclusive"),
        "AccessExclusiveLock",
        &[
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            RowChange,
            AccessExclusive,
            RowRemoval,
        ],
    ),
    (
        RowRemoval,
        None,
        OF_TRANSACTION,
        &[
            RowLook,
            AccessShare,
            RowShare,
            RowExclusive,
            ShareUpdateExclusive,
            Share,
            ShareRowExclusive,
            Exclusive,
            RowChange,
            AccessExclusive,
            RowRemoval,
        ],
    ),
];

impl LockMode {
    /// The mode that LOCK TABLE calls so, in lower case.
    pub fn from_words(words: &str) -> Option<Self> {
        MODES.iter().find(|(_, known, ..)| *known == Some(words)).map(|(mode, ..)| *mode)
    }

    /// As `pg_locks.mode` and messages show it.
    pub fn name(self) -> &'static str {
        MODES[self as usize].2
    }

    /// Whether two holders may not have these modes at the same time.
    pub fn conflicts(self, other: Self) -> bool {
        MODES[self as usize].3.contains(&other)
    }

    /// Whether it never excludes its own kind or what ordinary statements take: such locks are only noted down by their
    /// owner while nobody wants a stronger one (PostgreSQL's fast path).
    pub(super) fn is_weak(self) -> bool {
        self <= RowExclusive
    }

    /// Whether it excludes something that is weak.
    pub(super) fn excludes_weak(self) -> bool {
        self >= Share
    }

    /// The mode in which a row is locked.
    pub fn of_row(strength: LockStrength) -> Self {
        match strength {
            LockStrength::KeyShare => AccessShare,
            LockStrength::Share => RowShare,
            LockStrength::NoKeyUpdate => Exclusive,
            LockStrength::Update => AccessExclusive,
        }
    }

    /// The mode in which a row is locked that is changed, with what would lock it so.
    pub fn of_change(strength: LockStrength) -> Self {
        match strength {
            LockStrength::Update => RowRemoval,
            _ => RowChange,
        }
    }

    /// The mode in which all rows of a table are locked at once by one that has locked very many of them, or what a
    /// locker of single rows takes beside them so that the two notice each other.
    pub(super) fn of_all_rows(self, escalated: bool) -> Self {
        match (escalated, self >= Exclusive) {
            (false, false) => AccessShare,
            (false, true) => RowExclusive,
            (true, false) => Share,
            (true, true) if matches!(self, RowChange | RowRemoval) => RowRemoval,
            (true, true) => AccessExclusive,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_symmetric() {
        for (index, (mode, words, ..)) in MODES.iter().enumerate() {
            assert_eq!(*mode as usize, index);
            assert!(words.is_none_or(|words| LockMode::from_words(words) == Some(*mode)));
            for (other, ..) in MODES {
                assert_eq!(mode.conflicts(other), other.conflicts(*mode), "{mode:?} {other:?}");
            }
        }
    }

    #[test]
    fn row_strengths_exclude_each_other_as_the_manual_says() {
        use LockStrength::*;
        let excluded = |a, b| LockMode::of_row(a).conflicts(LockMode::of_row(b));
        let all = [KeyShare, Share, NoKeyUpdate, Update];
        let expected = [
            [false, false, false, true],
            [false, false, true, true],
            [false, true, true, true],
            [true, true, true, true],
        ];
        for (row, a) in all.iter().enumerate() {
            for (column, b) in all.iter().enumerate() {
                assert_eq!(excluded(*a, *b), expected[row][column], "{a:?} {b:?}");
                if *a >= NoKeyUpdate {
                    let changed = LockMode::of_change(*a).conflicts(LockMode::of_row(*b));
                    assert_eq!(changed, expected[row][column], "{a:?} {b:?}");
                }
            }
            assert!(!LockMode::RowLook.conflicts(LockMode::of_row(*a)), "{a:?}");
            assert!(LockMode::RowLook.conflicts(LockMode::of_change(*a)), "{a:?}");
        }
    }
}
