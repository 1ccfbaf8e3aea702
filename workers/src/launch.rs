//! Launching: a worker's body is run in a process of its own, or as a task inside the server. Either way the supervisor
//! hears three things of it: that it started, or could not, and how it ended.

pub(crate) mod process;
mod task;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sql::backend::Signal;
use sql::cluster::Cluster;
use sql::settings::id;
use sql::{Report, Result, SqlError};
use tokio::sync::mpsc;

use crate::host::{Log, SignalWorker};
use crate::next::Exit;
use crate::slots::{Handle, Tenant};
use crate::{Libraries, Loader, Registration, Worker};

/// What the supervisor hears of a worker.
pub(crate) enum Note {
    /// It runs: its pid, and how to reach it.
    Started { pid: i32, signal: SignalWorker },
    /// It could not be run: why.
    Failed(String),
    /// It ended: what that means, and how the log says it (`exited with exit code 1`).
    Ended { exit: Exit, how: String },
}

/// Where bodies run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Isolation {
    Process,
    Task,
}

/// Runs bodies.
pub(crate) struct Launcher {
    cluster: Arc<Cluster>,
    loader: Arc<Loader>,
    log: Log,
    notes: mpsc::Sender<(Handle, Note)>,
}

impl Launcher {
    pub(crate) fn new(
        cluster: Arc<Cluster>,
        loader: Arc<Loader>,
        log: Log,
        notes: mpsc::Sender<(Handle, Note)>,
    ) -> Self {
        Self { cluster, loader, log, notes }
    }

    /// Has a worker run. Returns at once; the rest comes as notes.
    pub(crate) fn launch(&self, handle: Handle, tenant: &Tenant) {
        let (registration, told) = (tenant.registration.clone(), tenant.told_to_end.clone());
        told.store(false, Ordering::SeqCst);
        let notes = self.notes.clone();
        let cluster = self.cluster.clone();
        let log = self.log.clone();
        self.loader.load(&registration.library);
        match self.isolation() {
            Isolation::Process => {
                tokio::spawn(process::run(cluster, registration, log, told, handle, notes));
            }
            Isolation::Task => {
                tokio::spawn(task::run(cluster, self.loader.clone(), registration, log, told, handle, notes));
            }
        }
    }

    fn isolation(&self) -> Isolation {
        match self.cluster.settings.text(id::WORKER_ISOLATION).as_str() {
            "task" => Isolation::Task,
            _ => Isolation::Process,
        }
    }
}

/// The same way to a worker, on which it is noted when it is told to end.
pub(crate) fn noting_ends(signal: SignalWorker, told_to_end: Arc<AtomicBool>) -> SignalWorker {
    Arc::new(move |request| {
        if request == Signal::Terminate {
            told_to_end.store(true, Ordering::SeqCst);
        }
        signal(request);
    })
}

/// A new body for a record (`LookupBackgroundWorkerFunction`).
///
/// # Errors
/// `58P01` for a missing library, `42883` for a missing function.
pub(crate) fn body(libraries: &Libraries, registration: &Registration) -> Result<Box<dyn Worker>> {
    let library = &registration.library;
    let found = libraries.get(library).ok_or_else(|| missing_library(library))?;
    found.worker(&registration.function).ok_or_else(|| {
        sql::error!(
            UNDEFINED_FUNCTION,
            "could not find function \"{}\" in file \"{library}\"",
            registration.function
        )
    })
}

/// The error for a library that is not there.
pub fn missing_library(name: &str) -> SqlError {
    sql::error!(UNDEFINED_FILE, "could not access file \"{name}\": No such file or directory")
}

/// What remains to be said of a body that returned: its error goes to the log.
pub(crate) fn outcome(result: &Result<()>) -> (Exit, Option<&Report>) {
    match result {
        Ok(()) => (Exit::Done, None),
        // A body that only wants the exit code has nothing to say.
        Err(error) => (Exit::Failed, Some(&*error.0).filter(|report| !report.message.is_empty())),
    }
}

/// The exit code of a body's end.
pub(crate) fn exit_code(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Failed => 1,
        Exit::Crashed => 2,
    }
}
