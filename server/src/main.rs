//! The `postilion` binary: arguments, open, run until a signal ends it.

use std::io::Write;
use std::process::ExitCode;

use postilion::arguments::{Arguments, describe_settings};
use postilion::{Control, Server, ShutdownMode};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let arguments = Arguments::read(std::env::args());
    if arguments.describe_config {
        return print(&describe_settings());
    }
    let settings = match arguments.settings() {
        Ok(settings) => settings,
        Err(message) => return complain(&message),
    };
    if let Some(name) = &arguments.show {
        return match postilion::setting_of(&arguments.directory, &settings, name) {
            Ok(value) => print(&format!("{value}\n")),
            Err(error) => complain(error.message()),
        };
    }
    let builder = settings
        .into_iter()
        .fold(Server::builder(&arguments.directory).own_process(), |builder, (name, value)| {
            builder.set(name, value)
        });
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

/// SIGHUP reloads; SIGTERM, SIGINT and SIGQUIT shut down, each harder than the one before.
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
    let _ = writeln!(std::io::stderr(), "postilion: {message}");
    ExitCode::FAILURE
}
