//! Task isolation: the body runs inside the server. Thousands of them are cheap, and SPI is a method call; a panic ends
//! the body alone, but what would kill a process kills the server, which is why this is not the default.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use futures::FutureExt;
use sql::cluster::Cluster;
use sql::{Report, Severity, SqlState};
use tokio::sync::mpsc;

use crate::host::{Log, WorkerHost};
use crate::launch::{Note, body, exit_code, noting_ends, outcome};
use crate::next::Exit;
use crate::slots::Handle;
use crate::worker::WorkerSignals;
use crate::{Loader, Registration, WorkerContext};

/// Runs one worker from its start to its end.
pub(super) async fn run(
    cluster: Arc<Cluster>,
    loader: Arc<Loader>,
    registration: Arc<Registration>,
    log: Log,
    told_to_end: Arc<AtomicBool>,
    handle: Handle,
    notes: mpsc::Sender<(Handle, Note)>,
) {
    let pid = cluster.backends.virtual_pid();
    let signals = Arc::new(WorkerSignals::default());
    let signal = {
        let signals = signals.clone();
        noting_ends(Arc::new(move |request| signals.signal(request)), told_to_end)
    };
    let started = notes.send((handle, Note::Started { pid, signal: signal.clone() })).await;
    if started.is_err() {
        return;
    }
    let host = WorkerHost::new(cluster, registration.clone(), log.clone(), pid, signal);
    let origin = host.origin();
    let life = async {
        let mut body = body(loader.libraries(), &registration)?;
        body.main(&mut WorkerContext::new(registration.clone(), signals, Box::new(host))).await
    };
    let exit = match AssertUnwindSafe(life).catch_unwind().await {
        Ok(result) => {
            let (exit, report) = outcome(&result);
            if let Some(report) = report {
                log(&origin, report);
            }
            exit
        }
        Err(panic) => {
            let report = Report::new(Severity::Error, SqlState::INTERNAL_ERROR, panic_message(&*panic));
            log(&origin, &report);
            Exit::Crashed
        }
    };
    let how = format!("exited with exit code {}", exit_code(exit));
    let _gone = notes.send((handle, Note::Ended { exit, how })).await;
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "panic".to_owned())
}
