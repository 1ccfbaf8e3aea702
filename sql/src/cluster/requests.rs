//! Requests that anyone may leave for the postmaster: a flag, and somebody to wake.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// One request: made any number of times, it is taken once.
#[derive(Default)]
pub struct Request {
    made: AtomicBool,
    notify: Notify,
}

impl Request {
    /// Makes the request.
    pub fn make(&self) {
        self.made.store(true, Ordering::SeqCst);
        self.notify.notify_one();
    }

    /// Takes the request; whether it was made.
    pub fn take(&self) -> bool {
        self.made.swap(false, Ordering::SeqCst)
    }

    /// Waits until the request is made, and takes it.
    pub async fn wait(&self) {
        while !self.take() {
            self.notify.notified().await;
        }
    }
}

/// What the postmaster can be asked for, besides reading the settings again (`Facilities::reload`).
#[derive(Default)]
pub struct Requests {
    /// Shut down.
    pub shutdown: Request,
}
