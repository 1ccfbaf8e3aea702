//! The checkpointer: copies the logs of open databases into their files while nobody waits for it.
//!
//! It is a thread of its own, since it waits for the disk, and is visible as a backend of that name.

use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Cluster;
use crate::backend::{BackendKind, WaitEvent};
use crate::clock;

/// How often it looks.
const INTERVAL: Duration = Duration::from_secs(3);
/// How large a log must be to be copied.
const LOG_BYTES_MIN: u64 = 4 << 20;

/// The thread and how to stop it.
pub(super) struct Checkpointer {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    /// Starts the thread. It does not keep the cluster alive.
    pub(super) fn start(cluster: &Arc<Cluster>) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (weak, stopped) = (Arc::downgrade(cluster), stop.clone());
        let thread =
            std::thread::Builder::new().name("checkpointer".into()).spawn(move || run(&weak, &stopped))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Stops the thread after what it is doing.
    pub(super) fn stop(mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        // The last owner of the cluster may be the thread itself.
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the checkpointer has panicked");
        }
    }
}

fn run(cluster: &Weak<Cluster>, stop: &(Mutex<bool>, Condvar)) {
    let Some(backends) = cluster.upgrade().map(|cluster| cluster.backends.clone()) else { return };
    let registration = backends.register(BackendKind::Auxiliary("checkpointer"), 0, clock::now(), None);
    let mut stopped = stop.0.lock();
    while !*stopped {
        let waiting = registration.backend.waiting(WaitEvent { kind: "Activity", name: "CheckpointerMain" });
        stop.1.wait_for(&mut stopped, INTERVAL);
        drop(waiting);
        let Some(cluster) = cluster.upgrade().filter(|_| !*stopped) else { return };
        parking_lot::MutexGuard::unlocked(&mut stopped, || {
            for database in cluster.open_databases() {
                if database.store.log_size_bytes().is_ok_and(|bytes| bytes >= LOG_BYTES_MIN)
                    && let Err(error) = database.store.checkpoint()
                {
                    tracing::error!(%error, "checkpoint failed");
                }
            }
            drop(cluster);
        });
    }
}
