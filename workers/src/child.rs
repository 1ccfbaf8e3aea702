//! The inside of a worker process: reads its record from the inherited socket, turns signals into flags, runs the body,
//! and exits with its code.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use sql::Result;
use sql::backend::Signal;
use tokio::signal::unix::{SignalKind, signal};

use crate::launch::{body, exit_code, outcome, process};
use crate::next::Exit;
use crate::port::{self, Greeting, HostRequest, Port, SocketPort};
use crate::worker::WorkerSignals;
use crate::{Libraries, WorkerContext};

/// Whether this process was started as a worker.
pub fn is_worker_process() -> bool {
    std::env::var_os(process::WORKER_ENVIRONMENT).is_some()
}

/// Runs this process as the worker that it was started as; its exit code.
pub fn run_worker_process(libraries: &Libraries) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => exit_code(runtime.block_on(run(libraries))),
        Err(_) => exit_code(Exit::Failed),
    }
}

async fn run(libraries: &Libraries) -> Exit {
    let Ok((stream, greeting)) = greet().await else { return Exit::Failed };
    let signals = Arc::new(WorkerSignals::default());
    if listen_to_signals(&signals).is_err() || end_with_the_server().is_err() {
        return Exit::Failed;
    }
    let registration = Arc::new(greeting.registration);
    let mut port = SocketPort::new(stream);
    if port.call(HostRequest::Ready).await.is_err() {
        return Exit::Failed;
    }
    let mut context = WorkerContext::new(registration.clone(), signals, Box::new(port));
    let life = async {
        let mut body = body(libraries, &registration)?;
        body.main(&mut context).await
    };
    match AssertUnwindSafe(life).catch_unwind().await {
        Ok(result) => {
            let (exit, report) = outcome(&result);
            if let Some(report) = report {
                // Without a server there is no log either.
                let _lost = context.report(report).await;
            }
            exit
        }
        Err(_) => Exit::Crashed,
    }
}

async fn greet() -> Result<(tokio::net::UnixStream, Greeting)> {
    let mut stream = process::inherited_socket()?;
    let greeting = port::receive(&mut stream).await?;
    Ok((stream, greeting))
}

/// When the server is gone, however it ended, the process ends at once, whatever its body does (`WL_EXIT_ON_PM_DEATH`).
fn end_with_the_server() -> std::io::Result<()> {
    let watch = || {
        let socket = std::io::stdin();
        // The end of the other side shows without being asked for; so does its half, which is.
        let mut ends = [PollFd::new(&socket, PollFlags::RDHUP)];
        while poll(&mut ends, None).is_err_and(|error| error == Errno::INTR) {}
        std::process::exit(exit_code(Exit::Failed).into());
    };
    std::thread::Builder::new().name("server watch".to_owned()).spawn(watch).map(drop)
}

/// SIGTERM, SIGINT and SIGHUP become flags; the body looks at them when it waits and when it uses SPI.
fn listen_to_signals(signals: &Arc<WorkerSignals>) -> std::io::Result<()> {
    let meanings = [
        (SignalKind::terminate(), Signal::Terminate),
        (SignalKind::interrupt(), Signal::Cancel),
        (SignalKind::hangup(), Signal::Reload),
    ];
    for (kind, meaning) in meanings {
        let mut arrivals = signal(kind)?;
        let signals = signals.clone();
        tokio::spawn(async move {
            while arrivals.recv().await.is_some() {
                signals.signal(meaning);
            }
        });
    }
    Ok(())
}
