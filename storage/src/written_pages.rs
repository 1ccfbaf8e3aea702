//! The pages that were written into the log lately, in their order.
//!
//! When others have committed, SQLite empties a connection's page cache, as it cannot know what they have written. Here
//! it is known, so [`crate::page_cache`] drops these pages and keeps all others: a commit costs the readers beside it
//! the few pages that it has changed.
//!
//! A place in the order is a position. What a commit writes is noted before anybody can see the commit, and
//! [`WrittenPages::settled`] is the position behind the last commit that everybody can see. So a cache whose content is that
//! of a snapshot which was taken after `settled` was asked holds, of the pages that were written before that position,
//! the present state; and later ones are noted behind it.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// How many are remembered, a power of two. Looking up as many in a cache takes some twenty microseconds.
const REMEMBERED_MAX: u64 = 1024;

/// See the head of this file. Written by the holder of the write lock, read by everybody.
pub(crate) struct WrittenPages {
    /// The page that was written as `n`th, at `n % REMEMBERED_MAX`.
    pages: Box<[AtomicU32]>,
    /// How many have been written.
    noted: AtomicU64,
    /// How many had been when the last commit was counted.
    settled: AtomicU64,
    /// How many pages the database has had since the last commit.
    size: AtomicU32,
}

impl Default for WrittenPages {
    fn default() -> Self {
        let pages = (0..REMEMBERED_MAX).map(|_| AtomicU32::new(0)).collect();
        let (noted, settled, size) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU32::new(0));
        Self { pages, noted, settled, size }
    }
}

impl WrittenPages {
    /// A page is about to be written; with the last one of a commit comes the size of the database, in pages.
    pub(crate) fn note(&self, page: u32, size: Option<u32>) {
        let mut noted = self.noted.load(Ordering::Acquire);
        self.place(noted).store(page, Ordering::Release);
        noted += 1;
        if let Some(size) = size
            && size < self.size.swap(size, Ordering::AcqRel)
        {
            // What caches hold of pages behind the end must not come back when the database grows again.
            noted += REMEMBERED_MAX;
        }
        self.noted.store(noted, Ordering::Release);
    }

    /// A commit has been counted.
    pub(crate) fn settle(&self) {
        self.settled.store(self.noted.load(Ordering::Acquire), Ordering::Release);
    }

    /// The position behind everything that counted commits have written.
    pub(crate) fn settled(&self) -> u64 {
        self.settled.load(Ordering::Acquire)
    }

    /// Calls with the pages that were written from a position on. False when not all of them are remembered.
    pub(crate) fn since(&self, position: u64, mut each: impl FnMut(u32)) -> bool {
        let noted = self.noted.load(Ordering::Acquire);
        if noted.saturating_sub(position) >= REMEMBERED_MAX {
            return false;
        }
        for at in position..noted {
            each(self.place(at).load(Ordering::Acquire));
        }
        // A place is written before it counts: what has been read may be of the round that is just beginning.
        self.noted.load(Ordering::Acquire).saturating_sub(position) < REMEMBERED_MAX
    }

    fn place(&self, position: u64) -> &AtomicU32 {
        &self.pages[usize::try_from(position % REMEMBERED_MAX).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn since(pages: &WrittenPages, position: u64) -> Option<Vec<u32>> {
        let mut found = Vec::new();
        pages.since(position, |page| found.push(page)).then_some(found)
    }

    #[test]
    fn what_is_written_before_a_commit_is_counted_lies_behind_the_settled() {
        let pages = WrittenPages::default();
        pages.note(7, None);
        pages.note(9, Some(10));
        assert_eq!(pages.settled(), 0);
        pages.settle();
        pages.note(11, None);
        assert_eq!(
            (pages.settled(), since(&pages, 0), since(&pages, 2)),
            (2, Some(vec![7, 9, 11]), Some(vec![11]))
        );
    }

    #[test]
    fn too_many_are_not_remembered() {
        let pages = WrittenPages::default();
        let most = u32::try_from(REMEMBERED_MAX).unwrap();
        (0..most - 1).for_each(|page| pages.note(page, None));
        assert_eq!(since(&pages, 0), Some((0..most - 1).collect()));
        pages.note(most - 1, None);
        assert_eq!(since(&pages, 0), None);
        assert_eq!(since(&pages, 1), Some((1..most).collect()));
    }

    #[test]
    fn a_database_that_shrinks_is_another_one() {
        let pages = WrittenPages::default();
        pages.note(1, Some(10));
        pages.note(1, Some(12));
        assert_eq!(since(&pages, 0), Some(vec![1, 1]));
        pages.note(1, Some(11));
        assert_eq!((since(&pages, 0), since(&pages, 2)), (None, None));
        pages.settle();
        assert_eq!(since(&pages, pages.settled()), Some(vec![]));
    }
}
