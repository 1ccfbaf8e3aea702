//! The commit clock: which commits a database has seen, which of them must outlive a crash, and how far the
//! log is on disk.
//!
//! Commits are numbered from 1 in the order in which they enter the log. SQLite shows a commit to readers a
//! moment before it reports it, so two things are noted earlier: that a commit which must be kept is on its
//! way ([`CommitClock::require_next`], by whoever holds the write lock, before it commits), and where the
//! frames of reported commits end. A page read from beyond that end belongs to the next number.
//!
//! Positions are bytes of the present log. SQLite begins it anew once everything in it has been copied and
//! nobody reads it; positions of the old one then mean nothing, and the generation says so.

use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

/// Bytes of the log's own header and of each frame's (<https://www.sqlite.org/fileformat2.html#walformat>).
const LOG_HEADER_BYTES: u64 = 32;
const FRAME_HEADER_BYTES: u64 = 24;

/// See the head of this file. 0 is "no commit yet".
#[derive(Default)]
pub(crate) struct CommitClock {
    counted: AtomicU64,
    required: AtomicU64,
    durable: AtomicU64,
    /// The end of what is on disk of the present log.
    durable_end: AtomicU64,
    log: Mutex<Log>,
}

#[derive(Default)]
struct Log {
    page_bytes: u64,
    generation: u64,
    /// The end of the frames of counted commits, as far as SQLite has told it.
    end: u64,
    /// Whether nothing of counted commits lies beyond the end.
    exact: bool,
}

/// What a flush that begins now will have brought to disk.
pub(crate) struct Mark {
    pub(crate) number: u64,
    generation: u64,
    end: u64,
}

impl CommitClock {
    /// Says how large pages are, which is known when the file has been opened.
    pub(crate) fn set_page_bytes(&self, bytes: u64) {
        self.log.lock().page_bytes = bytes;
    }

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

    /// The next commit must outlive a crash. Said by the holder of the write lock before it commits. A commit
    /// that then fails, or writes nothing, leaves the word to the next one.
    pub(crate) fn require_next(&self) {
        self.required.fetch_max(self.now() + 1, Ordering::SeqCst);
    }

    /// Gives a commit its number. To be called after its frames are written; `frames` is how many the log now
    /// has, if SQLite has told.
    pub(crate) fn advance(&self, frames: Option<u64>) -> u64 {
        let mut log = self.log.lock();
        log.exact = frames.is_some() && log.page_bytes > 0;
        if let (true, Some(frames)) = (log.exact, frames) {
            log.end = LOG_HEADER_BYTES + frames * (FRAME_HEADER_BYTES + log.page_bytes);
        }
        self.counted.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// The end of the frames of counted commits.
    pub(crate) fn log_end(&self) -> u64 {
        self.log.lock().end
    }

    /// To be called before a flush begins.
    pub(crate) fn mark(&self) -> Mark {
        let log = self.log.lock();
        Mark { number: self.now(), generation: log.generation, end: log.end }
    }

    /// To be called when a flush that began after the mark has ended well.
    pub(crate) fn flushed(&self, mark: &Mark) {
        let log = self.log.lock();
        if log.generation == mark.generation {
            self.durable_end.fetch_max(mark.end, Ordering::SeqCst);
        }
        self.durable.fetch_max(mark.number, Ordering::SeqCst);
    }

    /// The log's header is about to be written: SQLite begins it anew.
    pub(crate) fn begin_log(&self) {
        let mut log = self.log.lock();
        log.generation += 1;
        log.end = LOG_HEADER_BYTES;
        log.exact = true;
        self.durable_end.store(0, Ordering::SeqCst);
    }

    /// The commit that a page read at this position of the log belongs to, or a later one; 0 for one on disk.
    /// `own` says that frames beyond those of counted commits are the reader's own, not committed yet.
    pub(crate) fn commit_at(&self, position: u64, own: bool) -> u64 {
        // The log's own header is no page.
        if position < LOG_HEADER_BYTES || position < self.durable_end.load(Ordering::SeqCst) {
            return 0;
        }
        let log = self.log.lock();
        let uncounted = log.exact && position >= log.end && !own;
        self.now() + u64::from(uncounted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: u64 = 4096;
    const FRAME: u64 = PAGE + FRAME_HEADER_BYTES;

    fn clock() -> CommitClock {
        let clock = CommitClock::default();
        clock.set_page_bytes(PAGE);
        clock.begin_log();
        clock
    }

    /// A position inside a frame, counted from 1.
    fn inside(frame: u64) -> u64 {
        LOG_HEADER_BYTES + (frame - 1) * FRAME + FRAME_HEADER_BYTES
    }

    #[test]
    fn pages_belong_to_commits() {
        let clock = clock();
        assert_eq!(clock.advance(Some(2)), 1);
        assert_eq!(clock.commit_at(inside(2), false), 1);
        assert_eq!(clock.commit_at(inside(3), false), 2, "seen before it was counted");
        assert_eq!(clock.commit_at(inside(3), true), 1, "the reader's own");
        let mark = clock.mark();
        clock.advance(Some(3));
        clock.flushed(&mark);
        assert_eq!((clock.durable(), clock.commit_at(inside(2), false)), (1, 0));
        assert_eq!(clock.commit_at(inside(3), false), 2);
    }

    #[test]
    fn a_flush_of_the_old_log_says_nothing_of_the_new_one() {
        let clock = clock();
        clock.advance(Some(10));
        let mark = clock.mark();
        clock.begin_log();
        clock.advance(Some(1));
        clock.flushed(&mark);
        assert_eq!(clock.durable(), 1);
        assert_eq!(clock.commit_at(inside(1), false), 2);
    }

    #[test]
    fn what_is_required_is_said_before_the_commit() {
        let clock = clock();
        clock.advance(Some(1));
        assert_eq!(clock.required(), 0);
        clock.require_next();
        assert_eq!(clock.required(), 2);
    }
}
