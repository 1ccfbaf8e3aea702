//! Process isolation: the server's own binary is run again under the worker's title. Its standard input is one end of a
//! socket pair, on which it first reads its record and then asks for everything; its log lines come that way, too.
//! Whatever kills the process, the other end closes: the session is dropped, its transaction rolled back.

use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;
use rustix::process::{Pid, Signal as ProcessSignal, kill_process};
use sql::backend::Signal;
use sql::cluster::Cluster;
use sql::{Result, SqlError};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use crate::Registration;
use crate::host::{Log, WorkerHost};
use crate::launch::{Note, noting_ends};
use crate::next::Exit;
use crate::port::{self, Greeting, HostReply, HostRequest, Port};
use crate::slots::Handle;

/// Set in the environment of worker processes: what tells the binary that it is one.
pub(crate) const WORKER_ENVIRONMENT: &str = "POSTILION_WORKER";

/// Runs one worker from its start to its end.
pub(super) async fn run(
    cluster: Arc<Cluster>,
    registration: Arc<Registration>,
    log: Log,
    told_to_end: Arc<AtomicBool>,
    handle: Handle,
    notes: mpsc::Sender<(Handle, Note)>,
) {
    let title = registration.process_title();
    let spawned = tokio::task::spawn_blocking(move || spawn(&title)).await;
    let (child, mut stream) = match spawned {
        Ok(Ok(spawned)) => spawned,
        Ok(Err(error)) => return tell(&notes, handle, Note::Failed(error.to_string())).await,
        Err(panic) => return tell(&notes, handle, Note::Failed(panic.to_string())).await,
    };
    let mut child = child;
    let pid = child.id().map_or(0, |id| id as i32);
    let gate = Arc::new(SignalGate::new(pid));
    let signal = {
        let gate = gate.clone();
        noting_ends(Arc::new(move |request| gate.signal(request)), told_to_end)
    };
    tell(&notes, handle, Note::Started { pid, signal: signal.clone() }).await;

    let greeting = Greeting { registration: (*registration).clone() };
    let mut host = WorkerHost::new(cluster, registration, log, pid, signal);
    let lifeline = host.lifeline();
    let serving = tokio::spawn(async move {
        if port::send(&mut stream, &greeting).await.is_ok() {
            serve(&mut stream, &mut host, &gate).await;
        }
    });
    let status = child.wait().await;
    lifeline.cut();
    // The session must be gone, its transaction rolled back and its locks free, before the slot is.
    if serving.await.is_err() {
        tracing::error!("serving worker process {pid} ended by a panic");
    }
    tell(&notes, handle, ended(status)).await;
}

async fn tell(notes: &mpsc::Sender<(Handle, Note)>, handle: Handle, note: Note) {
    // The supervisor outlives all workers except in an immediate shutdown, when nobody needs to know.
    let _gone = notes.send((handle, note)).await;
}

/// Starts the process.
fn spawn(title: &str) -> std::io::Result<(tokio::process::Child, UnixStream)> {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(title).env_clear().env(WORKER_ENVIRONMENT, "1").stdin(Stdio::from(OwnedFd::from(theirs)));
    for name in ["RUST_BACKTRACE", "TZ", "LANG"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let child = command.spawn()?;
    Ok((child, UnixStream::from_std(ours)?))
}

/// The way of signals to a process. They are kept back until it says that it has handlers for them, as PostgreSQL's
/// postmaster blocks them in its children: a reload would end a process that has just begun.
struct SignalGate {
    pid: i32,
    /// What is kept back; none once the process is ready.
    early: Mutex<Option<Vec<Signal>>>,
}

impl SignalGate {
    fn new(pid: i32) -> Self {
        Self { pid, early: Mutex::new(Some(Vec::new())) }
    }

    fn signal(&self, request: Signal) {
        match &mut *self.early.lock() {
            Some(early) if early.contains(&request) => {}
            Some(early) => early.push(request),
            None => self.send(request),
        }
    }

    /// The process is ready.
    fn open(&self) {
        let early = self.early.lock().take();
        early.into_iter().flatten().for_each(|request| self.send(request));
    }

    fn send(&self, request: Signal) {
        let signal = match request {
            Signal::Cancel => ProcessSignal::INT,
            Signal::Terminate => ProcessSignal::TERM,
            Signal::Reload => ProcessSignal::HUP,
        };
        if let Some(pid) = Pid::from_raw(self.pid)
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!("could not send signal to process {pid:?}: {error}");
        }
    }
}

/// Answers a worker's requests until its end of the socket closes.
async fn serve(stream: &mut UnixStream, host: &mut WorkerHost, gate: &SignalGate) {
    loop {
        let Ok(request) = port::receive::<HostRequest>(stream).await else { return };
        if request == HostRequest::Ready {
            gate.open();
        }
        let reply = host.call(request).await.unwrap_or_else(|error| HostReply::Error((&*error.0).into()));
        if port::send(stream, &reply).await.is_err() {
            return;
        }
    }
}

/// How a process ended, for the rules and for the log.
fn ended(status: std::io::Result<ExitStatus>) -> Note {
    let Ok(status) = status else {
        return Note::Ended { exit: Exit::Crashed, how: "exited with unrecognized status".to_owned() };
    };
    if let Some(signal) = status.signal() {
        let how = format!("was terminated by signal {signal}: {}", signal_name(signal));
        return Note::Ended { exit: Exit::Crashed, how };
    }
    let code = status.code().unwrap_or(255);
    let exit = match code {
        0 => Exit::Done,
        1 => Exit::Failed,
        _ => Exit::Crashed,
    };
    Note::Ended { exit, how: format!("exited with exit code {code}") }
}

/// A signal's name as `strsignal` gives it.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "Hangup",
        2 => "Interrupt",
        3 => "Quit",
        4 => "Illegal instruction",
        5 => "Trace/breakpoint trap",
        6 => "Aborted",
        7 => "Bus error",
        8 => "Floating point exception",
        9 => "Killed",
        11 => "Segmentation fault",
        13 => "Broken pipe",
        14 => "Alarm clock",
        15 => "Terminated",
        24 => "CPU time limit exceeded",
        25 => "File size limit exceeded",
        31 => "Bad system call",
        _ => "unrecognized signal",
    }
}

/// The socket that a worker process was given as its standard input.
///
/// # Errors
/// FATAL `08006` when it is no socket.
pub(crate) fn inherited_socket() -> Result<UnixStream> {
    let failed = |error: std::io::Error| SqlError::internal(format!("no way to the server: {error}"));
    let descriptor = rustix::io::dup(std::io::stdin()).map_err(|error| failed(error.into()))?;
    let stream = std::os::unix::net::UnixStream::from(descriptor);
    stream.set_nonblocking(true).map_err(failed)?;
    UnixStream::from_std(stream).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_told_as_postgresql_tells_them() {
        let story = |raw| match ended(Ok(ExitStatus::from_raw(raw))) {
            Note::Ended { exit, how } => format!("{exit:?}: {how}"),
            _ => unreachable!("a process that ended has ended"),
        };
        assert_eq!(story(0), "Done: exited with exit code 0");
        assert_eq!(story(1 << 8), "Failed: exited with exit code 1");
        assert_eq!(story(2 << 8), "Crashed: exited with exit code 2");
        assert_eq!(story(9), "Crashed: was terminated by signal 9: Killed");
        assert_eq!(story(11), "Crashed: was terminated by signal 11: Segmentation fault");
    }
}
