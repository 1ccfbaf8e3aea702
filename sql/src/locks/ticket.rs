//! What a waiter holds while it stands in a queue.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Tells one waiter that its turn has come.
#[derive(Default)]
pub(super) struct Ticket {
    granted: AtomicBool,
    woken: Notify,
}

impl Ticket {
    /// The waiter has the lock.
    pub(super) fn grant(&self) {
        self.granted.store(true, Ordering::SeqCst);
        self.woken.notify_one();
    }

    /// Whether the waiter has the lock.
    pub(super) fn is_granted(&self) -> bool {
        self.granted.load(Ordering::SeqCst)
    }

    /// Waits until the waiter has the lock.
    pub(super) async fn granted(&self) {
        while !self.is_granted() {
            self.woken.notified().await;
        }
    }
}
