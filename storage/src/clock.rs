//! The commit clock: which commits a database has seen, which of them must outlive a crash, which of them have
//! written a page, and how far the log is on disk.
//!
//! Commits are numbered from 1 in the order in which they enter the log. SQLite shows a commit to readers a
//! moment before it reports it, so two things are noted earlier, by whoever holds the write lock: that a commit
//! which must be kept is on its way ([`CommitClock::require_next`]), and each page as it is written into the
//! log ([`CommitClock::write_page`]): it belongs to the next number. Neither is sure to come: a commit can fail or find
//! nothing to write, and what a transaction writes before it is rolled back belongs to no commit at all. So who has
//! read what belongs to the next number waits first for what becomes of it ([`CommitClock::decided`]).

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::written_pages::WrittenPages;

/// How many places there are for pages; several share one. A power of two.
const PLACES: usize = 1 << 14;

/// See the head of this file. 0 is "no commit yet".
pub(crate) struct CommitClock {
    counted: AtomicU64,
    required: AtomicU64,
    durable: AtomicU64,
    /// How many frames the present log has, as far as SQLite has told.
    frames: AtomicU64,
    /// Wakes who waits for what becomes of a commit on its way.
    attempt_ended: Notify,
    /// The last commit that has written one of the pages that share a place.
    written: Box<[AtomicU64]>,
    lately: WrittenPages,
}

impl Default for CommitClock {
    fn default() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            counted: zero(),
            required: zero(),
            durable: zero(),
            frames: zero(),
            attempt_ended: Notify::new(),
            written: (0..PLACES).map(|_| zero()).collect(),
            lately: WrittenPages::default(),
        }
    }
}

impl CommitClock {
    /// The number of the last commit.
    pub(crate) fn now(&self) -> u64 {
        self.counted.load(Ordering::SeqCst)
    }

    /// The number of the last commit, or of the one on its way, that must outlive a crash.
    pub(crate) fn required(&self) -> u64 {
        self.required.load(Ordering::SeqCst)
    }

    /// The number up to which commits are on disk.
    pub(crate) fn durable(&self) -> u64 {
        self.durable.load(Ordering::SeqCst)
    }

    /// The next commit must outlive a crash. Said by the holder of the write lock before it commits.
    pub(crate) fn require_next(&self) {
        self.required.fetch_max(self.now() + 1, Ordering::SeqCst);
    }

    /// The next commit is not on its way any more: it has failed, or had nothing to write. Said by the holder of the
    /// write lock, so that nobody waits for what may never come.
    pub(crate) fn withdraw(&self) {
        self.required.fetch_min(self.now(), Ordering::SeqCst);
        self.attempt_ended.notify_waiters();
    }

    /// The commit that somebody who depends on this one has to wait for, once it is known whether it comes: one on its way
    /// is waited for. The wait is for one attempt. What it belongs to has been read by now, so the next attempt, under
    /// the same number, has written nothing of it.
    pub(crate) async fn decided(&self, commit: u64) -> u64 {
        // From here on no end is missed.
        let ended = self.attempt_ended.notified();
        if commit.min(self.required()) > self.now() {
            ended.await;
        }
        commit.min(self.now())
    }

    /// Gives a commit its number. To be called after its frames are written; `frames` is how many the log now
    /// has, if SQLite has told.
    pub(crate) fn advance(&self, frames: Option<u64>) -> u64 {
        if let Some(frames) = frames {
            self.frames.store(frames, Ordering::SeqCst);
        }
        self.lately.settle();
        self.counted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// How many frames the log has.
    pub(crate) fn frames(&self) -> u64 {
        self.frames.load(Ordering::SeqCst)
    }

    /// The log has been cut to nothing. To be called with the right to write.
    pub(crate) fn forget_frames(&self) {
        self.frames.store(0, Ordering::SeqCst);
    }

    /// Commits up to this one are on disk: a flush that began after it was counted has ended well.
    pub(crate) fn flushed(&self, commit: u64) {
        self.durable.fetch_max(commit, Ordering::SeqCst);
    }

    /// A page is being written into the log, by the holder of the write lock: by the next commit, unless that is
    /// given up. With the last one of the commit comes the size of the database, in pages.
    pub(crate) fn write_page(&self, page: u32, size: Option<u32>) {
        self.place(page).store(self.now() + 1, Ordering::SeqCst);
        self.lately.note(page, size);
    }

    /// The pages that were written lately.
    pub(crate) fn written_lately(&self) -> &WrittenPages {
        &self.lately
    }

    /// A commit not before the last one that has written this page.
    pub(crate) fn last_written(&self, page: u32) -> u64 {
        self.place(page).load(Ordering::SeqCst)
    }

    fn place(&self, page: u32) -> &AtomicU64 {
        &self.written[page as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_belong_to_commits() {
        let clock = CommitClock::default();
        clock.write_page(7, None);
        assert_eq!(clock.last_written(7), 1, "seen before it is counted");
        assert_eq!((clock.advance(Some(1)), clock.last_written(7), clock.last_written(8)), (1, 1, 0));
        clock.write_page(7, None);
        clock.write_page(8, None);
        clock.advance(None);
        assert_eq!((clock.last_written(7), clock.last_written(8), clock.frames()), (2, 2, 1));
        clock.flushed(2);
        clock.flushed(1);
        assert_eq!(clock.durable(), 2);
    }

    #[test]
    fn what_is_required_is_said_before_the_commit() {
        let clock = CommitClock::default();
        clock.advance(Some(1));
        assert_eq!(clock.required(), 0);
        clock.require_next();
        assert_eq!(clock.required(), 2);
        clock.withdraw();
        assert_eq!(clock.required(), 1);
        clock.require_next();
        clock.advance(Some(2));
        clock.withdraw();
        assert_eq!(clock.required(), 2);
    }

    #[tokio::test]
    async fn a_commit_that_does_not_come_is_not_waited_for() {
        let clock = CommitClock::default();
        clock.advance(Some(1));
        assert_eq!(clock.decided(2).await, 1, "nobody is about to commit");
        for comes in [false, true] {
            clock.require_next();
            let (decided, ()) = tokio::join!(clock.decided(2), async {
                if comes {
                    clock.advance(Some(2));
                }
                clock.withdraw();
            });
            assert_eq!(decided, if comes { 2 } else { 1 });
        }
    }
}
