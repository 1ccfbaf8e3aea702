//! The data directory: made when it is missing, checked when it is there, locked while a server runs in it.
//!
//! | file | what it is |
//! |---|---|
//! | `PG_VERSION` | the version of PostgreSQL that the directory behaves as |
//! | `postilion.conf`, `postilion.auto.conf`, `pg_hba.conf` | settings, ALTER SYSTEM's settings, who may connect |
//! | `postmaster.pid` | who runs here, in PostgreSQL's layout; the lock is on this file, so it dies with the server |
//! | `postilion.state` | whether the last server was shut down in order |

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use sql::settings::{AUTO_FILE_NAME, CONFIG_FILE_NAME};
use sql::{Result, Severity, SqlError, error};

use crate::hba;
use crate::listener::os_text;

/// The directory of a server that is told none.
pub const DEFAULT_DIRECTORY: &str = "postilion-data";
pub(crate) const HBA_FILE_NAME: &str = "pg_hba.conf";
pub(crate) const VERSION_FILE_NAME: &str = "PG_VERSION";
const VERSION: &str = "15\n";
const PID_FILE_NAME: &str = "postmaster.pid";
const STATE_FILE_NAME: &str = "postilion.state";
const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Permissions of others that a data directory may not give: all but reading by the group.
const FORBIDDEN_MODE: u32 = 0o027;

const CONFIG_SAMPLE: &str = "\
# Settings of this server, in the syntax of postgresql.conf:  name = value
# Reload the server after changes (SIGHUP, or SELECT pg_reload_conf()); those marked need a restart.
# All settings, with their meaning:  postilion --describe-config

#listen_addresses = 'localhost'         # '*' for all (restart)
#port = 5432                            # (restart)
#max_connections = 100                  # (restart)
#shared_preload_libraries = ''          # (restart)
#max_worker_processes = 8               # (restart)
#worker_isolation = process             # process or task
#synchronous_commit = on
#log_line_prefix = '%m [%p] '
#log_destination = 'stderr'             # stderr, jsonlog
#log_connections = off
#log_statement = 'none'                 # none, ddl, mod, all
";

/// A locked data directory. Dropping it gives it up.
pub(crate) struct DataDirectory {
    path: PathBuf,
    /// Holds the lock.
    pid_file: File,
    /// Whether it was made just now.
    pub(crate) is_new: bool,
    started: u64,
}

/// How the last server in a directory ended.
pub(crate) enum LastEnd {
    /// There was none.
    New,
    ShutDown(SystemTime),
    Interrupted(SystemTime),
}

impl DataDirectory {
    /// Makes or checks the directory, and locks it.
    ///
    /// # Errors
    /// FATAL, each saying what to do.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let is_new = make(path)?;
        let path = path.canonicalize().map_err(|error| failed("access", path, &error))?;
        let pid_file = lock(&path)?;
        if is_new {
            fill(&path)?;
        } else {
            check(&path)?;
        }
        let started = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self { path, pid_file, is_new, started })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes `postmaster.pid`: pid, directory, start, port, socket directory, address, shared memory (none), state.
    ///
    /// # Errors
    /// FATAL `58030`.
    pub(crate) fn write_pid(
        &mut self,
        port: i32,
        socket_directory: &str,
        address: &str,
        state: &str,
    ) -> Result<()> {
        let (pid, directory, started) = (std::process::id(), self.path.display(), self.started);
        let text =
            format!("{pid}\n{directory}\n{started}\n{port}\n{socket_directory}\n{address}\n\n{state:<8}\n");
        let write = |file: &mut File| {
            file.rewind()?;
            file.set_len(0)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write(&mut self.pid_file).map_err(|error| failed("write", Path::new(PID_FILE_NAME), &error))
    }

    /// Adds a rule to the `pg_hba.conf` of a new directory.
    ///
    /// # Errors
    /// FATAL `58030`.
    pub(crate) fn add_hba_rule(&self, rule: &str) -> Result<()> {
        write_file(&self.path.join(HBA_FILE_NAME), &format!("{}{rule}", hba::SAMPLE))
    }

    /// Makes sure that no server uses the directory as it is: its making has failed.
    pub(crate) fn give_up(&self) {
        let _ = fs::remove_file(self.path.join(VERSION_FILE_NAME));
    }

    /// How the last server ended, by its state file.
    pub(crate) fn last_end(&self) -> LastEnd {
        let file = self.path.join(STATE_FILE_NAME);
        let (Ok(text), Ok(metadata)) = (fs::read_to_string(&file), fs::metadata(&file)) else {
            return LastEnd::New;
        };
        let when = metadata.modified().unwrap_or(UNIX_EPOCH);
        if text.trim() == "shut down" { LastEnd::ShutDown(when) } else { LastEnd::Interrupted(when) }
    }

    /// Notes the state for the next start: `in production`, `shut down`.
    ///
    /// # Errors
    /// FATAL `58030`.
    pub(crate) fn write_state(&self, state: &str) -> Result<()> {
        let file = self.path.join(STATE_FILE_NAME);
        write_file(&file, &format!("{state}\n"))
    }
}

