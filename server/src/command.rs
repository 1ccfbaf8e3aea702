//! What the binary does: the same one is the server, its worker processes, and the container's readiness probe.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use workers::Library;

use crate::arguments::{Arguments, describe_settings};
use crate::container::{self, FirstStart};
use crate::errands;
use crate::{Control, Server, ShutdownMode, background_workers, libraries, setting_of};

/// Runs this process as the server that its command line asks for, with these libraries beside those that come with it;
/// or as one of its worker processes, when a server has started it as such.
///
/// Call it first thing in `main`.
pub fn main_with(others: Vec<Arc<dyn Library>>) -> ExitCode {
    let libraries = libraries(others);
    if workers::is_worker_process() {
        return ExitCode::from(workers::run_worker_process(&libraries));
    }
    if std::env::args().nth(1).is_some_and(|word| errands::COMMANDS.contains(&word.as_str())) {
        return errands::run(std::env::args());
    }
    let arguments = Arguments::read(std::env::args());
    if arguments.describe_config {
        return print(&describe_settings());
    }
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(message) => return complain(&message),
    };
    if let Some(name) = &arguments.show {
        return match setting_of(&arguments.directory, &settings, name) {
            Ok(value) => print(&format!("{value}\n")),
            Err(error) => complain(error.message()),
        };
    }
    if arguments.is_ready {
        return match setting_of(&arguments.directory, &settings, "port").map(|port| port.parse()) {
            Ok(Ok(port)) => ExitCode::from(container::is_ready(port)),
            _ => ExitCode::from(container::NOT_TRIED),
        };
    }
    let mut builder =
        Server::builder(&arguments.directory).own_process().background_work(background_workers(libraries));
    if arguments.container {
        match FirstStart::from_environment(&arguments.directory) {
            Ok(Some(first_start)) => builder = builder.first_start(first_start),
            Ok(None) => {}
            Err(message) => return complain_as_is(&message),
        }
        builder = builder.set("listen_addresses", "*").bury_orphans();
    }
    for (name, value) in settings {
        builder = builder.set(name, value);
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("could not start the runtime: {error}")),
    };
    let local = tokio::task::LocalSet::new();
    // What goes wrong is in the log by then.
    let result = local.block_on(&runtime, async {
        let server = builder.open().await?;
        obey_signals(server.control());
        server.run().await
    });
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// SIGHUP reloads; SIGUSR1 runs an errand; SIGTERM, SIGINT and SIGQUIT shut down, each harder than the one before.
fn obey_signals(control: Control) {
    let modes = [
        (SignalKind::terminate(), ShutdownMode::Smart),
        (SignalKind::interrupt(), ShutdownMode::Fast),
        (SignalKind::quit(), ShutdownMode::Immediate),
    ];
    for (kind, mode) in modes {
        let control = control.clone();
        on_signal(kind, move || control.shut_down(mode));
    }
    let errands = control.clone();
    on_signal(SignalKind::user_defined1(), move || errands.run_errand());
    on_signal(SignalKind::hangup(), move || control.reload());
}

/// Calls `action` at every such signal.
fn on_signal(kind: SignalKind, action: impl Fn() + 'static) {
    let mut signals = signal(kind).expect("these signals can be caught");
    tokio::task::spawn_local(async move {
        while signals.recv().await.is_some() {
            action();
        }
    });
}

fn print(text: &str) -> ExitCode {
    // A closed pipe (`| head`) is the reader's wish.
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::SUCCESS
}

fn complain(message: &str) -> ExitCode {
    complain_as_is(&format!("postilion: {message}"))
}

fn complain_as_is(message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}
