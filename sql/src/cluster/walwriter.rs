//! The walwriter: brings to disk what was committed with `synchronous_commit = off`, so that a crash undoes no more than
//! the last moments (PostgreSQL promises three times `wal_writer_delay`; here it is once, and a flush).
//!
//! It sleeps until somebody commits that way, then for the delay, so that many such commits share a flush. It is a
//! thread of its own, since it waits for the disk, and is visible as a backend of that name.
//!
//! Source: `src/backend/postmaster/walwriter.c`.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Cluster;
use crate::backend::{BackendKind, WaitEvent};
use crate::clock;
use crate::settings::id;

/// The thread, and how to wake and stop it.
pub(super) struct WalWriter {
    wanted: Arc<(Mutex<Wanted>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

/// What is wanted of the thread.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Wanted {
    #[default]
    Nothing,
    Flush,
    End,
}

impl WalWriter {
    /// Starts the thread. It does not keep the cluster alive.
    pub(super) fn start(cluster: &Arc<Cluster>) -> std::io::Result<Self> {
        let wanted = Arc::new((Mutex::new(Wanted::Nothing), Condvar::new()));
        let (weak, shared) = (Arc::downgrade(cluster), wanted.clone());
        let thread =
            std::thread::Builder::new().name("walwriter".into()).spawn(move || run(&weak, &shared))?;
        Ok(Self { wanted, thread: Some(thread) })
    }

    /// Asks for a flush of everything within the delay.
    pub(super) fn ask(&self) {
        let mut wanted = self.wanted.0.lock();
        if *wanted == Wanted::Nothing {
            *wanted = Wanted::Flush;
            self.wanted.1.notify_all();
        }
    }

    /// Ends the thread after what it is doing.
    pub(super) fn stop(mut self) {
        *self.wanted.0.lock() = Wanted::End;
        self.wanted.1.notify_all();
        // The last owner of the cluster may be the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the walwriter has panicked");
        }
    }
}

fn run(cluster: &Weak<Cluster>, (wanted, changed): &(Mutex<Wanted>, Condvar)) {
    let Some(backends) = cluster.upgrade().map(|cluster| cluster.backends.clone()) else { return };
    let registration = backends.register(BackendKind::Auxiliary("walwriter"), 0, clock::now(), None);
    loop {
        let waiting = registration.backend.waiting(WaitEvent { kind: "Activity", name: "WalWriterMain" });
        let mut now = wanted.lock();
        changed.wait_while(&mut now, |now| *now == Wanted::Nothing);
        if *now == Wanted::End {
            return;
        }
        let Some(delay) = cluster.upgrade().map(|cluster| cluster.settings.integer(id::WAL_WRITER_DELAY))
        else {
            return;
        };
        let delay = Duration::from_millis(delay.unsigned_abs().into());
        changed.wait_while_for(&mut now, |now| *now == Wanted::Flush, delay);
        if *now == Wanted::End {
            return;
        }
        *now = Wanted::Nothing;
        drop(now);
        drop(waiting);
        let Some(cluster) = cluster.upgrade() else { return };
        for database in cluster.open_databases() {
            database.store.flush_blocking();
            database.sequences.flush_blocking();
        }
    }
}