impl Drop for DataDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join(PID_FILE_NAME));
    }
}

/// Makes the directory unless it is there; whether it is empty, and so new.
fn make(path: &Path) -> Result<bool> {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            let left_over = [PID_FILE_NAME];
            Ok(entries.all(|entry| {
                entry.is_ok_and(|entry| left_over.iter().any(|name| entry.file_name() == *name))
            }))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let made = fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path);
            made.map_err(|error| failed("create directory", path, &error))?;
            Ok(true)
        }
        Err(error) => Err(failed("access directory", path, &error)),
    }
}

/// Writes the files of a new directory. `PG_VERSION` comes last: with it the directory is complete.
fn fill(path: &Path) -> Result<()> {
    let mode = fs::Permissions::from_mode(DIRECTORY_MODE);
    fs::set_permissions(path, mode)
        .map_err(|error| failed("change permissions of directory", path, &error))?;
    write_file(&path.join(CONFIG_FILE_NAME), CONFIG_SAMPLE)?;
    write_file(&path.join(AUTO_FILE_NAME), "")?;
    write_file(&path.join(HBA_FILE_NAME), hba::SAMPLE)?;
    write_file(&path.join(VERSION_FILE_NAME), VERSION)
}

fn check(path: &Path) -> Result<()> {
    let shown = path.display();
    let version_file = path.join(VERSION_FILE_NAME);
    let Ok(version) = fs::read_to_string(&version_file) else {
        return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "\"{shown}\" is not a valid data directory")
            .detail(format!("File \"{}\" is missing.", version_file.display()))
            .hint("Name an empty or missing directory with -D, and it will be made.")
            .severity(Severity::Fatal));
    };
    if version != VERSION {
        return Err(error!(OBJECT_NOT_IN_PREREQUISITE_STATE, "database files are incompatible with server")
            .detail(format!(
                "The data directory was initialized by version {}, which is not compatible with this version {}.",
                version.trim(),
                VERSION.trim()
            ))
            .severity(Severity::Fatal));
    }
    let mode =
        fs::metadata(path).map_err(|error| failed("access directory", path, &error))?.permissions().mode();
    if mode & FORBIDDEN_MODE != 0 {
        return Err(error!(
            OBJECT_NOT_IN_PREREQUISITE_STATE,
            "data directory \"{shown}\" has invalid permissions"
        )
        .detail("Permissions should be u=rwx (0700) or u=rwx,g=rx (0750).")
        .severity(Severity::Fatal));
    }
    Ok(())
}

/// The pid of the server that runs in a directory, if one does.
pub(crate) fn running_server(path: &Path) -> Option<rustix::process::Pid> {
    let file = File::open(path.join(PID_FILE_NAME)).ok()?;
    // Who gets the lock is alone; closing the file gives it up again.
    if flock(&file, FlockOperation::NonBlockingLockShared).is_ok() {
        return None;
    }
    let text = std::io::read_to_string(file).ok()?;
    rustix::process::Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// Opens and locks `postmaster.pid`. A file without a lock is what a dead server has left.
fn lock(path: &Path) -> Result<File> {
    let file_path = path.join(PID_FILE_NAME);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&file_path)
        .map_err(|error| failed("create lock file", &file_path, &error))?;
    // Failing to restrict who reads the file is no reason not to start.
    let _ = file.set_permissions(fs::Permissions::from_mode(FILE_MODE));
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
        // What a dead server has left names a process that is a stranger by now, and that askers would signal.
        file.set_len(0).map_err(|error| failed("write lock file", &file_path, &error))?;
        return Ok(file);
    }
    let mut text = String::new();
    let _ = file.read_to_string(&mut text);
    let pid = text.lines().next().unwrap_or("unknown").to_owned();
    Err(error!(LOCK_FILE_EXISTS, "lock file \"{PID_FILE_NAME}\" already exists")
        .hint(format!(
            "Is another postmaster (PID {pid}) running in data directory \"{}\"? Stop it, or name another directory with -D.",
            path.display()
        ))
        .severity(Severity::Fatal))
}

fn write_file(path: &Path, text: &str) -> Result<()> {
    let write = || {
        let mut file = File::create(path)?;
        file.set_permissions(fs::Permissions::from_mode(FILE_MODE))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| failed("write file", path, &error))
}

fn failed(what: &str, path: &Path, error: &io::Error) -> SqlError {
    error!(IO_ERROR, "could not {what} \"{}\": {}", path.display(), os_text(error)).severity(Severity::Fatal)
}
