//! Errands: what a command line asks of the server that runs in a data directory, as `pg_ctl promote` does: a file says
//! what, a signal says that it is there, another file is the answer. Who may write to the directory may ask.
//!
//! `postilion backup` and `postilion check` are run by the server when one is there, since nobody else may open its
//! files; otherwise they open them themselves.
//!
//! Each asker has files of its own, named after its process:
//!
//! | file | who makes it | who removes it |
//! |---|---|---|
//! | `postilion.errand.PID` | the asker, whole, before its signal | the server, after the answer; an asker that gives up |
//! | `postilion.answer.PID` | the server, whole | the asker that has read it |
//!
//! An asker that sees neither will not be answered. A signal says no more than that something may be there: the server
//! looks for all errands at each, and again when one is done. What dead askers have left is removed on the way.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Parser, Subcommand};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sql::backend::BackendKind;
use sql::cluster::Cluster;
use sql::session::{ConnectRequest, Session};
use sql::settings::ServerSettings;
use sql::{Result, SqlError, error};

use crate::directory::{DEFAULT_DIRECTORY, DataDirectory, running_server};

/// What is wanted, one word a line; the asker's process follows.
const ERRAND_FILE_NAME: &str = "postilion.errand.";
/// What has come of it: `ok`, `damaged` or `failed`, and then the text for people.
const ANSWER_FILE_NAME: &str = "postilion.answer.";
/// What ends the name of such a file until it is whole.
const UNFINISHED: &str = ".new";
/// How many errands a server runs side by side; others wait for their turn.
const ERRANDS_MAX: usize = 4;
/// How often the answer is looked for.
const ANSWER_CHECK: Duration = Duration::from_millis(20);
/// How often the asker signals again, should the server have looked just before.
const SIGNAL_INTERVAL: Duration = Duration::from_secs(1);
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
    /// all databases, roles, sequences and settings, each database as of one moment. Pages are copied as they are; whether
    /// the copy is whole is what `postilion check` says of it.
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

/// The files of an asker.
struct Files {
    errand: PathBuf,
    answer: PathBuf,
}

impl Files {
    fn of(directory: &Path, asker: Pid) -> Self {
        let asker = asker.as_raw_nonzero();
        Self {
            errand: directory.join(format!("{ERRAND_FILE_NAME}{asker}")),
            answer: directory.join(format!("{ANSWER_FILE_NAME}{asker}")),
        }
    }

    /// Removes them; those that are not there are as they are to be.
    fn remove(&self) {
        for file in [&self.errand, &self.answer] {
            let _missing = (fs::remove_file(file), fs::remove_file(unfinished(file)));
        }
    }
}

fn unfinished(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Makes a file that is whole as soon as it is there.
fn write_whole(file: &Path, text: &str) -> std::io::Result<()> {
    let unfinished = unfinished(file);
    let written = fs::write(&unfinished, text).and_then(|()| fs::rename(&unfinished, file));
    written.inspect_err(|_| drop(fs::remove_file(&unfinished)))
}

/// The asker whose file has this name.
fn asker(name: &str) -> Option<Pid> {
    let number = name.strip_prefix(ERRAND_FILE_NAME).or_else(|| name.strip_prefix(ANSWER_FILE_NAME))?;
    Pid::from_raw(number.strip_suffix(UNFINISHED).unwrap_or(number).parse().ok()?)
}

fn is_alive(process: Pid) -> bool {
    test_kill_process(process) != Err(Errno::SRCH)
}

/// The errands of a running server.
pub(crate) struct Errands {
    cluster: Arc<Cluster>,
    directory: PathBuf,
    /// Whose errands are under way.
    served: RefCell<HashSet<Pid>>,
}

impl Errands {
    /// Those of a server that is about to listen. What is there was asked of an earlier one.
    pub(crate) fn new(cluster: Arc<Cluster>, directory: &Path) -> Rc<Self> {
        let errands = Self { cluster, directory: directory.to_owned(), served: RefCell::default() };
        errands.files().iter().for_each(|(asker, _)| Files::of(directory, *asker).remove());
        Rc::new(errands)
    }

    /// The askers' files, with their names.
    fn files(&self) -> Vec<(Pid, String)> {
        let entries = match fs::read_dir(&self.directory) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, "could not look for what a command line asks");
                return Vec::new();
            }
        };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| Some((asker(&name)?, name))).collect()
    }

    /// Begins what is asked and not yet under way, as a task of this thread.
    pub(crate) fn serve(self: &Rc<Self>) {
        for (asker, name) in self.files() {
            let files = Files::of(&self.directory, asker);
            let mut served = self.served.borrow_mut();
            if served.contains(&asker) {
                continue;
            }
            if !is_alive(asker) {
                files.remove();
            } else if served.len() < ERRANDS_MAX && files.errand.ends_with(&name) {
                served.insert(asker);
                let errands = self.clone();
                tokio::task::spawn_local(async move { errands.serve_one(asker, &files).await });
            }
        }
    }

    async fn serve_one(self: Rc<Self>, asker: Pid, files: &Files) {
        let answer = match fs::read_to_string(&files.errand).map(|text| Errand::read(&text)) {
            Ok(Some(errand)) => errand.run(&self.cluster).await,
            Ok(None) => Err(SqlError::unsupported("this command")),
            Err(error) => Err(error!(IO_ERROR, "could not read \"{}\": {error}", files.errand.display())),
        };
        let text = match answer {
            Ok(answer) => format!("{}\n{}", if answer.well { "ok" } else { "damaged" }, answer.text),
            Err(error) => format!("failed\n{}\n", error.message()),
        };
        if let Err(error) = write_whole(&files.answer, &text) {
            tracing::error!(%error, "could not answer a command line");
        }
        if let Err(error) = fs::remove_file(&files.errand)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            // It stays among those that are served, or it would be run for ever.
            return tracing::error!(%error, "could not remove what a command line has asked");
        }
        self.served.borrow_mut().remove(&asker);
        // Others may have waited for their turn, and this asker may have gone without its answer.
        self.serve();
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
fn ask(directory: &Path, server: Pid, errand: &Errand) -> Result<Answer> {
    let files = Files::of(directory, rustix::process::getpid());
    // What an earlier process of this number has left.
    files.remove();
    let answer = ask_with(&files, directory, server, errand);
    files.remove();
    answer
}

fn ask_with(files: &Files, directory: &Path, server: Pid, errand: &Errand) -> Result<Answer> {
    let failed = |error: std::io::Error| error!(IO_ERROR, "could not ask the running server: {error}");
    write_whole(&files.errand, &errand.written()).map_err(failed)?;
    let mut signalled: Option<Instant> = None;
    loop {
        // Looked at in this order: the server ends, and the errand goes, after the answer has come.
        let is_due = signalled.is_none_or(|last| last.elapsed() >= SIGNAL_INTERVAL);
        let has_ended = is_due && running_server(directory) != Some(server);
        let is_asked = files.errand.exists();
        if let Ok(text) = fs::read_to_string(&files.answer) {
            let (word, rest) = text.split_once('\n').unwrap_or((&text, ""));
            if word == "failed" {
                return Err(error!(INTERNAL_ERROR, "{}", rest.trim_end()));
            }
            return Ok(Answer { well: word == "ok", text: rest.to_owned() });
        }
        if has_ended {
            return Err(error!(CONNECTION_FAILURE, "the server has ended"));
        }
        if !is_asked {
            return Err(error!(IO_ERROR, "the server could not answer; its log says why"));
        }
        if is_due {
            kill_process(server, Signal::USR1).map_err(|error| failed(error.into()))?;
            signalled = Some(Instant::now());
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
