//! Errands: what a command line asks of the server that runs in a data directory, as `pg_ctl promote` does: a file says
//! what, a signal says that it is there, another file is the answer. Who may write to the directory may ask.
//!
//! `postilion backup` and `postilion check` are run by the server when one is there, since nobody else may open its
//! files; otherwise they open them themselves.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sql::backend::BackendKind;
use sql::cluster::Cluster;
use sql::session::{ConnectRequest, Session};
use sql::settings::ServerSettings;
use sql::{Result, SqlError, error};

use crate::directory::{DEFAULT_DIRECTORY, DataDirectory, running_server};

/// What is wanted, one word a line.
const ERRAND_FILE_NAME: &str = "postilion.errand";
/// What has come of it: `ok` or `failed`, and then the text for people.
const ANSWER_FILE_NAME: &str = "postilion.answer";
/// How often the answer is looked for.
const ANSWER_CHECK: Duration = Duration::from_millis(20);
/// `postilion check` has found something, or could not look.
const EXIT_DAMAGED: u8 = 2;

/// Commands of the binary beside the server itself.
#[derive(Debug, Parser)]
#[command(name = "postilion", version)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copies a data directory, also while its server runs. The copy is one that a server can be started on:
    /// all databases, roles, sequences and settings, each database as of one moment.
    Backup {
        /// Data directory.
        #[arg(short = 'D', value_name = "DIRECTORY", env = "PGDATA", default_value = DEFAULT_DIRECTORY)]
        directory: PathBuf,
        /// Where the copy goes: a directory that is missing or empty.
        target: PathBuf,
    },
    /// Looks whether a data directory is whole: every page and index, and the catalogs against the tables.
    /// Exit code 0: it is; 2: it is not, and what is wrong is said; 1: it could not be looked at.
    Check {
        /// Data directory.
        #[arg(short = 'D', value_name = "DIRECTORY", env = "PGDATA", default_value = DEFAULT_DIRECTORY)]
        directory: PathBuf,
    },
}

/// The words of such a command line.
pub(crate) const COMMANDS: [&str; 2] = ["backup", "check"];

/// What is asked.
enum Errand {
    Backup(PathBuf),
    Check,
}

/// What has come of it.
struct Answer {
    /// Whether all is well.
    well: bool,
    text: String,
}

impl Errand {
    fn written(&self) -> String {
        match self {
            Self::Backup(target) => format!("backup\n{}\n", target.display()),
            Self::Check => "check\n".to_owned(),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (word, rest) = text.split_once('\n')?;
        match word {
            "backup" => Some(Self::Backup(PathBuf::from(rest.strip_suffix('\n')?))),
            "check" => Some(Self::Check),
            _ => None,
        }
    }

    async fn run(self, cluster: &Arc<Cluster>) -> Result<Answer> {
        match self {
            Self::Backup(target) => back_up(cluster, target).await,
            Self::Check => check(cluster).await,
        }
    }
}

async fn back_up(cluster: &Arc<Cluster>, target: PathBuf) -> Result<Answer> {
    let (cluster, shown) = (cluster.clone(), target.display().to_string());
    let done = tokio::task::spawn_blocking(move || cluster.back_up(&target)).await;
    let names = done.map_err(|_| SqlError::internal("the backup has panicked"))??;
    Ok(Answer { well: true, text: format!("backed up {} databases to \"{shown}\"\n", names.len()) })
}

async fn check(cluster: &Arc<Cluster>) -> Result<Answer> {
    let mut names: Vec<Option<String>> = vec![None];
    names.extend(cluster.database_names().into_iter().map(Some));
    let (mut text, mut well) = (String::new(), true);
    for name in names {
        let shown = name.as_ref().map_or("shared catalogs".to_owned(), |name| format!("database \"{name}\""));
        let request = ConnectRequest {
            database: name,
            user: None,
            settings: Vec::new(),
            kind: BackendKind::Auxiliary("check"),
            process: None,
            client: None,
            bypass_allow_connections: true,
            bypass_login_check: true,
        };
        let faults = match Session::connect(cluster, request).await {
            Ok(mut session) => session.check_integrity().await,
            Err(error) => Err(error),
        };
        let faults = faults.unwrap_or_else(|error| vec![error.message().to_owned()]);
        well &= faults.is_empty();
        if faults.is_empty() {
            text.push_str(&format!("{shown}: ok\n"));
        }
        faults.iter().for_each(|fault| text.push_str(&format!("{shown}: {fault}\n")));
    }
    Ok(Answer { well, text })
}

/// Does what the errand file in a running server's directory says, and answers.
pub(crate) async fn serve(cluster: Arc<Cluster>, directory: PathBuf) {
    let file = directory.join(ERRAND_FILE_NAME);
    let Ok(text) = fs::read_to_string(&file) else { return };
    let _taken = fs::remove_file(&file);
    let Some(errand) = Errand::read(&text) else { return };
    let answer = errand.run(&cluster).await;
    let text = match answer {
        Ok(answer) => format!("{}\n{}", if answer.well { "ok" } else { "damaged" }, answer.text),
        Err(error) => format!("failed\n{}\n", error.message()),
    };
    // Renamed when it is whole.
    let unfinished = directory.join(format!("{ANSWER_FILE_NAME}.new"));
    let written =
        fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, directory.join(ANSWER_FILE_NAME)));
    if let Err(error) = written {
        tracing::error!(%error, "could not answer a command line");
    }
}

/// Runs such a command line.
pub(crate) fn run(arguments: impl Iterator<Item = String>) -> ExitCode {
    let (directory, errand) = match CommandLine::parse_from(arguments).command {
        Command::Backup { directory, target } => match std::path::absolute(&target) {
            Ok(target) => (directory, Errand::Backup(target)),
            Err(error) => return told(&format!("postilion: {error}\n"), ExitCode::FAILURE),
        },
        Command::Check { directory } => (directory, Errand::Check),
    };
    let answer = match running_server(&directory) {
        Some(pid) => ask(&directory, pid, &errand),
        None => run_here(&directory, errand),
    };
    match answer {
        Ok(answer) => {
            // A closed pipe (`| head`) is the reader's wish.
            let _closed = std::io::stdout().write_all(answer.text.as_bytes());
            if answer.well { ExitCode::SUCCESS } else { ExitCode::from(EXIT_DAMAGED) }
        }
        Err(error) => told(&format!("postilion: {}\n", error.message()), ExitCode::FAILURE),
    }
}

fn told(text: &str, code: ExitCode) -> ExitCode {
    let _closed = std::io::stderr().write_all(text.as_bytes());
    code
}

/// Lets the running server do it.
fn ask(directory: &Path, pid: Pid, errand: &Errand) -> Result<Answer> {
    let failed = |error: std::io::Error| error!(IO_ERROR, "could not ask the running server: {error}");
    let (file, answer) = (directory.join(ERRAND_FILE_NAME), directory.join(ANSWER_FILE_NAME));
    let mut made = fs::File::create_new(&file).map_err(|error| {
        error!(
            OBJECT_IN_USE,
            "another command is under way in this directory (\"{}\"): {error}",
            file.display()
        )
    })?;
    let _left_by_another = fs::remove_file(&answer);
    made.write_all(errand.written().as_bytes()).map_err(failed)?;
    drop(made);
    kill_process(pid, Signal::USR1).map_err(|error| failed(error.into()))?;
    loop {
        if let Ok(text) = fs::read_to_string(&answer) {
            let _read = fs::remove_file(&answer);
            let (word, rest) = text.split_once('\n').unwrap_or((&text, ""));
            if word == "failed" {
                return Err(error!(INTERNAL_ERROR, "{}", rest.trim_end()));
            }
            return Ok(Answer { well: word == "ok", text: rest.to_owned() });
        }
        if test_kill_process(pid).is_err() {
            let _unserved = fs::remove_file(&file);
            return Err(error!(CONNECTION_FAILURE, "the server has ended"));
        }
        std::thread::sleep(ANSWER_CHECK);
    }
}

/// Opens the directory of a stopped server and does it here.
fn run_here(directory: &Path, errand: Errand) -> Result<Answer> {
    if !directory.join("PG_VERSION").exists() {
        return Err(error!(UNDEFINED_FILE, "\"{}\" is not a data directory", directory.display()));
    }
    let held = DataDirectory::open(directory)?;
    let cluster = Cluster::open(held.path(), Arc::new(ServerSettings::default()))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SqlError::internal(format!("could not start the runtime: {error}")))?;
    let answer = runtime.block_on(errand.run(&cluster));
    let closed = cluster.close();
    let answer = answer?;
    // What could not be read cannot be closed properly either; the report says it better.
    if answer.well {
        closed?;
    }
    Ok(answer)
}
